//! The commands; each one's arguments stand beside its code in `cmd/`.

use clap::{Parser, Subcommand};

use crate::cmd::{
    bench::BenchCommand, dataset::DatasetCommand, eval::EvalArgs, quickstart::QuickstartArgs,
    report::ReportArgs, reproduce::ReproduceArgs, simulate::SimulateArgs, store::StoreCommand,
    sweep::SweepArgs, train::TrainArgs,
};

/// Low-rank recurrent coordination for communication-efficient multi-LLM agent systems.
#[derive(Debug, Parser)]
#[command(name = "lrrc", version, propagate_version = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// One variant a file in `cmd/`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Quickstart(QuickstartArgs),
    /// Import, inspect and split data sets.
    #[command(subcommand)]
    Dataset(DatasetCommand),
    Train(TrainArgs),
    Sweep(SweepArgs),
    Reproduce(ReproduceArgs),
    Eval(Box<EvalArgs>),
    Simulate(SimulateArgs),
    Report(ReportArgs),
    /// Keep artifacts that agents share.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Measure how long things take on this machine.
    #[command(subcommand)]
    Bench(BenchCommand),
}
