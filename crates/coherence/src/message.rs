//! What is asked of a record, what it answers, and what has to be sent to others.

use serde::{Deserialize, Serialize};

use crate::{
    AgentId, Content, Digest, Edition, Generation, Incarnation, Ledger, Line, Mark, Millis, Stamp, Version,
};

/// A write under a claim.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Commit {
    /// The generation that the claim, or the exclusive read, was given.
    pub generation: Generation,
    /// The version that the writer read.
    pub base: Stamp,
    /// What is written.
    pub content: Content,
}

/// A write without a claim: it lands if the version is the expected one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cas {
    /// The version that the writer read.
    pub expected: Stamp,
    /// Given, the write also fails if a claim began or ended since this generation.
    pub generation: Option<Generation>,
    /// What is written.
    pub content: Content,
}

/// One member of a joint write.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Write {
    /// Under a claim.
    Claimed(Commit),
    /// By comparing versions.
    Cas(Cas),
}

/// Something that happens to one artifact: one variant a row of the protocol's table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The artifact comes to be, with version 1; the creator holds the only copy.
    Create {
        /// The creator.
        agent: AgentId,
        /// Larger than each earlier incarnation of the name.
        incarnation: Incarnation,
        /// The epoch of the home, in which generations start.
        epoch: u32,
        /// The first content.
        content: Content,
    },
    /// An agent fetches the content.
    Read {
        /// The reader.
        agent: AgentId,
        /// The version that it still has the bytes of, for a delta.
        have: Option<Stamp>,
        /// The sections that it reads; empty for the whole artifact.
        sections: Vec<String>,
    },
    /// An agent has read its copy. Nothing changes; it stands in traces.
    Hit {
        /// The reader.
        agent: AgentId,
        /// What it read.
        mark: Mark,
    },
    /// An agent wants the write claim, or renews the one it has.
    Acquire {
        /// The writer to be.
        agent: AgentId,
        /// How long it wants the claim, in milliseconds; `None` for the default.
        lease_ms: Option<u64>,
        /// Whether it waits if another holds the claim.
        wait: bool,
    },
    /// A write under a claim.
    Commit {
        /// The writer.
        agent: AgentId,
        /// What it writes.
        commit: Commit,
    },
    /// A write by comparing versions.
    CommitCas {
        /// The writer.
        agent: AgentId,
        /// What it writes.
        cas: Cas,
    },
    /// The claim is moved further into the future.
    Renew {
        /// Who holds it.
        agent: AgentId,
        /// The generation of the claim.
        generation: Generation,
    },
    /// An agent gives up its place in the queue; if it has none, its claim and its copy.
    Release {
        /// The agent.
        agent: AgentId,
        /// Given, it gives up the claim, or the exclusive copy, of this generation and nothing else.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        generation: Option<Generation>,
    },
    /// The heartbeat of an agent stopped, or its session ended.
    AgentLost {
        /// The agent.
        agent: AgentId,
    },
    /// Time has passed: a claim whose lease is over is reclaimed. Where another home has ended the claim that agents wait
    /// for here, the first of them gets its turn.
    LeaseOver,
    /// The artifact goes.
    Delete {
        /// Who deletes it.
        agent: AgentId,
        /// Given, the deletion fails if this is not the newest version.
        expected: Option<Stamp>,
    },
    /// The store says that another home has moved the record; `None` if it was deleted.
    Observed {
        /// What the store holds.
        ledger: Option<Box<Ledger>>,
    },
}

impl Event {
    /// The agent whose event it is; `None` for those of the home.
    #[must_use]
    pub const fn agent(&self) -> Option<AgentId> {
        match self {
            Self::Create { agent, .. }
            | Self::Read { agent, .. }
            | Self::Hit { agent, .. }
            | Self::Acquire { agent, .. }
            | Self::Commit { agent, .. }
            | Self::CommitCas { agent, .. }
            | Self::Renew { agent, .. }
            | Self::Release { agent, .. }
            | Self::AgentLost { agent }
            | Self::Delete { agent, .. } => Some(*agent),
            Self::LeaseOver | Self::Observed { .. } => None,
        }
    }
}

/// What a reader is given.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Grant {
    /// When in the life of the artifact the copy was given.
    pub mark: Mark,
    /// The version that is read.
    pub edition: Edition,
    /// The state of the copy. I: the content may be used once and not kept, because too many agents hold copies.
    pub line: Line,
    /// The sections that the copy covers, those of earlier reads included; empty for the whole artifact.
    pub sections: Vec<String>,
    /// The version that the reader has and the home still names: a delta from it will do. Equal to the version of the
    /// mark where the reader is up to date.
    pub delta_from: Option<Version>,
}

/// The answer to an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The artifact exists; the creator's copy is exclusive.
    Created {
        /// Its first mark.
        mark: Mark,
    },
    /// The content may be read.
    Read(Grant),
    /// A read of a copy was noted.
    Noted,
    /// The claim is the agent's.
    Acquired {
        /// Version and generation to commit with.
        mark: Mark,
        /// Digest of that version: fetch it if your copy is another.
        digest: Digest,
        /// When the claim ends unless it is renewed.
        expires: Millis,
    },
    /// Another holds the claim; the agent stands in the queue and will be told.
    Waiting {
        /// Place in the queue; 1 is next.
        position: usize,
        /// Who holds the claim.
        holder: AgentId,
        /// When that claim ends unless it is renewed.
        expires: Millis,
    },
    /// The version is written.
    Committed {
        /// The new version, and the generation to commit the next with.
        mark: Mark,
        /// The writer's copy after it: M under a claim (S where copies were pushed), S after a compare-and-set.
        line: Line,
    },
    /// The claim goes on.
    Renewed {
        /// When it ends.
        expires: Millis,
    },
    /// The agent waits for nothing, and has no claim.
    Released {
        /// The moment of it: what was sent to the agent before is void.
        mark: Mark,
    },
    /// What the home was told is taken in.
    Settled {
        /// Whose claim ended by it.
        ended: Option<AgentId>,
    },
    /// The artifact is gone.
    Deleted {
        /// Its last mark.
        mark: Mark,
    },
}

impl Reply {
    /// The moment that the reply tells of, if it tells of one.
    #[must_use]
    pub const fn mark(&self) -> Option<Mark> {
        match self {
            Self::Read(grant) => Some(grant.mark),
            Self::Created { mark }
            | Self::Acquired { mark, .. }
            | Self::Committed { mark, .. }
            | Self::Released { mark }
            | Self::Deleted { mark } => Some(*mark),
            Self::Noted | Self::Waiting { .. } | Self::Renewed { .. } | Self::Settled { .. } => None,
        }
    }
}

/// What has to be sent to another agent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Tell an agent that its copy is old.
    Signal {
        /// Whom.
        to: AgentId,
        /// The moment that made it old.
        mark: Mark,
        /// Whether the artifact was deleted; one that waits for it waits in vain.
        deleted: bool,
    },
    /// Send an agent the new content.
    Push {
        /// Whom.
        to: AgentId,
        /// Version and generation of the content.
        mark: Mark,
        /// Digest of the content.
        digest: Digest,
        /// The sections that its copy covers; empty for the whole artifact.
        sections: Vec<String>,
    },
    /// Tell a waiting agent that the claim is its own.
    Granted {
        /// Whom.
        to: AgentId,
        /// Version and generation to commit with.
        mark: Mark,
        /// Digest of that version.
        digest: Digest,
        /// When the claim ends unless it is renewed.
        expires: Millis,
    },
}

impl Effect {
    /// Whom it is sent to.
    #[must_use]
    pub const fn to(&self) -> AgentId {
        match self {
            Self::Signal { to, .. } | Self::Push { to, .. } | Self::Granted { to, .. } => *to,
        }
    }

    /// The moment that it announces.
    #[must_use]
    pub const fn mark(&self) -> Mark {
        match self {
            Self::Signal { mark, .. } | Self::Push { mark, .. } | Self::Granted { mark, .. } => *mark,
        }
    }
}

/// What a step leads to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Outcome {
    /// The answer to whoever asked.
    pub reply: Reply,
    /// What to send to others, by agent.
    pub effects: Vec<Effect>,
    /// Whether the durable part changed and has to be written before the reply is sent.
    pub ledger_changed: bool,
}
