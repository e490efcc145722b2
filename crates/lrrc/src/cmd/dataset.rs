//! `lrrc dataset`: import, annotate, split, stats, show, list.

mod annotate;
mod card;
mod import;
mod list;
mod show;
mod split;
mod stats;

use std::io::IsTerminal;
use std::time::Duration;

use clap::{Args, Subcommand};
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use indicatif::{ProgressBar, ProgressStyle};
use lrrc_dataset::{Dataset, DatasetError, Format, ReadOptions, SkipReport};

use crate::told::escaped;

/// What to do with data sets.
#[derive(Debug, Subcommand)]
pub(crate) enum DatasetCommand {
    /// Turn logs into a data set: checked, counted, split, with a manifest and a card.
    Import(import::ImportArgs),
    /// Count the tokens anew: compare with the stored counts, or write a data set with the new ones.
    Annotate(annotate::AnnotateArgs),
    /// Show how the groups fall on training, validation and test, or into folds.
    Split(split::SplitArgs),
    /// Count episodes, groups, turns and tokens.
    Stats(stats::StatsArgs),
    /// Print one episode with its essential segments marked.
    Show(show::ShowArgs),
    /// List the shipped data sets.
    List,
}

/// Runs the command.
pub(crate) fn run(command: DatasetCommand) -> miette::Result<()> {
    match command {
        DatasetCommand::Import(args) => import::run(&args),
        DatasetCommand::Annotate(args) => annotate::run(&args),
        DatasetCommand::Split(args) => split::run(&args),
        DatasetCommand::Stats(args) => stats::run(&args),
        DatasetCommand::Show(args) => show::run(&args),
        DatasetCommand::List => list::run(),
    }
}

/// Which data set to read, and how.
#[derive(Debug, Args)]
pub(crate) struct InputArgs {
    /// A shipped name, a folder with a manifest, a Parquet shard or a JSONL.
    dataset: String,
    #[command(flatten)]
    rows: RowArgs,
}

/// How to read rows.
#[derive(Debug, Args)]
pub(crate) struct RowArgs {
    /// Format of the file: auto, episodes, arena, trajectory, evidence or openai.
    #[arg(long, default_value = "auto", value_parser = parse_format)]
    format: FormatChoice,
    /// Pass over faulty rows; they are counted and listed.
    #[arg(long)]
    skip_bad: bool,
}

/// A format, or none where it is to be told from the file.
#[derive(Debug, Clone, Copy)]
struct FormatChoice(Option<Format>);

fn parse_format(name: &str) -> Result<FormatChoice, String> {
    match Format::from_name(name) {
        Some(format) => Ok(FormatChoice(Some(format))),
        None if name == "auto" => Ok(FormatChoice(None)),
        None => Err(format!("expected auto, {}", Format::ALL.map(Format::name).join(", "))),
    }
}

impl RowArgs {
    fn options(&self) -> ReadOptions {
        ReadOptions { skip_bad: self.skip_bad, format: self.format.0, ..ReadOptions::default() }
    }
}

impl InputArgs {
    fn open(&self) -> miette::Result<Dataset> {
        Dataset::open(&self.dataset, &self.rows.options()).map_err(report)
    }
}

/// The error as the user sees it, with what can be done about it.
#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
pub(crate) fn report(error: DatasetError) -> miette::Report {
    match error.help() {
        Some(help) => miette::miette!(help = help, "{error}"),
        None => miette::miette!("{error}"),
    }
}

/// Tells on the error stream what was passed over.
pub(crate) fn tell_skipped(report: &SkipReport) {
    if report.skipped == 0 {
        return;
    }
    eprintln!("skipped {} faulty rows, read {} episodes:", report.skipped, report.read);
    for error in &report.listed {
        eprintln!("  {}", escaped(&error.to_string()));
    }
    let unlisted = report.skipped - report.listed.len() as u64;
    if unlisted > 0 {
        eprintln!("  … and {unlisted} more");
    }
}

/// A table in the style of all tables.
fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    table
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A counter of episodes on the error stream, silent where that is no terminal.
fn progress(message: &'static str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {msg}: {pos} episodes, {per_sec}, {elapsed}");
    let bar = ProgressBar::new_spinner().with_message(message);
    bar.enable_steady_tick(Duration::from_millis(200));
    style.map_or(bar.clone(), |style| bar.with_style(style))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn every_format_has_its_word() {
        assert!(parse_format("auto").is_ok_and(|choice| choice.0.is_none()));
        assert!(parse_format("openai").is_ok_and(|choice| choice.0 == Some(Format::OpenAi)));
        assert!(parse_format("csv").is_err());
    }
}
