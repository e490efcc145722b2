//! The default backend: one file, one process, on the disk when a commit is acknowledged.
//!
//! The file is a log. A record's bytes are written once, under `(revision, key)`, and a small index says which
//! revision of a key stands; so the feed costs no second copy. A durable commit is one transaction of redb in one
//! phase, hence one `fsync`: redb finds by its checksums after a crash whether the last one landed.

use std::fs::File;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use lrrc_coherence::Digest;
use redb::{
    Builder, Database, DatabaseError, Durability, ReadTransaction, ReadableDatabase, ReadableTable,
    StorageBackend, StorageError, TableDefinition, WriteTransaction,
};

use super::runs::Runs;
use super::{Backend, BackendError, Batch, BlobInfo, Change, Entry, Listing, Revision, Write};
const NAME: &str = "redb";
const FORMAT: u64 = 1;
const CACHE_BYTES: usize = 64 << 20;

const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
const INDEX: TableDefinition<&str, u64> = TableDefinition::new("index");
const LOG: TableDefinition<(u64, &str), Option<&[u8]>> = TableDefinition::new("log");
const BLOBS: TableDefinition<&[u8; 32], (u64, &[u8])> = TableDefinition::new("blobs");
const RUNS: TableDefinition<u64, u64> = TableDefinition::new("runs");

/// A backend in one file.
///
/// ```
/// use lrrc_store::{Backend, Batch, Expect, RedbBackend, Write};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("artifacts.redb");
/// RedbBackend::open(&path)?.commit(&Batch::of([Write::put("a/plan", Expect::Absent, "one")]))?;
///
/// let again = RedbBackend::open(&path)?;
/// assert_eq!(again.get("a/plan")?.unwrap().value, "one");
/// assert_eq!(again.epoch(), Some(2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RedbBackend {
    db: Database,
    place: String,
    epoch: u32,
    /// Held by the one commit under way, across its `fsync`.
    writer: Mutex<Writer>,
    feed: Mutex<Feed>,
    changed: Condvar,
}

#[derive(Debug)]
struct Writer {
    revision: Revision,
    /// Whether an acknowledged commit is not on the disk yet.
    volatile: bool,
}

#[derive(Debug)]
struct Feed {
    revision: Revision,
    last_change: Revision,
    runs: Runs,
}

/// Why a batch did not land.
enum Failure {
    /// It was refused, or failed before its commit began.
    Before(BackendError),
    /// The commit itself failed.
    During(redb::Error),
}

impl<E: Into<redb::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::During(error.into())
    }
}

impl RedbBackend {
    /// Opens the file, or makes it. A file that a crash left is repaired first, and the checksums of the whole file
    /// are compared: a disk that lost a part of it is found here and not in the middle of a read.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`] when another process holds it or the disk fails; [`BackendError::Format`] when it
    /// is something else.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, BackendError> {
        let path = path.as_ref();
        let place = path.display().to_string();
        let is_new = !path.exists();
        let db = checked(&place, |builder| builder.create(path))?;
        if is_new {
            sync_folder(path).map_err(|error| unavailable(&place, error))?;
        }
        Self::with_database(db, place)
    }

    /// Opens a store that lies in `storage`; `place` names it in messages.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn with_storage(storage: impl StorageBackend, place: &str) -> Result<Self, BackendError> {
        let db = checked(place, |builder| builder.create_with_backend(storage))?;
        Self::with_database(db, place.to_owned())
    }

    fn with_database(db: Database, place: String) -> Result<Self, BackendError> {
        let format = start(&db).map_err(|error| unavailable(&place, error))?;
        let (epoch, last_change, runs) = format.map_err(|found| BackendError::Format {
            place: place.clone(),
            why: format!("the store has format {found}, and this program reads format {FORMAT}: use the program that wrote it"),
        })?;
        let revision = runs.start();
        Ok(Self {
            db,
            place,
            epoch,
            writer: Mutex::new(Writer { revision, volatile: false }),
            feed: Mutex::new(Feed { revision, last_change, runs }),
            changed: Condvar::new(),
        })
    }

    fn feed(&self) -> MutexGuard<'_, Feed> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `read` on a snapshot.
    fn read<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, BackendError> {
        let result = self.db.begin_read().map_err(redb::Error::from).and_then(|txn| read(&txn));
        result.map_err(|error| unavailable(&self.place, error))
    }

    /// Runs `write` in a durable transaction.
    fn write<T>(
        &self,
        write: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, BackendError> {
        let mut writer = self.writer();
        let result = durably(&self.db, write).map_err(|error| unavailable(&self.place, error))?;
        writer.volatile = false;
        Ok(result)
    }

    fn land(&self, batch: &Batch, revision: Revision) -> Result<bool, Failure> {
        let before = |error: redb::Error| Failure::Before(unavailable(&self.place, error));
        let mut txn = self.db.begin_write().map_err(|error| before(error.into()))?;
        let durability = if batch.durable { Durability::Immediate } else { Durability::None };
        txn.set_durability(durability).map_err(|error| before(error.into()))?;
        if let Some(lost) = lost(&txn, batch).map_err(before)? {
            txn.abort().map_err(|error| before(error.into()))?;
            return Err(Failure::Before(lost));
        }
        let changed = apply(&txn, batch, revision).map_err(before)?;
        txn.commit()?;
        Ok(changed)
    }
}

/// Opens a database and compares all its checksums. redb panics over some pages that a sound disk never gives; that is
/// a damaged file like any other.
fn checked(
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

/// A commit of what `write` does.
fn durably<T>(
    db: &Database,
    write: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
) -> Result<T, redb::Error> {
    let txn = db.begin_write()?;
    let result = write(&txn)?;
    txn.commit()?;
    Ok(result)
}

/// Begins a run: the next epoch, and revisions above all that the last run may have given.
/// `Err` within is the format of a store that is not read.
fn start(db: &Database) -> Result<Result<(u32, Revision, Runs), u64>, redb::Error> {
    durably(db, |txn| {
        let mut meta = txn.open_table(META)?;
        let format = meta.get("format")?.map_or(FORMAT, |format| format.value());
        if format != FORMAT {
            return Ok(Err(format));
        }
        meta.insert("format", FORMAT)?;
        let epoch = meta.get("epoch")?.map_or(0, |epoch| epoch.value()) + 1;
        meta.insert("epoch", epoch)?;
        let oldest = meta.get("oldest")?.map_or(0, |oldest| oldest.value());
        let logged = txn.open_table(LOG)?.last()?.map_or(0, |(key, _)| key.value().0);
        let mut stored = txn.open_table(RUNS)?;
        let began = stored.last()?.map_or(0, |(start, _)| start.value());
        let end = Revision(oldest.max(logged).max(began));
        stored.insert(end.next_run().0, end.0)?;
        txn.open_table(INDEX)?;
        txn.open_table(BLOBS)?;
        let mut runs = Runs::new(Revision(oldest));
        for run in stored.iter()? {
            let (start, end) = run?;
            runs.push(Revision(start.value()), Revision(end.value()));
        }
        Ok(Ok((u32::try_from(epoch).unwrap_or(u32::MAX), Revision(logged), runs)))
    })
}

fn entry(
    log: &impl ReadableTable<(u64, &'static str), Option<&'static [u8]>>,
    key: &str,
    revision: u64,
) -> Result<Option<Entry>, StorageError> {
    let row = log.get((revision, key))?;
    Ok(row.and_then(|row| {
        let value = Bytes::copy_from_slice(row.value()?);
        Some(Entry { value, revision: Revision(revision) })
    }))
}

/// The error of the first write whose expectation does not hold.
fn lost(txn: &WriteTransaction, batch: &Batch) -> Result<Option<BackendError>, redb::Error> {
    let index = txn.open_table(INDEX)?;
    for Write { key, expect, .. } in &batch.writes {
        let actual = index.get(key.as_str())?.map(|revision| revision.value());
        if !expect.holds(actual.map(Revision)) {
            let log = txn.open_table(LOG)?;
            let actual = actual.map(|revision| entry(&log, key, revision)).transpose()?.flatten();
            return Ok(Some(BackendError::Lost { key: key.clone(), expected: *expect, actual }));
        }
    }
    Ok(None)
}

/// Writes the batch under `revision`; whether it changed a record.
fn apply(txn: &WriteTransaction, batch: &Batch, revision: Revision) -> Result<bool, redb::Error> {
    if !batch.blobs.is_empty() {
        let mut blobs = txn.open_table(BLOBS)?;
        for (digest, content) in &batch.blobs {
            blobs.insert(&digest.0, (batch.now_ms, content.as_ref()))?;
        }
    }
    let mut index = txn.open_table(INDEX)?;
    let mut log = txn.open_table(LOG)?;
    let mut changed = false;
    for Write { key, value, .. } in &batch.writes {
        let key = key.as_str();
        let stood = match value {
            Some(_) => index.insert(key, revision.0)?.is_some(),
            None => index.remove(key)?.is_some(),
        };
        if value.is_some() || stood {
            log.insert((revision.0, key), value.as_deref())?;
            changed = true;
        }
    }
    Ok(changed)
}

/// Drops the log up to `through`, but for the records that stand.
fn forget(txn: &WriteTransaction, through: Revision) -> Result<(), redb::Error> {
    txn.open_table(META)?.insert("oldest", through.0)?;
    let index = txn.open_table(INDEX)?;
    let mut log = txn.open_table(LOG)?;
    let mut failed = None;
    log.retain_in(..(through.0 + 1, ""), |(revision, key), _| match index.get(key) {
        Ok(stands) => stands.is_some_and(|stands| stands.value() == revision),
        Err(error) => {
            failed = Some(error);
            true
        }
    })?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

impl Backend for RedbBackend {
    fn epoch(&self) -> Option<u32> {
        Some(self.epoch)
    }

    fn revision(&self) -> Result<Revision, BackendError> {
        Ok(self.feed().revision)
    }

    fn get(&self, key: &str) -> Result<Option<Entry>, BackendError> {
        self.read(|txn| {
            let Some(revision) = txn.open_table(INDEX)?.get(key)? else { return Ok(None) };
            Ok(entry(&txn.open_table(LOG)?, key, revision.value())?)
        })
    }

    fn list(&self, prefix: &str) -> Result<Listing, BackendError> {
        let start = self.feed().runs.start();
        self.read(|txn| {
            let log = txn.open_table(LOG)?;
            let last = log.last()?.map_or(start, |(key, _)| start.max(Revision(key.value().0)));
            let mut entries = Vec::new();
            for row in txn.open_table(INDEX)?.range(prefix..)? {
                let (key, revision) = row?;
                if !key.value().starts_with(prefix) {
                    break;
                }
                let entry = entry(&log, key.value(), revision.value())?;
                entries.extend(entry.map(|entry| (key.value().to_owned(), entry)));
            }
            Ok(Listing { revision: last, entries })
        })
    }

    fn commit(&self, batch: &Batch) -> Result<Revision, BackendError> {
        batch.check()?;
        let mut writer = self.writer();
        let revision = Revision(writer.revision.0 + 1);
        let changed = self.land(batch, revision).map_err(|failure| match failure {
            Failure::Before(error) => error,
            Failure::During(error) => BackendError::Uncertain { backend: NAME, source: error.into() },
        })?;
        writer.volatile = !batch.durable;
        if changed {
            writer.revision = revision;
            let mut feed = self.feed();
            (feed.revision, feed.last_change) = (revision, revision);
            self.changed.notify_all();
        }
        Ok(writer.revision)
    }

    fn changes(&self, after: Revision, max: usize) -> Result<Vec<Change>, BackendError> {
        let feed = self.feed();
        feed.runs.followable(after, feed.revision)?;
        let upto = feed.revision;
        drop(feed);
        let changes = self.read(|txn| {
            let mut changes: Vec<Change> = Vec::new();
            for row in txn.open_table(LOG)?.range((after.0 + 1, "")..(upto.0 + 1, ""))? {
                let (key, value) = row?;
                let (revision, key) = key.value();
                let revision = Revision(revision);
                if changes.len() >= max && changes.last().is_some_and(|last| last.revision < revision) {
                    break;
                }
                let value = value.value().map(Bytes::copy_from_slice);
                changes.push(Change { revision, key: key.to_owned(), value });
            }
            Ok(changes)
        })?;
        let feed = self.feed();
        feed.runs.followable(after, feed.revision)?;
        Ok(super::whole_commits(changes, max))
    }

    fn wait(&self, after: Revision, timeout: Duration) -> Result<bool, BackendError> {
        let until = Instant::now() + timeout;
        let mut feed = self.feed();
        loop {
            feed.runs.followable(after, feed.revision)?;
            let left = until.saturating_duration_since(Instant::now());
            if feed.last_change > after || left.is_zero() {
                return Ok(feed.last_change > after);
            }
            feed = self.changed.wait_timeout(feed, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn compact(&self, through: Revision) -> Result<(), BackendError> {
        let through = {
            let mut feed = self.feed();
            let through = through.min(feed.revision);
            if !feed.runs.forget(through) {
                return Ok(());
            }
            through
        };
        self.write(|txn| forget(txn, through))
    }

    fn blob(&self, digest: &Digest) -> Result<Option<Bytes>, BackendError> {
        self.read(|txn| {
            let found = txn.open_table(BLOBS)?.get(&digest.0)?;
            Ok(found.map(|found| Bytes::copy_from_slice(found.value().1)))
        })
    }

    fn blobs(&self, after: Option<Digest>, max: usize) -> Result<Vec<BlobInfo>, BackendError> {
        self.read(|txn| {
            let from = after.as_ref().map_or(Bound::Unbounded, |after| Bound::Excluded(&after.0));
            let blobs = txn.open_table(BLOBS)?;
            let range = blobs.range::<&[u8; 32]>((from, Bound::Unbounded))?;
            range
                .take(max)
                .map(|row| {
                    let (digest, blob) = row?;
                    let (put_ms, content) = blob.value();
                    Ok(BlobInfo { digest: Digest(*digest.value()), size_bytes: content.len() as u64, put_ms })
                })
                .collect()
        })
    }

    fn sweep(&self, digests: &[Digest], put_before_ms: u64) -> Result<u64, BackendError> {
        self.write(|txn| {
            let mut blobs = txn.open_table(BLOBS)?;
            let mut removed = 0;
            for digest in digests {
                let is_old = blobs.get(&digest.0)?.is_some_and(|blob| blob.value().0 < put_before_ms);
                if is_old {
                    blobs.remove(&digest.0)?;
                    removed += 1;
                }
            }
            Ok(removed)
        })
    }
}

impl Drop for RedbBackend {
    /// Brings commits that were not durable to the disk; a failure here loses only those.
    fn drop(&mut self) {
        if self.writer().volatile {
            let _ = durably(&self.db, |_| Ok(()));
        }
    }
}

fn unavailable(place: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BackendError {
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
        error => unavailable(place, error),
    }
}

/// A new file is durable once its folder is.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
