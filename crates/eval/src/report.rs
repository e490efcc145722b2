//! The result of an evaluation: JSON for machines, a table for reading, curves for looking.

use comfy_table::{Cell, CellAlignment, Table, presets::UTF8_HORIZONTAL_ONLY};
use serde::{Deserialize, Serialize};

use crate::{
    metric::Counts,
    plot::{PlotError, Series, budget_curves},
    stats::Interval,
    winner::WinnerReport,
};

/// Figures of all methods on one data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Name of the data set.
    pub dataset: String,
    /// Episodes replayed.
    pub episodes: usize,
    /// Groups (tasks, meetings, prompts) that they belong to: the sample size behind every interval.
    pub groups: usize,
    /// Calls replayed.
    pub calls: usize,
    /// System, history and output tokens over all calls, uncompressed.
    pub full_tokens: u64,
    /// One entry a method.
    pub methods: Vec<MethodRow>,
    /// Which answer people prefer, where the episodes have two models and a verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winner: Option<WinnerReport>,
}

/// Figures of one method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MethodRow {
    /// Name of the method.
    pub name: String,
    /// Milliseconds on one core for 1,000 tokens of history shown to calls.
    pub ms_per_1k_tokens: f64,
    /// One entry a budget.
    pub budgets: Vec<BudgetRow>,
}

/// Figures at one budget, as fractions; `None` where the data set has no such label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BudgetRow {
    /// Share of the history that was to be kept.
    pub keep: f64,
    /// Share of the history that was really removed.
    pub history_removed: f64,
    /// Share of all tokens saved.
    pub tokens_saved: f64,
    /// 95 % cluster-bootstrap interval of `tokens_saved`.
    pub tokens_saved_interval: [f64; 2],
    /// Argument values kept, of those copied from the history.
    pub args_kept: Option<f64>,
    /// 95 % cluster-bootstrap interval of `args_kept`.
    pub args_kept_interval: Option<[f64; 2]>,
    /// The same without the values that stand in the system text too.
    pub args_kept_unseen: Option<f64>,
    /// Calls that lost no argument value.
    pub calls_kept: Option<f64>,
    /// Episodes that lost no argument value.
    pub replayable: Option<f64>,
    /// Argument values kept together with key and record, or with words of their sentence.
    pub bound_recall: Option<f64>,
    /// Values and names of the output kept.
    pub answer_values: Option<f64>,
    /// Content words of the output kept.
    pub word_reuse: Option<f64>,
    /// Reused items kept that neither the system text nor the last message holds.
    pub need_recall: Option<f64>,
    /// Tokens of gold evidence kept, averaged over queries.
    pub evidence_recall: Option<f64>,
}

impl BudgetRow {
    pub(crate) fn new(keep: f64, counts: &Counts, saved: Interval, args: Option<Interval>) -> Self {
        Self {
            keep,
            history_removed: 1.0 - counts.history.fraction().unwrap_or(1.0),
            tokens_saved: counts.tokens_saved(),
            tokens_saved_interval: [saved.low, saved.high],
            args_kept: counts.args.fraction(),
            args_kept_interval: args.map(|interval| [interval.low, interval.high]),
            args_kept_unseen: counts.args_unseen.fraction(),
            calls_kept: counts.calls.fraction(),
            replayable: counts.replayable.fraction(),
            bound_recall: counts.bound.fraction(),
            answer_values: counts.answers.fraction(),
            word_reuse: counts.words.fraction(),
            need_recall: counts.needs.fraction(),
            evidence_recall: counts.evidence.fraction(),
        }
    }
}

/// Column heads of the table and how to get each figure.
type Column = (&'static str, fn(&BudgetRow) -> Option<f64>);
const COLUMNS: [Column; 10] = [
    ("history removed", |row| Some(row.history_removed)),
    ("tokens saved", |row| Some(row.tokens_saved)),
    ("args kept", |row| row.args_kept),
    ("calls kept", |row| row.calls_kept),
    ("replayable", |row| row.replayable),
    ("bound recall", |row| row.bound_recall),
    ("answer values", |row| row.answer_values),
    ("word reuse", |row| row.word_reuse),
    ("need recall", |row| row.need_recall),
    ("evidence recall", |row| row.evidence_recall),
];

impl Report {
    /// The figures of a method at a budget.
    #[must_use]
    pub fn row(&self, method: &str, keep: f64) -> Option<&BudgetRow> {
        let method = self.methods.iter().find(|row| row.name == method)?;
        method.budgets.iter().find(|row| (row.keep - keep).abs() < 1e-9)
    }

    /// One table a budget, in per cent; columns without any figure are left out.
    #[must_use]
    pub fn table(&self, keep: f64) -> String {
        let rows: Vec<(&MethodRow, &BudgetRow)> =
            self.methods.iter().filter_map(|method| Some((method, self.row(&method.name, keep)?))).collect();
        let columns: Vec<&Column> =
            COLUMNS.iter().filter(|(_, figure)| rows.iter().any(|(_, row)| figure(row).is_some())).collect();
        let mut table = Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY);
        let heads = columns.iter().map(|(head, _)| *head);
        table.set_header(std::iter::once("method").chain(heads).chain(["ms / 1k tokens"]));
        for (method, row) in rows {
            let figures = columns.iter().map(|(_, figure)| figure(row).map_or("–".into(), per_cent));
            let cells = figures.chain([format!("{:.2}", method.ms_per_1k_tokens)]);
            let cells = cells.map(|text| Cell::new(text).set_alignment(CellAlignment::Right));
            table.add_row(std::iter::once(Cell::new(&method.name)).chain(cells));
        }
        table.to_string()
    }

    /// What the intervals say about one method, in a sentence a budget.
    #[must_use]
    pub fn intervals(&self, method: &str) -> Vec<String> {
        let rows = self.methods.iter().filter(|row| row.name == method).flat_map(|row| &row.budgets);
        let line = |row: &BudgetRow| {
            let [low, high] = row.tokens_saved_interval;
            let args = row.args_kept.zip(row.args_kept_interval).map(|(args, [low, high])| {
                format!(", args kept {} [{}, {}]", per_cent(args), per_cent(low), per_cent(high))
            });
            format!(
                "keep {:>2.0} %: tokens saved {} [{}, {}]{}",
                row.keep * 100.0,
                per_cent(row.tokens_saved),
                per_cent(low),
                per_cent(high),
                args.unwrap_or_default()
            )
        };
        rows.map(line).collect()
    }

    /// Budget–recall curves as SVG, one a figure that the data set has: file name and content.
    ///
    /// # Errors
    /// A figure that cannot be drawn.
    pub fn curves(&self) -> Result<Vec<(String, String)>, PlotError> {
        let mut figures = Vec::new();
        for (head, figure) in COLUMNS.iter().skip(2) {
            let series: Vec<Series> = self
                .methods
                .iter()
                .map(|method| series(method, *figure))
                .filter(|s| !s.points.is_empty())
                .collect();
            if !series.is_empty() {
                let title = format!("{head} on {} ({} episodes)", self.dataset, self.episodes);
                let svg = budget_curves(&title, "history removed", head, &series)?;
                figures.push((format!("{}.svg", head.replace(' ', "-")), svg));
            }
        }
        Ok(figures)
    }

    /// The budgets of the report.
    #[must_use]
    pub fn budgets(&self) -> Vec<f64> {
        self.methods
            .first()
            .map_or_else(Vec::new, |method| method.budgets.iter().map(|row| row.keep).collect())
    }
}

fn series(method: &MethodRow, figure: fn(&BudgetRow) -> Option<f64>) -> Series {
    let points = method.budgets.iter().filter_map(|row| Some((row.history_removed, figure(row)?)));
    let series = Series::new(method.name.clone(), points.collect());
    if method.name.starts_with("lrrc") {
        series.emphasised()
    } else if method.name == "no-state" {
        series.dashed()
    } else {
        series
    }
}

fn per_cent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
