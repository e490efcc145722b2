//! `manifest.toml`: what a folder of shards holds and where it comes from.

use std::io::Write;
use std::path::Path;

use lrrc_episode::Encoding;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::DatasetError;
use crate::schema;
use crate::shard::{ShardInfo, persist};
use crate::split::SplitSpec;

/// Name of the file.
pub const MANIFEST_FILE: &str = "manifest.toml";

/// Origin and terms of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Where the episodes come from.
    pub source: String,
    /// SPDX name of the licence of the text.
    pub licence: String,
    /// Whom the licence asks to name.
    #[serde(default)]
    pub attribution: String,
}

/// The manifest of a data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name of the data set.
    pub name: String,
    /// [`schema::VERSION`] of the shards.
    pub schema_version: u32,
    /// Encoding of the token counts.
    pub encoding: String,
    /// Episodes in all shards.
    pub episodes: u64,
    /// Distinct groups.
    pub groups: u64,
    /// Turns in all shards.
    pub turns: u64,
    /// Tokens in all shards.
    pub tokens: u64,
    /// Origin and terms.
    pub provenance: Provenance,
    /// The split that results are reported on.
    pub split: SplitSpec,
    /// The shards in order.
    pub shards: Vec<ShardInfo>,
}

impl Manifest {
    /// Sums up finished shards.
    #[must_use]
    pub fn new(
        name: &str,
        provenance: Provenance,
        groups: u64,
        split: SplitSpec,
        shards: Vec<ShardInfo>,
    ) -> Self {
        let sum = |count: fn(&ShardInfo) -> u64| shards.iter().map(count).sum();
        Self {
            name: name.to_owned(),
            schema_version: schema::VERSION,
            encoding: Encoding::Cl100kBase.name().to_owned(),
            episodes: sum(|shard| shard.episodes),
            groups,
            turns: sum(|shard| shard.turns),
            tokens: sum(|shard| shard.tokens),
            provenance,
            split,
            shards,
        }
    }

    /// Reads the manifest of a folder.
    ///
    /// # Errors
    /// [`DatasetError::Io`], [`DatasetError::Manifest`] with line and column, or [`DatasetError::SchemaVersion`].
    pub fn read(folder: &Path) -> Result<Self, DatasetError> {
        let file = folder.join(MANIFEST_FILE);
        let text = std::fs::read_to_string(&file).map_err(DatasetError::io(&file))?;
        let version = toml::from_str::<toml::Table>(&text)
            .ok()
            .and_then(|table| table.get("schema_version")?.as_integer());
        if let Some(version) = version.filter(|version| *version != i64::from(schema::VERSION)) {
            let (found, supported) = (version.to_string(), schema::VERSION);
            return Err(DatasetError::SchemaVersion { file, found, supported });
        }
        toml::from_str(&text).map_err(|error| DatasetError::Manifest { file, message: error.to_string() })
    }

    /// Writes the manifest into a folder, whole or not at all.
    ///
    /// # Errors
    /// [`DatasetError::Io`] if the disk refuses.
    pub fn write(&self, folder: &Path) -> Result<(), DatasetError> {
        let path = folder.join(MANIFEST_FILE);
        let text = toml::to_string(self)
            .map_err(|error| DatasetError::Manifest { file: path.clone(), message: error.to_string() })?;
        let mut file = NamedTempFile::with_suffix_in(".tmp", folder).map_err(DatasetError::io(&path))?;
        file.write_all(text.as_bytes()).map_err(DatasetError::io(&path))?;
        persist(file, &path).map(|_| ())
    }

    /// One hash for the content of all shards, in hexadecimal.
    #[must_use]
    pub fn data_hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for shard in &self.shards {
            hasher.update(shard.blake3.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }
}
