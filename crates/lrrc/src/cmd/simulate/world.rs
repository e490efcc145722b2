//! Seeded faults around the real home and agents: one seed with its trace, or many with a count.

use std::time::Instant;

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use indicatif::{ProgressBar, ProgressStyle};
use lrrc_sim::{Tally, Verdict, WorldConfig, world};
use miette::IntoDiagnostic;
use serde::Serialize;

/// Broken runs that are told in full.
const TOLD_MAX: usize = 5;

/// What `--json` writes.
#[derive(Serialize)]
struct Report<'a> {
    /// Version of this format.
    format: u32,
    /// The first seed.
    first_seed: u64,
    /// Runs.
    runs: u64,
    /// Everything that all runs did.
    tally: Tally,
    /// Runs that broke a law, with their traces.
    broken: &'a [Verdict],
}

/// Runs `runs` seeds from `first` on; fails if one of them breaks a law. Returns the report as JSON.
pub(super) fn run(first: u64, runs: u64) -> miette::Result<(Vec<u8>, String, bool)> {
    let start = Instant::now();
    let config = WorldConfig::default();
    let bar = ProgressBar::new(runs);
    let style = "{wide_bar} {pos}/{len} runs, {elapsed} so far, about {eta} left";
    bar.set_style(ProgressStyle::with_template(style).into_diagnostic()?);
    let found = world::run_many(first, runs, &config, &|| bar.inc(1));
    bar.finish_and_clear();
    let traced = found.broken.iter().take(TOLD_MAX).map(|seed| world::run_traced(*seed, &config));
    let broken: Vec<Verdict> = traced.collect();
    let report = Report { format: 1, first_seed: first, runs, tally: found.tally, broken: &broken };
    let json = serde_json::to_vec_pretty(&report).into_diagnostic()?;
    let mut text = table(first, runs, &found.tally, found.broken.len());
    for verdict in &broken {
        text += &format!("\n{}", tell(verdict));
    }
    text += &format!("\n{runs} runs in {:.1} s", start.elapsed().as_secs_f64());
    Ok((json, text, found.broken.is_empty()))
}

fn table(first: u64, runs: u64, tally: &Tally, broken: usize) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(["what happened", "count"]);
    let rows = [
        ("steps of the world", tally.steps),
        ("reads", tally.reads),
        ("  from the agent's own copy", tally.cached_reads),
        ("  of a version no longer the newest, within the bound", tally.stale_reads),
        ("acknowledged writes", tally.commits),
        ("refused writes", tally.refusals),
        ("frames lost", tally.lost_frames),
        ("agents crashed", tally.agent_crashes),
        ("homes crashed", tally.home_crashes),
        ("storage faults", tally.storage_faults),
        ("runs that broke a law", broken as u64),
    ];
    for (name, count) in rows {
        table.add_row([name.to_owned(), count.to_string()]);
    }
    format!("seeds {first} to {}\n{table}", first + runs - 1)
}

fn tell(verdict: &Verdict) -> String {
    let broken = verdict.broken.as_ref().map_or_else(String::new, ToString::to_string);
    format!("seed {}: {broken}\n  {}", verdict.seed, verdict.trace.join("\n  "))
}
