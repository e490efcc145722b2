//! What an agent knows by watching: it watches a prefix, lists it once, and from then on is told of what changes.

use std::collections::BTreeMap;

use lrrc_coherence::{Millis, Stamp, Version};
use lrrc_store::Name;
use lrrc_store::wire::{Changed, Row};

use super::truth::Truth;
use crate::verdict::Broken;

/// One agent's watch.
#[derive(Debug)]
pub(super) struct Watcher {
    pub(super) prefix: &'static str,
    /// Whether what is known is all there is: a watch says nothing of what was there before, nor of what lies in a gap.
    pub(super) is_complete: bool,
    /// The newest version of each name; a name without one does not exist.
    known: BTreeMap<Name, Version>,
    /// The newest stamp that was told of each name.
    told: BTreeMap<Name, Stamp>,
}

impl Watcher {
    pub(super) const fn new(prefix: &'static str) -> Self {
        Self { prefix, is_complete: false, known: BTreeMap::new(), told: BTreeMap::new() }
    }

    /// The listing is newer than all that was told before it.
    pub(super) fn listed(&mut self, rows: &[Row]) {
        self.known = rows.iter().map(|row| (row.name.clone(), row.version)).collect();
        self.is_complete = true;
    }

    /// A change was told: it must be one that happened, and none before those that were told already.
    pub(super) fn told(&mut self, changed: &Changed, truth: &mut Truth, now: Millis) -> Result<(), Broken> {
        let Changed { name, now: to, .. } = changed;
        if !name.as_str().starts_with(self.prefix) {
            return Ok(());
        }
        let Some((stamp, digest)) = *to else {
            self.known.remove(name);
            return truth.was_deleted(name.as_str());
        };
        truth.noticed(name.as_str(), stamp, digest, now)?;
        if let Some(last) = self.told.insert(name.clone(), stamp).filter(|last| *last > stamp) {
            let what = format!("a watch told of {name} {} after {}", stamp.version, last.version);
            return Err(Broken::WentBack { what });
        }
        self.known.insert(name.clone(), stamp.version);
        Ok(())
    }

    /// Everything is at rest: what is known must be what is there.
    pub(super) fn knows_all(&self, actor: usize, names: &[Name], truth: &Truth) -> Result<(), Broken> {
        for name in names.iter().filter(|name| name.as_str().starts_with(self.prefix)) {
            let (known, there) = (self.known.get(name).copied(), truth.newest(name.as_str()));
            if known != there {
                let what = format!("actor {actor} knows {name} at {known:?}, and it is at {there:?}");
                return Err(Broken::Unnoticed { what });
            }
        }
        Ok(())
    }
}
