//! The laws over as many worlds as asked for, of three agents and two artifacts:
//! `cargo run --release -p lrrc-coherence --example check_states -- --states 1000000`.
//!
//! It ends with an error if a law does not hold, and says the actions that lead there.

#[path = "../tests/laws/checked/mod.rs"]
mod checked;
#[path = "../tests/laws/world/mod.rs"]
mod world;

use std::process::ExitCode;

use checked::{Checked, laws};
use lrrc_coherence::Strategy;
use stateright::{Checker, HasDiscoveries, Model};
use world::{Ask, Setting, Sizes};

#[expect(clippy::disallowed_methods, reason = "an example is a program: its arguments come from outside")]
fn arguments() -> Vec<String> {
    std::env::args().collect()
}

fn option(name: &str, default: u64) -> u64 {
    let arguments = arguments();
    let at = arguments.iter().position(|argument| argument == name);
    at.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(default)
}

fn main() -> ExitCode {
    let sizes = Sizes {
        agents: option("--agents", 3) as u32,
        artifacts: option("--artifacts", 2) as usize,
        versions: option("--versions", 4),
        generations: option("--generations", 6),
        lives: option("--lives", 2),
        ticks: option("--ticks", 3),
        messages: option("--messages", 4) as usize,
        asks: Ask::ALL,
        losses: true,
        late_answers: option("--late-answers", 1) == 1,
        doubles: option("--doubles", 1) == 1,
    };
    let strategy = if option("--eager", 0) == 1 { Strategy::Eager } else { Strategy::Lazy };
    let model = Checked { setting: Setting::new(strategy, None), sizes };
    let checker = model
        .checker()
        .threads(option("--threads", 2) as usize)
        .target_state_count(usize::try_from(option("--states", 1_000_000)).unwrap_or(usize::MAX))
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    println!(
        "{} unique worlds of {} generated, {} steps deep, {}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        if checker.is_done() { "exhausted or as many as asked for" } else { "not done" },
    );
    let mut found = ExitCode::SUCCESS;
    for law in laws() {
        if let Some(path) = checker.discovery(law) {
            println!("{law} does not hold: {:?}", path.last_state().broken);
            println!("{:#?}", path.into_actions());
            found = ExitCode::FAILURE;
        }
    }
    found
}
