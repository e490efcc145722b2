//! Which of two answers people prefer, told by a checkpoint for one side of a data set.

use std::sync::Arc;

use lrrc_dataset::{Dataset, ReadOptions, Side, Split};
use lrrc_episode::{Encoding, Episode, TokenCounter};
use lrrc_eval::{EvalError, WinnerReport, WinnerRequest, verdicts};
use lrrc_model::Policy;
use miette::IntoDiagnostic;

use crate::cmd::dataset::report as dataset_report;

/// How well a checkpoint tells the winners of one side of a data set, the test side unless asked otherwise; the
/// records of the other sides fit the lines. `None`, with a line on the error stream, where a side has no verdict.
pub(super) fn agreement(
    dataset: &str,
    side: Option<Side>,
    (policy, control): (&Policy, Option<&Policy>),
    seed: u64,
) -> miette::Result<Option<WinnerReport>> {
    let counter = Arc::new(TokenCounter::new(Encoding::Cl100kBase));
    let options =
        ReadOptions { skip_bad: true, counter: Some(Arc::clone(&counter)), ..ReadOptions::default() };
    let dataset = Dataset::open(dataset, &options).map_err(dataset_report)?;
    let (episodes, _) = dataset.read_all().map_err(dataset_report)?;
    let split = Split::of(&episodes, dataset.split_spec()).into_diagnostic()?;
    let side = side.unwrap_or(Side::Test);
    let others = Side::ALL.into_iter().filter(|other| *other != side);
    let train: Vec<Episode> = others.flat_map(|other| split.select(&episodes, other)).collect();
    let held_out = split.select(&episodes, side);
    if policy.meta().two_model_episodes == 0 {
        eprintln!(
            "the checkpoint learned from no two-model episode and predicts no winner; \
             `lrrc train --config winner` makes one that does"
        );
    }
    let request = WinnerRequest { train: &train, held_out: &held_out, counter: &counter, policy, control };
    match verdicts(&request) {
        Ok(verdicts) => WinnerReport::of(dataset.name(), &verdicts, seed).into_diagnostic().map(Some),
        Err(error @ EvalError::NoWinners { .. }) => {
            eprintln!("winner agreement is left out: {error}");
            Ok(None)
        }
        Err(error) => Err(error).into_diagnostic(),
    }
}

/// Prints one line a view and predictor.
pub(super) fn print(report: &WinnerReport) {
    println!(
        "\n{}: which answer people prefer; {} records of {} prompts, {} of them decided; per cent with 95 % cluster \
         bootstrap over prompts; names of models stripped\n{}",
        report.dataset,
        report.records,
        report.groups,
        report.decided,
        report.table()
    );
}
