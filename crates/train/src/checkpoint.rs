//! Where a run stands, beside its weights.

use std::path::{Path, PathBuf};

use lrrc_model::{Checkpoint, Coordinator, LossValues, Meta, RecordError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adamw::AdamW;
use crate::card;
use crate::config::Config;
use crate::error::TrainError;
use crate::learner::Learner;
use crate::log::{EpochRecord, LogMark};

const OPTIMIZER: &str = "optimizer.safetensors";
const PROGRESS: &str = "progress.json";

/// Position of a run: everything a resumed run needs beside weights and moments.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Epochs finished.
    pub epoch: usize,
    /// Batches of the current epoch taken: the position of the reader.
    pub batch: usize,
    /// Optimizer steps taken.
    pub step: u64,
    /// The best epoch so far (from 1) and the figure it is best in.
    pub best: Option<(usize, f64)>,
    /// Loss of the current epoch, summed over its batches.
    pub running: LossValues,
    /// The epochs so far.
    pub epochs: Vec<EpochRecord>,
    /// Lengths of the log files.
    pub log: LogMark,
    /// Whether training came to its end.
    pub finished: bool,
}

/// Writes checkpoints of one run.
#[derive(Debug)]
pub(crate) struct Keeper<'a> {
    /// Folder of the run's checkpoints.
    pub(crate) dir: PathBuf,
    /// The experiment.
    pub(crate) config: &'a Config,
    /// Hash of the training data.
    pub(crate) data_hash: &'a str,
    /// Two-model episodes with a verdict to learn from.
    pub(crate) two_model_episodes: usize,
}

impl Keeper<'_> {
    /// Folder of the checkpoint called `name`.
    #[must_use]
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Writes the weights of `model`, the learner's moments and the position as the checkpoint called `name`.
    ///
    /// # Errors
    /// [`TrainError::Record`] with the file and with what is still there.
    pub(crate) fn save(
        &self,
        name: &str,
        learner: &Learner,
        model: &Coordinator,
        progress: &Progress,
    ) -> Result<PathBuf, TrainError> {
        let dir = self.path(name);
        let mut meta = Meta {
            data_hash: self.data_hash.to_owned(),
            two_model_episodes: self.two_model_episodes,
            seed: self.config.run.seed,
            step: progress.step,
            ..Meta::default()
        };
        if let Some(last) = progress.epochs.last() {
            if let Ok(Value::Object(figures)) = serde_json::to_value(last.validation) {
                meta.metrics = figures;
            }
            meta.metrics.insert("epoch".into(), last.epoch.into());
        }
        let card = card::render(self.config, &meta, progress);
        let checkpoint = Checkpoint { model: model.clone(), meta, card, control: None };
        let position = serde_json::to_vec_pretty(progress).unwrap_or_default();
        let moments = learner.optimizer.to_bytes();
        checkpoint
            .save_with(&dir, &[(OPTIMIZER, &moments), (PROGRESS, &position)])
            .map_err(|source| TrainError::Record { source, hint: self.hint() })?;
        Ok(dir)
    }

    /// What to say after a failed write.
    #[must_use]
    pub(crate) fn hint(&self) -> String {
        let last = self.path("last");
        if last.exists() {
            let last = last.display();
            format!("; {last} still holds the checkpoint before: make room, then go on with --resume last")
        } else {
            "; no checkpoint was written yet".to_owned()
        }
    }
}

/// Reads a checkpoint to train on from.
///
/// # Errors
/// What is missing or damaged, with its file.
pub(crate) fn load(
    dir: &Path,
    device: &burn::tensor::Device,
) -> Result<(Checkpoint, AdamW, Progress), RecordError> {
    let checkpoint = Checkpoint::load(dir, device)?;
    let malformed = |name: &str, reason: String| RecordError::Malformed { path: dir.join(name), reason };
    let moments = Checkpoint::read_extra(dir, OPTIMIZER)?;
    let moments = AdamW::from_bytes(&moments).map_err(|reason| malformed(OPTIMIZER, reason))?;
    let position = Checkpoint::read_extra(dir, PROGRESS)?;
    let position =
        serde_json::from_slice(&position).map_err(|error| malformed(PROGRESS, error.to_string()))?;
    Ok((checkpoint, moments, position))
}
