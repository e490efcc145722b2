//! What can go wrong in an evaluation.

use thiserror::Error;

/// Why an evaluation gave no report.
#[derive(Debug, Error)]
pub enum EvalError {
    /// The policy refused an observation.
    #[error("the coordinator refused an episode")]
    Policy(#[from] lrrc_model::PolicyError),
    /// No episode has a call to replay.
    #[error(
        "{dataset}: none of its {episodes} episodes has a call to replay: an assistant turn or a query with evidence"
    )]
    NoCalls {
        /// The data set.
        dataset: String,
        /// Episodes read.
        episodes: usize,
    },
    /// No episode has a call that a gate could judge.
    #[error(
        "{dataset}: none of its {episodes} episodes has a call that could be skipped; queries, and answers of two rival models, are none"
    )]
    NoGatedCalls {
        /// The data set.
        dataset: String,
        /// Episodes read.
        episodes: usize,
    },
    /// No two-model episode with a verdict on one of the sides.
    #[error(
        "no two-model episode with a verdict: {train} to fit the lines on, {held_out} to predict; both sides need some"
    )]
    NoWinners {
        /// On the training side.
        train: usize,
        /// Among the held-out episodes.
        held_out: usize,
    },
    /// A budget outside (0, 1).
    #[error("budget {0} is not a share between 0 and 1")]
    Budget(f64),
    /// Nothing to learn from.
    #[error("{episodes} episodes to fit trees on have no decision whose candidates differ in their label")]
    NoLabels {
        /// Episodes given.
        episodes: usize,
    },
    /// The trees could not be fitted.
    #[error("the trees could not be fitted: {0}")]
    Trees(String),
    /// Resampling failed.
    #[error("intervals could not be computed")]
    Stats(#[from] crate::stats::StatsError),
    /// A figure could not be drawn.
    #[error("a figure could not be drawn")]
    Plot(#[from] crate::plot::PlotError),
}
