//! The compressors that are compared, each a name and a rule.

use lrrc_episode::observe::{Call, FEATURE_NAMES, Mode, Observed};
use lrrc_model::Policy;
use rayon::prelude::*;

use crate::{
    EvalError,
    calibration::Kind,
    metric::Whole,
    replay::{self, Plan, Scores},
    view::Kept,
};

/// Tool results that tool-result clearing leaves.
const RESULTS_LEFT: usize = 3;
/// Turns over which the hand-weighted value of a mention falls to 1/e.
const RECENCY_TURNS: f32 = 12.0;

/// A compressor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// The history as it is.
    Full,
    /// Whole turns, newest first.
    LastN,
    /// Whole turns, oldest and newest in turn.
    HeadTail,
    /// Segments by a hash of their place.
    Random,
    /// Segments, newest first, those said again later last.
    RecencyDedup,
    /// Segments by the BM25 score of their turn against the newest message.
    Bm25,
    /// The same with the scores of turns smoothed over their neighbours, σ = 15 turns.
    Bm25Smooth,
    /// All but old tool results.
    ToolClearing,
    /// Everything, in the lossless table encoding.
    Table,
    /// Coverage with hand weights: kind of item × recency.
    Coverage,
    /// The coordinator's decoder trained without the state, re-ranked at every call.
    NoState,
    /// The coordinator, deciding when a turn is first seen.
    LrrcIngest,
    /// The coordinator, deciding when a turn leaves the verbatim tail.
    LrrcOnce,
    /// The coordinator, deciding anew at every call.
    LrrcRerank,
}

impl Method {
    /// Every method, in the order of reports.
    pub const ALL: [Self; 14] = [
        Self::Full,
        Self::LastN,
        Self::HeadTail,
        Self::Random,
        Self::RecencyDedup,
        Self::Bm25,
        Self::Bm25Smooth,
        Self::ToolClearing,
        Self::Table,
        Self::Coverage,
        Self::NoState,
        Self::LrrcIngest,
        Self::LrrcOnce,
        Self::LrrcRerank,
    ];

    /// Name in tables and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::LastN => "last-n",
            Self::HeadTail => "head-tail",
            Self::Random => "random",
            Self::RecencyDedup => "recency-dedup",
            Self::Bm25 => "bm25",
            Self::Bm25Smooth => "bm25-smooth",
            Self::ToolClearing => "tool-clearing",
            Self::Table => "table",
            Self::Coverage => "coverage",
            Self::NoState => "no-state",
            Self::LrrcIngest => "lrrc-ingest",
            Self::LrrcOnce => "lrrc-once",
            Self::LrrcRerank => "lrrc-rerank",
        }
    }

    /// The mode whose decisions the method needs.
    #[must_use]
    pub fn mode(self) -> Mode {
        match self {
            Self::LrrcIngest => Mode::Ingest,
            Self::LrrcOnce => Mode::Once,
            _ => Mode::Rerank,
        }
    }

    /// Whether the method has a budget at all.
    #[must_use]
    pub fn has_budget(self) -> bool {
        !matches!(self, Self::Full | Self::ToolClearing | Self::Table)
    }

    /// Whether a model scores the segments.
    #[must_use]
    pub fn is_learned(self) -> bool {
        matches!(self, Self::NoState | Self::LrrcIngest | Self::LrrcOnce | Self::LrrcRerank)
    }

    /// Whether decisions are frozen, so that the budget is a threshold set beforehand.
    #[must_use]
    pub fn is_frozen(self) -> bool {
        matches!(self, Self::LrrcIngest | Self::LrrcOnce)
    }

    /// How whole turns are sent: the methods that do not cut turns leave them as they are.
    #[must_use]
    pub fn whole(self) -> Whole {
        match self {
            Self::Full | Self::LastN | Self::HeadTail | Self::ToolClearing => Whole::Verbatim,
            _ => Whole::Encoded,
        }
    }

    /// Range of the knob: a share for whole turns and for queries, 1 / least score or 1 / least value per token
    /// elsewhere. A larger knob keeps more.
    #[must_use]
    pub fn knob_range(self, kind: Kind) -> (f64, f64) {
        match (self, kind) {
            (Self::LastN | Self::HeadTail, _) => (1e-3, 1.0),
            (Self::LrrcIngest, _) | (_, Kind::Calls) => (0.05, 1e8),
            (_, Kind::Queries) => (1e-3, 2.0),
        }
    }

    /// What each call of an episode sees with this knob.
    #[must_use]
    pub fn plan(self, observed: &Observed, scores: &Scores, knob: f64) -> Plan {
        let history = &observed.history;
        let limit = |call: &Call| replay::limit(observed, call, knob);
        let old = |call: &Call| (0..call.tail_from).filter(|turn| !history.range(*turn).is_empty());
        match self {
            Self::Full | Self::Table => {
                observed.calls.iter().map(|call| Kept::turns_below(history, call.turn)).collect()
            }
            Self::LastN => replay::whole_turns(observed, |call| old(call).rev().collect(), knob),
            Self::HeadTail => {
                replay::whole_turns(observed, |call| from_both_ends(&old(call).collect::<Vec<_>>()), knob)
            }
            Self::ToolClearing => replay::without_old_results(observed, RESULTS_LEFT),
            Self::Random | Self::RecencyDedup | Self::Bm25 | Self::Bm25Smooth => {
                replay::by_score(observed, scores, limit)
            }
            Self::Coverage | Self::NoState | Self::LrrcRerank => replay::rerank(observed, scores, limit),
            Self::LrrcOnce => replay::once(observed, scores, limit),
            Self::LrrcIngest => replay::ingest(observed, scores, (1.0 / knob) as f32),
        }
    }

    /// Scores of all candidates that a hand-made rule gives; learned methods take theirs from [`learned_scores`].
    #[must_use]
    pub fn rule_scores(self, observed: &Observed) -> Scores {
        let age = feature("age_log");
        let again = feature("share_said_again");
        let (turn, segment) = (feature("bm25_turn"), feature("bm25_last"));
        let smooth = feature("bm25_smooth_15");
        let recency = |features: &[f32]| (-((features[age] * 4.0).exp() - 1.0) / RECENCY_TURNS).exp();
        let decisions = observed.observation.decisions.iter();
        let score = |at: usize, features: &[f32]| match self {
            Self::Random => random(&observed.observation.id, at),
            Self::RecencyDedup => recency(features) * if features[again] >= 1.0 { 1e-3 } else { 1.0 },
            Self::Bm25 => 0.9 * features[turn] + 0.1 * features[segment] + 1e-4 * recency(features),
            Self::Bm25Smooth => features[smooth] + 1e-4 * recency(features),
            _ => recency(features),
        };
        let of = |decision: &lrrc_episode::observe::Decision| {
            decision
                .candidates
                .iter()
                .map(|candidate| score(candidate.segment, &candidate.features))
                .collect()
        };
        decisions.map(of).collect()
    }
}

/// Probabilities that a policy gives every candidate of every decision, episode by episode.
///
/// # Errors
/// An observation that the policy refuses.
pub fn learned_scores(policy: &Policy, observed: &[Observed]) -> Result<Vec<Scores>, EvalError> {
    let replay = |observed: &Observed| -> Result<Scores, EvalError> {
        let logits = policy.replay(&observed.observation)?;
        let probability = |logit: f32| 1.0 / (1.0 + (-logit).exp());
        Ok(logits.into_iter().map(|decision| decision.into_iter().map(probability).collect()).collect())
    };
    observed.par_iter().map(replay).collect()
}

fn feature(name: &str) -> usize {
    FEATURE_NAMES.iter().position(|known| *known == name).expect("the name is one of the features")
}

/// A fixed number in [0, 1) for a segment of an episode.
fn random(episode: &str, segment: usize) -> f32 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in episode.bytes().chain(segment.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    (hash >> 40) as f32 / (1u64 << 24) as f32
}

fn from_both_ends(turns: &[usize]) -> Vec<usize> {
    let (mut front, mut back) = (turns.iter(), turns.iter().rev());
    let mut order = Vec::with_capacity(turns.len());
    while order.len() < turns.len() {
        order.extend(front.next());
        if order.len() < turns.len() {
            order.extend(back.next());
        }
    }
    order
}
