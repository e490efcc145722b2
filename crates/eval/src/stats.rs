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

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use thiserror::Error;

/// Resamples behind every published interval.
pub const RESAMPLES: usize = 10_000;

/// Share of the resampled statistic that lies inside the interval.
const LEVEL: f64 = 0.95;

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

/// Why no interval can be given.
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
}

/// 95 % percentile interval of Σ numerator / Σ denominator, resampling whole clusters.
///
/// The result is a function of the units, their order aside, and of `seed`. A resample whose denominators
/// sum to zero has no ratio and is drawn again.
///
/// # Errors
///
/// [`StatsError`] if there are no units, no weight, no resamples, or a sum that is not usable.
pub fn cluster_bootstrap(units: &[Unit], resamples: usize, seed: u64) -> Result<Interval, StatsError> {
    let clusters: Vec<[f64; 2]> = sum_by_cluster(units)?.into_values().collect();
    interval(&clusters, resamples, seed, |&[n, d]| ratio(n, d))
}

/// 95 % percentile interval of the difference a − b of two ratios over the same units.
///
/// Unit i of `a` and unit i of `b` are the same episode under two methods. Each resample draws the same
/// clusters for both arms, so what the arms share cancels.
///
/// # Errors
///
/// [`StatsError::NotPaired`] if the arms differ in length or in a cluster; otherwise as
/// [`cluster_bootstrap`].
pub fn paired_bootstrap(a: &[Unit], b: &[Unit], resamples: usize, seed: u64) -> Result<Interval, StatsError> {
    let parted = a.iter().zip(b).position(|(x, y)| x.0 != y.0);
    let index = parted.or_else(|| (a.len() != b.len()).then(|| a.len().min(b.len())));
    if let Some(index) = index {
        return Err(StatsError::NotPaired { index });
    }
    let arms = sum_by_cluster(a)?.into_values().zip(sum_by_cluster(b)?.into_values());
    let clusters: Vec<[f64; 4]> = arms.map(|([na, da], [nb, db])| [na, da, nb, db]).collect();
    interval(&clusters, resamples, seed, |&[na, da, nb, db]| Some(ratio(na, da)? - ratio(nb, db)?))
}

/// 95 % percentile interval of any statistic of whole clusters, such as one that is no ratio of sums.
///
/// A resample for which `statistic` is `None` is drawn again.
///
/// # Errors
///
/// [`StatsError`] if there are no clusters, no resamples, or no statistic over all clusters.
pub fn cluster_statistic<T>(
    clusters: &[T],
    resamples: usize,
    seed: u64,
    statistic: impl Fn(&[&T]) -> Option<f64>,
) -> Result<Interval, StatsError> {
    if clusters.is_empty() {
        return Err(StatsError::Empty);
    }
    if resamples == 0 {
        return Err(StatsError::NoResamples);
    }
    let estimate = statistic(&clusters.iter().collect::<Vec<_>>()).ok_or(StatsError::NoWeight)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut values = Vec::with_capacity(resamples);
    while values.len() < resamples {
        let drawn = (0..clusters.len()).map(|_| &clusters[below(&mut rng, clusters.len())]);
        values.extend(statistic(&drawn.collect::<Vec<_>>()));
    }
    values.sort_by(f64::total_cmp);
    let tail = (1.0 - LEVEL) / 2.0;
    Ok(Interval { estimate, low: quantile(&values, tail), high: quantile(&values, 1.0 - tail) })
}

/// Holm's step-down adjustment: the smallest level at which each hypothesis is rejected, in the order given.
///
/// The k-th smallest of m p-values is multiplied by m − k + 1; a running maximum keeps them ordered, and
/// none exceeds 1.
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&i, &j| p_values[i].total_cmp(&p_values[j]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut floor: f64 = 0.0;
    for (rank, &at) in order.iter().enumerate() {
        let scaled = p_values[at] * (p_values.len() - rank) as f64;
        floor = floor.max(scaled.min(1.0));
        adjusted[at] = floor;
    }
    adjusted
}

/// Numerators and denominators of each cluster, in the order of the cluster ids.
fn sum_by_cluster(units: &[Unit]) -> Result<BTreeMap<usize, [f64; 2]>, StatsError> {
    let mut clusters = BTreeMap::new();
    for (index, &(cluster, numerator, denominator)) in units.iter().enumerate() {
        if !numerator.is_finite() || !denominator.is_finite() || denominator < 0.0 {
            return Err(StatsError::BadUnit { index, numerator, denominator });
        }
        let sums: &mut [f64; 2] = clusters.entry(cluster).or_default();
        sums[0] += numerator;
        sums[1] += denominator;
    }
    Ok(clusters)
}

/// The ratio of two sums, where it is defined.
fn ratio(numerator: f64, denominator: f64) -> Option<f64> {
    (denominator > 0.0).then(|| numerator / denominator)
}

/// Draws as many clusters as there are, with replacement, `resamples` times, and takes the percentiles.
fn interval<const N: usize>(
    clusters: &[[f64; N]],
    resamples: usize,
    seed: u64,
    statistic: impl Fn(&[f64; N]) -> Option<f64>,
) -> Result<Interval, StatsError> {
    if clusters.is_empty() {
        return Err(StatsError::Empty);
    }
    if resamples == 0 {
        return Err(StatsError::NoResamples);
    }
    let estimate = statistic(&total(clusters.iter())).ok_or(StatsError::NoWeight)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut values = Vec::with_capacity(resamples);
    while values.len() < resamples {
        let drawn = (0..clusters.len()).map(|_| &clusters[below(&mut rng, clusters.len())]);
        values.extend(statistic(&total(drawn)));
    }
    values.sort_by(f64::total_cmp);
    let tail = (1.0 - LEVEL) / 2.0;
    Ok(Interval { estimate, low: quantile(&values, tail), high: quantile(&values, 1.0 - tail) })
}

/// The sums of several clusters together.
fn total<'a, const N: usize>(clusters: impl Iterator<Item = &'a [f64; N]>) -> [f64; N] {
    clusters.fold([0.0; N], |sums, one| std::array::from_fn(|i| sums[i] + one[i]))
}

/// A number in `0..bound`: the high word of a product, uniform to within `bound` in 2⁶⁴.
fn below(rng: &mut impl RngCore, bound: usize) -> usize {
    ((u128::from(rng.next_u64()) * bound as u128) >> 64) as usize
}

/// The quantile of sorted values, interpolated between neighbours (type 7 of Hyndman and Fan).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (under, over) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    under + (over - under) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn means(values: &[(usize, f64)]) -> Vec<Unit> {
        values.iter().map(|&(cluster, value)| (cluster, value, 1.0)).collect()
    }

    /// Two independent standard normal numbers, by Box and Muller.
    fn normals(rng: &mut ChaCha8Rng) -> [f64; 2] {
        let [u, v] = [0; 2].map(|_| (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64);
        let radius = (-2.0 * (1.0 - u).ln()).sqrt();
        let angle = std::f64::consts::TAU * v;
        [radius * angle.cos(), radius * angle.sin()]
    }

    #[test]
    fn identical_clusters_leave_no_width() {
        let units = [(3, 1.0, 2.0), (1, 10.0, 20.0), (2, 4.0, 8.0)];
        let one = cluster_bootstrap(&units, 500, 1).expect("three usable units");
        assert_eq!(one, Interval { estimate: 0.5, low: 0.5, high: 0.5 });
    }

    #[test]
    fn the_statistic_pools_and_does_not_average_the_shares() {
        let units = [(0, 1.0, 1.0), (1, 0.0, 99.0)];
        let one = cluster_bootstrap(&units, 500, 1).expect("two usable units");
        assert_eq!(one.estimate, 0.01);
    }

    #[test]
    fn two_opposite_clusters_span_the_whole_range() {
        // The resampled mean is 0, ½ and 1 with weights ¼, ½ and ¼, so both tails are reached.
        let one = cluster_bootstrap(&means(&[(0, 0.0), (1, 1.0)]), 2_000, 1).expect("two usable units");
        assert_eq!(one, Interval { estimate: 0.5, low: 0.0, high: 1.0 });
    }

    #[test]
    fn many_clusters_match_the_normal_approximation() {
        let values: Vec<_> = (0..400).map(|i| (i, f64::from(u8::from(i % 4 == 0)))).collect();
        let one = cluster_bootstrap(&means(&values), RESAMPLES, 11).expect("usable units");
        // A share of ¼ over 400 clusters has the standard error √(¼ · ¾ / 400).
        let half_width = 1.959_964 * (0.25_f64 * 0.75 / 400.0).sqrt();
        assert!((one.low - (0.25 - half_width)).abs() < 0.004, "{one:?} against ±{half_width}");
        assert!((one.high - (0.25 + half_width)).abs() < 0.004, "{one:?} against ±{half_width}");
    }

    #[test]
    fn copies_inside_a_cluster_add_no_certainty() {
        let single: Vec<_> = (0..20).map(|i| (i, (i % 5) as f64)).collect();
        let copied: Vec<_> = single.iter().flat_map(|&unit| [unit; 10]).collect();
        let [one, ten] = [&single, &copied].map(|values| cluster_bootstrap(&means(values), 2_000, 5));
        let (one, ten) = (one.expect("usable units"), ten.expect("usable units"));
        assert!((one.low - ten.low).abs() < 1e-9 && (one.high - ten.high).abs() < 1e-9, "{one:?} {ten:?}");
    }

    #[test]
    fn nineteen_of_twenty_intervals_hold_the_truth() {
        // 40 clusters of 5 units: the cluster's effect and the unit's noise both have variance 1.
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut covered = 0;
        for world in 0..300 {
            let mut units = Vec::new();
            for cluster in 0..40 {
                let [effect, _] = normals(&mut rng);
                units.extend((0..5).map(|_| (cluster, effect + normals(&mut rng)[0], 1.0)));
            }
            let one = cluster_bootstrap(&units, 400, world).expect("usable units");
            covered += usize::from(one.low <= 0.0 && 0.0 <= one.high);
        }
        let share = covered as f64 / 300.0;
        assert!((0.91..=0.975).contains(&share), "coverage {share}");
    }

    #[test]
    fn pairing_cancels_what_both_arms_share() {
        let base: Vec<_> = (0..30).map(|i| (i, (i * 7 % 11) as f64, 1.0)).collect();
        let better: Vec<_> = base.iter().map(|&(c, n, d)| (c, n + 0.5, d)).collect();
        let gain = paired_bootstrap(&better, &base, 1_000, 3).expect("paired units");
        assert!((gain.low - 0.5).abs() < 1e-9 && (gain.high - 0.5).abs() < 1e-9, "{gain:?}");
        assert!(gain.not_inferior(0.01));
        assert!(!Interval { estimate: 0.0, low: -0.02, high: 0.02 }.not_inferior(0.01));
        let loss = paired_bootstrap(&base, &better, 1_000, 3).expect("paired units");
        assert!(!loss.not_inferior(0.01));
    }

    #[test]
    fn the_interval_is_a_function_of_the_seed() {
        let units: Vec<_> = (0..25).map(|i| (i, ((i * i) % 17) as f64, 1.0 + (i % 3) as f64)).collect();
        let reversed: Vec<_> = units.iter().rev().copied().collect();
        let run = |units: &[Unit], seed| cluster_bootstrap(units, 300, seed).expect("usable units");
        assert_eq!(run(&units, 4), run(&reversed, 4));
        assert_ne!(run(&units, 4), run(&units, 5));
    }

    #[test]
    fn a_resample_without_weight_is_drawn_again() {
        let one = cluster_bootstrap(&[(0, 0.0, 0.0), (1, 3.0, 4.0)], 200, 1).expect("one unit has weight");
        assert_eq!(one, Interval { estimate: 0.75, low: 0.75, high: 0.75 });
    }

    #[test]
    fn what_cannot_be_resampled_is_refused() {
        let refused = |units: &[Unit]| cluster_bootstrap(units, 10, 1).expect_err("unusable units");
        assert_eq!(refused(&[]), StatsError::Empty);
        assert_eq!(refused(&[(0, 0.0, 0.0)]), StatsError::NoWeight);
        assert!(matches!(
            refused(&[(0, 1.0, 1.0), (0, f64::NAN, 1.0)]),
            StatsError::BadUnit { index: 1, .. }
        ));
        assert!(matches!(refused(&[(0, 1.0, -1.0)]), StatsError::BadUnit { index: 0, .. }));
        assert_eq!(cluster_bootstrap(&[(0, 1.0, 1.0)], 0, 1), Err(StatsError::NoResamples));
        let parted = paired_bootstrap(&[(0, 1.0, 1.0), (1, 1.0, 1.0)], &[(0, 1.0, 1.0)], 10, 1);
        assert_eq!(parted, Err(StatsError::NotPaired { index: 1 }));
        let other_cluster = paired_bootstrap(&[(0, 1.0, 1.0)], &[(1, 1.0, 1.0)], 10, 1);
        assert_eq!(other_cluster, Err(StatsError::NotPaired { index: 0 }));
    }

    #[test]
    fn holm_steps_down_and_keeps_the_order() {
        // m = 4: 0.01·4, 0.02·3, then 0.03·2 under the running maximum, then 0.04·1.
        let adjusted = holm(&[0.04, 0.01, 0.03, 0.02]);
        let expected = [0.06, 0.04, 0.06, 0.06];
        assert!(adjusted.iter().zip(expected).all(|(a, e)| (a - e).abs() < 1e-12), "{adjusted:?}");
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }
}
