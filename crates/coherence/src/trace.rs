//! What a running store did, one line an action, and its replay through the pure core.

use serde::{Deserialize, Serialize};

use crate::{AgentId, Conflict, Event, Generation, Line, Mark, Millis, Version, Write};

/// The actions, named as in the TLA+ specification. `Renew` and `Observe` change no line and have no action there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Action {
    /// An artifact comes to be.
    Create,
    /// A miss is served.
    Read,
    /// A copy is read.
    ReadHit,
    /// The claim is taken, renewed or waited for.
    Acquire,
    /// A write under a claim.
    Commit,
    /// A write by comparing versions.
    CommitCas,
    /// A joint write.
    CommitAll,
    /// A signal reaches its agent.
    Deliver,
    /// A claim or a copy is given up.
    Release,
    /// A claim goes on.
    Renew,
    /// A session ends.
    AgentLost,
    /// A lease is over.
    LeaseOver,
    /// An artifact goes.
    Delete,
    /// Another home moved the record.
    Observe,
}

/// What happened, with all that a replay needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// One event on one artifact.
    Step {
        /// The artifact.
        artifact: String,
        /// The event.
        event: Event,
    },
    /// A joint write.
    All {
        /// The writer.
        agent: AgentId,
        /// Artifact and write of each member.
        members: Vec<(String, Write)>,
    },
    /// A signal reached its agent.
    Deliver {
        /// The artifact.
        artifact: String,
        /// The agent.
        agent: AgentId,
        /// What the signal announced.
        mark: Mark,
    },
}

/// One line of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceLine {
    /// The action.
    pub action: Action,
    /// When.
    pub at: Millis,
    /// What happened.
    pub what: What,
    /// The version after it; `None` where the artifact does not exist (or for several artifacts).
    pub version: Option<Version>,
    /// The generation after it.
    pub generation: Option<Generation>,
    /// The line of the agent before it.
    pub before: Line,
    /// The line of the agent after it.
    pub after: Line,
    /// Why it was refused, if it was.
    pub conflict: Option<Conflict>,
}
