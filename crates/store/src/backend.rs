//! What a store must be able to do, whatever lies below it.

#[cfg(feature = "etcd")]
pub(crate) mod etcd;
pub(crate) mod memory;
pub(crate) mod redb;
mod runs;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use lrrc_coherence::Digest;
use serde::{Deserialize, Serialize};

/// The place of a commit in the order of all commits. Revisions rise, with gaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Revision(pub u64);

impl Revision {
    /// Before every commit: the feed after it is the whole history that is kept.
    pub const START: Self = Self(0);

    /// The first revision of a run that follows one whose last commit on the disk is `self`: far enough above it that
    /// no revision which a crash took back is given twice.
    pub(crate) fn next_run(self) -> Self {
        Self((self.0 / RUN + 1) * RUN)
    }
}

/// Revisions set aside for one run of a process that serves a store alone.
const RUN: u64 = 1 << 32;

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A record as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The bytes that the last commit of the key put there.
    pub value: Bytes,
    /// That commit.
    pub revision: Revision,
}

/// All records under a prefix, as they stood together at one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The feed after this revision continues the listing without a gap.
    pub revision: Revision,
    /// Key and record, in the order of the keys' bytes.
    pub entries: Vec<(String, Entry)>,
}

/// What must be true of a key for a batch to land.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// There is no record.
    Absent,
    /// The record is the one that this revision wrote.
    At(Revision),
    /// Nothing is asked.
    Any,
}

impl Expect {
    /// Whether a key whose record was written at `actual` (`None`: no record) is as asked.
    #[must_use]
    pub fn holds(self, actual: Option<Revision>) -> bool {
        match self {
            Self::Absent => actual.is_none(),
            Self::At(revision) => actual == Some(revision),
            Self::Any => true,
        }
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("no record"),
            Self::At(revision) => write!(f, "the record of revision {revision}"),
            Self::Any => f.write_str("anything"),
        }
    }
}

/// One record of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Not empty, without NUL, at most [`Write::KEY_BYTES_MAX`] bytes, and once in a batch.
    pub key: String,
    /// What the key must hold, or the batch is lost.
    pub expect: Expect,
    /// The new bytes; `None` deletes. A deletion of what is absent changes nothing, so that
    /// `Expect::Absent` with `None` is a bare check.
    pub value: Option<Bytes>,
}

impl Write {
    /// The longest key, in bytes.
    pub const KEY_BYTES_MAX: usize = 1024;

    /// A write that puts `value`.
    pub fn put(key: impl Into<String>, expect: Expect, value: impl Into<Bytes>) -> Self {
        Self { key: key.into(), expect, value: Some(value.into()) }
    }

    /// A write that deletes the record.
    pub fn delete(key: impl Into<String>, expect: Expect) -> Self {
        Self { key: key.into(), expect, value: None }
    }
}

/// One atomic, conditional transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The records; all their expectations hold, or nothing of the batch happens.
    pub writes: Vec<Write>,
    /// Small contents that become visible together with the records, by digest.
    pub blobs: Vec<(Digest, Bytes)>,
    /// The caller's clock in milliseconds, kept with each blob for the garbage collector.
    pub now_ms: u64,
    /// Whether the commit is on the disk when it is acknowledged. Otherwise it is there once a later durable commit
    /// is; a crash before that takes it back, together with every later commit that was not durable either.
    pub durable: bool,
}

impl Batch {
    /// A durable batch of records without contents.
    pub fn of(writes: impl IntoIterator<Item = Write>) -> Self {
        Self { writes: writes.into_iter().collect(), blobs: Vec::new(), now_ms: 0, durable: true }
    }

    /// The same batch with a content in it.
    #[must_use]
    pub fn with_blob(mut self, digest: Digest, content: impl Into<Bytes>, now_ms: u64) -> Self {
        self.blobs.push((digest, content.into()));
        self.now_ms = now_ms;
        self
    }

    /// The same batch, acknowledged before it is on the disk.
    #[must_use]
    pub fn volatile(mut self) -> Self {
        self.durable = false;
        self
    }

    /// Refuses keys that not every backend can hold, and a key that stands twice.
    ///
    /// # Errors
    /// [`BackendError::BadKey`] names the key.
    pub fn check(&self) -> Result<(), BackendError> {
        let mut keys: Vec<&str> = self.writes.iter().map(|write| write.key.as_str()).collect();
        keys.sort_unstable();
        let bad = |key: &str, why| Err(BackendError::BadKey { key: key.to_owned(), why });
        for (at, key) in keys.iter().enumerate() {
            if key.is_empty() || key.contains('\0') {
                return bad(key, "is empty or holds a NUL byte");
            }
            if key.len() > Write::KEY_BYTES_MAX {
                return bad(key, "is longer than 1024 bytes");
            }
            if at > 0 && keys[at - 1] == *key {
                return bad(key, "stands twice in one batch");
            }
        }
        Ok(())
    }
}

/// One key that one commit changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The commit. Changes of one commit share it, in the order of their keys.
    pub revision: Revision,
    /// The key.
    pub key: String,
    /// What the commit put there; `None` when it deleted the record.
    pub value: Option<Bytes>,
}

/// A content that lies in the backend itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobInfo {
    /// Its name.
    pub digest: Digest,
    /// Its length.
    pub size_bytes: u64,
    /// The clock of the last batch that carried it, in milliseconds.
    pub put_ms: u64,
}

/// Why a backend did not do what it was asked. Unless an error says otherwise, nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// An expectation of the batch does not hold.
    #[error("the batch is lost: key {key:?} should hold {expected}, and holds {}", found(actual.as_ref()))]
    Lost {
        /// The first key, in the order of the batch, whose expectation does not hold.
        key: String,
        /// What the batch expected there.
        expected: Expect,
        /// What lies there.
        actual: Option<Entry>,
    },
    /// The feed cannot be continued from this revision: what came after it is gone, or it belongs to commits that a
    /// crash took back. A follower drops what it holds and starts from a listing.
    #[error(
        "the feed after revision {after} is lost: it can be followed from revision {oldest}; list the records and continue from there"
    )]
    Compacted {
        /// What was asked.
        after: Revision,
        /// The oldest revision that can be asked for.
        oldest: Revision,
    },
    /// A key that cannot be stored, or twice in a batch.
    #[error("key {key:?} {why}")]
    BadKey {
        /// The key.
        key: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// More than one transaction of this backend carries.
    #[error("the batch has {actual} {unit}, and {backend} takes at most {limit} in one transaction")]
    TooLarge {
        /// Which backend.
        backend: &'static str,
        /// How much there is.
        actual: usize,
        /// How much is taken.
        limit: usize,
        /// Of what.
        unit: &'static str,
    },
    /// The backend failed in the middle of a commit: it landed whole or not at all, and which of the two is not known.
    /// Open the backend again if it says so, and read before writing again.
    #[error("{backend} failed in a commit, which may have landed: {source}")]
    Uncertain {
        /// Which backend.
        backend: &'static str,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The backend cannot be reached or read.
    #[error("{backend} at {place}: {source}")]
    Unavailable {
        /// Which backend.
        backend: &'static str,
        /// Its file or address.
        place: String,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An address of the backend that is none.
    #[error("address {address:?}: {why}")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it, and what to write.
        why: String,
    },
    /// What lies there was not written by this program, or by another version of it.
    #[error("{place}: {why}")]
    Format {
        /// The file or address.
        place: String,
        /// What was found, what is read, and what to do.
        why: String,
    },
    /// Another process or handle opened the store later; this one must not be used any more.
    #[error("this handle of epoch {mine} is closed: the store was opened again as epoch {current}")]
    Closed {
        /// The epoch of the handle.
        mine: u32,
        /// The epoch of the store.
        current: u32,
    },
}

fn found(actual: Option<&Entry>) -> String {
    actual.map_or_else(|| "none".to_owned(), |entry| format!("that of revision {}", entry.revision))
}

/// Small opaque records under text keys, written by conditional transactions and followed by a feed.
///
/// All methods block; none may be called within an asynchronous task.
pub trait Backend: Send + Sync {
    /// How often the store was opened, counting this time, when one process alone serves it. `None` when several do,
    /// and the order of their commits is the backend's.
    fn epoch(&self) -> Option<u32>;

    /// Where the feed stands: every commit until now has this revision or a lower one.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`], [`BackendError::Closed`].
    fn revision(&self) -> Result<Revision, BackendError>;

    /// The record under `key`; every commit acknowledged before the call is seen.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`], [`BackendError::Closed`].
    fn get(&self, key: &str) -> Result<Option<Entry>, BackendError>;

    /// Every record whose key starts with `prefix`, at one revision.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`], [`BackendError::Closed`].
    fn list(&self, prefix: &str) -> Result<Listing, BackendError>;

    /// Does all of `batch` or nothing of it. A batch that changes no record keeps the revision, and the feed does
    /// not show it.
    ///
    /// # Returns
    /// The revision of this commit.
    ///
    /// # Errors
    /// [`BackendError::Lost`] with what lies there; [`BackendError::BadKey`], [`BackendError::TooLarge`];
    /// [`BackendError::Uncertain`] when nobody knows.
    fn commit(&self, batch: &Batch) -> Result<Revision, BackendError>;

    /// The changes of every commit after `after`, oldest first, never a part of a commit: at most `max` of them, unless
    /// the first commit alone has more. Every commit acknowledged before the call is among them if `max` allows.
    ///
    /// # Errors
    /// [`BackendError::Compacted`] when a change after `after` may be missing.
    fn changes(&self, after: Revision, max: usize) -> Result<Vec<Change>, BackendError>;

    /// Waits until there is a change after `after`, at most for `timeout`.
    ///
    /// # Returns
    /// Whether there is one.
    ///
    /// # Errors
    /// [`BackendError::Compacted`], as [`changes`](Self::changes) would say.
    fn wait(&self, after: Revision, timeout: Duration) -> Result<bool, BackendError>;

    /// Puts a record that goes by itself when the process behind this handle is gone, or has been cut off from the backend
    /// for some seconds; the feed shows both. The key is one that was never used. A backend that serves one home alone has
    /// nobody to tell, and does nothing.
    ///
    /// # Returns
    /// Whether there is such a record.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    fn announce(&self, key: &str) -> Result<bool, BackendError> {
        let _ = key;
        Ok(false)
    }

    /// Whether what this handle announced stands for certain. It says no some time before the others may see it go.
    fn is_announced(&self) -> bool {
        true
    }

    /// Forgets the feed up to and including `through`. Records stay.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`], [`BackendError::Closed`].
    fn compact(&self, through: Revision) -> Result<(), BackendError>;

    /// The content that batches carried under this digest.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`], [`BackendError::Closed`].
    fn blob(&self, digest: &Digest) -> Result<Option<Bytes>, BackendError>;

    /// At most `max` contents whose digests come after `after`, in their order.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`], [`BackendError::Closed`].
    fn blobs(&self, after: Option<Digest>, max: usize) -> Result<Vec<BlobInfo>, BackendError>;

    /// Removes those of `digests` whose last put was before `put_before_ms`; the age is looked at in the same
    /// transaction, so that a commit which just carried one keeps it.
    ///
    /// # Returns
    /// How many were removed.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`], [`BackendError::Closed`].
    fn sweep(&self, digests: &[Digest], put_before_ms: u64) -> Result<u64, BackendError>;
}

/// Cuts `changes` to at most `max`, never within a commit; the first commit stays whole.
fn whole_commits(mut changes: Vec<Change>, max: usize) -> Vec<Change> {
    let Some(first) = changes.first().map(|change| change.revision) else { return changes };
    if let Some(cut) = changes.get(max).map(|over| over.revision) {
        changes.retain(|change| change.revision < cut || change.revision == first);
    }
    changes
}
