//! A folder of shards with its manifest, written so that a reader never sees half of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lrrc_episode::Episode;

use crate::DatasetError;
use crate::manifest::{MANIFEST_FILE, Manifest, Provenance};
use crate::shard::{ShardInfo, ShardWriter};
use crate::split::{Split, SplitSpec};

/// Most episodes of a shard.
const SHARD_EPISODES: u64 = 100_000;

/// Writes a data set.
#[derive(Debug)]
pub struct DatasetWriter {
    folder: PathBuf,
    name: String,
    provenance: Provenance,
    split: SplitSpec,
    shard: Option<(ShardWriter, u64)>,
    shards: Vec<ShardInfo>,
    groups: BTreeSet<String>,
    stale: Vec<String>,
}

impl DatasetWriter {
    /// Starts a data set in a folder, made if it is not there. The manifest comes last, so a folder that was left
    /// half-written is not taken for a data set.
    ///
    /// # Errors
    /// [`DatasetError::Occupied`] if the folder holds a data set and `overwrite` is false; [`DatasetError::Split`] if
    /// the fractions make no split; [`DatasetError::Io`].
    pub fn create(
        folder: &Path,
        name: &str,
        provenance: Provenance,
        split: SplitSpec,
        overwrite: bool,
    ) -> Result<Self, DatasetError> {
        Split::new([], split)?;
        std::fs::create_dir_all(folder).map_err(DatasetError::io(folder))?;
        let manifest = folder.join(MANIFEST_FILE);
        let mut stale = Vec::new();
        if manifest.exists() {
            if !overwrite {
                return Err(DatasetError::Occupied { folder: folder.to_owned() });
            }
            let old = Manifest::read(folder).map(|manifest| manifest.shards).unwrap_or_default();
            stale = old.into_iter().map(|shard| shard.file).collect();
        }
        Ok(Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
            provenance,
            split,
            shard: None,
            shards: Vec::new(),
            groups: BTreeSet::new(),
            stale,
        })
    }

    /// Appends an episode.
    ///
    /// # Errors
    /// [`DatasetError::Io`] or [`DatasetError::Parquet`] if the disk refuses.
    pub fn push(&mut self, episode: Episode) -> Result<(), DatasetError> {
        if !self.groups.contains(&episode.group) {
            self.groups.insert(episode.group.clone());
        }
        let (mut shard, count) = match self.shard.take() {
            Some(open) => open,
            None => {
                (ShardWriter::create(&self.folder.join(format!("part-{:05}.parquet", self.shards.len())))?, 0)
            }
        };
        shard.push(episode)?;
        if count + 1 >= SHARD_EPISODES {
            self.shards.push(shard.finish()?);
        } else {
            self.shard = Some((shard, count + 1));
        }
        Ok(())
    }

    /// Completes the shards and writes the manifest.
    ///
    /// # Errors
    /// [`DatasetError::NothingToWrite`] if no episode was pushed, else as [`DatasetWriter::push`].
    pub fn finish(mut self) -> Result<Manifest, DatasetError> {
        if let Some((shard, _)) = self.shard.take() {
            self.shards.push(shard.finish()?);
        }
        if self.shards.is_empty() {
            return Err(DatasetError::NothingToWrite { file: self.folder });
        }
        let groups = self.groups.len() as u64;
        let manifest = Manifest::new(&self.name, self.provenance, groups, self.split, self.shards);
        manifest.write(&self.folder)?;
        let kept: BTreeSet<&str> = manifest.shards.iter().map(|shard| shard.file.as_str()).collect();
        for file in
            self.stale.iter().filter(|file| !kept.contains(file.as_str()) && !file.contains(['/', '\\']))
        {
            let path = self.folder.join(file);
            std::fs::remove_file(&path).map_err(DatasetError::io(&path))?;
        }
        Ok(manifest)
    }
}
