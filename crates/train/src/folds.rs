//! Cross-validation of the winner head: each fold is predicted by a coordinator that never saw its prompts.
//!
//! One fold is held out, the next one chooses the number of epochs, and the rest is learned from; with `data.refit`
//! the weights are then learned anew from both. So nothing of a fold reaches the weights or the choices behind its
//! predictions.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use lrrc_dataset::{Dataset, ReadOptions, k_folds};
use lrrc_episode::{Encoding, Episode, TokenCounter};
use lrrc_eval::{Verdict, WinnerRequest, verdicts};
use lrrc_model::{Checkpoint, Policy, device};

use crate::config::Config;
use crate::data::Data;
use crate::error::TrainError;
use crate::fit::Ending;
use crate::parallel::threads;
use crate::run::{Request, Run, configured};

/// What to cross-validate.
#[derive(Debug, Clone, Default)]
pub struct FoldsRequest {
    /// The experiment; the first of its data sets is cut into folds, the others are learned from whole.
    pub train: Request,
    /// Folds, at least 3: one held out, one to choose with, the rest to learn from.
    pub folds: usize,
    /// Seeds of the weights; every record is predicted once a seed.
    pub seeds: Vec<u64>,
}

/// Trains once a seed and fold and returns every prediction; `on_fold` is told the seed, the fold and the folder of
/// its checkpoint.
///
/// # Errors
/// Fewer than 3 folds, data that cannot be read or cut, a run that fails or is interrupted, or an episode that the
/// coordinator refuses.
pub fn cross_validate(
    request: &FoldsRequest,
    stop: &AtomicBool,
    quiet: bool,
    mut on_fold: impl FnMut(u64, usize, &Path),
) -> Result<Vec<Verdict>, TrainError> {
    let config = configured(&request.train)?;
    let counter = Arc::new(TokenCounter::new(Encoding::Cl100kBase));
    let cut = Cut::read(&config, request.folds, &counter)?;
    let mut all = Vec::new();
    for &seed in &request.seeds {
        for fold in 0..request.folds {
            let run = Run::on(at(&config, seed, fold), cut.data(&config, fold)?)?;
            let outcome = run.execute(stop, quiet)?;
            if outcome.ending == Ending::Interrupted {
                return Err(fault(format!("interrupted in fold {fold} of seed {seed}")));
            }
            on_fold(seed, fold, &outcome.checkpoint);
            let checkpoint = Checkpoint::load(&outcome.checkpoint, &device("cpu")?)?;
            let predicted = verdicts(&WinnerRequest {
                train: &cut.side(|of| of != fold),
                held_out: &cut.side(|of| of == fold),
                counter: &counter,
                policy: &Policy::from_checkpoint(&checkpoint),
                control: checkpoint.control.as_deref().map(Policy::from_checkpoint).as_ref(),
            });
            all.extend(predicted.map_err(TrainError::Winners)?);
        }
    }
    Ok(all)
}

fn at(config: &Config, seed: u64, fold: usize) -> Config {
    let mut config = config.clone();
    config.run.seed = seed;
    config.run.name = format!("{}-fold{fold}", config.run.name);
    config
}

fn fault(reason: String) -> TrainError {
    TrainError::Folds { reason }
}

/// Data sets, the first of them cut into folds.
struct Cut {
    episodes: Vec<Episode>,
    fold_of: Vec<usize>,
    folds: usize,
    /// Episodes of the other data sets.
    others: Vec<Episode>,
    hash: String,
}

impl Cut {
    fn read(config: &Config, folds: usize, counter: &Arc<TokenCounter>) -> Result<Self, TrainError> {
        if folds < 3 {
            return Err(fault(format!("{folds} folds: at least 3 are needed")));
        }
        let options = ReadOptions {
            skip_bad: config.data.skip_bad,
            counter: Some(Arc::clone(counter)),
            ..ReadOptions::default()
        };
        let (mut cut, mut hash) = (None, blake3::Hasher::new());
        for name in &config.data.datasets {
            let dataset = Dataset::open(name, &options)?;
            let (episodes, _) = dataset.read_all()?;
            hash.update(dataset.data_hash()?.as_bytes());
            match &mut cut {
                None => {
                    let fold_of = k_folds(&episodes, folds, dataset.split_spec().seed)?;
                    cut = Some(Self { episodes, fold_of, folds, others: Vec::new(), hash: String::new() });
                }
                Some(cut) => cut.others.extend(episodes),
            }
        }
        let cut = cut.ok_or_else(|| fault("data.datasets is empty".to_owned()))?;
        Ok(Self { hash: hash.finalize().to_hex().to_string(), ..cut })
    }

    fn side(&self, keep: impl Fn(usize) -> bool) -> Vec<Episode> {
        let kept = self.episodes.iter().zip(&self.fold_of).filter(|(_, fold)| keep(**fold));
        kept.map(|(episode, _)| episode.clone()).collect()
    }

    /// What is learned from and chosen with when `fold` is held out.
    fn data(&self, config: &Config, fold: usize) -> Result<Data, TrainError> {
        let chooser = (fold + 1) % self.folds;
        let mut train = self.side(|of| of != fold && of != chooser);
        train.extend(self.others.iter().cloned());
        let validation = self.side(|of| of == chooser);
        Data::of(&train, &validation, self.hash.clone(), &config.data, threads(config.run.workers))
    }
}
