//! `lrrc sweep`: many trials, each a folder, on this machine or on many.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use comfy_table::{ContentArrangement, Table, presets::UTF8_HORIZONTAL_ONLY};
use indicatif::{ProgressBar, ProgressStyle};
use lrrc_eval::study::Study;
use lrrc_train::{
    Gathered, Status, SweepOptions, SweepOutcome, SweepSpec, gather, stop_flag, sweep, sweep_one,
};
use miette::{IntoDiagnostic, miette};

/// Train and replay every arm of a sweep under every seed and fold.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct SweepArgs {
    #[command(subcommand)]
    command: Option<SweepCommand>,
    /// File of the sweep, such as configs/sweep/rank.toml.
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    /// Folder of the trials; a sweep that was interrupted goes on there.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Run every n-th trial only, such as 2/8 for the second of eight machines.
    #[arg(long, value_name = "I/N", value_parser = parse_shard, default_value = "1/1")]
    shard: (usize, usize),
    /// Trials at a time; 0 takes as many as there are cores.
    #[arg(long, default_value_t = 0)]
    jobs: usize,
    /// Run the trial of this name only, as a line of trials.jsonl says.
    #[arg(long, value_name = "NAME", conflicts_with = "shard")]
    trial: Option<String>,
    /// Print the trials, a line of JSON each, and run nothing.
    #[arg(long)]
    list: bool,
}

/// What else can be done with sweeps.
#[derive(Debug, Subcommand)]
enum SweepCommand {
    Collect(CollectArgs),
}

/// Put the trials of one or more folders together: study.json with curves, tests and the ledger of claims.
#[derive(Debug, Args)]
pub(crate) struct CollectArgs {
    /// Folders of sweeps, as --out named them; those of one sweep complete each other.
    #[arg(required = true, value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// Where to write the study.
    #[arg(long, value_name = "FILE", default_value = "study.json")]
    out: PathBuf,
}

fn parse_shard(text: &str) -> Result<(usize, usize), String> {
    let fault = || format!("expected I/N with 1 ≤ I ≤ N, for example 2/8, not {text}");
    let (this, of) = text.split_once('/').ok_or_else(fault)?;
    let (this, of) = (this.parse().map_err(|_| fault())?, of.parse().map_err(|_| fault())?);
    if (1..=of).contains(&this) { Ok((this, of)) } else { Err(fault()) }
}

/// Runs the command.
pub(crate) fn run(args: &SweepArgs) -> miette::Result<()> {
    if let Some(SweepCommand::Collect(args)) = &args.command {
        let study = collect(&args.dirs, &args.out)?;
        println!("{}", ledger(&study));
        return Ok(());
    }
    let Some(config) = &args.config else { return Ok(()) };
    let place = config.display().to_string();
    let text = std::fs::read_to_string(config).map_err(|error| miette!("{place}: {error}"))?;
    let spec = SweepSpec::parse(&place, &text).into_diagnostic()?;
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(format!("sweep-{}", spec.name)));
    if args.list {
        for line in spec.list(&out).into_diagnostic()? {
            println!("{line}");
        }
        return Ok(());
    }
    if let Some(name) = &args.trial {
        return match sweep_one(&spec, &out, name, stop_flag()).into_diagnostic()? {
            Status::Done | Status::Skipped => Ok(()),
            Status::Interrupted => Err(miette!(help = "run it again to go on", "{name} was interrupted")),
            Status::Failed(message) => Err(miette!("{name}: {message}")),
        };
    }
    let options = SweepOptions { shard: args.shard, jobs: args.jobs };
    let outcome = with_progress(&spec, &out, options)?;
    tell(&outcome, &out)
}

/// Computes the study of these folders and writes it.
pub(crate) fn collect(dirs: &[PathBuf], out: &Path) -> miette::Result<Study> {
    let Gathered { study, missing } = gather(dirs).into_diagnostic()?;
    if !missing.is_empty() {
        eprintln!("{} trials are not done and left out, the first one {}", missing.len(), missing[0]);
    }
    let json = serde_json::to_vec(&study).into_diagnostic()?;
    crate::output::write(out, &json)?;
    eprintln!("wrote {}", out.display());
    Ok(study)
}

/// The ledger of claims as a table.
pub(crate) fn ledger(study: &Study) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["claim", "paper", "ours", "95 % interval", "verdict"]);
    for claim in &study.claims {
        let interval =
            claim.interval.map_or("–".to_owned(), |[low, high]| format!("[{low:.3}, {high:.3}]"));
        table.add_row([&claim.claim, &claim.paper, &claim.ours, &interval, &claim.verdict]);
    }
    table.to_string()
}

/// Runs the trials with one line of progress.
pub(crate) fn with_progress(
    spec: &SweepSpec,
    out: &Path,
    options: SweepOptions,
) -> miette::Result<SweepOutcome> {
    let (this, of) = options.shard;
    let all = spec.trials().into_diagnostic()?.len();
    let bar = ProgressBar::new((0..all).filter(|at| at % of == this - 1).count() as u64);
    let style = "{prefix} {wide_bar} {pos}/{len} trials, {elapsed} so far, about {eta} left  {msg}";
    bar.set_style(ProgressStyle::with_template(style).into_diagnostic()?);
    bar.set_prefix(spec.name.clone());
    bar.enable_steady_tick(std::time::Duration::from_secs(1));
    let outcome = sweep(spec, out, options, stop_flag(), &|name, status| {
        if let Status::Failed(message) = status {
            bar.println(format!("{name} failed: {message}"));
        }
        bar.set_message(name.to_owned());
        bar.inc(1);
    });
    bar.finish_and_clear();
    outcome.into_diagnostic()
}

/// Says how it went; an error if anything failed or is left.
pub(crate) fn tell(outcome: &SweepOutcome, out: &Path) -> miette::Result<()> {
    let SweepOutcome { done, skipped, failed, left } = outcome;
    let out = out.display();
    println!(
        "{done} trials done, {skipped} were done before, {} failed, {left} left; all in {out}",
        failed.len()
    );
    if *left > 0 {
        return Err(miette!(
            help = "run the same command again to go on",
            "interrupted with {left} trials left"
        ));
    }
    if let Some((name, message)) = failed.first() {
        return Err(miette!(
            help = "failed trials run again when the command does; the others are kept",
            "{} trials failed, the first one {name}: {message}",
            failed.len()
        ));
    }
    Ok(())
}
