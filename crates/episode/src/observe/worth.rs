//! What each recorded call was worth: the labels of the call gate, known only when the episode is over.
//!
//! A call brings its own output and the tool results that answer it. It was *used* as far as a later agent output
//! takes items (argument values, answers, content words, see [`crate::reuse`]) that were first said there.
//!
//! *Removable* means: the call could have been skipped, and everything that later outputs used would still stand
//! somewhere else in the history. An item that a kept call says again before it is used is not lost. Some calls are
//! bound to stay whatever they brought, because their effect lies outside the conversation: a call that acts, a
//! reply that a person answers, and the last call of an episode.
//!
//! Whether a tool acts is not recorded anywhere. A tool only reads if its name begins with a verb of
//! [`READING_VERBS`] (`get_user`, `searchFlights`, `db.list_tables`); every other tool is taken to act. A repeated
//! read with the result it had before brings nothing that is first said there, so it needs no rule of its own.
//!
//! Matches are exact, in canonical spelling. An agent may be led by a call without repeating a word of it, so the
//! figures drawn from these labels are bounds: at least so many trajectories would have changed.

use std::ops::Range;

use serde_json::Value;

use super::{Observed, replay::Call};
use crate::{
    episode::{Episode, Role, Turn},
    history::{History, ItemId},
};

/// First words of the names of tools that leave the world as it is.
pub const READING_VERBS: [&str; 18] = [
    "calculate",
    "compute",
    "count",
    "describe",
    "fetch",
    "find",
    "get",
    "list",
    "look",
    "lookup",
    "query",
    "read",
    "retrieve",
    "search",
    "show",
    "summarize",
    "think",
    "view",
];

/// What a call does, as its output tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKind {
    /// It calls tools that only read.
    Reads,
    /// It calls a tool that may change the world.
    Acts,
    /// It calls no tool.
    Speaks,
}

impl CallKind {
    /// The kind of an agent's turn.
    #[must_use]
    pub fn of(turn: &Turn) -> Self {
        if turn.tool_calls.is_empty() {
            Self::Speaks
        } else if turn.tool_calls.iter().all(|call| only_reads(&call.name)) {
            Self::Reads
        } else {
            Self::Acts
        }
    }
}

/// What one recorded call brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Worth {
    /// What it does.
    pub kind: CallKind,
    /// Its turn and, right after it, the tool results that answer it: what would be missing without it.
    pub turns: Range<usize>,
    /// Whether it has to stay whatever it brought.
    pub bound: bool,
    /// Items first said in its turns that later agent outputs use, each with the weight of its heaviest use.
    pub used: Vec<(ItemId, f32)>,
    /// Whether it only reads and an earlier call had the same tools, arguments and results.
    pub repeats: bool,
}

impl Worth {
    /// Weight of what later outputs use.
    #[must_use]
    pub fn used_weight(&self) -> f32 {
        self.used.iter().map(|(_, weight)| weight).sum()
    }

    /// Whether the call adds something: the label of the gate.
    #[must_use]
    pub fn is_useful(&self) -> bool {
        self.bound || !self.used.is_empty()
    }
}

/// The worth of each recorded call, in the order of `calls`; queries have none, and neither have the calls of an
/// episode of two rival models, where each answer is judged for itself.
pub(super) fn worths(episode: &Episode, history: &History, calls: &[Call]) -> Vec<Worth> {
    let rivals = episode.outcome.winner.is_some();
    let recorded: Vec<&Call> = calls.iter().filter(|call| call.query.is_none() && !rivals).collect();
    let last = recorded.len().saturating_sub(1);
    let mut worths: Vec<Worth> = Vec::with_capacity(recorded.len());
    for (at, call) in recorded.iter().enumerate() {
        let turns = call.turn..call.turn + 1 + results(&episode.turns, call.turn).len();
        let kind = CallKind::of(&episode.turns[call.turn]);
        let next = episode.turns.get(turns.end).map(|turn| turn.role);
        let bound =
            at == last || kind == CallKind::Acts || (kind == CallKind::Speaks && next == Some(Role::User));
        let repeats = kind == CallKind::Reads
            && worths.iter().any(|earlier| same(&episode.turns, &earlier.turns, &turns));
        worths.push(Worth { kind, turns, bound, used: Vec::new(), repeats });
    }
    let wanted = wanted(history, &recorded);
    for (id, weight) in wanted.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        if let Some(owner) = owner(history, &worths, id as ItemId) {
            worths[owner].used.push((id as ItemId, *weight));
        }
    }
    worths
}

/// Weight of the heaviest use of each item, by id.
fn wanted(history: &History, calls: &[&Call]) -> Vec<f32> {
    let mut wanted = vec![0.0; history.items().len()];
    calls.iter().for_each(|call| call.needs.raise(&mut wanted));
    wanted
}

/// The call in whose turns an item was first said, unless the system text has it or somebody else said it first.
fn owner(history: &History, worths: &[Worth], id: ItemId) -> Option<usize> {
    let item = &history.items()[id as usize];
    let first = history.place(*item.segments.first()? as usize).turn as usize;
    let after = worths.partition_point(|worth| worth.turns.start <= first);
    let owner = after.checked_sub(1).filter(|at| worths[*at].turns.contains(&first));
    owner.filter(|_| !item.in_system)
}

impl Observed {
    /// Weight of the used items that would be lost if the calls marked in `removed` (by index into
    /// [`Observed::worths`]) had been skipped.
    ///
    /// An item is lost if at one of its uses nothing but skipped calls has said it. Uses by skipped calls count too,
    /// so skipping the user of an item does not excuse skipping its source.
    #[must_use]
    pub fn lost_weight(&self, removed: &[bool]) -> f32 {
        let history = &self.history;
        let mut gone = vec![false; history.turns().len()];
        for (worth, _) in self.worths.iter().zip(removed).filter(|(_, removed)| **removed) {
            gone[worth.turns.clone()].fill(true);
        }
        let mut lost = vec![0.0; history.items().len()];
        for call in self.calls.iter().take(self.worths.len()) {
            let mut wanted = vec![0.0; history.items().len()];
            call.needs.raise(&mut wanted);
            for (id, _) in wanted.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
                if !stands_elsewhere(history, id, call.turn, &gone) {
                    lost[id] = 1.0;
                }
            }
        }
        let used = self.worths.iter().flat_map(|worth| &worth.used);
        used.map(|(id, weight)| lost[*id as usize] * weight).sum()
    }
}

/// Whether a turn before `turn` that is not gone says the item.
fn stands_elsewhere(history: &History, id: usize, turn: usize, gone: &[bool]) -> bool {
    let said = history.items()[id].segments.iter().map(|at| history.place(*at as usize).turn as usize);
    said.take_while(|said| *said < turn).any(|said| !gone[said])
}

/// The tool results right after the turn `call` that answer it.
fn results(turns: &[Turn], call: usize) -> &[Turn] {
    let ids: Vec<&str> = turns[call].tool_calls.iter().filter_map(|call| call.id.as_deref()).collect();
    let answers = |turn: &&Turn| {
        let named = turn.tool_call_id.as_deref();
        turn.role == Role::Tool && named.is_none_or(|id| ids.is_empty() || ids.contains(&id))
    };
    let after = &turns[call + 1..];
    let count = if turns[call].tool_calls.is_empty() { 0 } else { after.iter().take_while(answers).count() };
    &after[..count]
}

/// Whether two calls have the same tools, arguments and results.
fn same(turns: &[Turn], a: &Range<usize>, b: &Range<usize>) -> bool {
    let told = |range: &Range<usize>| {
        let calls = turns[range.start].tool_calls.iter().map(|call| call_key(&call.name, &call.arguments));
        let results = turns[range.start + 1..range.end].iter().map(|turn| turn.content.trim().to_owned());
        (calls.collect::<Vec<_>>(), results.collect::<Vec<_>>())
    };
    told(a) == told(b)
}

/// A tool's name and arguments, however the JSON is spaced and its keys are ordered.
pub(super) fn call_key(name: &str, arguments: &str) -> String {
    let mut arguments: Value = serde_json::from_str(arguments).unwrap_or_else(|_| arguments.into());
    arguments.sort_all_objects();
    format!("{name}({arguments})")
}

/// Whether a tool's name begins, after its name space, with a reading verb.
fn only_reads(name: &str) -> bool {
    let name = name.rsplit(['.', '/', ':']).next().unwrap_or(name);
    let mut verb = String::new();
    for c in name.chars() {
        let ends = !c.is_alphanumeric() || (c.is_uppercase() && verb.ends_with(char::is_lowercase));
        if ends && !verb.is_empty() {
            break;
        }
        verb.extend(Some(c).filter(|c| c.is_alphanumeric()));
    }
    READING_VERBS.contains(&verb.to_lowercase().as_str())
}

#[cfg(test)]
mod tests;
