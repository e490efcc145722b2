//! Tests between methods on the same held-out episodes.

use std::collections::BTreeMap;

use super::{
    Comparison, Figure,
    collect::{Key, Pooled},
};
use crate::{
    error::EvalError,
    method::Method,
    metric::Counts,
    stats::{RESAMPLES, cluster_differences, holm, mcnemar, non_inferiority, paired_t_test, wilcoxon},
};

/// How much of the figure a method may lose and still count as not inferior.
pub(super) const MARGIN: f64 = 0.01;
/// The modes of a coordinator, and what the boosted trees call them.
const MODES: [(&str, &str); 3] =
    [("lrrc-ingest", "trees-ingest"), ("lrrc-once", "trees-once"), ("lrrc-rerank", "trees-rerank")];

/// Another arm and method, and why the main arm is held against it.
pub(super) struct Rival {
    own: &'static str,
    arm: String,
    method: String,
    family: &'static str,
}

/// All comparisons of the arm `main`, Holm-adjusted within each family of a data set.
pub(super) fn compare(
    main: &str,
    pooled: &BTreeMap<Key, Pooled>,
    seed: u64,
) -> Result<Vec<Comparison>, EvalError> {
    let mut datasets: Vec<&str> = pooled.keys().map(|(dataset, ..)| dataset.as_str()).collect();
    datasets.dedup();
    let mut all = Vec::new();
    for dataset in datasets {
        for rival in rivals(main, dataset, pooled) {
            let own = of(pooled, dataset, main, rival.own);
            let other = of(pooled, dataset, &rival.arm, &rival.method);
            if let (Some(own), Some(other)) = (own, other) {
                all.extend(test(main, dataset, &rival, own, other, seed)?);
            }
        }
    }
    adjust(&mut all);
    Ok(all)
}

fn of<'a>(pooled: &'a BTreeMap<Key, Pooled>, dataset: &str, arm: &str, method: &str) -> Option<&'a Pooled> {
    pooled.get(&(dataset.to_owned(), arm.to_owned(), method.to_owned()))
}

fn rivals(main: &str, dataset: &str, pooled: &BTreeMap<Key, Pooled>) -> Vec<Rival> {
    let untrained = |method: &str| {
        Method::ALL
            .into_iter()
            .any(|known| known.name() == method && known.is_untrained_baseline() && known.has_budget())
    };
    let mut rivals = Vec::new();
    for (_, arm, method) in pooled.keys().filter(|(of, arm, _)| of == dataset && arm != main) {
        let rival = |own, family| Rival { own, arm: arm.clone(), method: method.clone(), family };
        if untrained(method) {
            rivals.push(rival("lrrc-rerank", "untrained"));
        }
        if method == "full" {
            rivals.extend(MODES.map(|(own, _)| rival(own, "full")));
        }
        for (own, trees) in MODES {
            if method == trees {
                rivals.push(rival(own, "trees"));
            }
            if method == own {
                let family = if arm == "no-state" {
                    "state"
                } else if arm.starts_with("rank-") {
                    "rank"
                } else {
                    "memory"
                };
                rivals.push(rival(own, family));
            }
        }
    }
    rivals
}

/// What is left of a figure, and all of it.
type Measure = fn(&Counts) -> (f64, f64);

/// What is compared: argument values where the data have them, gold evidence elsewhere.
fn metric(counts: &[Counts]) -> (&'static str, Measure) {
    if counts.iter().any(|counts| counts.args.all > 0.0) {
        ("args", |counts| (counts.args.kept, counts.args.all))
    } else {
        ("evidence", |counts| (counts.evidence.kept, counts.evidence.all))
    }
}

fn test(
    main: &str,
    dataset: &str,
    rival: &Rival,
    own: &Pooled,
    other: &Pooled,
    seed: u64,
) -> Result<Vec<Comparison>, EvalError> {
    let mut found = Vec::new();
    for (keep, counts) in own.budgets.iter().filter(|_| own.episodes == other.episodes) {
        let (name, of) = metric(counts);
        let (Some(a), Some(b), Some(others)) =
            (own.units(*keep, of), other.units(*keep, of), other.at(*keep))
        else {
            continue;
        };
        if a.iter().all(|(_, _, weight)| *weight == 0.0) {
            continue;
        }
        let inferior = non_inferiority(&a, &b, MARGIN, RESAMPLES, seed)?;
        let differences = cluster_differences(&a, &b)?;
        let t = paired_t_test(&differences).ok();
        let replayable = |counts: &[Counts]| -> Vec<bool> {
            let known = counts.iter().filter(|counts| counts.replayable.all > 0.0);
            known.map(|counts| counts.replayable.kept > 0.5).collect()
        };
        found.push(Comparison {
            dataset: dataset.to_owned(),
            metric: name.to_owned(),
            keep: *keep,
            a: format!("{main} {}", rival.own),
            b: format!("{} {}", rival.arm, rival.method),
            family: rival.family.to_owned(),
            difference: Figure::from(inferior.difference),
            groups: differences.len(),
            p_t: t.map(|test| test.p),
            p_wilcoxon: wilcoxon(&differences).ok().map(|test| test.p),
            p_holm: None,
            d_z: t.map(|test| test.d_z).filter(|effect| effect.is_finite()),
            p_mcnemar: mcnemar(&replayable(counts), &replayable(others)).ok().map(|test| test.p),
            p_inferior: Some(inferior.p),
        });
    }
    Ok(found)
}

/// Holm's adjustment within each family of each data set.
fn adjust(all: &mut [Comparison]) {
    let mut families: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
    for (at, one) in all.iter().enumerate().filter(|(_, one)| one.p_t.is_some()) {
        families.entry((one.dataset.clone(), one.family.clone())).or_default().push(at);
    }
    for places in families.into_values() {
        let raw: Vec<f64> = places.iter().map(|at| all[*at].p_t.unwrap_or(1.0)).collect();
        for (at, p) in places.into_iter().zip(holm(&raw)) {
            all[at].p_holm = Some(p);
        }
    }
}
