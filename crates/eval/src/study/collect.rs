//! Trials → pooled curves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    ArmSummary, Comparison, Curve, CurvePoint, DatasetFacts, EpochPoint, Failure, Figure, NamedFigures,
    PriceLine, STUDY_VERSION, Study, claims::claims, compare::compare,
};
use crate::{
    calls::CallReport,
    error::EvalError,
    metric::Counts,
    price::PriceReport,
    replays::{Replays, numbered},
    stats::{RESAMPLES, Unit, cluster_bootstrap, cluster_statistic, paired_t_test},
    winner::{Verdict, WinnerReport},
};

/// Bound recall, answer values, content words and replay that count as everything good.
const GOOD: [f64; 4] = [0.99, 0.98, 0.95, 0.95];
/// Failures shown.
const FAILURES: usize = 60;

/// One trial that is done.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// Its arm.
    pub arm: String,
    /// Seed of the weights.
    pub seed: u64,
    /// The fold that was held out.
    pub fold: usize,
    /// Rank, where it has a model.
    pub rank: Option<usize>,
    /// Parameters of the model.
    pub parameters: Option<usize>,
    /// Seconds it took.
    pub seconds: f64,
    /// Counts on the held-out fold of each data set.
    pub replays: Vec<Replays>,
    /// What else was measured.
    pub figures: TrialFigures,
    /// The epochs of its training.
    pub epochs: Vec<EpochPoint>,
}

/// What a trial of the main arm measures besides.
#[derive(Debug, Clone, Default)]
pub struct TrialFigures {
    /// Prices of joined sessions.
    pub prices: Vec<PriceReport>,
    /// The call gate.
    pub calls: Vec<CallReport>,
    /// Predicted winners of two-model records.
    pub verdicts: Vec<Verdicts>,
    /// Values that a call needed and no longer saw.
    pub failures: Vec<Failure>,
}

/// Which answers a trial predicted to be preferred.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdicts {
    /// The data set.
    pub dataset: String,
    /// One entry a record.
    pub verdicts: Vec<Verdict>,
}

/// One method of one arm on one data set.
pub(super) type Key = (String, String, String);

/// Counts of every episode at every budget, a mean over seeds.
pub(super) struct Pooled {
    /// Groups and ids of the episodes, in order of their names.
    pub(super) episodes: Vec<(String, String)>,
    pub(super) seeds: f64,
    /// By budget: one entry an episode.
    pub(super) budgets: Vec<(f64, Vec<Counts>)>,
}

impl Pooled {
    pub(super) fn clusters(&self) -> Vec<usize> {
        numbered(self.episodes.iter().map(|(group, _)| group.as_str()))
    }

    pub(super) fn at(&self, keep: f64) -> Option<&[Counts]> {
        let found = self.budgets.iter().find(|(known, _)| (known - keep).abs() < 1e-9);
        found.map(|(_, counts)| counts.as_slice())
    }

    pub(super) fn units(&self, keep: f64, of: impl Fn(&Counts) -> (f64, f64)) -> Option<Vec<Unit>> {
        let pairs = self.clusters().into_iter().zip(self.at(keep)?);
        Some(pairs.map(|(cluster, counts)| (cluster, of(counts).0, of(counts).1)).collect())
    }
}

/// What a study says besides what its trials counted.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// Name of the study.
    pub name: String,
    /// The arm that the comparisons and the ledger are about.
    pub main: String,
    /// Folds of the group k-fold.
    pub folds: usize,
    /// The data sets.
    pub datasets: Vec<DatasetFacts>,
    /// The bound C that every entry of the state must keep.
    pub state_bound: f64,
    /// Median milliseconds of one turn through the decoder of an arm, by its name.
    pub step_ms: BTreeMap<String, f64>,
    /// Seed of the resampling behind every interval.
    pub seed: u64,
}

/// Puts trials together: curves, comparisons, and the ledger of claims.
///
/// # Errors
/// Counts that cannot be resampled.
pub fn collect(about: About, parts: &[Part]) -> Result<Study, EvalError> {
    let About { name, main, folds, datasets, state_bound, step_ms, seed } = about;
    let pooled = pool(parts);
    let curves =
        pooled.iter().map(|(key, pooled)| curve(key, pooled, seed)).collect::<Result<Vec<_>, _>>()?;
    let comparisons: Vec<Comparison> = compare(&main, &pooled, seed)?;
    let of_main: Vec<&Part> = parts.iter().filter(|part| part.arm == main).collect();
    let mut failures: Vec<Failure> =
        of_main.iter().flat_map(|part| part.figures.failures.iter().cloned()).collect();
    failures.truncate(FAILURES);
    let mut study = Study {
        version: STUDY_VERSION,
        name,
        main,
        folds,
        arms: arms(parts, &step_ms),
        curves,
        comparisons,
        prices: prices(parts),
        calls: calls(parts),
        winners: winners(parts, seed)?,
        failures,
        training: of_main.iter().flat_map(|part| part.epochs.iter().copied()).collect(),
        state_bound,
        datasets,
        claims: Vec::new(),
    };
    study.claims = claims(&study);
    Ok(study)
}

/// Episodes, their groups and ids, by the sum of counts and the number of seeds.
type Sums = BTreeMap<(String, String), BTreeMap<u64, (Counts, f64)>>;

fn pool(parts: &[Part]) -> BTreeMap<Key, Pooled> {
    let mut sums: BTreeMap<Key, Sums> = BTreeMap::new();
    for part in parts {
        for replays in &part.replays {
            for method in &replays.methods {
                let key = (replays.dataset.clone(), part.arm.clone(), method.name.clone());
                let of_key = sums.entry(key).or_default();
                for budget in &method.budgets {
                    for (episode, counts) in replays.episodes.iter().zip(&budget.counts) {
                        let place = of_key.entry((episode.group.clone(), episode.id.clone())).or_default();
                        let (sum, seeds) = place.entry(budget.keep.to_bits()).or_default();
                        sum.merge(counts);
                        *seeds += 1.0;
                    }
                }
            }
        }
    }
    sums.into_iter().map(|(key, sums)| (key, pooled(&sums))).collect()
}

fn pooled(sums: &Sums) -> Pooled {
    let episodes: Vec<(String, String)> = sums.keys().cloned().collect();
    let first = sums.values().next();
    let keeps: Vec<f64> =
        first.map_or_else(Vec::new, |budgets| budgets.keys().map(|bits| f64::from_bits(*bits)).collect());
    let mean = |keep: f64| {
        let of = |budgets: &BTreeMap<u64, (Counts, f64)>| {
            budgets.get(&keep.to_bits()).map_or_else(Counts::default, |(sum, n)| sum.scaled(1.0 / n))
        };
        (keep, sums.values().map(of).collect())
    };
    let seeds = first.and_then(|budgets| budgets.values().next()).map_or(0.0, |(_, n)| *n);
    Pooled { seeds, budgets: keeps.iter().map(|keep| mean(*keep)).collect(), episodes }
}

fn curve((dataset, arm, method): &Key, pooled: &Pooled, seed: u64) -> Result<Curve, EvalError> {
    let clusters = pooled.clusters();
    let points = pooled.budgets.iter().map(|(keep, counts)| point(*keep, counts, &clusters, seed));
    let points = points.collect::<Result<Vec<_>, _>>()?;
    Ok(Curve {
        dataset: dataset.clone(),
        arm: arm.clone(),
        method: method.clone(),
        episodes: pooled.episodes.len(),
        groups: clusters.iter().max().map_or(0, |most| most + 1),
        seeds: pooled.seeds,
        all_good: all_good(pooled, &clusters, seed)?,
        points,
    })
}

fn point(keep: f64, counts: &[Counts], clusters: &[usize], seed: u64) -> Result<CurvePoint, EvalError> {
    let total = total(counts.iter());
    let interval = |of: fn(&Counts) -> (f64, f64)| -> Result<Option<Figure>, EvalError> {
        let units: Vec<Unit> = clusters
            .iter()
            .zip(counts)
            .map(|(cluster, counts)| (*cluster, of(counts).0, of(counts).1))
            .collect();
        if units.iter().all(|(_, _, weight)| *weight == 0.0) {
            return Ok(None);
        }
        Ok(Some(cluster_bootstrap(&units, RESAMPLES, seed)?.into()))
    };
    let saved = interval(|counts| (counts.full_tokens - counts.sent_tokens, counts.full_tokens))?;
    Ok(CurvePoint {
        keep,
        removed: 1.0 - total.history.fraction().unwrap_or(1.0),
        saved: saved.unwrap_or(Figure { value: 0.0, low: 0.0, high: 0.0 }),
        args: interval(|counts| (counts.args.kept, counts.args.all))?,
        bound: total.bound.fraction(),
        answers: total.answers.fraction(),
        words: total.words.fraction(),
        replay: total.replayable.fraction(),
        evidence: interval(|counts| (counts.evidence.kept, counts.evidence.all))?,
        is_good: is_good(&total),
    })
}

fn total<'a>(counts: impl Iterator<Item = &'a Counts>) -> Counts {
    let mut total = Counts::default();
    counts.for_each(|counts| total.merge(counts));
    total
}

fn is_good(counts: &Counts) -> bool {
    let figures = [counts.bound, counts.answers, counts.words, counts.replayable];
    figures.iter().zip(GOOD).all(|(share, mark)| share.fraction().is_some_and(|figure| figure >= mark))
}

/// Largest removal of all budgets at which everything is good; in a resample where none is, nothing is removed.
fn all_good(pooled: &Pooled, clusters: &[usize], seed: u64) -> Result<Option<Figure>, EvalError> {
    let groups = clusters.iter().max().map_or(0, |most| most + 1);
    let mut sums = vec![vec![Counts::default(); pooled.budgets.len()]; groups];
    for (budget, (_, counts)) in pooled.budgets.iter().enumerate() {
        clusters.iter().zip(counts).for_each(|(group, counts)| sums[*group][budget].merge(counts));
    }
    let largest = |groups: &[&Vec<Counts>]| {
        let of = |budget: usize| total(groups.iter().map(|sums| &sums[budget]));
        let removed = |counts: Counts| {
            if is_good(&counts) { 1.0 - counts.history.fraction().unwrap_or(1.0) } else { 0.0 }
        };
        (0..pooled.budgets.len()).map(|budget| removed(of(budget))).reduce(f64::max)
    };
    let figure: Figure = cluster_statistic(&sums, RESAMPLES / 5, seed, largest)?.into();
    Ok((figure.value > 0.0).then_some(figure))
}

fn arms(parts: &[Part], step_ms: &BTreeMap<String, f64>) -> Vec<ArmSummary> {
    let mut arms: Vec<ArmSummary> = Vec::new();
    for part in parts {
        let known = arms.iter().position(|arm| arm.name == part.arm);
        let at = known.unwrap_or_else(|| {
            let Part { arm, rank, parameters, .. } = part;
            let name = arm.clone();
            let arm = ArmSummary {
                name,
                rank: *rank,
                parameters: *parameters,
                step_ms: step_ms.get(arm).copied(),
                trials: 0,
                seconds: 0.0,
            };
            arms.push(arm);
            arms.len() - 1
        });
        arms[at].trials += 1;
        arms[at].seconds += part.seconds;
    }
    arms.iter_mut().for_each(|arm| arm.seconds /= arm.trials as f64);
    arms
}

/// Mean over folds with Student's interval; of one fold alone, no interval.
fn over_folds(values: &[f64]) -> Figure {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    match paired_t_test(values) {
        Ok(test) => test.mean.into(),
        Err(_) => Figure { value: mean, low: f64::NEG_INFINITY, high: f64::INFINITY },
    }
}

fn prices(parts: &[Part]) -> Vec<PriceLine> {
    let mut lines: Vec<(PriceLine, Vec<Vec<f64>>)> = Vec::new();
    for (report, row) in parts
        .iter()
        .flat_map(|part| &part.figures.prices)
        .flat_map(|r| r.rows.iter().map(move |row| (r, row)))
    {
        let providers = row.prices.len();
        let same = |(line, _): &(PriceLine, Vec<Vec<f64>>)| {
            (&line.sessions, &line.strategy, line.keep) == (&report.dataset, &row.strategy, row.keep)
        };
        let at = lines.iter().position(same).unwrap_or_else(|| {
            let line = PriceLine {
                sessions: report.dataset.clone(),
                strategy: row.strategy.clone(),
                keep: row.keep,
                input: Vec::new(),
                with_output: Vec::new(),
                history_sent: 0.0,
                args: None,
            };
            lines.push((line, vec![Vec::new(); 2 * providers + 2]));
            lines.len() - 1
        });
        let values = &mut lines[at].1;
        for (place, cell) in row.prices.iter().enumerate() {
            values[2 * place].push(cell.input);
            values[2 * place + 1].push(cell.with_output);
        }
        values[2 * providers].push(row.history_sent);
        values[2 * providers + 1].extend(row.args_kept);
        if lines[at].0.input.is_empty() {
            let names = row.prices.iter().map(|cell| (cell.model.clone(), over_folds(&[])));
            lines[at].0.input = names.clone().collect();
            lines[at].0.with_output = names.collect();
        }
    }
    let finish = |(mut line, values): (PriceLine, Vec<Vec<f64>>)| {
        let providers = line.input.len();
        for place in 0..providers {
            line.input[place].1 = over_folds(&values[2 * place]);
            line.with_output[place].1 = over_folds(&values[2 * place + 1]);
        }
        line.history_sent = over_folds(&values[2 * providers]).value;
        line.args = (!values[2 * providers + 1].is_empty()).then(|| over_folds(&values[2 * providers + 1]));
        line
    };
    lines.into_iter().map(finish).collect()
}

fn calls(parts: &[Part]) -> Vec<NamedFigures> {
    let rows = parts.iter().flat_map(|part| {
        let of = |report: &CallReport| {
            let row = |row: &crate::calls::CallRow| {
                let plain = |value: f64| Figure { value, low: value, high: value };
                let mut figures = vec![
                    ("calls removed".to_owned(), plain(row.removed.value)),
                    ("tokens saved".to_owned(), plain(row.tokens_saved.value)),
                    ("trajectories changed".to_owned(), plain(row.changed.value)),
                ];
                figures.extend(row.lost.map(|lost| ("used items lost".to_owned(), plain(lost.value))));
                figures.extend(row.auc.map(|auc| ("AUC".to_owned(), plain(auc.value))));
                NamedFigures {
                    dataset: report.dataset.clone(),
                    arm: part.arm.clone(),
                    name: row.name.clone(),
                    figures,
                }
            };
            report.rows.iter().map(row).collect::<Vec<_>>()
        };
        part.figures.calls.iter().flat_map(of).collect::<Vec<_>>()
    });
    named(&rows.collect::<Vec<_>>())
}

/// Agreement with votes, pooled over the folds of each arm.
fn winners(parts: &[Part], seed: u64) -> Result<Vec<NamedFigures>, EvalError> {
    let mut pooled: BTreeMap<(String, String), Vec<Verdict>> = BTreeMap::new();
    for part in parts {
        for Verdicts { dataset, verdicts } in &part.figures.verdicts {
            pooled.entry((dataset.clone(), part.arm.clone())).or_default().extend(verdicts.iter().cloned());
        }
    }
    let mut rows = Vec::new();
    for ((dataset, arm), verdicts) in pooled {
        rows.extend(WinnerReport::of(&dataset, &verdicts, seed)?.rows.into_iter().map(|row| NamedFigures {
            dataset: dataset.clone(),
            arm: arm.clone(),
            name: format!("{}, {}", row.predictor.name(), row.view),
            figures: vec![
                ("agreement with votes".to_owned(), row.agreement),
                ("agreement with the full text".to_owned(), row.same_as_full),
                ("over text features".to_owned(), row.over_text_features),
            ],
        }));
    }
    Ok(rows)
}

/// Headings with the values of all folds.
type Columns = Vec<(String, Vec<f64>)>;

/// Rows of one name put together, their figures as means over folds.
fn named<'a>(rows: impl IntoIterator<Item = &'a NamedFigures>) -> Vec<NamedFigures> {
    let mut known: Vec<(NamedFigures, Columns)> = Vec::new();
    for row in rows {
        let same = |(other, _): &(NamedFigures, Columns)| {
            (&other.dataset, &other.arm, &other.name) == (&row.dataset, &row.arm, &row.name)
        };
        let at = known.iter().position(same).unwrap_or_else(|| {
            known.push((NamedFigures { figures: Vec::new(), ..row.clone() }, Vec::new()));
            known.len() - 1
        });
        for (heading, figure) in &row.figures {
            let values = &mut known[at].1;
            match values.iter_mut().find(|(known, _)| known == heading) {
                Some((_, values)) => values.push(figure.value),
                None => values.push((heading.clone(), vec![figure.value])),
            }
        }
    }
    let finish = |(mut row, values): (NamedFigures, Columns)| {
        row.figures = values.into_iter().map(|(heading, values)| (heading, over_folds(&values))).collect();
        row
    };
    known.into_iter().map(finish).collect()
}
