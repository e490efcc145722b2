//! The prices of a set of sessions: JSON for machines, a table for reading.

use comfy_table::{Cell, CellAlignment, Table, presets::UTF8_HORIZONTAL_ONLY};
use serde::{Deserialize, Serialize};

use crate::{metric::Counts, stats::Interval};

/// Prices of all strategies on one set of sessions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PriceReport {
    /// Name of the data set.
    pub dataset: String,
    /// Sessions replayed.
    pub sessions: usize,
    /// Groups that they belong to: the sample size behind every interval.
    pub groups: usize,
    /// Calls of all sessions.
    pub calls: usize,
    /// Price of an output token, in fresh input tokens.
    pub output_price: f64,
    /// One entry a strategy and budget.
    pub rows: Vec<PriceRow>,
}

/// Price of a strategy under one provider, relative to pass-through there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PriceCell {
    /// Name of the provider.
    pub model: String,
    /// Ratio of the price of all input.
    pub input: f64,
    /// 95 % cluster-bootstrap interval of `input`.
    pub input_interval: [f64; 2],
    /// Ratio of the price of all input and output.
    pub with_output: f64,
    /// 95 % cluster-bootstrap interval of `with_output`.
    pub with_output_interval: [f64; 2],
    /// Share of the input tokens sent that are read from the cache.
    pub read_share: f64,
}

/// Prices of a strategy at one budget, and what the calls still see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PriceRow {
    /// Name of the strategy.
    pub strategy: String,
    /// Share of the history that was to be kept; `None` where the strategy has no budget.
    pub keep: Option<f64>,
    /// One entry a provider.
    pub prices: Vec<PriceCell>,
    /// Share of the history that was really sent.
    pub history_sent: f64,
    /// Argument values kept, of those copied from the history.
    pub args_kept: Option<f64>,
    /// 95 % cluster-bootstrap interval of `args_kept`.
    pub args_kept_interval: Option<[f64; 2]>,
    /// Argument values kept together with key and record, or with words of their sentence.
    pub bound_recall: Option<f64>,
    /// Values and names of the output kept.
    pub answer_values: Option<f64>,
    /// Content words of the output kept.
    pub word_reuse: Option<f64>,
    /// Tokens of gold evidence kept, averaged over queries.
    pub evidence_recall: Option<f64>,
    /// Sessions that lost no argument value.
    pub replayable: Option<f64>,
    /// Epochs opened in a session, on average; `None` where the strategy has none.
    pub epochs: Option<f64>,
}

impl PriceRow {
    pub(crate) fn new(
        strategy: &str,
        keep: Option<f64>,
        prices: Vec<PriceCell>,
        counts: &Counts,
        args: Option<Interval>,
        epochs: Option<f64>,
    ) -> Self {
        Self {
            strategy: strategy.to_owned(),
            keep,
            prices,
            history_sent: counts.history.fraction().unwrap_or(1.0),
            args_kept: counts.args.fraction(),
            args_kept_interval: args.map(|interval| [interval.low, interval.high]),
            bound_recall: counts.bound.fraction(),
            answer_values: counts.answers.fraction(),
            word_reuse: counts.words.fraction(),
            evidence_recall: counts.evidence.fraction(),
            replayable: counts.replayable.fraction(),
            epochs,
        }
    }
}

/// Column heads and how to get each figure of what the calls still see.
type Column = (&'static str, fn(&PriceRow) -> Option<f64>);
const SEEN: [Column; 4] = [
    ("args kept", |row| row.args_kept),
    ("bound recall", |row| row.bound_recall),
    ("evidence recall", |row| row.evidence_recall),
    ("replayable", |row| row.replayable),
];

impl PriceReport {
    /// The figures of a strategy at a budget; of one without a budget, whatever the budget.
    #[must_use]
    pub fn row(&self, strategy: &str, keep: f64) -> Option<&PriceRow> {
        let at = |row: &&PriceRow| row.keep.is_none_or(|own| (own - keep).abs() < 1e-9);
        self.rows.iter().filter(|row| row.strategy == strategy).find(at)
    }

    /// The budgets of the report.
    #[must_use]
    pub fn budgets(&self) -> Vec<f64> {
        let mut budgets: Vec<f64> = self.rows.iter().filter_map(|row| row.keep).collect();
        budgets.sort_by(f64::total_cmp);
        budgets.dedup();
        budgets
    }

    /// One table a budget: prices as ratios to pass-through, input alone with its interval, then with output.
    #[must_use]
    pub fn table(&self, keep: f64) -> String {
        let rows: Vec<&PriceRow> =
            self.rows.iter().filter(|row| row.keep.is_none_or(|own| (own - keep).abs() < 1e-9)).collect();
        let seen: Vec<&Column> =
            SEEN.iter().filter(|(_, figure)| rows.iter().any(|row| figure(row).is_some())).collect();
        let mut table = Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY);
        let models = rows.first().map_or(&[][..], |row| &row.prices);
        let prices = models.iter().flat_map(|cell| [format!("{} input", cell.model), "+ output".to_owned()]);
        let heads = seen.iter().map(|(head, _)| (*head).to_owned());
        let heads = ["strategy".to_owned(), "history sent".to_owned()].into_iter().chain(prices).chain(heads);
        table.set_header(heads.chain(["epochs".to_owned()]));
        for row in rows {
            let prices = row.prices.iter().flat_map(|cell| {
                let [low, high] = cell.input_interval;
                [format!("{:.2} [{low:.2}, {high:.2}]", cell.input), format!("{:.2}", cell.with_output)]
            });
            let figures = seen.iter().map(|(_, figure)| figure(row).map_or("–".into(), per_cent));
            let epochs = row.epochs.map_or("–".into(), |epochs| format!("{epochs:.1}"));
            let cells = [per_cent(row.history_sent)].into_iter().chain(prices).chain(figures).chain([epochs]);
            let cells = cells.map(|text| Cell::new(text).set_alignment(CellAlignment::Right));
            table.add_row(std::iter::once(Cell::new(&row.strategy)).chain(cells));
        }
        table.to_string()
    }
}

fn per_cent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
