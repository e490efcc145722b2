//! The sign-flip permutation test over clusters.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::{StatsError, check_differences};

/// Most differences for which every assignment of signs is tried.
const EXACT: usize = 16;
/// Sums that differ by less than this share of the largest possible sum count as equal.
const ROUNDING: f64 = 1e-12;

/// Two-sided p-value of the hypothesis that the sign of each difference is a coin toss, with the absolute sum of the
/// differences as the statistic (Fisher, *The Design of Experiments* (1935), §21; Good, *Permutation, Parametric and
/// Bootstrap Tests of Hypotheses* (2005), §3.2).
///
/// Pass one difference a cluster ([`super::cluster_differences`]): then whole clusters are flipped. Up to 16 differences
/// every assignment is tried; beyond that `flips` are drawn and p is (1 + as extreme) / (1 + flips) (Phipson and
/// Smyth 2010).
///
/// # Errors
///
/// [`StatsError::Empty`] without differences, [`StatsError::NoResamples`] if more than 16 are to be flipped no times,
/// [`StatsError::BadDifference`] for one that is no number.
pub fn sign_flip(differences: &[f64], flips: usize, seed: u64) -> Result<f64, StatsError> {
    check_differences(differences)?;
    if differences.is_empty() {
        return Err(StatsError::Empty);
    }
    let largest: f64 = differences.iter().map(|difference| difference.abs()).sum();
    let threshold = differences.iter().sum::<f64>().abs() - ROUNDING * largest;
    let is_extreme = |flipped: f64| flipped.abs() >= threshold;
    if differences.len() <= EXACT {
        let all = 1u64 << differences.len();
        let sum = |signs: u64| (0..).zip(differences).map(|(at, value)| flipped(signs, at, *value)).sum();
        let extreme = (0..all).filter(|signs| is_extreme(sum(*signs))).count();
        return Ok(extreme as f64 / all as f64);
    }
    if flips == 0 {
        return Err(StatsError::NoResamples);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut drawn = || -> f64 {
        let word = |values: &[f64]| {
            let signs = rng.next_u64();
            (0..).zip(values).map(|(at, value)| flipped(signs, at, *value)).sum::<f64>()
        };
        differences.chunks(64).map(word).sum()
    };
    let extreme = (0..flips).filter(|_| is_extreme(drawn())).count();
    Ok((1 + extreme) as f64 / (1 + flips) as f64)
}

fn flipped(signs: u64, at: u32, value: f64) -> f64 {
    if signs >> at & 1 == 1 { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_clusters_are_enumerated() {
        // scipy.stats.permutation_test((d,), np.sum, permutation_type='samples', n_resamples=np.inf).pvalue
        let differences = [0.3, -0.1, 0.4, 0.2, 0.25, -0.05, 0.6, 0.1];
        assert_eq!(sign_flip(&differences, 0, 0), Ok(0.046875));
        assert_eq!(sign_flip(&[0.0; 5], 0, 0), Ok(1.0));
    }

    #[test]
    fn many_clusters_are_drawn() {
        // scipy.stats.permutation_test((d,), np.sum, permutation_type='samples', n_resamples=100_000, rng=1).pvalue
        // is 0.05898; 2 * norm.sf(d.sum() / np.sqrt((d * d).sum())) is 0.05975.
        let differences: Vec<f64> = (0..100).map(|i| f64::from((i * 37) % 101) / 50.0 - 0.885).collect();
        let p = sign_flip(&differences, 40_000, 5).expect("usable differences");
        assert!((p - 0.059).abs() < 0.004, "{p}");
        assert_eq!(sign_flip(&differences, 40_000, 5), Ok(p));
    }

    #[test]
    fn what_cannot_be_flipped_is_refused() {
        assert_eq!(sign_flip(&[], 10, 0), Err(StatsError::Empty));
        assert_eq!(sign_flip(&[1.0; 17], 0, 0), Err(StatsError::NoResamples));
        assert!(matches!(
            sign_flip(&[1.0, f64::NAN], 10, 0),
            Err(StatsError::BadDifference { index: 1, .. })
        ));
    }
}
