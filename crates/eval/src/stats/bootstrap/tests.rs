use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::*;
use crate::stats::{Interval, RESAMPLES};

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
    assert!(matches!(refused(&[(0, 1.0, 1.0), (0, f64::NAN, 1.0)]), StatsError::BadUnit { index: 1, .. }));
    assert!(matches!(refused(&[(0, 1.0, -1.0)]), StatsError::BadUnit { index: 0, .. }));
    assert_eq!(cluster_bootstrap(&[(0, 1.0, 1.0)], 0, 1), Err(StatsError::NoResamples));
    let parted = paired_bootstrap(&[(0, 1.0, 1.0), (1, 1.0, 1.0)], &[(0, 1.0, 1.0)], 10, 1);
    assert_eq!(parted, Err(StatsError::NotPaired { index: 1 }));
    let other_cluster = paired_bootstrap(&[(0, 1.0, 1.0)], &[(1, 1.0, 1.0)], 10, 1);
    assert_eq!(other_cluster, Err(StatsError::NotPaired { index: 0 }));
}

#[test]
fn non_inferiority_agrees_with_scipy() {
    // d = [((37 * i) % 101) / 100 - 0.52 for i in range(200)]
    // scipy.stats.bootstrap((d,), np.mean, n_resamples=100_000, method='percentile', rng=0):
    //   share of the distribution at or below -0.05: 0.07255, interval [-0.06045, 0.02120]
    let difference = |i: usize| ((37 * i) % 101) as f64 / 100.0 - 0.52;
    let a: Vec<Unit> = (0..200).map(|i| (i, difference(i), 1.0)).collect();
    let b: Vec<Unit> = (0..200).map(|i| (i, 0.0, 1.0)).collect();
    let found = non_inferiority(&a, &b, 0.05, 100_000, 3).expect("paired units");
    assert!((found.p - 0.07255).abs() < 0.003, "{found:?}");
    assert!((found.difference.low + 0.06045).abs() < 1e-3, "{found:?}");
    assert!((found.difference.high - 0.02120).abs() < 1e-3, "{found:?}");
    assert_eq!(found.difference, paired_bootstrap(&a, &b, 100_000, 3).expect("paired units"));
}

#[test]
fn the_level_of_non_inferiority_is_that_of_the_interval() {
    let a: Vec<Unit> = (0..30).map(|i| (i, ((i * 7) % 11) as f64 / 10.0 - 0.4, 1.0)).collect();
    let b: Vec<Unit> = (0..30).map(|i| (i, 0.0, 1.0)).collect();
    for margin in [0.0, 0.01, 0.02, 0.05, 0.2] {
        let found = non_inferiority(&a, &b, margin, 4_000, 8).expect("paired units");
        assert_eq!(found.difference.not_inferior(margin), found.p <= 0.025, "{found:?}");
    }
    let sure = non_inferiority(&a, &b, 9.0, 99, 8).expect("paired units");
    assert_eq!(sure.p, 0.01);
}

#[test]
fn differences_are_taken_within_clusters() {
    let a = [(4, 1.0, 2.0), (1, 3.0, 4.0), (4, 3.0, 6.0), (2, 0.0, 0.0)];
    let b = [(4, 0.0, 1.0), (1, 1.0, 4.0), (4, 1.0, 3.0), (2, 1.0, 1.0)];
    assert_eq!(cluster_differences(&a, &b), Ok(vec![0.5, 0.25]));
    assert_eq!(cluster_differences(&a, &b[..3]), Err(StatsError::NotPaired { index: 3 }));
}
