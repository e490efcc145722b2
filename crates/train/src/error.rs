//! Why a training run does not start, or stops.

use std::path::PathBuf;

use lrrc_dataset::{DatasetError, SplitError};
use lrrc_model::{DeviceError, PolicyError, RecordError};

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {reason}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The text is not TOML, or a value has the wrong type.
    #[error("{place}: {message}")]
    Syntax {
        /// File and line, or the override.
        place: String,
        /// What the parser said.
        message: String,
    },
    /// A key that means nothing.
    #[error("{place}: unknown key `{key}`{}", hint.as_ref().map(|hint| format!("; did you mean `{hint}`?")).unwrap_or_default())]
    UnknownKey {
        /// File and line, or the override.
        place: String,
        /// The key with its table.
        key: String,
        /// The nearest known key.
        hint: Option<String>,
    },
    /// An override that is not `table.key=value`.
    #[error("--set {text}: expected table.key=value, for example model.rank=8")]
    Override {
        /// The override.
        text: String,
    },
    /// A value out of bounds.
    #[error("{key} = {value}: {rule}")]
    Value {
        /// The key with its table.
        key: String,
        /// Its value.
        value: String,
        /// The bound, with the numbers of this configuration.
        rule: String,
    },
    /// An impossible model.
    #[error(transparent)]
    Model(#[from] lrrc_model::ConfigError),
}

/// Why a training run does not start, or stops.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The device cannot be used.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The data cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The data cannot be split.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// A side of the split has nothing to offer.
    #[error("the {side} split is empty: {reason}")]
    Empty {
        /// `train` or `validation`.
        side: &'static str,
        /// How it came about.
        reason: String,
    },
    /// An episode contradicts itself.
    #[error(transparent)]
    Episode(#[from] PolicyError),
    /// The thresholds of the frozen modes could not be set.
    #[error("the checkpoint could not be calibrated")]
    Calibrate(#[from] lrrc_eval::EvalError),
    /// A checkpoint cannot be written or read.
    #[error("{source}{hint}")]
    Record {
        /// What failed.
        source: RecordError,
        /// What is still there.
        hint: String,
    },
    /// A file of the run cannot be written or read.
    #[error("{path}: {source}{hint}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
        /// What is still there.
        hint: String,
    },
    /// The loss or its gradient is not a number.
    #[error(
        "{what} is {value} at step {step} (epoch {epoch}) on episodes {episodes:?}; the weights before this step are in {saved}",
        saved = saved.display()
    )]
    NotFinite {
        /// `loss` or `gradient norm`.
        what: &'static str,
        /// NaN or infinity.
        value: f64,
        /// Step.
        step: u64,
        /// Epoch, from 1.
        epoch: usize,
        /// Ids of the batch.
        episodes: Vec<String>,
        /// Folder of the saved state.
        saved: PathBuf,
    },
    /// A sweep, or what its folders hold, cannot be used.
    #[error("{reason}")]
    Sweep {
        /// Why.
        reason: String,
    },
    /// There is nothing to resume.
    #[error("cannot resume: {reason}")]
    Resume {
        /// Why.
        reason: String,
    },
}

impl From<RecordError> for TrainError {
    fn from(source: RecordError) -> Self {
        Self::Record { source, hint: String::new() }
    }
}
