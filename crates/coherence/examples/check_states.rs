//! The laws over as many worlds as asked for, by default of three agents and two artifacts, half of them under the lazy
//! strategy and an eighth under each other; then the mutants:
//! `cargo run --release -p lrrc-coherence --example check_states -- --states 1000000`.
//!
//! Options, each with a number: `--states` different worlds to look at, `--agents`, `--artifacts`, `--versions`,
//! `--generations`, `--lives`, `--ticks`, `--messages` (the largest world), `--late-answers`, `--doubles`, `--mutants`
//! (0 or 1), `--threads`. It ends with an error if a law does not hold, and says the actions that lead there.

#[path = "../tests/laws/checked/mod.rs"]
mod checked;
#[path = "../tests/laws/world/mod.rs"]
mod world;

use std::collections::BTreeSet;
use std::process::ExitCode;

use checked::{Checked, laws, name};
use lrrc_coherence::Strategy;
use stateright::{Checker, HasDiscoveries, Model};
use world::{Ask, COUNTED, LEASE, Mutant, Setting, Sizes};

#[expect(clippy::disallowed_methods, reason = "an example is a program: its arguments come from outside")]
fn option(name: &str, default: usize) -> usize {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments
        .nth(1)
        .map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} {value}: not a number")))
}

fn sizes() -> Sizes {
    Sizes {
        agents: option("--agents", 3) as u32,
        artifacts: option("--artifacts", 2),
        versions: option("--versions", 4) as u64,
        generations: option("--generations", 6) as u64,
        lives: option("--lives", 2) as u64,
        ticks: option("--ticks", 3) as u64,
        messages: option("--messages", 4),
        asks: Ask::ALL,
        losses: true,
        late_answers: option("--late-answers", 1) == 1,
        doubles: option("--doubles", 1) == 1,
        hits: false,
    }
}

/// Looks at worlds until there are as many different ones as asked for, or no more. Returns how many there are; `None` if
/// a law does not hold.
fn laws_hold(strategy: Strategy, states: usize) -> Option<usize> {
    let sizes = Sizes { hits: matches!(strategy, Strategy::AccessCount { .. }), ..sizes() };
    let mut generated = states.saturating_mul(3);
    loop {
        let model = Checked { setting: Setting::new(strategy, None), sizes };
        let checker = model.checker().threads(option("--threads", 2)).target_state_count(generated);
        let checker = checker.finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        let (unique, all) = (checker.unique_state_count(), checker.state_count());
        let exhausted = all < generated;
        let extent = if exhausted { "every world of this size" } else { "as many as asked for" };
        println!(
            "{strategy:?}: {unique} different worlds of {all}, {} steps deep: {extent}",
            checker.max_depth()
        );
        let broken = laws().into_iter().find_map(|law| Some((law, checker.discovery(law)?)));
        if let Some((law, path)) = broken {
            println!(
                "{law} does not hold: {:?}\n{:#?}",
                path.last_state().broken.clone(),
                path.into_actions()
            );
            return None;
        }
        if unique >= states || exhausted {
            return Some(unique);
        }
        generated = generated.saturating_mul(2);
    }
}

/// Looks for the world in which each mutant breaks its law. Returns whether each does.
fn mutants_break(states: usize) -> bool {
    let small = Sizes { agents: 2, artifacts: 1, lives: 1, messages: 2, ..sizes() };
    let mut all = true;
    for (mutant, strategy, law) in Mutant::ALL {
        let artifacts = if mutant == Mutant::NoJointCheck { 2 } else { 1 };
        let hits = matches!(strategy, Strategy::AccessCount { .. });
        let model = Checked {
            setting: Setting::new(strategy, Some(mutant)),
            sizes: Sizes { artifacts, hits, ..small },
        };
        let its_law = HasDiscoveries::AnyOf(BTreeSet::from([name(law)]));
        let checker = model.checker().threads(option("--threads", 2)).target_state_count(states);
        let checker = checker.finish_when(its_law).spawn_bfs().join();
        let steps = checker.discovery(name(law)).map(|path| path.into_actions().len());
        let found = steps.map_or("NOT FOUND".to_owned(), |steps| format!("in {steps} steps"));
        println!(
            "{mutant:?} under {strategy:?} breaks {law:?}: {found}, {} worlds",
            checker.unique_state_count()
        );
        all &= steps.is_some();
    }
    all
}

fn main() -> ExitCode {
    let states = option("--states", 1_000_000);
    let others =
        [Strategy::Eager, LEASE, COUNTED, Strategy::Broadcast].map(|strategy| (strategy, states / 8));
    let shares = others.into_iter().chain([(Strategy::Lazy, states / 2)]);
    let unique: Option<usize> = shares.map(|(strategy, share)| laws_hold(strategy, share)).sum();
    if let Some(unique) = unique {
        println!("{unique} different worlds in all");
    }
    let broken = option("--mutants", 1) == 0 || mutants_break(states.saturating_mul(3));
    if unique.is_some() && broken { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
