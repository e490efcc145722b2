//! Splits by group: what belongs together is never on both sides.
//!
//! The groups are put in the order of a keyed hash of their names and that order is cut. So the sides depend on the
//! seed and on the set of groups only, not on the order of the rows, and their sizes are exact to one group.

use std::collections::{BTreeMap, BTreeSet};

use lrrc_episode::Episode;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A side of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// To learn from.
    Train,
    /// To choose with: early stopping, thresholds.
    Validation,
    /// Held out.
    Test,
}

impl Side {
    /// Every side.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// Lower-case name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// A split that cannot be made.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SplitError {
    /// Fractions below 0, or that do not sum to 1.
    #[error("split fractions {train} + {validation} + {test} must be at least 0 and sum to 1")]
    Fractions {
        /// Share of the groups to learn from.
        train: f64,
        /// Share to choose with.
        validation: f64,
        /// Share held out.
        test: f64,
    },
    /// Too few groups for so many folds.
    #[error("{folds} folds need at least as many groups and two folds, there are {groups} groups")]
    Folds {
        /// Folds asked for.
        folds: usize,
        /// Groups there are.
        groups: usize,
    },
}

/// How to split: fractions of the groups, and a seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitSpec {
    /// Seed of the order of the groups.
    pub seed: u64,
    /// Share of the groups to learn from.
    pub train: f64,
    /// Share to choose with.
    pub validation: f64,
    /// Share held out.
    pub test: f64,
}

impl Default for SplitSpec {
    fn default() -> Self {
        Self { seed: 7, train: 0.6, validation: 0.2, test: 0.2 }
    }
}

/// Which side each group is on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Split {
    sides: BTreeMap<String, Side>,
}

impl Split {
    /// Splits the groups; repeated names count once.
    ///
    /// # Errors
    /// [`SplitError::Fractions`] if the fractions make no split.
    pub fn new<'a>(groups: impl IntoIterator<Item = &'a str>, spec: SplitSpec) -> Result<Self, SplitError> {
        let SplitSpec { seed, train, validation, test } = spec;
        let sound = [train, validation, test].iter().all(|share| share.is_finite() && *share >= 0.0);
        if !sound || (train + validation + test - 1.0).abs() > 1e-6 {
            return Err(SplitError::Fractions { train, validation, test });
        }
        let order = shuffled(groups, seed);
        let cut = |share: f64| (share * order.len() as f64).round() as usize;
        let (first, second) = (cut(train), cut(train + validation));
        let side = |at: usize| match at {
            at if at < first => Side::Train,
            at if at < second => Side::Validation,
            _ => Side::Test,
        };
        Ok(Self {
            sides: order.into_iter().enumerate().map(|(at, group)| (group.to_owned(), side(at))).collect(),
        })
    }

    /// Splits episodes by their groups.
    ///
    /// # Errors
    /// [`SplitError::Fractions`] if the fractions make no split.
    pub fn of(episodes: &[Episode], spec: SplitSpec) -> Result<Self, SplitError> {
        Self::new(episodes.iter().map(|episode| episode.group.as_str()), spec)
    }

    /// The side of a group; `None` if it was not among those split.
    #[must_use]
    pub fn side(&self, group: &str) -> Option<Side> {
        self.sides.get(group).copied()
    }

    /// Number of groups on a side.
    #[must_use]
    pub fn groups(&self, side: Side) -> usize {
        self.sides.values().filter(|of| **of == side).count()
    }

    /// The episodes of a side, in order.
    #[must_use]
    pub fn select(&self, episodes: &[Episode], side: Side) -> Vec<Episode> {
        episodes.iter().filter(|episode| self.side(&episode.group) == Some(side)).cloned().collect()
    }
}

/// The fold (below `k`) of each episode; folds differ by at most one group.
///
/// # Errors
/// [`SplitError::Folds`] if `k` is below 2 or above the number of groups.
pub fn k_folds(episodes: &[Episode], k: usize, seed: u64) -> Result<Vec<usize>, SplitError> {
    let order = shuffled(episodes.iter().map(|episode| episode.group.as_str()), seed);
    if k < 2 || k > order.len() {
        return Err(SplitError::Folds { folds: k, groups: order.len() });
    }
    let folds: BTreeMap<&str, usize> =
        order.into_iter().enumerate().map(|(at, group)| (group, at % k)).collect();
    Ok(episodes.iter().filter_map(|episode| folds.get(episode.group.as_str()).copied()).collect())
}

/// Distinct groups in the order of their keyed hash.
fn shuffled<'a>(groups: impl IntoIterator<Item = &'a str>, seed: u64) -> Vec<&'a str> {
    let distinct: BTreeSet<&str> = groups.into_iter().collect();
    let mut order: Vec<&str> = distinct.into_iter().collect();
    order.sort_by_cached_key(|group| {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        hasher.update(group.as_bytes());
        *hasher.finalize().as_bytes()
    });
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|at| format!("group-{at}")).collect()
    }

    fn split(names: &[String], seed: u64) -> Split {
        let spec = SplitSpec { seed, ..SplitSpec::default() };
        Split::new(names.iter().map(String::as_str), spec).expect("the default fractions are sound")
    }

    #[test]
    fn sizes_are_exact() {
        let split = split(&names(35), 7);
        assert_eq!(Side::ALL.map(|side| split.groups(side)), [21, 7, 7]);
    }

    #[test]
    fn sides_depend_on_the_seed_and_not_on_the_order() {
        let mut groups = names(50);
        let first = split(&groups, 7);
        groups.reverse();
        groups.push("group-3".to_owned());
        assert_eq!(split(&groups, 7), first);
        assert_ne!(split(&groups, 8), first);
    }

    #[test]
    fn impossible_fractions_are_refused() {
        for (train, validation, test) in [(0.6, 0.2, 0.3), (1.2, -0.2, 0.0), (f64::NAN, 0.5, 0.5)] {
            assert!(Split::new(["a"], SplitSpec { seed: 1, train, validation, test }).is_err());
        }
    }

    #[test]
    fn folds_are_even_and_keep_groups_whole() {
        let episodes: Vec<Episode> = (0..40).map(|at| crate::test_episode(at, at / 4)).collect();
        let folds = k_folds(&episodes, 5, 7).expect("ten groups make five folds");
        for fold in 0..5 {
            assert_eq!(folds.iter().filter(|of| **of == fold).count(), 8);
        }
        for group in folds.chunks(4) {
            assert!(group.iter().all(|fold| *fold == group[0]));
        }
        assert_eq!(k_folds(&episodes, 11, 7), Err(SplitError::Folds { folds: 11, groups: 10 }));
        assert!(k_folds(&episodes, 1, 7).is_err());
    }
}
