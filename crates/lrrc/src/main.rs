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
    leave_quietly_when_nobody_reads();
    match cmd::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(report) => {
            eprintln!("{report:?}");
            ExitCode::FAILURE
        }
    }
}

/// `lrrc … | head` closes standard output early. `println!` panics then; the process ends instead, with the code that
/// a shell gives to a program stopped by SIGPIPE. The signal itself stays ignored, because commands that serve or ask over
/// sockets must outlive a peer that hangs up.
fn leave_quietly_when_nobody_reads() {
    const STOPPED_BY_SIGPIPE: i32 = 128 + 13;
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload_as_str().unwrap_or_default();
        if text.starts_with("failed printing to std") && text.contains("Broken pipe") {
            std::process::exit(STOPPED_BY_SIGPIPE);
        }
        usual(panic);
    }));
}
