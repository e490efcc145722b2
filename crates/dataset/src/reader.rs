//! Any source of episodes, opened by one call: a shipped name, a folder, a shard, or a JSONL of a known format.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lrrc_episode::check::{Limits, check};
use lrrc_episode::{Encoding, Episode, TokenCounter};

use crate::DatasetError;
use crate::annotate::annotate;
use crate::error::{FieldFault, RowFault};
use crate::import::{Defaults, Format, Source};
use crate::manifest::{MANIFEST_FILE, Manifest};
use crate::shard::hash_file;
use crate::split::{Split, SplitSpec};

/// Environment variable that names the folder of shipped data sets.
pub const DATASETS_VARIABLE: &str = "LRRC_DATASETS";

/// Most skipped rows that are listed; all are counted.
pub const SKIPPED_LISTED_MAX: usize = 1_000;

/// How to read.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// Pass over faulty rows instead of stopping at the first.
    pub skip_bad: bool,
    /// The format, where it is not to be guessed.
    pub format: Option<Format>,
    /// What a row that does not say gets.
    pub defaults: Defaults,
    /// Limits of an episode.
    pub limits: Limits,
    /// Count every turn anew instead of only those without a count.
    pub recount: bool,
    /// Counter to share; a new one of cl100k_base if there is none.
    pub counter: Option<Arc<TokenCounter>>,
}

/// What was passed over.
#[derive(Debug, Default)]
pub struct SkipReport {
    /// Episodes read.
    pub read: u64,
    /// Faulty rows passed over.
    pub skipped: u64,
    /// The first [`SKIPPED_LISTED_MAX`] of them.
    pub listed: Vec<DatasetError>,
}

/// A source of episodes.
#[derive(Debug)]
pub struct Dataset {
    name: String,
    files: Vec<PathBuf>,
    manifest: Option<Manifest>,
    options: ReadOptions,
}

impl Dataset {
    /// Opens a path (folder with a manifest, Parquet, JSONL) or, if there is none, a shipped data set of that name:
    /// one in the folder that `LRRC_DATASETS` names, or in `datasets/` of the current folder or one above.
    ///
    /// # Errors
    /// [`DatasetError::NotFound`], and for a folder [`DatasetError::Manifest`], [`DatasetError::SchemaVersion`] or
    /// [`DatasetError::HashMismatch`].
    pub fn open(at: &str, options: &ReadOptions) -> Result<Self, DatasetError> {
        let path = Path::new(at);
        if path.is_file() {
            return Ok(Self::of_files(vec![path.to_owned()], options));
        }
        if path.join(MANIFEST_FILE).is_file() {
            return Self::of_folder(path, options);
        }
        match shipped_folder(at) {
            Some(folder) => Self::of_folder(&folder, options),
            None => Err(DatasetError::NotFound { name: at.to_owned(), known: shipped() }),
        }
    }

    /// The rows of these files, one file after the other.
    #[must_use]
    pub fn of_files(files: Vec<PathBuf>, options: &ReadOptions) -> Self {
        let name = files
            .first()
            .and_then(|file| file.file_stem())
            .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Self { name, files, manifest: None, options: options.clone() }
    }

    fn of_folder(folder: &Path, options: &ReadOptions) -> Result<Self, DatasetError> {
        let manifest = Manifest::read(folder)?;
        let mut files = Vec::with_capacity(manifest.shards.len());
        for shard in &manifest.shards {
            let file = folder.join(&shard.file);
            let found = hash_file(&file)?;
            if found != shard.blake3 {
                return Err(DatasetError::HashMismatch { file, expected: shard.blake3.clone(), found });
            }
            files.push(file);
        }
        let options = ReadOptions { format: Some(Format::Episodes), ..options.clone() };
        Ok(Self { name: manifest.name.clone(), files, manifest: Some(manifest), options })
    }

    /// Name in the manifest, or the stem of the first file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The manifest, if the source is a folder.
    #[must_use]
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// The files that are read, in order.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The split of the manifest, or the default one.
    #[must_use]
    pub fn split_spec(&self) -> SplitSpec {
        self.manifest.as_ref().map_or_else(SplitSpec::default, |manifest| manifest.split)
    }

    /// One hash for the content of all files, in hexadecimal.
    ///
    /// # Errors
    /// [`DatasetError::Io`] if a file cannot be read.
    pub fn data_hash(&self) -> Result<String, DatasetError> {
        if let Some(manifest) = &self.manifest {
            return Ok(manifest.data_hash());
        }
        let mut hasher = blake3::Hasher::new();
        for file in &self.files {
            hasher.update(hash_file(file)?.as_bytes());
        }
        Ok(hasher.finalize().to_hex().to_string())
    }

    /// Streams the episodes: checked, with distinct ids, every turn counted.
    #[must_use]
    pub fn episodes(&self) -> Episodes {
        let counter = self.options.counter.clone();
        Episodes {
            waiting: self.files.iter().cloned().collect(),
            source: None,
            counter: counter.unwrap_or_else(|| Arc::new(TokenCounter::new(Encoding::Cl100kBase))),
            options: self.options.clone(),
            ids: HashMap::new(),
            rows_before: 0,
            last_row: 0,
            ended: false,
            report: SkipReport::default(),
        }
    }

    /// All episodes in memory.
    ///
    /// # Errors
    /// The first error, unless it is that of a row and `skip_bad` is set.
    pub fn read_all(&self) -> Result<(Vec<Episode>, SkipReport), DatasetError> {
        let mut stream = self.episodes();
        let episodes = stream.by_ref().collect::<Result<_, _>>()?;
        Ok((episodes, stream.into_report()))
    }

    /// All episodes in memory, with the split of the manifest or the default one.
    ///
    /// # Errors
    /// As [`Dataset::read_all`].
    pub fn read_split(&self) -> Result<(Vec<Episode>, Split), DatasetError> {
        let (episodes, _) = self.read_all()?;
        let split = Split::of(&episodes, self.split_spec())?;
        Ok((episodes, split))
    }
}

/// Streams episodes; after an error that is not one of a row, the stream ends.
#[derive(Debug)]
pub struct Episodes {
    waiting: VecDeque<PathBuf>,
    source: Option<Source>,
    counter: Arc<TokenCounter>,
    options: ReadOptions,
    /// Hash of each id → row counted over all files.
    ids: HashMap<u128, u64>,
    rows_before: u64,
    last_row: u64,
    ended: bool,
    report: SkipReport,
}

impl Iterator for Episodes {
    type Item = Result<Episode, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.ended {
                return None;
            }
            match self.advance()? {
                Ok(episode) => {
                    self.report.read += 1;
                    return Some(Ok(episode));
                }
                Err(error) if error.is_row() && self.options.skip_bad => self.skip(error),
                Err(error) => {
                    self.ended = !error.is_row();
                    return Some(Err(error));
                }
            }
        }
    }
}

impl Episodes {
    /// What was read and passed over so far.
    #[must_use]
    pub fn report(&self) -> &SkipReport {
        &self.report
    }

    /// What was read and passed over.
    #[must_use]
    pub fn into_report(self) -> SkipReport {
        self.report
    }

    fn skip(&mut self, error: DatasetError) {
        self.report.skipped += 1;
        if self.report.listed.len() < SKIPPED_LISTED_MAX {
            self.report.listed.push(error);
        }
    }

    fn advance(&mut self) -> Option<Result<Episode, DatasetError>> {
        loop {
            let mut source = match self.source.take() {
                Some(source) => source,
                None => {
                    let path = self.waiting.pop_front()?;
                    match Source::open(&path, self.options.format, self.options.defaults.clone()) {
                        Ok(source) => source,
                        Err(error) => return Some(Err(error)),
                    }
                }
            };
            match source.next() {
                Some(Ok((row, episode))) => {
                    self.last_row = self.last_row.max(row);
                    let finished = episode.and_then(|episode| self.finish(row, episode));
                    let finished = finished.map_err(|fault| fault.at(&source.path, row));
                    self.source = Some(source);
                    return Some(finished);
                }
                Some(Err(error)) => return Some(Err(error)),
                None => {
                    self.rows_before += self.last_row;
                    self.last_row = 0;
                }
            }
        }
    }

    fn finish(&mut self, row: u64, mut episode: Episode) -> Result<Episode, FieldFault> {
        check(&episode, self.options.limits)?;
        let hash = blake3::hash(episode.id.as_bytes());
        let key = hash.as_bytes()[..16].iter().fold(0, |key, &byte| key << 8 | u128::from(byte));
        let row = self.rows_before + row;
        if let Some(first) = self.ids.insert(key, row) {
            self.ids.insert(key, first);
            return Err(FieldFault::new("id", RowFault::DuplicateId { id: episode.id, first }));
        }
        annotate(&mut episode, &self.counter, self.options.recount);
        Ok(episode)
    }
}

/// The folders that may hold shipped data sets, nearest first.
fn shipped_roots() -> Vec<PathBuf> {
    if let Some(root) = std::env::var_os(DATASETS_VARIABLE) {
        return vec![root.into()];
    }
    let current = std::env::current_dir().unwrap_or_default();
    current.ancestors().map(|folder| folder.join("datasets")).filter(|folder| folder.is_dir()).collect()
}

fn shipped_folder(name: &str) -> Option<PathBuf> {
    let plain = !name.is_empty() && !name.contains(['/', '\\']) && name != "." && name != "..";
    let folders = shipped_roots().into_iter().map(|root| root.join(name));
    folders.filter(|_| plain).find(|folder| folder.join(MANIFEST_FILE).is_file())
}

/// Names of the shipped data sets, in alphabetical order.
#[must_use]
pub fn shipped() -> Vec<String> {
    let entries =
        shipped_roots().into_iter().filter_map(|root| std::fs::read_dir(root).ok()).flatten().flatten();
    let folders = entries.filter(|entry| entry.path().join(MANIFEST_FILE).is_file());
    let mut names: Vec<String> =
        folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}
