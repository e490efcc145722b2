//! What a compressed context still holds of what the recorded output needed.
//!
//! Every figure is a pair of counts, so that episodes, calls and clusters can be pooled in any way afterwards.

use lrrc_episode::{
    history::{History, ItemId},
    observe::{Call, Observed},
    segment::SegmentKind,
    select::COMPANY_ATOMS,
};
use serde::{Deserialize, Serialize};

use crate::view::{DIGEST_MARK_TOKENS, Kept, Rendered, Viewer};

/// How much of how much.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Share {
    /// Kept.
    pub kept: f64,
    /// All.
    pub all: f64,
}

impl Share {
    fn add(&mut self, kept: bool, weight: f64) {
        self.kept += if kept { weight } else { 0.0 };
        self.all += weight;
    }

    /// Adds another pair.
    pub fn merge(&mut self, other: Self) {
        self.kept += other.kept;
        self.all += other.all;
    }

    /// The fraction, if there is anything to share.
    #[must_use]
    pub fn fraction(self) -> Option<f64> {
        (self.all > 0.0).then(|| self.kept / self.all)
    }
}

/// Numbers of a [`Counts`] in a file: two sums of tokens, then ten pairs.
const NUMBERS: usize = 22;

/// Counts of one episode under one method at one budget; in files a plain list of numbers, in the order of the fields.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "[f64; NUMBERS]", into = "[f64; NUMBERS]")]
pub struct Counts {
    /// Tokens of system text, history and output over all calls, uncompressed.
    pub full_tokens: f64,
    /// The same with the history compressed.
    pub sent_tokens: f64,
    /// History tokens: kept of all.
    pub history: Share,
    /// Argument values copied from the history that are still visible there.
    pub args: Share,
    /// The same without the values that also stand in the system text.
    pub args_unseen: Share,
    /// Calls with arguments that lost none.
    pub calls: Share,
    /// Argument values visible together with their key and record, or with words of their sentence.
    pub bound: Share,
    /// Values and names of the output that are visible.
    pub answers: Share,
    /// Content words of the output that are visible.
    pub words: Share,
    /// Items reused that are neither in the system text nor in the last message.
    pub needs: Share,
    /// Tokens of gold evidence that are visible, each query counting one.
    pub evidence: Share,
    /// Episodes with arguments that lost none: 1 of 1, 0 of 1, or 0 of 0.
    pub replayable: Share,
}

impl Counts {
    /// Adds another episode.
    pub fn merge(&mut self, other: &Self) {
        self.full_tokens += other.full_tokens;
        self.sent_tokens += other.sent_tokens;
        for (own, other) in self.shares_mut().into_iter().zip(other.clone().shares_mut()) {
            own.merge(*other);
        }
    }

    fn shares_mut(&mut self) -> [&mut Share; 10] {
        [
            &mut self.history,
            &mut self.args,
            &mut self.args_unseen,
            &mut self.calls,
            &mut self.bound,
            &mut self.answers,
            &mut self.words,
            &mut self.needs,
            &mut self.evidence,
            &mut self.replayable,
        ]
    }

    /// The same counts `weight` times over: the mean over n seeds is the sum of n counts scaled by 1/n.
    #[must_use]
    pub fn scaled(mut self, weight: f64) -> Self {
        self.full_tokens *= weight;
        self.sent_tokens *= weight;
        for share in self.shares_mut() {
            share.kept *= weight;
            share.all *= weight;
        }
        self
    }

    /// Share of all tokens that the method saves.
    #[must_use]
    pub fn tokens_saved(&self) -> f64 {
        if self.full_tokens > 0.0 { 1.0 - self.sent_tokens / self.full_tokens } else { 0.0 }
    }
}

impl From<Counts> for [f64; NUMBERS] {
    fn from(mut counts: Counts) -> Self {
        let mut numbers = [counts.full_tokens, counts.sent_tokens].into_iter().chain(
            counts.shares_mut().into_iter().flat_map(|share| [share.kept, share.all]).collect::<Vec<_>>(),
        );
        std::array::from_fn(|_| numbers.next().unwrap_or_default())
    }
}

impl From<[f64; NUMBERS]> for Counts {
    fn from(numbers: [f64; NUMBERS]) -> Self {
        let [full_tokens, sent_tokens, pairs @ ..] = numbers;
        let mut counts = Self { full_tokens, sent_tokens, ..Self::default() };
        for (share, pair) in counts.shares_mut().into_iter().zip(pairs.chunks_exact(2)) {
            *share = Share { kept: pair[0], all: pair[1] };
        }
        counts
    }
}

/// Measures a method on one episode: `kept[call]` holds what the call sees of the turns before it, tail included.
#[must_use]
pub fn measure(observed: &Observed, viewer: &mut Viewer<'_>, kept: &[Kept], whole: Whole) -> Counts {
    let mut counts = Counts::default();
    for (call, kept) in observed.calls.iter().zip(kept) {
        measure_call(observed, call, viewer, kept, whole, &mut counts);
    }
    if counts.args.all > 0.0 {
        counts.replayable.add(counts.args.kept == counts.args.all, 1.0);
    }
    counts
}

/// How a turn that is kept whole is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// As the source has it.
    Verbatim,
    /// In the lossless table encoding, where that is shorter.
    Encoded,
}

/// Exact tokens of the history before a call: as the source has it, and as kept.
#[must_use]
pub(crate) fn history_tokens(
    observed: &Observed,
    call: &Call,
    viewer: &mut Viewer<'_>,
    kept: &Kept,
    whole: Whole,
) -> (u32, u32) {
    let history = &observed.history;
    let (mut full, mut sent, mut changed) = (0, 0, false);
    for turn in (0..call.turn).filter(|turn| !history.range(*turn).is_empty()) {
        let source = history.turns()[turn].source_tokens;
        full += source;
        let complete = history.range(turn).all(|at| kept.has(at));
        let tokens = match (complete, whole) {
            (true, Whole::Verbatim) => source,
            (true, Whole::Encoded) => viewer.turn(turn, kept).tokens.min(source),
            (false, _) => viewer.turn(turn, kept).tokens,
        };
        changed |= tokens != source;
        sent += tokens;
    }
    (full, sent + if changed { DIGEST_MARK_TOKENS } else { 0 })
}

fn measure_call(
    observed: &Observed,
    call: &Call,
    viewer: &mut Viewer<'_>,
    kept: &Kept,
    whole: Whole,
    counts: &mut Counts,
) {
    let history = &observed.history;
    let (full, sent) = history_tokens(observed, call, viewer, kept, whole);
    let silent = (0..call.turn).filter(|turn| history.range(*turn).is_empty());
    let system: u32 = silent.map(|turn| history.turns()[turn].source_tokens).sum();
    let fixed = f64::from(system + call.output_tokens);
    counts.full_tokens += fixed + f64::from(full);
    counts.sent_tokens += fixed + f64::from(sent);
    counts.history.merge(Share { kept: f64::from(sent), all: f64::from(full) });
    let shown: Vec<_> = (0..call.turn).map(|turn| viewer.turn(turn, kept)).collect();
    let visible = visible_items(history, call.turn, kept);
    let mut lost = false;
    for argument in &call.needs.arguments {
        let seen = shown.iter().any(|turn: &std::sync::Arc<Rendered>| turn.atoms.has(&argument.atoms));
        counts.args.add(seen, 1.0);
        if !argument.in_system {
            counts.args_unseen.add(seen, 1.0);
        }
        lost |= !seen;
        counts.bound.add(seen && argument.item.is_none_or(|id| is_bound(history, call, kept, id)), 1.0);
    }
    if !call.needs.arguments.is_empty() {
        counts.calls.add(!lost, 1.0);
    }
    let has = |id: &ItemId| visible[*id as usize];
    call.needs.answers.iter().for_each(|id| counts.answers.add(has(id), 1.0));
    call.needs.words.iter().for_each(|id| counts.words.add(has(id), 1.0));
    call.needs.items.iter().for_each(|id| counts.needs.add(has(id), 1.0));
    add_evidence(history, call, kept, &mut counts.evidence);
}

fn visible_items(history: &History, turns: usize, kept: &Kept) -> Vec<bool> {
    let mut visible = vec![false; history.items().len()];
    for at in (0..turns).flat_map(|turn| history.range(turn)).filter(|at| kept.has(*at)) {
        history.items_of(at).iter().for_each(|id| visible[*id as usize] = true);
    }
    visible
}

/// A field always stands with its key and the name of its record; a value of prose must keep company.
fn is_bound(history: &History, call: &Call, kept: &Kept, id: ItemId) -> bool {
    let places = history.items()[id as usize].segments.iter().map(|at| *at as usize);
    places
        .filter(|at| (history.place(*at).turn as usize) < call.turn && kept.has(*at))
        .any(|at| history.segment(at).kind == SegmentKind::Field || has_company(history, kept, at))
}

fn has_company(history: &History, kept: &Kept, value: usize) -> bool {
    let (mut shown, mut all) = (0, 0);
    for at in history.sentence(value) {
        let content = history.content_atoms(at);
        all += content;
        shown += if kept.has(at) { content } else { 0 };
    }
    shown > COMPANY_ATOMS || shown == all
}

fn add_evidence(history: &History, call: &Call, kept: &Kept, share: &mut Share) {
    let cost = |at: &usize| f64::from(history.segment(*at).cost);
    let all: f64 = call.evidence.iter().map(cost).sum();
    if all > 0.0 {
        let seen: f64 = call.evidence.iter().filter(|at| kept.has(**at)).map(cost).sum();
        share.merge(Share { kept: seen / all, all: 1.0 });
    }
}
