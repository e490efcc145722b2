//! A small made-up study, and what its page must hold.

use lrrc_model::CoordinatorConfig;

use super::{Page, page};
use crate::study::{
    ArmSummary, Claim, Comparison, Curve, CurvePoint, DatasetFacts, EpochPoint, Failure, Figure,
    NamedFigures, PriceLine, STUDY_VERSION, Study,
};

fn figure(value: f64, half: f64) -> Figure {
    Figure { value, low: value - half, high: value + half }
}

/// A curve through (keep, argument values kept), with intervals of 0.05 to both sides.
pub(super) fn curve(dataset: &str, arm: &str, method: &str, points: &[(f64, f64)]) -> Curve {
    let point = |&(keep, args): &(f64, f64)| CurvePoint {
        keep,
        removed: 1.0 - keep,
        saved: figure(1.0 - keep, 0.02),
        args: Some(figure(args, 0.05)),
        bound: Some(args - 0.02),
        answers: None,
        words: Some(args),
        replay: Some(args * 0.8),
        evidence: None,
        is_good: args > 0.9,
    };
    let all_good = points.iter().find(|p| p.1 > 0.9).map(|p| figure(1.0 - p.0, 0.03));
    Curve {
        dataset: dataset.into(),
        arm: arm.into(),
        method: method.into(),
        episodes: 115,
        groups: 30,
        seeds: 5.0,
        points: points.iter().map(point).collect(),
        all_good,
    }
}

fn evidence_curve(arm: &str, method: &str, height: f64) -> Curve {
    let mut curve =
        curve("meetings", arm, method, &[(0.1, height * 0.5), (0.3, height * 0.8), (0.5, height)]);
    for point in &mut curve.points {
        point.evidence = point.args.take();
    }
    Curve { all_good: None, ..curve }
}

fn curves() -> Vec<Curve> {
    let of = |arm: &str, method: &str, height: f64| {
        let points = [(0.1, 0.55), (0.2, 0.7), (0.3, 0.8), (0.4, 0.88), (0.5, 0.95)];
        curve("airline <desk>", arm, method, &points.map(|(keep, kept)| (keep, kept * height)))
    };
    let ranks = ["rank-4", "rank-8", "rank-16", "rank-32", "no-state"];
    let ours = ["lrrc-ingest", "lrrc-once", "lrrc-rerank"];
    let learned = ranks.iter().enumerate().flat_map(|(at, arm)| {
        ours.iter().enumerate().map(move |(more, method)| (*arm, *method, 0.98 + 0.004 * (at + more) as f64))
    });
    let rules = [("coverage", 0.97), ("bm25", 0.8), ("random", 0.5), ("oracle-value", 1.05), ("full", 1.04)];
    let rules = rules.into_iter().map(|(method, height)| ("rules", method, height));
    let trees = [("trees", "trees-once", 0.99)];
    let mut found: Vec<Curve> = learned.chain(rules).chain(trees).map(|(a, m, h)| of(a, m, h)).collect();
    found.extend([
        evidence_curve("rank-8", "lrrc-once", 0.7),
        evidence_curve("rules", "bm25", 0.6),
        evidence_curve("rules", "oracle-segment", 0.99),
    ]);
    found
}

fn comparison(family: &str, b: &str, difference: f64) -> Comparison {
    Comparison {
        dataset: "airline <desk>".into(),
        metric: "args".into(),
        keep: 0.3,
        a: "rank-8 lrrc-once".into(),
        b: b.into(),
        family: family.into(),
        difference: figure(difference, 0.01),
        groups: 30,
        p_t: Some(0.0004),
        p_wilcoxon: Some(0.012),
        p_holm: Some(0.02),
        d_z: Some(0.61),
        p_mcnemar: None,
        p_inferior: Some(0.01),
    }
}

fn claims() -> Vec<Claim> {
    let claim = |claim: &str, verdict: &str| Claim {
        claim: claim.into(),
        paper: "47 % fewer tokens".into(),
        ours: "31.2 % <b>measured</b>".into(),
        interval: Some([0.298, 0.325]),
        verdict: verdict.into(),
    };
    vec![
        claim("<script>alert(1)</script> saves tokens", "holds on one of two data sets"),
        claim("Rank 8 is best", "refuted: ranks 4 to 32 do not differ"),
        claim("Saves energy", "not tested: no meter"),
    ]
}

fn price() -> PriceLine {
    let providers = ["A", "B", "C"].map(|name| (format!("cache {name}"), figure(0.7, 0.03))).to_vec();
    PriceLine {
        sessions: "airline, long sessions".into(),
        strategy: "epochs".into(),
        keep: Some(0.3),
        input: providers.clone(),
        with_output: providers,
        history_sent: 0.41,
        args: Some(figure(0.93, 0.02)),
    }
}

fn failure() -> Failure {
    Failure {
        episode: "airline-17".into(),
        call: 9,
        keep: 0.3,
        value: "HXDUBJ".into(),
        turn: 3,
        role: "user".into(),
        text: "Sure. ⟦My code is <HXDUBJ>.⟧ Please cancel.".into(),
        score: -0.42,
        above: 14,
        candidates: 51,
    }
}

/// A study that has every part.
fn study() -> Study {
    let arm = |(at, name): (usize, &str)| ArmSummary {
        name: name.into(),
        rank: name.strip_prefix("rank-").and_then(|rank| rank.parse().ok()),
        parameters: name.starts_with("rank").then_some(1_450_000 + 4_096 * at),
        step_ms: Some(1.1 + 0.2 * at as f64),
        trials: 25,
        seconds: 312.0,
    };
    let arms = ["rank-4", "rank-8", "rank-16", "rank-32", "no-state", "rules", "trees"];
    let row = |name: &str, value: f64| NamedFigures {
        dataset: "votes".into(),
        arm: "rank-8".into(),
        name: name.into(),
        figures: vec![("accuracy".into(), figure(value, 0.02)), ("AUC".into(), figure(value + 0.03, 0.02))],
    };
    let epoch = |(seed, epoch): (u64, usize)| EpochPoint {
        seed,
        epoch,
        train_loss: 0.7 / epoch as f64 + 0.01 * seed as f64,
        validation_loss: 0.75 / (epoch as f64).sqrt() + 0.01 * seed as f64,
        state_max: 0.8 + 0.1 * epoch as f64,
        state_norm: 6.0 + epoch as f64,
        gate_mean: 0.2 + 0.01 * epoch as f64,
    };
    let facts = |name: &str, scale: u32| DatasetFacts {
        name: name.into(),
        licence: "MIT".into(),
        episodes: 115,
        groups: 30,
        turns: 2_400,
        tokens: 1_234_567,
        turn_tokens: [(16, 120), (64, 300), (256, 150), (1_024, 30)]
            .map(|(end, n)| (end * scale, n))
            .to_vec(),
    };
    Study {
        version: STUDY_VERSION,
        name: "rank & state".into(),
        main: "rank-8".into(),
        folds: 5,
        arms: arms.into_iter().enumerate().map(arm).collect(),
        curves: curves(),
        comparisons: vec![
            comparison("baselines", "rules coverage", 0.021),
            comparison("baselines", "trees trees-once", -0.03),
            comparison("state", "no-state lrrc-once", 0.002),
            Comparison { a: "rank-8 lrrc-once".into(), ..comparison("rank", "rank-32 lrrc-once", -0.004) },
        ],
        prices: vec![price()],
        calls: vec![row("gate", 0.81), row("last answer", 0.64)],
        winners: vec![row("ours", 0.72), row("length", 0.68)],
        failures: vec![failure()],
        training: (1..=6).flat_map(|e| [1, 2, 3].map(|seed| (seed, e))).map(epoch).collect(),
        state_bound: 3.0,
        datasets: vec![facts("airline <desk>", 1), facts("meetings", 4)],
        claims: claims(),
    }
}

fn made(study: &Study) -> Page {
    page(study, &CoordinatorConfig::default()).expect("a page")
}

#[test]
fn the_page_has_every_part_and_asks_for_nothing_from_outside() {
    let study = study();
    let Page { html, files } = made(&study);
    for part in
        ["claims", "architecture", "methods", "budgets", "all-good", "comparisons", "rank", "prices", "calls"]
    {
        assert!(html.contains(&format!("<section id=\"{part}\"><h2>")), "{part}");
    }
    for part in ["winners", "training", "datasets", "failures", "ceilings", "negative", "notes"] {
        assert!(html.contains(&format!("<section id=\"{part}\"><h2>")), "{part}");
    }
    assert!(!html.contains("This study holds no"), "a full study lacks nothing");
    for outside in ["http:", "https:", "<script", "<link", "@import", "url(", " src="] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt; saves tokens"));
    assert!(html.contains("<mark>My code is &lt;HXDUBJ&gt;.</mark>"));
    assert!(html.contains("State: no difference shown in any of 1 tests."));
    assert!(html.contains("baselines: b is better than a in 1 of 2 tests"));
    assert!(html.contains("1 hold, 0 hold in part, 0 are not shown, 1 are refuted and 1 were not tested"));
    assert!(files.iter().any(|(name, _)| name == "figure-2-budgets-airline--desk-.svg"));
    assert_eq!(made(&study), Page { html, files }, "the same study, the same bytes");
}

#[test]
fn every_figure_is_well_formed_and_its_numbers_are_a_table() {
    for (name, text) in made(&study()).files {
        if name.ends_with(".csv") {
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let columns = reader.headers().expect("a heading").len();
            let lines: Vec<_> = reader.records().collect::<Result<_, _>>().expect("lines of one length");
            assert!(columns >= 2 && !lines.is_empty(), "{name}");
        } else {
            assert_balanced(&name, &text);
        }
    }
}

/// Every tag that opens closes, in order, and no attribute holds a bare `<`.
fn assert_balanced(name: &str, svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    for piece in svg.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap_or_else(|| panic!("{name}: <{piece} does not end"));
        assert!(!text.contains('>'), "{name}: a bare > after <{tag}>");
        match tag.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop(), Some(closed), "{name}"),
            None if tag.ends_with('/') => {}
            None => open.push(tag.split_whitespace().next().unwrap_or_default()),
        }
    }
    assert!(svg.starts_with("<svg ") && open.is_empty(), "{name}: {open:?} left open");
}

#[test]
fn what_a_study_lacks_is_said() {
    let empty = Study {
        version: STUDY_VERSION,
        name: "empty".into(),
        main: String::new(),
        folds: 0,
        arms: Vec::new(),
        curves: Vec::new(),
        comparisons: Vec::new(),
        prices: Vec::new(),
        calls: Vec::new(),
        winners: Vec::new(),
        failures: Vec::new(),
        training: Vec::new(),
        state_bound: 3.0,
        datasets: Vec::new(),
        claims: Vec::new(),
    };
    let html = made(&empty).html;
    for part in ["claims", "curves", "comparisons", "arms", "prices", "epochs", "data sets", "failures"] {
        assert!(html.contains(&format!("This study holds no {part}.")), "{part}");
    }
}

#[test]
fn a_study_of_another_version_is_refused() {
    let text = serde_json::to_string(&study()).expect("JSON");
    assert_eq!(Study::from_json(text.as_bytes()).expect("of this version"), study());
    let newer = text.replacen("\"version\":2", "\"version\":3", 1);
    let error = Study::from_json(newer.as_bytes()).expect_err("of another version");
    assert_eq!(error.to_string(), "study of version 3, this program reads 2");
}
