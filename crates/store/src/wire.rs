//! What an agent and its home say to each other, as values. [`codec`] lays them on a stream.
//!
//! Asks carry tickets that only grow within a session, so a repeated ask is told from a new one; what the home says
//! is numbered without a gap, so an agent that misses a frame knows it and drops its cache, whatever carries the
//! frames.

mod answer;
pub mod codec;
pub(crate) mod divide;

use bytes::Bytes;
use lrrc_coherence::{AgentId, Digest, Generation, Mark, Rules, Stamp, Version};
use serde::{Deserialize, Serialize};

use crate::backend::Revision;
use crate::error::Refusal;
use crate::limits::Limits;
use crate::name::Name;

pub use answer::{
    Answer, Body, Changed, Claimed, Committed, History, Piece, ReadAnswer, Row, Slice, Verified, Waiting,
};
pub use divide::Divide;

/// Version of the protocol; a home refuses any other.
pub const PROTOCOL: u16 = 2;

/// Number of an ask within its session; later asks have larger numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ticket(pub u64);

/// From an agent to its home.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToHome {
    /// The first frame of a session.
    Hello {
        /// [`PROTOCOL`] of the agent.
        protocol: u16,
    },
    /// A request that is answered under its ticket.
    Ask {
        /// Larger than every earlier ticket of the session.
        ticket: Ticket,
        /// What is asked.
        request: Request,
    },
    /// Nobody waits for this answer any more: a waiting acquire leaves its queue.
    Cancel {
        /// Ticket of the ask.
        ticket: Ticket,
    },
}

/// From a home to one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FromHome {
    /// 1, 2, 3 … within a session.
    pub seq: u64,
    /// What is said.
    pub says: Says,
}

/// What a home says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Says {
    /// The session stands.
    Welcome {
        /// Who the agent is for this session; a new session is a new id.
        agent: AgentId,
        /// Bounds of the home.
        limits: Limits,
        /// Rules of the protocol at this home.
        rules: Rules,
    },
    /// The answer to an ask; an acquire that waits is answered more than once.
    Answer {
        /// Ticket of the ask.
        ticket: Ticket,
        /// Every change up to this revision has been signalled to this agent before this frame.
        confirmed: Revision,
        /// How long ago the home itself knew that revision to be the newest; 0 where the home is the only one.
        lag_ms: u64,
        /// Answer or typed refusal.
        outcome: Result<Answer, Refusal>,
    },
    /// The agent's copy is out of date.
    Invalidate {
        /// Whose copy.
        name: Name,
        /// The moment that made it old.
        mark: Mark,
    },
    /// The new content, under a strategy that pushes.
    Pushed {
        /// Of which artifact.
        name: Name,
        /// Version and generation of the content.
        mark: Mark,
        /// The sections that the copy covers; empty for the whole content.
        sections: Vec<String>,
        /// The content.
        read: Box<ReadAnswer>,
    },
    /// A watched name changed.
    Changed(Changed),
    /// The session is over.
    Goodbye {
        /// Why.
        why: Refusal,
    },
}

/// What an agent asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Nothing but the confirmation that every answer carries.
    Ping,
    /// Makes an artifact that does not exist.
    Create {
        /// Its name.
        name: Name,
        /// Version 1.
        content: Payload,
    },
    /// Content of an artifact.
    Read {
        /// Its name.
        name: Name,
        /// The version whose bytes the agent still has, if any.
        have: Option<Stamp>,
        /// Names of the sections that are read; empty for the whole content.
        sections: Vec<String>,
        /// Digests of sections whose bytes the agent still has.
        parts: Vec<Digest>,
    },
    /// Bytes of an earlier version that the history still names.
    ReadVersion {
        /// Name of the artifact.
        name: Name,
        /// Which version.
        version: Version,
    },
    /// The claim to write.
    Acquire {
        /// Of which artifact.
        name: Name,
        /// How long the claim lives without a renewal; the home's default if not given.
        lease_ms: Option<u64>,
        /// To wait in the queue where another agent has it.
        wait: bool,
    },
    /// A new version.
    Commit(Change),
    /// New versions: all or none.
    CommitAll(Vec<Change>),
    /// Gives a claim back, or an exclusive copy.
    Release {
        /// Name of the artifact.
        name: Name,
        /// Generation of the claim: a later one of the same agent stays.
        generation: Generation,
    },
    /// Lets a claim live for another lease from now on.
    Renew {
        /// Name of the artifact.
        name: Name,
        /// Generation of the claim.
        generation: Generation,
    },
    /// Ends an artifact.
    Delete {
        /// Name of the artifact.
        name: Name,
        /// Only at this version.
        expected: Option<Stamp>,
    },
    /// Names and versions, in order of their names.
    List {
        /// Beginning of the names.
        prefix: String,
        /// Only names after this one.
        after: Option<Name>,
    },
    /// The current state of an artifact and what its history names.
    History {
        /// Name of the artifact.
        name: Name,
    },
    /// Tells changes of all names that begin so.
    Watch {
        /// Beginning of the names; empty for all.
        prefix: String,
        /// Also tells what changed after this revision, oldest first.
        after: Option<Revision>,
    },
    /// Ends a watch.
    Unwatch {
        /// As it was given.
        prefix: String,
    },
    /// Removes contents that no record names.
    Gc,
    /// Reads every content that a record names and compares it with its digest.
    Verify,
}

/// Content on its way to the home.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Payload {
    /// The bytes.
    pub bytes: Bytes,
    /// Tokens, where the writer has counted them; a quarter of the bytes otherwise.
    pub tokens: Option<u32>,
    /// How the content is divided into sections.
    pub divide: Divide,
}

impl<T: Into<Bytes>> From<T> for Payload {
    fn from(bytes: T) -> Self {
        Self { bytes: bytes.into(), tokens: None, divide: Divide::ByName }
    }
}

/// A new version of one artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Name of the artifact.
    pub name: Name,
    /// What gives the right to write it.
    pub basis: Basis,
    /// New content.
    pub content: Payload,
}

/// What gives the right to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Basis {
    /// A claim, or an exclusive read.
    Claim {
        /// Its generation.
        generation: Generation,
        /// Version that the content was made from.
        base: Stamp,
    },
    /// That the artifact is still at the version that the content was made from.
    Unchanged {
        /// That version.
        expected: Stamp,
    },
}
