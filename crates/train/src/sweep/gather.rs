//! Folders of trials → one study.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lrrc_dataset::{Dataset, ReadOptions, StatsBuilder};
use lrrc_episode::{Encoding, TokenCounter};
use lrrc_eval::Replays;
use lrrc_eval::bench::{BenchOptions, bench_policy};
use lrrc_eval::study::{About, DatasetFacts, EpochPoint, Part, Study, TrialFigures, collect};
use lrrc_model::{Policy, device};
use serde::de::DeserializeOwned;

use super::outcome::TrialRecord;
use super::spec::SweepSpec;
use crate::checkpoint::Progress;
use crate::error::TrainError;

/// Turns measured for the time of a decoder.
const TIMED_TURNS: usize = 200;
/// Seed of the resampling behind every interval of a study.
const SEED: u64 = 0;

/// What was found in the folders.
#[derive(Debug, Clone)]
pub struct Gathered {
    /// The study.
    pub study: Study,
    /// Trials that are not done, by name.
    pub missing: Vec<String>,
}

/// Reads the trials of all these folders and computes the study. Folders of one sweep, filled on several machines,
/// complete each other; folders of several sweeps, such as one a data set, stand side by side under the names of their
/// arms.
///
/// # Errors
/// No trial that is done, sweeps that do not agree on the main arm and the folds, or a file that cannot be read.
pub fn gather(dirs: &[PathBuf]) -> Result<Gathered, TrainError> {
    let sweeps = sweeps(dirs)?;
    let first = &sweeps.first().ok_or_else(|| fault("no folder of a sweep was named".to_owned()))?.0;
    if let Some((other, _)) =
        sweeps.iter().find(|(spec, _)| (&spec.main, spec.folds) != (&first.main, first.folds))
    {
        return Err(fault(format!("sweeps {} and {} differ in main arm or folds", first.name, other.name)));
    }
    let mut found = Found::default();
    for (spec, dirs) in &sweeps {
        found.read(spec, dirs)?;
    }
    if found.parts.is_empty() {
        return Err(fault("none of the trials is done".to_owned()));
    }
    let main = first.main.clone().unwrap_or_default();
    let names: Vec<&str> = sweeps.iter().map(|(spec, _)| spec.name.as_str()).collect();
    let mut timed = BTreeMap::new();
    for (arm, path) in &found.models {
        timed.extend(step_ms(path)?.map(|ms| (arm.clone(), ms)));
    }
    let about = About {
        name: names.join(", "),
        main,
        folds: first.folds,
        datasets: facts(sweeps.iter().flat_map(|(spec, _)| &spec.datasets))?,
        state_bound: found.state_bound,
        step_ms: timed,
        seed: SEED,
    };
    let study = collect(about, &found.parts)?;
    Ok(Gathered { study, missing: found.missing })
}

/// What the folders hold.
#[derive(Default)]
struct Found {
    parts: Vec<Part>,
    missing: Vec<String>,
    /// A trained checkpoint of each arm.
    models: BTreeMap<String, PathBuf>,
    state_bound: f64,
}

impl Found {
    fn read(&mut self, spec: &SweepSpec, dirs: &[PathBuf]) -> Result<(), TrainError> {
        let Self { parts, missing, models, state_bound } = self;
        let trials = spec.trials()?;
        *state_bound = trials.first().map_or(*state_bound, |trial| f64::from(trial.config.model.clip));
        for trial in &trials {
            let folders = dirs.iter().map(|dir| dir.join("trials").join(&trial.name));
            let done = folders
                .filter_map(|dir| Some((record(&dir)?, dir)))
                .find(|(record, _)| record.error.is_none() && record.fingerprint == trial.fingerprint);
            let Some((record, dir)) = done else {
                missing.push(format!("{} {}", spec.name, trial.name));
                continue;
            };
            if record.rank.is_some() {
                models.entry(trial.arm.clone()).or_insert_with(|| dir.join("run").join("model"));
            }
            parts.push(part(record, &dir)?);
        }
        Ok(())
    }
}

/// The different sweeps in these folders, each with its folders.
fn sweeps(dirs: &[PathBuf]) -> Result<Vec<(SweepSpec, Vec<PathBuf>)>, TrainError> {
    let mut known: Vec<(String, SweepSpec, Vec<PathBuf>)> = Vec::new();
    for dir in dirs {
        let path = dir.join("sweep.toml");
        let text = std::fs::read_to_string(&path).map_err(io(&path))?;
        match known.iter_mut().find(|(other, ..)| *other == text) {
            Some((_, _, dirs)) => dirs.push(dir.clone()),
            None => {
                let spec = SweepSpec::parse(&path.display().to_string(), &text)?;
                known.push((text, spec, vec![dir.clone()]));
            }
        }
    }
    Ok(known.into_iter().map(|(_, spec, dirs)| (spec, dirs)).collect())
}

fn fault(reason: String) -> TrainError {
    TrainError::Sweep { reason }
}

fn record(dir: &Path) -> Option<TrialRecord> {
    serde_json::from_slice(&std::fs::read(dir.join("trial.json")).ok()?).ok()
}

fn part(record: TrialRecord, dir: &Path) -> Result<Part, TrainError> {
    let mut replays = Vec::new();
    for path in files(dir, "replays-")? {
        let bytes = std::fs::read(&path).map_err(io(&path))?;
        replays.push(Replays::from_json(&bytes).map_err(|error| malformed(&path, &error))?);
    }
    let progress = dir.join("run").join("checkpoints").join("last").join("progress.json");
    let epochs =
        std::fs::read(&progress).ok().and_then(|bytes| serde_json::from_slice::<Progress>(&bytes).ok());
    let point = |epoch: &crate::log::EpochRecord| EpochPoint {
        seed: record.seed,
        epoch: epoch.epoch,
        train_loss: f64::from(epoch.train.scores),
        validation_loss: f64::from(epoch.validation.loss.scores),
        state_max: f64::from(epoch.state_max),
        state_norm: f64::from(epoch.state_norm),
        gate_mean: f64::from(epoch.gate_mean),
    };
    Ok(Part {
        epochs: epochs.map_or_else(Vec::new, |progress| progress.epochs.iter().map(point).collect()),
        arm: record.arm,
        seed: record.seed,
        fold: record.fold,
        rank: record.rank,
        parameters: record.parameters,
        seconds: record.seconds,
        replays,
        figures: TrialFigures {
            prices: all(dir, "prices-")?,
            calls: all(dir, "calls-")?,
            verdicts: all(dir, "verdicts-")?,
            failures: all::<Vec<_>>(dir, "failures-")?.into_iter().flatten().collect(),
        },
    })
}

/// Files of a folder whose names begin with `prefix`, in order of their names.
fn files(dir: &Path, prefix: &str) -> Result<Vec<PathBuf>, TrainError> {
    let entries = std::fs::read_dir(dir).map_err(io(dir))?;
    let mut found: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    found.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)));
    found.sort();
    Ok(found)
}

fn all<T: DeserializeOwned>(dir: &Path, prefix: &str) -> Result<Vec<T>, TrainError> {
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).map_err(io(&path))?;
        serde_json::from_slice(&bytes).map_err(|error| malformed(&path, &error))
    };
    files(dir, prefix)?.into_iter().map(read).collect()
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> TrainError + '_ {
    move |source| TrainError::Io { path: path.into(), source, hint: String::new() }
}

fn malformed(path: &Path, error: &serde_json::Error) -> TrainError {
    TrainError::Sweep {
        reason: format!("{}: {error}; delete its trial folder and run the sweep again", path.display()),
    }
}

/// What these data sets hold, each once.
fn facts<'a>(names: impl Iterator<Item = &'a String>) -> Result<Vec<DatasetFacts>, TrainError> {
    let mut names: Vec<&String> = names.collect();
    names.sort();
    names.dedup();
    let counter = Arc::new(TokenCounter::new(Encoding::Cl100kBase));
    let of = |name: &String| {
        let options = ReadOptions { counter: Some(Arc::clone(&counter)), ..ReadOptions::default() };
        let dataset = Dataset::open(name, &options)?;
        let (episodes, _) = dataset.read_all()?;
        let mut stats = StatsBuilder::default();
        episodes.iter().for_each(|episode| stats.add(episode));
        let stats = stats.finish();
        Ok(DatasetFacts {
            name: dataset.name().to_owned(),
            licence: dataset.manifest().map_or_else(String::new, |known| known.provenance.licence.clone()),
            episodes: stats.episodes as usize,
            groups: stats.groups as usize,
            turns: stats.all.turns as usize,
            tokens: stats.all.tokens,
            turn_tokens: stats.histogram.iter().map(|bin| (bin.last, bin.turns as usize)).collect(),
        })
    };
    names.into_iter().map(of).collect()
}

/// Median milliseconds of one turn through a trained decoder on one core.
fn step_ms(path: &Path) -> Result<Option<f64>, TrainError> {
    if !path.exists() {
        return Ok(None);
    }
    let device = device("cpu")?;
    let policy = Policy::load(path, &device)?;
    let options = BenchOptions { repetitions: TIMED_TURNS, encoder_repetitions: 0 };
    Ok(bench_policy(&policy, &[], &device, options).ok().map(|bench| bench.step.p50_ms))
}
