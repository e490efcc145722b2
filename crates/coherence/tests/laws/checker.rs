//! Every world of a small size, by stateright: the laws hold in each, and each mutant breaks its own.

use std::collections::BTreeSet;

use crate::checked::{Checked, laws, name};
use crate::world::{Ask, COUNTED, LEASE, Mutant, Setting, Sizes};
use lrrc_coherence::Strategy;
use stateright::{Checker, HasDiscoveries, Model};

/// Two agents that ask everything and get lost, and messages that come twice; leases last.
const WITHOUT_TIME: Sizes = Sizes {
    agents: 2,
    artifacts: 1,
    versions: 2,
    generations: 2,
    lives: 1,
    ticks: 0,
    messages: 1,
    asks: &[
        Ask::Create,
        Ask::Read,
        Ask::Acquire { wait: false },
        Ask::Acquire { wait: true },
        Ask::Commit,
        Ask::Cas,
        Ask::Release,
        Ask::Delete,
    ],
    losses: true,
    late_answers: false,
    doubles: true,
    hits: false,
};
/// Leases that end, copies that age.
const WITH_TIME: Sizes = Sizes {
    ticks: 2,
    asks: &[Ask::Create, Ask::Read, Ask::Acquire { wait: true }, Ask::Commit],
    losses: false,
    ..WITHOUT_TIME
};
/// Replies that signals overtake.
const LATE_ANSWERS: Sizes = Sizes {
    generations: 1,
    late_answers: true,
    asks: &[Ask::Create, Ask::Read, Ask::Cas, Ask::Release],
    losses: false,
    ..WITHOUT_TIME
};
/// Artifacts that come and go.
const LIVES: Sizes = Sizes {
    lives: 2,
    generations: 1,
    asks: &[Ask::Create, Ask::Read, Ask::Cas, Ask::Delete],
    losses: false,
    ..WITHOUT_TIME
};
/// Readers of sections beside writers.
const SECTIONS: Sizes = Sizes {
    versions: 3,
    late_answers: true,
    asks: &[Ask::Create, Ask::Read, Ask::ReadSection, Ask::Cas],
    losses: false,
    ..WITHOUT_TIME
};
/// Two artifacts that are written at once.
const JOINT: Sizes = Sizes {
    artifacts: 2,
    generations: 1,
    messages: 2,
    asks: &[Ask::Create, Ask::Acquire { wait: false }, Ask::Commit, Ask::Cas],
    losses: false,
    doubles: false,
    ..WITHOUT_TIME
};
/// Copies that age while replies and signals are on their way.
const AGEING: Sizes = Sizes {
    generations: 1,
    ticks: 3,
    late_answers: true,
    asks: &[Ask::Create, Ask::Read, Ask::Acquire { wait: false }, Ask::Cas],
    losses: false,
    ..WITHOUT_TIME
};
/// Fewer of them, and no copy but by its lease is old.
const LEASED: Sizes = Sizes { ticks: 2, doubles: false, asks: &[Ask::Create, Ask::Read, Ask::Cas], ..AGEING };
/// Copies that are read.
const COUNTING: Sizes = Sizes { ticks: 0, hits: true, ..AGEING };
/// Agents that touch an artifact, give it up, get lost and are told all the same.
const TOUCHED: Sizes =
    Sizes { asks: &[Ask::Create, Ask::Read, Ask::ReadSection, Ask::Cas, Ask::Release], ..WITHOUT_TIME };
/// Pushes that overtake each other.
const PUSHES: Sizes = Sizes {
    versions: 3,
    messages: 2,
    asks: &[Ask::Create, Ask::Read, Ask::Cas],
    losses: false,
    ..WITHOUT_TIME
};
/// What every rule but that of joint writes stands for.
const EVERYTHING: Sizes =
    Sizes { versions: 3, generations: 4, ticks: 2, messages: 2, late_answers: true, ..WITHOUT_TIME };

fn holds(sizes: Sizes, strategy: Strategy, at_least: usize) {
    let model = Checked { setting: Setting::new(strategy, None), sizes };
    let checker = model.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    for law in laws() {
        if let Some(path) = checker.discovery(law) {
            let broken = path.last_state().broken.clone();
            panic!("{law}: {broken:?} after {:?}", path.into_actions());
        }
    }
    let worlds = checker.unique_state_count();
    println!("{worlds} worlds");
    assert!(worlds >= at_least, "{worlds} worlds are fewer than {at_least}: the model has lost actions");
}

#[test]
fn the_laws_hold_in_every_small_world_without_time() {
    holds(WITHOUT_TIME, Strategy::Lazy, 200_000);
}

#[test]
fn the_laws_hold_in_every_small_world_where_leases_end_and_copies_age() {
    holds(WITH_TIME, Strategy::Lazy, 10_000);
}

#[test]
fn the_laws_hold_in_every_small_world_where_signals_overtake_replies() {
    holds(LATE_ANSWERS, Strategy::Lazy, 20_000);
}

#[test]
fn the_laws_hold_in_every_small_world_where_artifacts_come_and_go() {
    holds(LIVES, Strategy::Lazy, 3_000);
}

#[test]
fn the_laws_hold_in_every_small_world_where_content_is_pushed() {
    holds(LATE_ANSWERS, Strategy::Eager, 20_000);
}

#[test]
fn the_laws_hold_in_every_small_world_with_readers_of_sections() {
    for strategy in [Strategy::Lazy, Strategy::Eager] {
        holds(SECTIONS, strategy, 5_000);
    }
}

#[test]
fn the_laws_hold_in_every_small_world_with_joint_writes() {
    holds(JOINT, Strategy::Lazy, 3_000);
}

#[test]
fn the_laws_hold_in_every_small_world_where_copies_are_leased() {
    holds(LEASED, LEASE, 50_000);
}

#[test]
fn the_laws_hold_in_every_small_world_where_reads_are_counted() {
    holds(COUNTING, COUNTED, 20_000);
}

#[test]
fn the_laws_hold_in_every_small_world_where_everybody_is_sent_everything() {
    holds(TOUCHED, Strategy::Broadcast, 200_000);
}

#[test]
fn each_mutant_breaks_the_law_that_its_rule_stands_for() {
    for (mutant, strategy, law) in Mutant::ALL {
        let sizes = match (mutant, strategy) {
            (Mutant::NoJointCheck, _) => JOINT,
            (Mutant::ForgetsTouch, _) => TOUCHED,
            (Mutant::TakesOldPushes, _) => PUSHES,
            (_, Strategy::Lease { .. }) => AGEING,
            (_, Strategy::AccessCount { .. }) => COUNTING,
            _ => EVERYTHING,
        };
        let model = Checked { setting: Setting::new(strategy, Some(mutant)), sizes };
        let (its_law, enough) = (HasDiscoveries::AnyOf(BTreeSet::from([name(law)])), 1_000_000);
        let checker =
            model.checker().threads(2).target_state_count(enough).finish_when(its_law).spawn_bfs().join();
        println!("{mutant:?}: {} worlds", checker.unique_state_count());
        assert!(
            checker.discovery(name(law)).is_some(),
            "{mutant:?} under {strategy:?} did not break {law:?}"
        );
    }
}
