use serde_json::json;

use super::*;
use crate::{
    Agent, Encoding, Outcome, TokenCounter, ToolCall, Winner,
    observe::{CALL_FEATURE_NAMES, ObserveOptions, observe_episode},
};

fn called(name: &str, arguments: &Value) -> Turn {
    let mut turn = Turn::text(1, Role::Assistant, "");
    let call = ToolCall { id: Some("a".into()), name: name.into(), arguments: arguments.to_string() };
    turn.tool_calls = vec![call];
    turn
}

fn result(id: &str, text: &str) -> Turn {
    Turn { tool_call_id: Some(id.into()), ..Turn::text(2, Role::Tool, text) }
}

fn said(agent: usize, role: Role, text: &str) -> Turn {
    Turn::text(agent, role, text)
}

fn observe(turns: Vec<Turn>, winner: Option<Winner>) -> Observed {
    let episode = Episode {
        id: "e".into(),
        group: "g".into(),
        source: "test".into(),
        license: "MIT".into(),
        task: None,
        agents: ["Mia", "agent", "tool"].map(|name| Agent { name: name.into(), model: None }).into(),
        turns,
        queries: Vec::new(),
        outcome: Outcome { winner, ..Outcome::default() },
    };
    observe_episode(&episode, &TokenCounter::new(Encoding::Cl100kBase), &ObserveOptions { modes: Vec::new() })
}

/// A read that is used, a read that is not, the same again, a question, an action, a farewell.
fn booking() -> Vec<Turn> {
    vec![
        said(0, Role::System, "HAT airlines fly to Boston and Denver."),
        said(0, Role::User, "Fly me to Boston."),
        called("search", &json!({"to": "Boston"})),
        result("a", r#"[{"no":"HAT77","price":152},{"no":"HAT88","price":103}]"#),
        called("search", &json!({"to": "Denver", "day": 3})),
        result("a", r#"[{"no":"HAT55","price":981}]"#),
        called("search", &json!({"day": 3, "to": "Denver"})),
        result("a", r#"[{"no":"HAT55","price":981}]"#),
        said(1, Role::Assistant, "HAT88 costs 103. Shall I book?"),
        said(0, Role::User, "Yes."),
        called("book", &json!({"no": "HAT88"})),
        result("a", "Error: sold out"),
        said(1, Role::Assistant, "HAT88 is sold out."),
    ]
}

#[test]
fn a_call_is_worth_what_later_outputs_use_of_it() {
    let observed = observe(booking(), None);
    let worths = &observed.worths;
    let told: Vec<_> = worths.iter().map(|w| (w.turns.clone(), w.kind, w.bound, w.repeats)).collect();
    let expect = [
        (2..4, CallKind::Reads, false, false),
        (4..6, CallKind::Reads, false, false),
        (6..8, CallKind::Reads, false, true),
        (8..9, CallKind::Speaks, true, false),
        (10..12, CallKind::Acts, true, false),
        (12..13, CallKind::Speaks, true, false),
    ];
    assert_eq!(told, expect);
    let text = |(id, weight): &(ItemId, f32)| (observed.history.items()[*id as usize].text.clone(), *weight);
    let mut used: Vec<_> = worths[0].used.iter().map(text).collect();
    used.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(used, [("103".to_owned(), 0.5), ("hat88".to_owned(), 1.0)]);
    let useful: Vec<bool> = worths.iter().map(Worth::is_useful).collect();
    assert_eq!(useful, [true, false, false, true, true, true]);
    let labels: Vec<f32> = observed.observation.calls.iter().map(|call| call.label).collect();
    assert_eq!(labels, [1.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    let seen: Vec<usize> = observed.observation.calls.iter().map(|call| call.turns_seen).collect();
    assert_eq!(seen, [2, 4, 6, 8, 10, 12]);
}

#[test]
fn an_item_is_lost_where_only_skipped_calls_have_said_it() {
    let observed = observe(booking(), None);
    let lost = |skipped: &[usize]| {
        let marks: Vec<bool> = (0..observed.worths.len()).map(|at| skipped.contains(&at)).collect();
        observed.lost_weight(&marks)
    };
    assert_eq!(lost(&[]), 0.0);
    assert_eq!(lost(&[1, 2]), 0.0);
    assert_eq!(lost(&[0]), 1.5, "the question after it uses both");
    assert_eq!(lost(&[0, 3]), 1.5, "skipping the question does not excuse it");

    let mut again = booking();
    again[5] = result("a", r#"[{"no":"HAT88","price":103}]"#);
    let observed = observe(again, None);
    let lost = |marks: [bool; 6]| observed.lost_weight(&marks);
    assert_eq!(lost([true, false, false, false, false, false]), 0.0, "the second search says it too");
    assert_eq!(lost([true, true, false, false, false, false]), 1.5);
}

#[test]
fn results_that_answer_another_call_are_not_of_this_one() {
    let mut turns = booking();
    turns[5] = result("b", "{}");
    assert_eq!(observe(turns, None).worths[1].turns, 4..5);
}

#[test]
fn rival_answers_have_no_worth() {
    let observed = observe(booking(), Some(Winner::Tie));
    assert!(observed.worths.is_empty() && observed.observation.calls.is_empty());
    assert_eq!(observed.calls.len(), 6);
}

#[test]
fn features_tell_what_came_just_before_a_call() {
    let observed = observe(booking(), None);
    let calls = &observed.observation.calls;
    let of = |call: usize, name: &str| {
        let at = CALL_FEATURE_NAMES.iter().position(|known| *known == name).unwrap();
        calls[call].features[at]
    };
    let check = |name: &str, expect: [f32; 6]| {
        let found: Vec<f32> = (0..6).map(|call| of(call, name)).collect();
        assert_eq!(found, expect, "{name}");
    };
    check("newest_from_user", [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    check("newest_from_tool", [0.0, 1.0, 1.0, 1.0, 0.0, 1.0]);
    check("newest_is_error", [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    check("newest_is_repeated", [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    check("last_repeats", [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    check("last_reads", [0.0, 1.0, 1.0, 1.0, 0.0, 0.0]);
    check("last_acts", [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    assert!(of(1, "newest_new_share") == 1.0 && of(3, "newest_new_share") == 0.0);
    assert!(of(3, "outputs_alike") == 1.0 && of(2, "outputs_alike") < 1.0);
    assert!(
        of(3, "reads_since_user_log") > of(2, "reads_since_user_log") && of(4, "reads_since_user_log") == 0.0
    );
    let usual = |value: &f32| (-2.0..=2.0).contains(value);
    assert!(calls.iter().all(|call| call.features.iter().all(usual)));
}

#[test]
fn a_tool_reads_if_its_name_begins_with_a_reading_verb() {
    for name in
        ["get_user", "searchFlights", "db.list_tables", "think", "_read", "Calculate", "mcp/fetch-page"]
    {
        assert!(only_reads(name), "{name}");
    }
    for name in ["book_flight", "update_search", "getaway_book", "transfer", "send.mail", "", "checkout"] {
        assert!(!only_reads(name), "{name}");
    }
}

#[test]
fn arguments_are_compared_as_values() {
    let same = |a: &str, b: &str| call_key("f", a) == call_key("f", b);
    assert!(same(r#"{"a": 1, "b": {"d":2,"c":3}}"#, r#"{"b":{"c":3,"d":2},"a":1}"#));
    assert!(!same(r#"{"a":1}"#, r#"{"a":2}"#) && !same("not json", "not json either"));
    assert_ne!(call_key("f", "{}"), call_key("g", "{}"));
}
