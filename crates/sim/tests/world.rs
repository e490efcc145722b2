//! The world finds no broken law, and finds each rule that is broken on purpose.

use lrrc_sim::{Mutant, WorldConfig, world};

#[test]
fn no_law_breaks() {
    let found = world::run_many(1, 300, &WorldConfig::default(), &|| {});
    assert_eq!(found.broken, Vec::<u64>::new(), "seeds that broke a law: run `lrrc simulate --seed N`");
    let tally = found.tally;
    let seen = [
        tally.cached_reads,
        tally.stale_reads,
        tally.commits,
        tally.refusals,
        tally.flushes,
        tally.notices,
        tally.collected,
        tally.lost_frames,
        tally.agent_crashes,
        tally.home_crashes,
        tally.home_failures,
        tally.storage_faults,
    ];
    assert!(seen.iter().all(|count| *count > 0), "something never happened: {tally}");
}

#[test]
fn broken_rules_are_found() {
    let mutants = [
        (Mutant::ForgetfulStorage, "an acknowledged write is lost"),
        (Mutant::SilentHome, "a stale read"),
        (Mutant::BlindHome, "a lost update"),
        (Mutant::SlowClocks, "a stale read"),
        (Mutant::EagerAnswers, "an acknowledged write is lost"),
        (Mutant::MuteWatches, "a watch missed a change"),
        (Mutant::MuteDeletions, "a watch missed a change"),
        (Mutant::BlindCollector, "an acknowledged write is lost"),
    ];
    for (mutant, law) in mutants {
        let config = WorldConfig { mutant: Some(mutant), ..WorldConfig::default() };
        let found = world::run_many(1, 60, &config, &|| {});
        let broken = found.broken.iter().filter_map(|seed| world::run(*seed, &config).broken);
        let laws: Vec<String> = broken.map(|broken| broken.to_string()).collect();
        assert!(
            laws.iter().any(|found| found.starts_with(law)),
            "{mutant:?} is not found as {law}: {laws:?}"
        );
    }
}

#[test]
fn every_seed_is_run_also_the_largest() {
    let found = world::run_many(u64::MAX, 2, &WorldConfig::default(), &|| {});
    let [last, first] = [u64::MAX, 0].map(|seed| world::run(seed, &WorldConfig::default()).tally);
    assert_eq!(found.tally, last.plus(first));
}

#[test]
fn a_seed_is_a_run() {
    let config = WorldConfig::default();
    for seed in [3, 42] {
        let traced = world::run_traced(seed, &config);
        assert_eq!(traced.trace, world::run_traced(seed, &config).trace, "seed {seed}");
        assert_eq!(traced.tally, world::run(seed, &config).tally, "seed {seed}");
    }
}
