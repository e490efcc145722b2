//! Rules that read the features of a candidate.

use lrrc_episode::observe::{FEATURE_NAMES, Observed};

use super::each;
use crate::replay::Scores;

/// Turns over which the hand-weighted value of a mention falls to 1/e.
const RECENCY_TURNS: f32 = 12.0;

/// The newer, the higher.
pub(crate) fn recency(observed: &Observed) -> Scores {
    let age = feature("age_log");
    each(observed, |candidate| recency_of(candidate.features[age]))
}

/// The newer, the higher; what is said again later in full comes after everything else.
pub(crate) fn recency_dedup(observed: &Observed) -> Scores {
    let (age, again) = (feature("age_log"), feature("share_said_again"));
    each(observed, |candidate| {
        let repeated = candidate.features[again] >= 1.0;
        recency_of(candidate.features[age]) * if repeated { 1e-3 } else { 1.0 }
    })
}

/// BM25 of the turn and, a little, of the segment against the newest message.
pub(crate) fn bm25(observed: &Observed) -> Scores {
    let (age, turn, segment) = (feature("age_log"), feature("bm25_turn"), feature("bm25_last"));
    each(observed, |candidate| {
        let own = candidate.features;
        0.9 * own[turn] + 0.1 * own[segment] + 1e-4 * recency_of(own[age])
    })
}

/// BM25 of the turn, smoothed over its neighbours.
pub(crate) fn bm25_smooth(observed: &Observed) -> Scores {
    let (age, smooth) = (feature("age_log"), feature("bm25_smooth_15"));
    each(observed, |candidate| candidate.features[smooth] + 1e-4 * recency_of(candidate.features[age]))
}

/// A fixed number in [0, 1) for each segment of an episode.
pub(crate) fn random(observed: &Observed) -> Scores {
    each(observed, |candidate| hashed(&observed.observation.id, candidate.segment))
}

fn feature(name: &str) -> usize {
    FEATURE_NAMES.iter().position(|known| *known == name).expect("the name is one of the features")
}

fn recency_of(age_log: f32) -> f32 {
    (-((age_log * 4.0).exp() - 1.0) / RECENCY_TURNS).exp()
}

fn hashed(episode: &str, segment: usize) -> f32 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in episode.bytes().chain(segment.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    (hash >> 40) as f32 / (1u64 << 24) as f32
}
