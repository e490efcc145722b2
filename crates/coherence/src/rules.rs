//! What may be set: the strategy of the copies, the lengths of leases, the bounds of what is kept.

use serde::{Deserialize, Serialize};

/// What happens to the copies when a version is written, and how long a copy may be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Invalidate on a write, fetch on the next read.
    #[default]
    Lazy,
    /// Push the content to everyone whose copy the write made old.
    Eager,
    /// As lazy, and a copy is read for at most this long after it was fetched: a lost signal costs no more.
    Lease {
        /// Milliseconds from the fetch to the last read.
        ttl_ms: u64,
    },
    /// As lazy, and a copy is read at most this many times after it was fetched.
    AccessCount {
        /// Reads from the cache that one fetch allows.
        reads: u32,
    },
    /// The baseline: push the content to everyone who ever touched the artifact, wanted or not.
    Broadcast,
}

impl Strategy {
    /// Whether a write sends the content along.
    #[must_use]
    pub const fn pushes(self) -> bool {
        matches!(self, Self::Eager | Self::Broadcast)
    }
}

/// The rules that a home applies to each artifact.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// What a write does to the copies.
    pub strategy: Strategy,
    /// The lease of a claim that asks for none, in milliseconds: sized for a call of a language model.
    pub lease_ms: u64,
    /// The longest lease, in milliseconds; a longer one is cut to it, and the reply says when it ends.
    pub lease_max_ms: u64,
    /// How many agents may wait for one claim.
    pub waiting_max: usize,
    /// How many earlier versions a ledger names.
    pub history_max: usize,
    /// How many agents may hold a copy of one artifact; those beyond it read without keeping a copy.
    pub holders_max: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            strategy: Strategy::Lazy,
            lease_ms: 300_000,
            lease_max_ms: 3_600_000,
            waiting_max: 16,
            history_max: 16,
            holders_max: 65_536,
        }
    }
}

impl Rules {
    /// The lease that a request gets, in milliseconds: what it asks for within the limit, or the default.
    #[must_use]
    pub fn lease_for(&self, asked_ms: Option<u64>) -> u64 {
        asked_ms.unwrap_or(self.lease_ms).clamp(1, self.lease_max_ms.max(1))
    }
}

/// How far behind the home a read from a copy may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bound {
    /// Versions that the home is known to have written and that are not delivered here.
    pub versions: u64,
    /// Milliseconds since the home last confirmed that all was delivered.
    pub age_ms: u64,
}

impl Default for Bound {
    fn default() -> Self {
        Self { versions: 0, age_ms: 10_000 }
    }
}
