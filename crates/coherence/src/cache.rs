//! The agent's side: which of its copies it may read.

use std::collections::BTreeMap;

use crate::{AgentId, Bound, Digest, Grant, Line, Mark, Millis, Stamp, Strategy};

/// What the agent knows of the feed from its home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Confirmed {
    /// When the home last said that everything up to then was delivered.
    pub at: Millis,
    /// Changes of the store that the home has announced since and that are not delivered: an artifact is at most this
    /// many versions ahead of what was delivered.
    pub lag: u64,
}

/// Why a copy is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// There is no copy, or it was invalidated.
    NoCopy,
    /// The copy covers other sections.
    OtherSections,
    /// The strategy allows no further read of it.
    Spent,
    /// The home has not confirmed the feed within the bound.
    Unconfirmed,
}

/// The answer of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// The copy may be read.
    Hit {
        /// When in the life of the artifact the copy was given.
        mark: Mark,
        /// Digest of the bytes.
        digest: Digest,
        /// Milliseconds since the home confirmed that the copy is the newest.
        age_ms: u64,
    },
    /// The content has to be fetched.
    Miss {
        /// The version that the agent has seen: the base of a delta, if it still has the bytes.
        have: Option<Stamp>,
        /// Why.
        why: Why,
    },
}

/// What became of a delivered signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivered {
    /// The copy is invalid.
    Revoked,
    /// The signal was late: the copy is newer than what it announces.
    Zombie,
    /// There was no valid copy; a reply that is older than the signal will not become one.
    Noted,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Copy {
    line: Line,
    seen: Mark,
    digest: Digest,
    filled_at: Millis,
    reads: u32,
    sections: Vec<String>,
}

/// The copies of one agent. It holds no bytes: those lie with the client, under their digests.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cache<K: Ord> {
    agent: AgentId,
    strategy: Strategy,
    bound: Bound,
    copies: BTreeMap<K, Copy>,
    announced: BTreeMap<K, Mark>,
}

impl<K: Ord + Clone> Cache<K> {
    /// An empty cache.
    #[must_use]
    pub const fn new(agent: AgentId, strategy: Strategy, bound: Bound) -> Self {
        Self { agent, strategy, bound, copies: BTreeMap::new(), announced: BTreeMap::new() }
    }

    /// Whose cache it is.
    #[must_use]
    pub const fn agent(&self) -> AgentId {
        self.agent
    }

    /// Whether the copy may be read, the whole of it or some sections. A hit counts as a read of the strategy.
    pub fn lookup(&mut self, key: &K, sections: &[String], now: Millis, confirmed: Confirmed) -> Lookup {
        let _ = (key, sections, now, confirmed);
        unimplemented!()
    }

    /// Takes in what a read was given. Returns whether the copy may be kept: not if a signal that is newer came first.
    pub fn fill(&mut self, key: &K, grant: &Grant, now: Millis) -> bool {
        let _ = (key, grant, now);
        unimplemented!()
    }

    /// Takes in content that the home pushed. Returns whether the copy may be kept.
    pub fn push(&mut self, key: &K, mark: Mark, digest: Digest, sections: &[String], now: Millis) -> bool {
        let _ = (key, mark, digest, sections, now);
        unimplemented!()
    }

    /// Takes in a claim that was given, at once or after waiting.
    pub fn acquired(&mut self, key: &K, mark: Mark, digest: Digest, now: Millis) -> bool {
        let _ = (key, mark, digest, now);
        unimplemented!()
    }

    /// Takes in that a write of this agent landed.
    pub fn committed(&mut self, key: &K, mark: Mark, digest: Digest, line: Line, now: Millis) -> bool {
        let _ = (key, mark, digest, line, now);
        unimplemented!()
    }

    /// Takes in a signal: the copy becomes invalid unless it is newer than what the signal announces.
    pub fn signal(&mut self, key: &K, mark: Mark) -> Delivered {
        let _ = (key, mark);
        unimplemented!()
    }

    /// Gives up the copy of one artifact.
    pub fn release(&mut self, key: &K) {
        let _ = key;
        unimplemented!()
    }

    /// Gives up every copy: the feed was lost, so signals may have been too.
    pub fn drop_all(&mut self) {
        self.copies.clear();
        self.announced.clear();
    }

    /// State and mark of a copy; `None` if the agent has none.
    #[must_use]
    pub fn copy(&self, key: &K) -> Option<(Line, Mark)> {
        self.copies.get(key).map(|copy| (copy.line, copy.seen))
    }
}
