//! What the journal has and the tables have not, for those who read single records and contents.

use std::collections::HashMap;

use bytes::Bytes;
use lrrc_coherence::Digest;

use super::super::{Batch, Entry, Revision, Write};

/// What the batches leave that wait for the tables. The journal bounds it.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// `None` where the record was deleted.
    records: HashMap<String, Option<Entry>>,
    contents: HashMap<Digest, Bytes>,
}

impl Recent {
    /// What the batches say of a key; `None` where they do not touch it.
    pub(super) fn record(&self, key: &str) -> Option<&Option<Entry>> {
        self.records.get(key)
    }

    /// A content that they carry.
    pub(super) fn content(&self, digest: &Digest) -> Option<&Bytes> {
        self.contents.get(digest)
    }

    /// Takes in a batch that has landed.
    pub(super) fn add(&mut self, revision: Revision, batch: &Batch) {
        for Write { key, value, .. } in &batch.writes {
            let entry = value.clone().map(|value| Entry { value, revision });
            self.records.insert(key.clone(), entry);
        }
        self.contents.extend(batch.blobs.iter().cloned());
    }

    /// The tables have everything.
    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.contents.clear();
    }
}
