//! One Parquet file of episodes: written whole or not at all, read a row group at a time.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use lrrc_episode::Episode;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::DatasetError;
use crate::error::FieldFault;
use crate::schema::{self, Mismatch};

/// Most episodes of a row group, which is what a reader holds in memory.
pub const GROUP_EPISODES: usize = 256;
/// Most text of a row group in bytes, before compression.
pub const GROUP_BYTES: usize = 32 << 20;
/// Level of the zstd compression.
const ZSTD_LEVEL: i32 = 9;

/// What the manifest says of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardInfo {
    /// File name within the folder of the data set.
    pub file: String,
    /// BLAKE3 of the file, in hexadecimal.
    pub blake3: String,
    /// Size of the file.
    pub bytes: u64,
    /// Episodes in it.
    pub episodes: u64,
    /// Turns in it.
    pub turns: u64,
    /// Annotated tokens in it.
    pub tokens: u64,
}

/// Writes episodes to a temporary name; [`ShardWriter::finish`] gives the file its own.
#[derive(Debug)]
pub struct ShardWriter {
    path: PathBuf,
    writer: ArrowWriter<NamedTempFile>,
    pending: Vec<Episode>,
    pending_bytes: usize,
    written: [u64; 3],
}

impl ShardWriter {
    /// Starts a shard that will stand at `path`.
    ///
    /// # Errors
    /// [`DatasetError::Io`] if the folder cannot be written to.
    pub fn create(path: &Path) -> Result<Self, DatasetError> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = NamedTempFile::with_suffix_in(".tmp", folder).map_err(DatasetError::io(path))?;
        let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(DatasetError::parquet(path))?;
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
        let writer = ArrowWriter::try_new(file, schema::schema(), Some(properties))
            .map_err(DatasetError::parquet(path))?;
        Ok(Self { path: path.to_owned(), writer, pending: Vec::new(), pending_bytes: 0, written: [0; 3] })
    }

    /// Appends an episode.
    ///
    /// # Errors
    /// [`DatasetError::Io`] or [`DatasetError::Parquet`] if the disk refuses.
    pub fn push(&mut self, episode: Episode) -> Result<(), DatasetError> {
        self.written[0] += 1;
        self.written[1] += episode.turns.len() as u64;
        self.written[2] += episode.total_tokens();
        self.pending_bytes += text_bytes(&episode);
        self.pending.push(episode);
        if self.pending.len() >= GROUP_EPISODES || self.pending_bytes >= GROUP_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), DatasetError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let as_parquet =
            |error| DatasetError::parquet(&self.path)(parquet::errors::ParquetError::from(error));
        let batch = schema::encode(&self.pending).map_err(as_parquet)?;
        self.writer.write(&batch).map_err(DatasetError::parquet(&self.path))?;
        self.writer.flush().map_err(DatasetError::parquet(&self.path))?;
        self.pending.clear();
        self.pending_bytes = 0;
        Ok(())
    }

    /// Completes the file: footer, fsync, rename.
    ///
    /// # Errors
    /// [`DatasetError::Io`] or [`DatasetError::Parquet`] if the disk refuses; the file is then not there at all.
    pub fn finish(mut self) -> Result<ShardInfo, DatasetError> {
        self.flush()?;
        let file = self.writer.into_inner().map_err(DatasetError::parquet(&self.path))?;
        let bytes = persist(file, &self.path)?;
        let [episodes, turns, tokens] = self.written;
        let name = self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(ShardInfo { file: name, blake3: hash_file(&self.path)?, bytes, episodes, turns, tokens })
    }
}

/// Makes a temporary file durable under its own name, readable like any other file; returns its size.
pub(crate) fn persist(file: NamedTempFile, path: &Path) -> Result<u64, DatasetError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let readable = std::fs::Permissions::from_mode(0o644);
        file.as_file().set_permissions(readable).map_err(DatasetError::io(path))?;
    }
    file.as_file().sync_all().map_err(DatasetError::io(path))?;
    let bytes = file.as_file().metadata().map_err(DatasetError::io(path))?.len();
    file.persist(path).map_err(|error| DatasetError::io(path)(error.error))?;
    Ok(bytes)
}

/// BLAKE3 of a file, in hexadecimal.
///
/// # Errors
/// [`DatasetError::Io`] if it cannot be read.
pub fn hash_file(path: &Path) -> Result<String, DatasetError> {
    let mut hasher = blake3::Hasher::new();
    let file = File::open(path).map_err(DatasetError::io(path))?;
    hasher.update_reader(file).map_err(DatasetError::io(path))?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// Bytes of all text of an episode.
fn text_bytes(episode: &Episode) -> usize {
    let turns = episode.turns.iter().map(|turn| {
        turn.content.len()
            + turn.tool_calls.iter().map(|call| call.name.len() + call.arguments.len()).sum::<usize>()
    });
    turns.sum::<usize>()
        + episode.queries.iter().map(|query| query.text.len() + query.answer.len()).sum::<usize>()
}

/// An episode with its row, from 1, or the fault of that row.
pub(crate) type Item = (u64, Result<Episode, FieldFault>);

/// Reads the episodes of a shard in order.
#[derive(Debug)]
pub(crate) struct ShardReader {
    path: PathBuf,
    batches: ParquetRecordBatchReader,
    batch: Option<RecordBatch>,
    next: usize,
    row: u64,
}

impl ShardReader {
    /// Opens a shard after comparing its schema.
    pub(crate) fn open(path: &Path) -> Result<Self, DatasetError> {
        let file = File::open(path).map_err(DatasetError::io(path))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(DatasetError::parquet(path))?;
        schema::compare(builder.schema()).map_err(|mismatch| refused(path, mismatch))?;
        let batches =
            builder.with_batch_size(GROUP_EPISODES / 4).build().map_err(DatasetError::parquet(path))?;
        Ok(Self { path: path.to_owned(), batches, batch: None, next: 0, row: 0 })
    }

    /// The next episode with its row, from 1.
    pub(crate) fn next(&mut self) -> Option<Result<Item, DatasetError>> {
        loop {
            if let Some(batch) = self.batch.as_ref().filter(|batch| self.next < batch.num_rows()) {
                let episode = schema::decode(batch, self.next);
                self.next += 1;
                self.row += 1;
                return Some(Ok((self.row, episode)));
            }
            match self.batches.next()? {
                Ok(batch) => (self.batch, self.next) = (Some(batch), 0),
                Err(error) => return Some(Err(DatasetError::parquet(&self.path)(error.into()))),
            }
        }
    }
}

fn refused(path: &Path, mismatch: Mismatch) -> DatasetError {
    let file = path.to_owned();
    match mismatch {
        Mismatch::Foreign => {
            DatasetError::SchemaVersion { file, found: "none".to_owned(), supported: schema::VERSION }
        }
        Mismatch::Version(found) => DatasetError::SchemaVersion { file, found, supported: schema::VERSION },
        Mismatch::Column { field, expected, found } => {
            DatasetError::ColumnType { file, field, expected, found }
        }
    }
}
