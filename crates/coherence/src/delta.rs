//! What changed between two contents, so that a miss costs the changed spans alone.

use std::ops::Range;

use imara_diff::{Algorithm, Diff, InternedInput};
use serde::{Deserialize, Serialize};

/// A piece of the new content.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    /// Bytes of the base.
    Keep {
        /// Offset of the first byte in the base.
        start: u64,
        /// How many bytes.
        len: u64,
    },
    /// Bytes that the base does not have.
    Insert(Vec<u8>),
}

/// How to make the new content.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delta {
    /// From pieces of the base and new bytes, in order.
    Pieces(Vec<Piece>),
    /// The whole content: no smaller way was found.
    Whole(Vec<u8>),
}

/// What a kept piece costs at most: two numbers of variable length and a tag.
const KEEP_BYTES: usize = 20;
/// What a new piece costs at most beside its bytes.
const INSERT_BYTES: usize = 10;

impl Delta {
    /// What the delta costs at most in bytes, in a binary format; at most the length of the content that it makes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Pieces(pieces) => pieces.iter().map(piece_bytes).sum(),
        }
    }
}

fn piece_bytes(piece: &Piece) -> usize {
    match piece {
        Piece::Keep { .. } => KEEP_BYTES,
        Piece::Insert(bytes) => INSERT_BYTES + bytes.len(),
    }
}

/// A delta that does not fit the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the delta keeps {len} bytes from {start}, but the base has {base_bytes}: fetch the whole content")]
pub struct WrongBase {
    /// Offset of the first byte.
    pub start: u64,
    /// How many bytes.
    pub len: u64,
    /// Length of the base.
    pub base_bytes: u64,
}

/// What changed from `base` to `new`: by lines (the histogram algorithm, whose time is bounded on hostile texts too),
/// and within changed lines by their common beginning and end. Never larger than `new`.
#[must_use]
pub fn delta(base: &[u8], new: &[u8]) -> Delta {
    let lines = InternedInput::new(base, new);
    let ends = |tokens: &[imara_diff::Token]| -> Vec<usize> {
        let length = |sum: &mut usize, token: &imara_diff::Token| {
            *sum += lines.interner[*token].len();
            Some(*sum)
        };
        std::iter::once(0).chain(tokens.iter().scan(0, length)).collect()
    };
    let (base_ends, new_ends) = (ends(&lines.before), ends(&lines.after));
    let bytes = |ends: &[usize], lines: Range<u32>| ends[lines.start as usize]..ends[lines.end as usize];

    let mut pieces = Pieces { base, pieces: Vec::new() };
    let mut kept = 0;
    for hunk in Diff::compute(Algorithm::Histogram, &lines).hunks() {
        let (old, fresh) = (bytes(&base_ends, hunk.before), bytes(&new_ends, hunk.after));
        pieces.keep(kept..old.start);
        pieces.change(old.clone(), &new[fresh]);
        kept = old.end;
    }
    pieces.keep(kept..base.len());
    let smaller = Delta::Pieces(pieces.pieces);
    if smaller.size_bytes() <= new.len() { smaller } else { Delta::Whole(new.to_vec()) }
}

struct Pieces<'a> {
    base: &'a [u8],
    pieces: Vec<Piece>,
}

impl Pieces<'_> {
    fn keep(&mut self, range: Range<usize>) {
        let (start, len) = (range.start as u64, range.len() as u64);
        match self.pieces.last_mut() {
            _ if range.is_empty() => {}
            Some(Piece::Keep { start: first, len: before }) if *first + *before == start => *before += len,
            _ if range.len() <= KEEP_BYTES => self.insert(&self.base[range]),
            _ => self.pieces.push(Piece::Keep { start, len }),
        }
    }

    fn insert(&mut self, bytes: &[u8]) {
        match self.pieces.last_mut() {
            _ if bytes.is_empty() => {}
            Some(Piece::Insert(before)) => before.extend_from_slice(bytes),
            _ => self.pieces.push(Piece::Insert(bytes.to_vec())),
        }
    }

    /// Changed lines: their common beginning and end are kept.
    fn change(&mut self, old: Range<usize>, new: &[u8]) {
        let before = &self.base[old.clone()];
        let head = before.iter().zip(new).take_while(|(a, b)| a == b).count();
        let tails = before[head..].iter().rev().zip(new[head..].iter().rev());
        let tail = tails.take_while(|(a, b)| a == b).count();
        self.keep(old.start..old.start + head);
        self.insert(&new[head..new.len() - tail]);
        self.keep(old.end - tail..old.end);
    }
}

/// The content that a delta makes of its base. Check its digest: a base of the same length passes here.
///
/// # Errors
/// A piece lies outside the base.
pub fn apply(base: &[u8], delta: &Delta) -> Result<Vec<u8>, WrongBase> {
    let pieces = match delta {
        Delta::Whole(bytes) => return Ok(bytes.clone()),
        Delta::Pieces(pieces) => pieces,
    };
    let mut content = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Insert(bytes) => content.extend_from_slice(bytes),
            Piece::Keep { start, len } => content.extend_from_slice(kept(base, *start, *len)?),
        }
    }
    Ok(content)
}

fn kept(base: &[u8], start: u64, len: u64) -> Result<&[u8], WrongBase> {
    let range =
        usize::try_from(start).ok().zip(start.checked_add(len).and_then(|end| usize::try_from(end).ok()));
    let fault = WrongBase { start, len, base_bytes: base.len() as u64 };
    range.and_then(|(start, end)| base.get(start..end)).ok_or(fault)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(lines: impl IntoIterator<Item = usize>) -> String {
        lines.into_iter().map(|line| format!("line {line} says something that is long enough\n")).collect()
    }

    #[test]
    fn one_changed_line_costs_that_line() {
        let base = text(0..200);
        let new = base.replace("line 100 says", "line 100 does not say");
        let found = delta(base.as_bytes(), new.as_bytes());
        assert_eq!(apply(base.as_bytes(), &found), Ok(new.clone().into_bytes()));
        assert!(found.size_bytes() < 100, "{} bytes of {}", found.size_bytes(), new.len());
    }

    #[test]
    fn contents_that_share_nothing_and_short_ones_are_sent_whole() {
        for (base, new) in [("", "abc"), ("aaaa", "bbbb"), (text(0..9).as_str(), "no\n")] {
            assert_eq!(delta(base.as_bytes(), new.as_bytes()), Delta::Whole(new.as_bytes().to_vec()));
        }
        assert_eq!(delta(b"abc", b""), Delta::Pieces(Vec::new()));
    }

    #[test]
    fn a_piece_outside_the_base_is_refused() {
        for (start, len) in [(0, 4), (3, 1), (u64::MAX, 1), (1, u64::MAX)] {
            let bad = Delta::Pieces(vec![Piece::Keep { start, len }]);
            assert_eq!(apply(b"abc", &bad), Err(WrongBase { start, len, base_bytes: 3 }));
        }
    }

    #[test]
    fn hostile_texts_take_no_quadratic_time() {
        let base: String = (0..60_000).map(|i| format!("{}\n", i * 7 % 60_000)).collect();
        let new: String = (0..60_000).map(|i| format!("{}\n", i * 11 % 60_000)).collect();
        let found = delta(base.as_bytes(), new.as_bytes());
        assert!(found.size_bytes() <= new.len());
    }

    fn edited() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
        let bytes = || {
            prop::collection::vec(prop_oneof![4 => Just(b'a'), 2 => Just(b'\n'), 1 => any::<u8>()], 0..300)
        };
        prop_oneof![
            (bytes(), bytes()),
            (bytes(), bytes(), 0..300_usize).prop_map(|(base, patch, at)| {
                let mut new = base.clone();
                let at = at.min(base.len());
                new.splice(at..(at + patch.len() / 2).min(base.len()), patch);
                (base, new)
            }),
        ]
    }

    proptest! {
        #[test]
        fn applying_a_delta_gives_the_new_content_and_costs_no_more((base, new) in edited()) {
            let found = delta(&base, &new);
            prop_assert!(found.size_bytes() <= new.len());
            prop_assert_eq!(apply(&base, &found), Ok(new));
        }
    }
}
