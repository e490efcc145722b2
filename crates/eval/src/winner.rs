//! Which of two answers people preferred, told from the full text and from digests of it.
//!
//! Every predictor sees an episode without the names of models. Those of a digest see nothing else: the digest takes
//! the place of the answers before anything is counted or encoded. A record that people called a tie asks nothing of
//! the agreement with people, and counts like any other in the agreement of a digest with the full text.

mod digest;
mod line;
mod report;

use std::collections::BTreeMap;

use lrrc_episode::{
    Episode, TokenCounter,
    observe::{EpisodeObservation, Mode, ObserveOptions, Observed, anonymous, observe_episode},
};
use lrrc_model::Policy;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{EvalError, method::learned_scores};

use digest::digest;
pub use digest::digest_answers;
use line::{LengthLine, TextLine};
pub use report::{WinnerReport, WinnerRow};

/// Shares of each answer that the digests keep.
const KEPT: [f64; 3] = [0.25, 0.5, 0.75];

/// What a predictor is shown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum View {
    /// Both answers as they are.
    Full,
    /// This share of each answer, chosen by coverage with hand weights.
    Coverage(f64),
    /// This share of each answer, chosen by the coordinator as it would at first sight.
    Lrrc(f64),
}

impl View {
    /// Every view, the full text first.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let digests = [Self::Coverage as fn(f64) -> Self, Self::Lrrc];
        let digests = digests.into_iter().flat_map(|of| KEPT.map(of));
        std::iter::once(Self::Full).chain(digests).collect()
    }

    /// Name in tables and JSON.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Full => "full".to_owned(),
            Self::Coverage(keep) => format!("coverage {:.0} %", keep * 100.0),
            Self::Lrrc(keep) => format!("lrrc {:.0} %", keep * 100.0),
        }
    }
}

/// Who predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Predictor {
    /// The length of the last answers, with the sign that fits the training side.
    Length,
    /// Logistic regression on the numbers of the rivals, fitted on the training side.
    TextFeatures,
    /// The coordinator trained without the state.
    NoState,
    /// The coordinator.
    Lrrc,
}

impl Predictor {
    /// Every predictor, in the order of tables.
    pub const ALL: [Self; 4] = [Self::Length, Self::TextFeatures, Self::NoState, Self::Lrrc];

    /// Name in tables and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::TextFeatures => "text-features",
            Self::NoState => "no-state",
            Self::Lrrc => "lrrc",
        }
    }
}

/// What is to be predicted, from what.
pub struct WinnerRequest<'a> {
    /// Two-model episodes that the length and text-feature lines are fitted on; none of the groups of `held_out`.
    pub train: &'a [Episode],
    /// Episodes to predict; those without a verdict are passed over.
    pub held_out: &'a [Episode],
    /// Counts tokens.
    pub counter: &'a TokenCounter,
    /// The coordinator; left out where it learned from no two-model episode.
    pub policy: &'a Policy,
    /// The no-state control.
    pub control: Option<&'a Policy>,
}

/// What was predicted of one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The episode.
    pub id: String,
    /// Its group: the prompt.
    pub group: String,
    /// 1 if people preferred the first answer, 0 if the second, ½ for a tie.
    pub winner: f32,
    /// Score of the first answer against the second by view and predictor; its sign is the prediction.
    pub scores: BTreeMap<String, BTreeMap<Predictor, f64>>,
}

impl Verdict {
    /// The score under a view.
    #[must_use]
    pub fn score(&self, view: View, predictor: Predictor) -> Option<f64> {
        self.scores.get(&view.name())?.get(&predictor).copied()
    }
}

/// Predicts every held-out record that has a verdict, under every view.
///
/// # Errors
/// No two-model episode with a verdict on one of the sides, or an episode that the coordinator refuses.
pub fn verdicts(request: &WinnerRequest<'_>) -> Result<Vec<Verdict>, EvalError> {
    let bare = ObserveOptions { modes: Vec::new() };
    let train: Vec<EpisodeObservation> = judged(request.train)
        .par_iter()
        .map(|episode| observe_episode(&anonymous(episode), request.counter, &bare).observation)
        .collect();
    let held_out = judged(request.held_out);
    if train.is_empty() || held_out.is_empty() {
        return Err(EvalError::NoWinners { train: train.len(), held_out: held_out.len() });
    }
    let predictors = Predictors {
        length: LengthLine::fit(&train),
        text: TextLine::fit(&train),
        policy: Some(request.policy).filter(|policy| policy.meta().two_model_episodes > 0),
        control: request.control.filter(|policy| policy.meta().two_model_episodes > 0),
    };
    held_out.par_iter().map(|episode| predictors.verdict(episode, request)).collect()
}

fn judged(episodes: &[Episode]) -> Vec<&Episode> {
    episodes.iter().filter(|episode| episode.outcome.winner.is_some()).collect()
}

struct Predictors<'a> {
    length: LengthLine,
    text: TextLine,
    policy: Option<&'a Policy>,
    control: Option<&'a Policy>,
}

impl Predictors<'_> {
    fn verdict(&self, episode: &Episode, request: &WinnerRequest<'_>) -> Result<Verdict, EvalError> {
        let episode = anonymous(episode);
        let first_sight = ObserveOptions { modes: vec![Mode::Ingest] };
        let bare = ObserveOptions { modes: Vec::new() };
        let full = observe_episode(&episode, request.counter, &first_sight);
        let scores = learned_scores(request.policy, std::slice::from_ref(&full))?.remove(0);
        let mut verdict = Verdict {
            id: episode.id.clone(),
            group: episode.group.clone(),
            winner: full.observation.winner.unwrap_or(0.5),
            scores: BTreeMap::new(),
        };
        for view in View::all() {
            let shown: Observed;
            let observation = match view {
                View::Full => &full.observation,
                View::Coverage(keep) => {
                    shown = observe_episode(&digest(&episode, &full, None, keep), request.counter, &bare);
                    &shown.observation
                }
                View::Lrrc(keep) => {
                    let digest = digest(&episode, &full, Some(&scores), keep);
                    shown = observe_episode(&digest, request.counter, &bare);
                    &shown.observation
                }
            };
            verdict.scores.insert(view.name(), self.scores(observation)?);
        }
        Ok(verdict)
    }

    fn scores(&self, observation: &EpisodeObservation) -> Result<BTreeMap<Predictor, f64>, EvalError> {
        let mut scores = BTreeMap::new();
        if let Some(rivals) = &observation.rivals {
            scores.insert(Predictor::Length, self.length.score(rivals));
            scores.insert(Predictor::TextFeatures, self.text.score(rivals));
        }
        for (predictor, policy) in [(Predictor::NoState, self.control), (Predictor::Lrrc, self.policy)] {
            if let Some(chance) = policy.map(|policy| policy.judge(observation)).transpose()?.flatten() {
                scores.insert(predictor, f64::from(chance) - 0.5);
            }
        }
        Ok(scores)
    }
}
