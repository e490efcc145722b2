//! Every world of a small size, by stateright: the laws hold in each, and each mutant breaks its own.

mod checked;
mod world;

use checked::{Checked, laws};
use lrrc_coherence::Strategy;
use stateright::{Checker, Model};
use world::{Mutant, Setting, Sizes};

const SMALL: Sizes =
    Sizes { agents: 2, artifacts: 1, versions: 3, generations: 4, lives: 2, ticks: 2, messages: 2 };
/// Joint writes need two artifacts.
const PAIR: Sizes =
    Sizes { agents: 2, artifacts: 2, versions: 2, generations: 2, lives: 1, ticks: 1, messages: 2 };

#[test]
fn the_laws_hold_in_every_world_of_two_agents_and_one_artifact() {
    for strategy in [Strategy::Lazy, Strategy::Eager] {
        let checked = Checked { setting: Setting::new(strategy, None), sizes: SMALL };
        let checker = checked.checker().threads(2).spawn_bfs().join();
        for law in laws() {
            let broken = checker.discovery(law).map(stateright::Path::into_actions);
            assert!(broken.is_none(), "{strategy:?}, {law}: {broken:?}");
        }
        assert!(
            checker.is_done() && checker.unique_state_count() > 10_000,
            "{}",
            checker.unique_state_count()
        );
    }
}

#[test]
fn each_mutant_breaks_the_law_that_its_rule_stands_for() {
    for (mutant, law) in Mutant::ALL {
        let sizes = if mutant == Mutant::NoJointCheck { PAIR } else { SMALL };
        let checked = Checked { setting: Setting::new(Strategy::Lazy, Some(mutant)), sizes };
        let checker = checked.checker().threads(2).spawn_bfs().join();
        let name = format!("{law:?}");
        assert!(checker.discovery(checked::name(law)).is_some(), "{mutant:?} did not break {name}");
    }
}
