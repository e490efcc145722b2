//! The end of a world: the faults stop, and everything that was promised is looked up.

use lrrc_store::Name;

use super::World;
use super::network::Weather;
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
        self.actors.iter_mut().for_each(super::Actor::forget);
        self.reopen()?;
        self.for_ms(REST_MS)?;
        self.scene.truth.all_hold()?;
        for name in self.scene.names.clone() {
            self.everybody_goes_on(&name)?;
        }
        self.reopen()?;
        for name in self.scene.names.clone() {
            self.actors[0].forget();
            self.for_ms(DEED_MS)?;
            self.look(&name)?;
        }
        self.scene.truth.all_hold()
    }

    /// The home reads the artifact, which must be as it was last written.
    fn look(&mut self, name: &Name) -> Result<(), Broken> {
        self.deed(0, name, "look", |actor, scene, name| actor.read_fresh(name, scene))?;
        self.scene.truth.is_there(name.as_str(), self.mirror.mark(name.as_str()).map(|mark| mark.stamp))
    }

    /// The home crashes once more and comes back at once.
    fn reopen(&mut self) -> Result<(), Broken> {
        if self.home.take().is_some() {
            self.lose_home();
        }
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
            self.deed(0, name, "create", |actor, scene, name| actor.create(name.clone(), scene))?;
        }
        for at in 0..self.actors.len() {
            self.deed(at, name, "read", |actor, scene, name| actor.read_fresh(name, scene))?;
            let before = self.scene.tally.commits;
            for _ in 0..TRIES {
                self.deed(at, name, "write", |actor, scene, name| actor.write_next(name, scene))?;
                if self.scene.tally.commits > before {
                    break;
                }
            }
            if self.scene.tally.commits == before {
                return Err(Broken::Stuck { what: format!("actor {at} cannot write {name}") });
            }
        }
        Ok(())
    }

    /// One deed of one actor, to its end.
    fn deed(
        &mut self,
        at: usize,
        name: &Name,
        what: &str,
        begin: impl Fn(&mut super::Actor, &mut super::Scene, &Name) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        begin(&mut self.actors[at], &mut self.scene, name)?;
        self.pump()?;
        let end = self.scene.now.plus(2 * DEED_MS);
        while !self.actors[at].is_idle() {
            if self.scene.now >= end {
                return Err(Broken::Stuck {
                    what: format!("actor {at} waits to {what} {name}: {:?}", self.actors[at]),
                });
            }
            self.for_ms(50)?;
            self.actors[at].go_on(&mut self.scene)?;
            self.pump()?;
        }
        Ok(())
    }
}
