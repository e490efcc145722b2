//! One file a command: its arguments and one library call.

pub(crate) mod dataset;

use crate::args::{Cli, Command};

/// Runs the command.
pub(crate) fn run(cli: Cli) -> miette::Result<()> {
    match cli.command {
        Command::Dataset(command) => dataset::run(command),
    }
}
