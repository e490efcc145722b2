//! What the shipped checkpoint costs where the provider caches prefixes, on held-out sessions.

use std::sync::Arc;

use lrrc_dataset::{Dataset, ReadOptions, Side};
use lrrc_episode::{
    Encoding, TokenCounter,
    check::{Limits, check},
};
use lrrc_eval::price::{CacheModel, OUTPUT_PRICE, PriceReport, Pricing, Strategy, price, sessions};
use lrrc_model::{Policy, device};

/// Episodes of a long session.
const EPISODES: usize = 5;
/// Share of the history to keep.
const KEEP: f64 = 0.3;

fn priced(names: &[&str]) -> PriceReport {
    let counter = Arc::new(TokenCounter::new(Encoding::Cl100kBase));
    let options = ReadOptions { counter: Some(Arc::clone(&counter)), ..ReadOptions::default() };
    let dataset = Dataset::open("taubench-airline", &options).expect("it is shipped");
    let (episodes, split) = dataset.read_split().expect("it is sound");
    let sessions = sessions(&split.select(&episodes, Side::Test), EPISODES);
    assert!(sessions.iter().all(|session| check(session, Limits::default()).is_ok()));
    let device = device("cpu").expect("every build has the CPU");
    let policy = Policy::load(&crate::root().join("checkpoints/default"), &device).expect("it is shipped");
    let wanted = |strategy: &Strategy| names.contains(&strategy.name);
    let request = Pricing {
        dataset: "taubench-airline",
        sessions: &sessions,
        counter: &counter,
        policy: Some(&policy),
        budgets: vec![KEEP],
        strategies: Strategy::ALL.into_iter().filter(wanted).collect(),
        models: CacheModel::ALL.to_vec(),
        output_price: OUTPUT_PRICE,
        seed: 0,
    };
    price(&request, |_| ()).expect("the sessions have calls")
}

#[test]
fn long_sessions_cost_half_and_lose_nothing_where_old_bytes_stay() {
    let frozen = ["lrrc-ingest", "lrrc-ingest, users whole", "lrrc-once, tail uncached", "lrrc-epochs"];
    let report = priced(&frozen);
    for name in frozen {
        let row = report.row(name, KEEP).expect("it was priced");
        assert!(row.prices[0].input <= 0.5, "{name} costs {:?}", row.prices[0]);
        assert!(row.args_kept.is_some_and(|args| args >= 0.99), "{name} keeps {:?}", row.args_kept);
    }
}

#[test]
fn rewriting_at_every_call_costs_more_than_it_saves() {
    let rewriting = ["last-n", "coverage", "lrrc-rerank"];
    let report = priced(&rewriting);
    for name in rewriting {
        let row = report.row(name, KEEP).expect("it was priced");
        let [cached, _, uncached] = &row.prices[..] else { panic!("three providers: {:?}", row.prices) };
        assert!(cached.input_interval[0] > 1.0, "{name} costs {cached:?}");
        assert!(uncached.input < 1.0, "{name} costs {uncached:?}");
    }
}
