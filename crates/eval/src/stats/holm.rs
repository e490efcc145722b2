//! Adjustment for several tests at once.

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

#[cfg(test)]
mod tests {
    use super::holm;

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
