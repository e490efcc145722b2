//! Intervals and tests over clustered episodes.
//!
//! Episodes of one task, or answers to one prompt, resemble each other, so the task is the true sample
//! and every interval here resamples whole clusters. An interval over episodes as if they were
//! independent would be too narrow by about the square root of the episodes a cluster holds.
//!
//! The interval is the percentile one: the 2.5th and 97.5th percentile of the resampled statistic. It asks
//! for no standard error inside each resample and respects the range of the statistic (a share stays in
//! 0..=1); its price is a slight undercoverage below some 20 clusters.
//!
//! The tests for paired values ([`paired_t_test`], [`wilcoxon`], [`sign_flip`]) take independent differences, one a
//! cluster ([`cluster_differences`]); [`mcnemar`] takes paired yes and no. Each function names its source.
//!
//! Sources: Efron and Tibshirani, *An Introduction to the Bootstrap* (1993), chapter 13, for the percentile
//! interval; Davison and Hinkley, *Bootstrap Methods and their Application* (1997), §3.8, for resampling
//! whole clusters; Holm, *A simple sequentially rejective multiple test procedure* (1979).
//!
//! ```
//! use lrrc_eval::stats::cluster_bootstrap;
//!
//! // Two tasks of two episodes each: (task, argument values kept, argument values in all).
//! let units = [(0, 9.0, 10.0), (0, 9.0, 10.0), (1, 45.0, 50.0), (1, 18.0, 20.0)];
//! let kept = cluster_bootstrap(&units, 10_000, 7)?;
//! assert_eq!((kept.low, kept.estimate, kept.high), (0.9, 0.9, 0.9));
//! # Ok::<(), lrrc_eval::stats::StatsError>(())
//! ```

mod bootstrap;
mod holm;
mod mcnemar;
mod paired_t;
mod sign_flip;
mod wilcoxon;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use bootstrap::{
    NonInferiority, cluster_bootstrap, cluster_differences, cluster_statistic, non_inferiority,
    paired_bootstrap,
};
pub use holm::holm;
pub use mcnemar::{McNemar, mcnemar};
pub use paired_t::{PairedT, paired_t_test};
pub use sign_flip::sign_flip;
pub use wilcoxon::{Wilcoxon, wilcoxon};

/// Resamples behind every published interval.
pub const RESAMPLES: usize = 10_000;

/// One observation: its cluster, and the two sums whose ratio is the statistic.
///
/// A mean over observations is the ratio with every denominator at 1.
pub type Unit = (usize, f64, f64);

/// An estimate with its 95 % interval, in the unit of the statistic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The statistic over all units.
    pub estimate: f64,
    /// 2.5th percentile of the resampled statistic.
    pub low: f64,
    /// 97.5th percentile of the resampled statistic.
    pub high: f64,
}

impl Interval {
    /// Whether the whole interval lies above `-margin`: the test of non-inferiority of a difference.
    #[must_use]
    pub fn not_inferior(&self, margin: f64) -> bool {
        self.low >= -margin
    }
}

/// An [`Interval`] as reports and files have it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The figure.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Figure {
    /// A share and its interval in per cent.
    #[must_use]
    pub fn per_cent(&self) -> String {
        let [value, low, high] = [self.value, self.low, self.high].map(|share| share * 100.0);
        format!("{value:.1} % [{low:.1}, {high:.1}]")
    }
}

impl From<Interval> for Figure {
    fn from(Interval { estimate, low, high }: Interval) -> Self {
        Self { value: estimate, low, high }
    }
}

/// Why no interval or test can be given.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum StatsError {
    /// There is nothing to resample.
    #[error("no units to resample")]
    Empty,
    /// Zero resamples have no percentile.
    #[error("at least one resample is needed")]
    NoResamples,
    /// A sum is NaN, infinite, or a denominator is negative.
    #[error("unit {index} is not usable: {numerator} / {denominator}")]
    BadUnit {
        /// Position in the slice that was passed.
        index: usize,
        /// Its numerator.
        numerator: f64,
        /// Its denominator.
        denominator: f64,
    },
    /// All denominators are zero, so the ratio is undefined.
    #[error("the denominators sum to zero")]
    NoWeight,
    /// The two arms of a paired comparison differ in length or in a cluster.
    #[error("the arms are not paired: they part at unit {index}")]
    NotPaired {
        /// First position at which the arms differ.
        index: usize,
    },
    /// A difference is NaN or infinite.
    #[error("difference {index} is not a number that can be tested: {value}")]
    BadDifference {
        /// Position in the slice that was passed.
        index: usize,
        /// Its value.
        value: f64,
    },
    /// A t-test needs a spread, and one value has none.
    #[error("a t-test needs at least two differences, found {0}")]
    TooFew(usize),
}

/// Refuses differences that are not numbers.
fn check_differences(differences: &[f64]) -> Result<(), StatsError> {
    let bad = differences.iter().position(|value| !value.is_finite());
    bad.map_or(Ok(()), |index| Err(StatsError::BadDifference { index, value: differences[index] }))
}
