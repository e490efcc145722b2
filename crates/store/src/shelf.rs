//! Bytes that are kept at hand, by their digest, up to a bound.

use std::collections::BTreeMap;

use bytes::Bytes;
use lrrc_coherence::Digest;

/// Contents by digest. What was not used for the longest time goes first.
#[derive(Debug)]
pub(crate) struct Shelf {
    bytes_max: u64,
    bytes: u64,
    used: u64,
    contents: BTreeMap<Digest, (u64, Bytes)>,
    by_use: BTreeMap<u64, Digest>,
}

impl Shelf {
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self { bytes_max, bytes: 0, used: 0, contents: BTreeMap::new(), by_use: BTreeMap::new() }
    }

    /// The content, if it is still here.
    pub(crate) fn get(&mut self, digest: &Digest) -> Option<Bytes> {
        let (used, bytes) = self.contents.get_mut(digest)?;
        self.by_use.remove(used);
        self.used += 1;
        *used = self.used;
        self.by_use.insert(self.used, *digest);
        Some(bytes.clone())
    }

    /// Keeps the content. One that is longer than the bound is not kept.
    pub(crate) fn put(&mut self, digest: Digest, content: Bytes) {
        let size_bytes = content.len() as u64;
        if size_bytes > self.bytes_max || self.get(&digest).is_some() {
            return;
        }
        self.used += 1;
        self.by_use.insert(self.used, digest);
        self.contents.insert(digest, (self.used, content));
        self.bytes += size_bytes;
        while self.bytes > self.bytes_max {
            let Some(oldest) = self.by_use.first_key_value().map(|(_, oldest)| *oldest) else { return };
            self.remove(&oldest);
        }
    }

    /// Keeps the content no longer.
    pub(crate) fn remove(&mut self, digest: &Digest) {
        if let Some((used, content)) = self.contents.remove(digest) {
            self.by_use.remove(&used);
            self.bytes -= content.len() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_least_lately_goes_first() {
        let digest = |n: u8| Digest([n; 32]);
        let mut shelf = Shelf::new(10);
        for n in 0..3 {
            shelf.put(digest(n), Bytes::from(vec![n; 3]));
        }
        assert!(shelf.get(&digest(0)).is_some());
        shelf.put(digest(3), Bytes::from(vec![3; 4]));
        shelf.put(digest(9), Bytes::from(vec![9; 11]));
        let kept = [0, 1, 2, 3, 9].map(|n| shelf.get(&digest(n)).is_some());
        assert_eq!(kept, [true, false, true, true, false]);
        shelf.remove(&digest(2));
        shelf.put(digest(4), Bytes::from(vec![4; 3]));
        let kept = [0, 2, 3, 4].map(|n| shelf.get(&digest(n)).is_some());
        assert_eq!(kept, [true, false, true, true]);
    }
}
