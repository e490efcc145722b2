//! What all parts of a world share: the time, the dice, the truth, and the diary.

use std::collections::VecDeque;

use bytes::Bytes;
use lrrc_coherence::{Digest, Millis, Stamp};
use lrrc_store::wire::{Answer, Divide, Payload};
use lrrc_store::{Freshness, Name, Read, SectionRead, digest_of};
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

    /// A new content; the truth knows what it was made from.
    pub(super) fn compose(
        &mut self,
        text: impl FnOnce(u64) -> Text,
        base: Option<Stamp>,
    ) -> (Payload, Digest) {
        self.contents += 1;
        let text = text(self.contents);
        let bytes = Bytes::from(text.whole());
        let digest = digest_of(&bytes);
        self.truth.made(digest, base, text);
        (Payload { bytes, tokens: None, divide: Divide::ByName }, digest)
    }

    /// A whole read, which must be what was written, and current enough.
    pub(super) fn saw(&mut self, actor: usize, name: &Name, read: &Read) -> Result<Text, Broken> {
        let Read { bytes, digest, freshness } = read;
        let text = std::str::from_utf8(bytes).ok().and_then(Text::parse);
        let Some(text) = text.filter(|_| digest_of(bytes) == *digest) else {
            let what = format!("actor {actor} read bytes of {name} that are not those of {digest}");
            return Err(Broken::FalseRead { what });
        };
        self.check_read(actor, name, freshness, Some(*digest), None)?;
        Ok(text)
    }

    /// A collection has removed something, and a verification has found nothing missing.
    pub(super) fn chore_done(&mut self, answer: &Answer) -> Result<(), Broken> {
        match answer {
            Answer::Swept(swept) => self.tally.collected += swept.removed,
            Answer::Verified(verified) => {
                self.tally.verifications += 1;
                if let Some(fault) = verified.faults.first() {
                    return Err(Broken::AcknowledgedLost { what: fault.clone() });
                }
            }
            other => return Err(Broken::Protocol { what: format!("a chore is answered by {other:?}") }),
        }
        Ok(())
    }

    pub(super) fn saw_section(
        &mut self,
        actor: usize,
        name: &Name,
        section: &str,
        read: &SectionRead,
    ) -> Result<(), Broken> {
        let [(found, bytes)] = read.sections.as_slice() else {
            let what = format!("actor {actor} asked for {section:?} of {name} and read {:?}", read.sections);
            return Err(Broken::FalseRead { what });
        };
        let right = self.text_at(name, read.freshness.mark.stamp);
        let right = right.as_ref().and_then(|text| text.section(section));
        if found != section || right.map(str::as_bytes) != Some(bytes) {
            let what = format!("actor {actor} read {bytes:?} as {section:?} of {name}, and it is {right:?}");
            return Err(Broken::FalseRead { what });
        }
        self.check_read(actor, name, &read.freshness, None, Some(section))
    }
}
