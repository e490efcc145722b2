//! What can go wrong between a file and an episode. Every fault of a row names file, row and field.

use std::path::{Path, PathBuf};

use lrrc_episode::check::Fault;
use thiserror::Error;

use crate::hub::HubError;
use crate::split::SplitError;

/// A data set cannot be read or written.
#[derive(Debug, Error)]
pub enum DatasetError {
    /// The file system refused.
    #[error("{file}: {source}")]
    Io {
        /// The file.
        file: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// One row is at fault; the rows around it may be sound.
    #[error("{file}: row {row}, field `{field}`: {fault}")]
    Row {
        /// The file.
        file: PathBuf,
        /// The row or line, from 1.
        row: u64,
        /// Path of the field within the row, such as `turns[3].content`.
        field: String,
        /// What is wrong with it.
        fault: RowFault,
    },
    /// The file is not Parquet, or is cut off.
    #[error("{file}: not a whole Parquet file: {source}")]
    Parquet {
        /// The file.
        file: PathBuf,
        /// What the Parquet library said.
        source: parquet::errors::ParquetError,
    },
    /// A column has another type than the schema says.
    #[error("{file}: row 1, field `{field}`: the column is {found}, not {expected}")]
    ColumnType {
        /// The file.
        file: PathBuf,
        /// Name of the column.
        field: String,
        /// Type that the schema asks for.
        expected: String,
        /// Type in the file, `missing` if there is no such column.
        found: String,
    },
    /// The file was written by another version of this program.
    #[error("{file}: episodes of schema version {found}, this program reads version {supported}")]
    SchemaVersion {
        /// The file.
        file: PathBuf,
        /// Version in the file.
        found: String,
        /// The version this program reads.
        supported: u32,
    },
    /// The manifest does not parse.
    #[error("{file}: {message}")]
    Manifest {
        /// The file.
        file: PathBuf,
        /// Where and why, as the TOML library says it.
        message: String,
    },
    /// A shard is not the one that the manifest describes.
    #[error("{file}: BLAKE3 {found}, but the manifest says {expected}")]
    HashMismatch {
        /// The shard.
        file: PathBuf,
        /// Hash in the manifest.
        expected: String,
        /// Hash of the file.
        found: String,
    },
    /// The format of the file cannot be told.
    #[error("{file}: cannot tell the format from the fields {seen}")]
    UnknownFormat {
        /// The file.
        file: PathBuf,
        /// Fields of the first row.
        seen: String,
    },
    /// Neither a path nor the name of a shipped data set.
    #[error("{name}: neither a file nor a shipped data set")]
    NotFound {
        /// What was asked for.
        name: String,
        /// The shipped names.
        known: Vec<String>,
    },
    /// The target folder already holds a data set.
    #[error("{folder}: already holds a data set")]
    Occupied {
        /// The folder.
        folder: PathBuf,
    },
    /// Every row was skipped, or there was none.
    #[error("{file}: no episode to write")]
    NothingToWrite {
        /// The source.
        file: PathBuf,
    },
    /// The split is impossible.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The Hugging Face hub refused.
    #[error(transparent)]
    Hub(#[from] HubError),
}

/// What is wrong with one field of one row.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RowFault {
    /// The line is not JSON.
    #[error("not JSON: {0}")]
    InvalidJson(String),
    /// The bytes are not text.
    #[error("invalid UTF-8 at byte {at} of the row")]
    InvalidUtf8 {
        /// Offset within the row.
        at: usize,
    },
    /// The row is too long to be read into memory.
    #[error("a row of more than {bytes_max} bytes")]
    RowTooLong {
        /// The limit.
        bytes_max: usize,
    },
    /// The field is needed and absent.
    #[error("missing")]
    Missing,
    /// The field has another type.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// The type needed.
        expected: &'static str,
        /// The type found.
        found: &'static str,
    },
    /// The field has a value that means nothing here.
    #[error("{found:?} is not one of {expected}")]
    UnknownValue {
        /// The values that mean something.
        expected: &'static str,
        /// The value found.
        found: String,
    },
    /// A tool result refers to a call that was never made.
    #[error("the result of call {id:?}, which no earlier message makes")]
    ResultWithoutCall {
        /// The call it refers to, empty if it names none.
        id: String,
    },
    /// Two fields that must agree do not.
    #[error("differs from {other}")]
    Differs {
        /// The other field.
        other: String,
    },
    /// An earlier row has the same identifier.
    #[error("{id:?} is also the id of row {first}")]
    DuplicateId {
        /// The identifier.
        id: String,
        /// The earlier row, from 1, counted over all files of the data set.
        first: u64,
    },
    /// The episode breaks a law.
    #[error("{0}")]
    Law(Fault),
}

impl DatasetError {
    /// Wraps an error of the file system.
    pub(crate) fn io(file: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { file: file.to_owned(), source }
    }

    /// Wraps an error of the Parquet library.
    pub(crate) fn parquet(file: &Path) -> impl FnOnce(parquet::errors::ParquetError) -> Self + '_ {
        move |source| Self::Parquet { file: file.to_owned(), source }
    }

    /// Whether only one row is at fault, so that `skip_bad` may pass over it.
    #[must_use]
    pub fn is_row(&self) -> bool {
        matches!(self, Self::Row { .. })
    }

    /// What the user can do about it, where that can be said.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Row { file, row, .. } => Some(format!(
                "look at row {row} of {}; --skip-bad passes over such rows, counts and lists them",
                file.display()
            )),
            Self::Parquet { .. } => {
                Some("the file is damaged or cut off: fetch or import it again".to_owned())
            }
            Self::ColumnType { .. } => {
                Some("rename or cast the column, or pass the right --format".to_owned())
            }
            Self::SchemaVersion { .. } => {
                Some("import the source again, or use the program that wrote the file".to_owned())
            }
            Self::Manifest { .. } => Some("correct the manifest, or import the source again".to_owned()),
            Self::HashMismatch { .. } => {
                Some("the shard was changed after its import: import it again".to_owned())
            }
            Self::UnknownFormat { .. } => {
                Some("pass --format: arena, trajectory, evidence, openai or episodes".to_owned())
            }
            Self::NotFound { known, .. } if known.is_empty() => {
                Some("no folder `datasets` stands here or above; LRRC_DATASETS may name one".to_owned())
            }
            Self::NotFound { known, .. } => Some(format!("shipped data sets: {}", known.join(", "))),
            Self::Occupied { .. } => Some("choose another folder, or pass --overwrite".to_owned()),
            Self::Hub(error) => Some(error.help()),
            Self::Io { .. } | Self::NothingToWrite { .. } | Self::Split(_) => None,
        }
    }
}

/// A fault within a row, before file and row are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldFault {
    /// Path of the field, empty for the row as a whole.
    pub(crate) field: String,
    pub(crate) fault: RowFault,
}

impl FieldFault {
    pub(crate) fn new(field: impl Into<String>, fault: RowFault) -> Self {
        Self { field: field.into(), fault }
    }

    /// The same fault seen from the object that holds the field as `outer`.
    pub(crate) fn inside(self, outer: &str) -> Self {
        let dot = if self.field.is_empty() || self.field.starts_with('[') { "" } else { "." };
        Self { field: format!("{outer}{dot}{}", self.field), ..self }
    }

    pub(crate) fn at(self, file: &Path, row: u64) -> DatasetError {
        let field = if self.field.is_empty() { "(whole row)".to_owned() } else { self.field };
        DatasetError::Row { file: file.to_owned(), row, field, fault: self.fault }
    }
}

impl From<Fault> for FieldFault {
    fn from(fault: Fault) -> Self {
        Self { field: fault.field(), fault: RowFault::Law(fault) }
    }
}
