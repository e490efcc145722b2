//! Which segments a budget buys: coverage, so that each fact is paid for once.
//!
//! Every item has a value; a kept segment earns the value of each of its items that is not shown yet and costs its
//! tokens. Greedy choice by value per token is within 1 − 1/e of the best for one budget (Nemhauser, Wolsey &
//! Fisher 1978; the ratio rule with costs: Khuller, Moss & Naor 1999). What is shown already earns a small part of
//! its value, so a budget that is not spent on new facts is spent on repetitions, best first.
//!
//! A value says little alone: a field is kept with the one that names its record, and a value of prose with the
//! nearest phrases of its sentence, and both are paid for.

use std::collections::BinaryHeap;

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::{SmallVec, smallvec};

use crate::{
    history::{History, ItemId, ItemKind},
    segment::SegmentKind,
};

/// More content atoms of its sentence than this must be kept for a value of prose to be understood.
pub const COMPANY_ATOMS: usize = 2;

/// Share of its value that a repeated item still earns.
const REPEAT: f32 = 0.01;
/// Tokens of the line break before a sentence.
const LINE_BREAK: f32 = 1.0;

/// How much may be kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// At most this many estimated tokens.
    Tokens(f32),
    /// Whatever earns at least this much value per token.
    Density(f32),
}

/// A segment on offer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Offer {
    /// Flat index of the segment.
    pub segment: usize,
    /// Value of showing this segment whatever it repeats, ≥ 0; decides among equals.
    pub own: f32,
}

/// Facts that count as shown, by item.
#[derive(Debug, Clone, Default)]
pub struct Shown(Vec<bool>);

impl Shown {
    /// Nothing shown yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Marks the items of a segment.
    pub fn show(&mut self, history: &History, segment: usize) {
        self.0.resize(self.0.len().max(history.items().len()), false);
        for id in history.items_of(segment) {
            self.0[*id as usize] = true;
        }
    }

    /// Whether an item is shown.
    #[must_use]
    pub fn has(&self, id: ItemId) -> bool {
        self.0.get(id as usize).copied().unwrap_or(false)
    }
}

/// Picks segments from `offers`, best value per token first, and marks what they show. `value` is the worth of an
/// item. Returns the flat indices picked, in the order of the history.
pub fn select(
    history: &History,
    offers: &[Offer],
    value: &[f32],
    shown: &mut Shown,
    limit: Limit,
) -> Vec<usize> {
    let mut choice =
        Choice { history, value, shown, kept: vec![false; history.len()], opened: FxHashSet::default() };
    let mut heap: BinaryHeap<Entry> =
        offers.iter().map(|offer| Entry { density: choice.density(*offer), offer: *offer }).collect();
    let mut waiting: FxHashMap<Opener, Vec<Offer>> = FxHashMap::default();
    for offer in offers {
        waiting.entry(choice.opener(offer.segment)).or_default().push(*offer);
    }
    let mut left = match limit {
        Limit::Tokens(tokens) => tokens,
        Limit::Density(_) => f32::INFINITY,
    };
    let mut picked = Vec::new();
    while let Some(Entry { offer, density }) = heap.pop() {
        if choice.kept[offer.segment] {
            continue;
        }
        let fresh = choice.density(offer);
        if fresh < density && heap.peek().is_some_and(|next| fresh < next.density) {
            heap.push(Entry { offer, density: fresh });
            continue;
        }
        if let Limit::Density(least) = limit
            && fresh < least
        {
            break;
        }
        let cost = choice.cost(offer.segment);
        if cost > left {
            continue;
        }
        left -= cost;
        for opener in choice.keep(offer.segment, &mut picked) {
            let cheaper = waiting.remove(&opener).unwrap_or_default();
            heap.extend(cheaper.into_iter().map(|offer| Entry { density: choice.density(offer), offer }));
        }
    }
    picked.sort_unstable();
    picked
}

/// What makes a segment cheaper once it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Opener {
    /// The segment that names its record.
    Head(usize),
    /// Anything of its sentence: turn and number within.
    Sentence(u32, usize),
}

/// Segments that are kept together.
type Bundle = SmallVec<[usize; 8]>;

struct Choice<'a> {
    history: &'a History,
    value: &'a [f32],
    shown: &'a mut Shown,
    kept: Vec<bool>,
    /// What is kept of heads and sentences.
    opened: FxHashSet<Opener>,
}

impl Choice<'_> {
    /// The segment and what must be kept with it: the one that names its record, or the company of a value of prose.
    fn bundle(&self, segment: usize) -> Bundle {
        let mut bundle: Bundle = smallvec![segment];
        bundle.extend(self.head(segment));
        if self.is_bare_value(segment) {
            self.add_company(segment, &mut bundle);
        }
        bundle.retain(|at| !self.kept[*at]);
        bundle
    }

    /// The segment that names the record, unless it is kept or this one.
    fn head(&self, segment: usize) -> Option<usize> {
        let place = self.history.place(segment);
        let head = self.history.turns()[place.turn as usize].head(place.within as usize)?;
        let head = self.history.range(place.turn as usize).start + head;
        (head != segment && !self.kept[head]).then_some(head)
    }

    /// Whether a phrase brings a value that nothing kept shows.
    fn is_bare_value(&self, segment: usize) -> bool {
        let new = |id: &ItemId| {
            let at = *id as usize;
            self.history.items()[at].kind > ItemKind::Word && self.value[at] > 0.0 && !self.shown.has(*id)
        };
        self.history.segment(segment).kind == SegmentKind::Phrase
            && self.history.items_of(segment).iter().any(new)
    }

    /// Adds the nearest phrases of the sentence until more than [`COMPANY_ATOMS`] content atoms are kept.
    fn add_company(&self, segment: usize, bundle: &mut Bundle) {
        let content = |at: usize| self.history.content_atoms(at);
        let sentence = self.history.sentence(segment);
        let mut shown: usize =
            sentence.clone().filter(|at| *at == segment || self.kept[*at]).map(content).sum();
        let (mut before, mut after) = (segment, segment + 1);
        while shown <= COMPANY_ATOMS && (before > sentence.start || after < sentence.end) {
            let back =
                before > sentence.start && (after == sentence.end || segment - before < after - segment);
            let next = if back {
                before -= 1;
                before
            } else {
                after += 1;
                after - 1
            };
            if content(next) > 0 && !self.kept[next] {
                shown += content(next);
                bundle.push(next);
            }
        }
    }

    fn cost(&self, segment: usize) -> f32 {
        self.cost_of(&self.bundle(segment))
    }

    /// Tokens of a bundle, whose prose stands in one sentence.
    fn cost_of(&self, bundle: &[usize]) -> f32 {
        let tokens: f32 = bundle.iter().map(|at| self.history.segment(*at).cost.max(1) as f32).sum();
        tokens + bundle.iter().map(|at| self.opening(*at)).fold(0.0, f32::max)
    }

    /// A sentence of which nothing is kept costs the line break before it.
    fn opening(&self, segment: usize) -> f32 {
        let prose = self.history.segment(segment).kind != SegmentKind::Field;
        if prose && !self.opened.contains(&self.sentence(segment)) { LINE_BREAK } else { 0.0 }
    }

    fn sentence(&self, segment: usize) -> Opener {
        Opener::Sentence(self.history.place(segment).turn, self.history.segment(segment).record)
    }

    /// What makes this segment cheaper, as long as nothing is kept.
    fn opener(&self, segment: usize) -> Opener {
        self.head(segment).map_or_else(|| self.sentence(segment), Opener::Head)
    }

    fn density(&self, offer: Offer) -> f32 {
        let mut gain = offer.own;
        let bundle = self.bundle(offer.segment);
        for at in &bundle {
            for id in self.history.items_of(*at) {
                let value = self.value[*id as usize];
                gain += if self.shown.has(*id) { REPEAT * value } else { value };
            }
        }
        gain / self.cost_of(&bundle).max(1.0)
    }

    /// Keeps the bundle of a segment and returns what that opens.
    fn keep(&mut self, segment: usize, picked: &mut Vec<usize>) -> Vec<Opener> {
        let bundle = self.bundle(segment);
        for at in &bundle {
            self.kept[*at] = true;
            self.shown.show(self.history, *at);
            picked.push(*at);
        }
        let openers = bundle.into_iter().flat_map(|at| [Opener::Head(at), self.sentence(at)]);
        let fresh: Vec<Opener> = openers.filter(|opener| !self.opened.contains(opener)).collect();
        self.opened.extend(&fresh);
        fresh
    }
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    density: f32,
    offer: Offer,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    /// By density; among equals the newer segment first.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.density.total_cmp(&other.density).then(self.offer.segment.cmp(&other.offer.segment))
    }
}

#[cfg(test)]
mod tests;
