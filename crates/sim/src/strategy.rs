//! When a copy is trusted, and what a write sends.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// How copies are kept coherent. A copy that is not trusted is fetched before it is read or written.
///
/// | Strategy | A copy is trusted | A write sends to each other holder |
/// |---|---|---|
/// | `lazy` | until its invalidation arrives | an invalidation |
/// | `eager` | always; it is replaced when the content arrives | the content |
/// | `lease` | as `lazy`, and for `ticks` ticks after it was fetched or written | an invalidation |
/// | `access-count` | as `lazy`, and for `reads` reads after it was fetched or written | an invalidation |
/// | `broadcast` | always | nothing; each tick ends with every artifact sent to every agent |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "name")]
pub enum Strategy {
    /// Invalidate on a write, fetch on the next use.
    Lazy,
    /// Send the content with each write.
    Eager,
    /// `lazy`, with an age bound.
    Lease {
        /// Ticks for which a copy is trusted.
        ticks: u32,
    },
    /// `lazy`, with a bound on uses.
    AccessCount {
        /// Reads for which a copy is trusted.
        reads: u32,
    },
    /// Everything to everybody in each tick: the baseline of the published figures.
    Broadcast,
}

/// The names that [`StrategyName`] reads.
const NAMES: [(&str, StrategyName); 5] = [
    ("lazy", StrategyName::Lazy),
    ("eager", StrategyName::Eager),
    ("lease", StrategyName::Lease),
    ("access-count", StrategyName::AccessCount),
    ("broadcast", StrategyName::Broadcast),
];

/// A strategy without its bounds, which the scenario gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrategyName {
    /// See [`Strategy::Lazy`].
    Lazy,
    /// See [`Strategy::Eager`].
    Eager,
    /// See [`Strategy::Lease`].
    Lease,
    /// See [`Strategy::AccessCount`].
    AccessCount,
    /// See [`Strategy::Broadcast`].
    Broadcast,
}

impl FromStr for StrategyName {
    type Err = UnknownStrategy;

    fn from_str(text: &str) -> Result<Self, UnknownStrategy> {
        let found = NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, strategy)| *strategy).ok_or_else(|| UnknownStrategy(text.to_owned()))
    }
}

/// A strategy that nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown strategy `{0}`: it is one of {names}", names = NAMES.map(|(name, _)| name).join(", "))]
pub struct UnknownStrategy(pub String);

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lazy => f.write_str("lazy"),
            Self::Eager => f.write_str("eager"),
            Self::Lease { ticks } => write!(f, "lease of {ticks} ticks"),
            Self::AccessCount { reads } => write!(f, "{reads} reads a copy"),
            Self::Broadcast => f.write_str("broadcast"),
        }
    }
}
