//! The compressors that are compared, each a name and a rule.

use lrrc_episode::observe::{Call, Mode, Observed};
use lrrc_model::Policy;
use rayon::prelude::*;

use crate::{
    EvalError,
    calibration::Kind,
    metric::Whole,
    replay::{self, Plan, Scores},
    rule::{
        features, oracle_segment, oracle_value,
        surprisal::{Background, surprisal},
        text_rank::text_rank,
    },
    view::Kept,
};

/// Tool results that tool-result clearing leaves.
const RESULTS_LEFT: usize = 3;

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
    /// Segments by TextRank, without regard to the newest message.
    TextRank,
    /// Segments by self-information under a unigram model of what was said so far.
    Unigram,
    /// The same under a trigram model.
    Trigram,
    /// All but old tool results.
    ToolClearing,
    /// Everything, in the lossless table encoding.
    Table,
    /// Coverage with hand weights: kind of item × recency.
    Coverage,
    /// Boosted trees on the coordinator's features, deciding when a turn is first seen.
    TreesIngest,
    /// The same, deciding when a turn leaves the verbatim tail.
    TreesOnce,
    /// The same, deciding anew at every call.
    TreesRerank,
    /// The coordinator's decoder trained without the state, re-ranked at every call.
    NoState,
    /// The coordinator, deciding when a turn is first seen.
    LrrcIngest,
    /// The coordinator, deciding when a turn leaves the verbatim tail.
    LrrcOnce,
    /// The coordinator, deciding anew at every call.
    LrrcRerank,
    /// Labels as scores: the ceiling of scoring segments, re-ranked. It looks at the future.
    OracleSegment,
    /// The cheapest segments that hold what this call and later ones need. It looks at the future.
    OracleValue,
}

/// Where the scores of a method come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scorer {
    /// A rule; nothing is trained on labels.
    Rule,
    /// Boosted trees, see [`crate::Trees`].
    Trees,
    /// The coordinator trained without the state.
    Control,
    /// The coordinator.
    Coordinator,
    /// The recorded future.
    Future,
}

impl Method {
    /// Every method, in the order of reports.
    pub const ALL: [Self; 22] = [
        Self::Full,
        Self::LastN,
        Self::HeadTail,
        Self::Random,
        Self::RecencyDedup,
        Self::Bm25,
        Self::Bm25Smooth,
        Self::TextRank,
        Self::Unigram,
        Self::Trigram,
        Self::ToolClearing,
        Self::Table,
        Self::Coverage,
        Self::TreesIngest,
        Self::TreesOnce,
        Self::TreesRerank,
        Self::NoState,
        Self::LrrcIngest,
        Self::LrrcOnce,
        Self::LrrcRerank,
        Self::OracleSegment,
        Self::OracleValue,
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
            Self::TextRank => "text-rank",
            Self::Unigram => "unigram",
            Self::Trigram => "trigram",
            Self::ToolClearing => "tool-clearing",
            Self::Table => "table",
            Self::Coverage => "coverage",
            Self::TreesIngest => "trees-ingest",
            Self::TreesOnce => "trees-once",
            Self::TreesRerank => "trees-rerank",
            Self::NoState => "no-state",
            Self::LrrcIngest => "lrrc-ingest",
            Self::LrrcOnce => "lrrc-once",
            Self::LrrcRerank => "lrrc-rerank",
            Self::OracleSegment => "oracle-segment",
            Self::OracleValue => "oracle-value",
        }
    }

    /// The mode whose decisions the method needs.
    #[must_use]
    pub fn mode(self) -> Mode {
        match self {
            Self::TreesIngest | Self::LrrcIngest => Mode::Ingest,
            Self::TreesOnce | Self::LrrcOnce => Mode::Once,
            _ => Mode::Rerank,
        }
    }

    /// Whether the method has a budget at all.
    #[must_use]
    pub fn has_budget(self) -> bool {
        !matches!(self, Self::Full | Self::ToolClearing | Self::Table)
    }

    /// Where the scores come from.
    #[must_use]
    pub fn scorer(self) -> Scorer {
        match self {
            Self::TreesIngest | Self::TreesOnce | Self::TreesRerank => Scorer::Trees,
            Self::NoState => Scorer::Control,
            Self::LrrcIngest | Self::LrrcOnce | Self::LrrcRerank => Scorer::Coordinator,
            Self::OracleSegment | Self::OracleValue => Scorer::Future,
            _ => Scorer::Rule,
        }
    }

    /// Whether a model that was trained on labels scores the segments.
    #[must_use]
    pub fn is_learned(self) -> bool {
        matches!(self.scorer(), Scorer::Trees | Scorer::Control | Scorer::Coordinator)
    }

    /// Whether the method looks at what it could not know: a ceiling, and no competitor.
    #[must_use]
    pub fn is_oracle(self) -> bool {
        self.scorer() == Scorer::Future
    }

    /// Whether the method compresses by a rule alone: without training, and without looking at the future.
    #[must_use]
    pub fn is_untrained_baseline(self) -> bool {
        self.scorer() == Scorer::Rule && self != Self::Full
    }

    /// Whether decisions are frozen, so that the budget is a threshold set beforehand.
    #[must_use]
    pub fn is_frozen(self) -> bool {
        self.mode() != Mode::Rerank
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
            (Self::LrrcIngest | Self::TreesIngest, _) | (_, Kind::Calls) => (0.05, 1e8),
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
            Self::Random
            | Self::RecencyDedup
            | Self::Bm25
            | Self::Bm25Smooth
            | Self::TextRank
            | Self::Unigram
            | Self::Trigram => replay::by_score(observed, scores, limit),
            Self::Coverage | Self::OracleSegment => replay::coverage(observed, scores, limit),
            Self::TreesRerank | Self::NoState | Self::LrrcRerank => replay::rerank(observed, scores, limit),
            Self::TreesOnce | Self::LrrcOnce => replay::once(observed, scores, limit),
            Self::TreesIngest | Self::LrrcIngest => replay::ingest(observed, scores, (1.0 / knob) as f32),
            Self::OracleValue => oracle_value::plan(observed, limit),
        }
    }

    /// Scores of all candidates that a rule or an oracle gives; learned methods take theirs from [`learned_scores`] and
    /// [`crate::Trees::scores`]. The surprisal methods have read `background` before the episode, if there is one.
    #[must_use]
    pub fn rule_scores(self, observed: &Observed, background: Option<&Background>) -> Scores {
        match self {
            Self::Random => features::random(observed),
            Self::RecencyDedup => features::recency_dedup(observed),
            Self::Bm25 => features::bm25(observed),
            Self::Bm25Smooth => features::bm25_smooth(observed),
            Self::TextRank => text_rank(observed),
            Self::Unigram => surprisal(observed, 1, background),
            Self::Trigram => surprisal(observed, 3, background),
            Self::OracleSegment => oracle_segment::labels(observed),
            _ => features::recency(observed),
        }
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

#[cfg(test)]
mod tests;
