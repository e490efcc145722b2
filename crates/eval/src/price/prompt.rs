//! The requests that a plan sends: the prompt of each call, message by message.

use std::hash::{DefaultHasher, Hash, Hasher};

use lrrc_episode::observe::{Call, Observed};

use crate::{
    metric::Whole,
    price::cache::{Block, Request},
    replay::Plan,
    view::{DIGEST_MARK_TOKENS, Kept, Viewer},
};

/// How far the client asks the provider to cache a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Breakpoint {
    /// To its end.
    End,
    /// To the verbatim tail, which the next prompt shows otherwise.
    Tail,
}

/// The requests of a session under a plan, one a call.
#[must_use]
pub(crate) fn requests(
    observed: &Observed,
    viewer: &mut Viewer<'_>,
    plan: &Plan,
    whole: Whole,
    breakpoint: Breakpoint,
) -> Vec<Request> {
    let calls = observed.calls.iter().zip(plan).zip(&observed.newest);
    let request = |((call, kept), newest): ((&Call, &Kept), &String)| {
        let (mut blocks, tail) = blocks(observed, call, viewer, kept, whole);
        let marked = match breakpoint {
            Breakpoint::End => blocks.len(),
            Breakpoint::Tail => tail,
        };
        if call.query.is_some() {
            let tokens = viewer.counter().count(newest);
            blocks.push(Block { tokens, hash: hash_of(&(call.query, newest)) });
        }
        Request { blocks, marked, output_tokens: call.output_tokens }
    };
    calls.map(request).collect()
}

/// The messages before a call, and how many of them stand before its verbatim tail. The mark of a compressed
/// conversation stands before the first message that is not as the source has it.
fn blocks(
    observed: &Observed,
    call: &Call,
    viewer: &mut Viewer<'_>,
    kept: &Kept,
    whole: Whole,
) -> (Vec<Block>, usize) {
    let (mut blocks, mut tail, mut is_changed) = (Vec::with_capacity(call.turn + 1), None, false);
    for turn in 0..call.turn {
        if turn == call.tail_from {
            tail = Some(blocks.len());
        }
        let source = observed.history.turns()[turn].source_tokens;
        let block = block(observed, turn, viewer, kept, whole);
        if block.tokens != source && !is_changed {
            is_changed = true;
            blocks.push(Block { tokens: DIGEST_MARK_TOKENS, hash: hash_of(&"mark") });
        }
        if block.tokens > 0 {
            blocks.push(block);
        }
    }
    let tail = tail.unwrap_or(blocks.len());
    (blocks, tail)
}

/// One message, as the source has it or as a digest of it.
fn block(observed: &Observed, turn: usize, viewer: &mut Viewer<'_>, kept: &Kept, whole: Whole) -> Block {
    let history = &observed.history;
    let tokens = history.turns()[turn].source_tokens;
    let source = Block { tokens, hash: hash_of(&(turn, "source")) };
    let range = history.range(turn);
    if range.is_empty() {
        return source;
    }
    let is_complete = range.clone().all(|at| kept.has(at));
    if is_complete && whole == Whole::Verbatim {
        return source;
    }
    let shown = viewer.turn(turn, kept);
    if is_complete && shown.tokens >= tokens {
        return source;
    }
    Block { tokens: shown.tokens, hash: hash_of(&(turn, shown.text_hash)) }
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
