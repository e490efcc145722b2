//! Prints the median times that `benches/peer/run.sh` compares, in nanoseconds, as JSON.

use std::hint::black_box;
use std::time::Instant;

use lrrc_sim::{Scenario, Strategy, run};

/// Median over rounds, in nanoseconds for one of `count` calls of `work`.
fn median_ns(rounds: usize, count: u32, mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            (0..count).for_each(|_| work());
            start.elapsed().as_secs_f64() * 1e9 / f64::from(count)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn eighty_runs(scenarios: &[Scenario]) -> u64 {
    let mut tokens = 0;
    for scenario in scenarios {
        for offset in 0..u64::from(scenario.seeds.count) {
            for strategy in [Strategy::Lazy, Strategy::Broadcast] {
                tokens += run(&scenario.workload, strategy, scenario.seeds.first + offset).tokens.total();
            }
        }
    }
    tokens
}

fn main() {
    let scenarios = Scenario::shipped().expect("the shipped scenarios");
    let eighty_ns = median_ns(21, 10, || {
        black_box(eighty_runs(black_box(&scenarios)));
    });
    println!("{}", serde_json::json!({ "eighty_runs": eighty_ns }));
}
