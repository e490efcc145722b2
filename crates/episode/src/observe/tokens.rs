//! Tokens of a segment as hashed rows and surface bits.

use super::{SEGMENT_TOKENS, SURFACE_BITS, SegmentObservation, TOKEN_ROWS, TokenObservation};
use crate::token::TokenCounter;

/// Multipliers of the two hashes: odd 32-bit constants from the golden ratio and from Murmur's finaliser.
const HASHES: [u32; 2] = [0x9E37_79B1, 0x85EB_CA6B];

/// What the encoder sees of a text: at least one token, at most [`SEGMENT_TOKENS`].
#[must_use]
pub fn segment_observation(text: &str, counter: &TokenCounter) -> SegmentObservation {
    let ids = counter.encode(text);
    let mut tokens: Vec<TokenObservation> = Vec::with_capacity(ids.len().min(SEGMENT_TOKENS));
    // The surface is read off the characters in proportion, since a token may end inside a character.
    let chars: Vec<char> = text.chars().collect();
    let count = ids.len().max(1);
    for (at, id) in ids.iter().take(SEGMENT_TOKENS).enumerate() {
        let piece =
            &chars[at * chars.len() / count..((at + 1) * chars.len() / count).max(at * chars.len() / count)];
        tokens.push(TokenObservation { rows: HASHES.map(|hash| row(*id, hash)), surface: surface(piece) });
    }
    if tokens.is_empty() {
        tokens.push(TokenObservation { rows: [0; 2], surface: 0 });
    }
    SegmentObservation { tokens }
}

fn row(id: u32, hash: u32) -> u16 {
    let mixed = (id.wrapping_add(1)).wrapping_mul(hash);
    ((mixed ^ (mixed >> 15)) as usize % TOKEN_ROWS) as u16
}

fn surface(piece: &[char]) -> u16 {
    let tests: [fn(char) -> bool; SURFACE_BITS] = [
        |c| c.is_ascii_digit(),
        char::is_lowercase,
        char::is_uppercase,
        char::is_whitespace,
        |c| c.is_ascii_punctuation(),
        |c| "{}[]".contains(c),
        |c| ":,".contains(c),
        |c| "_-/".contains(c),
        |c| "\"'`".contains(c),
        |c| "$€£%".contains(c),
        |c| ".?!".contains(c),
        |c| !c.is_ascii(),
    ];
    tests
        .iter()
        .enumerate()
        .fold(0, |bits, (at, test)| bits | (u16::from(piece.iter().any(|c| test(*c))) << at))
}
