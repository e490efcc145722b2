//! What really happened, and whether what the agents were told agrees with it.
//!
//! The truth is what the home has written and may answer for: it is taken from the home's own trace, before any frame
//! leaves. Every content names the version that it was made from, so an update that is lost shows in the next one.

use std::collections::BTreeMap;

use lrrc_coherence::{Digest, Incarnation, Millis, Record, Stamp, Version};

use super::text::Text;
use crate::verdict::Broken;

/// A version as the home wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Written {
    digest: Digest,
    at: Millis,
}

/// One life of a name.
#[derive(Clone, Debug, Default)]
struct Life {
    /// By version.
    written: BTreeMap<Version, Written>,
    /// When it was deleted.
    ended: Option<Millis>,
}

/// All that was written, all that was acknowledged, and what each session saw last.
#[derive(Clone, Debug, Default)]
pub(super) struct Truth {
    lives: BTreeMap<String, BTreeMap<Incarnation, Life>>,
    /// What each content was made from, and its text, by its digest.
    made: BTreeMap<Digest, (Option<Stamp>, Text)>,
    acknowledged: BTreeMap<(String, Stamp), Digest>,
    /// Deletions that were asked for and have no certain answer, by artifact: any of them may land unseen.
    deletions: BTreeMap<String, u64>,
    /// By actor and artifact, within one session.
    seen: BTreeMap<(usize, String), Stamp>,
}

/// A read as an agent was given it.
#[derive(Clone, Debug)]
pub(super) struct Seen<'a> {
    pub(super) actor: usize,
    pub(super) name: &'a str,
    pub(super) stamp: Stamp,
    /// Digest of the bytes, where the whole was read.
    pub(super) digest: Option<Digest>,
    /// The section that was read; `None` for the whole.
    pub(super) section: Option<&'a str>,
    /// How old the read says that it may be.
    pub(super) age_ms: u64,
    /// How old it may be at most; `None` where it came from the home.
    pub(super) bound_ms: Option<u64>,
    pub(super) now: Millis,
}

impl Truth {
    /// A writer has made a content from the version `base`; `None` for the first of an artifact.
    pub(super) fn made(&mut self, content: Digest, base: Option<Stamp>, text: Text) {
        self.made.insert(content, (base, text));
    }

    /// Somebody asks for the deletion of an artifact.
    pub(super) fn delete_asked(&mut self, name: &str) {
        *self.deletions.entry(name.to_owned()).or_default() += 1;
    }

    /// A deletion was answered: it landed, or it did not.
    pub(super) fn delete_answered(&mut self, name: &str) {
        if let Some(count) = self.deletions.get_mut(name) {
            *count = count.saturating_sub(1);
        }
    }

    /// The home has this version of an artifact, or none: it must be the last that was written.
    pub(super) fn is_there(&mut self, name: &str, found: Option<Stamp>, now: Millis) -> Result<(), Broken> {
        let may_be_deleted = self.may_be_deleted(name);
        let last = self.lives.get_mut(name).and_then(|lives| lives.iter_mut().next_back());
        let Some((incarnation, life)) = last.filter(|(_, life)| life.ended.is_none()) else { return Ok(()) };
        let version = life.written.last_key_value().map_or(Version(0), |(version, _)| *version);
        let right = Stamp { incarnation: *incarnation, version };
        if found.is_none() && may_be_deleted {
            life.ended = Some(now);
        }
        if found == Some(right) || life.ended.is_some() {
            return Ok(());
        }
        Err(Broken::AcknowledgedLost {
            what: format!("{name} was written up to {right:?}, and there is {found:?}"),
        })
    }

    fn may_be_deleted(&self, name: &str) -> bool {
        self.deletions.get(name).is_some_and(|count| *count > 0)
    }

    /// The text of a version.
    pub(super) fn text(&self, name: &str, stamp: Stamp) -> Option<&Text> {
        self.made.get(&self.written(name, stamp)?.digest).map(|(_, text)| text)
    }

    /// A record of the home went from one state to the next, or was loaded.
    pub(super) fn moved(
        &mut self,
        name: &str,
        before: Option<&Record>,
        after: Option<&Record>,
        at: Millis,
    ) -> Result<(), Broken> {
        let Some(ledger) = after.map(Record::ledger) else {
            let lives = self.lives.get_mut(name).and_then(BTreeMap::last_entry);
            if let Some(mut life) = lives.filter(|_| before.is_some()) {
                life.get_mut().ended.get_or_insert(at);
            }
            return Ok(());
        };
        if before.is_some_and(|before| before.ledger().stamp() == ledger.stamp()) {
            return Ok(());
        }
        for edition in ledger.past.iter().chain([&ledger.current]) {
            let stamp = Stamp { incarnation: ledger.incarnation, version: edition.version };
            self.write(name, stamp, edition.digest, at)?;
        }
        let life = &self.lives[name][&ledger.incarnation];
        match life.written.range(ledger.current.version.next()..).next() {
            None => Ok(()),
            Some((gone, _)) => {
                let what = format!("{name} was at {gone}, and is back at {}", ledger.current.version);
                Err(Broken::AcknowledgedLost { what })
            }
        }
    }

    /// The home has this version; it may have had it before.
    fn write(&mut self, name: &str, stamp: Stamp, digest: Digest, at: Millis) -> Result<(), Broken> {
        let may_be_deleted = self.may_be_deleted(name);
        let lives = self.lives.entry(name.to_owned()).or_default();
        let earlier =
            lives.range(..stamp.incarnation).next_back().is_some_and(|(_, life)| life.ended.is_none());
        let life = lives.entry(stamp.incarnation).or_default();
        if let Some(known) = life.written.get(&stamp.version) {
            if known.digest == digest {
                return Ok(());
            }
            let what = format!("{name} {} was {} and became {digest}", stamp.version, known.digest);
            return Err(Broken::AcknowledgedLost { what });
        }
        life.written.insert(stamp.version, Written { digest, at });
        if earlier && let Some((_, life)) = lives.range_mut(..stamp.incarnation).next_back() {
            life.ended = Some(at);
            if !may_be_deleted {
                let what = format!("a life of {name} is gone, and nobody deleted it: there is {stamp:?}");
                return Err(Broken::AcknowledgedLost { what });
            }
        }
        let right = (stamp.version != Version::FIRST)
            .then_some(Stamp { version: Version(stamp.version.0.saturating_sub(1)), ..stamp });
        match self.made.get(&digest).map(|(base, _)| *base) {
            Some(base) if base == right => Ok(()),
            base => {
                let what = format!("{name} {} was made from {base:?}, and follows {right:?}", stamp.version);
                Err(Broken::LostUpdate { what })
            }
        }
    }

    /// A watch was told of this version: the home has it, and may not have loaded it since it started.
    pub(super) fn noticed(
        &mut self,
        name: &str,
        stamp: Stamp,
        digest: Digest,
        at: Millis,
    ) -> Result<(), Broken> {
        match self.written(name, stamp) {
            Some(written) if written.digest == digest => Ok(()),
            Some(written) => {
                let what = format!(
                    "a watch told of {name} {} as {digest}, and it is {}",
                    stamp.version, written.digest
                );
                Err(Broken::FalseRead { what })
            }
            None => self.write(name, stamp, digest, at),
        }
    }

    /// A watch was told that a name is gone: some life of it is over, or a deletion is under way.
    pub(super) fn was_deleted(&self, name: &str) -> Result<(), Broken> {
        let has_ended = |lives: &BTreeMap<_, Life>| lives.values().any(|life| life.ended.is_some());
        if self.may_be_deleted(name) || self.lives.get(name).is_some_and(has_ended) {
            return Ok(());
        }
        Err(Broken::FalseRead { what: format!("a watch told of the end of {name}, which nobody deleted") })
    }

    /// The newest version of a name, if it exists.
    pub(super) fn newest(&self, name: &str) -> Option<Version> {
        let (_, life) = self.lives.get(name)?.last_key_value()?;
        life.written.last_key_value().map(|(version, _)| *version).filter(|_| life.ended.is_none())
    }

    /// An agent was told that its write landed.
    pub(super) fn acknowledge(&mut self, name: &str, stamp: Stamp, digest: Digest) -> Result<(), Broken> {
        let key = (name.to_owned(), stamp);
        match self.acknowledged.insert(key, digest) {
            Some(earlier) if earlier != digest => {
                let what = format!(
                    "{name} {} was acknowledged to two writers, {earlier} and {digest}",
                    stamp.version
                );
                Err(Broken::LostUpdate { what })
            }
            _ => self.holds(name, stamp, digest),
        }
    }

    /// Every acknowledged write is where it was promised.
    pub(super) fn all_hold(&self) -> Result<(), Broken> {
        self.acknowledged.iter().try_for_each(|((name, stamp), digest)| self.holds(name, *stamp, *digest))
    }

    fn holds(&self, name: &str, stamp: Stamp, digest: Digest) -> Result<(), Broken> {
        let written = self.written(name, stamp);
        if written.is_some_and(|written| written.digest == digest) {
            return Ok(());
        }
        let there = written.map_or("nothing".to_owned(), |written| written.digest.to_string());
        Err(Broken::AcknowledgedLost {
            what: format!("{name} {} of {digest}: {there} is there", stamp.version),
        })
    }

    fn written(&self, name: &str, stamp: Stamp) -> Option<Written> {
        self.lives.get(name)?.get(&stamp.incarnation)?.written.get(&stamp.version).copied()
    }

    /// When what was read came to be old: the next version that changes it, the deletion, or the next life.
    fn outdated_at(&self, name: &str, stamp: Stamp, section: Option<&str>) -> Option<Millis> {
        let life = self.lives.get(name)?.get(&stamp.incarnation)?;
        let part = |digest: &Digest| {
            let text = &self.made.get(digest)?.1;
            Some(section.map_or(text.whole(), |section| text.section(section).unwrap_or_default().to_owned()))
        };
        let read = part(&life.written.get(&stamp.version)?.digest);
        let mut later = life.written.range(stamp.version.next()..).map(|(_, written)| written);
        let changed = later.find(|written| section.is_none() || part(&written.digest) != read);
        changed.map(|written| written.at).or(life.ended)
    }

    /// A read says what was written, is no older than it says, and does not go back. Returns whether it was stale.
    pub(super) fn read(&mut self, seen: &Seen<'_>) -> Result<bool, Broken> {
        let Seen { actor, name, stamp, digest, section, age_ms, bound_ms, now } = *seen;
        let version = stamp.version;
        let written = self.written(name, stamp);
        if written.is_none_or(|written| digest.is_some_and(|digest| written.digest != digest)) {
            let what = format!("actor {actor} read {name} {version} as {digest:?}, and there is {written:?}");
            return Err(Broken::FalseRead { what });
        }
        let outdated = self.outdated_at(name, stamp, section);
        let behind_ms = outdated.map_or(0, |at| now.since(at));
        if behind_ms > age_ms {
            let what = format!(
                "actor {actor} read {section:?} of {name} {version}, said to be at most {age_ms} ms old, \
                 {behind_ms} ms after it was outdated"
            );
            return Err(Broken::StaleRead { what });
        }
        if let Some(bound_ms) = bound_ms.filter(|bound_ms| age_ms > *bound_ms) {
            let what =
                format!("actor {actor} read a copy of {name} {age_ms} ms old, and the bound is {bound_ms}");
            return Err(Broken::StaleRead { what });
        }
        let last = self.seen.entry((actor, name.to_owned())).or_insert(stamp);
        if *last > stamp && section.is_none() {
            let what = format!("actor {actor} read {name} {version} after {}", last.version);
            return Err(Broken::WentBack { what });
        }
        *last = stamp.max(*last);
        Ok(outdated.is_some())
    }

    /// A session ended; the next one of the actor starts afresh.
    pub(super) fn session_over(&mut self, actor: usize) {
        self.seen.retain(|(of, _), _| *of != actor);
    }
}
