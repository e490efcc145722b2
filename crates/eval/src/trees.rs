//! Gradient-boosted trees on the coordinator's features: how far learning gets without a state and without reading the
//! tokens.
//!
//! One ensemble a mode (Friedman, *Greedy Function Approximation: A Gradient Boosting Machine* (2001), with the
//! second-order splits of Chen and Guestrin, *XGBoost* (2016)). Each row is one candidate of one decision: its
//! features and the role of its turn, as the coordinator's decoder gets them; its label in [0, 1] is the target of the
//! logistic loss and its weight the weight.
//!
//! The ensembles come from `forust-ml`: it takes weights and labels between 0 and 1, builds in seconds, and is a
//! function of its seed. `perpetual` asks for a nightly compiler, `gbdt` takes labels of ±1 alone, and LightGBM asks for
//! a C++ compiler.

use std::collections::BTreeMap;

use forust_ml::{GradientBooster, Matrix, errors::ForustError, sampler::SampleMethod};
use lrrc_episode::{
    Role, TokenCounter,
    observe::{Decision, EpisodeObservation, FEATURES, Mode, Observed},
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;

use crate::{
    EvalError,
    calibration::{Calibration, Kind},
    replay::Scores,
};

/// Numbers of one row: features, then one flag a role.
const INPUTS: usize = FEATURES + Role::ALL.len();
/// Depth of a tree.
const DEPTH: usize = 6;
/// Shares of rows and of columns that each tree looks at.
const ROW_SHARE: f32 = 0.8;
const COLUMN_SHARE: f64 = 0.8;
/// Least sum of weights (times p · (1 − p)) in a leaf.
const LEAF_WEIGHT: f32 = 5.0;

/// How much work goes into an ensemble.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    /// Most rows that one ensemble learns from; of more, a random part.
    pub rows: usize,
    /// Trees of an ensemble.
    pub trees: usize,
    /// Share of its answer that each tree adds.
    pub learning_rate: f32,
}

impl Default for Growth {
    fn default() -> Self {
        Self { rows: 120_000, trees: 200, learning_rate: 0.1 }
    }
}

/// Boosted trees for each mode of deciding, and the thresholds of the frozen modes.
///
/// ```no_run
/// # fn example(
/// #     train: &[lrrc_episode::observe::Observed],
/// #     validation: &[lrrc_episode::observe::Observed],
/// #     counter: &lrrc_episode::TokenCounter,
/// # ) -> Result<(), lrrc_eval::EvalError> {
/// let mut trees = lrrc_eval::Trees::fit(train.iter().map(|observed| &observed.observation), 0)?;
/// trees.calibrate(validation, counter);
/// let scores = trees.scores(validation);
/// # Ok(())
/// # }
/// ```
pub struct Trees {
    /// By [`Mode::index`]; none where the training episodes have no such decision, or labels of one value alone.
    models: [Option<GradientBooster>; Mode::ALL.len()],
    calibrations: BTreeMap<Kind, Calibration>,
}

impl Trees {
    /// Fits one ensemble for each mode that these episodes have decisions of. The same episodes and seed give the same
    /// trees.
    ///
    /// # Errors
    /// [`EvalError::NoLabels`] if no mode has candidates with different labels, [`EvalError::Trees`] if the fit fails.
    pub fn fit<'a>(
        episodes: impl IntoIterator<Item = &'a EpisodeObservation>,
        seed: u64,
    ) -> Result<Self, EvalError> {
        Self::grow(episodes, Growth::default(), seed)
    }

    /// [`Self::fit`] with less or more work.
    ///
    /// # Errors
    /// As [`Self::fit`].
    pub fn grow<'a>(
        episodes: impl IntoIterator<Item = &'a EpisodeObservation>,
        growth: Growth,
        seed: u64,
    ) -> Result<Self, EvalError> {
        let episodes: Vec<&EpisodeObservation> = episodes.into_iter().collect();
        let fit = |mode: &Mode| fit_mode(&Rows::of(&episodes, *mode, growth.rows, seed), growth, seed);
        let models: Result<Vec<_>, ForustError> = Mode::ALL.par_iter().map(fit).collect();
        let models = models.map_err(|error| EvalError::Trees(error.to_string()))?;
        if models.iter().all(Option::is_none) {
            return Err(EvalError::NoLabels { episodes: episodes.len() });
        }
        let models = models.try_into().unwrap_or_else(|_| unreachable!("one model a mode"));
        Ok(Self { models, calibrations: BTreeMap::new() })
    }

    /// Whether there is an ensemble for decisions of this mode.
    #[must_use]
    pub fn knows(&self, mode: Mode) -> bool {
        self.models[mode.index()].is_some()
    }

    /// Sets the thresholds of the frozen modes on validation episodes, for data sets of their kind.
    pub fn calibrate(&mut self, observed: &[Observed], counter: &TokenCounter) {
        let scores = self.scores(observed);
        let calibration = Calibration::set(observed, &scores, counter);
        self.calibrations.insert(Kind::of(observed), calibration);
    }

    /// The thresholds for data sets of this kind, if they were set.
    #[must_use]
    pub fn calibration(&self, kind: Kind) -> Option<&Calibration> {
        self.calibrations.get(&kind)
    }

    /// Probabilities of every candidate of every decision, episode by episode; ½ in a mode without trees.
    #[must_use]
    pub fn scores(&self, observed: &[Observed]) -> Vec<Scores> {
        observed.par_iter().map(|observed| self.episode_scores(&observed.observation)).collect()
    }

    /// The same for one episode, decision by decision.
    #[must_use]
    pub fn episode_scores(&self, episode: &EpisodeObservation) -> Vec<Vec<f32>> {
        episode.decisions.iter().map(|decision| self.decision_scores(episode, decision)).collect()
    }

    fn decision_scores(&self, episode: &EpisodeObservation, decision: &Decision) -> Vec<f32> {
        let Some(model) = &self.models[decision.mode.index()] else {
            return vec![0.5; decision.candidates.len()];
        };
        let rows = (0..decision.candidates.len()).map(|at| (episode, decision, at)).collect::<Vec<_>>();
        let inputs = columns(&rows);
        let logits = model.predict(&Matrix::new(&inputs, rows.len(), INPUTS), false);
        logits.into_iter().map(|logit| (1.0 / (1.0 + (-logit).exp())) as f32).collect()
    }
}

/// One candidate: its episode, its decision, and its place there.
type Row<'a> = (&'a EpisodeObservation, &'a Decision, usize);

/// The rows that one ensemble learns from.
struct Rows<'a>(Vec<Row<'a>>);

impl<'a> Rows<'a> {
    /// Candidates of all decisions of a mode, or a random part of about `most`.
    fn of(episodes: &[&'a EpisodeObservation], mode: Mode, most: usize, seed: u64) -> Self {
        let decisions = episodes.iter().flat_map(|episode| {
            let own = episode.decisions.iter();
            own.filter(|decision| decision.mode == mode).map(move |decision| (*episode, decision))
        });
        let rows = decisions.flat_map(|(episode, decision)| {
            (0..decision.candidates.len()).map(move |at| (episode, decision, at))
        });
        let mut rows: Vec<Row<'a>> = rows.collect();
        if rows.len() > most {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let below = (u64::MAX as f64 * (most as f64 / rows.len() as f64)) as u64;
            rows.retain(|_| rng.next_u64() < below);
        }
        Self(rows)
    }

    fn labels(&self) -> Vec<f64> {
        self.0.iter().map(|(_, decision, at)| f64::from(decision.candidates[*at].label)).collect()
    }

    fn weights(&self) -> Vec<f64> {
        self.0.iter().map(|(_, decision, at)| f64::from(decision.candidates[*at].weight)).collect()
    }
}

/// Inputs of rows, column after column.
fn columns(rows: &[Row<'_>]) -> Vec<f64> {
    let mut columns = vec![0.0; rows.len() * INPUTS];
    for (row, (episode, decision, at)) in rows.iter().enumerate() {
        let candidate = &decision.candidates[*at];
        for (column, value) in candidate.features.iter().enumerate() {
            columns[column * rows.len() + row] = f64::from(*value);
        }
        // Turns without text have an empty range, wherever it lies.
        let turn = episode.turns.iter().find(|turn| turn.segments.contains(&candidate.segment));
        if let Some(turn) = turn {
            columns[(FEATURES + turn.role) * rows.len() + row] = 1.0;
        }
    }
    columns
}

fn fit_mode(rows: &Rows<'_>, growth: Growth, seed: u64) -> Result<Option<GradientBooster>, ForustError> {
    let labels = rows.labels();
    if labels.iter().all(|label| *label == labels[0]) {
        return Ok(None);
    }
    let mut model = GradientBooster::default()
        .set_iterations(growth.trees)
        .set_learning_rate(growth.learning_rate)
        .set_max_depth(DEPTH)
        .set_min_leaf_weight(LEAF_WEIGHT)
        .set_sample_method(SampleMethod::Random)
        .set_subsample(ROW_SHARE)
        .set_colsample_bytree(COLUMN_SHARE)
        .set_parallel(false)
        .set_seed(seed);
    let inputs = columns(&rows.0);
    model.fit(&Matrix::new(&inputs, rows.0.len(), INPUTS), &labels, &rows.weights(), None)?;
    Ok(Some(model))
}

#[cfg(test)]
mod tests;
