//! McNemar's test of paired yes and no.

use statrs::distribution::{Binomial, DiscreteCDF};

use super::StatsError;

/// What McNemar's exact test says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct McNemar {
    /// Pairs where only the first arm succeeded.
    pub only_a: u64,
    /// Pairs where only the second arm succeeded.
    pub only_b: u64,
    /// Two-sided p-value.
    pub p: f64,
}

/// Tests whether two arms succeed equally often on the same units, by the binomial distribution of the pairs on which
/// they differ (McNemar, *Note on the sampling error of the difference between correlated proportions* (1947); the
/// exact form). Without such a pair p is 1. The pairs count as independent: pass one a cluster, or read the p-value
/// as too small.
///
/// # Errors
///
/// [`StatsError::NotPaired`] if the arms differ in length.
pub fn mcnemar(a: &[bool], b: &[bool]) -> Result<McNemar, StatsError> {
    if a.len() != b.len() {
        return Err(StatsError::NotPaired { index: a.len().min(b.len()) });
    }
    let count = |in_a: bool| a.iter().zip(b).filter(|(x, y)| **x == in_a && **y != in_a).count() as u64;
    let (only_a, only_b) = (count(true), count(false));
    let coin = Binomial::new(0.5, only_a + only_b).expect("½ is a probability");
    Ok(McNemar { only_a, only_b, p: (2.0 * coin.cdf(only_a.min(only_b))).min(1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Arms with the given numbers of pairs: both, only a, only b, neither.
    fn arms(pairs: [usize; 4]) -> (Vec<bool>, Vec<bool>) {
        let cells = [(true, true), (true, false), (false, true), (false, false)];
        cells.into_iter().zip(pairs).flat_map(|(cell, times)| std::iter::repeat_n(cell, times)).unzip()
    }

    #[test]
    fn the_test_agrees_with_statsmodels() {
        // statsmodels.stats.contingency_tables.mcnemar([[both, only_a], [only_b, neither]], exact=True).pvalue
        for (pairs, expected) in
            [([10, 3, 11, 6], 0.057373046875), ([10, 4, 4, 6], 1.0), ([10, 0, 0, 6], 1.0)]
        {
            let (a, b) = arms(pairs);
            let found = mcnemar(&a, &b).expect("paired arms");
            assert_eq!((found.only_a, found.only_b), (pairs[1] as u64, pairs[2] as u64));
            assert!((found.p - expected).abs() < 1e-12, "{found:?} against {expected}");
        }
    }

    #[test]
    fn arms_of_different_length_are_refused() {
        assert_eq!(mcnemar(&[true], &[true, false]), Err(StatsError::NotPaired { index: 1 }));
    }
}
