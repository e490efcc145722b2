//! Long random histories of several agents under each strategy: no law breaks, and each kind of thing happens.

use crate::world::{Action, Ask, Setting, Sizes, World};
use lrrc_coherence::{Event, Line, Strategy as Copies, step};
use proptest::prelude::*;

const SIZES: Sizes = Sizes {
    agents: 4,
    artifacts: 3,
    versions: u64::MAX,
    generations: u64::MAX,
    lives: u64::MAX,
    ticks: u64::MAX,
    messages: usize::MAX,
    asks: Ask::ALL,
    losses: true,
    late_answers: true,
    doubles: true,
    hits: true,
};

fn strategy() -> impl Strategy<Value = Copies> {
    prop_oneof![
        Just(Copies::Lazy),
        Just(Copies::Eager),
        (1..4_u64).prop_map(|ttl_ms| Copies::Lease { ttl_ms }),
        (1..4_u32).prop_map(|reads| Copies::AccessCount { reads }),
        Just(Copies::Broadcast),
    ]
}

/// Most deletions and losses are left out, or no history would get long.
fn is_dull(action: &Action, choice: u16) -> bool {
    let rare = matches!(action, Action::Lost(_) | Action::Ask { ask: Ask::Delete, .. });
    rare && !choice.is_multiple_of(97)
}

/// Half of the answers come at once, or agents would wait for most of a history.
fn answered_at_once(action: &Action, choice: u16) -> Option<Action> {
    let Action::Ask { agent, .. } = *action else { return None };
    (choice / 64).is_multiple_of(2).then_some(Action::Answer(agent))
}

fn run(copies: Copies, choices: &[u16]) -> World {
    run_with(copies, choices, |_, _, _| {})
}

/// As `run`; `watch` is told of each action, with the world before it and the world after it.
fn run_with(copies: Copies, choices: &[u16], mut watch: impl FnMut(&Action, &World, &World)) -> World {
    let setting = Setting::new(copies, None);
    let mut world = World::new(SIZES.agents, SIZES.artifacts, &setting);
    for choice in choices {
        let actions = SIZES.actions(&world);
        let action = actions[usize::from(*choice) % actions.len()];
        if is_dull(&action, choice / 64) {
            continue;
        }
        let mut next = world.clone();
        let done = next.act(&action, &setting);
        watch(&action, &world, &next);
        if done {
            world = next;
            if let Some(answer) = answered_at_once(&action, *choice) {
                world.act(&answer, &setting);
            }
        }
        assert!(world.broken.is_none(), "{copies:?}: {:?}", world.broken);
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_law_breaks_in_a_random_history(copies in strategy(), choices in prop::collection::vec(any::<u16>(), 1..400)) {
        run(copies, &choices);
    }

    #[test]
    fn the_same_choices_make_the_same_world(copies in strategy(), choices in prop::collection::vec(any::<u16>(), 1..100)) {
        prop_assert_eq!(run(copies, &choices), run(copies, &choices));
    }
}

#[test]
fn random_histories_write_and_copy() {
    let choices: Vec<u16> = (0..4_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u16).collect();
    let world = run(Copies::Lazy, &choices);
    let versions: u64 = world.records.iter().flatten().map(|record| record.ledger().current.version.0).sum();
    let copies = world.agents.iter().flat_map(|agent| (0..3).filter_map(|x| agent.cache.copy(&x)));
    assert!(versions > 10, "{versions} versions");
    assert!(copies.into_iter().any(|(line, _)| line != Line::Invalid), "nobody holds a copy");
}

/// Joint writes of a history: how many landed, and of how many one member alone would have.
#[derive(Debug, Default)]
struct Joint {
    landed: usize,
    torn: usize,
}

impl Joint {
    /// Asks each member alone: together they land if all of them do, and else nothing has changed.
    fn see(&mut self, copies: Copies, action: &Action, before: &World, after: &World) {
        let Action::CommitAll { agent, members, claimed } = *action else { return };
        let Some(writes) = before.joint_writes(agent, members, claimed) else { return };
        if before.agents[agent].answer.is_some() {
            return;
        }
        let rules = Setting::new(copies, None).rules;
        let alone = |(artifact, event): &(usize, Event)| {
            step(&mut before.records[*artifact].clone(), event, before.now, &rules).is_ok()
        };
        let passes: Vec<bool> = writes.iter().map(alone).collect();
        let moved = |(artifact, _): &(usize, Event)| before.records[*artifact] != after.records[*artifact];
        if passes.iter().all(|passes| *passes) {
            assert!(writes.iter().all(moved), "{action:?}: {passes:?}");
            self.landed += 1;
        } else {
            assert_eq!(before.records, after.records, "{action:?}: {passes:?}");
            self.torn += usize::from(passes.contains(&true));
        }
    }
}

#[test]
fn joint_writes_land_whole_or_not_at_all() {
    let mut joint = Joint::default();
    let all = [
        Copies::Lazy,
        Copies::Eager,
        Copies::Lease { ttl_ms: 2 },
        Copies::AccessCount { reads: 2 },
        Copies::Broadcast,
    ];
    for (seed, copies) in (1_u32..).zip(all) {
        let number = |i: u32| (i.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 13) as u16;
        let choices: Vec<u16> = (0..4_000).map(number).collect();
        run_with(copies, &choices, |action, before, after| joint.see(copies, action, before, after));
    }
    assert!(joint.landed > 10 && joint.torn > 10, "{joint:?}");
}
