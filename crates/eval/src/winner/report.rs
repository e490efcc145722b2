//! Agreement with people and with the full text, pooled over records.

use std::collections::BTreeMap;

use comfy_table::{Table, presets::UTF8_HORIZONTAL_ONLY};
use serde::{Deserialize, Serialize};

use super::{Predictor, Verdict, View};
use crate::{
    EvalError,
    stats::{Figure, RESAMPLES, Unit, cluster_bootstrap, paired_bootstrap},
};

/// Figures of one predictor under one view, as fractions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WinnerRow {
    /// What was shown, by [`View::name`].
    pub view: String,
    /// Who predicted.
    pub predictor: Predictor,
    /// Share of the decided records on which the prediction is people's verdict; no preference counts ½.
    pub agreement: Figure,
    /// Share of all records on which the prediction is the one from the full text.
    pub same_as_full: Figure,
    /// `agreement` less that of the text features under the same view, paired by record.
    pub over_text_features: Figure,
}

/// Figures of all predictors under all views on one data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WinnerReport {
    /// Name of the data set.
    pub dataset: String,
    /// Records predicted; a record predicted under several seeds counts as often.
    pub records: usize,
    /// Those that people did not call a tie.
    pub decided: usize,
    /// Groups (prompts) that the records belong to: the sample size behind every interval.
    pub groups: usize,
    /// One entry a view and predictor.
    pub rows: Vec<WinnerRow>,
}

impl WinnerReport {
    /// Pools verdicts, of several folds and seeds perhaps.
    ///
    /// # Errors
    /// [`EvalError::Stats`] where there is no decided record.
    pub fn of(dataset: &str, verdicts: &[Verdict], seed: u64) -> Result<Self, EvalError> {
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        for verdict in verdicts {
            let next = names.len();
            names.entry(&verdict.group).or_insert(next);
        }
        let clusters: Vec<usize> = verdicts.iter().map(|verdict| names[verdict.group.as_str()]).collect();
        let pool = Pool { verdicts, clusters, seed };
        let mut rows = Vec::new();
        for view in View::all() {
            for predictor in Predictor::ALL {
                if verdicts.iter().all(|verdict| verdict.score(view, predictor).is_some()) {
                    rows.push(pool.row(view, predictor)?);
                }
            }
        }
        Ok(Self {
            dataset: dataset.to_owned(),
            records: verdicts.len(),
            decided: verdicts.iter().filter(|verdict| verdict.winner != 0.5).count(),
            groups: names.len(),
            rows,
        })
    }

    /// The figures of a predictor under a view.
    #[must_use]
    pub fn row(&self, view: View, predictor: Predictor) -> Option<&WinnerRow> {
        self.rows.iter().find(|row| row.view == view.name() && row.predictor == predictor)
    }

    /// One line a view and predictor, in per cent.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY).set_header([
            "shown",
            "predictor",
            "agrees with people",
            "over text features",
            "agrees with full text",
        ]);
        for row in &self.rows {
            table.add_row([
                row.view.clone(),
                row.predictor.name().to_owned(),
                row.agreement.per_cent(),
                row.over_text_features.per_cent(),
                row.same_as_full.per_cent(),
            ]);
        }
        table.to_string()
    }
}

struct Pool<'a> {
    verdicts: &'a [Verdict],
    clusters: Vec<usize>,
    seed: u64,
}

impl Pool<'_> {
    fn row(&self, view: View, predictor: Predictor) -> Result<WinnerRow, EvalError> {
        let own = self.agreement(view, predictor);
        let line = self.agreement(view, Predictor::TextFeatures);
        let same = self.units(|verdict| {
            let [shown, full] = [view, View::Full].map(|view| verdict.score(view, predictor).unwrap_or(0.0));
            (f64::from(u8::from((shown > 0.0) == (full > 0.0))), 1.0)
        });
        Ok(WinnerRow {
            view: view.name(),
            predictor,
            agreement: cluster_bootstrap(&own, RESAMPLES, self.seed)?.into(),
            same_as_full: cluster_bootstrap(&same, RESAMPLES, self.seed)?.into(),
            over_text_features: paired_bootstrap(&own, &line, RESAMPLES, self.seed)?.into(),
        })
    }

    fn agreement(&self, view: View, predictor: Predictor) -> Vec<Unit> {
        self.units(|verdict| {
            let score = verdict.score(view, predictor).unwrap_or(0.0);
            let preferred = if score == 0.0 { 0.5 } else { f64::from(u8::from(score > 0.0)) };
            let agreed = 1.0 - (preferred - f64::from(verdict.winner)).abs();
            if verdict.winner == 0.5 { (0.0, 0.0) } else { (agreed, 1.0) }
        })
    }

    fn units(&self, of: impl Fn(&Verdict) -> (f64, f64)) -> Vec<Unit> {
        let units = self.clusters.iter().zip(self.verdicts).map(|(cluster, verdict)| {
            let (part, whole) = of(verdict);
            (*cluster, part, whole)
        });
        units.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(group: &str, winner: f32, full: f64, half: f64) -> Verdict {
        let scores = View::all().into_iter().map(|view| {
            let score = if view == View::Full { full } else { half };
            let by = [(Predictor::Length, score), (Predictor::TextFeatures, -1.0)];
            (view.name(), by.into_iter().collect())
        });
        Verdict { id: group.into(), group: group.into(), winner, scores: scores.collect() }
    }

    #[test]
    fn ties_ask_nothing_of_people_and_no_preference_is_half() {
        let verdicts = [
            verdict("a", 1.0, 2.0, -2.0),
            verdict("b", 0.0, 2.0, 2.0),
            verdict("c", 1.0, 0.0, 0.0),
            verdict("d", 0.5, 1.0, 1.0),
        ];
        let report = WinnerReport::of("x", &verdicts, 1).unwrap();
        assert_eq!((report.records, report.decided, report.groups), (4, 3, 4));
        let full = report.row(View::Full, Predictor::Length).unwrap();
        assert_eq!(full.agreement.value, 0.5);
        assert_eq!(full.same_as_full.value, 1.0);
        assert!((full.over_text_features.value - (0.5 - 1.0 / 3.0)).abs() < 1e-12);
        let half = report.row(View::Coverage(0.5), Predictor::Length).unwrap();
        assert_eq!(half.same_as_full.value, 0.75);
        assert!(report.row(View::Full, Predictor::Lrrc).is_none());
    }
}
