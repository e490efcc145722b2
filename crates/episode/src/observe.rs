//! Turn → fixed-width numbers: the only featuriser, used by training and by serving.
//!
//! An [`EpisodeObservation`] is everything the coordinator ever sees of an episode: hashed tokens of each segment,
//! who spoke, and, for every decision, exact-match features of each candidate. The model adds nothing of its own,
//! so what is learned in training is what is asked in serving.

use serde::{Deserialize, Serialize};

mod bm25;
mod call;
mod features;
mod form;
mod replay;
mod rival;
mod tokens;
mod worth;

pub use call::{CALL_FEATURE_NAMES, CALL_FEATURES, CallTracker};
pub use features::{Context, FEATURE_NAMES, FORM_FEATURES, candidates};
pub use form::FORM_NAMES;
pub use replay::{Call, ObserveOptions, Observed, TAIL_TURNS, observe_episode};
pub use rival::{RIVAL_FEATURES, Rivals, anonymous, rival_features};
pub use tokens::segment_observation;
pub use worth::{CallKind, READING_VERBS, Worth};

/// Rows of each hashed token table.
pub const TOKEN_ROWS: usize = 16_384;
/// Surface bits of a token (digit, case, punctuation, JSON delimiter, …).
pub const SURFACE_BITS: usize = 12;
/// Longest segment in tokens; longer ones are cut for the encoder only, never for the digest.
pub const SEGMENT_TOKENS: usize = 48;
/// Exact-match features of one candidate, named in [`FEATURE_NAMES`].
pub const FEATURES: usize = FEATURE_NAMES.len();
/// Rows of the agent embedding; agents of an episode are numbered in order of appearance, modulo this.
pub const AGENT_ROWS: usize = 8;
/// Hash buckets of the essential-item bag that the latent prompt must reconstruct.
pub const ITEM_BUCKETS: usize = 2_048;

/// One token: two hashed rows and its surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenObservation {
    /// Row in each of the two tables, each below [`TOKEN_ROWS`].
    pub rows: [u16; 2],
    /// The low [`SURFACE_BITS`] bits are the surface flags.
    pub surface: u16,
}

/// One segment: at least one and at most [`SEGMENT_TOKENS`] tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentObservation {
    /// Tokens in order.
    pub tokens: Vec<TokenObservation>,
}

/// One turn: who spoke, and which segments it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnObservation {
    /// [`crate::Role::index`] of the speaker.
    pub role: usize,
    /// Agent row, below [`AGENT_ROWS`].
    pub agent: usize,
    /// Range into [`EpisodeObservation::segments`]; may be empty (a turn without text).
    pub segments: std::ops::Range<usize>,
}

/// When a decision is taken and whether it may be taken again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// At a turn's first appearance in a peer's view, then frozen.
    Ingest,
    /// When a turn leaves the verbatim tail, then frozen.
    Once,
    /// Anew at every call.
    Rerank,
}

impl Mode {
    /// Every mode, in the order of [`Mode::index`].
    pub const ALL: [Self; 3] = [Self::Ingest, Self::Once, Self::Rerank];

    /// Position in [`Mode::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// Lower-case name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Once => "once",
            Self::Rerank => "rerank",
        }
    }
}

/// One segment that a decision may keep or drop.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Index into [`EpisodeObservation::segments`].
    pub segment: usize,
    /// Exact-match features, each roughly within [−1, 1].
    pub features: [f32; FEATURES],
    /// Training target in [0, 1]: whether the segment is essential. 0 in serving.
    pub label: f32,
    /// Weight of the candidate in the loss, ≥ 0. 0 in serving.
    pub weight: f32,
}

/// One moment at which the coordinator scores candidates.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The mode asked for; the decoder is conditioned on it.
    pub mode: Mode,
    /// The state is the one after `turns[..turns_seen]`.
    pub turns_seen: usize,
    /// Agent row of the reader, below [`AGENT_ROWS`].
    pub agent: usize,
    /// Segments of the newest message, the question; may be empty.
    pub query: Vec<usize>,
    /// What may be kept; never empty.
    pub candidates: Vec<Candidate>,
    /// Distinct buckets (below [`ITEM_BUCKETS`]) of the items that later turns reuse; empty in serving.
    pub essential: Vec<u16>,
}

/// One moment at which the call gate judges whether the next call is worth making.
#[derive(Debug, Clone, PartialEq)]
pub struct CallObservation {
    /// The state is the one after `turns[..turns_seen]`.
    pub turns_seen: usize,
    /// Agent row of the agent that would be called, below [`AGENT_ROWS`].
    pub agent: usize,
    /// Segments of the newest message; may be empty.
    pub query: Vec<usize>,
    /// What is known before the call, see [`CallTracker::features`].
    pub features: [f32; CALL_FEATURES],
    /// Training target: 1 if the call adds something that is used later ([`Worth::is_useful`]), else 0.
    pub label: f32,
    /// Weight of the call in the loss, > 0. 0 in serving.
    pub weight: f32,
}

/// Everything the coordinator sees of one episode.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EpisodeObservation {
    /// Episode id, for messages.
    pub id: String,
    /// Turns in order.
    pub turns: Vec<TurnObservation>,
    /// Segments of all turns in order, then the segments of queries that are not turns.
    pub segments: Vec<SegmentObservation>,
    /// Decisions in order of `turns_seen`.
    pub decisions: Vec<Decision>,
    /// Recorded calls in order, as the call gate sees them; none in an episode of two rival models.
    pub calls: Vec<CallObservation>,
    /// For a two-model episode: 1 if model_a won, 0 if model_b, ½ for a tie.
    pub winner: Option<f32>,
    /// For a two-model episode: the rows and the numbers of model_a and model_b.
    pub rivals: Option<Rivals>,
}

#[cfg(test)]
mod tests;
