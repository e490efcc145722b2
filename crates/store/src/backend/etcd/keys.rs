//! How the store's names lie in etcd.

use std::fmt;
use std::str::FromStr;

use lrrc_coherence::Digest;

/// The names under one root.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    root: String,
}

impl Keys {
    pub(super) fn new(root: &str) -> Self {
        Self { root: root.to_owned() }
    }

    /// What the feed watches: records, and the head.
    pub(super) fn watched(&self) -> String {
        format!("{}f/", self.root)
    }

    pub(super) fn head(&self) -> String {
        format!("{}f/head", self.root)
    }

    pub(super) fn oldest(&self) -> String {
        format!("{}oldest", self.root)
    }

    pub(super) fn record(&self, key: &str) -> String {
        format!("{}f/k/{key}", self.root)
    }

    pub(super) fn record_of(&self, found: &[u8]) -> Option<String> {
        let key = std::str::from_utf8(found).ok()?;
        Some(key.strip_prefix(&self.root)?.strip_prefix("f/k/")?.to_owned())
    }

    pub(super) fn blob(&self, digest: &Digest) -> String {
        format!("{}b/{digest}", self.root)
    }

    pub(super) fn blob_metas(&self) -> String {
        format!("{}i/", self.root)
    }

    pub(super) fn blob_meta(&self, digest: &Digest) -> String {
        format!("{}i/{digest}", self.root)
    }

    pub(super) fn digest_of(&self, found: &[u8]) -> Option<Digest> {
        let key = std::str::from_utf8(found).ok()?;
        key.strip_prefix(&self.root)?.strip_prefix("i/")?.parse().ok()
    }
}

/// The end of the range of keys that start with `prefix`, which is not empty. The last byte of a text is below 255.
pub(super) fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

/// Age and size of a content, as the text `put_ms size_bytes`.
#[derive(Clone, Copy)]
pub(super) struct BlobMeta {
    pub(super) put_ms: u64,
    pub(super) size_bytes: u64,
}

impl fmt::Display for BlobMeta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.put_ms, self.size_bytes)
    }
}

impl FromStr for BlobMeta {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (put, size) = text.split_once(' ').ok_or(())?;
        let number = |text: &str| text.parse().map_err(|_| ());
        Ok(Self { put_ms: number(put)?, size_bytes: number(size)? })
    }
}
