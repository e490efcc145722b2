//! `lrrc dataset stats`.

use clap::Args;
use lrrc_dataset::{Dataset, DatasetError, LengthStats, Stats, StatsBuilder};
use miette::IntoDiagnostic;

use super::{InputArgs, grouped, progress, report, table, tell_skipped};
use crate::told::escaped;

/// Widest bar of the histogram, in characters.
const BAR_CHARS: u64 = 40;

/// Arguments of `lrrc dataset stats`.
#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
}

/// Counts.
pub(crate) fn run(args: &StatsArgs) -> miette::Result<()> {
    let dataset = args.input.open()?;
    let stats = compute(&dataset).map_err(report)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&stats).into_diagnostic()?);
    } else {
        print_tables(&escaped(dataset.name()), &stats);
    }
    Ok(())
}

fn compute(dataset: &Dataset) -> Result<Stats, DatasetError> {
    let mut builder = StatsBuilder::default();
    let bar = progress("reading");
    let mut stream = dataset.episodes();
    for episode in stream.by_ref() {
        builder.add(&episode?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    tell_skipped(stream.report());
    Ok(builder.finish())
}

fn print_tables(name: &str, stats: &Stats) {
    let mut counts = table(["data set", "episodes", "groups", "turns", "tool calls", "queries", "tokens"]);
    let numbers =
        [stats.episodes, stats.groups, stats.all.turns, stats.calls, stats.queries, stats.all.tokens];
    counts.add_row([name.to_owned()].into_iter().chain(numbers.map(grouped)));
    println!("{counts}");

    let mut lengths = table(["tokens of a turn", "turns", "total", "mean", "median", "p90", "max"]);
    let mut row = |name: &str, of: &LengthStats| {
        let [turns, total] = [of.turns, of.tokens].map(grouped);
        let [median, p90, max] = [of.median, of.p90, of.max].map(|count| grouped(count.into()));
        lengths.add_row([name.to_owned(), turns, total, format!("{:.1}", of.mean), median, p90, max]);
    };
    row("all", &stats.all);
    stats.roles.iter().for_each(|(role, of)| row(role, of));
    println!("{lengths}");

    let highest = stats.histogram.iter().map(|bin| bin.turns).max().unwrap_or(1);
    let mut bins = table(["tokens", "turns", ""]);
    for bin in &stats.histogram {
        let bar = "█".repeat((bin.turns * BAR_CHARS).div_ceil(highest) as usize);
        bins.add_row([format!("{}–{}", bin.first, bin.last), grouped(bin.turns), bar]);
    }
    println!("{bins}");
}
