//! How the storage of a store is divided: a header, the journal, and then the database to the end.

use std::io;
use std::ops::Bound;
use std::sync::Arc;

use redb::{BackendError, StorageBackend};

/// Unit of the journal: no block holds parts of two frames, so no write touches what was acknowledged before.
pub(super) const BLOCK_BYTES: usize = 4096;

/// The first bytes of a storage with a journal. One without is a bare database, as earlier programs made it.
const MAGIC: [u8; 12] = *b"lrrc-store\x1a\n";

/// Version of the division.
const VERSION: u32 = 1;

/// What lies at the start of a storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Nothing.
    Empty,
    /// The database from the first byte on.
    Bare,
    /// A journal of so many bytes before the database.
    Journaled(u64),
    /// A division of another version.
    Other(u32),
}

impl Layout {
    /// Reads it.
    pub(super) fn of(storage: &impl StorageBackend) -> io::Result<Self> {
        let length = storage.len()?;
        let mut header = [0; BLOCK_BYTES];
        let found = header.len().min(usize::try_from(length).unwrap_or(usize::MAX));
        if found == 0 {
            return Ok(Self::Empty);
        }
        storage.read(0, &mut header[..found])?;
        let Some(rest) = header.strip_prefix(&MAGIC) else { return Ok(Self::Bare) };
        let (version, rest) = rest.split_at(4);
        let version = u32::from_be_bytes(version.try_into().unwrap_or_default());
        let journal_bytes = u64::from_be_bytes(rest[..8].try_into().unwrap_or_default());
        Ok(if version == VERSION { Self::Journaled(journal_bytes) } else { Self::Other(version) })
    }

    /// Makes room for a journal and says so in the header, which comes last. The room is written and not left as a hole:
    /// a sync of bytes that replace others need not wait for the file system to note where they lie.
    pub(super) fn divide(storage: &impl StorageBackend, journal_bytes: u64) -> io::Result<Self> {
        let zeros = vec![0; 64 * BLOCK_BYTES];
        let end = first_byte(journal_bytes);
        let mut at = 0;
        while at < end {
            let piece = zeros.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
            storage.write(at, &zeros[..piece])?;
            at += piece as u64;
        }
        storage.sync_data()?;
        let header = [&MAGIC[..], &VERSION.to_be_bytes(), &journal_bytes.to_be_bytes()].concat();
        storage.write(0, &header)?;
        storage.sync_data()?;
        Ok(Self::Journaled(journal_bytes))
    }
}

/// Where the database begins behind a journal of this length.
pub(super) fn first_byte(journal_bytes: u64) -> u64 {
    BLOCK_BYTES as u64 + journal_bytes
}

/// The part of a storage from `start` on, as redb sees it. Locks are names and keep their places.
#[derive(Debug)]
pub(super) struct Region<S> {
    pub(super) storage: Arc<S>,
    pub(super) start: u64,
}

impl<S: StorageBackend> StorageBackend for Region<S> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.storage.len()?.saturating_sub(self.start))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.storage.read(self.start + offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.storage.set_len(self.start + len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.storage.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.storage.write(self.start + offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.storage.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.storage.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.storage.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.storage.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.storage.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.storage.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.storage.query_lock_range(start, end)
    }
}
