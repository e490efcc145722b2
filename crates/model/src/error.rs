//! What can go wrong between a configuration, a checkpoint folder and a model.

use std::path::PathBuf;

/// A configuration that no model can have.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("model.{key} = {value}: {rule}")]
pub struct ConfigError {
    /// Key within the `[model]` table.
    pub key: &'static str,
    /// The value given.
    pub value: String,
    /// The bound it breaks, with the numbers of this configuration.
    pub rule: String,
}

/// Failure to write or read a checkpoint folder.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is there but is not what its name says.
    #[error("{path}: {reason}", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder was written by another version of the format.
    #[error("{path}: checkpoint format {found}, but this build reads format {expected}", path = path.display())]
    Version {
        /// The metadata file.
        path: PathBuf,
        /// Version in the file.
        found: u32,
        /// Version this build reads.
        expected: u32,
    },
    /// The featuriser of this build has another width than the one the model was trained with.
    #[error("{path}: trained with {found} features per candidate, but this build computes {expected}", path = path.display())]
    Features {
        /// The metadata file.
        path: PathBuf,
        /// Width in the file.
        found: usize,
        /// Width of this build.
        expected: usize,
    },
    /// The featuriser of this build gives the call gate another width than the one it was trained with.
    #[error("{path}: call gate trained with {found} features, but this build computes {expected}", path = path.display())]
    CallFeatures {
        /// The metadata file.
        path: PathBuf,
        /// Width in the file.
        found: usize,
        /// Width of this build.
        expected: usize,
    },
    /// The featuriser of this build has another number of numbers of a rival than the winner head was trained with.
    #[error("{path}: trained with {found} numbers per rival, but this build computes {expected}", path = path.display())]
    RivalFeatures {
        /// The metadata file.
        path: PathBuf,
        /// Width in the file.
        found: usize,
        /// Width of this build.
        expected: usize,
    },
    /// The weights are not the ones the metadata was written for.
    #[error("{path}: weights hash {found}, but meta.json records {expected}; the file is damaged or was replaced", path = path.display())]
    Hash {
        /// The weights file.
        path: PathBuf,
        /// Hash of the file on disk.
        found: String,
        /// Hash in the metadata.
        expected: String,
    },
    /// A tensor is missing, unknown or of another shape than the configuration asks for.
    #[error("{path}: tensor `{tensor}`: {reason}", path = path.display())]
    Tensor {
        /// The weights file.
        path: PathBuf,
        /// Path of the parameter within the model.
        tensor: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The configuration in the folder is impossible.
    #[error("{path}: {source}", path = path.display())]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// The broken rule.
        source: ConfigError,
    },
}

/// A request that the policy cannot answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A decision names a segment that no turn has brought.
    #[error("segment {index} is asked for, but the state holds {len} segments")]
    Segment {
        /// Index asked for.
        index: usize,
        /// Segments in the state.
        len: usize,
    },
    /// An agent row is out of range.
    #[error("agent row {index} is asked for, but there are {len}")]
    Agent {
        /// Row asked for.
        index: usize,
        /// Number of rows.
        len: usize,
    },
    /// An episode contradicts itself.
    #[error("episode `{id}`: {reason}")]
    Episode {
        /// Its identifier.
        id: String,
        /// The contradiction, with the numbers.
        reason: String,
    },
}
