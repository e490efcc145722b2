//! Opening the file of a store, and making it.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, StorageBackend, StorageError};

use super::super::BackendError;
use super::NAME;
use super::journal::Journal;
use super::region::{Layout, Region, first_byte};

const CACHE_BYTES: usize = 64 << 20;

/// A shorter file is left as it is: there is little to win.
const COMPACTED_BYTES_MIN: u64 = 16 << 20;

/// Length of the journal of a file: some hundred commits between two commits of the database.
const JOURNAL_BYTES: u64 = 4 << 20;

/// Opens the database and the journal of a storage; makes both in one that is empty.
pub(super) fn divided(
    place: &str,
    storage: impl StorageBackend,
    journal_bytes: u64,
) -> Result<(Database, Journal), BackendError> {
    let failed = |error| unavailable(place, error);
    let length = match Layout::of(&storage).map_err(failed)? {
        Layout::Empty => {
            Layout::divide(&storage, journal_bytes).map_err(failed)?;
            Some(journal_bytes)
        }
        Layout::Bare => None,
        Layout::Journaled(length) => Some(length),
        Layout::Other(version) => {
            let why =
                format!("the store has layout {version}, which is not read: use the program that wrote it");
            return Err(BackendError::Format { place: place.to_owned(), why });
        }
    };
    let storage = Arc::new(storage);
    let start = length.map_or(0, first_byte);
    let db = checked(place, Region { storage: Arc::clone(&storage), start })?;
    Ok((db, Journal::new(storage, length.unwrap_or(0))))
}

/// A file gets its name when it holds a journal and an empty database: a shorter one has lost its end, and would be taken
/// for a new store.
pub(super) fn not_cut_short(place: &str, storage: &impl StorageBackend) -> Result<(), BackendError> {
    let failed = |error| unavailable(place, error);
    let (length, layout) = (storage.len().map_err(failed)?, Layout::of(storage).map_err(failed)?);
    let why = match layout {
        Layout::Empty => {
            "is empty: put back a copy of the file, or remove it to begin a new store".to_owned()
        }
        Layout::Journaled(journal) if length <= first_byte(journal) => format!(
            "is cut short: it has {length} bytes, and its journal alone ends at {}; put back a copy of the file",
            first_byte(journal)
        ),
        _ => return Ok(()),
    };
    Err(BackendError::Format { place: place.to_owned(), why })
}

/// Opens a database and compares all its checksums.
fn checked(place: &str, storage: impl StorageBackend) -> Result<Database, BackendError> {
    guarded(place, || {
        let mut db = Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(storage)?;
        db.check_integrity()?;
        Ok(db)
    })
}

/// A step of the opening. redb panics over some pages that a sound disk never gives; that is a damaged file like any other.
pub(super) fn guarded<T>(
    place: &str,
    step: impl FnOnce() -> Result<T, DatabaseError>,
) -> Result<T, BackendError> {
    let damaged = |_| {
        Err(DatabaseError::Storage(StorageError::Corrupted("its pages contradict each other".to_owned())))
    };
    let done = catch_unwind(AssertUnwindSafe(step));
    done.unwrap_or_else(damaged).map_err(|error| cannot_open(place, error))
}

/// What an open database says, as one that is being opened says it.
pub(super) fn opening(error: redb::Error) -> DatabaseError {
    DatabaseError::Storage(match error {
        redb::Error::Corrupted(why) => StorageError::Corrupted(why),
        redb::Error::Io(error) => StorageError::Io(error),
        other => StorageError::Io(std::io::Error::other(other)),
    })
}

/// Gives back the room of what was removed, where it is more than half of a file of `length` bytes. redb moves pages
/// in commits of its own, so a crash in between leaves the same records.
pub(super) fn compact_if_sparse(db: &mut Database, length: u64) -> Result<(), redb::Error> {
    if length < COMPACTED_BYTES_MIN {
        return Ok(());
    }
    let txn = db.begin_write()?;
    let stats = txn.stats()?;
    txn.abort()?;
    if stats.allocated_pages() * stats.page_size() as u64 * 2 < length {
        db.compact()?;
    }
    Ok(())
}

pub(super) fn unavailable(
    place: &str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> BackendError {
    BackendError::Unavailable { backend: NAME, place: place.to_owned(), source: error.into() }
}

fn cannot_open(place: &str, error: DatabaseError) -> BackendError {
    let format = |why: String| BackendError::Format { place: place.to_owned(), why };
    match error {
        DatabaseError::DatabaseAlreadyOpen => {
            unavailable(place, "another process has the store open; end it, or ask it through its socket")
        }
        DatabaseError::UpgradeRequired(version) => {
            format(format!("is of redb's file format {version}, which is not read"))
        }
        DatabaseError::Storage(StorageError::Corrupted(why)) => {
            format(format!("is damaged ({why}); put back a copy of the file"))
        }
        DatabaseError::Storage(StorageError::Io(error))
            if error.kind() == std::io::ErrorKind::InvalidData =>
        {
            format(format!("is not a store ({error}); name another file"))
        }
        DatabaseError::Storage(StorageError::Io(error))
            if error.kind() == std::io::ErrorKind::StorageFull =>
        {
            let why = format!("{error}; free some space and open it again: nothing acknowledged is lost");
            unavailable(place, why)
        }
        error => unavailable(place, error),
    }
}

/// Makes an empty store elsewhere and gives it its name at the end, so that a crash leaves no half of one. Where another
/// process was faster, its store stays.
pub(super) fn create_whole(path: &Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let made = tempfile::Builder::new().prefix(".new-store-").tempfile_in(folder)?;
    let storage = FileBackend::new(made.reopen()?)?;
    Layout::divide(&storage, JOURNAL_BYTES)?;
    let region = Region { storage: Arc::new(storage), start: first_byte(JOURNAL_BYTES) };
    drop(Builder::new().create_with_backend(region)?);
    match made.persist_noclobber(path) {
        Err(error) if error.error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(error.error.into());
        }
        _ => {}
    }
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
