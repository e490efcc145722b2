//! `lrrc winner`: which of two answers people prefer, predicted for prompts that the coordinator never saw.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use lrrc_dataset::{Dataset, ReadOptions, Side, Split};
use lrrc_episode::{Encoding, Episode, TokenCounter};
use lrrc_eval::{EvalError, WinnerReport, WinnerRequest, verdicts};
use lrrc_model::{Policy, write_atomic};
use lrrc_train::{FoldsRequest, Request, cross_validate, stop_flag};
use miette::IntoDiagnostic;
use serde_json::json;

use crate::cmd::dataset::report as dataset_report;

/// Cross-validate how well the preferred of two answers is told from the full text and from digests of it.
#[derive(Debug, Args)]
pub(crate) struct WinnerArgs {
    /// A configuration file, or the name of a preset.
    #[arg(long, value_name = "FILE|PRESET", default_value = "winner")]
    config: String,
    /// Change one value of the configuration, such as model.rank=8; may be given again.
    #[arg(long, value_name = "TABLE.KEY=VALUE")]
    set: Vec<String>,
    /// Data sets, instead of those of the configuration: the first is cut into folds by prompt, the others are only
    /// learned from.
    #[arg(long, value_delimiter = ',')]
    dataset: Vec<String>,
    /// Folds, at least 3.
    #[arg(long, default_value_t = 5)]
    folds: usize,
    /// Seeds of the weights.
    #[arg(long, value_delimiter = ',', default_value = "7")]
    seeds: Vec<u64>,
    /// Write the figures and every prediction as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw no progress bar.
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the command.
pub(crate) fn run(args: &WinnerArgs) -> miette::Result<()> {
    let mut set = args.set.clone();
    if !args.dataset.is_empty() {
        set.push(format!("data.datasets={:?}", args.dataset));
    }
    let request = FoldsRequest {
        train: Request { config: Some(args.config.clone()), set, resume: None },
        folds: args.folds,
        seeds: args.seeds.clone(),
    };
    let verdicts = cross_validate(&request, stop_flag(), args.quiet, |seed, fold, checkpoint| {
        eprintln!("seed {seed}, fold {fold}: {}", checkpoint.display());
    })
    .into_diagnostic()?;
    let name = args.dataset.first().map_or(args.config.as_str(), String::as_str);
    let report = WinnerReport::of(name, &verdicts, 0).into_diagnostic()?;
    print(&report);
    if let Some(path) = &args.json {
        let text = serde_json::to_vec_pretty(&json!({ "report": report, "verdicts": verdicts }))
            .into_diagnostic()?;
        write_atomic(path, &text).into_diagnostic()?;
        eprintln!("wrote {}", path.display());
    }
    Ok(())
}

/// How well a checkpoint tells the winners of one side of a data set, the test side unless asked otherwise; the
/// records of the other sides fit the lines. `None`, with a line on the error stream, where a side has no verdict.
pub(crate) fn agreement(
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
pub(crate) fn print(report: &WinnerReport) {
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
