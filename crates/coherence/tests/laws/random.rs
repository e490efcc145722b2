//! Long random histories of several agents under each strategy: no law breaks, and each kind of thing happens.

use crate::world::{Action, Ask, Setting, Sizes, World};
use lrrc_coherence::{Line, Strategy as Copies};
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

fn run(copies: Copies, choices: &[u16]) -> World {
    let setting = Setting::new(copies, None);
    let mut world = World::new(SIZES.agents, SIZES.artifacts, &setting);
    for choice in choices {
        let actions = SIZES.actions(&world);
        let action = actions[usize::from(*choice) % actions.len()];
        if is_dull(&action, choice / 64) {
            continue;
        }
        let mut next = world.clone();
        if next.act(&action, &setting) {
            world = next;
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
