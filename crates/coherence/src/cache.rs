//! The agent's side: which of its copies it may read.
//!
//! Replies come to an agent in the order of its requests. Signals, pushes and turns of the queue may come late, twice,
//! and in any order: each carries its [`Mark`], and the cache keeps for each artifact the newest that it was told of.
//! What is older than that does nothing, so a late signal revokes no newer copy, and a late reply revives no old one.

use std::collections::BTreeMap;

use crate::{AgentId, Bound, Digest, Grant, Line, Mark, Millis, Stamp, Strategy};

/// What the agent knows of the feed from its home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Confirmed {
    /// A moment up to which everything that the home sent is delivered, on the clock of the caller: when the agent
    /// *asked* for the confirmation, not when it came.
    pub at: Millis,
    /// Changes of the store that the home has announced since and that are not delivered: an artifact is at most this
    /// many versions ahead of what was delivered.
    pub lag: u64,
}

/// Why a copy is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// There is no copy, or it was invalidated, or the claim came without the content.
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
    /// The copy may be read. The bytes lie with the client; where it has thrown them away, it reads from the home.
    Hit {
        /// When in the life of the artifact the copy was given.
        mark: Mark,
        /// Digest of the bytes.
        digest: Digest,
        /// Milliseconds since the copy was certainly the newest.
        age_ms: u64,
    },
    /// The content has to be fetched.
    Miss {
        /// The version whose content the agent was last given: the base of a delta, if it still has the bytes.
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
    /// The moment of the home that the line comes from.
    seen: Mark,
    /// Version and digest of the content that the agent was last given; a claim may come without.
    content: Option<(Stamp, Digest)>,
    /// When the copy was asked for.
    asked_at: Millis,
    reads: u32,
    /// Sections that the copy covers; empty for the whole artifact.
    sections: Vec<String>,
}

/// The copies of one agent. It holds no bytes: those lie with the client, under their digests.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cache<K: Ord> {
    agent: AgentId,
    strategy: Strategy,
    bound: Bound,
    copies: BTreeMap<K, Copy>,
    /// The newest moment that the agent was told of, by artifact.
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

    /// The bound within which copies are read.
    #[must_use]
    pub const fn bound(&self) -> Bound {
        self.bound
    }

    /// Whether the copy may be read: the whole artifact, or `sections` of it. A hit counts as a read of the strategy.
    pub fn lookup(&mut self, key: &K, sections: &[String], now: Millis, confirmed: Confirmed) -> Lookup {
        let (strategy, bound) = (self.strategy, self.bound);
        let Some(copy) = self.copies.get_mut(key) else {
            return Lookup::Miss { have: None, why: Why::NoCopy };
        };
        let have = copy.content.map(|(stamp, _)| stamp);
        let age_ms = now.since(confirmed.at.max(copy.asked_at));
        let why = match copy.readable(sections) {
            Err(why) => why,
            Ok(_) if age_ms > bound.age_ms || confirmed.lag > bound.versions => Why::Unconfirmed,
            Ok(_) if copy.is_spent(strategy, now) => Why::Spent,
            Ok(digest) => {
                copy.reads += u32::from(matches!(strategy, Strategy::AccessCount { .. }));
                return Lookup::Hit { mark: copy.seen, digest, age_ms };
            }
        };
        Lookup::Miss { have, why }
    }

    /// Takes in what a read was given; `asked_at` is when it was asked for. Returns whether the copy may be kept: not
    /// if the agent was told of something newer meanwhile. The content may be used once in any case.
    pub fn fill(&mut self, key: &K, grant: &Grant, asked_at: Millis) -> bool {
        let Grant { mark, edition, line, sections, .. } = grant;
        let content = Some((mark.stamp, edition.digest));
        self.install(key, Copy::new(*line, *mark, content, asked_at, sections.clone()))
    }

    /// Takes in content that the home pushed. Returns whether the copy may be kept: each push is newer than all that
    /// came before it, so one that is not came late or twice; and one for an agent that never asked is no copy. Its age counts from the confirmation of the feed, because
    /// nobody knows how long it was on its way.
    pub fn push(&mut self, key: &K, mark: Mark, digest: Digest, sections: &[String]) -> bool {
        let newest = self.newest(key);
        self.announce(key, mark);
        if newest.is_none_or(|newest| mark <= newest) {
            return false;
        }
        let content = Some((mark.stamp, digest));
        self.install(key, Copy::new(Line::Shared, mark, content, Millis(0), sections.to_vec()))
    }

    /// Takes in a claim that was given: at once, or after waiting (then `asked_at` is the last confirmation of the
    /// feed). The content is readable if the agent has it.
    pub fn acquired(&mut self, key: &K, mark: Mark, asked_at: Millis) -> bool {
        let content = self.copies.get(key).and_then(|copy| copy.content);
        self.install(key, Copy::new(Line::Exclusive, mark, content, asked_at, Vec::new()))
    }

    /// Takes in that a write of this agent landed, a creation included.
    pub fn committed(&mut self, key: &K, mark: Mark, digest: Digest, line: Line, asked_at: Millis) -> bool {
        self.install(key, Copy::new(line, mark, Some((mark.stamp, digest)), asked_at, Vec::new()))
    }

    /// Takes in a signal: the copy becomes invalid unless it is newer than what the signal announces.
    pub fn signal(&mut self, key: &K, mark: Mark) -> Delivered {
        self.announce(key, mark);
        match self.copies.get_mut(key).filter(|copy| copy.line.is_valid()) {
            None => Delivered::Noted,
            Some(copy) if mark <= copy.seen => Delivered::Zombie,
            Some(copy) => {
                copy.line = Line::Invalid;
                Delivered::Revoked
            }
        }
    }

    /// Gives up the copy of one artifact: call it with the request, and [`Cache::released`] with the reply.
    pub fn release(&mut self, key: &K) {
        if let Some(copy) = self.copies.get_mut(key) {
            copy.line = Line::Invalid;
        }
    }

    /// Takes in the reply to a release: what was sent before it is void.
    pub fn released(&mut self, key: &K, mark: Mark) {
        self.release(key);
        self.announce(key, mark);
    }

    /// Gives up every copy: the feed was lost, so signals may have been too. Go on under a new session.
    pub fn drop_all(&mut self) {
        self.copies.clear();
        self.announced.clear();
    }

    /// State and mark of a copy; `None` if the agent never had one.
    #[must_use]
    pub fn copy(&self, key: &K) -> Option<(Line, Mark)> {
        self.copies.get(key).map(|copy| (copy.line, copy.seen))
    }

    /// Version and digest of the content that the agent was last given.
    #[must_use]
    pub fn content(&self, key: &K) -> Option<(Stamp, Digest)> {
        self.copies.get(key).and_then(|copy| copy.content)
    }

    /// The sections that a copy covers; empty for the whole artifact or no copy.
    #[must_use]
    pub fn sections(&self, key: &K) -> &[String] {
        self.copies.get(key).map_or(&[], |copy| &copy.sections)
    }

    /// The newest moment that the agent knows of, told or seen.
    fn newest(&self, key: &K) -> Option<Mark> {
        let seen = self.copies.get(key).map(|copy| copy.seen);
        seen.max(self.announced.get(key).copied())
    }

    fn announce(&mut self, key: &K, mark: Mark) {
        let announced = self.announced.entry(key.clone()).or_insert(mark);
        *announced = mark.max(*announced);
    }

    fn install(&mut self, key: &K, copy: Copy) -> bool {
        let newest = self.newest(key);
        let keep = newest.is_none_or(|newest| copy.seen >= newest);
        match self.copies.get_mut(key) {
            Some(known) if !keep => known.remember(copy.content),
            _ => {
                let line = if keep { copy.line } else { Line::Invalid };
                self.copies.insert(key.clone(), Copy { line, ..copy });
            }
        }
        keep && self.copies.get(key).is_some_and(|copy| copy.line.is_valid())
    }
}

impl Copy {
    const fn new(
        line: Line,
        seen: Mark,
        content: Option<(Stamp, Digest)>,
        asked_at: Millis,
        sections: Vec<String>,
    ) -> Self {
        Self { line, seen, content, asked_at, reads: 0, sections }
    }

    fn readable(&self, sections: &[String]) -> Result<Digest, Why> {
        let Some((_, digest)) = self.content.filter(|(stamp, _)| *stamp == self.seen.stamp) else {
            return Err(Why::NoCopy);
        };
        let covers = |name: &String| self.sections.binary_search(name).is_ok();
        let covered = self.sections.is_empty() || (!sections.is_empty() && sections.iter().all(covers));
        if !self.line.is_valid() {
            return Err(Why::NoCopy);
        }
        if covered { Ok(digest) } else { Err(Why::OtherSections) }
    }

    fn is_spent(&self, strategy: Strategy, now: Millis) -> bool {
        match strategy {
            Strategy::Lease { ttl_ms } => now.since(self.asked_at) >= ttl_ms,
            Strategy::AccessCount { reads } => self.reads >= reads,
            Strategy::Lazy | Strategy::Eager | Strategy::Broadcast => false,
        }
    }

    /// Keeps a content that came too late to be a copy: it is a newer base of a delta, no more.
    fn remember(&mut self, content: Option<(Stamp, Digest)>) {
        let older = |(stamp, _): (Stamp, Digest)| content.is_some_and(|(new, _)| stamp < new);
        if !self.line.is_valid() && self.content.is_none_or(older) {
            self.content = content.or(self.content);
        }
    }
}
