//! The TLA+ specification of the protocol, every state of its small models: the laws hold, and each rule is needed.

mod refinement;
mod search;
mod twin;

use std::collections::BTreeSet;

use search::{MUTANTS, Mutant, SMALL, Verdict, search, search_mutant};

/// Each action of the specification; `Restart` and the clock among them.
const ACTIONS: [&str; 16] = [
    "Create",
    "Read",
    "ReadHit",
    "Acquire",
    "Commit",
    "CommitCas",
    "CommitAll",
    "Release",
    "Delete",
    "Deliver",
    "LeaseOver",
    "AgentLost",
    "Reconnect",
    "Restart",
    "Tick",
    "Heartbeat",
];

/// Searches a model in which every law must hold; the actions that were taken.
fn holds(model: &str) -> BTreeSet<String> {
    match search(model) {
        Verdict::Holds(stats) => {
            stats.transitions_by_action.into_keys().flatten().map(|action| action.to_string()).collect()
        }
        Verdict::Broken { law, trace, .. } => panic!("{model} breaks {law}:\n{trace}"),
        other => panic!("{model}: {other:?}"),
    }
}

fn caught(mutant: &Mutant) {
    match search_mutant(*mutant) {
        Verdict::Broken { law, states, seconds, .. } => {
            assert_eq!(law, mutant.law, "{mutant:?}, {states} states, {seconds} s");
        }
        Verdict::Holds(stats) | Verdict::Unfinished(stats) => {
            panic!("{mutant:?} survives {} states", stats.states_explored);
        }
        Verdict::None(fault) => panic!("{mutant:?}: {fault}"),
    }
}

#[test]
fn every_law_holds_in_every_state_and_every_action_is_taken() {
    let taken: BTreeSet<String> = SMALL.iter().flat_map(|model| holds(model)).collect();
    let expected: BTreeSet<String> = ACTIONS.iter().map(ToString::to_string).collect();
    assert_eq!(taken, expected);
}

#[test]
fn every_rule_that_is_left_out_breaks_its_law() {
    MUTANTS.iter().for_each(caught);
}

#[test]
fn every_law_has_a_mutant() {
    let laws: BTreeSet<&str> = MUTANTS.iter().map(|mutant| mutant.law).collect();
    for law in [
        "SingleWriter",
        "MonotoneVersions",
        "NoLostUpdate",
        "Fence",
        "NoZombieRevoke",
        "NoPartialPublish",
        "BoundedStaleness",
    ] {
        assert!(laws.contains(law), "{law}");
    }
}
