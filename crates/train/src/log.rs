//! What a run writes down as it goes: `metrics.jsonl` and TensorBoard events.
//!
//! Both files are only ever appended to. A resumed run cuts them back to the length they had at its checkpoint, so
//! that no step stands in them twice.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use lrrc_model::LossValues;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::TrainError;
use crate::learner::Scores;
use crate::tensorboard;

const METRICS: &str = "metrics.jsonl";
const EVENTS: &str = "events.out.tfevents.0";

/// One optimizer step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Step, from 1.
    pub step: u64,
    /// Epoch, from 1.
    pub epoch: usize,
    /// Learning rate.
    pub learning_rate: f64,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// Loss before the step.
    pub loss: LossValues,
    /// Time of the step.
    pub seconds: f64,
}

/// One epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Steps so far.
    pub step: u64,
    /// Mean loss over the steps of the epoch.
    pub train: LossValues,
    /// Figures on the validation episodes.
    pub validation: Scores,
    /// Largest |entry| of a state on a few validation episodes.
    pub state_max: f32,
    /// Largest Frobenius norm of a state on them.
    pub state_norm: f32,
    /// Mean gate over turns and channels on them.
    pub gate_mean: f32,
    /// Whether this is the best epoch so far.
    pub best: bool,
    /// Time of the epoch.
    pub seconds: f64,
}

/// Lengths of the files at a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogMark {
    metrics: u64,
    events: u64,
}

/// The open files.
#[derive(Debug)]
pub(crate) struct Log {
    metrics: Appended,
    events: Appended,
}

#[derive(Debug)]
struct Appended {
    path: PathBuf,
    file: File,
    len: u64,
}

impl Log {
    /// Opens the files in `dir`, cut back to `mark`.
    ///
    /// # Errors
    /// [`TrainError::Io`] with the file.
    pub(crate) fn open(dir: &Path, mark: LogMark) -> Result<Self, TrainError> {
        let metrics = Appended::open(dir.join(METRICS), mark.metrics)?;
        let mut events = Appended::open(dir.join(EVENTS), mark.events)?;
        if events.len == 0 {
            events.write(|bytes| tensorboard::write_header(bytes, now()))?;
        }
        Ok(Self { metrics, events })
    }

    /// Lengths of the files.
    #[must_use]
    pub(crate) fn mark(&self) -> LogMark {
        LogMark { metrics: self.metrics.len, events: self.events.len }
    }

    /// Writes down a step.
    ///
    /// # Errors
    /// [`TrainError::Io`] with the file.
    pub(crate) fn step(&mut self, record: &StepRecord) -> Result<(), TrainError> {
        self.line("step", record)?;
        self.scalars(record.step, "train", &loss_scalars(&record.loss))?;
        let rates =
            [("learning_rate", record.learning_rate as f32), ("gradient_norm", record.gradient_norm as f32)];
        self.scalars(record.step, "optim", &rates)
    }

    /// Writes down an epoch.
    ///
    /// # Errors
    /// [`TrainError::Io`] with the file.
    pub(crate) fn epoch(&mut self, record: &EpochRecord) -> Result<(), TrainError> {
        self.line("epoch", record)?;
        self.scalars(record.step, "validation", &loss_scalars(&record.validation.loss))?;
        let state = [
            ("max", record.state_max),
            ("norm", record.state_norm),
            ("gate_mean", record.gate_mean),
            ("recall_mean", record.validation.mean_recall() as f32),
        ];
        self.scalars(record.step, "state", &state)
    }

    fn line(&mut self, kind: &str, record: &impl Serialize) -> Result<(), TrainError> {
        let mut value = serde_json::to_value(record).unwrap_or_default();
        if let Value::Object(fields) = &mut value {
            fields.shift_insert(0, "kind".into(), kind.into());
        }
        self.metrics.write(|bytes| writeln!(bytes, "{value}"))
    }

    fn scalars(&mut self, step: u64, group: &str, values: &[(&str, f32)]) -> Result<(), TrainError> {
        self.events.write(|bytes| {
            values.iter().try_for_each(|(name, value)| {
                tensorboard::write_scalar(bytes, now(), step, &format!("{group}/{name}"), *value)
            })
        })
    }
}

impl Appended {
    fn open(path: PathBuf, len: u64) -> Result<Self, TrainError> {
        let open = || {
            let file = OpenOptions::new().create(true).append(true).open(&path)?;
            let found = file.metadata()?.len();
            if found > len {
                file.set_len(len)?;
            }
            Ok((file, len.min(found)))
        };
        match open() {
            Ok((file, len)) => Ok(Self { path, file, len }),
            Err(source) => Err(TrainError::Io { path, source, hint: String::new() }),
        }
    }

    fn write(&mut self, fill: impl Fn(&mut Vec<u8>) -> std::io::Result<()>) -> Result<(), TrainError> {
        let mut bytes = Vec::new();
        let written = fill(&mut bytes).and_then(|()| self.file.write_all(&bytes));
        self.len += bytes.len() as u64;
        written.map_err(|source| TrainError::Io { path: self.path.clone(), source, hint: String::new() })
    }
}

fn loss_scalars(loss: &LossValues) -> [(&'static str, f32); 7] {
    [
        ("total", loss.total),
        ("scores", loss.scores),
        ("items", loss.items),
        ("winner", loss.winner),
        ("calls", loss.calls),
        ("balance", loss.balance),
        ("budget", loss.budget),
    ]
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
