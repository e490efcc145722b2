//! Random episodes in the shapes of the real ones.

use lrrc_episode::observe::{
    AGENT_ROWS, CALL_FEATURES, CallObservation, Candidate, Decision, EpisodeObservation, FEATURES,
    ITEM_BUCKETS, Mode, Rivals, SegmentObservation, TOKEN_ROWS, TokenObservation, TurnObservation,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How large an episode is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) turns: usize,
    /// Most segments of a turn; a sixth of the turns has none.
    pub(crate) segments: usize,
    pub(crate) tokens: usize,
    pub(crate) decisions: usize,
    /// Distinct tokens of the vocabulary.
    pub(crate) vocabulary: u64,
}

/// A random episode; even seeds have two rivals and a winner.
pub(crate) fn episode(seed: u64, shape: Shape) -> EpisodeObservation {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let mut episode = EpisodeObservation { id: format!("synthetic-{seed}"), ..Default::default() };
    for turn in 0..shape.turns {
        let count = match turn % 6 {
            1 => 0,
            2 => 1,
            _ => rng.random_range(1..=shape.segments),
        };
        let start = episode.segments.len();
        episode.segments.extend((0..count).map(|_| segment(rng, shape)));
        episode.turns.push(TurnObservation {
            role: 1 + turn % 4,
            agent: turn % AGENT_ROWS.min(3),
            segments: start..episode.segments.len(),
        });
    }
    let ends: Vec<usize> = episode.turns.iter().map(|turn| turn.segments.end).collect();
    let question = episode.segments.len();
    episode.segments.push(segment(rng, shape));
    for index in 0..shape.decisions {
        let turns_seen = 1 + (index + 1) * (shape.turns - 1) / shape.decisions;
        episode.decisions.push(decision(rng, index, turns_seen, ends[turns_seen - 1], question));
    }
    episode.calls = (2..shape.turns).map(|turns_seen| call(rng, turns_seen, &episode)).collect();
    if seed.is_multiple_of(2) {
        let features = std::array::from_fn(|_| std::array::from_fn(|_| rng.random_range(-2.0..2.0)));
        episode.rivals = Some(Rivals { agents: [1, 2], features });
        episode.winner = Some([0.0, 1.0, 0.5][(seed / 2 % 3) as usize]);
    }
    episode
}

fn segment(rng: &mut ChaCha8Rng, shape: Shape) -> SegmentObservation {
    let len = rng.random_range(1..=shape.tokens);
    SegmentObservation { tokens: (0..len).map(|_| token(rng.random_range(0..shape.vocabulary))).collect() }
}

fn token(id: u64) -> TokenObservation {
    let mixed = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let row = |shift: u64| ((mixed >> shift) % TOKEN_ROWS as u64) as u16;
    TokenObservation { rows: [row(5), row(23)], surface: (mixed >> 52) as u16 }
}

/// The label follows from the features, so that there is something to learn.
fn call(rng: &mut ChaCha8Rng, turns_seen: usize, episode: &EpisodeObservation) -> CallObservation {
    let mut features = [0.0_f32; CALL_FEATURES];
    features.iter_mut().for_each(|value| *value = rng.random_range(-1.0..1.0));
    CallObservation {
        turns_seen,
        agent: turns_seen % 2,
        query: episode.turns[turns_seen - 1].segments.clone().collect(),
        features,
        label: if features[2] - features[5] > 0.0 { 1.0 } else { 0.0 },
        weight: rng.random_range(0.5..2.0),
    }
}

/// The label follows from the features, so that there is something to learn.
fn decision(rng: &mut ChaCha8Rng, index: usize, turns_seen: usize, end: usize, question: usize) -> Decision {
    let candidates = (0..end).map(|segment| {
        let mut features = [0.0_f32; FEATURES];
        features.iter_mut().for_each(|value| *value = rng.random_range(-1.0..1.0));
        let label = if features[0] + 0.5 * features[3] > 0.4 { 1.0 } else { 0.0 };
        Candidate { segment, features, label, weight: rng.random_range(0.5..2.0) }
    });
    Decision {
        mode: Mode::ALL[index % 3],
        turns_seen,
        agent: index % 2,
        candidates: candidates.collect(),
        query: match index % 3 {
            0 => Vec::new(),
            1 => vec![question],
            _ => vec![end.saturating_sub(1), question],
        },
        essential: (0..index % 4).map(|_| rng.random_range(0..ITEM_BUCKETS) as u16).collect(),
    }
}
