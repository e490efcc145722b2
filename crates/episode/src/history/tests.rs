use serde_json::json;

use super::*;
use crate::{Encoding, ToolCall};

fn counter() -> TokenCounter {
    TokenCounter::new(Encoding::Cl100kBase)
}

fn history(turns: &[(Role, &str)]) -> History {
    let turns: Vec<Turn> = turns.iter().map(|(role, text)| Turn::text(0, *role, *text)).collect();
    History::of(&turns, &counter())
}

#[track_caller]
fn check_items(text: &str, expect: &[(&str, ItemKind)]) {
    let found = items_of_text(text);
    let found: Vec<(&str, ItemKind)> = found.iter().map(|(text, kind)| (text.as_str(), *kind)).collect();
    assert_eq!(found, expect, "items of {text:?}");
}

#[test]
fn items_are_values_names_and_stems() {
    use ItemKind::{Code, Name, Quantity, Word};
    check_items(
        "Flights to Boston on May 20th at 7 PM cost $1,200",
        &[("flight", Name), ("boston", Name), ("05/20", Quantity), ("19:00", Quantity), ("1200", Quantity)],
    );
    check_items("user mia_li_3668 booked HAT069", &[("mia li 3668", Code), ("book", Word), ("hat069", Code)]);
    check_items("of the a 5", &[]);
}

#[test]
fn a_short_field_is_an_item_as_a_whole() {
    let history = history(&[(Role::Tool, r#"{"name": "New York", "kind": "basic_economy", "n": 5}"#)]);
    for whole in ["new york", "basic economy"] {
        assert_eq!(history.items()[history.id(whole).unwrap() as usize].kind, ItemKind::Code);
    }
    assert_eq!(history.id("5"), None);
}

#[test]
fn an_item_knows_where_it_stands() {
    let turns = [
        (Role::System, "Flight HAT069 is special."),
        (Role::User, "HAT069 please. HAT069!"),
        (Role::Assistant, "HAT069 and HAT070"),
        (Role::Assistant, "HAT069"),
    ];
    let history = history(&turns);
    let item = &history.items()[history.id("hat069").unwrap() as usize];
    assert!(item.in_system);
    assert_eq!((item.agent_turns, item.last_agent_turn), (2, 3));
    let turns: Vec<u32> = item.segments.iter().map(|at| history.place(*at as usize).turn).collect();
    assert_eq!(turns, [1, 1, 2, 3]);
    for at in &item.segments {
        assert!(history.items_of(*at as usize).contains(&history.id("hat069").unwrap()));
    }
    assert!(history.range(0).is_empty());
    assert!(!history.items()[history.id("hat070").unwrap() as usize].in_system);
}

#[test]
fn flat_segments_follow_the_turns() {
    let history =
        history(&[(Role::User, "red bag, blue hat"), (Role::User, ""), (Role::Tool, r#"[{"a": 1}]"#)]);
    let ranges: Vec<_> = (0..3).map(|turn| history.range(turn)).collect();
    assert_eq!(ranges, [0..2, 2..2, 2..3]);
    assert_eq!((history.len(), history.is_empty()), (3, false));
    assert_eq!(history.segment(1).text, "blue hat");
    assert_eq!(history.place(2), Place { turn: 2, within: 0 });
}

#[test]
fn terms_are_counted_by_segment_and_by_occurrence() {
    let history = history(&[(Role::User, "bag bag bags, bag")]);
    let [term] = history.known_terms("bags")[..] else { panic!("one stem") };
    assert_eq!((history.term_segments()[term as usize], history.term_total()), (2, 4));
    assert!(history.known_terms("hat").is_empty());
}

#[test]
fn argument_names_of_agents_are_known() {
    let mut turn = Turn::text(0, Role::Assistant, "");
    turn.tool_calls =
        vec![ToolCall { id: None, name: "f".into(), arguments: r#"{"a":{"user_id":"x1"}}"#.into() }];
    let result = Turn::text(0, Role::Tool, r#"{"total": 5}"#);
    let history = History::of(&[turn, result], &counter());
    assert!(history.was_called_with("user_id"));
    assert!(!history.was_called_with("total"), "a result is no call");
}

#[test]
fn the_past_does_not_depend_on_what_follows() {
    let turns = [
        (Role::User, "HAT069 to Boston"),
        (Role::Tool, r#"{"no":"HAT069","to":"Boston"}"#),
        (Role::User, "May 5"),
    ];
    let (short, long) = (history(&turns[..2]), history(&turns));
    for at in 0..short.len() {
        assert_eq!(short.items_of(at), long.items_of(at));
        assert_eq!(short.terms_of(at), long.terms_of(at));
        assert_eq!(short.segment(at), long.segment(at));
    }
}

/// Would take minutes if any step looked at all that came before.
#[test]
fn megabytes_take_seconds() {
    let words: String = (0..60_000).map(|n| format!("word{n} of Item {n}. ")).collect();
    let rows: Vec<_> =
        (0..10_000).map(|n| json!({"id": format!("row_{n}"), "price": n, "note": "a b c"})).collect();
    let odd_numbers = format!("[{}1e5]", "1e5,".repeat(250_000));
    let long_string = json!({"text": words, "again": [words]}).to_string();
    for content in [words, json!(rows).to_string(), odd_numbers, long_string, "a. ".repeat(300_000)] {
        let turn = Turn::text(0, Role::Tool, content.as_str());
        let history = History::of(&[turn], &counter());
        let keep: Vec<bool> = (0..history.len()).map(|at| at % 3 == 0).collect();
        assert!(history.turns()[0].render(&keep).len() <= content.len());
    }
}
