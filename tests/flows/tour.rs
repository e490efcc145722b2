//! The whole way of a user's own logs: import, count, train, load, evaluate.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use lrrc_dataset::{Dataset, DatasetWriter, Format, Provenance, ReadOptions, SplitSpec, Stats};
use lrrc_episode::{Encoding, TokenCounter};
use lrrc_eval::{Evaluation, Method, evaluate};
use lrrc_model::{Checkpoint, Policy, device};
use lrrc_train::{Request, Run};

/// Sessions, and agent turns of each, in the log.
const SESSIONS: u64 = 2;
const CALLS: u64 = 3;

/// Writes the log as a data set and returns its folder.
fn imported(folder: &Path) -> PathBuf {
    let log = crate::root().join("tests/data/openai_weather.jsonl");
    assert_eq!(Format::detect(&log).expect("a known format"), Format::OpenAi);
    let out = folder.join("weather");
    let provenance = Provenance { source: "a log".into(), licence: "MIT".into(), attribution: String::new() };
    let mut writer = DatasetWriter::create(&out, "weather", provenance, SplitSpec::default(), false)
        .expect("an empty folder");
    for episode in Dataset::of_files(vec![log], &ReadOptions::default()).episodes() {
        writer.push(episode.expect("a sound session")).expect("a writable folder");
    }
    let manifest = writer.finish().expect("a writable folder");
    assert_eq!((manifest.episodes, manifest.groups), (SESSIONS, SESSIONS));
    out
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// Trains for one epoch and returns the folder of the finished checkpoint.
fn trained(dataset: &Path, runs: &Path) -> PathBuf {
    let set = [
        "model.rank=4".to_owned(),
        "model.width=32".to_owned(),
        "model.token_width=8".to_owned(),
        "model.hidden=16".to_owned(),
        format!("data.datasets=[\"{}\"]", text(dataset)),
        "optim.epochs=1".to_owned(),
        format!("run.dir=\"{}\"", text(runs)),
        "run.seed=5".to_owned(),
        "run.control=true".to_owned(),
    ];
    let request = Request { config: Some("quickstart".into()), set: set.into(), resume: None };
    let run = Run::prepare(&request).expect("a sound configuration");
    assert_eq!((run.data.train.len(), run.data.validation.len()), (1, 1));
    let outcome = run.execute(&AtomicBool::new(false), true).expect("a run without interruption");
    assert_eq!(outcome.epochs.len(), 1);
    run.dir.join("model")
}

/// Hashes of the weights of a checkpoint and of its control, and of the data they were made from.
fn hashes(dir: &Path) -> [String; 3] {
    let device = device("cpu").expect("every build has the CPU");
    let checkpoint = Checkpoint::load(dir, &device).expect("it was just written");
    let control = checkpoint.control.expect("the control was asked for");
    [checkpoint.meta.weights_hash, control.meta.weights_hash, checkpoint.meta.data_hash]
}

#[test]
fn logs_become_a_coordinator_and_its_figures() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dataset = imported(folder.path());

    let counter = Arc::new(TokenCounter::new(Encoding::Cl100kBase));
    let options = ReadOptions { counter: Some(Arc::clone(&counter)), ..ReadOptions::default() };
    let (episodes, skipped) =
        Dataset::open(text(&dataset), &options).expect("a data set").read_all().expect("it is sound");
    assert_eq!(skipped.skipped, 0);
    let stats = Stats::of(&episodes);
    assert_eq!((stats.episodes, stats.groups, stats.calls), (SESSIONS, SESSIONS, SESSIONS * CALLS));
    let turns: usize = episodes.iter().map(|episode| episode.turns.len()).sum();
    assert_eq!(stats.all.turns, turns as u64);
    assert!(stats.all.tokens > 0);

    let model = trained(&dataset, folder.path());
    let device = device("cpu").expect("every build has the CPU");
    let policy = Policy::load(&model, &device).expect("it was just written");
    assert_eq!((policy.config().rank, policy.config().width), (4, 32));
    let request = Evaluation {
        dataset: "weather",
        episodes: &episodes,
        counter: &counter,
        policy: Some(&policy),
        control: None,
        trees: None,
        background: None,
        budgets: vec![0.5],
        methods: vec![Method::Full, Method::LrrcOnce, Method::LrrcRerank],
        timed: true,
    };
    let replays = evaluate(&request, |_| ()).expect("the logs hold calls");
    let report = replays.report(11).expect("counts can be resampled");
    assert_eq!(report.episodes, episodes.len());
    let names: Vec<&str> = report.methods.iter().map(|method| method.name.as_str()).collect();
    assert_eq!(names, ["full", "lrrc-once", "lrrc-rerank"]);
    assert_eq!(report.row("full", 0.5).and_then(|row| row.args_kept), Some(1.0));
}

#[test]
fn the_same_seed_gives_the_same_weights() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dataset = imported(folder.path());
    let [first, second] =
        ["first", "second"].map(|name| hashes(&trained(&dataset, &folder.path().join(name))));
    assert_eq!(first, second);
    assert_ne!(first[0], first[1], "coordinator and control are two models");
}
