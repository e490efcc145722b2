//! What an agent is asked, and what it tells.

use bytes::Bytes;
use lrrc_coherence::{AgentId, Digest, Mark, Stamp};

use crate::backend::Revision;
use crate::error::{Refusal, StoreError};
use crate::name::Name;
use crate::wire::{Answer, Changed, Request, Ticket, Waiting};

/// What an agent is asked to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Reads the whole content.
    Read {
        /// Of which artifact.
        name: Name,
        /// Not from a copy, even a valid one: what is read was the newest at some moment between ask and answer.
        fresh: bool,
    },
    /// Reads some sections.
    ReadSections {
        /// Of which artifact.
        name: Name,
        /// Names of the sections.
        sections: Vec<String>,
        /// As for a whole read.
        fresh: bool,
    },
    /// Anything else, as the home understands it.
    Ask(Request),
}

/// What became of an ask.
#[derive(Debug)]
pub enum Asked {
    /// It is answered from a copy.
    Done(Outcome),
    /// It is on its way; [`Happened::Done`] tells under this ticket.
    Sent(Ticket),
}

/// The answer to an [`Op`].
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// To a read.
    Read(Read),
    /// To a read of sections.
    Sections(SectionRead),
    /// To anything else.
    Answer(Answer),
}

/// How current what was read is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// Version and generation that was read.
    pub mark: Mark,
    /// Every change up to this revision that concerns the agent was delivered before the read.
    pub confirmed_revision: Revision,
    /// The content was the newest at most this long ago, in milliseconds.
    pub age_ms: u64,
    /// Whether the agent's own copy was read.
    pub from_copy: bool,
}

/// A content that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The content.
    pub bytes: Bytes,
    /// Its digest.
    pub digest: Digest,
    /// How current it is.
    pub freshness: Freshness,
}

impl Read {
    /// Which version of which life of the name was read: what a write based on it has to show.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.freshness.mark.stamp
    }
}

/// Sections that were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionRead {
    /// Name and bytes of each.
    pub sections: Vec<(String, Bytes)>,
    /// How current they are. The artifact may be at a later version that changed other sections.
    pub freshness: Freshness,
}

/// What happened to an agent.
#[derive(Debug)]
pub enum Happened {
    /// An ask is answered.
    Done(Ticket, Result<Outcome, StoreError>),
    /// An acquire waits, or has moved up.
    Waits(Ticket, Waiting),
    /// The agent's copy became invalid.
    Invalidated(Name, Mark),
    /// A watched name changed; told at least once.
    Changed(Changed),
    /// What happened to watched names for a while is not known: the home's feed does not reach back. List them.
    WatchGap(String),
    /// The session stands.
    Up(AgentId),
    /// The session is over, and every copy is dropped. Call [`Agent::connected`](crate::Agent::connected) on a new connection.
    Down(Refusal),
}

/// How an agent's reads were answered, since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// From the agent's own copies.
    pub from_copy: u64,
    /// By the home: the bytes that the agent had are current.
    pub same: u64,
    /// By the home, with what changed.
    pub delta: u64,
    /// By the home, with all bytes.
    pub whole: u64,
    /// By the home, with some sections.
    pub sections: u64,
    /// Bytes of content in the home's answers.
    pub bytes: u64,
}
