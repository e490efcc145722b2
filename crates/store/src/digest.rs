//! The name of a content: the BLAKE3 hash of its bytes.

use lrrc_coherence::Digest;

/// The digest of `content`.
#[must_use]
pub fn digest_of(content: &[u8]) -> Digest {
    Digest(*blake3::hash(content).as_bytes())
}
