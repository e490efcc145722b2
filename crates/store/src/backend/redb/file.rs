//! Opening the file of a store, and making it.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::{Builder, Database, DatabaseError, StorageError};

use super::super::BackendError;
use super::NAME;

const CACHE_BYTES: usize = 64 << 20;

/// A shorter file is left as it is: there is little to win.
const COMPACTED_BYTES_MIN: u64 = 16 << 20;

/// Opens a database and compares all its checksums. redb panics over some pages that a sound disk never gives; that is
/// a damaged file like any other.
pub(super) fn checked(
    place: &str,
    open: impl FnOnce(&Builder) -> Result<Database, DatabaseError>,
) -> Result<Database, BackendError> {
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE_BYTES);
        let mut db = open(&builder)?;
        db.check_integrity()?;
        Ok(db)
    }));
    let damaged = |_| {
        Err(DatabaseError::Storage(StorageError::Corrupted("its pages contradict each other".to_owned())))
    };
    opened.unwrap_or_else(damaged).map_err(|error| cannot_open(place, error))
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

pub(super) fn cannot_open(place: &str, error: DatabaseError) -> BackendError {
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
        error => unavailable(place, error),
    }
}

/// Makes an empty store elsewhere and gives it its name at the end, so that a crash leaves no half of one. Where another
/// process was faster, its store stays.
pub(super) fn create_whole(path: &Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let made = tempfile::Builder::new().prefix(".new-store-").tempfile_in(folder)?;
    drop(Builder::new().create_file(made.reopen()?)?);
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
