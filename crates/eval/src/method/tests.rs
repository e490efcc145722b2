use std::collections::BTreeSet;

use lrrc_episode::{Agent, Encoding, Episode, Outcome, Query, Role, TokenCounter, ToolCall, Turn};

use super::*;
use crate::{Counts, Viewer, measure, observe_all};

/// A traveller asks twice; the second call of the agent needs one code of an old tool result.
fn episode() -> Episode {
    let call = |name: &str, arguments: &str| {
        let mut turn = Turn::text(1, Role::Assistant, "");
        turn.tool_calls = vec![ToolCall { id: None, name: name.to_owned(), arguments: arguments.to_owned() }];
        turn
    };
    let flights = r#"[{"flight": "HAT136", "price": 152}, {"flight": "HAT039", "price": 237},
        {"flight": "HAT271", "price": 184}, {"flight": "HAT088", "price": 419}]"#;
    let turns = vec![
        Turn::text(0, Role::User, "Which flights leave Boston for Denver on 2024-05-20?"),
        call("search", r#"{"from": "Boston", "to": "Denver"}"#),
        Turn::text(2, Role::Tool, flights),
        Turn::text(1, Role::Assistant, "Four flights leave that day, the cheapest costs 152 dollars."),
        Turn::text(0, Role::User, "Let me think about luggage first."),
        Turn::text(1, Role::Assistant, "Each passenger may bring two suitcases."),
        Turn::text(0, Role::User, "Good, book the one for 237 dollars."),
        call("book", r#"{"flight": "HAT039"}"#),
    ];
    let agent = |name: &str| Agent { name: name.to_owned(), model: None };
    Episode {
        id: "e".to_owned(),
        group: "g".to_owned(),
        source: String::new(),
        license: String::new(),
        task: None,
        agents: ["user", "agent", "tool"].map(agent).to_vec(),
        turns,
        queries: Vec::new(),
        outcome: Outcome::default(),
    }
}

fn observed(episode: &Episode, counter: &TokenCounter) -> Observed {
    observe_all(std::slice::from_ref(episode), counter).remove(0)
}

fn played(method: Method, knob: f64) -> (Observed, Plan, Counts) {
    let counter = TokenCounter::new(Encoding::Cl100kBase);
    let observed = observed(&episode(), &counter);
    let plan = method.plan(&observed, &method.rule_scores(&observed, None), knob);
    let counts = measure(&observed, &mut Viewer::new(&observed.history, &counter), &plan, method.whole());
    (observed, plan, counts)
}

#[test]
fn every_method_has_a_name_of_its_own_and_one_class() {
    let names: BTreeSet<&str> = Method::ALL.map(Method::name).into();
    assert_eq!(names.len(), Method::ALL.len());
    for method in Method::ALL {
        let classes = [method.is_learned(), method.is_oracle(), method.is_untrained_baseline()];
        let expected = usize::from(method != Method::Full);
        assert_eq!(classes.into_iter().filter(|is| *is).count(), expected, "{}", method.name());
    }
}

#[test]
fn no_baseline_looks_at_the_future() {
    let counter = TokenCounter::new(Encoding::Cl100kBase);
    let whole = episode();
    let cut = Episode { turns: whole.turns[..6].to_vec(), ..whole.clone() };
    let (whole, cut) = (observed(&whole, &counter), observed(&cut, &counter));
    let known = cut.observation.decisions.len();
    assert!(known > 3);
    let agree = |method: Method| {
        let [all, some] = [&whole, &cut].map(|observed| method.rule_scores(observed, None));
        all[..known] == some
    };
    let is_rule = |method: &Method| method.is_untrained_baseline();
    let looking: Vec<&str> =
        Method::ALL.into_iter().filter(is_rule).filter(|m| !agree(*m)).map(Method::name).collect();
    assert!(looking.is_empty(), "{looking:?}");
    assert!(!agree(Method::OracleSegment), "an oracle does");
}

#[test]
fn the_oracle_of_values_keeps_the_flight_and_nothing_that_nobody_asks_for() {
    let (observed, plan, counts) = played(Method::OracleValue, 1e8);
    assert_eq!((counts.args.kept, counts.args.all), (3.0, 3.0));
    let (call, kept) = (observed.calls.last().expect("calls"), plan.last().expect("a plan"));
    let old = (0..call.tail_from).flat_map(|turn| observed.history.range(turn));
    let shown: Vec<&str> =
        old.filter(|at| kept.has(*at)).map(|at| observed.history.segment(at).text.as_str()).collect();
    assert!(shown.contains(&"flight HAT039"), "{shown:?}");
    assert!(!shown.iter().any(|text| text.contains("HAT088") || text.contains("HAT271")), "{shown:?}");
    let (_, _, none) = played(Method::OracleValue, 0.05);
    assert!(none.args.kept < none.args.all, "without a budget it keeps nothing old");
}

#[test]
fn the_oracle_of_values_leaves_the_budget_of_a_query_unspent() {
    let query = Query {
        text: "What about luggage?".to_owned(),
        answer: "The customer wants to decide that first.".to_owned(),
        evidence: vec![(4, 4)],
    };
    let counter = TokenCounter::new(Encoding::Cl100kBase);
    let observed = observed(&Episode { queries: vec![query], ..episode() }, &counter);
    let scores = Method::OracleValue.rule_scores(&observed, None);
    let plan = Method::OracleValue.plan(&observed, &scores, 1.0);
    let kept = plan.last().expect("a query is a call");
    assert!(observed.history.range(4).all(|at| kept.has(at)), "evidence is kept");
    assert!(observed.history.range(2).all(|at| !kept.has(at)), "flights are not");
}

#[test]
fn the_oracle_of_segments_puts_what_is_needed_first() {
    let (observed, _, _) = played(Method::OracleSegment, 1.0);
    let scores = Method::OracleSegment.rule_scores(&observed, None);
    let decision = *observed.calls.last().expect("calls").decisions.last().expect("re-ranked");
    let score = |wanted: &str| {
        let scored = observed.candidates(decision).zip(&scores[decision]);
        let mut of =
            scored.filter(|(candidate, _)| observed.history.segment(candidate.segment).text == wanted);
        *of.next().unwrap_or_else(|| panic!("{wanted} is a candidate")).1
    };
    assert_eq!((score("flight HAT039"), score("flight HAT088")), (1.0, 0.0));
}

#[test]
fn a_query_is_answered_with_whole_turns() {
    let counter = TokenCounter::new(Encoding::Cl100kBase);
    let query =
        Query { text: "What about luggage?".into(), answer: "Two suitcases.".into(), evidence: vec![(4, 5)] };
    let observed = observed(&Episode { queries: vec![query], ..episode() }, &counter);
    let (number, call) = observed
        .calls
        .iter()
        .enumerate()
        .find(|(_, call)| call.query.is_some())
        .expect("the query is a call");
    let decision = replay::decision_of(&observed, call, Mode::Rerank).expect("it is decided");
    // One segment of the gold turns is known to matter, and one of another turn a little less.
    let best = [(4, 0.9), (2, 0.8)].map(|(turn, score)| (observed.history.range(turn).start, score));
    let mut scores: Scores =
        observed.observation.decisions.iter().map(|one| vec![0.0; one.candidates.len()]).collect();
    for (at, candidate) in observed.candidates(decision).enumerate() {
        if let Some((_, score)) = best.iter().find(|(segment, _)| *segment == candidate.segment) {
            scores[decision][at] = *score;
        }
    }
    let kept = &Method::LrrcRerank.plan(&observed, &scores, 0.12)[number];
    let of_turn = |turn: usize| observed.history.range(turn).filter(|at| kept.has(*at)).count();
    assert_eq!(of_turn(4), observed.history.range(4).len(), "the turn of the best segment is there whole");
    assert_eq!(kept, &Method::LrrcOnce.plan(&observed, &scores, 0.12)[number], "a query is decided once");
}
