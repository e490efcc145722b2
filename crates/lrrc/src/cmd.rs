//! One file a command: its arguments and one library call.

pub(crate) mod bench;
pub(crate) mod dataset;
pub(crate) mod eval;
pub(crate) mod judge;
pub(crate) mod method;
pub(crate) mod quickstart;
pub(crate) mod report;
pub(crate) mod reproduce;
pub(crate) mod simulate;
pub(crate) mod store;
pub(crate) mod sweep;
pub(crate) mod train;

use crate::args::{Cli, Command};

/// Runs the command.
pub(crate) fn run(cli: Cli) -> miette::Result<()> {
    match cli.command {
        Command::Quickstart(args) => quickstart::run(&args),
        Command::Dataset(command) => dataset::run(command),
        Command::Train(args) => train::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Reproduce(args) => reproduce::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Sweep(args) => sweep::run(&args),
        Command::Store(command) => store::run(command),
        Command::Report(args) => report::run(&args),
        Command::Bench(command) => bench::run(&command),
    }
}
