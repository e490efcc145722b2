//! What all parts of a world share: the time, the dice, the truth, and the diary.

use std::collections::VecDeque;

use lrrc_coherence::{Digest, Millis, Stamp};
use lrrc_store::{Freshness, Name};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::settings::Settings;
use super::text::Text;
use super::truth::{Seen, Truth};
use crate::verdict::{Broken, Tally};

/// Lines of the diary that are kept.
const DIARY_MAX: usize = 60;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) now: Millis,
    pub(super) random: ChaCha8Rng,
    pub(super) settings: Settings,
    pub(super) truth: Truth,
    pub(super) tally: Tally,
    pub(super) names: Vec<Name>,
    /// Contents made so far.
    pub(super) contents: u64,
    /// Real milliseconds in one of the agents' clocks.
    pub(super) clock_divisor: u64,
    /// The last lines, where the run is traced.
    pub(super) diary: Option<VecDeque<String>>,
}

impl Scene {
    /// What the agents' clocks show.
    pub(super) fn agent_now(&self) -> Millis {
        Millis(self.now.0 / self.clock_divisor)
    }

    pub(super) fn pick_name(&mut self) -> Name {
        let at = self.random.random_range(0..self.names.len());
        self.names[at].clone()
    }

    /// Writes a line into the diary, if one is kept.
    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        let Some(diary) = &mut self.diary else { return };
        let mut line = line();
        if line.len() > 400 {
            line.truncate((0..=400).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0));
            line += " …";
        }
        diary.push_back(format!("{:>6} ms  {line}", self.now.0));
        if diary.len() > DIARY_MAX {
            diary.pop_front();
        }
    }

    /// The text of a version, as it was written.
    pub(super) fn text_at(&self, name: &Name, stamp: Stamp) -> Option<Text> {
        self.truth.text(name.as_str(), stamp).cloned()
    }

    /// A read against the truth; `section` is the part that was read, `None` the whole.
    pub(super) fn check_read(
        &mut self,
        actor: usize,
        name: &Name,
        freshness: &Freshness,
        digest: Option<Digest>,
        section: Option<&str>,
    ) -> Result<(), Broken> {
        let Freshness { mark, age_ms, from_copy, .. } = *freshness;
        let bound_ms = from_copy.then_some(self.settings.agent.bound.age_ms);
        self.note(|| {
            format!("actor {actor} reads {name} {}, {age_ms} ms old, copy: {from_copy}", mark.version())
        });
        let seen = Seen {
            actor,
            name: name.as_str(),
            stamp: mark.stamp,
            digest,
            section,
            age_ms,
            bound_ms,
            now: self.now,
        };
        let is_stale = self.truth.read(&seen)?;
        self.tally.reads += 1;
        self.tally.cached_reads += u64::from(from_copy);
        self.tally.stale_reads += u64::from(is_stale);
        Ok(())
    }
}
