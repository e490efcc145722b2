//! Seeded faults around the real home and agents: one seed with its trace, or many with a count.

use std::path::Path;
use std::time::Instant;

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use indicatif::{ProgressBar, ProgressStyle};
use lrrc_sim::{Tally, Verdict, WorldConfig, world};
use miette::IntoDiagnostic;
use serde::Serialize;

use crate::output::{is_stdout, print, write};
use crate::told::escaped;

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
    let last = last_seed(first, count)?;
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
    let mut bytes = serde_json::to_vec_pretty(&report).into_diagnostic()?;
    if json.is_some_and(is_stdout) {
        bytes.push(b'\n');
        print(&bytes)?;
    } else {
        json.map_or(Ok(()), |path| write(path, &bytes))?;
        let told: String = verdicts.iter().map(tell).collect();
        let table = table((first, last), &found.tally, found.broken.len());
        let runs = if count == 1 { "run" } else { "runs" };
        let time = format!("{count} {runs} in {:.1} s\n", start.elapsed().as_secs_f64());
        print((told + &table + &time).as_bytes())?;
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

/// Seeds end with the numbers that a seed can be.
fn last_seed(first: u64, count: u64) -> miette::Result<u64> {
    first.checked_add(count - 1).ok_or_else(|| {
        miette::miette!(
            help = format!("--seed {} is the last one that leaves room for them", u64::MAX - (count - 1)),
            "--seed {first} with --faults {count}: the last seed would be beyond {}",
            u64::MAX
        )
    })
}

fn table((first, last): (u64, u64), tally: &Tally, broken: usize) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(["what happened", "count"]);
    let rows = [
        ("steps of the world", tally.steps),
        ("reads", tally.reads),
        ("  from the agent's own copy", tally.cached_reads),
        ("  of a version no longer the newest, within the bound", tally.stale_reads),
        ("acknowledged writes", tally.commits),
        ("refused asks", tally.refusals),
        ("ends of gathering, with one sync each if any", tally.flushes),
        ("changes told to watches", tally.notices),
        ("contents collected", tally.collected),
        ("verifications of all contents", tally.verifications),
        ("frames lost", tally.lost_frames),
        ("agents crashed", tally.agent_crashes),
        ("homes crashed", tally.home_crashes),
        ("homes stopped, their storage failed in a commit", tally.home_failures),
        ("storage faults", tally.storage_faults),
        ("runs that broke a law", broken as u64),
    ];
    for (name, count) in rows {
        table.add_row([name.to_owned(), count.to_string()]);
    }
    let seeds = if first == last { format!("seed {first}") } else { format!("seeds {first} to {last}") };
    format!("{seeds}\n{table}\n")
}

/// The last lines of a run, and how it ended.
fn tell(verdict: &Verdict) -> String {
    let end = match &verdict.broken {
        Some(broken) => format!("seed {} broke a law: {broken}", verdict.seed),
        None => format!("seed {} broke no law", verdict.seed),
    };
    escaped(&format!("seed {}:\n  {}\n{end}\n\n", verdict.seed, verdict.trace.join("\n  ")))
}
