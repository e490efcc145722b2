//! What an agent's next call can be judged by before it is made.

use std::collections::HashSet;

use serde_json::Value;

use super::worth::{CallKind, call_key};
use crate::{
    episode::{Role, Turn},
    history::{History, ItemId, ItemKind},
};

/// Name of each feature of the next call, in order. *Newest* is the newest turn, *last* the newest agent's turn.
pub const CALL_FEATURE_NAMES: [&str; 18] = [
    "turns_log",
    "calls_log",
    "calls_since_user_log",
    "newest_from_user",
    "newest_from_tool",
    "newest_from_assistant",
    "newest_is_error",
    "newest_is_empty",
    "newest_is_repeated",
    "newest_items_log",
    "newest_new_items_log",
    "newest_new_share",
    "newest_codes_open_log",
    "last_reads",
    "last_acts",
    "last_repeats",
    "reads_since_user_log",
    "outputs_alike",
];

/// Number of features of the next call.
pub const CALL_FEATURES: usize = CALL_FEATURE_NAMES.len();

/// Follows a conversation and knows, before each call, the features that the call gate reads.
///
/// ```
/// use lrrc_episode::{Encoding, Role, TokenCounter, Turn, history::History, observe::CallTracker};
/// let (counter, mut history, mut tracker) =
///     (TokenCounter::new(Encoding::Cl100kBase), History::new(), CallTracker::new());
/// for turn in [Turn::text(0, Role::User, "Find flight HAT1."), Turn::text(1, Role::Assistant, "One moment.")] {
///     history.push(&turn, &counter);
///     tracker.hear(&turn, &history);
/// }
/// assert!(tracker.features(&history).iter().all(|value| (-2.0..=2.0).contains(value)));
/// ```
#[derive(Debug, Clone, Default)]
pub struct CallTracker {
    calls: usize,
    calls_since_user: usize,
    reads_since_user: usize,
    newest: Newest,
    last: Option<CallKind>,
    last_repeats: bool,
    /// Items of the newest two outputs, sorted, the newest last.
    outputs: [Vec<ItemId>; 2],
    made: HashSet<String>,
    results: HashSet<String>,
}

#[derive(Debug, Clone, Default)]
struct Newest {
    role: Option<Role>,
    is_error: bool,
    is_empty: bool,
    is_repeated: bool,
    items: Vec<ItemId>,
    /// How many of `items` were not said before.
    new: usize,
}

impl CallTracker {
    /// A tracker that has heard nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes up the turn that `history` has just been given.
    pub fn hear(&mut self, turn: &Turn, history: &History) {
        if turn.role == Role::System {
            return;
        }
        match turn.role {
            Role::Assistant => self.hear_agent(turn, history),
            Role::User => (self.calls_since_user, self.reads_since_user) = (0, 0),
            _ => {}
        }
        self.newest = self.newest(turn, history);
    }

    fn hear_agent(&mut self, turn: &Turn, history: &History) {
        let kind = CallKind::of(turn);
        self.calls += 1;
        self.calls_since_user += 1;
        self.reads_since_user += usize::from(kind == CallKind::Reads);
        self.last = Some(kind);
        let keys = turn.tool_calls.iter().map(|call| call_key(&call.name, &call.arguments));
        let known = keys.map(|key| !self.made.insert(key)).collect::<Vec<_>>();
        self.last_repeats = !known.is_empty() && known.iter().all(|known| *known);
        let mut items = history.known_items(&turn.shown());
        items.sort_unstable();
        self.outputs.swap(0, 1);
        self.outputs[1] = items;
    }

    fn newest(&mut self, turn: &Turn, history: &History) -> Newest {
        let at = history.turns().len() - 1;
        let range = history.range(at);
        let mut items: Vec<ItemId> =
            range.clone().flat_map(|segment| history.items_of(segment)).copied().collect();
        items.sort_unstable();
        items.dedup();
        let is_new = |id: &&ItemId| {
            let item = &history.items()[**id as usize];
            !item.in_system && item.segments.first().is_some_and(|first| range.contains(&(*first as usize)))
        };
        let new = items.iter().filter(is_new).count();
        let is_result = turn.role == Role::Tool;
        Newest {
            role: Some(turn.role),
            is_error: is_result && is_error(&turn.content),
            is_empty: is_result && is_empty(&turn.content),
            is_repeated: is_result && !self.results.insert(turn.content.trim().to_owned()),
            items,
            new,
        }
    }

    /// The features of the next call, in the order of [`CALL_FEATURE_NAMES`], each within [−2, 2]; `history` holds
    /// what was heard.
    #[must_use]
    pub fn features(&self, history: &History) -> [f32; CALL_FEATURES] {
        let newest = &self.newest;
        let flag = |holds: bool| f32::from(u8::from(holds));
        let log = |count: usize| ((count as f32).ln_1p() / 4.0).min(2.0);
        let open = |id: &&ItemId| {
            let item = &history.items()[**id as usize];
            item.kind == ItemKind::Code && item.agent_turns == 0 && !item.in_system
        };
        [
            log(history.turns().len()),
            log(self.calls),
            log(self.calls_since_user),
            flag(newest.role == Some(Role::User)),
            flag(newest.role == Some(Role::Tool)),
            flag(newest.role == Some(Role::Assistant)),
            flag(newest.is_error),
            flag(newest.is_empty),
            flag(newest.is_repeated),
            log(newest.items.len()),
            log(newest.new),
            newest.new as f32 / newest.items.len().max(1) as f32,
            log(newest.items.iter().filter(open).count()),
            flag(self.last == Some(CallKind::Reads)),
            flag(self.last == Some(CallKind::Acts)),
            flag(self.last_repeats),
            log(self.reads_since_user),
            alike(&self.outputs[0], &self.outputs[1]),
        ]
    }
}

/// Shared of all items of two sorted sets; 0 where both are empty.
fn alike(a: &[ItemId], b: &[ItemId]) -> f32 {
    let shared = a.iter().filter(|id| b.binary_search(id).is_ok()).count();
    shared as f32 / (a.len() + b.len() - shared).max(1) as f32
}

/// Whether a tool result says that the tool failed.
fn is_error(content: &str) -> bool {
    let start = content.trim_start().get(..5).unwrap_or_default();
    let told = || match serde_json::from_str(content) {
        Ok(Value::Object(fields)) => fields.get("error").is_some_and(|error| !error.is_null()),
        _ => false,
    };
    start.eq_ignore_ascii_case("error") || told()
}

/// Whether a tool result holds nothing.
fn is_empty(content: &str) -> bool {
    matches!(content.trim(), "" | "[]" | "{}" | "\"\"" | "null" | "None")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_that_failed_or_is_empty_is_told() {
        for text in ["Error: no such user", " error", r#"{"error": "timeout"}"#] {
            assert!(is_error(text), "{text}");
        }
        for text in ["No error", r#"{"error": null}"#, "[1]", "Err", ""] {
            assert!(!is_error(text), "{text}");
        }
        assert!(["", " [] ", "{}", "null"].iter().all(|text| is_empty(text)));
        assert!(["0", "[0]", "none of them"].iter().all(|text| !is_empty(text)));
    }

    #[test]
    fn likeness_is_the_share_of_common_items() {
        assert_eq!(alike(&[1, 2, 3], &[2, 3, 4]), 0.5);
        assert_eq!(alike(&[], &[]), 0.0);
        assert_eq!(alike(&[1], &[1]), 1.0);
    }
}
