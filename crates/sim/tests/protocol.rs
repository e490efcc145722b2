//! What the protocol of this workspace costs on the published workloads, beside the published model.

use lrrc_sim::{Scenario, Strategy, cost, run, run_protocol};

/// Savings against broadcast with the protocol, which loses no update, and the ones published.
#[test]
fn no_lost_update_costs_less_than_a_percentage_point() {
    let cases = [
        ("planning", "95.0", "95.0"),
        ("analysis", "92.3", "92.3"),
        ("development", "88.2", "88.3"),
        ("churn", "83.6", "84.2"),
    ];
    for (name, protocol, published) in cases {
        let cost = cost(&Scenario::open(name).expect("shipped"), Strategy::Lazy).expect("a cost");
        let share = |savings: lrrc_sim::Savings| format!("{:.1}", 100.0 * savings.mean);
        assert_eq!(cost.protocol_against_broadcast.map(share).as_deref(), Some(protocol), "{name}");
        assert_eq!(share(cost.against_broadcast), published, "{name}");
    }
}

/// Where no agent writes from an old copy and no signal comes late, the two agree token for token.
#[test]
fn planning_costs_the_same_token_for_token() {
    let planning = Scenario::open("planning").expect("shipped");
    for offset in 0..u64::from(planning.seeds.count) {
        let seed = planning.seeds.first + offset;
        let protocol = run_protocol(&planning.workload, Strategy::Lazy, seed).expect("a run");
        assert_eq!(protocol.tokens, run(&planning.workload, Strategy::Lazy, seed).tokens, "seed {seed}");
    }
}
