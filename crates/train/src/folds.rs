//! Cross-validation of the winner head: each fold is predicted by a coordinator that never saw its prompts.
//!
//! One fold is held out, the next one chooses the number of epochs, and the rest is learned from; with `data.refit`
//! the weights are then learned anew from both. So nothing of a fold reaches the weights or the choices behind its
//! predictions.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use lrrc_dataset::{Dataset, ReadOptions, k_folds};
use lrrc_episode::{Encoding, Episode, TokenCounter};
use lrrc_eval::{Verdict, WinnerRequest, verdicts};
use lrrc_model::{Checkpoint, Policy, device};

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
    mut on_fold: impl FnMut(u64, usize, &std::path::Path),
) -> Result<Vec<Verdict>, TrainError> {
    let fault = |reason: String| TrainError::Folds { reason };
    if request.folds < 3 {
        return Err(fault(format!("{} folds: at least 3 are needed", request.folds)));
    }
    let config = configured(&request.train)?;
    let counter = Arc::new(TokenCounter::new(Encoding::Cl100kBase));
    let options = ReadOptions { counter: Some(Arc::clone(&counter)), ..ReadOptions::default() };
    let mut sets = Vec::new();
    for name in &config.data.datasets {
        let dataset = Dataset::open(name, &options)?;
        sets.push((dataset.read_all()?.0, dataset.split_spec().seed, dataset.data_hash()?));
    }
    let Some(((episodes, split_seed, hash), others)) = sets.split_first() else {
        return Err(fault("data.datasets is empty".to_owned()));
    };
    let fold_of = k_folds(episodes, request.folds, *split_seed)?;
    let side = |keep: &dyn Fn(usize) -> bool| -> Vec<Episode> {
        episodes.iter().zip(&fold_of).filter(|(_, fold)| keep(**fold)).map(|(one, _)| one.clone()).collect()
    };
    let mut all = Vec::new();
    for &seed in &request.seeds {
        for fold in 0..request.folds {
            let chooser = (fold + 1) % request.folds;
            let mut config = config.clone();
            config.run.seed = seed;
            config.run.name = format!("{}-fold{fold}", config.run.name);
            let mut train = side(&|of| of != fold && of != chooser);
            train.extend(others.iter().flat_map(|(episodes, ..)| episodes.iter().cloned()));
            let validation = side(&|of| of == chooser);
            let data =
                Data::of(&train, &validation, hash.clone(), &config.data, threads(config.run.workers))?;
            let outcome = Run::on(config, data)?.execute(stop, quiet)?;
            if outcome.ending == Ending::Interrupted {
                return Err(fault(format!("interrupted in fold {fold} of seed {seed}")));
            }
            on_fold(seed, fold, &outcome.checkpoint);
            let checkpoint = Checkpoint::load(&outcome.checkpoint, &device("cpu")?)?;
            let predicted = verdicts(&WinnerRequest {
                train: &side(&|of| of != fold),
                held_out: &side(&|of| of == fold),
                counter: &counter,
                policy: &Policy::from_checkpoint(&checkpoint),
                control: checkpoint.control.as_deref().map(Policy::from_checkpoint).as_ref(),
            });
            all.extend(predicted.map_err(TrainError::Winners)?);
        }
    }
    Ok(all)
}
