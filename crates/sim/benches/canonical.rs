//! The eighty canonical runs: four scenarios, ten seeds, lazy and broadcast.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use lrrc_sim::{Scenario, Strategy, run};

fn canonical(criterion: &mut Criterion) {
    let scenarios = Scenario::shipped().expect("the shipped scenarios");
    criterion.bench_function("eighty_runs", |bencher| {
        bencher.iter(|| {
            let mut tokens = 0;
            for scenario in &scenarios {
                for seed in scenario.seeds.first..scenario.seeds.first + u64::from(scenario.seeds.count) {
                    for strategy in [Strategy::Lazy, Strategy::Broadcast] {
                        tokens += run(black_box(&scenario.workload), strategy, seed).tokens.total();
                    }
                }
            }
            tokens
        });
    });
}

criterion_group!(benches, canonical);
criterion_main!(benches);
