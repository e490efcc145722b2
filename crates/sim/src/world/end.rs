//! The end of a world: the faults stop, and everything that was promised is looked up.

use lrrc_store::Name;

use super::network::Weather;
use super::{Actor, Scene, World};
use crate::verdict::Broken;

/// Virtual time for everybody to be at rest once the faults have stopped, in milliseconds: longer than any lease,
/// patience or silence together.
const REST_MS: u64 = 60_000;
/// Virtual time for one deed in calm weather, in milliseconds.
const DEED_MS: u64 = 5_000;
/// How often a write may lose against another before it counts as stuck.
const TRIES: u32 = 5;

impl World {
    /// Stops the faults, and checks that everything acknowledged is there and that everybody can go on.
    pub(super) fn end(&mut self) -> Result<(), Broken> {
        self.is_calm = true;
        self.scene.settings.weather = Weather::CALM;
        self.dice.calm();
        self.scene.note(|| "the faults stop".to_owned());
        self.for_ms(REST_MS)?;
        self.actors.iter_mut().for_each(Actor::forget);
        self.reopen()?;
        self.for_ms(REST_MS)?;
        self.scene.truth.all_hold()?;
        for name in self.scene.names.clone() {
            self.look(&name)?;
        }
        self.watchers_know()?;
        for name in self.scene.names.clone() {
            self.everybody_goes_on(&name)?;
        }
        self.watchers_know()?;
        self.reopen()?;
        // Those who watch have lost their sessions, and some do not know it yet.
        for name in self.scene.names.clone() {
            self.goes_on(0, &name)?;
        }
        self.for_ms(REST_MS)?;
        self.watchers_know()?;
        let before = self.scene.tally.verifications;
        self.deed(0, "verify", Actor::verify)?;
        if self.scene.tally.verifications == before {
            return Err(Broken::Stuck { what: "actor 0 cannot verify".to_owned() });
        }
        for name in self.scene.names.clone() {
            self.actors[0].forget();
            self.for_ms(DEED_MS)?;
            self.look(&name)?;
        }
        self.scene.truth.all_hold()
    }

    /// The home reads the artifact, which must be as it was last written.
    fn look(&mut self, name: &Name) -> Result<(), Broken> {
        self.deed(0, &format!("look at {name}"), |actor, scene| actor.read_fresh(name, scene))?;
        let found = self.mirror.mark(name.as_str()).map(|mark| mark.stamp);
        self.scene.truth.is_there(name.as_str(), found, self.scene.now)
    }

    /// The home crashes once more and comes back at once.
    fn reopen(&mut self) -> Result<(), Broken> {
        self.lose_home();
        self.open_home()?;
        self.pump()
    }

    fn for_ms(&mut self, ms: u64) -> Result<(), Broken> {
        self.until(self.scene.now.plus(ms))
    }

    /// Each agent reads the artifact and writes its next version; the first makes it if there is none.
    fn everybody_goes_on(&mut self, name: &Name) -> Result<(), Broken> {
        self.look(name)?;
        if self.mirror.mark(name.as_str()).is_none() {
            self.deed(0, &format!("create {name}"), |actor, scene| actor.create(name.clone(), scene))?;
        }
        (0..self.actors.len()).try_for_each(|at| self.goes_on(at, name))
    }

    fn goes_on(&mut self, at: usize, name: &Name) -> Result<(), Broken> {
        self.deed(at, &format!("read {name}"), |actor, scene| actor.read_fresh(name, scene))?;
        let before = self.scene.tally.commits;
        for _ in 0..TRIES {
            self.deed(at, &format!("write {name}"), |actor, scene| actor.write_next(name, scene))?;
            if self.scene.tally.commits > before {
                return Ok(());
            }
        }
        Err(Broken::Stuck { what: format!("actor {at} cannot write {name}") })
    }

    /// Each agent that watches knows what there is, after a listing where it was told that it needs one.
    fn watchers_know(&mut self) -> Result<(), Broken> {
        self.for_ms(DEED_MS)?;
        for at in 0..self.actors.len() {
            let watches = self.actors[at].watcher.is_some();
            self.deed(at, "list what it watches", Actor::complete)?;
            let Scene { names, truth, .. } = &self.scene;
            match &self.actors[at].watcher {
                Some(watcher) => watcher.knows_all(at, names, truth)?,
                None if watches => {
                    return Err(Broken::Stuck { what: format!("actor {at} cannot list what it watches") });
                }
                None => {}
            }
        }
        Ok(())
    }

    /// One deed of one actor, to its end.
    fn deed(
        &mut self,
        at: usize,
        what: &str,
        begin: impl Fn(&mut Actor, &mut Scene) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        begin(&mut self.actors[at], &mut self.scene)?;
        self.pump()?;
        let end = self.scene.now.plus(2 * DEED_MS);
        while !self.actors[at].is_idle() {
            if self.scene.now >= end {
                return Err(Broken::Stuck {
                    what: format!("actor {at} waits to {what}: {:?}", self.actors[at]),
                });
            }
            self.for_ms(50)?;
            self.actors[at].go_on(&mut self.scene)?;
            self.pump()?;
        }
        Ok(())
    }
}
