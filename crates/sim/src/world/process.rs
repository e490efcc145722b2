//! The process of the home: it opens and crashes, gathers writes, runs chores, and stops where its storage has failed.

use lrrc_store::{Content, Home, Trace};
use rand::Rng;

use super::settings::Mutant;
use super::storage::Storage;
use super::{Due, Lane, World, mutant};
use crate::verdict::Broken;

impl World {
    /// The process of the home is gone, and with it every connection. The agents learn of it now or by its silence.
    pub(super) fn crash_home(&mut self) {
        if self.is_calm {
            return;
        }
        if self.home.is_some() {
            self.scene.note(|| "the home crashes".to_owned());
            self.scene.tally.home_crashes += 1;
            self.lose_home();
            self.open_later();
        }
        self.crash_later(self.scene.settings.home_crash_ms.map(|ms| ms + 3_000), Due::CrashHome);
    }

    fn open_later(&mut self) {
        let ms = self.scene.random.random_range(1..3_000);
        self.after(ms, Due::OpenHome);
    }

    /// What was only in the memory of the home's process is gone.
    fn forget_home(&mut self) {
        self.home = None;
        self.is_gathering = false;
        self.chores.clear();
        drop(self.sink.drain());
        self.sessions.clear();
        self.withheld.clear();
        self.mirror.restart();
    }

    pub(super) fn lose_home(&mut self) {
        self.forget_home();
        self.network.cut(|_| true);
        for at in 0..self.actors.len() {
            if self.scene.random.random_bool(0.7) {
                self.actors[at].agent.disconnected();
                self.cut(at);
            }
        }
    }

    /// A home over the same disk.
    pub(super) fn open_home(&mut self) -> Result<(), Broken> {
        let fault = |error: String| Broken::Protocol { what: format!("a home does not open: {error}") };
        let content = match &self.contents {
            Some(contents) => contents.again(),
            None => Content::in_memory(self.scene.settings.contents),
        };
        let content = content.map_err(|error| fault(error.to_string()))?;
        if self.contents.is_none() {
            self.contents = Some(content.again().map_err(|error| fault(error.to_string()))?);
        }
        let storage = Storage::open(&self.disk, self.dice.clone());
        let home = Home::open(storage, content, self.scene.settings.home.clone(), self.scene.now);
        let home = home.map_err(|error| fault(error.to_string()))?;
        self.home = Some(home.with_trace(Trace::to(self.sink.clone())));
        self.scene.note(|| "the home opens".to_owned());
        Ok(())
    }
    /// Writes from here on wait for a common sync, as in a home whose owner has much mail.
    pub(super) fn gather(&mut self) {
        if let (Some(ms_max), Some(home), false) =
            (self.scene.settings.gather_ms_max, &mut self.home, self.is_gathering)
        {
            home.gather();
            self.is_gathering = true;
            let ms = self.scene.random.random_range(0..=ms_max);
            self.after(ms, Due::Flush);
        }
    }

    pub(super) fn flush(&mut self) -> Result<(), Broken> {
        if let (true, Some(home)) = (std::mem::take(&mut self.is_gathering), &mut self.home) {
            home.flush();
            self.scene.tally.flushes += 1;
        }
        self.stop_failed()
    }

    /// Chores are run later, beside what the home does meanwhile.
    pub(super) fn put_off_chores(&mut self) {
        for chore in self.home.as_mut().map(Home::chores).unwrap_or_default() {
            self.chores.push_back(chore);
            let ms = self.scene.random.random_range(0..1_000);
            self.after(ms, Due::Chore);
        }
    }

    pub(super) fn run_chore(&mut self) {
        if let (Some(chore), Some(home)) = (self.chores.pop_front(), &mut self.home) {
            let done = chore.run();
            if self.config.mutant == Some(Mutant::BlindCollector) {
                mutant::sweep(&home.backend(), self.scene.now);
            }
            home.finish(done, self.scene.now);
        }
    }

    /// A home that has failed says what it may still say, and its process ends.
    pub(super) fn stop_failed(&mut self) -> Result<(), Broken> {
        let Some(mut home) = self.home.take_if(|home| home.failed().is_some()) else { return Ok(()) };
        self.scene.note(|| "the home has failed".to_owned());
        self.scene.tally.home_failures += 1;
        if std::mem::take(&mut self.is_gathering) {
            home.flush();
        }
        let said = home.outbox();
        // Where it keeps back what it had to say, nobody knows which of the gathered writes landed.
        if !said.is_empty() {
            self.take_trace()?;
        }
        self.send_all(said);
        home.close(self.scene.now);
        self.send_all(home.outbox());
        self.forget_home();
        self.network.cut(|lane| matches!(lane, Lane::ToHome(_)));
        self.open_later();
        Ok(())
    }
}
