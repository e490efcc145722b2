//! What a running store did, one line an action, and its replay through the pure core.
//!
//! A trace is a text of one JSON value a line (NDJSON): first a [`Header`] with the rules, then one [`TraceLine`] an
//! action. A store writes it while it runs; [`replay`] does the same again and finds the first line that the protocol
//! does not explain.

mod replay;

use serde::{Deserialize, Serialize};

pub use replay::{Fault, Replayed, replay, replay_text};

use crate::{
    AgentId, Conflict, Event, Generation, Line, Mark, Millis, Outcome, Record, Rules, Version, Write,
};

/// The version of the format that is written and read.
pub const FORMAT: u32 = 1;

/// The first line of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of the format: [`FORMAT`].
    pub coherence_trace: u32,
    /// The rules of the home.
    pub rules: Rules,
}

/// The actions, named as in the TLA+ specification. `Renew` and `Observe` have no action there: one moves the end of a
/// lease, the other is another home's action, seen from here.
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
    /// A signal, a push or a turn of the queue reaches its agent.
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

impl Action {
    /// The action of an event.
    #[must_use]
    pub const fn of(event: &Event) -> Self {
        match event {
            Event::Create { .. } => Self::Create,
            Event::Read { .. } => Self::Read,
            Event::Hit { .. } => Self::ReadHit,
            Event::Acquire { .. } => Self::Acquire,
            Event::Commit { .. } => Self::Commit,
            Event::CommitCas { .. } => Self::CommitCas,
            Event::Renew { .. } => Self::Renew,
            Event::Release { .. } => Self::Release,
            Event::AgentLost { .. } => Self::AgentLost,
            Event::LeaseOver => Self::LeaseOver,
            Event::Delete { .. } => Self::Delete,
            Event::Observed { .. } => Self::Observe,
        }
    }
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
    /// Something that the home sent reached its agent.
    Deliver {
        /// The artifact.
        artifact: String,
        /// The agent.
        agent: AgentId,
        /// What it announced.
        mark: Mark,
    },
}

/// One line of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceLine {
    /// The action.
    pub action: Action,
    /// The agent; `None` for the home's own actions.
    pub agent: Option<AgentId>,
    /// When.
    pub at: Millis,
    /// The version after it; `None` where the artifact does not exist, and for several artifacts.
    pub version: Option<Version>,
    /// The generation after it.
    pub generation: Option<Generation>,
    /// The line of the agent, as the home sees it, before it; I where there is no agent.
    pub before: Line,
    /// The line of the agent after it.
    pub after: Line,
    /// Why it was refused, if it was.
    pub conflict: Option<Conflict>,
    /// What happened.
    pub what: What,
}

impl TraceLine {
    /// The line of a step: from the record before it, its result, and the record after it.
    #[must_use]
    pub fn of_step(
        artifact: &str,
        event: &Event,
        at: Millis,
        before: Option<&Record>,
        result: &Result<Outcome, Conflict>,
        after: Option<&Record>,
    ) -> Self {
        let agent = event.agent();
        let line = |record: Option<&Record>| {
            record.zip(agent).map_or(Line::Invalid, |(record, agent)| record.line(agent))
        };
        let mark = after.map(|record| record.ledger.mark());
        Self {
            action: Action::of(event),
            agent,
            at,
            version: mark.map(Mark::version),
            generation: mark.map(|mark| mark.generation),
            before: line(before),
            after: line(after),
            conflict: result.as_ref().err().cloned(),
            what: What::Step { artifact: artifact.to_owned(), event: event.clone() },
        }
    }

    /// The line of a joint write; `refused` is the conflict of the member that did not pass.
    #[must_use]
    pub const fn of_all(
        agent: AgentId,
        members: Vec<(String, Write)>,
        at: Millis,
        refused: Option<Conflict>,
    ) -> Self {
        Self::bare(Action::CommitAll, agent, at, refused, What::All { agent, members })
    }

    /// The line of a delivery.
    #[must_use]
    pub const fn of_delivery(artifact: String, agent: AgentId, mark: Mark, at: Millis) -> Self {
        Self::bare(Action::Deliver, agent, at, None, What::Deliver { artifact, agent, mark })
    }

    const fn bare(
        action: Action,
        agent: AgentId,
        at: Millis,
        conflict: Option<Conflict>,
        what: What,
    ) -> Self {
        let (before, after) = (Line::Invalid, Line::Invalid);
        Self {
            action,
            agent: Some(agent),
            at,
            version: None,
            generation: None,
            before,
            after,
            conflict,
            what,
        }
    }
}
