//! Percentile intervals from resampled clusters, and non-inferiority by them.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::{Interval, StatsError, Unit};

/// Share of the resampled statistic that lies inside the interval.
const LEVEL: f64 = 0.95;

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
    let clusters: Vec<[f64; 4]> = paired_clusters(a, b)?.into_values().collect();
    interval(&clusters, resamples, seed, ratio_difference)
}

/// What the data say about "a is not worse than b by more than the margin".
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NonInferiority {
    /// The difference a − b with its 95 % interval.
    pub difference: Interval,
    /// How much worse a may be, ≥ 0, in the unit of the statistic.
    pub margin: f64,
    /// One-sided p-value of the hypothesis that a is worse by the margin or more.
    pub p: f64,
}

/// Tests non-inferiority of `a` against `b` with the paired cluster bootstrap.
///
/// The p-value is (1 + resamples whose difference is at or below −margin) / (1 + resamples), the one-sided level
/// at which the percentile interval just touches −margin (Davison and Hinkley 1997, §4.4 and §5.4); below 2.5 % it
/// agrees with [`Interval::not_inferior`]. It cannot be below 1 / (1 + resamples).
///
/// # Errors
///
/// As [`paired_bootstrap`].
pub fn non_inferiority(
    a: &[Unit],
    b: &[Unit],
    margin: f64,
    resamples: usize,
    seed: u64,
) -> Result<NonInferiority, StatsError> {
    let clusters: Vec<[f64; 4]> = paired_clusters(a, b)?.into_values().collect();
    let (estimate, values) = resampled(&clusters, resamples, seed, ratio_difference)?;
    let worse = values.partition_point(|difference| *difference <= -margin);
    let p = (1 + worse) as f64 / (1 + values.len()) as f64;
    Ok(NonInferiority { difference: percentiles(estimate, &values), margin, p })
}

/// The difference of the two arms' ratios in each cluster, in the order of the cluster ids: independent values for
/// the tests that ask for such. A cluster where an arm has no weight has no difference and is left out.
///
/// # Errors
///
/// [`StatsError::NotPaired`] and [`StatsError::BadUnit`] as [`paired_bootstrap`].
pub fn cluster_differences(a: &[Unit], b: &[Unit]) -> Result<Vec<f64>, StatsError> {
    Ok(paired_clusters(a, b)?.values().filter_map(ratio_difference).collect())
}

/// Sums of both arms in each cluster.
fn paired_clusters(a: &[Unit], b: &[Unit]) -> Result<BTreeMap<usize, [f64; 4]>, StatsError> {
    let parted = a.iter().zip(b).position(|(x, y)| x.0 != y.0);
    let index = parted.or_else(|| (a.len() != b.len()).then(|| a.len().min(b.len())));
    if let Some(index) = index {
        return Err(StatsError::NotPaired { index });
    }
    let arms = sum_by_cluster(a)?.into_iter().zip(sum_by_cluster(b)?.into_values());
    Ok(arms.map(|((cluster, [na, da]), [nb, db])| (cluster, [na, da, nb, db])).collect())
}

/// The difference of the two arms' ratios, where both are defined.
fn ratio_difference(&[na, da, nb, db]: &[f64; 4]) -> Option<f64> {
    Some(ratio(na, da)? - ratio(nb, db)?)
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

/// The 95 % percentile interval of a statistic over resampled clusters.
fn interval<const N: usize>(
    clusters: &[[f64; N]],
    resamples: usize,
    seed: u64,
    statistic: impl Fn(&[f64; N]) -> Option<f64>,
) -> Result<Interval, StatsError> {
    let (estimate, values) = resampled(clusters, resamples, seed, statistic)?;
    Ok(percentiles(estimate, &values))
}

fn percentiles(estimate: f64, sorted: &[f64]) -> Interval {
    let tail = (1.0 - LEVEL) / 2.0;
    Interval { estimate, low: quantile(sorted, tail), high: quantile(sorted, 1.0 - tail) }
}

/// The statistic over all clusters, and its values, sorted, over `resamples` draws of as many clusters as there are,
/// with replacement.
fn resampled<const N: usize>(
    clusters: &[[f64; N]],
    resamples: usize,
    seed: u64,
    statistic: impl Fn(&[f64; N]) -> Option<f64>,
) -> Result<(f64, Vec<f64>), StatsError> {
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
    Ok((estimate, values))
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
mod tests;
