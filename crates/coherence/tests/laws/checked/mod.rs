//! The world as a model of stateright: one `always` property a law.

use lrrc_coherence::invariant::Law;
use stateright::{Model, Property};

use crate::world::{Action, Setting, Sizes, World};

/// A world of bounded size under one setting.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub(crate) setting: Setting,
    pub(crate) sizes: Sizes,
}

macro_rules! laws {
    ($($law:ident),*) => {
        /// The name of a property.
        pub(crate) fn name(law: Law) -> &'static str {
            match law { $(Law::$law => stringify!($law)),* }
        }

        /// The names of all properties.
        pub(crate) fn laws() -> Vec<&'static str> {
            vec![$(stringify!($law)),*]
        }

        fn properties() -> Vec<Property<Checked>> {
            vec![$(Property::always(stringify!($law), |_: &Checked, world: &World| {
                world.broken.as_ref().is_none_or(|(law, _)| *law != Law::$law)
            })),*]
        }
    };
}

laws!(
    SingleWriter,
    MonotoneVersions,
    NoLostUpdate,
    Fence,
    NoZombieRevoke,
    NoPartialPublish,
    BoundedStaleness,
    NoSilentStaleness,
    SpentCopy,
    EverybodyTold,
    RefusalIsQuiet,
    Bookkeeping
);

impl Model for Checked {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self.sizes.agents, self.sizes.artifacts, &self.setting)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.broken.is_none() {
            actions.extend(self.sizes.actions(world));
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        next.act(&action, &self.setting).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties()
    }

    fn within_boundary(&self, world: &World) -> bool {
        self.sizes.holds(world)
    }
}
