//! What all trials of a sweep say together: curves with intervals, comparisons, prices, calls, winners, claims.
//!
//! Counts are pooled over the held-out folds, a mean over seeds for each episode first; intervals resample groups.
//! Where a trial keeps a ratio instead of counts (prices, calls, winners), the figure is the mean over folds, each
//! held out under a seed of its own, with Student's interval over the folds.

mod claims;
mod collect;
mod compare;

use serde::{Deserialize, Serialize};

pub use crate::stats::Figure;
pub use collect::{About, Part, TrialFigures, Verdicts, collect};

/// Version of the file format.
pub const STUDY_VERSION: u32 = 2;

/// Everything a sweep found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Study {
    /// Version of the format.
    pub version: u32,
    /// Name of the sweep.
    pub name: String,
    /// The arm that the comparisons and the ledger are about.
    pub main: String,
    /// Folds of the group k-fold.
    pub folds: usize,
    /// What was trained or run.
    pub arms: Vec<ArmSummary>,
    /// Curves of every method of every arm on every data set.
    pub curves: Vec<Curve>,
    /// Tests between methods.
    pub comparisons: Vec<Comparison>,
    /// Prices under provider caches.
    pub prices: Vec<PriceLine>,
    /// What the call gate and its rivals would skip.
    pub calls: Vec<NamedFigures>,
    /// Agreement with human votes.
    pub winners: Vec<NamedFigures>,
    /// What a dropped segment cost, examples.
    pub failures: Vec<Failure>,
    /// Epochs of the training runs of one arm.
    pub training: Vec<EpochPoint>,
    /// The bound C that every entry of the state must keep.
    pub state_bound: f64,
    /// The data sets.
    pub datasets: Vec<DatasetFacts>,
    /// Paper against measurement.
    pub claims: Vec<Claim>,
}

impl Study {
    /// Reads a study.
    ///
    /// # Errors
    /// JSON of another form or version.
    pub fn from_json(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Header {
            version: u32,
        }
        let Header { version } = serde_json::from_slice(bytes)?;
        if version == STUDY_VERSION {
            serde_json::from_slice(bytes)
        } else {
            let fault = format!("study of version {version}, this program reads {STUDY_VERSION}");
            Err(serde::de::Error::custom(fault))
        }
    }
}

/// One arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmSummary {
    /// Its name.
    pub name: String,
    /// Rank, where it has a model.
    pub rank: Option<usize>,
    /// Parameters of the model.
    pub parameters: Option<usize>,
    /// Median milliseconds that the decoder takes for one turn on one core.
    pub step_ms: Option<f64>,
    /// Trials done.
    pub trials: usize,
    /// Mean seconds of a trial.
    pub seconds: f64,
}

/// One method of one arm on one data set over all budgets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// The data set.
    pub dataset: String,
    /// The arm.
    pub arm: String,
    /// The method, such as `lrrc-once` or `coverage`.
    pub method: String,
    /// Episodes, groups, and seeds that an episode was held out under.
    pub episodes: usize,
    /// Groups behind the intervals.
    pub groups: usize,
    /// Seeds behind each episode.
    pub seeds: f64,
    /// One entry a budget, the smallest share first.
    pub points: Vec<CurvePoint>,
    /// Largest removal with everything good; `None` where no budget is, or where the data have no such labels.
    pub all_good: Option<Figure>,
}

/// Figures at one budget, as fractions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Share of the history that was to be kept.
    pub keep: f64,
    /// Share of the history that was really removed.
    pub removed: f64,
    /// Share of all tokens saved.
    pub saved: Figure,
    /// Argument values kept.
    pub args: Option<Figure>,
    /// Argument values kept with their company.
    pub bound: Option<f64>,
    /// Answer values kept.
    pub answers: Option<f64>,
    /// Content words kept.
    pub words: Option<f64>,
    /// Episodes that lost no argument value.
    pub replay: Option<f64>,
    /// Gold evidence kept.
    pub evidence: Option<Figure>,
    /// Whether bound recall, answer values, content words and replay all reach their marks.
    pub is_good: bool,
}

/// A test of one method against another on the same episodes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The data set.
    pub dataset: String,
    /// What is compared: `args` or `evidence`.
    pub metric: String,
    /// Share of the history that was to be kept.
    pub keep: f64,
    /// Arm and method of the first side.
    pub a: String,
    /// Arm and method of the second side.
    pub b: String,
    /// Why it was made; Holm's adjustment is over the comparisons of one family.
    pub family: String,
    /// Figure of a − figure of b, cluster bootstrap.
    pub difference: Figure,
    /// Groups with a difference.
    pub groups: usize,
    /// Two-sided p of the paired t-test over groups.
    pub p_t: Option<f64>,
    /// Two-sided p of Wilcoxon's test over groups.
    pub p_wilcoxon: Option<f64>,
    /// Holm's adjustment of the p of the paired t-test.
    pub p_holm: Option<f64>,
    /// Cohen's d_z over groups.
    pub d_z: Option<f64>,
    /// Two-sided p of McNemar's exact test on replayable episodes.
    pub p_mcnemar: Option<f64>,
    /// One-sided p of inferiority by more than one point.
    pub p_inferior: Option<f64>,
}

/// Price of a strategy at a budget relative to pass-through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PriceLine {
    /// The sessions that were priced.
    pub sessions: String,
    /// The strategy.
    pub strategy: String,
    /// Share of the history that was to be kept.
    pub keep: Option<f64>,
    /// Provider and price of all input.
    pub input: Vec<(String, Figure)>,
    /// Provider and price of all input and output.
    pub with_output: Vec<(String, Figure)>,
    /// Share of the history sent.
    pub history_sent: f64,
    /// Argument values kept.
    pub args: Option<Figure>,
}

/// A row of figures by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NamedFigures {
    /// The data set.
    pub dataset: String,
    /// The arm it was measured with.
    pub arm: String,
    /// What the row is about.
    pub name: String,
    /// Heading and figure, in order.
    pub figures: Vec<(String, Figure)>,
}

/// A value that a later call needed and no longer saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The episode.
    pub episode: String,
    /// Turn of the call that needed it.
    pub call: usize,
    /// Share of the history that was to be kept.
    pub keep: f64,
    /// The value.
    pub value: String,
    /// Its newest place: turn, speaker's role, and the text around it.
    pub turn: usize,
    /// Role of the speaker.
    pub role: String,
    /// The sentence or record, with the dropped segment between ⟦ and ⟧.
    pub text: String,
    /// Score of the segment, and how many candidates of the decision scored higher.
    pub score: f64,
    /// Candidates that scored higher.
    pub above: usize,
    /// Candidates in all.
    pub candidates: usize,
}

/// One epoch of one training run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochPoint {
    /// Seed of the run.
    pub seed: u64,
    /// Epoch, from 1.
    pub epoch: usize,
    /// Mean training loss of the scores.
    pub train_loss: f64,
    /// Validation loss of the scores.
    pub validation_loss: f64,
    /// Largest |entry| of the state.
    pub state_max: f64,
    /// Largest Frobenius norm of the state.
    pub state_norm: f64,
    /// Mean gate, closed channels counting 0.
    pub gate_mean: f64,
}

/// What a data set holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetFacts {
    /// Its name.
    pub name: String,
    /// Its licence.
    pub licence: String,
    /// Episodes.
    pub episodes: usize,
    /// Groups.
    pub groups: usize,
    /// Turns.
    pub turns: usize,
    /// Tokens of all turns.
    pub tokens: u64,
    /// Tokens of each turn, in bins: upper ends and counts.
    pub turn_tokens: Vec<(u32, usize)>,
}

/// A sentence of the paper, or of ours, against what was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The sentence.
    pub claim: String,
    /// What the paper says.
    pub paper: String,
    /// What was measured.
    pub ours: String,
    /// Its interval, where it has one.
    pub interval: Option<[f64; 2]>,
    /// Holds, refuted, or not tested, and why.
    pub verdict: String,
}

#[cfg(test)]
mod tests;
