//! Student's t-test of paired values, and its effect size.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Interval, StatsError, check_differences};

/// Two-sided level outside the interval of the mean.
const ALPHA: f64 = 0.05;

/// What a paired t-test says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedT {
    /// Mean difference with its 95 % interval, mean ± t(0.975, df) · s / √n.
    pub mean: Interval,
    /// Mean difference over its standard error.
    pub t: f64,
    /// Degrees of freedom, n − 1.
    pub df: usize,
    /// Two-sided p-value.
    pub p: f64,
    /// Cohen's d_z: mean difference over the standard deviation of the differences (Cohen, *Statistical Power
    /// Analysis for the Behavioral Sciences* (1988), §2.3.5).
    pub d_z: f64,
}

/// Student's t-test of the hypothesis that paired differences have mean zero (Student, *The probable error of a
/// mean* (1908)).
///
/// Differences without any spread leave the usual formula undefined: they give `t` and `d_z` of ±∞ and p = 0, or, if
/// all are zero, `t` and `d_z` of 0 and p = 1.
///
/// # Errors
///
/// [`StatsError::TooFew`] below two differences, [`StatsError::BadDifference`] for one that is no number.
pub fn paired_t_test(differences: &[f64]) -> Result<PairedT, StatsError> {
    check_differences(differences)?;
    if differences.len() < 2 {
        return Err(StatsError::TooFew(differences.len()));
    }
    let n = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / n;
    let has_spread = differences.iter().any(|difference| *difference != differences[0]);
    if !has_spread {
        return Ok(without_spread(differences[0], differences.len() - 1));
    }
    let squares: f64 = differences.iter().map(|difference| (difference - mean).powi(2)).sum();
    let deviation = (squares / (n - 1.0)).sqrt();
    let error = deviation / n.sqrt();
    let student = StudentsT::new(0.0, 1.0, n - 1.0).expect("at least one degree of freedom");
    let t = mean / error;
    let reach = student.inverse_cdf(1.0 - ALPHA / 2.0) * error;
    Ok(PairedT {
        mean: Interval { estimate: mean, low: mean - reach, high: mean + reach },
        t,
        df: differences.len() - 1,
        p: (2.0 * student.cdf(-t.abs())).min(1.0),
        d_z: mean / deviation,
    })
}

fn without_spread(value: f64, df: usize) -> PairedT {
    let mean = Interval { estimate: value, low: value, high: value };
    let t = if value == 0.0 { 0.0 } else { f64::INFINITY.copysign(value) };
    PairedT { mean, t, df, p: if value == 0.0 { 1.0 } else { 0.0 }, d_z: t }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(differences: &[f64], expected: [f64; 6]) {
        let found = paired_t_test(differences).expect("usable differences");
        let figures = [found.t, found.p, found.mean.estimate, found.mean.low, found.mean.high, found.d_z];
        for (found, expected) in figures.into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{figures:?} against {expected}");
        }
        assert_eq!(found.df, differences.len() - 1);
    }

    #[test]
    fn the_test_agrees_with_scipy() {
        // scipy.stats.ttest_1samp(d, 0): statistic, pvalue, confidence_interval(); d.mean() / d.std(ddof=1)
        check(
            &[0.02, -0.01, 0.04, 0.08, 0.03, 0.03, 0.05, 0.07],
            [
                3.845076772265462,
                0.006332715906143506,
                0.03875,
                0.01491973725722677,
                0.06258026274277323,
                1.3594399299258952,
            ],
        );
        check(
            &[3.1, -0.4, 1.7, -2.2, 0.9],
            [
                0.6849260902350677,
                0.5310186223174544,
                0.62,
                -1.8932579847145932,
                3.1332579847145934,
                0.30630825946575324,
            ],
        );
    }

    #[test]
    fn values_without_spread_are_certain_or_nothing() {
        let none = paired_t_test(&[0.0; 4]).expect("usable differences");
        assert_eq!((none.t, none.p, none.d_z, none.mean.high), (0.0, 1.0, 0.0, 0.0));
        // Ten times 0.1 does not sum to 1: the spread must not come from rounding.
        let always = paired_t_test(&[-0.1; 10]).expect("usable differences");
        assert_eq!((always.t, always.p, always.mean.estimate), (f64::NEG_INFINITY, 0.0, -0.1));
    }

    #[test]
    fn what_cannot_be_tested_is_refused() {
        assert_eq!(paired_t_test(&[]), Err(StatsError::TooFew(0)));
        assert_eq!(paired_t_test(&[1.0]), Err(StatsError::TooFew(1)));
        let bad = paired_t_test(&[1.0, f64::INFINITY]);
        assert_eq!(bad, Err(StatsError::BadDifference { index: 1, value: f64::INFINITY }));
    }
}
