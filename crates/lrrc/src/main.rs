//! The command line of LRRC.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod args;
mod cmd;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;

/// 0 on success, 1 on failure; clap exits with 2 on wrong usage.
fn main() -> ExitCode {
    match cmd::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(report) => {
            eprintln!("{report:?}");
            ExitCode::FAILURE
        }
    }
}
