//! The result for the call gate: JSON for machines, a table for reading.

use comfy_table::{Cell, CellAlignment, Table, presets::UTF8_HORIZONTAL_ONLY};
use lrrc_episode::observe::Observed;
use serde::{Deserialize, Serialize};

use super::{Scores, tally::Tally};
use crate::{
    EvalError,
    stats::{Figure, RESAMPLES, cluster_bootstrap, cluster_statistic},
};

/// Share of the calls that the paper claims to save.
pub const PAPER_CLAIM: f64 = 0.18;

/// Figures of all ways to skip calls on one data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallReport {
    /// Name of the data set.
    pub dataset: String,
    /// Episodes replayed.
    pub episodes: usize,
    /// Groups that they belong to: the sample size behind every interval.
    pub groups: usize,
    /// Recorded calls.
    pub calls: usize,
    /// Calls bound to stay: they act, are answered by a person, or end the episode.
    pub bound: usize,
    /// Share of the calls that the paper claims to save.
    pub paper_claim: f64,
    /// One entry a way.
    pub rows: Vec<CallRow>,
}

/// Figures of one way to skip calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallRow {
    /// Its name.
    pub name: String,
    /// Calls skipped, of all.
    pub removed: Figure,
    /// Tokens saved, of all that calls read and write.
    pub tokens_saved: Figure,
    /// Weight of used items lost, of those that calls brought; `None` where no later output used any.
    pub lost: Option<Figure>,
    /// Calls skipped of those bound to stay.
    pub bound_removed: f64,
    /// Episodes whose recorded trajectory would have changed.
    pub changed: Figure,
    /// Chance that a useful call scores above a useless one; rules have none.
    pub auc: Option<Figure>,
    /// Calls with a smaller chance are skipped.
    pub threshold: Option<f64>,
    /// Calls that the same scores could skip with a threshold set on these episodes themselves.
    pub removed_in_hindsight: Option<f64>,
}

impl CallRow {
    pub(super) fn new(
        name: &str,
        clusters: &[usize],
        tallies: &[Tally],
        seed: u64,
    ) -> Result<Self, EvalError> {
        let share = |of: fn(&Tally) -> (f64, f64)| {
            let units = clusters.iter().zip(tallies).map(|(cluster, tally)| {
                let (part, all) = of(tally);
                (*cluster, part, all)
            });
            cluster_bootstrap(&units.collect::<Vec<_>>(), RESAMPLES, seed).map(Figure::from)
        };
        let mut total = Tally::default();
        tallies.iter().for_each(|tally| total.add(tally));
        let lost = (total.used > 0.0).then(|| share(|tally| (tally.lost, tally.used))).transpose()?;
        Ok(Self {
            name: name.to_owned(),
            removed: share(|tally| (tally.removed, tally.calls))?,
            tokens_saved: share(|tally| (tally.tokens_saved, tally.tokens))?,
            lost,
            bound_removed: total.bound_removed / total.bound.max(1.0),
            changed: share(|tally| (tally.changed, 1.0))?,
            auc: None,
            threshold: None,
            removed_in_hindsight: None,
        })
    }

    /// Adds what a row with scores has besides.
    pub(super) fn judged(
        self,
        observed: &[Observed],
        scores: &Scores,
        clusters: &[usize],
        threshold: f64,
        hindsight: &[Tally],
        seed: u64,
    ) -> Result<Self, EvalError> {
        let mut by_cluster = vec![Vec::new(); clusters.iter().max().map_or(0, |most| most + 1)];
        for ((observed, scores), cluster) in observed.iter().zip(scores).zip(clusters) {
            let labels = observed.worths.iter().map(lrrc_episode::observe::Worth::is_useful);
            by_cluster[*cluster].extend(scores.iter().copied().zip(labels));
        }
        let pooled = |drawn: &[&Vec<(f64, bool)>]| auc(drawn.iter().flat_map(|own| own.iter().copied()));
        let auc = cluster_statistic(&by_cluster, RESAMPLES, seed, pooled).ok().map(Figure::from);
        let removed: f64 = hindsight.iter().map(|tally| tally.removed).sum();
        let calls: f64 = hindsight.iter().map(|tally| tally.calls).sum();
        Ok(Self { auc, threshold: Some(threshold), removed_in_hindsight: Some(removed / calls), ..self })
    }
}

/// Area under the receiver operating characteristic: the share of (useful, useless) pairs in which the useful call
/// has the greater score, ties counting half (Mann and Whitney); `None` without both.
pub(super) fn auc(calls: impl Iterator<Item = (f64, bool)>) -> Option<f64> {
    let mut calls: Vec<(f64, bool)> = calls.collect();
    calls.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut useless, mut useful, mut won) = (0.0, 0.0, 0.0);
    for tied in calls.chunk_by(|a, b| a.0 == b.0) {
        let good = tied.iter().filter(|(_, useful)| *useful).count() as f64;
        let bad = tied.len() as f64 - good;
        won += good * (useless + bad / 2.0);
        useless += bad;
        useful += good;
    }
    (useless * useful > 0.0).then(|| won / (useless * useful))
}

impl CallReport {
    pub(super) fn new(dataset: &str, clusters: &[usize], observed: &[Observed], rows: Vec<CallRow>) -> Self {
        let worths = || observed.iter().flat_map(|observed| &observed.worths);
        Self {
            dataset: dataset.to_owned(),
            episodes: observed.len(),
            groups: clusters.iter().max().map_or(0, |most| most + 1),
            calls: worths().count(),
            bound: worths().filter(|worth| worth.bound).count(),
            paper_claim: PAPER_CLAIM,
            rows,
        }
    }

    /// All ways in per cent, each figure with its interval.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY);
        let heads = ["calls removed", "tokens saved", "used items lost", "bound calls removed"];
        let rest = ["trajectories changed", "AUC", "removed in hindsight"];
        table.set_header(std::iter::once("method").chain(heads).chain(rest));
        for row in &self.rows {
            let cells = [
                row.removed.per_cent(),
                row.tokens_saved.per_cent(),
                row.lost.map_or("–".into(), |lost| lost.per_cent()),
                format!("{:.1} %", row.bound_removed * 100.0),
                row.changed.per_cent(),
                row.auc.map_or("–".into(), |auc| {
                    format!("{:.3} [{:.3}, {:.3}]", auc.value, auc.low, auc.high)
                }),
                row.removed_in_hindsight.map_or("–".into(), |share| format!("{:.1} %", share * 100.0)),
            ];
            let cells = cells.map(|text| Cell::new(text).set_alignment(CellAlignment::Right));
            table.add_row(std::iter::once(Cell::new(&row.name)).chain(cells));
        }
        table.to_string()
    }

    /// What the figures say about the paper's claim, in sentences.
    #[must_use]
    pub fn verdict(&self) -> String {
        let of = |name: &str| self.rows.iter().find(|row| row.name == name);
        let claim = self.paper_claim * 100.0;
        let gate = of("call gate").map_or_else(
            || "This checkpoint has no call gate; train one to see what it removes.".to_owned(),
            |row| {
                let reached = if row.removed.value >= self.paper_claim { "reached" } else { "not reached" };
                format!(
                    "The call gate removes {} of the calls and loses {} of the used items; the paper's {claim:.0} % \
                     is {reached}.",
                    row.removed.per_cent(),
                    row.lost.map_or("none".into(), |lost| lost.per_cent()),
                )
            },
        );
        let oracle = of("oracle").map_or(String::new(), |row| {
            format!(
                " With perfect foresight {} could be removed at 1 % loss, without skipping a call that acts, is \
                 answered by a person or ends the episode.",
                row.removed.per_cent()
            )
        });
        let alone = of("items alone").map_or(String::new(), |row| {
            format!(
                " Skipping whatever brought no used item, replies included, would remove {} and change {} of the \
                 trajectories.",
                row.removed.per_cent(),
                row.changed.per_cent()
            )
        });
        gate + &oracle + &alone
    }
}
