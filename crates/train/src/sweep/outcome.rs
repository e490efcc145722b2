//! How a trial ended.

use serde::{Deserialize, Serialize};

/// How a trial ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It ran to its end.
    Done,
    /// It had run to its end before.
    Skipped,
    /// It was stopped and can be gone on with.
    Interrupted,
    /// It failed, with the message.
    Failed(String),
}

/// What `trial.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialRecord {
    /// Name of the trial.
    pub name: String,
    /// Name of its arm.
    pub arm: String,
    /// Seed of the weights.
    pub seed: u64,
    /// The fold that was held out.
    pub fold: usize,
    /// Hash of everything that the outcome depends on: configuration and budgets.
    pub fingerprint: String,
    /// The message, if it failed.
    pub error: Option<String>,
    /// Seconds it took, with other trials beside it.
    pub seconds: f64,
    /// Rank of the model; none for an arm without one.
    pub rank: Option<usize>,
    /// Parameters of the model.
    pub parameters: Option<usize>,
    /// Optimizer steps.
    pub steps: Option<u64>,
    /// The epoch with the best validation figure, from 1.
    pub best_epoch: Option<usize>,
    /// Hash of the last weights.
    pub weights_hash: Option<String>,
}
