//! Names and places in the life of an artifact: who, which version, which claim, when.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One *session* of an agent. An agent that restarts comes back under a new id, so what an earlier session held is
/// never taken for its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AgentId(pub u32);

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "agent {}", self.0)
    }
}

/// A point in time in milliseconds, from whatever origin the caller's clock has. The protocol has no clock: each call
/// is told the time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl Millis {
    /// This time plus `ms` milliseconds, held at the largest time.
    #[must_use]
    pub const fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds since `earlier`, 0 where `earlier` lies in the future.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// The number of a version of one incarnation of an artifact; the first is 1, each commit adds 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

impl Version {
    /// The version that a new artifact has.
    pub const FIRST: Self = Self(1);

    /// The version after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version {}", self.0)
    }
}

/// Tells an artifact from a deleted one of the same name. Whoever creates gives it: it must be larger than each
/// earlier incarnation of the name, as the revision of a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(pub u64);

/// Counts the claims of an artifact: the fence of a commit. It grows when a claim begins and when one ends, and with
/// each epoch, so a claim that is over carries a generation that never comes back.
///
/// The upper half is the epoch of the home (how often its store was opened), the lower half the count within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl Generation {
    /// The first generation of an epoch.
    #[must_use]
    pub const fn of_epoch(epoch: u32) -> Self {
        Self((epoch as u64) << 32)
    }

    /// How often the store had been opened when this generation began.
    #[must_use]
    pub const fn epoch(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The generation after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "generation {}.{}", self.epoch(), self.0 & 0xffff_ffff)
    }
}

/// One version of one incarnation: what a writer has read, and what its commit is based on.
///
/// Ordered by incarnation first, so that what follows a deletion is later than all that came before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// Which life of the name.
    pub incarnation: Incarnation,
    /// Which version of that life.
    pub version: Version,
}

/// A moment in the life of an artifact: its stamp and the generation at that moment.
///
/// Each part only grows, so the marks of an artifact form a chain: of two marks the smaller is the earlier, however
/// late its message arrives. That order is the whole of the zombie rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mark {
    /// The version at that moment.
    pub stamp: Stamp,
    /// The generation at that moment.
    pub generation: Generation,
}

impl Mark {
    /// The version number of the mark.
    #[must_use]
    pub const fn version(self) -> Version {
        self.stamp.version
    }
}

/// The BLAKE3 hash of a content. The protocol compares digests and computes none.
///
/// In readable formats it is 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// A text that is not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a digest: 64 hexadecimal digits are one")]
pub struct NotADigest(pub String);

impl std::str::FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let fault = || NotADigest(text.chars().take(80).collect());
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(fault());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| fault())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| fault())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.collect_str(self) } else { self.0.serialize(to) }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() {
            let text = String::deserialize(from)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            <[u8; 32]>::deserialize(from).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_back_from_its_text_and_nothing_else_does() {
        let digest = Digest(std::array::from_fn(|i| (i * 9) as u8));
        assert_eq!(digest.to_string().parse(), Ok(digest));
        let json = serde_json::to_string(&digest).expect("a digest is a text");
        assert_eq!(serde_json::from_str::<Digest>(&json).ok(), Some(digest));
        for bad in ["", "00", &"g".repeat(64), &"é".repeat(32), &"0".repeat(65)] {
            assert!(bad.parse::<Digest>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn marks_are_ordered_by_incarnation_then_version_then_generation() {
        let mark = |incarnation, version, generation| Mark {
            stamp: Stamp { incarnation: Incarnation(incarnation), version: Version(version) },
            generation: Generation(generation),
        };
        let chain = [mark(1, 1, 0), mark(1, 1, 1), mark(1, 2, 1), mark(1, 2, 2), mark(2, 1, 0)];
        assert!(chain.is_sorted_by(|a, b| a < b));
        assert!(Generation(7).next() < Generation::of_epoch(1));
        assert_eq!(Generation::of_epoch(3).epoch(), 3);
    }
}
