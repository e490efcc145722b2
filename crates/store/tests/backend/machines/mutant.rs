//! Stores that are wrong on purpose, to see the check find it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use lrrc_store::{
    Backend, BackendError, Batch, BlobInfo, Change, Digest, Entry, EtcdBackend, Expect, Listing, Revision,
};
use serde::{Deserialize, Serialize};

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Mutant {
    /// It does not compare revisions: the last writer wins.
    NoCompare,
    /// It does not hear what other machines write, and says that nothing was written.
    Deaf,
    /// It acknowledges a write now and then that it did not do.
    Forgetful,
}

/// An etcd, or one that is wrong.
pub(crate) struct Broken {
    inner: EtcdBackend,
    mutant: Option<Mutant>,
    commits: AtomicU64,
}

impl Broken {
    pub(crate) fn new(inner: EtcdBackend, mutant: Option<Mutant>) -> Self {
        Self { inner, mutant, commits: AtomicU64::new(0) }
    }
}

impl Backend for Broken {
    fn epoch(&self) -> Option<u32> {
        self.inner.epoch()
    }
    fn revision(&self) -> Result<Revision, BackendError> {
        self.inner.revision()
    }
    fn get(&self, key: &str) -> Result<Option<Entry>, BackendError> {
        self.inner.get(key)
    }
    fn list(&self, prefix: &str) -> Result<Listing, BackendError> {
        self.inner.list(prefix)
    }
    fn commit(&self, batch: &Batch) -> Result<Revision, BackendError> {
        let mut batch = batch.clone();
        match self.mutant {
            Some(Mutant::NoCompare) => batch.writes.iter_mut().for_each(|write| write.expect = Expect::Any),
            Some(Mutant::Forgetful) if batch.durable => {
                let count = self.commits.fetch_add(1, Ordering::SeqCst);
                if count % 20 == 19 {
                    return self.inner.revision();
                }
            }
            _ => {}
        }
        self.inner.commit(&batch)
    }
    fn changes(&self, after: Revision, max: usize) -> Result<Vec<Change>, BackendError> {
        if self.mutant == Some(Mutant::Deaf) { Ok(Vec::new()) } else { self.inner.changes(after, max) }
    }
    fn wait(&self, after: Revision, timeout: Duration) -> Result<bool, BackendError> {
        self.inner.wait(after, timeout)
    }
    fn announce(&self, key: &str) -> Result<bool, BackendError> {
        self.inner.announce(key)
    }
    fn is_announced(&self) -> bool {
        self.inner.is_announced()
    }
    fn compact(&self, through: Revision) -> Result<(), BackendError> {
        self.inner.compact(through)
    }
    fn blob(&self, digest: &Digest) -> Result<Option<Bytes>, BackendError> {
        self.inner.blob(digest)
    }
    fn blobs(&self, after: Option<Digest>, max: usize) -> Result<Vec<BlobInfo>, BackendError> {
        self.inner.blobs(after, max)
    }
    fn sweep(&self, digests: &[Digest], put_before_ms: u64) -> Result<u64, BackendError> {
        self.inner.sweep(digests, put_before_ms)
    }
}
