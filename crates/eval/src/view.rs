//! What a call sees: the kept segments of each turn, rendered and counted exactly, each rendering counted once.

use std::{
    hash::{DefaultHasher, Hasher},
    sync::Arc,
};

use lrrc_episode::{TokenCounter, canon::Atoms, history::History};
use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};

/// Tokens of the line that says that a conversation was compressed. A compressed turn stays a message of its own
/// with its role; the tokens that a provider adds to each message are counted on neither side.
pub const DIGEST_MARK_TOKENS: u32 = 4;

/// One turn as a digest shows it.
#[derive(Debug, Clone, Default)]
pub struct Rendered {
    /// Exact tokens of the shown text.
    pub tokens: u32,
    /// Canonical atoms of the shown text.
    pub atoms: Atoms,
    /// Hash of the shown text: the same within a process for the same text.
    pub text_hash: u64,
}

/// A set of the segments of one turn.
type Bits = SmallVec<[u64; 4]>;

/// Renders the turns of one episode, remembering what it rendered.
pub struct Viewer<'a> {
    history: &'a History,
    counter: &'a TokenCounter,
    memory: FxHashMap<(usize, Bits), Arc<Rendered>>,
}

impl<'a> Viewer<'a> {
    /// A viewer of one episode's history.
    #[must_use]
    pub fn new(history: &'a History, counter: &'a TokenCounter) -> Self {
        Self { history, counter, memory: FxHashMap::default() }
    }

    /// The history this viewer renders.
    #[must_use]
    pub fn history(&self) -> &'a History {
        self.history
    }

    /// What counts its tokens.
    #[must_use]
    pub fn counter(&self) -> &'a TokenCounter {
        self.counter
    }

    /// A turn with the given segments kept (`keep` holds one bit for each flat segment of the history).
    pub fn turn(&mut self, turn: usize, keep: &Kept) -> Arc<Rendered> {
        let range = self.history.range(turn);
        let bits = keep.bits(range.clone());
        if bits.iter().all(|word| *word == 0) && !range.is_empty() {
            return Arc::new(Rendered::default());
        }
        let (history, counter) = (self.history, self.counter);
        let render = || {
            let mask: Vec<bool> = range.map(|at| keep.has(at)).collect();
            let text = history.turns()[turn].render(&mask);
            let mut hasher = DefaultHasher::new();
            hasher.write(text.as_bytes());
            let text_hash = hasher.finish();
            Arc::new(Rendered { tokens: counter.count(&text), atoms: Atoms::of(&text), text_hash })
        };
        self.memory.entry((turn, bits)).or_insert_with(render).clone()
    }
}

/// A set of flat segments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kept(Vec<u64>);

impl Kept {
    /// The empty set for a history of this many segments.
    #[must_use]
    pub fn none(segments: usize) -> Self {
        Self(vec![0; segments.div_ceil(64)])
    }

    /// The set of all segments of the turns below `turn`.
    #[must_use]
    pub fn turns_below(history: &History, turn: usize) -> Self {
        let mut kept = Self::none(history.len());
        (0..turn).flat_map(|turn| history.range(turn)).for_each(|at| kept.keep(at));
        kept
    }

    /// Adds a segment.
    pub fn keep(&mut self, segment: usize) {
        self.0[segment / 64] |= 1 << (segment % 64);
    }

    /// Adds a segment or takes it out.
    pub fn set(&mut self, segment: usize, keep: bool) {
        self.0[segment / 64] &= !(1 << (segment % 64));
        self.0[segment / 64] |= u64::from(keep) << (segment % 64);
    }

    /// Whether a segment is in the set.
    #[must_use]
    pub fn has(&self, segment: usize) -> bool {
        self.0[segment / 64] >> (segment % 64) & 1 == 1
    }

    /// The bits of a range, packed from its first segment on.
    fn bits(&self, range: std::ops::Range<usize>) -> Bits {
        let (place, shift) = (range.start / 64, range.start % 64);
        let mut words: Bits = smallvec![0; range.len().div_ceil(64)];
        for (at, word) in words.iter_mut().enumerate() {
            let below = self.0[place + at] >> shift;
            let above =
                self.0.get(place + at + 1).map_or(0, |next| next.checked_shl(64 - shift as u32).unwrap_or(0));
            *word = below | above;
        }
        if let (Some(last), used @ 1..) = (words.last_mut(), range.len() % 64) {
            *last &= (1 << used) - 1;
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_are_those_of_the_range(kept in prop::collection::vec(any::<bool>(), 0..300), cut in any::<(u16, u16)>()) {
            let mut set = Kept::none(kept.len());
            (0..kept.len()).filter(|at| kept[*at]).for_each(|at| set.keep(at));
            let place = |cut: u16| usize::from(cut) % (kept.len() + 1);
            let range = place(cut.0).min(place(cut.1))..place(cut.0).max(place(cut.1));
            let bits = set.bits(range.clone());
            let read: Vec<bool> = (0..bits.len() * 64).map(|at| bits[at / 64] >> (at % 64) & 1 == 1).collect();
            prop_assert_eq!(&read[..range.len()], &kept[range.clone()]);
            prop_assert!(read[range.len()..].iter().all(|beyond| !beyond), "a bit beyond {range:?}: {bits:?}");
        }
    }
}
