//! Which format a file has, told from its ending and its fields.

use std::fmt;
use std::fs::File;
use std::path::Path;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::rows::Rows;
use super::{arena, evidence, openai, trajectory};
use crate::DatasetError;
use crate::schema::VERSION_KEY;

/// A source format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Parquet shards of this program.
    Episodes,
    /// Chatbot-Arena rows, JSONL or Parquet.
    Arena,
    /// `traj_*` JSONL.
    Trajectory,
    /// `evidence_*` JSONL.
    Evidence,
    /// Logs of chat-completions requests and replies, JSONL.
    OpenAi,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Episodes, Self::Arena, Self::Trajectory, Self::Evidence, Self::OpenAi];

    /// Lower-case name, as on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Episodes => "episodes",
            Self::Arena => "arena",
            Self::Trajectory => "trajectory",
            Self::Evidence => "evidence",
            Self::OpenAi => "openai",
        }
    }

    /// The format with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Tells the format of a file from its ending and its columns, or the fields of its first row.
    ///
    /// # Errors
    /// [`DatasetError::UnknownFormat`] with the fields seen; [`DatasetError::Parquet`] and [`DatasetError::Io`] if
    /// the file cannot be read.
    pub fn detect(path: &Path) -> Result<Self, DatasetError> {
        let (fields, ours) =
            if is_parquet(path) { parquet_columns(path)? } else { (first_row(path)?, false) };
        if ours {
            return Ok(Self::Episodes);
        }
        let has = |name: &str| fields.iter().any(|field| field == name);
        if arena::matches(has) {
            Ok(Self::Arena)
        } else if evidence::matches(has) {
            Ok(Self::Evidence)
        } else if trajectory::matches(has) {
            Ok(Self::Trajectory)
        } else if openai::matches(has) {
            Ok(Self::OpenAi)
        } else {
            let seen = if fields.is_empty() { "(none)".to_owned() } else { fields.join(", ") };
            Err(DatasetError::UnknownFormat { file: path.to_owned(), seen })
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Whether the ending says Parquet.
pub(crate) fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"))
}

fn parquet_columns(path: &Path) -> Result<(Vec<String>, bool), DatasetError> {
    let file = File::open(path).map_err(DatasetError::io(path))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(DatasetError::parquet(path))?;
    let schema = builder.schema();
    let names = schema.fields().iter().map(|field| field.name().clone()).collect();
    Ok((names, schema.metadata().contains_key(VERSION_KEY)))
}

/// Fields of the first row that parses, among the first hundred.
fn first_row(path: &Path) -> Result<Vec<String>, DatasetError> {
    const PATIENCE: usize = 100;
    let mut rows = Rows::lines(path)?;
    for _ in 0..PATIENCE {
        match rows.next(path).transpose()? {
            Some((_, Ok(object))) => return Ok(object.keys().cloned().collect()),
            Some((_, Err(_))) => {}
            None => break,
        }
    }
    Ok(Vec::new())
}
