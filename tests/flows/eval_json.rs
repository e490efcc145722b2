//! The JSON of an evaluation, on rows in the formats in which traces are exchanged.

use std::sync::Arc;

use lrrc_dataset::{Dataset, Format, ReadOptions};
use lrrc_episode::{Encoding, Episode, TokenCounter};
use lrrc_eval::{BUDGETS, Evaluation, Method, Report, evaluate};
use lrrc_model::{CoordinatorConfig, Meta, Policy, device};
use serde_json::Value;

const METHODS: [&str; 13] = [
    "full",
    "last-n",
    "head-tail",
    "random",
    "recency-dedup",
    "bm25",
    "tool-clearing",
    "table",
    "coverage",
    "no-state",
    "lrrc-ingest",
    "lrrc-once",
    "lrrc-rerank",
];
const FIGURES: [&str; 11] = [
    "keep",
    "history_removed",
    "tokens_saved",
    "args_kept",
    "calls_kept",
    "replayable",
    "bound_recall",
    "answer_values",
    "word_reuse",
    "need_recall",
    "evidence_recall",
];
/// Figures that may be there beside those.
const MORE_FIGURES: [&str; 3] = ["tokens_saved_interval", "args_kept_interval", "args_kept_unseen"];

/// Rows of a hand-written file, read as the format that the file itself shows.
fn rows(name: &str, format: Format, counter: &Arc<TokenCounter>) -> Vec<Episode> {
    let path = crate::root().join("tests/data").join(name);
    assert_eq!(Format::detect(&path).expect("a known format"), format);
    let options = ReadOptions { counter: Some(Arc::clone(counter)), ..ReadOptions::default() };
    let dataset = Dataset::open(path.to_str().expect("a UTF-8 path"), &options).expect("the file is there");
    dataset.read_all().expect("sound rows").0
}

/// An untrained coordinator: its figures are poor, their form is that of any other.
fn untrained(use_state: bool) -> Policy {
    let config = CoordinatorConfig { width: 64, rank: 4, use_state, ..CoordinatorConfig::default() };
    let model = config.init(3, &device("cpu").expect("every build has the CPU")).expect("sound sizes");
    Policy::from_parts(&model, Meta::default())
}

fn evaluated(name: &str, format: Format) -> Value {
    let counter = Arc::new(TokenCounter::new(Encoding::Cl100kBase));
    let episodes = rows(name, format, &counter);
    let (policy, control) = (untrained(true), untrained(false));
    let request = Evaluation {
        dataset: name,
        episodes: &episodes,
        counter: &counter,
        policy: Some(&policy),
        control: Some(&control),
        trees: None,
        background: None,
        budgets: BUDGETS.to_vec(),
        methods: Method::ALL.to_vec(),
        timed: true,
    };
    let replays = evaluate(&request, |_| ()).expect("there are calls to replay");
    let report = replays.report(11).expect("counts can be resampled");
    let text = serde_json::to_string_pretty(&report).expect("a report is JSON");
    let again: Report = serde_json::from_str(&text).expect("and is read again");
    assert_eq!(again, report);
    serde_json::from_str(&text).expect("it is JSON")
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("{key} is a list"))
}

/// Every row of every method: its method's name, and its figures.
fn figures(report: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let methods = list(report, "methods").iter();
    methods.flat_map(|method| {
        let name = method["name"].as_str().expect("a name");
        list(method, "budgets").iter().map(move |row| (name, row))
    })
}

#[track_caller]
fn assert_form(report: &Value) {
    assert_eq!(keys(report), ["dataset", "episodes", "groups", "calls", "full_tokens", "methods"]);
    for count in ["episodes", "calls", "full_tokens"] {
        assert!(report[count].as_u64().is_some_and(|count| count > 0), "{count}: {}", report[count]);
    }
    let names: Vec<&str> =
        list(report, "methods").iter().filter_map(|method| method["name"].as_str()).collect();
    let missing: Vec<&str> = METHODS.into_iter().filter(|name| !names.contains(name)).collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
    for method in list(report, "methods") {
        assert_eq!(keys(method), ["name", "ms_per_1k_tokens", "budgets"]);
        assert!(method["ms_per_1k_tokens"].as_f64().is_some_and(|time| time > 0.0), "{method}");
        let kept: Vec<f64> = list(method, "budgets").iter().filter_map(|row| row["keep"].as_f64()).collect();
        for keep in [0.10, 0.20, 0.25, 0.30, 0.50, 0.75] {
            assert!(kept.contains(&keep), "{}: {keep} is not in {kept:?}", method["name"]);
        }
    }
    for (name, row) in figures(report) {
        let (known, more): (Vec<&str>, Vec<&str>) =
            keys(row).into_iter().partition(|key| FIGURES.contains(key));
        assert_eq!(known, FIGURES);
        assert!(more.iter().all(|key| MORE_FIGURES.contains(key)), "{more:?}");
        for key in known {
            let sound = row[key].is_null() || row[key].as_f64().is_some_and(|share| share <= 1.0);
            assert!(sound, "{name}: {key} is {}", row[key]);
        }
    }
}

/// Whether all rows have this figure, or none of them.
#[track_caller]
fn assert_labelled(report: &Value, with: &[&str], without: &[&str]) {
    for (name, row) in figures(report) {
        let lacks = |key: &&&str| row[**key].is_null();
        assert_eq!(with.iter().find(lacks), None, "{name}: {row}");
        assert_eq!(without.iter().find(|key| !lacks(key)), None, "{name}: {row}");
    }
}

#[test]
fn trajectories_have_arguments_and_no_evidence() {
    let report = evaluated("traj_airline.jsonl", Format::Trajectory);
    assert_form(&report);
    assert_eq!((report["episodes"].as_u64(), report["groups"].as_u64()), (Some(3), Some(3)));
    assert_labelled(
        &report,
        &["args_kept", "calls_kept", "replayable", "bound_recall", "word_reuse", "need_recall"],
        &["evidence_recall"],
    );
    for (name, row) in figures(&report).filter(|(name, _)| *name == "full") {
        assert_eq!(
            (row["args_kept"].as_f64(), row["history_removed"].as_f64()),
            (Some(1.0), Some(0.0)),
            "{name}"
        );
    }
}

#[test]
fn transcripts_have_evidence_and_no_arguments() {
    let report = evaluated("evidence_meetings.jsonl", Format::Evidence);
    assert_form(&report);
    assert_labelled(
        &report,
        &["history_removed", "tokens_saved", "evidence_recall"],
        &["args_kept", "calls_kept", "replayable", "bound_recall"],
    );
}

#[test]
fn the_same_rows_give_the_same_figures() {
    let timeless = || {
        let mut report = evaluated("traj_airline.jsonl", Format::Trajectory);
        for method in report["methods"].as_array_mut().expect("a list") {
            method["ms_per_1k_tokens"] = Value::Null;
        }
        report.to_string()
    };
    assert_eq!(timeless(), timeless());
}
