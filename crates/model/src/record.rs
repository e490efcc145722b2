//! Checkpoint folders.
//!
//! ```text
//! weights.safetensors   parameters by path
//! model.toml            the configuration
//! meta.json             format, data hash, seed, metrics, calibration, hash of the weights
//! card.md               for people
//! control/              the no-state control, a checkpoint folder of its own; may be absent
//! ```
//!
//! A folder is written beside its place and moved there when complete, so a reader sees the old one or the new one.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use burn::tensor::Device;
use lrrc_episode::observe::{CALL_FEATURES, FEATURES, RIVAL_FEATURES};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::CoordinatorConfig;
use crate::coordinator::Coordinator;
use crate::decoder::LATER_TENSORS;
use crate::error::RecordError;

/// Version of the folder's layout.
pub const FORMAT: u32 = 1;
const WEIGHTS: &str = "weights.safetensors";
const MODEL: &str = "model.toml";
const META: &str = "meta.json";
const CARD: &str = "card.md";
const CONTROL: &str = "control";

/// What a checkpoint says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Meta {
    /// Version of the folder's layout, [`FORMAT`].
    pub format: u32,
    /// Width of the candidate features the model was trained with.
    pub features: usize,
    /// Width of the features of the call gate, 0 without one; filled in by [`Checkpoint::save`].
    #[serde(default)]
    pub call_features: usize,
    /// Numbers of a rival the winner head was trained with; 0 in a file from before there were any, whose head is
    /// then read without them.
    #[serde(default)]
    pub rival_features: usize,
    /// Two-model episodes with a verdict among the training episodes; with none the winner head is untrained.
    #[serde(default)]
    pub two_model_episodes: usize,
    /// Hash (blake3) of the weights file; filled in by [`Checkpoint::save`].
    pub weights_hash: String,
    /// Number of parameters; filled in by [`Checkpoint::save`].
    pub parameters: usize,
    /// Hash of the training data.
    pub data_hash: String,
    /// Seed of the run.
    pub seed: u64,
    /// Optimizer steps taken.
    pub step: u64,
    /// Measured figures, by name.
    pub metrics: Map<String, Value>,
    /// Thresholds by mode and budget, as evaluation wrote them.
    pub calibration: Map<String, Value>,
}

impl Default for Meta {
    fn default() -> Self {
        Self {
            format: FORMAT,
            features: FEATURES,
            call_features: CALL_FEATURES,
            rival_features: RIVAL_FEATURES,
            two_model_episodes: 0,
            weights_hash: String::new(),
            parameters: 0,
            data_hash: String::new(),
            seed: 0,
            step: 0,
            metrics: Map::new(),
            calibration: Map::new(),
        }
    }
}

/// A model with its papers.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The model.
    pub model: Coordinator,
    /// Its metadata.
    pub meta: Meta,
    /// Its card, Markdown.
    pub card: String,
    /// The no-state control trained beside it.
    pub control: Option<Box<Self>>,
}

impl Checkpoint {
    /// Writes the folder `dir`, replacing it as a whole.
    ///
    /// # Errors
    /// [`RecordError::Io`] with the file; an existing folder is then still there, unchanged.
    pub fn save(&self, dir: &Path) -> Result<(), RecordError> {
        self.save_with(dir, &[])
    }

    /// As [`Self::save`], with further files (name, content) beside the weights.
    ///
    /// # Errors
    /// As [`Self::save`].
    pub fn save_with(&self, dir: &Path, extra: &[(&str, &[u8])]) -> Result<(), RecordError> {
        let fresh = beside(dir, "new");
        let written = remove(&fresh).and_then(|()| self.write(&fresh, extra)).and_then(|()| {
            let old = beside(dir, "old");
            remove(&old)?;
            if dir.exists() {
                fs::rename(dir, &old).map_err(at(dir))?;
            }
            fs::rename(&fresh, dir).map_err(at(dir))?;
            remove(&old)
        });
        if written.is_err() {
            // The error that matters is the first; the partial folder is dropped as far as that goes.
            let _ = remove(&fresh);
        }
        written
    }

    fn write(&self, dir: &Path, extra: &[(&str, &[u8])]) -> Result<(), RecordError> {
        fs::create_dir_all(dir).map_err(at(dir))?;
        let weights = self.model.to_bytes();
        let mut meta = self.meta.clone();
        meta.format = FORMAT;
        meta.features = FEATURES;
        meta.call_features = if self.model.has_call_gate() { CALL_FEATURES } else { 0 };
        meta.rival_features = RIVAL_FEATURES;
        meta.weights_hash = blake3::hash(&weights).to_hex().to_string();
        meta.parameters = burn::module::Module::num_params(&self.model);
        write_file(&dir.join(WEIGHTS), &weights)?;
        let config = toml::to_string_pretty(self.model.config()).map_err(malformed(&dir.join(MODEL)))?;
        write_file(&dir.join(MODEL), config.as_bytes())?;
        write_file(&dir.join(CARD), self.card.as_bytes())?;
        for (name, content) in extra {
            write_file(&dir.join(name), content)?;
        }
        if let Some(control) = &self.control {
            control.write(&dir.join(CONTROL), &[])?;
        }
        let json = serde_json::to_string_pretty(&meta).map_err(malformed(&dir.join(META)))?;
        write_file(&dir.join(META), json.as_bytes())?;
        sync(dir)
    }

    /// Reads the folder `dir` onto `device`.
    ///
    /// # Errors
    /// What is missing, damaged, of another version or of another shape, with its file.
    pub fn load(dir: &Path, device: &Device) -> Result<Self, RecordError> {
        // A crash between the two renames of a save leaves the old folder under its second name.
        let old = beside(dir, "old");
        let dir = if !dir.exists() && old.exists() { old.as_path() } else { dir };
        let meta = read_meta(&dir.join(META))?;
        let config = read_config(&dir.join(MODEL))?;
        let path = dir.join(WEIGHTS);
        let weights = fs::read(&path).map_err(at(&path))?;
        let found = blake3::hash(&weights).to_hex().to_string();
        if found != meta.weights_hash {
            return Err(RecordError::Hash { path, found, expected: meta.weights_hash });
        }
        let model =
            config.init(0, device).map_err(|source| RecordError::Config { path: dir.join(MODEL), source })?;
        let model = if meta.call_features == 0 { model.without_call_gate() } else { model };
        let later: &[&str] = if meta.rival_features == 0 { &LATER_TENSORS } else { &[] };
        let model = model.with_bytes(&weights, later).map_err(|misfit| RecordError::Tensor {
            path,
            tensor: misfit.tensor,
            reason: misfit.reason,
        })?;
        let card = fs::read_to_string(dir.join(CARD)).unwrap_or_default();
        let control = dir.join(CONTROL);
        let control = control.is_dir().then(|| Self::load(&control, device)).transpose()?;
        Ok(Self { model, meta, card, control: control.map(Box::new) })
    }

    /// Reads a further file that [`Self::save_with`] wrote.
    ///
    /// # Errors
    /// [`RecordError::Io`] with the file.
    pub fn read_extra(dir: &Path, name: &str) -> Result<Vec<u8>, RecordError> {
        let old = beside(dir, "old");
        let dir = if !dir.exists() && old.exists() { old.as_path() } else { dir };
        let path = dir.join(name);
        fs::read(&path).map_err(at(&path))
    }
}

fn read_meta(path: &Path) -> Result<Meta, RecordError> {
    let text = fs::read_to_string(path).map_err(at(path))?;
    let meta: Meta = serde_json::from_str(&text).map_err(malformed(path))?;
    if meta.format != FORMAT {
        return Err(RecordError::Version { path: path.into(), found: meta.format, expected: FORMAT });
    }
    if meta.features != FEATURES {
        return Err(RecordError::Features { path: path.into(), found: meta.features, expected: FEATURES });
    }
    if ![0, CALL_FEATURES].contains(&meta.call_features) {
        let (found, expected) = (meta.call_features, CALL_FEATURES);
        return Err(RecordError::CallFeatures { path: path.into(), found, expected });
    }
    if ![0, RIVAL_FEATURES].contains(&meta.rival_features) {
        let (found, expected) = (meta.rival_features, RIVAL_FEATURES);
        return Err(RecordError::RivalFeatures { path: path.into(), found, expected });
    }
    Ok(meta)
}

fn read_config(path: &Path) -> Result<CoordinatorConfig, RecordError> {
    let text = fs::read_to_string(path).map_err(at(path))?;
    let config: CoordinatorConfig = toml::from_str(&text).map_err(malformed(path))?;
    config.validate().map_err(|source| RecordError::Config { path: path.into(), source })?;
    Ok(config)
}

/// Writes a file beside its place and moves it there: a reader sees the old content or the new. The permissions of an
/// existing file stay.
///
/// # Errors
/// [`RecordError::Io`] with the file; an existing file is then unchanged.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), RecordError> {
    // A name of its own for each write: processes of one sweep write the same list at the same time.
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let number = WRITES.fetch_add(1, Ordering::Relaxed);
    let fresh = beside(path, &format!("{}-{number}.new", std::process::id()));
    let permissions = fs::metadata(path).ok().map(|found| found.permissions());
    let written = create_durable(&fresh, bytes, permissions).and_then(|()| fs::rename(&fresh, path));
    if written.is_err() {
        // The first error is the one that matters.
        drop(fs::remove_file(&fresh));
    }
    written.map_err(at(path))?;
    path.parent().map_or(Ok(()), sync)
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), RecordError> {
    create_durable(path, bytes, None).map_err(at(path))
}

fn create_durable(path: &Path, bytes: &[u8], permissions: Option<fs::Permissions>) -> std::io::Result<()> {
    let mut file = fs::File::create(path)?;
    permissions.map_or(Ok(()), |permissions| file.set_permissions(permissions))?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the entries of a folder durable, where the system can.
fn sync(dir: &Path) -> Result<(), RecordError> {
    if dir.as_os_str().is_empty() || !cfg!(unix) {
        return Ok(());
    }
    fs::File::open(dir).and_then(|folder| folder.sync_all()).map_err(at(dir))
}

fn remove(dir: &Path) -> Result<(), RecordError> {
    if dir.exists() { fs::remove_dir_all(dir).map_err(at(dir)) } else { Ok(()) }
}

/// `dir/name` → `dir/.name.suffix`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().map_or_else(|| "checkpoint".into(), |name| name.to_string_lossy());
    path.with_file_name(format!(".{name}.{suffix}"))
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> RecordError + '_ {
    move |source| RecordError::Io { path: path.into(), source }
}

fn malformed<E: std::fmt::Display>(path: &Path) -> impl Fn(E) -> RecordError + '_ {
    move |error| RecordError::Malformed { path: path.into(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_writers_of_one_file_leave_one_of_their_texts_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("list.jsonl");
        std::thread::scope(|scope| {
            for writer in 0..8_u8 {
                let path = &path;
                scope.spawn(move || {
                    (0..20).for_each(|_| write_atomic(path, &[writer; 999]).expect("written"));
                });
            }
        });
        let text = fs::read(&path).expect("there");
        assert!(
            text.len() == 999 && text.iter().all(|byte| *byte == text[0]),
            "half of one text, half of another"
        );
        assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 1);
    }
}
