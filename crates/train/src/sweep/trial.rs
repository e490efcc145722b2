//! One trial: train, replay the held-out fold, write down how it went.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use burn::module::Module;
use lrrc_dataset::{Dataset, ReadOptions};
use lrrc_episode::{Encoding, Episode, TokenCounter};
use lrrc_eval::{Evaluation, Kind, Method, Scorer, Trees, evaluate, observe_all};
use lrrc_model::{Checkpoint, Policy, device, write_atomic};

use super::extras;
use super::outcome::{Status, TrialRecord};
use super::spec::{ArmKind, SweepSpec, Trial};
use crate::data::{Sides, sides};
use crate::error::TrainError;
use crate::fit::Ending;
use crate::run::Run;

/// Runs a trial in its folder; whatever goes wrong is its outcome.
pub(super) fn run(trial: &Trial, spec: &SweepSpec, dir: &Path, stop: &AtomicBool) -> Status {
    if is_done(trial, dir) {
        return Status::Skipped;
    }
    let began = Instant::now();
    let mut record = TrialRecord {
        name: trial.name.clone(),
        arm: trial.arm.clone(),
        seed: trial.config.run.seed,
        fold: trial.config.data.fold,
        fingerprint: trial.fingerprint.clone(),
        error: None,
        seconds: 0.0,
        rank: None,
        parameters: None,
        steps: None,
        best_epoch: None,
        weights_hash: None,
    };
    let result = catch_unwind(AssertUnwindSafe(|| execute(trial, spec, dir, stop, &mut record)));
    let status = match result {
        Ok(Ok(true)) => Status::Done,
        Ok(Ok(false)) => return Status::Interrupted,
        Ok(Err(error)) => Status::Failed(error.to_string()),
        Err(panic) => Status::Failed(message(panic.as_ref())),
    };
    if let Status::Failed(message) = &status {
        record.error = Some(message.clone());
    }
    record.seconds = began.elapsed().as_secs_f64();
    let text = serde_json::to_vec_pretty(&record).unwrap_or_default();
    match std::fs::create_dir_all(dir)
        .map_err(|e| e.to_string())
        .and_then(|()| write_atomic(&dir.join("trial.json"), &text).map_err(|error| error.to_string()))
    {
        Ok(()) => status,
        Err(error) => Status::Failed(error),
    }
}

fn is_done(trial: &Trial, dir: &Path) -> bool {
    let Ok(bytes) = std::fs::read(dir.join("trial.json")) else { return false };
    let record = serde_json::from_slice::<TrialRecord>(&bytes);
    record.is_ok_and(|record| record.error.is_none() && record.fingerprint == trial.fingerprint)
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    format!("panicked: {text}")
}

/// Whether the trial came to its end; false if it was stopped.
fn execute(
    trial: &Trial,
    spec: &SweepSpec,
    dir: &Path,
    stop: &AtomicBool,
    record: &mut TrialRecord,
) -> Result<bool, TrainError> {
    let policy = if trial.kind == ArmKind::Model {
        let run = Run::at(trial.config.clone(), dir.join("run"))?;
        let outcome = run.execute(stop, true)?;
        if outcome.ending == Ending::Interrupted {
            return Ok(false);
        }
        let checkpoint = Checkpoint::load(&outcome.checkpoint, &device("cpu")?)?;
        record.rank = Some(trial.config.model.rank);
        record.parameters = Some(checkpoint.model.num_params());
        record.steps = Some(outcome.steps);
        record.best_epoch = outcome.best.map(|(epoch, _)| epoch);
        record.weights_hash = Some(outcome.weights_hash);
        Some(Policy::from_checkpoint(&checkpoint))
    } else {
        None
    };
    for name in &spec.datasets {
        let held_out = HeldOut::read(name, trial)?;
        create(dir)?;
        if let (true, Some(policy)) = (held_out.has_rivals(), &policy) {
            extras::verdicts(&held_out.name, &held_out.sides, &held_out.counter, policy, dir)?;
            continue;
        }
        let trees = (trial.kind == ArmKind::Trees).then(|| held_out.trees(trial)).transpose()?;
        let learned = Learned { policy: policy.as_ref(), trees: trees.as_ref() };
        let replays = evaluate(&held_out.evaluation(spec, trial.kind, learned), |_| ())?;
        let path = dir.join(format!("replays-{}.json", held_out.name));
        write_atomic(&path, &serde_json::to_vec(&replays).unwrap_or_default())?;
        if let (true, Some(policy)) = (trial.is_main, &policy) {
            extras::measure(&held_out.name, &held_out.sides.test, &held_out.counter, policy, dir)?;
        }
    }
    Ok(true)
}

fn create(dir: &Path) -> Result<(), TrainError> {
    let io = |source| TrainError::Io { path: dir.into(), source, hint: String::new() };
    std::fs::create_dir_all(dir).map_err(io)
}

/// What a trial has learned.
#[derive(Clone, Copy)]
struct Learned<'a> {
    policy: Option<&'a Policy>,
    trees: Option<&'a Trees>,
}

/// The episodes of one data set.
struct HeldOut {
    name: String,
    sides: Sides,
    counter: Arc<TokenCounter>,
}

impl HeldOut {
    fn read(name: &str, trial: &Trial) -> Result<Self, TrainError> {
        let counter = Arc::new(TokenCounter::new(Encoding::Cl100kBase));
        let options = ReadOptions {
            skip_bad: trial.config.data.skip_bad,
            counter: Some(Arc::clone(&counter)),
            ..ReadOptions::default()
        };
        let dataset = Dataset::open(name, &options)?;
        let sides = sides(&dataset, &trial.config.data)?;
        Ok(Self { name: dataset.name().to_owned(), sides, counter })
    }

    /// Whether the episodes are answers of two models with a verdict, which have no calls to replay.
    fn has_rivals(&self) -> bool {
        self.sides.test.iter().any(|episode| episode.outcome.winner.is_some())
    }

    /// Boosted trees with thresholds; queries need none, since deciding once is deciding anew there.
    fn trees(&self, trial: &Trial) -> Result<Trees, TrainError> {
        let observed = |episodes: &[Episode]| observe_all(episodes, &self.counter);
        let validation = observed(&self.sides.validation);
        let train = observed(&self.sides.train);
        let mut trees = Trees::fit(train.iter().map(|one| &one.observation), trial.config.run.seed)?;
        if Kind::of(&validation) == Kind::Calls {
            trees.calibrate(&validation, &self.counter);
        }
        Ok(trees)
    }

    fn evaluation<'a>(&'a self, spec: &SweepSpec, kind: ArmKind, learned: Learned<'a>) -> Evaluation<'a> {
        let wanted = |method: &Method| match kind {
            ArmKind::Model => method.scorer() == Scorer::Coordinator,
            ArmKind::Rules => !method.is_learned(),
            ArmKind::Trees => method.scorer() == Scorer::Trees,
        };
        Evaluation {
            dataset: &self.name,
            episodes: &self.sides.test,
            counter: &self.counter,
            policy: learned.policy,
            control: None,
            trees: learned.trees,
            background: None,
            budgets: spec.budgets.clone(),
            methods: Method::ALL.into_iter().filter(wanted).collect(),
            timed: false,
        }
    }
}
