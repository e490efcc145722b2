//! Which later turn used what: the labels of training and the needs that evaluation counts.
//!
//! Nobody labels anything. What an agent's recorded output repeats from the history was needed; what no later
//! output repeats was not. Everything is matched in canonical spelling, see [`crate::canon`].

use std::collections::HashSet;

use serde_json::Value;

use crate::{
    canon::Atoms,
    episode::Turn,
    history::{History, ItemId, ItemKind, items_of_text},
};

/// Longer string arguments are free text, not values.
const MAX_ARGUMENT_CHARS: usize = 80;

/// What one output takes from the history before it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// Values of tool-call arguments that the history holds, one entry an argument.
    pub arguments: Vec<Argument>,
    /// Values and names in the text of the output that the history holds, distinct.
    pub answers: Vec<ItemId>,
    /// Content words of the output that the history holds, distinct.
    pub words: Vec<ItemId>,
    /// Every item of the output that the history holds and neither the system text nor the last message does.
    pub items: Vec<ItemId>,
}

/// One argument value copied from the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Its atoms.
    pub atoms: Atoms,
    /// The item with this spelling, if there is one.
    pub item: Option<ItemId>,
    /// Whether the system text holds the value too.
    pub in_system: bool,
}

/// What losing an item of each sort costs, relative to an argument.
const ANSWER: f32 = 0.5;
const WORD: f32 = 0.3;

impl Needs {
    /// Raises the want of each needed item (by id) to its weight: 1 for arguments, less for answers and words.
    pub fn raise(&self, wanted: &mut [f32]) {
        let arguments = self.arguments.iter().filter_map(|argument| Some((argument.item?, 1.0)));
        let answers = self.answers.iter().map(|id| (*id, ANSWER));
        let words = self.words.iter().map(|id| (*id, WORD));
        for (id, weight) in arguments.chain(answers).chain(words) {
            wanted[id as usize] = wanted[id as usize].max(weight);
        }
    }
}

/// The parts of the conversation that needs are matched against.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// Atoms of everything said but the system text.
    pub history: Atoms,
    /// Atoms of the system text.
    pub system: Atoms,
    /// Items of the newest message.
    pub last: Vec<ItemId>,
}

/// What `output` takes from `history`, which holds the turns before it and nothing else.
#[must_use]
pub fn needs(history: &History, said: &Said, output: &Turn) -> Needs {
    let mut free_text = output.content.clone();
    let mut arguments = Vec::new();
    for call in &output.tool_calls {
        match serde_json::from_str(&call.arguments) {
            Ok(value) => collect_arguments(&value, history, said, &mut arguments, &mut free_text),
            Err(_) => free_text.push_str(&call.arguments),
        }
        free_text.push('\n');
    }
    let mut needs = text_needs(history, said, &free_text);
    needs.items.extend(arguments.iter().filter_map(|argument| argument.item));
    retain_new(history, said, &mut needs.items);
    needs.items.sort_unstable();
    needs.items.dedup();
    needs.arguments = arguments;
    needs
}

/// What a text that makes no calls takes from the history.
#[must_use]
pub fn text_needs(history: &History, said: &Said, text: &str) -> Needs {
    let mut needs = Needs::default();
    let known = history.known_items(text);
    for id in known.into_iter().filter(|id| !history.items()[*id as usize].segments.is_empty()) {
        let is_word = history.items()[id as usize].kind == ItemKind::Word;
        if is_word {
            needs.words.push(id);
        } else {
            needs.answers.push(id);
        }
        needs.items.push(id);
    }
    retain_new(history, said, &mut needs.items);
    needs
}

/// Drops what the system text or the last message holds.
fn retain_new(history: &History, said: &Said, ids: &mut Vec<ItemId>) {
    let last: HashSet<ItemId> = said.last.iter().copied().collect();
    ids.retain(|id| !history.items()[*id as usize].in_system && !last.contains(id));
}

fn collect_arguments(
    value: &Value,
    history: &History,
    said: &Said,
    out: &mut Vec<Argument>,
    text: &mut String,
) {
    let visit = |value: &Value| collect_arguments(value, history, said, out, text);
    match value {
        Value::Object(map) => map.values().for_each(visit),
        Value::Array(items) => items.iter().for_each(visit),
        Value::String(long) if long.chars().count() > MAX_ARGUMENT_CHARS => text.push_str(long),
        Value::String(string) => scalar_argument(string, history, said, out),
        Value::Number(number) => scalar_argument(&number.to_string(), history, said, out),
        Value::Bool(_) | Value::Null => {}
    }
    text.push('\n');
}

/// A value found whole in the history is one argument; of any other (an expression, say) each item found is one.
fn scalar_argument(value: &str, history: &History, said: &Said, out: &mut Vec<Argument>) {
    let whole = Atoms::of(value);
    if is_telling(&whole) && said.history.has(&whole) {
        let item = history.id(whole.text()).or_else(|| only_item(history, value));
        return out.push(Argument { in_system: said.system.has(&whole), item, atoms: whole });
    }
    for (text, kind) in items_of_text(value) {
        let atoms = Atoms::of(&text);
        if kind >= ItemKind::Quantity && is_telling(&atoms) && said.history.has(&atoms) {
            out.push(Argument { in_system: said.system.has(&atoms), item: history.id(&text), atoms });
        }
    }
}

fn only_item(history: &History, value: &str) -> Option<ItemId> {
    match items_of_text(value).as_slice() {
        [(text, _)] => history.id(text),
        _ => None,
    }
}

/// Shorter values stand everywhere by chance.
fn is_telling(atoms: &Atoms) -> bool {
    let text = atoms.text();
    text.len() >= 3 || (text.len() == 2 && text.chars().all(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests;
