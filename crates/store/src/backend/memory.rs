//! A backend in memory: the reference for the others, and the disk of simulated homes.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use lrrc_coherence::Digest;

use super::runs::Runs;
use super::{Backend, BackendError, Batch, BlobInfo, Change, Entry, Listing, Revision, Write};
/// What outlives a crash of the process that has a [`MemoryBackend`] open.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    epoch: u32,
    now: Tables,
    /// What takes back the commits since the last durable one, oldest first.
    undo: Vec<Undo>,
}

#[derive(Debug)]
struct Undo {
    revision: Revision,
    entries: Vec<(String, Option<Entry>)>,
    blobs: Vec<(Digest, Option<(u64, Bytes)>)>,
}

#[derive(Debug, Default)]
struct Tables {
    revision: Revision,
    entries: BTreeMap<String, Entry>,
    log: BTreeMap<Revision, Vec<Change>>,
    blobs: BTreeMap<Digest, (u64, Bytes)>,
    runs: Runs,
}

/// A backend that forgets everything with its last [`MemoryDisk`].
///
/// ```
/// use lrrc_store::{Backend, Batch, Expect, MemoryBackend, MemoryDisk, Write};
///
/// let disk = MemoryDisk::default();
/// let before = MemoryBackend::open(&disk);
/// before.commit(&Batch::of([Write::put("kept", Expect::Any, "1")]))?;
/// before.commit(&Batch::of([Write::put("lost", Expect::Any, "2")]).volatile())?;
///
/// let after = MemoryBackend::open(&disk);
/// assert!(after.get("kept")?.is_some() && after.get("lost")?.is_none());
/// assert!(before.get("kept").is_err(), "the crashed process has no say any more");
/// # Ok::<(), lrrc_store::BackendError>(())
/// ```
#[derive(Debug)]
pub struct MemoryBackend {
    disk: MemoryDisk,
    epoch: u32,
}

impl Default for MemoryBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryBackend {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::open(&MemoryDisk::default())
    }

    /// Opens `disk` as a process does after the one before it crashed: commits that were not durable are gone, and
    /// handles opened earlier are closed.
    #[must_use]
    pub fn open(disk: &MemoryDisk) -> Self {
        let mut state = disk.lock();
        while let Some(undo) = state.undo.pop() {
            state.now.take_back(undo);
        }
        let end = state.now.revision;
        let start = end.next_run();
        state.now.revision = start;
        state.now.runs.push(start, end);
        state.epoch += 1;
        let epoch = state.epoch;
        drop(state);
        disk.0.changed.notify_all();
        Self { disk: disk.clone(), epoch }
    }

    fn state(&self) -> Result<MutexGuard<'_, State>, BackendError> {
        let state = self.disk.lock();
        state.held_by(self.epoch)?;
        Ok(state)
    }
}

impl MemoryDisk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn held_by(&self, epoch: u32) -> Result<(), BackendError> {
        if epoch == self.epoch {
            Ok(())
        } else {
            Err(BackendError::Closed { mine: epoch, current: self.epoch })
        }
    }
}

impl Tables {
    fn check(&self, write: &Write) -> Result<(), BackendError> {
        let actual = self.entries.get(&write.key);
        if write.expect.holds(actual.map(|entry| entry.revision)) {
            return Ok(());
        }
        Err(BackendError::Lost { key: write.key.clone(), expected: write.expect, actual: actual.cloned() })
    }

    fn apply(&mut self, batch: &Batch) -> Undo {
        let mut undo = Undo { revision: self.revision, entries: Vec::new(), blobs: Vec::new() };
        for (digest, content) in &batch.blobs {
            undo.blobs.push((*digest, self.blobs.insert(*digest, (batch.now_ms, content.clone()))));
        }
        let revision = Revision(self.revision.0 + 1);
        let mut changes: Vec<Change> = Vec::new();
        for Write { key, value, .. } in &batch.writes {
            let before = match value {
                Some(value) => self.entries.insert(key.clone(), Entry { value: value.clone(), revision }),
                None => self.entries.remove(key),
            };
            if value.is_some() || before.is_some() {
                changes.push(Change { revision, key: key.clone(), value: value.clone() });
                undo.entries.push((key.clone(), before));
            }
        }
        if !changes.is_empty() {
            changes.sort_unstable_by(|one, other| one.key.cmp(&other.key));
            self.log.insert(revision, changes);
            self.revision = revision;
        }
        undo
    }

    fn take_back(&mut self, undo: Undo) {
        if self.revision > undo.revision {
            self.log.remove(&self.revision);
        }
        self.revision = undo.revision;
        for (key, before) in undo.entries {
            match before {
                Some(entry) => self.entries.insert(key, entry),
                None => self.entries.remove(&key),
            };
        }
        for (digest, before) in undo.blobs.into_iter().rev() {
            match before {
                Some(blob) => self.blobs.insert(digest, blob),
                None => self.blobs.remove(&digest),
            };
        }
    }

    fn has_after(&self, after: Revision) -> Result<bool, BackendError> {
        self.runs.followable(after, self.revision)?;
        Ok(self.log.keys().next_back().is_some_and(|last| *last > after))
    }
}

impl Backend for MemoryBackend {
    fn epoch(&self) -> Option<u32> {
        Some(self.epoch)
    }

    fn revision(&self) -> Result<Revision, BackendError> {
        Ok(self.state()?.now.revision)
    }

    fn get(&self, key: &str) -> Result<Option<Entry>, BackendError> {
        Ok(self.state()?.now.entries.get(key).cloned())
    }

    fn list(&self, prefix: &str) -> Result<Listing, BackendError> {
        let state = self.state()?;
        let from = state.now.entries.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let entries = from
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, entry)| (key.clone(), entry.clone()))
            .collect();
        Ok(Listing { revision: state.now.revision, entries })
    }

    fn commit(&self, batch: &Batch) -> Result<Revision, BackendError> {
        batch.check()?;
        let mut state = self.state()?;
        batch.writes.iter().try_for_each(|write| state.now.check(write))?;
        let undo = state.now.apply(batch);
        if batch.durable {
            state.undo.clear();
        } else {
            state.undo.push(undo);
        }
        let revision = state.now.revision;
        drop(state);
        self.disk.0.changed.notify_all();
        Ok(revision)
    }

    fn changes(&self, after: Revision, max: usize) -> Result<Vec<Change>, BackendError> {
        let state = self.state()?;
        state.now.runs.followable(after, state.now.revision)?;
        let mut changes: Vec<Change> = Vec::new();
        for commit in
            state.now.log.range((Bound::Excluded(after), Bound::Unbounded)).map(|(_, commit)| commit)
        {
            if !changes.is_empty() && changes.len() + commit.len() > max {
                break;
            }
            changes.extend_from_slice(commit);
        }
        Ok(changes)
    }

    fn wait(&self, after: Revision, timeout: Duration) -> Result<bool, BackendError> {
        let until = Instant::now() + timeout;
        let mut state = self.state()?;
        loop {
            state.held_by(self.epoch)?;
            let left = until.saturating_duration_since(Instant::now());
            if state.now.has_after(after)? || left.is_zero() {
                return state.now.has_after(after);
            }
            let woken = self.disk.0.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn compact(&self, through: Revision) -> Result<(), BackendError> {
        let mut state = self.state()?;
        let through = through.min(state.now.revision);
        if state.now.runs.forget(through) {
            state.now.log = state.now.log.split_off(&Revision(through.0 + 1));
        }
        Ok(())
    }

    fn blob(&self, digest: &Digest) -> Result<Option<Bytes>, BackendError> {
        Ok(self.state()?.now.blobs.get(digest).map(|(_, content)| content.clone()))
    }

    fn blobs(&self, after: Option<Digest>, max: usize) -> Result<Vec<BlobInfo>, BackendError> {
        let state = self.state()?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let found = state.now.blobs.range((from, Bound::Unbounded)).take(max);
        Ok(found
            .map(|(digest, (put_ms, content))| BlobInfo {
                digest: *digest,
                size_bytes: content.len() as u64,
                put_ms: *put_ms,
            })
            .collect())
    }

    fn sweep(&self, digests: &[Digest], put_before_ms: u64) -> Result<u64, BackendError> {
        let mut state = self.state()?;
        let is_old =
            |digest: &Digest| state.now.blobs.get(digest).is_some_and(|(put_ms, _)| *put_ms < put_before_ms);
        let removed: Vec<Digest> = digests.iter().copied().filter(is_old).collect();
        for digest in &removed {
            state.now.blobs.remove(digest);
        }
        Ok(removed.len() as u64)
    }
}
