//! The loop, on one page: take a batch, step, now and then save; after each epoch evaluate, save, and see whether to
//! go on.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use lrrc_episode::observe::EpisodeObservation;
use lrrc_model::{LossValues, Meta, Policy, device};
use serde::Serialize;

use crate::adamw::AdamW;
use crate::checkpoint::{self, Keeper, Progress};
use crate::config::{Config, Monitor};
use crate::curves;
use crate::data::Data;
use crate::error::TrainError;
use crate::learner::{Learner, Measured, Scores};
use crate::log::{EpochRecord, Log, StepRecord};
use crate::parallel::threads;
use crate::schedule;

/// Validation episodes on which the state is looked at after each epoch.
const WATCHED: usize = 2;

/// Decisions of a validation episode that are judged after each epoch, for each one that is learned from.
const JUDGED: usize = 4;

/// What the loop may do to the world besides files in its folder.
pub struct Effects<'a> {
    /// Set to stop after the current step.
    pub stop: &'a AtomicBool,
    /// Called after each step.
    pub on_step: &'a dyn Fn(&StepRecord),
    /// Called after each epoch.
    pub on_epoch: &'a dyn Fn(&EpochRecord),
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// All epochs.
    Completed,
    /// No progress for as many epochs as the configuration allows.
    EarlyStopped,
    /// The stop flag was set.
    Interrupted,
}

/// What a run leaves.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// Optimizer steps.
    pub steps: u64,
    /// The best epoch (from 1) and its figure.
    pub best: Option<(usize, f64)>,
    /// The epochs.
    pub epochs: Vec<EpochRecord>,
    /// Folder of the best checkpoint; the last one if no epoch was finished.
    pub checkpoint: PathBuf,
    /// Hash of the last weights.
    pub weights_hash: String,
}

/// Steps of one epoch.
#[must_use]
pub fn steps_per_epoch(config: &Config, episodes: usize) -> u64 {
    episodes.div_ceil(config.optim.batch) as u64
}

/// Trains into the folder `dir`; with `resume`, on from its last checkpoint.
///
/// # Errors
/// A device that this build lacks, an episode that contradicts itself, a loss that is not a number, or a file that
/// cannot be written. The last complete checkpoint stays.
pub fn fit(
    config: &Config,
    data: &Data,
    dir: &Path,
    resume: bool,
    effects: &Effects<'_>,
) -> Result<Outcome, TrainError> {
    data.check()?;
    let voted = data.train.iter().filter(|episode| episode.winner.is_some() && config.loss.winner > 0.0);
    let two_model_episodes = voted.count();
    let keeper = Keeper { dir: dir.join("checkpoints"), config, data_hash: &data.hash, two_model_episodes };
    let (mut learner, mut progress) = start(config, &keeper, resume)?;
    let mut log = Log::open(dir, progress.log)?;
    let total = steps_per_epoch(config, data.train.len()) * config.optim.epochs as u64;
    let validation = judged(config, data);
    let mut ending = if progress.finished { Ending::EarlyStopped } else { Ending::Completed };

    while !progress.finished && progress.epoch < config.optim.epochs {
        let began = Instant::now();
        let order = schedule::order(config.run.seed, progress.epoch, data.train.len());
        for batch in order.chunks(config.optim.batch).skip(progress.batch) {
            let episodes = take(config, data, batch, progress.epoch);
            let measured =
                learner.measure(&episodes.iter().map(AsRef::as_ref).collect::<Vec<_>>(), config)?;
            check_finite(&measured, &keeper, &learner, &progress, data, batch)?;
            let rate = schedule::learning_rate(&config.optim, progress.step, total);
            learner.step(&measured, config, rate);
            let record = advance(&mut progress, &measured, rate, began);
            log.step(&record).map_err(|error| hinted(error, &keeper))?;
            (effects.on_step)(&record);
            let every = config.run.checkpoint_steps;
            let stopped = effects.stop.load(Ordering::Relaxed);
            if stopped || (every > 0 && progress.step.is_multiple_of(every)) {
                progress.log = log.mark();
                keeper.save("last", &learner, &learner.model, &progress)?;
            }
            if stopped {
                return Ok(outcome(Ending::Interrupted, &keeper, &learner, progress));
            }
        }
        let record = epoch_record(config, &validation, &learner, &progress, began)?;
        check_epoch(&record, &keeper, &learner, &progress)?;
        log.epoch(&record).map_err(|error| hinted(error, &keeper))?;
        finish_epoch(&mut progress, record, config);
        if progress.finished {
            ending = Ending::EarlyStopped;
        }
        progress.log = log.mark();
        if record.best {
            keeper.save("best", &learner, &learner.averaged(), &progress)?;
        }
        keeper.save("last", &learner, &learner.model, &progress)?;
        curves::write(dir, &progress.epochs, config.model.clip)?;
        (effects.on_epoch)(&record);
    }
    Ok(outcome(ending, &keeper, &learner, progress))
}

fn start(config: &Config, keeper: &Keeper<'_>, resume: bool) -> Result<(Learner, Progress), TrainError> {
    let device = device(&config.run.device)?;
    let workers = if config.run.device == "cpu" { threads(config.run.workers) } else { 1 };
    let (model, moments, progress) = if resume {
        let (checkpoint, moments, progress) = checkpoint::load(&keeper.path("last"), &device)?;
        if checkpoint.meta.data_hash != keeper.data_hash {
            let (now, then) = (keeper.data_hash, checkpoint.meta.data_hash);
            return Err(TrainError::Resume {
                reason: format!("the data has hash {now}, the run had {then}"),
            });
        }
        (checkpoint.model, moments, progress)
    } else {
        let model = config.model.init(config.run.seed, &device).map_err(crate::error::ConfigError::from)?;
        (model, AdamW::default(), Progress::default())
    };
    Ok((Learner::new(model, moments, &device, workers), progress))
}

/// The episodes of a batch with the decisions drawn for this epoch.
fn take<'a>(
    config: &Config,
    data: &'a Data,
    batch: &[usize],
    epoch: usize,
) -> Vec<Cow<'a, EpisodeObservation>> {
    let draw = |&index: &usize| {
        let place = (config.run.seed, epoch, index);
        let episode = schedule::sample(&data.train[index], config.data.decisions, place);
        schedule::hide_numbers(episode, config.data.rival_dropout, place)
    };
    batch.iter().map(draw).collect()
}

/// The validation episodes, each with the same few of its decisions after every epoch.
fn judged<'a>(config: &Config, data: &'a Data) -> Vec<Cow<'a, EpisodeObservation>> {
    let sample = |(index, episode)| {
        schedule::sample(episode, JUDGED * config.data.decisions, (config.run.seed, usize::MAX, index))
    };
    data.validation.iter().enumerate().map(sample).collect()
}

/// A loss or gradient that is not a number stops the run before it reaches the weights.
fn check_finite(
    measured: &Measured,
    keeper: &Keeper<'_>,
    learner: &Learner,
    progress: &Progress,
    data: &Data,
    batch: &[usize],
) -> Result<(), TrainError> {
    let figures = [("loss", f64::from(measured.loss.total)), ("gradient norm", measured.norm())];
    let Some((what, value)) = figures.into_iter().find(|(_, value)| !value.is_finite()) else {
        return Ok(());
    };
    Err(TrainError::NotFinite {
        what,
        value,
        step: progress.step + 1,
        epoch: progress.epoch + 1,
        episodes: batch.iter().map(|&index| data.train[index].id.clone()).collect(),
        saved: keeper.save("not-finite", learner, &learner.model, progress)?,
    })
}

/// Weights whose validation loss is not a number are not worth going on from.
fn check_epoch(
    record: &EpochRecord,
    keeper: &Keeper<'_>,
    learner: &Learner,
    progress: &Progress,
) -> Result<(), TrainError> {
    let value = f64::from(record.validation.loss.total);
    if value.is_finite() {
        return Ok(());
    }
    Err(TrainError::NotFinite {
        what: "validation loss",
        value,
        step: progress.step,
        epoch: record.epoch,
        episodes: Vec::new(),
        saved: keeper.save("not-finite", learner, &learner.model, progress)?,
    })
}

fn advance(progress: &mut Progress, measured: &Measured, rate: f64, began: Instant) -> StepRecord {
    progress.step += 1;
    progress.batch += 1;
    progress.running.add(&measured.loss, 1.0);
    StepRecord {
        step: progress.step,
        epoch: progress.epoch + 1,
        learning_rate: rate,
        gradient_norm: measured.norm(),
        loss: measured.loss,
        seconds: began.elapsed().as_secs_f64(),
    }
}

fn epoch_record(
    config: &Config,
    episodes: &[Cow<'_, EpisodeObservation>],
    learner: &Learner,
    progress: &Progress,
    began: Instant,
) -> Result<EpochRecord, TrainError> {
    let validation = learner.evaluate(episodes, &config.loss)?;
    let mut train = LossValues::default();
    train.add(&progress.running, 1.0 / progress.batch.max(1) as f32);
    let policy = Policy::from_parts(&learner.averaged(), Meta::default());
    let (mut max, mut norm, mut gates) = (0.0_f32, 0.0_f32, Vec::new());
    for episode in episodes.iter().take(WATCHED) {
        for turn in policy.diagnose(episode)? {
            max = max.max(turn.state_max);
            norm = norm.max(turn.state_norm);
            gates.extend(turn.gates);
        }
    }
    let figure = figure(config.optim.monitor, &validation);
    Ok(EpochRecord {
        epoch: progress.epoch + 1,
        step: progress.step,
        train,
        validation,
        state_max: max,
        state_norm: norm,
        gate_mean: gates.iter().sum::<f32>() / gates.len().max(1) as f32,
        best: progress.best.is_none_or(|(_, best)| figure < best),
        seconds: began.elapsed().as_secs_f64(),
    })
}

/// What is monitored, lower is better.
fn figure(monitor: Monitor, scores: &Scores) -> f64 {
    match monitor {
        Monitor::Loss => f64::from(scores.loss.scores),
        Monitor::Recall => 1.0 - scores.mean_recall(),
        Monitor::Winner => f64::from(scores.loss.winner),
    }
}

fn finish_epoch(progress: &mut Progress, record: EpochRecord, config: &Config) {
    if record.best {
        progress.best = Some((record.epoch, figure(config.optim.monitor, &record.validation)));
    }
    progress.epochs.push(record);
    progress.epoch += 1;
    progress.batch = 0;
    progress.running = LossValues::default();
    let stale = progress.epoch - progress.best.map_or(0, |(epoch, _)| epoch);
    progress.finished = config.optim.patience > 0 && stale >= config.optim.patience;
}

fn outcome(ending: Ending, keeper: &Keeper<'_>, learner: &Learner, progress: Progress) -> Outcome {
    let best = if progress.best.is_some() { "best" } else { "last" };
    Outcome {
        ending,
        steps: progress.step,
        best: progress.best,
        epochs: progress.epochs,
        checkpoint: keeper.path(best),
        weights_hash: learner.model.hash(),
    }
}

fn hinted(error: TrainError, keeper: &Keeper<'_>) -> TrainError {
    match error {
        TrainError::Io { path, source, .. } => TrainError::Io { path, source, hint: keeper.hint() },
        other => other,
    }
}
