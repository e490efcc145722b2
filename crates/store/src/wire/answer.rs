//! What a home answers.

use bytes::Bytes;
use lrrc_coherence::{AgentId, Digest, Edition, Grant, Line, Mark, Millis, Section, Stamp, Version, delta};
use serde::{Deserialize, Serialize};

use crate::backend::Revision;
use crate::gc::Swept;
use crate::name::Name;

use super::Divide;

/// What a home answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// To a ping.
    Pong,
    /// To a create, a commit and a commit by comparison.
    Committed(Committed),
    /// To a commit of several, in their order.
    CommittedAll(Vec<Committed>),
    /// To a read.
    Read(Box<ReadAnswer>),
    /// To a read of an earlier version.
    Old {
        /// The version as the history has it.
        edition: Edition,
        /// Its bytes.
        bytes: Bytes,
    },
    /// To an acquire: the claim is the agent's.
    Acquired(Claimed),
    /// To an acquire: the agent waits, and is answered again when it moves up and when it has the claim.
    Waiting(Waiting),
    /// To a release.
    Released {
        /// The moment of it: what was sent to the agent before is void.
        mark: Mark,
    },
    /// To a renewal.
    Renewed {
        /// When the claim ends, by the home's clock.
        expires: Millis,
    },
    /// To a delete.
    Deleted {
        /// The last mark of the artifact.
        mark: Mark,
    },
    /// To a listing.
    Listed {
        /// In order of their names.
        rows: Vec<Row>,
        /// Whether more follow the last.
        more: bool,
    },
    /// To a history.
    History(Box<History>),
    /// To a watch: what changes after this revision is told.
    Watching {
        /// Revision from which the watch is without a gap.
        from: Revision,
    },
    /// To an unwatch.
    Unwatched,
    /// To a collection.
    Swept(Swept),
    /// To a verification.
    Verified(Verified),
}

/// A new version that is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// Its version, and the generation to commit the next with.
    pub mark: Mark,
    /// State of the writer's copy.
    pub line: Line,
    /// Digest of the content as the home computed it.
    pub digest: Digest,
    /// How the content is divided; never [`Divide::ByName`].
    pub divide: Divide,
}

/// A claim to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimed {
    /// Version to build on, and the generation that a commit under this claim has to show.
    pub mark: Mark,
    /// Digest of the content to build on.
    pub digest: Digest,
    /// When the claim ends without a renewal, by the home's clock.
    pub expires: Millis,
}

/// A place in the queue for a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// 1 is next.
    pub position: usize,
    /// Who has the claim.
    pub holder: AgentId,
    /// When that claim ends without a renewal, by the home's clock.
    pub expires: Millis,
}

/// The answer to a read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadAnswer {
    /// What is read, and in which state the agent may keep it.
    pub grant: Grant,
    /// How the content is divided; never [`Divide::ByName`].
    pub divide: Divide,
    /// How the bytes come.
    pub body: Body,
}

/// How the bytes of an answer come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// The copy that the agent has is the current one.
    Same,
    /// All bytes.
    Whole(Bytes),
    /// What changed since the version that the agent has.
    Delta {
        /// Version that the agent has.
        base: Version,
        /// How the content is made from it, in order.
        pieces: Vec<Piece>,
    },
    /// The sections that were asked for, in the order of the content.
    Sections(Vec<Slice>),
}

/// A piece of a content that is made from an earlier one; inserted bytes travel as bytes and not as numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Piece {
    /// Bytes of the base.
    Keep {
        /// Offset of the first byte.
        start: u64,
        /// How many.
        len: u64,
    },
    /// Bytes that the base does not have.
    Insert(Bytes),
}

impl From<delta::Piece> for Piece {
    fn from(piece: delta::Piece) -> Self {
        match piece {
            delta::Piece::Keep { start, len } => Self::Keep { start, len },
            delta::Piece::Insert(bytes) => Self::Insert(bytes.into()),
        }
    }
}

impl From<Piece> for delta::Piece {
    fn from(piece: Piece) -> Self {
        match piece {
            Piece::Keep { start, len } => Self::Keep { start, len },
            Piece::Insert(bytes) => Self::Insert(bytes.into()),
        }
    }
}

/// One section of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// Name, digest, and the version that last changed it.
    pub section: Section,
    /// Its bytes, or nothing where the agent has said that it has them.
    pub bytes: Option<Bytes>,
}

/// One row of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Name of the artifact.
    pub name: Name,
    /// Its version.
    pub version: Version,
    /// Length of its content, in bytes.
    pub size_bytes: u64,
    /// Tokens of its content.
    pub tokens: u32,
    /// Who has the claim.
    pub holder: Option<AgentId>,
}

/// What a home knows of one artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Stamp and generation of the current version.
    pub mark: Mark,
    /// The current version.
    pub current: Edition,
    /// Earlier versions, oldest first; the oldest fall out of the bound.
    pub past: Vec<Edition>,
    /// Sections of the current version.
    pub sections: Vec<Section>,
    /// Who has the claim, and until when by the home's clock.
    pub claim: Option<(AgentId, Millis)>,
    /// Who waits for it, first come first.
    pub waiting: Vec<AgentId>,
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Records that were read.
    pub records: u64,
    /// Versions whose contents were read.
    pub versions: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// What is missing, damaged or unreadable, in order of the names; each says what and where.
    pub faults: Vec<String>,
}

/// A change of a watched name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Revision of the store that has the change.
    pub revision: Revision,
    /// Name of the artifact.
    pub name: Name,
    /// Its stamp and digest; `None` where it was deleted.
    pub now: Option<(Stamp, Digest)>,
}
