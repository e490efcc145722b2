//! What the home knows of one artifact: the durable ledger, and the soft state beside it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{AgentId, Digest, Generation, Incarnation, Line, Mark, Millis, Stamp, Version};

/// One section of a content as its writer declares it: a heading of Markdown, a JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Part {
    /// Name of the section, unique within the artifact.
    pub name: String,
    /// Digest of its bytes.
    pub digest: Digest,
}

/// What a writer says about the bytes it writes. The bytes themselves lie elsewhere, under their digest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Content {
    /// Digest of the bytes.
    pub digest: Digest,
    /// Length of the bytes.
    pub size_bytes: u64,
    /// Length in tokens, as the writer counts them.
    pub tokens: u32,
    /// Sections in the order of the text; empty if the artifact declares none.
    pub sections: Vec<Part>,
}

/// One version that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Edition {
    /// Its number.
    pub version: Version,
    /// Digest of its bytes.
    pub digest: Digest,
    /// Length of its bytes.
    pub size_bytes: u64,
    /// Length in tokens.
    pub tokens: u32,
    /// Who wrote it.
    pub writer: AgentId,
    /// When it was written.
    pub at: Millis,
}

/// A section and the version that last changed it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Section {
    /// Name of the section.
    pub name: String,
    /// Digest of its bytes.
    pub digest: Digest,
    /// The version that wrote these bytes.
    pub changed_at: Version,
}

/// The right to write, for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Claim {
    /// Who holds it.
    pub agent: AgentId,
    /// When it began.
    pub since: Millis,
    /// When it ends unless it is renewed; it is over from this moment on.
    pub expires: Millis,
    /// How far a renewal moves the end, in milliseconds.
    pub lease_ms: u64,
}

/// The durable part of a record: what another home, or this one after a restart, must know.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ledger {
    /// Which life of the name.
    pub incarnation: Incarnation,
    /// The fence: see [`Generation`].
    pub generation: Generation,
    /// The newest version.
    pub current: Edition,
    /// Earlier versions, oldest first, at most `history_max`.
    pub past: Vec<Edition>,
    /// Sections of the newest version.
    pub sections: Vec<Section>,
    /// The write claim, if there is one. It may be over: see [`Claim::expires`].
    pub claim: Option<Claim>,
}

impl Ledger {
    /// Incarnation and number of the newest version.
    #[must_use]
    pub const fn stamp(&self) -> Stamp {
        Stamp { incarnation: self.incarnation, version: self.current.version }
    }

    /// Stamp and generation.
    #[must_use]
    pub const fn mark(&self) -> Mark {
        Mark { stamp: self.stamp(), generation: self.generation }
    }

    /// The edition of a version, if it is the newest or still named.
    #[must_use]
    pub fn edition(&self, version: Version) -> Option<&Edition> {
        std::iter::once(&self.current).chain(&self.past).find(|edition| edition.version == version)
    }

    /// Opens the ledger in an epoch: claims of earlier epochs are void, because their holders lost this home.
    /// Returns whether anything changed; then the ledger has to be written before a claim is granted.
    pub fn enter_epoch(&mut self, epoch: u32) -> bool {
        if self.generation.epoch() >= epoch {
            return false;
        }
        self.generation = Generation::of_epoch(epoch);
        self.claim = None;
        true
    }
}

/// One agent's copy, as the home sees it. An agent without an entry holds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder {
    /// Whose copy.
    pub agent: AgentId,
    /// Its state.
    pub line: Line,
    /// The version it last observed.
    pub observed: Version,
    /// The generation at which it observed it.
    pub read_generation: Generation,
}

/// An agent that waits for the claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Waiter {
    /// Who waits.
    pub agent: AgentId,
    /// The lease it will get, in milliseconds.
    pub lease_ms: u64,
    /// Since when it waits.
    pub since: Millis,
}

/// What the home knows of one artifact.
///
/// Holders and waiters are soft: they are lost at a restart of the home. That is safe, because the agents lose their
/// feed with it and drop their copies. The claim is durable, because other homes must see it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Record {
    pub(crate) ledger: Ledger,
    /// Sorted by agent.
    pub(crate) holders: Vec<Holder>,
    /// For holders that read sections alone: which ones, sorted.
    pub(crate) partial: BTreeMap<AgentId, Vec<String>>,
    /// Who waits for the claim, in order.
    pub(crate) waiting: Vec<Waiter>,
}

impl Record {
    /// A record as a home finds it in its store. The holder of a claim keeps its right to write.
    #[must_use]
    pub fn from_ledger(ledger: Ledger) -> Self {
        let mut record = Self { ledger, holders: Vec::new(), partial: BTreeMap::new(), waiting: Vec::new() };
        if let Some(claim) = record.ledger.claim {
            record.set_line(claim.agent, Line::Exclusive);
        }
        record
    }

    /// The durable part.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The state of one agent's copy.
    #[must_use]
    pub fn line(&self, agent: AgentId) -> Line {
        self.holder(agent).map_or(Line::Invalid, |holder| holder.line)
    }

    /// The entry of one agent.
    #[must_use]
    pub fn holder(&self, agent: AgentId) -> Option<&Holder> {
        self.holders.binary_search_by_key(&agent, |holder| holder.agent).ok().map(|at| &self.holders[at])
    }

    /// The entries of all agents, by agent.
    #[must_use]
    pub fn holders(&self) -> &[Holder] {
        &self.holders
    }

    /// The sections that an agent's copy covers; `None` if it covers the whole artifact or nothing.
    #[must_use]
    pub fn sections_of(&self, agent: AgentId) -> Option<&[String]> {
        self.partial.get(&agent).map(Vec::as_slice)
    }

    /// Who waits for the claim, first come first.
    #[must_use]
    pub fn waiting(&self) -> &[Waiter] {
        &self.waiting
    }

    /// Sets a line at the current mark; an agent without an entry gets one.
    pub(crate) fn set_line(&mut self, agent: AgentId, line: Line) {
        let Mark { stamp, generation } = self.ledger.mark();
        let holder = Holder { agent, line, observed: stamp.version, read_generation: generation };
        match self.holders.binary_search_by_key(&agent, |holder| holder.agent) {
            Ok(at) => self.holders[at] = holder,
            Err(at) => self.holders.insert(at, holder),
        }
    }
}
