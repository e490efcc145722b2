//! The published token counts, seed by seed. They are equal, not close.

use lrrc_sim::{Cost, Scenario, Strategy, StrategyName, ceiling_tokens, cost, run};

/// Tokens of the ten seeds of a scenario under a strategy.
struct Golden {
    scenario: &'static str,
    write_probability: f64,
    strategy: StrategyName,
    tokens: [u64; 10],
}

/// The published runs; the rows of strategies other than lazy and broadcast come from the reference implementation,
/// agent-coherence 0.1.0, on the same scenarios.
#[rustfmt::skip]
const GOLDEN: &[Golden] = &[
    Golden { scenario: "planning", write_probability: 0.05, strategy: StrategyName::Lazy, tokens: [73_800, 114_916, 119_000, 147_780, 90_232, 65_584, 82_088, 69_692, 114_904, 102_556] },
    Golden { scenario: "planning", write_probability: 0.05, strategy: StrategyName::Broadcast, tokens: [1_974_272, 1_978_368, 1_982_464, 1_978_368, 1_982_464, 1_982_464, 1_978_368, 1_982_464, 1_982_464, 1_974_272] },
    Golden { scenario: "planning", write_probability: 0.05, strategy: StrategyName::Lease, tokens: [163_912, 176_356, 176_344, 192_836, 184_440, 155_696, 172_200, 167_996, 205_016, 159_900] },
    Golden { scenario: "planning", write_probability: 0.05, strategy: StrategyName::AccessCount, tokens: [94_280, 127_204, 123_096, 151_876, 114_808, 94_256, 110_760, 98_364, 135_384, 114_844] },
    Golden { scenario: "analysis", write_probability: 0.1, strategy: StrategyName::Lazy, tokens: [197_088, 160_080, 188_860, 155_996, 139_540, 110_844, 123_108, 184_752, 135_444, 127_240] },
    Golden { scenario: "analysis", write_probability: 0.1, strategy: StrategyName::Broadcast, tokens: [1_978_368, 1_982_464, 1_978_368, 1_982_464, 1_982_464, 1_978_368, 1_982_464, 1_982_464, 1_974_272, 1_974_272] },
    Golden { scenario: "analysis", write_probability: 0.1, strategy: StrategyName::Lease, tokens: [209_376, 201_040, 205_244, 205_148, 168_212, 184_572, 184_548, 229_808, 176_404, 164_104] },
    Golden { scenario: "analysis", write_probability: 0.1, strategy: StrategyName::AccessCount, tokens: [197_088, 160_080, 188_860, 155_996, 139_540, 131_324, 127_204, 184_752, 139_540, 127_240] },
    Golden { scenario: "development", write_probability: 0.25, strategy: StrategyName::Lazy, tokens: [254_564, 279_296, 246_372, 197_064, 205_352, 229_976, 234_084, 209_412, 188_860, 266_984] },
    Golden { scenario: "development", write_probability: 0.25, strategy: StrategyName::Broadcast, tokens: [1_982_464, 1_978_368, 1_982_464, 1_982_464, 1_978_368, 1_982_464, 1_982_464, 1_974_272, 1_974_272, 1_978_368] },
    Golden { scenario: "development", write_probability: 0.25, strategy: StrategyName::Lease, tokens: [258_660, 283_392, 254_564, 205_256, 229_928, 250_456, 262_756, 225_796, 205_244, 266_984] },
    Golden { scenario: "development", write_probability: 0.25, strategy: StrategyName::AccessCount, tokens: [254_564, 279_296, 246_372, 197_064, 209_448, 229_976, 234_084, 209_412, 188_860, 266_984] },
    Golden { scenario: "churn", write_probability: 0.5, strategy: StrategyName::Lazy, tokens: [328_592, 303_920, 283_368, 324_496, 279_272, 349_132, 295_692, 279_272, 336_820, 340_928] },
    Golden { scenario: "churn", write_probability: 0.5, strategy: StrategyName::Broadcast, tokens: [1_978_368, 1_982_464, 1_982_464, 1_978_368, 1_982_464, 1_982_464, 1_974_272, 1_974_272, 1_978_368, 1_978_368] },
    Golden { scenario: "churn", write_probability: 0.5, strategy: StrategyName::Lease, tokens: [328_592, 303_920, 283_368, 324_496, 283_368, 349_132, 295_692, 279_272, 336_820, 340_928] },
    Golden { scenario: "churn", write_probability: 0.5, strategy: StrategyName::AccessCount, tokens: [328_592, 303_920, 283_368, 324_496, 279_272, 349_132, 295_692, 279_272, 336_820, 340_928] },
    Golden { scenario: "churn", write_probability: 0.9, strategy: StrategyName::Lazy, tokens: [386_116, 361_468, 353_276, 398_452, 349_156, 410_788, 328_604, 345_024, 377_948, 394_356] },
    Golden { scenario: "churn", write_probability: 0.9, strategy: StrategyName::Broadcast, tokens: [1_978_368, 1_982_464, 1_982_464, 1_978_368, 1_982_464, 1_982_464, 1_974_272, 1_974_272, 1_978_368, 1_978_368] },
    Golden { scenario: "churn", write_probability: 0.9, strategy: StrategyName::Lease, tokens: [386_116, 361_468, 353_276, 398_452, 349_156, 410_788, 328_604, 345_024, 377_948, 394_356] },
    Golden { scenario: "churn", write_probability: 0.9, strategy: StrategyName::AccessCount, tokens: [386_116, 361_468, 353_276, 398_452, 349_156, 410_788, 328_604, 345_024, 377_948, 394_356] },
];

fn scenario(name: &str, write_probability: f64) -> Scenario {
    let scenario = Scenario::open(name).expect("a shipped scenario");
    scenario.with_write_probability(write_probability).expect("a probability")
}

#[test]
fn tokens_are_the_published_ones() {
    for golden in GOLDEN {
        let scenario = scenario(golden.scenario, golden.write_probability);
        let strategy = scenario.strategy(golden.strategy);
        let found = cost(&scenario, strategy).expect("a cost").tokens_per_seed;
        assert_eq!(
            found, golden.tokens,
            "{} at V = {}, {strategy}",
            golden.scenario, golden.write_probability
        );
    }
}

#[test]
fn savings_are_the_published_ones() {
    let cases = [
        ("planning", 0.05, "95.0 ± 1.3", "85"),
        ("analysis", 0.10, "92.3 ± 1.4", "80"),
        ("development", 0.25, "88.3 ± 1.5", "65"),
        ("churn", 0.50, "84.2 ± 1.3", "40"),
        ("churn", 0.90, "81.3 ± 1.3", "0"),
    ];
    for (name, write_probability, savings, bound) in cases {
        let found = cost(&scenario(name, write_probability), Strategy::Lazy).expect("a cost");
        let percent = |share: f64| 100.0 * share;
        let Cost { against_broadcast, theorem_bound, .. } = found;
        let shown = format!("{:.1} ± {:.1}", percent(against_broadcast.mean), percent(against_broadcast.sd));
        assert_eq!(shown, savings, "{name} at V = {write_probability}");
        assert_eq!(format!("{:.0}", percent(theorem_bound).abs()), bound, "bound at V = {write_probability}");
    }
}

/// The mode of the reference in which every read fetches.
#[test]
fn always_read_costs_what_the_reference_says() {
    #[rustfmt::skip]
    let cases: [(&str, f64, [u64; 10]); 5] = [
        ("planning", 0.05, [467_016, 454_884, 475_352, 459_076, 450_680, 450_608, 475_304, 454_716, 499_928, 405_660]),
        ("analysis", 0.1, [422_368, 463_184, 446_908, 430_428, 418_068, 463_100, 434_404, 471_472, 393_492, 430_344]),
        ("development", 0.25, [418_404, 402_176, 406_116, 389_576, 442_920, 406_104, 455_268, 373_252, 414_140, 447_208]),
        ("churn", 0.5, [394_128, 381_744, 369_384, 406_416, 385_768, 414_668, 340_748, 393_960, 426_932, 439_232]),
        ("churn", 0.9, [390_212, 377_852, 361_468, 418_932, 365_540, 414_884, 340_892, 357_312, 390_236, 406_644]),
    ];
    for (name, write_probability, tokens) in cases {
        let found = cost(&scenario(name, write_probability), Strategy::Lazy).expect("a cost");
        assert_eq!(found.always_read_tokens_per_seed, tokens, "{name} at V = {write_probability}");
    }
}

#[test]
fn baselines_are_those_of_the_same_seeds() {
    let churn = cost(&scenario("churn", 0.5), Strategy::Lazy).expect("a cost");
    let share = |savings: lrrc_sim::Savings| format!("{:.1}", 100.0 * savings.mean);
    assert_eq!(share(churn.against_fetch_every_action), "34.9");
    assert_eq!(share(churn.against_always_read), "21.0");
    assert_eq!(churn.lazy_tokens_per_seed, churn.tokens_per_seed);
}

#[test]
fn no_lazy_run_costs_more_than_its_ceiling() {
    for write_probability in [0.0, 0.05, 0.3, 0.6, 0.9, 1.0] {
        let workload = scenario("churn", write_probability).workload;
        for seed in 0..200 {
            let run = run(&workload, Strategy::Lazy, seed);
            let ceiling = ceiling_tokens(&workload, &run.writes);
            let tokens = run.tokens.total();
            assert!(tokens <= ceiling, "seed {seed} at V = {write_probability}: {tokens} > {ceiling}");
        }
    }
}

#[test]
fn under_eager_each_agent_fetches_each_artifact_once() {
    let workload = scenario("churn", 0.5).workload;
    for seed in 0..50 {
        let run = run(&workload, Strategy::Eager, seed);
        let (agents, artifacts) = (u64::from(workload.agents), u64::from(workload.artifacts));
        assert!(run.tokens.fetch <= agents * artifacts * workload.artifact_tokens, "seed {seed}");
        let sends = (agents - 1) * run.writes.iter().sum::<u64>();
        assert!(run.tokens.push <= sends * workload.artifact_tokens, "seed {seed}");
    }
}

#[test]
fn wide_bounds_cost_what_lazy_costs() {
    let workload = scenario("analysis", 0.1).workload;
    for seed in 0..20 {
        let lazy = run(&workload, Strategy::Lazy, seed);
        assert_eq!(run(&workload, Strategy::Lease { ticks: 41 }, seed), lazy, "seed {seed}");
        assert_eq!(run(&workload, Strategy::AccessCount { reads: 41 }, seed), lazy, "seed {seed}");
    }
}
