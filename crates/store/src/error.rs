//! What can go wrong between an agent and its store: refusals that the home says, and faults of the connection.

use std::io;

use lrrc_coherence::{Conflict, Digest, Version};
use serde::{Deserialize, Serialize};

use crate::name::Name;

/// An error with its causes, which its own words may leave out: `transport error` says nothing of what failed.
#[cfg(any(feature = "etcd", feature = "s3"))]
pub(crate) fn with_causes(mut said: String, mut cause: Option<&(dyn std::error::Error + 'static)>) -> String {
    while let Some(found) = cause {
        let words = found.to_string();
        if !said.contains(&words) {
            said = format!("{said}: {words}");
        }
        cause = found.source();
    }
    said
}

/// Why a home refuses a request. The store is unchanged, except after [`Refusal::Uncertain`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// The protocol does not allow it; a lost comparison carries base, mine and theirs.
    #[error("{name}: {conflict}")]
    Conflict {
        /// Of which artifact.
        name: Name,
        /// What stands against it.
        conflict: Box<Conflict>,
    },
    /// More content than the home takes.
    #[error(
        "{name}: content of {size_bytes} bytes, and this store takes at most {limit_bytes}; raise its limit, or divide the content"
    )]
    TooLarge {
        /// Of which artifact.
        name: Name,
        /// Its length, in bytes.
        size_bytes: u64,
        /// The bound.
        limit_bytes: u64,
    },
    /// More of something than the home takes.
    #[error("{found} {what}, and this store takes at most {limit}")]
    TooMany {
        /// Of what.
        what: String,
        /// How many there are.
        found: u64,
        /// The bound.
        limit: u64,
    },
    /// The history does not name that version.
    #[error("{name} has no {version} in its history: it is at {current} and goes back to {oldest}")]
    UnknownVersion {
        /// Of which artifact.
        name: Name,
        /// What was asked.
        version: Version,
        /// The current version.
        current: Version,
        /// The oldest version that can be read.
        oldest: Version,
    },
    /// The content has no such section.
    #[error("{name} has no section {section:?} at {version}; it has {}", listed(known))]
    UnknownSection {
        /// Of which artifact.
        name: Name,
        /// What was asked.
        section: String,
        /// The current version.
        version: Version,
        /// The sections that there are.
        known: Vec<String>,
    },
    /// A content that cannot be divided as its writer asked.
    #[error("{name}: {why}")]
    Undividable {
        /// Of which artifact.
        name: Name,
        /// What is wrong with it.
        why: String,
    },
    /// The feed does not reach back that far.
    #[error("changes after revision {after} are forgotten; list the names, and watch from revision {newest}")]
    FeedLost {
        /// What was asked.
        after: u64,
        /// The newest revision.
        newest: u64,
    },
    /// Other homes moved the record each time this one wrote.
    #[error("{name}: other homes changed the record {tries} times while this one wrote; try again")]
    Contended {
        /// Of which artifact.
        name: Name,
        /// How often it was tried.
        tries: u32,
    },
    /// The bytes of a version are not where the directory says. `lrrc store verify` lists all such versions.
    #[error("{name}: the content {digest} of {version} is missing or damaged; see lrrc store verify")]
    MissingContent {
        /// Of which artifact.
        name: Name,
        /// Of which version.
        version: Version,
        /// Its digest.
        digest: Digest,
    },
    /// The storage below could not do it; nothing changed.
    #[error("the storage failed, and nothing changed: {message}")]
    Storage {
        /// What it said.
        message: String,
    },
    /// The storage below failed in the middle: the change landed whole or not at all.
    #[error("the storage failed in a commit, which may have landed; read before writing again: {message}")]
    Uncertain {
        /// What it said.
        message: String,
    },
    /// A frame that makes no sense at its place.
    #[error("the other side broke the protocol: {message}")]
    Protocol {
        /// What was wrong.
        message: String,
    },
    /// The session ended: silence, a full outbox, or the home shuts down.
    #[error("the session is over: {why}")]
    SessionOver {
        /// Why.
        why: String,
    },
}

fn listed(known: &[String]) -> String {
    if known.is_empty() { "no sections".to_owned() } else { format!("{known:?}") }
}

/// Why a call of a client failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The home refused; nothing changed unless the refusal says so.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The connection was lost before the answer to a write came: it landed whole or not at all.
    #[error("the connection was lost before the answer: {what} may have landed; read before writing again")]
    Uncertain {
        /// What was asked.
        what: String,
    },
    /// There is no connection, and none came in time.
    #[error("no store answers at {place} ({why}); start one with: lrrc store serve")]
    Unreachable {
        /// The address.
        place: String,
        /// What the last attempt said.
        why: String,
    },
    /// An address that says neither a socket nor a loopback port.
    #[error("address {address:?}: {why}; write unix:PATH or tcp:127.0.0.1:PORT")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// What the home sent does not have the digest that it names.
    #[error("{name}: the bytes of {version} do not have the digest {digest} that the home names")]
    Damaged {
        /// Of which artifact.
        name: Name,
        /// Of which version.
        version: Version,
        /// The digest.
        digest: Digest,
    },
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
}

/// Why a daemon or a home does not start, or stops.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The storage below.
    #[error(transparent)]
    Backend(#[from] crate::backend::BackendError),
    /// The socket cannot be opened.
    #[error("cannot listen at {place}: {source}")]
    Listen {
        /// The address.
        place: String,
        /// What the system says.
        source: io::Error,
    },
    /// Another daemon answers there.
    #[error("another store answers at {place}; stop it, or serve another folder")]
    Taken {
        /// The address.
        place: String,
    },
    /// An address that says neither a socket nor a loopback port.
    #[error(transparent)]
    Address(#[from] StoreError),
    /// A record that this program cannot read.
    #[error("record {key:?}: {why}")]
    Record {
        /// Its key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// The home ended by itself. What was acknowledged is durable; start it again.
    #[error("the home has ended: {why}")]
    Failed {
        /// Why.
        why: String,
    },
    /// The trace file.
    #[error("trace {path}: {source}")]
    Trace {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
}
