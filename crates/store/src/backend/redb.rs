//! The default backend: one file, one process, on the disk when a commit is acknowledged.
//!
//! The file is a log. A record's bytes are written once, under `(revision, key)`, and a small index says which
//! revision of a key stands; so the feed costs no second copy. A durable commit is one write and one `fsync` of the
//! journal at the head of the file. The tables follow when somebody reads more of them than a record or a content, and at
//! the end of each lap of the journal, with one transaction of redb for all batches of it, in one phase: redb finds by
//! its checksums after a crash whether that landed. Opening the file applies what the journal has beyond the tables.

mod file;
mod journal;
mod recent;
mod region;
mod tables;

use std::fs::OpenOptions;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use lrrc_coherence::Digest;
use redb::backends::FileBackend;
use redb::{
    Database, Durability, ReadTransaction, ReadableDatabase, ReadableTable, StorageBackend, WriteTransaction,
};

use super::runs::Runs;
use super::{Backend, BackendError, Batch, BlobInfo, Change, Entry, Listing, Revision, Write};
use crate::room::{Room, TooFull};
use file::{compact_if_sparse, create_whole, divided, guarded, not_cut_short, opening, unavailable};
use journal::Journal;
use recent::Recent;
use tables::{BLOBS, FORMAT, INDEX, LOG, apply, durably, entry, forget, holds_frame, start};
const NAME: &str = "redb";

/// Length of the journal of a storage that is no file: so short that tests and simulations of some commits meet its end.
const SHORT_JOURNAL_BYTES: u64 = 96 << 10;

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
    pub(crate) room: Room,
    epoch: u32,
    /// Held by the one commit under way, across its `fsync`.
    writer: Mutex<Writer>,
    /// What has landed and the tables have not; locked after the writer, and for moments.
    recent: Mutex<Recent>,
    feed: Mutex<Feed>,
    changed: Condvar,
}

#[derive(Debug)]
struct Writer {
    revision: Revision,
    journal: Journal,
    /// Batches that have landed and that the tables wait for, oldest first; the journal bounds them.
    waiting: Vec<(Revision, Batch)>,
    /// Whether the tables on the disk are behind.
    is_ahead: bool,
    /// A commit failed half way: what the disk holds is known when the store is opened again.
    has_failed: bool,
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
    /// are compared: a disk that lost a part of it is found here and not in the middle of a read. A file of which more than
    /// half was removed is made shorter.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`] when another process holds it, or the disk fails or is full;
    /// [`BackendError::Format`] when it is something else.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, BackendError> {
        let path = path.as_ref();
        let place = path.display().to_string();
        if !path.exists() {
            create_whole(path).map_err(|error| unavailable(&place, error))?;
        }
        let file = OpenOptions::new().read(true).write(true).open(path);
        let file = file.map_err(|error| unavailable(&place, error))?;
        let storage = FileBackend::new(file).map_err(|error| unavailable(&place, error))?;
        not_cut_short(&place, &storage)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut store = Self::divided(storage, place)?;
        store.room = Room::Beside(folder.unwrap_or(Path::new(".")).to_owned());
        Ok(store)
    }

    /// Opens a store that lies in `storage`, or makes one in it; `place` names it in messages. Where a crash cut the
    /// making short, a storage may have to be emptied by hand; [`open`](Self::open) has no such moment.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn with_storage(storage: impl StorageBackend, place: &str) -> Result<Self, BackendError> {
        Self::divided(storage, place.to_owned())
    }

    fn divided(storage: impl StorageBackend, place: String) -> Result<Self, BackendError> {
        let length = storage.len().map_err(|error| unavailable(&place, error))?;
        let (mut db, mut journal) = divided(&place, storage, SHORT_JOURNAL_BYTES)?;
        let format = guarded(&place, || {
            compact_if_sparse(&mut db, length).map_err(opening)?;
            start(&db, &mut journal).map_err(opening)
        })?;
        let (epoch, last_change, runs) = format.map_err(|found| BackendError::Format {
            place: place.clone(),
            why: format!("the store has format {found}, and this program reads format {FORMAT}: use the program that wrote it"),
        })?;
        let revision = runs.start();
        Ok(Self {
            db,
            place,
            room: Room::Unknown,
            epoch,
            writer: Mutex::new(Writer {
                revision,
                journal,
                waiting: Vec::new(),
                is_ahead: false,
                has_failed: false,
            }),
            recent: Mutex::default(),
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

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `write` in a durable transaction.
    fn write<T>(
        &self,
        write: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, BackendError> {
        let mut writer = self.writer();
        self.settle(&mut writer)?;
        let result = durably(&self.db, write).map_err(|error| unavailable(&self.place, error))?;
        writer.is_ahead = false;
        writer.journal.restart();
        Ok(result)
    }

    /// Brings the tables in memory up to date.
    fn settle(&self, writer: &mut Writer) -> Result<(), BackendError> {
        if writer.waiting.is_empty() {
            return Ok(());
        }
        self.catch_up(writer, None, Durability::None).map_err(|failure| match failure {
            Failure::Before(error) => error,
            Failure::During(error) => unavailable(&self.place, error),
        })
    }

    /// Gives the tables what waits for them, and `last` after it; a batch that has no frame.
    fn catch_up(
        &self,
        writer: &mut Writer,
        last: Option<(Revision, &Batch)>,
        durability: Durability,
    ) -> Result<(), Failure> {
        self.intact(writer).map_err(Failure::Before)?;
        let waiting = writer.waiting.iter().map(|(revision, batch)| (*revision, batch));
        let frames = writer.journal.number() + u64::from(last.is_some());
        let begun = self.db.begin_write().map_err(redb::Error::from).and_then(|mut txn| {
            txn.set_durability(durability)?;
            waiting.chain(last).try_for_each(|(revision, batch)| apply(&txn, batch, revision))?;
            holds_frame(&txn, frames)?;
            Ok(txn)
        });
        let txn = begun.map_err(|error| Failure::Before(unavailable(&self.place, error)))?;
        writer.has_failed = true;
        txn.commit()?;
        writer.has_failed = false;
        writer.waiting.clear();
        self.recent().clear();
        writer.journal.skip_to(frames);
        writer.is_ahead = matches!(durability, Durability::None);
        if !writer.is_ahead {
            writer.journal.restart();
        }
        Ok(())
    }

    fn intact(&self, writer: &Writer) -> Result<(), BackendError> {
        let why = "a commit has failed half way; open the store again";
        if writer.has_failed { Err(unavailable(&self.place, why)) } else { Ok(()) }
    }

    /// Whether the batch changes a record; the error of its first write whose expectation does not hold.
    fn check(&self, batch: &Batch) -> Result<bool, BackendError> {
        let mut changes = false;
        for Write { key, expect, value } in &batch.writes {
            let actual = self.standing(key)?;
            if !expect.holds(actual) {
                let actual = self.get(key)?;
                return Err(BackendError::Lost { key: key.clone(), expected: *expect, actual });
            }
            changes |= value.is_some() || actual.is_some();
        }
        Ok(changes)
    }

    /// The revision of the record that stands under a key.
    fn standing(&self, key: &str) -> Result<Option<Revision>, BackendError> {
        if let Some(entry) = self.recent().record(key) {
            return Ok(entry.as_ref().map(|entry| entry.revision));
        }
        self.read(|txn| Ok(txn.open_table(INDEX)?.get(key)?.map(|revision| Revision(revision.value()))))
    }

    /// An empty batch needs no room: it makes durable what has landed, and a collection asks for that before it makes room.
    fn room_for(&self, batch: &Batch) -> Result<(), TooFull> {
        match (batch.writes.is_empty(), batch.blobs.is_empty()) {
            (true, true) => Ok(()),
            (false, true) => self.room.for_records(),
            (_, false) => self.room.for_content(0),
        }
    }

    fn land(&self, writer: &mut Writer, batch: &Batch, revision: Revision) -> Result<bool, Failure> {
        self.intact(writer).map_err(Failure::Before)?;
        let changes = self.check(batch).map_err(Failure::Before)?;
        self.room_for(batch).map_err(|error| Failure::Before(unavailable(&self.place, error)))?;
        let frame = writer.journal.frame(batch, revision);
        let frame = frame.map_err(|error| Failure::Before(unavailable(&self.place, error)))?;
        let Some(frame) = frame else {
            self.catch_up(writer, Some((revision, batch)), Durability::Immediate)?;
            return Ok(changes);
        };
        // A sync that failed may succeed when it is asked again, without what was lost: there is no second try.
        writer.has_failed = true;
        if batch.durable {
            writer.journal.write(frame)?;
        } else {
            writer.journal.hold(&frame);
        }
        writer.has_failed = false;
        writer.is_ahead = true;
        self.recent().add(revision, batch);
        writer.waiting.push((revision, batch.clone()));
        Ok(changes)
    }
}

impl Backend for RedbBackend {
    fn epoch(&self) -> Option<u32> {
        Some(self.epoch)
    }

    fn revision(&self) -> Result<Revision, BackendError> {
        Ok(self.feed().revision)
    }

    fn get(&self, key: &str) -> Result<Option<Entry>, BackendError> {
        if let Some(entry) = self.recent().record(key) {
            return Ok(entry.clone());
        }
        self.read(|txn| {
            let Some(revision) = txn.open_table(INDEX)?.get(key)? else { return Ok(None) };
            Ok(entry(&txn.open_table(LOG)?, key, revision.value())?)
        })
    }

    fn list(&self, prefix: &str) -> Result<Listing, BackendError> {
        self.settle(&mut self.writer())?;
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
        let changed = self.land(&mut writer, batch, revision).map_err(|failure| match failure {
            Failure::Before(error) => error,
            Failure::During(error) => BackendError::Uncertain { backend: NAME, source: error.into() },
        })?;
        if changed {
            writer.revision = revision;
            let mut feed = self.feed();
            (feed.revision, feed.last_change) = (revision, revision);
            self.changed.notify_all();
        }
        Ok(writer.revision)
    }

    fn changes(&self, after: Revision, max: usize) -> Result<Vec<Change>, BackendError> {
        self.settle(&mut self.writer())?;
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
        if let Some(content) = self.recent().content(digest) {
            return Ok(Some(content.clone()));
        }
        self.read(|txn| {
            let found = txn.open_table(BLOBS)?.get(&digest.0)?;
            Ok(found.map(|found| Bytes::copy_from_slice(found.value().1)))
        })
    }

    fn blobs(&self, after: Option<Digest>, max: usize) -> Result<Vec<BlobInfo>, BackendError> {
        self.settle(&mut self.writer())?;
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
    /// Brings the tables to the disk; a failure here loses only commits that were not durable.
    fn drop(&mut self) {
        let mut writer = self.writer();
        if writer.is_ahead && !writer.has_failed {
            let _ = self.catch_up(&mut writer, None, Durability::Immediate);
        }
    }
}
