//! The command line of LRRC.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod args;
mod bounds;
mod cmd;
mod output;
mod told;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::told::Told;

/// 0 on success, 1 on failure; clap exits with 2 on wrong usage.
fn main() -> ExitCode {
    end_when_the_output_does();
    keep_commands_whole();
    let cli = Cli::try_parse().unwrap_or_else(|mut error| {
        told::tame(&mut error);
        error.exit()
    });
    match cmd::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(report) => {
            eprintln!("{:?}", miette::Report::new(Told::of(&report)));
            ExitCode::FAILURE
        }
    }
}

/// A command in a message is copied into a shell, where a line end that was put into it would cut it short.
fn keep_commands_whole() {
    let lines = |_: &(dyn miette::Diagnostic + 'static)| -> Box<dyn miette::ReportHandler> {
        Box::new(miette::MietteHandlerOpts::new().wrap_lines(false).build())
    };
    // It fails where a hook is set already, and this is the only one.
    let _ = miette::set_hook(Box::new(lines));
}

/// `lrrc … | head` closes standard output early. `println!` panics then; the process ends instead, with the code that
/// a shell gives to a program stopped by SIGPIPE. Where the disk below the output is full, it says so and fails. The signal itself stays ignored, because commands that serve or ask over
/// sockets must outlive a peer that hangs up.
fn end_when_the_output_does() {
    const STOPPED_BY_SIGPIPE: i32 = 128 + 13;
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload_as_str().unwrap_or_default();
        if text.starts_with("failed printing to std") && text.contains("Broken pipe") {
            std::process::exit(STOPPED_BY_SIGPIPE);
        }
        if let Some(why) = text.strip_prefix("failed printing to stdout: ") {
            eprintln!("cannot write the output: {why}");
            std::process::exit(1);
        }
        usual(panic);
    }));
}
