//! Wilcoxon's signed-rank test.

use statrs::distribution::{ContinuousCDF, Normal};

use super::{StatsError, check_differences};

/// Most differences for which the exact distribution is taken: without ties or zeros, and with them.
const EXACT: usize = 50;
const EXACT_TIED: usize = 13;

/// What a signed-rank test says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wilcoxon {
    /// The smaller of the rank sums of the positive and of the negative differences.
    pub statistic: f64,
    /// Differences that are not zero.
    pub n: usize,
    /// Two-sided p-value.
    pub p: f64,
}

/// Tests the hypothesis that paired differences are symmetric around zero (Wilcoxon, *Individual comparisons by
/// ranking methods* (1945)).
///
/// Zeros are dropped and ties share their mean rank. The p-value is exact for up to 50 differences without ties or
/// zeros and up to 13 with them, else from the normal approximation with the variance corrected for ties and no
/// continuity correction: the choices of SciPy's `wilcoxon(d, method="auto")`. Without any difference p is 1.
///
/// # Errors
///
/// [`StatsError::Empty`] without values, [`StatsError::BadDifference`] for one that is no number.
pub fn wilcoxon(differences: &[f64]) -> Result<Wilcoxon, StatsError> {
    check_differences(differences)?;
    if differences.is_empty() {
        return Err(StatsError::Empty);
    }
    let mut moved: Vec<f64> = differences.iter().copied().filter(|difference| *difference != 0.0).collect();
    moved.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let (doubled_ranks, ties) = doubled_ranks(&moved);
    let signed = moved.iter().zip(&doubled_ranks);
    let plus: usize = signed.filter(|(difference, _)| **difference > 0.0).map(|(_, rank)| rank).sum();
    let all: usize = doubled_ranks.iter().sum();
    let is_plain = ties.iter().all(|size| *size == 1) && moved.len() == differences.len();
    let p = if differences.len() <= if is_plain { EXACT } else { EXACT_TIED } {
        exact(&doubled_ranks, plus)
    } else {
        approximate(moved.len(), &ties, plus as f64 / 2.0)
    };
    Ok(Wilcoxon { statistic: plus.min(all - plus) as f64 / 2.0, n: moved.len(), p })
}

/// Twice the rank of each absolute value of a sorted list (twice, so that a mean rank is whole), and the sizes of the
/// groups that share a rank.
fn doubled_ranks(sorted: &[f64]) -> (Vec<usize>, Vec<usize>) {
    let mut ranks = Vec::with_capacity(sorted.len());
    let mut sizes = Vec::new();
    for group in sorted.chunk_by(|a, b| a.abs() == b.abs()) {
        let first = ranks.len() + 1;
        ranks.extend(group.iter().map(|_| 2 * first + group.len() - 1));
        sizes.push(group.len());
    }
    (ranks, sizes)
}

/// Two-sided p over all assignments of signs: twice the smaller tail.
fn exact(doubled_ranks: &[usize], plus: usize) -> f64 {
    let mut probability = vec![0.0; doubled_ranks.iter().sum::<usize>() + 1];
    probability[0] = 1.0;
    let mut reached = 0;
    for rank in doubled_ranks {
        reached += rank;
        for sum in (0..=reached).rev() {
            let with = if sum >= *rank { probability[sum - rank] } else { 0.0 };
            probability[sum] = 0.5 * (probability[sum] + with);
        }
    }
    let below: f64 = probability[..=plus].iter().sum();
    let above: f64 = probability[plus..].iter().sum();
    (2.0 * below.min(above)).min(1.0)
}

fn approximate(n: usize, ties: &[usize], plus: f64) -> f64 {
    let n = n as f64;
    let tied: f64 = ties.iter().map(|size| (*size as f64).powi(3) - *size as f64).sum();
    let variance = (n * (n + 1.0) * (2.0 * n + 1.0) - tied / 2.0) / 24.0;
    if variance <= 0.0 {
        return 1.0;
    }
    let z = (plus - n * (n + 1.0) / 4.0) / variance.sqrt();
    (2.0 * Normal::standard().cdf(-z.abs())).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(differences: &[f64], statistic: f64, p: f64) {
        let found = wilcoxon(differences).expect("usable differences");
        assert_eq!(found.statistic, statistic);
        assert!((found.p - p).abs() < 1e-9, "{} against {p}", found.p);
    }

    /// 1.5, 2.5, 3.5, … with every third negative.
    fn thirds(n: usize) -> Vec<f64> {
        (1..=n).map(|i| if i % 3 == 0 { -(i as f64 + 0.5) } else { i as f64 + 0.5 }).collect()
    }

    // Expected values: scipy.stats.wilcoxon(d), SciPy 1.17: statistic, pvalue.
    #[test]
    fn small_samples_are_exact() {
        check(&[1.5, -0.3, 2.1, 0.7, -1.1, 3.2, 0.2, 4.0, -0.9, 1.3], 11.0, 0.10546875);
        check(&thirds(50), 408.0, 0.02616696817119646);
        check(&[2.0], 0.0, 1.0);
    }

    #[test]
    fn small_samples_with_ties_and_zeros_are_exact() {
        check(&[1.0, -1.0, 2.0, 2.0, 3.0, 0.0, -2.0, 4.0, 5.0, 1.0, 0.0, 3.0], 7.0, 0.0390625);
    }

    #[test]
    fn large_samples_are_approximate() {
        let ties = [
            1.0, -1.0, 2.0, 2.0, 3.0, 0.0, -2.0, 4.0, 5.0, 1.0, 0.0, 3.0, -1.0, 2.0, 2.0, -3.0, 1.0, 1.0,
            6.0, 2.0,
        ];
        check(&ties, 30.5, 0.015667889394232186);
        check(&thirds(60), 630.0, 0.03590012321587811);
    }

    #[test]
    fn no_difference_is_no_evidence() {
        check(&[0.0; 3], 0.0, 1.0);
        check(&[0.0; 40], 0.0, 1.0);
        assert_eq!(wilcoxon(&[]), Err(StatsError::Empty));
        assert!(matches!(wilcoxon(&[f64::NAN]), Err(StatsError::BadDifference { index: 0, .. })));
    }
}
