//! Seeded faults around the real home and agents: one seed with its trace, or many with a count.

use std::path::Path;
use std::time::Instant;

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use indicatif::{ProgressBar, ProgressStyle};
use lrrc_sim::{Tally, Verdict, WorldConfig, world};
use miette::IntoDiagnostic;
use serde::Serialize;

use super::cost::write;

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
    /// Seeds that broke a law.
    broken: &'a [u64],
    /// The first of them, or the one run, with its last lines.
    verdicts: &'a [Verdict],
}

/// Runs the seed alone and tells what happened, or `runs` seeds from it on. Fails if one of them breaks a law.
pub(super) fn run(seed: Option<u64>, runs: Option<u64>, json: Option<&Path>) -> miette::Result<()> {
    let (start, config) = (Instant::now(), WorldConfig::default());
    let (first, count) = (seed.unwrap_or(1), runs.unwrap_or(1));
    let bar = ProgressBar::new(count);
    let style = "{wide_bar} {pos}/{len} runs, {elapsed} so far, about {eta} left";
    bar.set_style(ProgressStyle::with_template(style).into_diagnostic()?);
    let found = world::run_many(first, count, &config, &|| bar.inc(1));
    bar.finish_and_clear();
    let shown =
        if runs.is_none() { vec![first] } else { found.broken.iter().take(TOLD_MAX).copied().collect() };
    let verdicts: Vec<Verdict> = shown.into_iter().map(|seed| world::run_traced(seed, &config)).collect();
    let report = Report {
        format: 1,
        first_seed: first,
        runs: count,
        tally: found.tally,
        broken: &found.broken,
        verdicts: &verdicts,
    };
    let bytes = serde_json::to_vec_pretty(&report).into_diagnostic()?;
    if json == Some(Path::new("-")) {
        println!("{}", String::from_utf8_lossy(&bytes));
    } else {
        json.map_or(Ok(()), |path| write(path, &bytes))?;
        verdicts.iter().for_each(tell);
        print(first, count, &found.tally, found.broken.len());
        println!("{count} runs in {:.1} s", start.elapsed().as_secs_f64());
    }
    match found.broken.as_slice() {
        [] => Ok(()),
        [seed, ..] => Err(miette::miette!(
            help = format!("lrrc simulate --seed {seed}"),
            "{} of {count} runs broke a law, seed {seed} first",
            found.broken.len()
        )),
    }
}

fn print(first: u64, runs: u64, tally: &Tally, broken: usize) {
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
    println!("seeds {first} to {}\n{table}", first.wrapping_add(runs - 1));
}

/// The last lines of a run, and how it ended.
fn tell(verdict: &Verdict) {
    println!("seed {}:\n  {}", verdict.seed, verdict.trace.join("\n  "));
    match &verdict.broken {
        Some(broken) => println!("seed {} broke a law: {broken}\n", verdict.seed),
        None => println!("seed {} broke no law\n", verdict.seed),
    }
}
