//! `lrrc bench`: how long things take on this machine.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use lrrc_dataset::{Dataset, ReadOptions};
use lrrc_eval::bench::{BenchOptions, Latency, PolicyBench, bench_policy};
use lrrc_model::{CoordinatorConfig, Meta, Policy, device};
use miette::IntoDiagnostic;

use crate::cmd::{
    dataset::report,
    eval::{SHIPPED_CHECKPOINT, load_policies},
};

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// One turn of 350 tokens through the coordinator, on one core, beside an encoder of BERT-base size.
    Policy(PolicyArgs),
}

/// The arguments of `lrrc bench policy`.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// Checkpoint folder.
    #[arg(long, default_value = SHIPPED_CHECKPOINT)]
    checkpoint: PathBuf,
    /// Measure an untrained coordinator of this rank instead; time does not depend on the weights.
    #[arg(long, conflicts_with = "checkpoint")]
    rank: Option<usize>,
    /// Where the turns come from: a shipped name, a folder, a Parquet shard or a JSONL. Without it, or where no turn
    /// has 300 to 400 tokens, a made-up tool result is measured.
    #[arg(long)]
    dataset: Option<String>,
    /// Turns to measure.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    repetitions: u32,
    /// Sequences through the encoder; 0 leaves it out.
    #[arg(long, default_value_t = 10)]
    encoder_repetitions: u32,
    /// Write the figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(command: &BenchCommand) -> miette::Result<()> {
    match command {
        BenchCommand::Policy(args) => policy(args),
    }
}

fn policy(args: &PolicyArgs) -> miette::Result<()> {
    crate::output::check(args.json.as_deref())?;
    let device = device("cpu").into_diagnostic()?;
    let policy = match args.rank {
        Some(rank) => {
            let config = CoordinatorConfig { rank, ..CoordinatorConfig::default() };
            Policy::from_parts(&config.init(0, &device).into_diagnostic()?, Meta::default())
        }
        None => load_policies(&args.checkpoint)?.0,
    };
    let episodes = match &args.dataset {
        Some(name) => {
            let dataset = Dataset::open(name, &ReadOptions::default()).map_err(report)?;
            dataset.read_all().map_err(report)?.0
        }
        None => Vec::new(),
    };
    let options = BenchOptions {
        repetitions: args.repetitions as usize,
        encoder_repetitions: args.encoder_repetitions as usize,
    };
    let bench = bench_policy(&policy, &episodes, &device, options).into_diagnostic()?;
    print(&bench);
    if let Some(path) = &args.json {
        let json = serde_json::to_vec_pretty(&bench).into_diagnostic()?;
        crate::output::write(path, &json)?;
    }
    Ok(())
}

fn print(bench: &PolicyBench) {
    println!(
        "rank {}, one core: {} turns of {:.0} tokens and {:.0} segments on average, {} repetitions",
        bench.rank, bench.turns, bench.tokens_mean, bench.segments_mean, bench.repetitions
    );
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(["one turn", "p50 ms", "p90 ms", "p99 ms"]);
    let mut row = |name: &str, latency: &Latency| {
        let times = [latency.p50_ms, latency.p90_ms, latency.p99_ms].map(|ms| format!("{ms:.3}"));
        table.add_row([name.to_owned()].into_iter().chain(times));
    };
    row("coordinator step", &bench.step);
    row("text to features", &bench.featurise);
    row("both", &bench.total);
    if let Some(encoder) = &bench.encoder {
        row("BERT-base-sized encoder, 350 tokens", encoder);
    }
    println!("{table}");
    if let Some(ratio) = bench.encoder_ratio {
        println!("the encoder takes {ratio:.0} times as long");
    }
}
