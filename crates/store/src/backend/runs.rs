//! Which revisions a feed can be continued from, when crashes take back commits.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::{BackendError, Revision};

/// The runs of a store that one process at a time serves.
#[derive(Debug, Default)]
pub(super) struct Runs {
    /// The feed holds what came after this revision.
    oldest: Revision,
    /// First revision of each run, and the last revision that outlived the run before it.
    starts: BTreeMap<Revision, Revision>,
}

impl Runs {
    pub(super) fn new(oldest: Revision) -> Self {
        Self { oldest, starts: BTreeMap::new() }
    }

    /// Adds the run that begins at `start`, where the one before ended at `end`.
    pub(super) fn push(&mut self, start: Revision, end: Revision) {
        self.starts.insert(start, end);
    }

    /// Where the present run began.
    pub(super) fn start(&self) -> Revision {
        self.starts.keys().next_back().copied().unwrap_or_default()
    }

    /// Drops the feed up to `through`; whether that drops anything.
    pub(super) fn forget(&mut self, through: Revision) -> bool {
        let drops = through > self.oldest;
        self.oldest = self.oldest.max(through);
        drops
    }

    /// Refuses a revision below the kept feed, above `last`, or of a commit that a crash took back.
    pub(super) fn followable(&self, after: Revision, last: Revision) -> Result<(), BackendError> {
        if after < self.oldest {
            return Err(BackendError::Compacted { after, oldest: self.oldest });
        }
        let next = self.starts.range((Bound::Excluded(after), Bound::Unbounded)).next();
        let taken_back = next.is_some_and(|(_, end)| after > *end);
        if after > last || taken_back {
            return Err(BackendError::Compacted { after, oldest: last });
        }
        Ok(())
    }
}
