//! Many trials from one file: arms × seeds × folds, each a folder of its own.
//!
//! ```text
//! DIR/
//!   sweep.toml  trials.jsonl                what is to be run; a line a trial, for schedulers
//!   trials/rank-8-s1-f1/
//!     run/                                  the training run, as `train` leaves it
//!     replays-NAME.json                     counts of every method on the held-out fold of a data set
//!     trial.json                            how it went; written last
//! ```
//!
//! A trial whose `trial.json` says that it is done is passed over, a failed one is reported and does not stop the
//! others, an interrupted one is gone on with. Shards of the list can run on other machines; `collect` in `eval`
//! reads the folders of all of them.

mod extras;
mod gather;
mod outcome;
mod spec;
mod trial;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use lrrc_model::write_atomic;

pub use gather::{Gathered, gather};
pub use outcome::{Status, TrialRecord};
pub use spec::{Arm, ArmKind, Design, SweepSpec, Trial};

use crate::error::TrainError;
use crate::parallel::{in_parallel, threads};

/// Which part of the list to run, and how.
#[derive(Debug, Clone, Copy)]
pub struct SweepOptions {
    /// This shard, from 1, of how many.
    pub shard: (usize, usize),
    /// Trials at a time; 0 takes as many as there are cores.
    pub jobs: usize,
}

/// How a sweep went.
#[derive(Debug, Clone, Default)]
pub struct SweepOutcome {
    /// Trials done now, done before, and failed with their messages.
    pub done: usize,
    /// Trials that were done before.
    pub skipped: usize,
    /// Names and messages of failed trials.
    pub failed: Vec<(String, String)>,
    /// Trials not reached or not finished when the stop flag was set.
    pub left: usize,
}

/// Runs the trials of one shard into `dir`; `on_trial` is told the name and the status of each one that ends.
///
/// # Errors
/// A folder that cannot be written, or one that holds another sweep.
pub fn sweep(
    spec: &SweepSpec,
    dir: &Path,
    options: SweepOptions,
    stop: &AtomicBool,
    on_trial: &(dyn Fn(&str, &Status) + Sync),
) -> Result<SweepOutcome, TrainError> {
    let trials = spec.trials()?;
    announce(spec, dir)?;
    let own: Vec<&Trial> = shard(&trials, options.shard);
    let outcome = Mutex::new(SweepOutcome::default());
    let reached = AtomicUsize::new(0);
    in_parallel(threads(options.jobs), own.len(), |at| {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        reached.fetch_add(1, Ordering::Relaxed);
        let trial = own[at];
        let status = trial::run(trial, spec, &dir.join("trials").join(&trial.name), stop);
        on_trial(&trial.name, &status);
        let mut outcome = outcome.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match status {
            Status::Done => outcome.done += 1,
            Status::Skipped => outcome.skipped += 1,
            Status::Failed(message) => outcome.failed.push((trial.name.clone(), message)),
            Status::Interrupted => outcome.left += 1,
        }
    });
    let mut outcome = outcome.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    outcome.left += own.len() - reached.into_inner();
    outcome.failed.sort();
    Ok(outcome)
}

/// Every n-th trial, so that the arms spread evenly over the shards.
fn shard(trials: &[Trial], (this, of): (usize, usize)) -> Vec<&Trial> {
    trials.iter().enumerate().filter(|(at, _)| at % of == this - 1).map(|(_, trial)| trial).collect()
}

/// Writes what is to be run; a folder that holds another sweep is left alone.
fn announce(spec: &SweepSpec, dir: &Path) -> Result<(), TrainError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| TrainError::Io { path, source, hint: String::new() }
    };
    std::fs::create_dir_all(dir.join("trials")).map_err(io(dir))?;
    let path = dir.join("sweep.toml");
    let text = spec.to_toml();
    match std::fs::read_to_string(&path) {
        Ok(known) if known != text => {
            return Err(TrainError::Sweep {
                reason: format!("{} holds another sweep; choose another --out", dir.display()),
            });
        }
        Ok(_) => {}
        Err(_) => write_atomic(&path, text.as_bytes())?,
    }
    let lines = spec.list(dir)?;
    Ok(write_atomic(&dir.join("trials.jsonl"), (lines.join("\n") + "\n").as_bytes())?)
}

/// Runs one trial of the list by its name.
///
/// # Errors
/// No trial of this name, or a folder that cannot be written.
pub fn sweep_one(spec: &SweepSpec, dir: &Path, name: &str, stop: &AtomicBool) -> Result<Status, TrainError> {
    let trials = spec.trials()?;
    announce(spec, dir)?;
    let trial = trials.iter().find(|trial| trial.name == name).ok_or_else(|| TrainError::Sweep {
        reason: format!("no trial is called {name}; see {}", dir.join("trials.jsonl").display()),
    })?;
    Ok(trial::run(trial, spec, &dir.join("trials").join(name), stop))
}

#[cfg(test)]
mod tests;
