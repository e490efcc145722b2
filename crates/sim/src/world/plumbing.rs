//! What is carried between the home, the network and the agents.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use lrrc_coherence::AgentId;
use lrrc_coherence::trace::{Header, TraceLine};
use lrrc_store::Home;
use lrrc_store::wire::FromHome;
use serde::Deserialize;

use super::scene::Scene;
use super::settings::Mutant;
use super::{Frame, Lane, World, mutant};
use crate::verdict::Broken;

/// A trace that the world reads back.
#[derive(Clone, Debug, Default)]
pub(super) struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    /// Takes what was written.
    pub(super) fn drain(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A line of a home's trace.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Header(Header),
    Step(Box<TraceLine>),
}

impl World {
    /// Hands on what each side has to say until nobody says anything more. What the home wrote is known first.
    pub(super) fn pump(&mut self) -> Result<(), Broken> {
        loop {
            self.put_off_chores();
            let mut moved = false;
            // What the home writes down and says may tell of writes that a crash would take back.
            if !self.is_gathering || self.config.mutant == Some(Mutant::EagerAnswers) {
                self.take_trace()?;
                moved |= self.send_from_home();
            }
            for at in 0..self.actors.len() {
                moved |= self.send_from_actor(at);
                moved |= self.tell_actor(at)?;
            }
            if !moved {
                return self.stop_failed();
            }
        }
    }

    pub(super) fn take_trace(&mut self) -> Result<(), Broken> {
        for line in self.sink.drain().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let fault = |error| Broken::Protocol { what: format!("a trace that cannot be read: {error}") };
            match serde_json::from_slice(line).map_err(fault)? {
                Written::Step(line) => self.mirror.take(&line, &mut self.scene.truth)?,
                Written::Header(header) if header.rules == *self.mirror.rules() => {}
                Written::Header(header) => {
                    let what = format!("the home goes by other rules: {header:?}");
                    return Err(Broken::Protocol { what });
                }
            }
        }
        Ok(())
    }

    fn send_from_home(&mut self) -> bool {
        let said = self.home.as_mut().map(Home::outbox).unwrap_or_default();
        let moved = !said.is_empty();
        self.send_all(said);
        moved
    }

    /// Sends what the home has said.
    pub(super) fn send_all(&mut self, said: Vec<(AgentId, FromHome)>) {
        for (agent, mut frame) in said {
            if let Some(mutant) = self.config.mutant {
                let withheld = self.withheld.entry(agent).or_default();
                if !mutant::says(mutant, &mut frame, withheld) {
                    continue;
                }
            }
            let connection =
                self.sessions.iter().find(|(_, of)| **of == agent).map(|(connection, _)| *connection);
            if let Some(connection) = connection {
                self.send(Lane::ToAgent(connection), &Frame::ToAgent(frame));
            }
        }
    }

    fn send_from_actor(&mut self, at: usize) -> bool {
        let mut moved = false;
        while let Some(frame) = self.actors[at].agent.poll_frame() {
            moved = true;
            if let Some(connection) = self.actors[at].connection {
                self.send(Lane::ToHome(connection), &Frame::ToHome(frame));
            }
        }
        moved
    }

    fn send(&mut self, lane: Lane, frame: &Frame) {
        let Scene { now, settings, random, tally, .. } = &mut self.scene;
        let arrives = self.network.send(&lane, frame, *now, &settings.weather, random);
        tally.lost_frames += u64::from(!arrives);
    }

    fn tell_actor(&mut self, at: usize) -> Result<bool, Broken> {
        let mut moved = false;
        while let Some(happened) = self.actors[at].agent.poll_happened() {
            moved = true;
            if self.actors[at].happened(happened, &mut self.scene)? {
                self.cut(at);
            }
        }
        Ok(moved)
    }
}
