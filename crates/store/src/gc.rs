//! Removes contents that no record names.
//!
//! Mark: every record is read, and says which contents it names. Sweep: puts that are older than the grace period, of
//! contents that were not marked, are removed. A put that no record names yet is safe for the grace period, and must be
//! named within half of it ([`Content::refresh`]); a put removed at time *t* was made before *t* − grace, and so a record
//! that names it stood before *t* − grace/2 and was marked. The age of a content in the backend is compared within the
//! transaction that removes it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use lrrc_coherence::Digest;

use crate::backend::{Backend, BackendError, Batch, BlobInfo};
use crate::content::{Content, ContentError};

/// Contents of the backend that are looked at together.
const PAGE: usize = 256;

/// What one collection found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Swept {
    /// Records that were read.
    pub records: u64,
    /// Contents that they name.
    pub reachable: u64,
    /// Puts that no record names and that are too young to be removed.
    pub young: u64,
    /// Puts that were removed, and files of puts that a crash had cut short.
    pub removed: u64,
}

/// Why a collection stopped. Only garbage was removed until then.
#[derive(Debug, thiserror::Error)]
pub enum GcError<E> {
    /// A record could not be read, so that nobody knows what it names. Nothing was removed.
    #[error("nothing was collected: the record {key:?} cannot be read: {source}")]
    Unreadable {
        /// Its key.
        key: String,
        /// Why.
        source: E,
    },
    /// A store failed.
    #[error(transparent)]
    Content(#[from] ContentError),
}

impl<E> From<BackendError> for GcError<E> {
    fn from(error: BackendError) -> Self {
        Self::Content(error.into())
    }
}

/// Collects once. `named` says which contents a record names, from its key and bytes; `now_ms` is the clock that puts
/// are stamped with, read before the call.
///
/// It may run beside commits and beside other collections.
///
/// # Errors
/// [`GcError`]; what was removed until then was garbage.
pub fn collect<E>(
    backend: &dyn Backend,
    content: &Content,
    now_ms: u64,
    named: impl Fn(&str, &Bytes) -> Result<Vec<Digest>, E>,
) -> Result<Swept, GcError<E>> {
    let mut swept = Swept::default();
    let mut reachable = BTreeSet::new();
    for (key, entry) in backend.list("")?.entries {
        swept.records += 1;
        let digests = named(&key, &entry.value);
        reachable.extend(digests.map_err(|source| GcError::Unreadable { key, source })?);
    }
    swept.reachable = reachable.len() as u64;
    // A deletion that was read may wait for its sync, and a crash would bring its record back.
    backend.commit(&Batch::of([]))?;
    let cutoff_ms = now_ms.saturating_sub(content.rules().grace_ms);
    sweep_backend(backend, &reachable, cutoff_ms, &mut swept)?;
    sweep_objects(content, &reachable, cutoff_ms, &mut swept)?;
    swept.removed += content.remove_staged(cutoff_ms)?;
    Ok(swept)
}

fn sweep_backend(
    backend: &dyn Backend,
    reachable: &BTreeSet<Digest>,
    cutoff_ms: u64,
    swept: &mut Swept,
) -> Result<(), BackendError> {
    let mut after = None;
    loop {
        let page = backend.blobs(after, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.digest);
        let garbage = page.iter().filter(|blob| !reachable.contains(&blob.digest));
        let (old, young): (Vec<&BlobInfo>, Vec<&BlobInfo>) =
            garbage.partition(|blob| blob.put_ms < cutoff_ms);
        let old: Vec<Digest> = old.into_iter().map(|blob| blob.digest).collect();
        let removed = if old.is_empty() { 0 } else { backend.sweep(&old, cutoff_ms)? };
        swept.removed += removed;
        swept.young += (young.len() + old.len()) as u64 - removed;
    }
}

/// Of a reachable content, only the newest put is needed.
fn sweep_objects(
    content: &Content,
    reachable: &BTreeSet<Digest>,
    cutoff_ms: u64,
    swept: &mut Swept,
) -> Result<(), ContentError> {
    let mut puts: BTreeMap<Digest, Vec<u64>> = BTreeMap::new();
    for (digest, put_ms) in content.puts()? {
        puts.entry(digest).or_default().push(put_ms);
    }
    for (digest, mut times) in puts {
        times.sort_unstable();
        if reachable.contains(&digest) {
            times.pop();
        }
        for put_ms in times {
            if put_ms < cutoff_ms {
                content.remove(&digest, put_ms)?;
                swept.removed += 1;
            } else {
                swept.young += 1;
            }
        }
    }
    Ok(())
}
