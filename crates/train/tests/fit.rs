//! Laws of a run: the same seed gives the same bits, whether or not it was interrupted, on however many threads.

#[path = "../../model/tests/synthetic/mod.rs"]
mod synthetic;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use lrrc_train::{Config, Data, Effects, Ending, Outcome, StepRecord, TrainError, fit};
use synthetic::{Shape, episode};

const SMALL: Shape = Shape { turns: 6, segments: 4, tokens: 5, decisions: 6, vocabulary: 60 };

fn data() -> Data {
    let episodes = |range: std::ops::Range<u64>| range.map(|seed| episode(seed, SMALL)).collect();
    Data {
        train: episodes(0..10),
        validation: episodes(10..14),
        hash: "synthetic".into(),
        sources: Vec::new(),
    }
}

fn config(overrides: &[&str]) -> Config {
    let base = "[model]\nwidth = 64\nrank = 4\n[data]\ndecisions = 4\n[optim]\nbatch = 4\nepochs = 3\npatience = 0\n\
                warmup_steps = 2\n[run]\nseed = 5\n";
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    Config::resolve("test", base, &overrides).unwrap()
}

fn run(
    config: &Config,
    dir: &Path,
    resume: bool,
    on_step: &dyn Fn(&StepRecord, &AtomicBool),
) -> Result<Outcome, TrainError> {
    std::fs::create_dir_all(dir.join("checkpoints")).unwrap();
    let stop = AtomicBool::new(false);
    let on_step = |record: &StepRecord| on_step(record, &stop);
    fit(config, &data(), dir, resume, &Effects { stop: &stop, on_step: &on_step, on_epoch: &|_| () })
}

fn straight(config: &Config) -> (Outcome, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let outcome = run(config, dir.path(), false, &|_, _| ()).unwrap();
    (outcome, metrics(dir.path()))
}

/// The lines of the log without their times.
fn metrics(dir: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(dir.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| line.split(",\"seconds\"").next().unwrap().to_owned()).collect()
}

#[test]
fn the_same_seed_gives_the_same_weights_on_any_number_of_threads() {
    let (first, log) = straight(&config(&["run.workers=1"]));
    let (second, again) = straight(&config(&["run.workers=3"]));
    assert_eq!((&first.weights_hash, log), (&second.weights_hash, again));
    assert_eq!((first.ending, first.steps, first.epochs.len()), (Ending::Completed, 9, 3));
    let (other, _) = straight(&config(&["run.seed=6"]));
    assert_ne!(first.weights_hash, other.weights_hash);
}

#[test]
fn training_learns() {
    let config = config(&["optim.epochs=6", "optim.learning_rate=0.003", "data.decisions=0"]);
    let long = Shape { turns: 14, segments: 8, decisions: 12, ..SMALL };
    let data = Data { train: (20..60).map(|seed| episode(seed, long)).collect(), ..data() };
    let dir = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let effects = Effects { stop: &stop, on_step: &|_| (), on_epoch: &|_| () };
    let outcome = fit(&config, &data, dir.path(), false, &effects).unwrap();
    let (first, last) = (outcome.epochs[0].validation, outcome.epochs[5].validation);
    assert!(last.loss.scores < 0.7 * first.loss.scores, "{} → {}", first.loss.scores, last.loss.scores);
    let (before, after) = (first.mean_recall(), last.mean_recall());
    assert!(after > before, "{before} → {after}");
}

#[test]
fn an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one() {
    for average in ["optim.average=0", "optim.average=0.8"] {
        interrupt(&config(&[average]));
    }
}

fn interrupt(config: &Config) {
    let (whole, log) = straight(config);
    for stop_at in [1, 3, 4, 8] {
        let dir = tempfile::tempdir().unwrap();
        let stop = |record: &StepRecord, stop: &AtomicBool| {
            if record.step == stop_at {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let part = run(config, dir.path(), false, &stop).unwrap();
        assert_eq!((part.ending, part.steps), (Ending::Interrupted, stop_at));
        let rest = run(config, dir.path(), true, &|_, _| ()).unwrap();
        assert_eq!(
            (rest.weights_hash, rest.steps),
            (whole.weights_hash.clone(), whole.steps),
            "at {stop_at}"
        );
        assert_eq!(metrics(dir.path()), log, "no step is missing from the log or stands in it twice");
    }
}

#[test]
fn averaged_weights_are_kept_and_judged() {
    let best = |average: &str| {
        let dir = tempfile::tempdir().unwrap();
        let outcome = run(&config(&[average, "optim.epochs=1"]), dir.path(), false, &|_, _| ()).unwrap();
        let device = lrrc_model::device("cpu").unwrap();
        let kept = lrrc_model::Checkpoint::load(&outcome.checkpoint, &device).unwrap();
        (kept.model.hash(), outcome.weights_hash, outcome.epochs[0].validation.loss.total)
    };
    let (plain, averaged) = (best("optim.average=0"), best("optim.average=0.9"));
    assert_eq!(plain.0, plain.1, "without a mean the last weights are kept");
    assert_eq!(plain.1, averaged.1, "the steps do not depend on the mean");
    assert_ne!(averaged.0, averaged.1, "the mean is kept");
    assert_ne!(averaged.2, plain.2, "the mean is judged");
}

#[test]
fn a_killed_run_goes_on_from_its_last_checkpoint() {
    let config = config(&["run.checkpoint_steps=2"]);
    let (whole, log) = straight(&config);
    let dir = tempfile::tempdir().unwrap();
    let killed = catch_unwind(AssertUnwindSafe(|| {
        run(&config, dir.path(), false, &|record, _| assert!(record.step < 6, "killed")).ok()
    }));
    assert!(killed.is_err());
    let rest = run(&config, dir.path(), true, &|_, _| ()).unwrap();
    assert_eq!(rest.weights_hash, whole.weights_hash);
    assert_eq!(metrics(dir.path()), log);
    // A finished run has nothing left to do and stays what it is.
    let again = run(&config, dir.path(), true, &|_, _| panic!("no step is left")).unwrap();
    assert_eq!((again.weights_hash, again.ending), (whole.weights_hash, Ending::Completed));
}

#[test]
fn training_stops_early_and_keeps_the_best() {
    let config =
        config(&["optim.patience=2", "optim.learning_rate=3", "optim.epochs=20", "optim.clip_norm=0"]);
    let dir = tempfile::tempdir().unwrap();
    let outcome = run(&config, dir.path(), false, &|_, _| ()).unwrap();
    assert_eq!(outcome.ending, Ending::EarlyStopped);
    let (best, _) = outcome.best.unwrap();
    assert_eq!(best + 2, outcome.epochs.len());
    let policy = lrrc_model::Policy::load(&outcome.checkpoint, &lrrc_model::device("cpu").unwrap()).unwrap();
    assert_eq!(policy.meta().metrics["epoch"], best);
    for figure in ["loss.svg", "recall.svg", "state.svg"] {
        assert!(std::fs::read_to_string(dir.path().join(figure)).unwrap().starts_with("<svg"), "{figure}");
    }
}

#[test]
fn a_loss_that_is_not_a_number_stops_the_run_with_its_batch() {
    let mut data = data();
    data.train[3].decisions[0].candidates[0].features[0] = f32::NAN;
    let config = config(&["data.decisions=0"]);
    let dir = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let effects = Effects { stop: &stop, on_step: &|_| (), on_epoch: &|_| () };
    let error = fit(&config, &data, dir.path(), false, &effects).unwrap_err();
    let TrainError::NotFinite { what, epoch, episodes, saved, .. } = &error else { panic!("{error}") };
    assert_eq!((*what, *epoch), ("loss", 1));
    assert!(episodes.contains(&"synthetic-3".to_owned()) && episodes.len() <= 4);
    let device = lrrc_model::device("cpu").unwrap();
    let saved = lrrc_model::Checkpoint::load(saved, &device).unwrap();
    assert!(saved.model.to_bytes().chunks_exact(4).len() > 1_000, "the weights before the step are there");
}

#[test]
fn an_empty_split_and_foreign_data_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let effects = Effects { stop: &stop, on_step: &|_| (), on_epoch: &|_| () };
    let mut empty = data();
    empty.validation.clear();
    let error = fit(&config(&[]), &empty, dir.path(), false, &effects).unwrap_err().to_string();
    assert!(error.starts_with("the validation split is empty: 0 episodes"), "{error}");

    fit(&config(&["optim.epochs=1"]), &data(), dir.path(), false, &effects).unwrap();
    let mut other = data();
    other.hash = "other".into();
    let error = fit(&config(&[]), &other, dir.path(), true, &effects).unwrap_err().to_string();
    assert_eq!(error, "cannot resume: the data has hash other, the run had synthetic");
}

/// `/dev/full` fails every write as a full disk does.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_checkpoint_before() {
    let config = config(&["run.checkpoint_steps=1"]);
    let (whole, _) = straight(&config);
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("metrics.jsonl");
    let stop = |record: &StepRecord, stop: &AtomicBool| {
        if record.step == 2 {
            stop.store(true, Ordering::Relaxed);
        }
    };
    run(&config, dir.path(), false, &stop).unwrap();
    std::fs::rename(&log, dir.path().join("kept")).unwrap();
    std::os::unix::fs::symlink("/dev/full", &log).unwrap();
    let error = run(&config, dir.path(), true, &|_, _| ()).unwrap_err().to_string();
    assert!(error.contains("No space left on device"), "{error}");
    std::fs::remove_file(&log).unwrap();
    std::fs::rename(dir.path().join("kept"), &log).unwrap();
    assert_eq!(run(&config, dir.path(), true, &|_, _| ()).unwrap().weights_hash, whole.weights_hash);
}
