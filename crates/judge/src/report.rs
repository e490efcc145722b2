//! What a game showed: JSON for machines, tables for reading.

use comfy_table::{Cell, CellAlignment, Table, presets::UTF8_HORIZONTAL_ONLY};
use lrrc_eval::stats::Figure;
use serde::Serialize;

use crate::{
    chat::Usage,
    decision::{DecisionArm, DecisionReport},
    figure::ArmUsage,
    pair::{PairArm, PairReport},
};

/// Version of the JSON.
const FORMAT: u32 = 1;
/// Head of the column of tokens.
const TOKENS: &str = "tokens in / out";

/// Figures of one game.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JudgeReport {
    /// Version of this form.
    pub format: u32,
    /// Name of the data set.
    pub dataset: String,
    /// The model that was asked.
    pub model: String,
    /// The compressor.
    pub method: String,
    /// Share that was to be kept.
    pub keep: f64,
    /// Replayed decisions, where the data have tool calls.
    pub decisions: Option<DecisionReport>,
    /// Pairwise verdicts, where the data have two models and a vote.
    pub pairs: Option<PairReport>,
    /// Requests sent in this run, repetitions included.
    pub sent: u64,
    /// Different requests answered from the cache.
    pub from_cache: usize,
    /// Tokens of what was sent.
    pub usage: Usage,
    /// Their price in USD, where prices are known.
    pub usd: Option<f64>,
}

impl JudgeReport {
    pub(crate) fn blank(dataset: &str, model: &str, method: &str, keep: f64) -> Self {
        let [dataset, model, method] = [dataset, model, method].map(str::to_owned);
        let (decisions, pairs, usd) = (None, None, None);
        let (sent, from_cache, usage) = (0, 0, Usage::default());
        Self { format: FORMAT, dataset, model, method, keep, decisions, pairs, sent, from_cache, usage, usd }
    }

    /// The tables, in per cent with 95 % intervals.
    #[must_use]
    pub fn table(&self) -> String {
        let mut parts = Vec::new();
        if let Some(report) = &self.decisions {
            parts.push(self.decision_table(report));
        }
        if let Some(report) = &self.pairs {
            parts.push(self.pair_table(report));
        }
        let spent = self.usd.map_or(String::new(), |usd| format!(", {usd:.4} USD"));
        let Usage { prompt_tokens, completion_tokens } = self.usage;
        parts.push(format!(
            "{} requests sent, {} answers from the cache; {prompt_tokens} input and {completion_tokens} output tokens{spent}",
            self.sent, self.from_cache
        ));
        parts.join("\n\n")
    }

    fn decision_table(&self, report: &DecisionReport) -> String {
        let row = |arm: &DecisionArm| {
            let counts = [arm.said, arm.no_answer, arm.cut].map(|count| count.to_string());
            let figures = [arm.same_action, arm.same_tool].map(figure).into_iter();
            figures.chain(counts).chain([tokens(&arm.usage)]).collect()
        };
        let heads = ["recorded action", "recorded tool", "in words", "no answer", "cut", TOKENS];
        let rows = [("full", row(&report.full)), (&self.digest_name(), row(&report.digest))];
        format!(
            "{}: {} recorded tool calls of {} groups, asked of {}\n{}\nrecorded action, digest − full: {}\nsame action as under the full context: {}",
            self.dataset,
            report.calls,
            report.groups,
            self.model,
            table(&heads, rows),
            figure(report.difference),
            figure(report.same_as_full)
        )
    }

    fn pair_table(&self, report: &PairReport) -> String {
        let row = |arm: &PairArm| {
            let figures = [arm.agreement, arm.agreement_decided, arm.position_bias].map(figure).into_iter();
            let twice = format!("{} / {}", arm.first_twice, arm.second_twice);
            let counts = [arm.flipped, arm.no_answer, arm.cut].map(|count| count.to_string());
            figures.chain([twice]).chain(counts).chain([tokens(&arm.usage)]).collect()
        };
        let heads = [
            "as people",
            "without ties",
            "position bias",
            "A / B twice",
            "flipped",
            "no answer",
            "cut",
            TOKENS,
        ];
        let rows = [("full", row(&report.full)), (&self.digest_name(), row(&report.digest))];
        format!(
            "{}: {} pairs of {} groups, each in both orders, judged by {}\n{}\nas people, digest − full: {}\nsame verdict as on full texts: {}",
            self.dataset,
            report.pairs,
            report.groups,
            self.model,
            table(&heads, rows),
            figure(report.difference),
            figure(report.same_as_full)
        )
    }

    fn digest_name(&self) -> String {
        format!("{} {:.0} %", self.method, self.keep * 100.0)
    }
}

fn table(heads: &[&str], rows: [(&str, Vec<String>); 2]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY);
    table.set_header(std::iter::once("context").chain(heads.iter().copied()));
    for (name, cells) in rows {
        let cells = cells.into_iter().map(|text| Cell::new(text).set_alignment(CellAlignment::Right));
        table.add_row(std::iter::once(Cell::new(name)).chain(cells));
    }
    table.to_string()
}

/// Tokens as the endpoint counted them; those of the requests by cl100k_base, with a `~`, where it does not count all.
fn tokens(usage: &ArmUsage) -> String {
    if usage.reported < usage.requests {
        return format!("~{} / –", usage.input_tokens);
    }
    format!("{} / {}", usage.prompt_tokens, usage.completion_tokens)
}

fn figure(figure: Option<Figure>) -> String {
    figure.map_or("–".to_owned(), |Figure { value, low, high }| {
        format!("{:.1} % [{:.1}, {:.1}]", value * 100.0, low * 100.0, high * 100.0)
    })
}
