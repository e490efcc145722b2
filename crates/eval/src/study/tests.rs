use super::*;
use crate::{
    calibration::Kind,
    metric::{Counts, Share},
    replays::{BudgetReplays, MethodReplays, Played, Replays},
};

/// Counts of an episode of 10 argument values, of which `kept` are left, with half of the history removed.
fn counts(kept: f64) -> Counts {
    let share = |kept: f64| Share { kept, all: 10.0 };
    Counts {
        full_tokens: 100.0,
        sent_tokens: 70.0,
        history: Share { kept: 30.0, all: 60.0 },
        args: share(kept),
        bound: share(kept),
        answers: share(kept),
        words: share(kept),
        replayable: Share { kept: f64::from(u8::from(kept == 10.0)), all: 1.0 },
        ..Counts::default()
    }
}

/// A trial of one method over some episodes, each a group of its own.
fn part(arm: &str, method: &str, seed: u64, kept: &[(usize, f64)]) -> Part {
    let episodes =
        kept.iter().map(|(at, _)| Played { id: format!("e{at}"), group: format!("g{at}") }).collect();
    let mut replays = Replays::new("taubench-airline", Kind::Calls, kept.len(), episodes);
    let budgets =
        vec![BudgetReplays { keep: 0.2, counts: kept.iter().map(|(_, kept)| counts(*kept)).collect() }];
    replays.methods.push(MethodReplays { name: method.to_owned(), ms_per_1k_tokens: 0.0, budgets });
    Part { arm: arm.to_owned(), seed, replays: vec![replays], ..Part::default() }
}

fn study(parts: &[Part]) -> Study {
    let about =
        About { name: "made-up".into(), main: "rank-8".into(), folds: 3, seed: 1, ..About::default() };
    collect(about, parts).expect("sound counts")
}

#[test]
fn folds_are_pooled_and_seeds_averaged() {
    let parts = [
        part("rank-8", "lrrc-rerank", 1, &[(0, 10.0), (1, 6.0)]),
        part("rank-8", "lrrc-rerank", 2, &[(0, 8.0), (1, 8.0)]),
        part("rank-8", "lrrc-rerank", 1, &[(2, 10.0)]),
    ];
    let curve = &study(&parts).curves[0];
    assert_eq!((curve.episodes, curve.groups, curve.seeds), (3, 3, 2.0));
    let point = &curve.points[0];
    let args = point.args.expect("there are argument values").value;
    assert!((args - (9.0 + 7.0 + 10.0) / 30.0).abs() < 1e-12, "{args}");
    assert!((point.replay.expect("and episodes") - 1.5 / 3.0).abs() < 1e-12);
    assert!((point.saved.value - 0.3).abs() < 1e-12 && (point.removed - 0.5).abs() < 1e-12);
    assert!(!point.is_good && curve.all_good.is_none());
}

#[test]
fn everything_good_asks_for_every_figure() {
    let all: Vec<(usize, f64)> = (0..20).map(|at| (at, 10.0)).collect();
    let good = study(&[part("rank-8", "lrrc-rerank", 1, &all)]);
    assert_eq!(good.curves[0].all_good.map(|figure| figure.value), Some(0.5));
    let mut one_lost = all;
    one_lost[3].1 = 5.0;
    let lossy = study(&[part("rank-8", "lrrc-rerank", 1, &one_lost)]);
    assert_eq!(lossy.curves[0].all_good, None, "bound recall is .975");
}

#[test]
fn a_rival_that_is_worse_everywhere_is_found_worse_and_adjusted() {
    let of = |shift: f64| (0..12).map(|at| (at, 9.0 - shift - (at % 3) as f64 / 2.0)).collect::<Vec<_>>();
    let parts = [
        part("rank-8", "lrrc-rerank", 1, &of(0.0)),
        part("no-state", "lrrc-rerank", 1, &of(2.0)),
        part("rules", "coverage", 1, &of(3.0)),
        part("rules", "random", 1, &of(0.0)),
    ];
    let study = study(&parts);
    let of = |b: &str| study.comparisons.iter().find(|one| one.b == b).expect("it was compared");
    let state = of("no-state lrrc-rerank");
    assert_eq!((state.family.as_str(), state.groups), ("state", 12));
    assert!((state.difference.value - 0.2).abs() < 1e-9 && state.p_t.expect("tested") < 1e-6);
    let (coverage, random) = (of("rules coverage"), of("rules random"));
    assert_eq!(coverage.p_holm.map(|p| p < 1e-5), Some(true), "two tests in the family: {coverage:?}");
    assert_eq!((random.difference.value, random.p_t), (0.0, Some(1.0)));
    let claims = &study.claims;
    let verdict = |start: &str| {
        let found = claims.iter().find(|claim| claim.claim.starts_with(start));
        found.map(|claim| claim.verdict.as_str()).expect("it is in the ledger")
    };
    assert_eq!(verdict("The state earns"), "holds everywhere");
    assert_eq!(verdict("Above every untrained baseline, tau"), "holds where there is a difference");
    assert_eq!(verdict("Largest removal of history with everything good, re-ranked"), "refuted: not reached");
    assert!(verdict("Tokens saved").starts_with("refuted"), "no full context was replayed");
}

#[test]
fn a_study_of_another_version_is_refused() {
    let study = study(&[part("rank-8", "lrrc-rerank", 1, &[(0, 10.0)])]);
    let text = serde_json::to_string(&study).expect("it is JSON");
    assert_eq!(Study::from_json(text.as_bytes()).expect("of this version"), study);
    let newer = text.replacen("\"version\":2", "\"version\":3", 1);
    assert!(Study::from_json(newer.as_bytes()).expect_err("of another").to_string().contains("version 3"));
}
