//! What has been said so far, indexed by the facts it holds.
//!
//! A [`History`] grows turn by turn, in training and in serving alike. It cuts each turn into segments and interns
//! the *items* of each: values (identifiers, dates, times, numbers, short field values) and words (names, and
//! content words by their stem). Reuse, coverage and the exact-match features all speak of items.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use crate::{
    canon::{self, Atom, Kind},
    episode::{Role, Turn},
    segment::{Segment, SegmentKind, SegmentedTurn, is_joint},
    token::TokenCounter,
};

/// Longest field value, in atoms, that counts as one item.
const FIELD_ITEM_ATOMS: usize = 5;

/// Index of an item in its [`History`].
pub type ItemId = u32;

/// What an item is worth keeping for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ItemKind {
    /// A content word, by its stem.
    Word,
    /// A capitalised word.
    Name,
    /// A number, date or time.
    Quantity,
    /// An identifier, code, path, or the whole value of a short field.
    Code,
}

/// One item and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Canonical spelling: atoms separated by blanks; words as stems.
    pub text: String,
    /// What it is.
    pub kind: ItemKind,
    /// Every segment that holds it, in order.
    pub segments: Vec<u32>,
    /// How many turns of [`Role::Assistant`] hold it.
    pub agent_turns: u32,
    /// The last of them, or −1.
    pub last_agent_turn: i32,
    /// Whether a system turn holds it.
    pub in_system: bool,
}

/// Place of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Turn of the segment.
    pub turn: u32,
    /// Index within the turn.
    pub within: u32,
}

/// The turns so far, their segments and items.
#[derive(Debug, Clone, Default)]
pub struct History {
    turns: Vec<SegmentedTurn>,
    /// First flat segment of each turn.
    starts: Vec<usize>,
    places: Vec<Place>,
    /// Content atoms of each segment.
    contents: Vec<u32>,
    /// The sentence or record of each segment.
    sentences: Vec<Range<usize>>,
    items_of: Vec<Vec<ItemId>>,
    items: Vec<Item>,
    ids: HashMap<String, ItemId>,
    terms_of: Vec<Vec<u32>>,
    terms: HashMap<String, u32>,
    /// Segments that hold each term.
    term_segments: Vec<u32>,
    term_total: usize,
    call_keys: HashSet<String>,
}

impl History {
    /// A history without turns.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The history after all `turns`.
    #[must_use]
    pub fn of(turns: &[Turn], counter: &TokenCounter) -> Self {
        let mut history = Self::new();
        for turn in turns {
            history.push(turn, counter);
        }
        history
    }

    /// Appends a turn. A system turn gives no segments, since nothing of it may be dropped; its items are known.
    pub fn push(&mut self, turn: &Turn, counter: &TokenCounter) {
        let at = self.turns.len();
        self.starts.push(self.places.len());
        if turn.role == Role::System {
            for (text, kind) in items_of_text(&turn.content) {
                let id = self.intern(text, kind);
                self.items[id as usize].in_system = true;
            }
            let silent = Turn { content: String::new(), tool_calls: Vec::new(), ..turn.clone() };
            let mut segmented = SegmentedTurn::new(&silent, counter);
            segmented.source_tokens = turn.tokens.unwrap_or_else(|| counter.count_turn(turn));
            return self.turns.push(segmented);
        }
        let segmented = SegmentedTurn::new(turn, counter);
        for (within, segment) in segmented.segments().iter().enumerate() {
            let ids = items_of_segment(segment);
            let ids: Vec<ItemId> = ids.into_iter().map(|(text, kind)| self.intern(text, kind)).collect();
            self.note(&ids, at, turn.role);
            self.places.push(Place { turn: at as u32, within: within as u32 });
            self.contents.push(segment.content_atoms() as u32);
            self.items_of.push(ids);
            self.note_terms(segment);
            if let (Role::Assistant, Some(key)) = (turn.role, segment.last_key()) {
                self.call_keys.insert(key.to_owned());
            }
        }
        for sentence in segmented.segments().chunk_by(|a, b| (a.part, a.record) == (b.part, b.record)) {
            let range = self.sentences.len()..self.sentences.len() + sentence.len();
            self.sentences.extend(sentence.iter().map(|_| range.clone()));
        }
        self.turns.push(segmented);
    }

    fn intern(&mut self, text: String, kind: ItemKind) -> ItemId {
        if let Some(id) = self.ids.get(&text) {
            let item = &mut self.items[*id as usize];
            item.kind = item.kind.max(kind);
            return *id;
        }
        let id = self.items.len() as ItemId;
        self.ids.insert(text.clone(), id);
        self.items.push(Item {
            text,
            kind,
            segments: Vec::new(),
            agent_turns: 0,
            last_agent_turn: -1,
            in_system: false,
        });
        id
    }

    fn note_terms(&mut self, segment: &Segment) {
        let mut terms = Vec::new();
        // Only a field has its key in its text; its atoms are those of its value.
        let key = if segment.kind == SegmentKind::Field { segment.key.as_str() } else { "" };
        for term in terms_of_text(key).chain(segment.atoms.iter().filter_map(term_of_atom)) {
            let next = self.terms.len() as u32;
            let id = *self.terms.entry(term).or_insert(next);
            self.term_segments.resize(self.terms.len(), 0);
            self.term_segments[id as usize] += u32::from(!terms.contains(&id));
            terms.push(id);
        }
        self.term_total += terms.len();
        self.terms_of.push(terms);
    }

    fn note(&mut self, ids: &[ItemId], turn: usize, role: Role) {
        let segment = self.places.len() as u32;
        for id in ids {
            let item = &mut self.items[*id as usize];
            if item.segments.last() != Some(&segment) {
                item.segments.push(segment);
            }
            if role == Role::Assistant && item.last_agent_turn != turn as i32 {
                item.agent_turns += 1;
                item.last_agent_turn = turn as i32;
            }
        }
    }

    /// The turns.
    #[must_use]
    pub fn turns(&self) -> &[SegmentedTurn] {
        &self.turns
    }

    /// Flat indices of the segments of a turn.
    #[must_use]
    pub fn range(&self, turn: usize) -> Range<usize> {
        self.starts[turn]..self.starts.get(turn + 1).copied().unwrap_or(self.places.len())
    }

    /// The segments around this one that belong to the same sentence or record of its turn.
    #[must_use]
    pub fn sentence(&self, segment: usize) -> Range<usize> {
        self.sentences[segment].clone()
    }

    /// [`Segment::content_atoms`] of a flat segment.
    #[must_use]
    pub fn content_atoms(&self, segment: usize) -> usize {
        self.contents[segment] as usize
    }

    /// Number of segments of all turns.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no turn has a segment.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Where a flat segment stands.
    #[must_use]
    pub fn place(&self, segment: usize) -> Place {
        self.places[segment]
    }

    /// A flat segment.
    #[must_use]
    pub fn segment(&self, segment: usize) -> &Segment {
        let place = self.places[segment];
        &self.turns[place.turn as usize].segments()[place.within as usize]
    }

    /// Distinct items of a flat segment.
    #[must_use]
    pub fn items_of(&self, segment: usize) -> &[ItemId] {
        &self.items_of[segment]
    }

    /// All items by id.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The known items of a text, distinct, in order of first appearance.
    #[must_use]
    pub fn known_items(&self, text: &str) -> Vec<ItemId> {
        let mut known: Vec<ItemId> =
            items_of_text(text).into_iter().filter_map(|(text, _)| self.ids.get(&text).copied()).collect();
        let mut seen = vec![false; self.items.len()];
        known.retain(|id| !std::mem::replace(&mut seen[*id as usize], true));
        known
    }

    /// Stems of all words but function words of a flat segment, key included, with repetitions.
    #[must_use]
    pub fn terms_of(&self, segment: usize) -> &[u32] {
        &self.terms_of[segment]
    }

    /// Number of segments that hold each term, by term.
    #[must_use]
    pub fn term_segments(&self) -> &[u32] {
        &self.term_segments
    }

    /// Number of terms of all segments, repetitions included.
    #[must_use]
    pub fn term_total(&self) -> usize {
        self.term_total
    }

    /// Whether an agent has called a tool with an argument of this name.
    #[must_use]
    pub fn was_called_with(&self, key: &str) -> bool {
        self.call_keys.contains(key)
    }

    /// The known terms of a text, with repetitions.
    #[must_use]
    pub fn known_terms(&self, text: &str) -> Vec<u32> {
        terms_of_text(text).filter_map(|term| self.terms.get(&term).copied()).collect()
    }

    /// The id of an item by its canonical spelling.
    #[must_use]
    pub fn id(&self, text: &str) -> Option<ItemId> {
        self.ids.get(text).copied()
    }
}

fn terms_of_text(text: &str) -> impl Iterator<Item = String> + '_ {
    canon::atoms(text).filter_map(|atom| term_of_atom(&atom))
}

fn term_of_atom(atom: &Atom) -> Option<String> {
    (!atom.is_glue()).then(|| canon::stem(&atom.text))
}

/// The items of free text, in order, repetitions included.
#[must_use]
pub fn items_of_text(text: &str) -> Vec<(String, ItemKind)> {
    let atoms: Vec<Atom> = canon::atoms(text).collect();
    items_of_atoms(&atoms, text)
}

fn items_of_segment(segment: &Segment) -> Vec<(String, ItemKind)> {
    if matches!(segment.kind, SegmentKind::Glue | SegmentKind::Call) {
        return Vec::new();
    }
    let value = segment.value();
    let mut items = items_of_atoms(&segment.atoms, &value);
    if segment.kind == SegmentKind::Field {
        items.extend(field_item(&segment.atoms, &value));
    }
    let mut at = 0;
    while at < items.len() {
        let repeated = items[..at].iter().any(|(text, _)| *text == items[at].0);
        if repeated { drop(items.remove(at)) } else { at += 1 }
    }
    items
}

/// The whole value of a short field, where it says more than its parts.
fn field_item(atoms: &[Atom], value: &str) -> Option<(String, ItemKind)> {
    let spans_words = value.contains(|c: char| c.is_whitespace() || c == '_' || c == '-');
    let short = (2..=FIELD_ITEM_ATOMS).contains(&atoms.len());
    (short && spans_words).then(|| (joined(atoms), ItemKind::Code))
}

fn joined(atoms: &[Atom]) -> String {
    atoms.iter().map(|atom| atom.text.as_str()).collect::<Vec<_>>().join(" ")
}

fn items_of_atoms(atoms: &[Atom], source: &str) -> Vec<(String, ItemKind)> {
    let mut items = Vec::new();
    let mut from = 0;
    while from < atoms.len() {
        let mut to = from + 1;
        while to < atoms.len() && is_joint(&source[atoms[to - 1].span.end..atoms[to].span.start]) {
            to += 1;
        }
        items.extend(compound_item(&atoms[from..to]));
        from = to;
    }
    items
}

fn compound_item(atoms: &[Atom]) -> Option<(String, ItemKind)> {
    if let [atom] = atoms {
        return single_item(atom);
    }
    let joined = joined(atoms);
    (joined.len() >= 3).then_some((joined, ItemKind::Code))
}

fn single_item(atom: &Atom) -> Option<(String, ItemKind)> {
    let letters = atom.text.chars().count();
    match atom.kind {
        Kind::Date | Kind::Time => Some((atom.text.clone(), ItemKind::Quantity)),
        Kind::Number if atom.is_value() => Some((atom.text.clone(), ItemKind::Quantity)),
        Kind::Code if letters >= 2 => Some((atom.text.clone(), ItemKind::Code)),
        Kind::Name if letters >= 5 && !atom.is_glue() => Some((canon::stem(&atom.text), ItemKind::Name)),
        Kind::Name if letters >= 2 && !atom.is_glue() => Some((atom.text.clone(), ItemKind::Name)),
        Kind::Word if atom.is_content_word() => Some((canon::stem(&atom.text), ItemKind::Word)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
