//! What is carried between the home, the network and the agents.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use lrrc_coherence::trace::{Header, TraceLine};
use lrrc_store::Home;
use serde::Deserialize;

use super::scene::Scene;
use super::settings::Mutant;
use super::{Frame, Lane, World, mutant};
use crate::verdict::Broken;

/// A trace that the world reads back.
#[derive(Clone, Debug, Default)]
pub(super) struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn drain(&self) -> Vec<u8> {
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
            self.take_trace()?;
            let mut moved = self.send_from_home();
            for at in 0..self.actors.len() {
                moved |= self.send_from_actor(at);
                moved |= self.tell_actor(at)?;
            }
            if !moved {
                return Ok(());
            }
        }
    }

    fn take_trace(&mut self) -> Result<(), Broken> {
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
        let outbox = self.home.as_mut().map(Home::outbox).unwrap_or_default();
        let moved = !outbox.is_empty();
        for (agent, mut frame) in outbox {
            if self.config.mutant == Some(Mutant::SilentHome) {
                let withheld = self.withheld.entry(agent).or_default();
                if !mutant::silence(&mut frame, withheld) {
                    continue;
                }
            }
            let connection =
                self.sessions.iter().find(|(_, of)| **of == agent).map(|(connection, _)| *connection);
            if let Some(connection) = connection {
                self.send(Lane::ToAgent(connection), &Frame::ToAgent(frame));
            }
        }
        moved
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
