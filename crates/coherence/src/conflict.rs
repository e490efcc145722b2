//! Why a step was refused, with the values that the caller needs to go on.

use serde::{Deserialize, Serialize};

use crate::{AgentId, Digest, Edition, Generation, Line, Millis, Stamp};

/// Why a step was refused. The record is as it was before. The name of the artifact is the caller's to add.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Conflict {
    /// The write is based on another version than the newest. Base, mine and theirs are what a merge needs.
    #[error("based on {}, but the newest is {} (of incarnation {}, written by {} at {}): read it, merge, write again",
        .expected.version, .actual.version, .actual.incarnation.0, .theirs.writer, .theirs.at)]
    VersionMismatch {
        /// What the writer had read.
        expected: Stamp,
        /// What the newest is.
        actual: Stamp,
        /// The edition of the version that the writer had read, if the history still names it.
        base: Option<Box<Edition>>,
        /// What the writer wanted to write. Equal to that of `theirs` if an earlier try of the same write landed.
        mine: Digest,
        /// The newest edition.
        theirs: Box<Edition>,
    },
    /// Another agent holds the write claim.
    #[error(
        "{who} holds the write claim since {since}, until {expires} unless renewed: wait for it or try later"
    )]
    OtherHolder {
        /// Who holds it.
        who: AgentId,
        /// Since when.
        since: Millis,
        /// Until when, unless it is renewed.
        expires: Millis,
    },
    /// The claim ended before the write came: released, timed out, reclaimed, or of an earlier epoch.
    #[error("the claim of {yours} is over, the artifact is at {current}: acquire again")]
    StaleGeneration {
        /// The generation of the claim.
        yours: Generation,
        /// The generation of the artifact.
        current: Generation,
    },
    /// The agent may not do this with the line that it has.
    #[error("the copy is in state {line}, which does not allow it: acquire first")]
    NotHolder {
        /// The state of the agent's copy.
        line: Line,
    },
    /// Too many agents wait for the claim.
    #[error("{bound} agents wait for the claim already: try later")]
    QueueFull {
        /// How many may wait.
        bound: usize,
    },
    /// There is no such artifact.
    #[error("there is no such artifact: create it first, or check the name")]
    UnknownArtifact,
    /// There is no such section in the newest version.
    #[error(
        "there is no section {section:?} in the newest version: read the whole artifact, or one of its sections"
    )]
    UnknownSection {
        /// The section that was asked for.
        section: String,
    },
    /// The artifact exists already.
    #[error("the artifact exists already, at {}: write to it, or delete it first", .actual.version)]
    AlreadyExists {
        /// What there is.
        actual: Stamp,
    },
    /// Two sections of a content have the same name.
    #[error("the content has two sections named {section:?}: names are unique within an artifact")]
    DoubleSection {
        /// The name.
        section: String,
    },
}
