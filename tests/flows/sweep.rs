//! A sweep over two machines: trials in folders, one arm that fails, and the study of what is done.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use lrrc_dataset::{Dataset, DatasetWriter, Provenance, ReadOptions, SplitSpec};
use lrrc_eval::study::Study;
use lrrc_train::{Gathered, Status, SweepOptions, SweepOutcome, SweepSpec, gather, sweep, sweep_one};

/// Sessions of the made-up log, and folds that hold them out.
const SESSIONS: usize = 6;
const FOLDS: usize = 3;

/// The sessions of a log, again and again under other names.
fn data(folder: &Path) -> PathBuf {
    let log = crate::root().join("tests/data/openai_weather.jsonl");
    let known: Vec<_> = Dataset::of_files(vec![log], &ReadOptions::default())
        .episodes()
        .map(|episode| episode.expect("a sound session"))
        .collect();
    let out = folder.join("weather");
    let provenance = Provenance { source: "a log".into(), licence: "MIT".into(), attribution: String::new() };
    let mut writer = DatasetWriter::create(&out, "weather", provenance, SplitSpec::default(), false)
        .expect("an empty folder");
    for (at, mut episode) in known.iter().cycle().take(SESSIONS).cloned().enumerate() {
        episode.id = format!("session-{at}");
        episode.group.clone_from(&episode.id);
        writer.push(episode).expect("a writable folder");
    }
    writer.finish().expect("a writable folder");
    out
}

fn spec(data: &Path) -> SweepSpec {
    let data = data.display();
    let text = format!(
        r#"
name = "weather"
folds = {FOLDS}
seeds = {FOLDS}
datasets = ["{data}"]
main = "small"
budgets = [0.5]
set = ['data.datasets=["{data}"]', "model.rank=2", "model.width=16", "model.token_width=4", "model.hidden=8",
       "model.prompt_width=4", "optim.epochs=1"]
[[arm]]
name = "rules"
kind = "rules"
[[arm]]
name = "small"
[[arm]]
name = "broken"
set = ["optim.learning_rate=1e30", "optim.clip_norm=0", "optim.epochs=4"]
"#
    );
    SweepSpec::parse("weather.toml", &text).expect("a sound sweep")
}

fn run(spec: &SweepSpec, dir: &Path, shard: (usize, usize)) -> SweepOutcome {
    let options = SweepOptions { shard, jobs: 2 };
    sweep(spec, dir, options, &AtomicBool::new(false), &|_, _| ()).expect("a writable folder")
}

#[test]
fn shards_failures_and_second_runs_end_in_one_study() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let spec = spec(&data(folder.path()));
    let machines = ["one", "two"].map(|name| folder.path().join(name));
    let first = run(&spec, &machines[0], (1, 2));
    let second = run(&spec, &machines[1], (2, 2));
    assert_eq!(first.done + second.done, 2 * FOLDS, "{:?}", first.failed);
    let failed: Vec<&str> =
        first.failed.iter().chain(&second.failed).map(|(name, _)| name.as_str()).collect();
    assert!(failed.len() == FOLDS && failed.iter().all(|name| name.starts_with("broken-")), "{failed:?}");

    let again = run(&spec, &machines[0], (1, 2));
    assert_eq!((again.skipped, again.done, again.failed.len()), (first.done, 0, first.failed.len()));

    let Gathered { study, missing } = gather(&machines).expect("most trials are done");
    assert_eq!(missing.len(), FOLDS);
    check(&study);
    let alone = gather(&machines[..1]).expect("some trials are done");
    assert!(alone.missing.len() > missing.len());
}

fn check(study: &Study) {
    let curve = |arm: &str, method: &str| {
        study.curves.iter().find(|curve| (curve.arm.as_str(), curve.method.as_str()) == (arm, method))
    };
    let full = curve("rules", "full").expect("the rules were run");
    assert_eq!((full.episodes, full.groups), (SESSIONS, SESSIONS));
    assert_eq!(full.points[0].args.map(|args| args.value), Some(1.0));
    assert!(curve("small", "lrrc-once").is_some() && curve("broken", "lrrc-once").is_none());
    assert!(study.comparisons.iter().any(|one| one.family == "untrained" && one.b == "rules coverage"));
    assert!(study.comparisons.iter().all(|one| one.p_holm >= one.p_t));
    assert!(study.prices.iter().any(|line| line.strategy == "lrrc-ingest"));
    assert!(!study.training.is_empty() && !study.claims.is_empty());
}

#[test]
fn a_stopped_trial_is_left_and_gone_on_with() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let spec = spec(&data(folder.path()));
    let dir = folder.path().join("out");
    let stopped = sweep_one(&spec, &dir, "small-s1-f0", &AtomicBool::new(true)).expect("a writable folder");
    assert_eq!(stopped, Status::Interrupted);
    assert!(!dir.join("trials/small-s1-f0/trial.json").exists());
    let done = sweep_one(&spec, &dir, "small-s1-f0", &AtomicBool::new(false)).expect("a writable folder");
    assert_eq!(done, Status::Done);
    let error = sweep_one(&spec, &dir, "small-s9-f0", &AtomicBool::new(false)).expect_err("no such trial");
    assert!(error.to_string().contains("no trial is called small-s9-f0"), "{error}");
    let other = SweepSpec { budgets: vec![0.4], ..spec };
    let error = sweep_one(&other, &dir, "small-s1-f0", &AtomicBool::new(false)).expect_err("another sweep");
    assert!(error.to_string().contains("holds another sweep"), "{error}");
}
