//! Every automation of the repository: `cargo run --release -p xtask -- <task>`.

use std::env;
use std::path::Path;
use std::process::{Command, ExitCode};

const USAGE: &str = "usage: cargo run --release -p xtask -- <task>

tasks:
  ci        the whole check, as on a clean clone (.ci/run)
  tidy      the laws of the house: arrows, names, comments, sizes
  ratchet   tidy, and lower the recorded sizes to the measure where they shrank";

/// What a word of the command line stands for.
fn task(word: &str) -> Option<Command> {
    match word {
        "ci" => Some(Command::new(".ci/run")),
        "tidy" => Some(tidy()),
        "ratchet" => {
            let mut command = tidy();
            command.env("LRRC_RATCHET", "lower");
            Some(command)
        }
        _ => None,
    }
}

/// The tidy tests alone, with the cargo that runs this task.
fn tidy() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["test", "--release", "-p", "lrrc-tests", "--test", "flows", "tidy"]);
    command
}

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let [word] = words.as_slice() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let Some(mut command) = task(word) else {
        eprintln!("no task \"{word}\"\n\n{USAGE}");
        return ExitCode::from(2);
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    match command.current_dir(root).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => {
            eprintln!("{word}: {status}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{word}: {} cannot be started: {error}", command.get_program().display());
            ExitCode::FAILURE
        }
    }
}
