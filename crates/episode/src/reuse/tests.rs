use super::*;
use crate::{Encoding, Role, TokenCounter, ToolCall};

const HISTORY: [(Role, &str); 4] = [
    (Role::System, "Offer gift cards of at most 500 dollars."),
    (Role::User, "I am mia_li_3668 and fly to Boston on May 20th."),
    (Role::Tool, r#"[{"no":"HAT1","price":152},{"no":"HAT2","price":103}]"#),
    (Role::User, "Take the cheap one, limit 500"),
];

fn told() -> (History, Said) {
    let turns: Vec<Turn> = HISTORY.iter().map(|(role, text)| Turn::text(0, *role, *text)).collect();
    let history = History::of(&turns, &TokenCounter::new(Encoding::Cl100kBase));
    let mut said = Said { last: history.known_items(HISTORY[3].1), ..Said::default() };
    said.system.extend(HISTORY[0].1);
    HISTORY[1..].iter().for_each(|(_, text)| said.history.extend(text));
    (history, said)
}

fn output(content: &str, arguments: &str) -> Turn {
    let mut turn = Turn::text(1, Role::Assistant, content);
    turn.tool_calls = vec![ToolCall { id: None, name: "f".into(), arguments: arguments.into() }];
    turn
}

/// Checks the copied arguments, written as `atoms` or, where the system text holds them too, `atoms!`.
#[track_caller]
fn check_arguments(arguments: &str, expect: &[&str]) {
    let (history, said) = told();
    let needs = needs(&history, &said, &output("", arguments));
    let mark = |argument: &Argument| {
        format!("{}{}", argument.atoms.text(), if argument.in_system { "!" } else { "" })
    };
    assert_eq!(needs.arguments.iter().map(mark).collect::<Vec<_>>(), expect, "arguments of {arguments}");
}

#[test]
fn arguments_are_matched_however_they_are_spelled() {
    check_arguments(r#"{"user": "mia_li_3668", "no": "HAT2"}"#, &["mia li 3668", "hat2"]);
    check_arguments(r#"{"date": "2024-05-20", "prices": [152, {"x": "$103.00"}]}"#, &["05/20", "152", "103"]);
}

#[test]
fn what_the_history_does_not_hold_is_no_need() {
    check_arguments(r#"{"user": "tom_9", "no": "HAT3", "price": 52, "ok": true, "none": null}"#, &[]);
    check_arguments(r#"{"n": 1, "s": "to"}"#, &[]);
}

#[test]
fn a_value_of_the_system_text_is_marked() {
    check_arguments(r#"{"limit": 500, "no": "HAT1"}"#, &["500!", "hat1"]);
    check_arguments(r#"{"kind": "gift cards"}"#, &[]);
}

#[test]
fn an_expression_is_each_of_its_values() {
    check_arguments(r#"{"expression": "152 + 103 - 77"}"#, &["152", "103"]);
}

#[test]
fn a_long_thought_is_free_text() {
    let thought =
        "Since HAT1 costs 152 and HAT2 only 103, the user should take the second; I shall book it at once.";
    let (history, said) = told();
    let needs = needs(&history, &said, &output("", &serde_json::json!({ "thought": thought }).to_string()));
    assert_eq!(needs.arguments, []);
    for answer in ["hat1", "152", "hat2", "103"] {
        assert!(needs.answers.contains(&history.id(answer).unwrap()), "{answer}");
    }
}

#[test]
fn arguments_that_do_not_parse_are_free_text() {
    let (history, said) = told();
    let needs = needs(&history, &said, &output("", r#"{"no": "HAT1", "price": "#));
    assert_eq!((needs.arguments.len(), needs.answers.contains(&history.id("hat1").unwrap())), (0, true));
}

#[test]
fn an_output_needs_answers_and_words_apart() {
    let (history, said) = told();
    let needs = needs(
        &history,
        &said,
        &output("Flying mia_li_3668 to Boston, Boston! The cheap limit of 500.", "{}"),
    );
    let ids = |texts: &[&str]| texts.iter().map(|text| history.id(text).unwrap()).collect::<Vec<_>>();
    assert_eq!(needs.answers, ids(&["mia li 3668", "boston", "500"]));
    assert_eq!(needs.words, ids(&["cheap", "limit"]));
    let mut items = ids(&["mia li 3668", "boston"]);
    items.sort_unstable();
    assert_eq!(needs.items, items, "the last message shows the rest");
}

#[test]
fn wants_rise_to_the_heaviest_need() {
    let (history, said) = told();
    let needs = needs(&history, &said, &output("HAT2 for Boston, cheap", r#"{"no": "HAT2"}"#));
    let mut wanted = vec![0.0; history.items().len()];
    needs.raise(&mut wanted);
    let want = |text| wanted[history.id(text).unwrap() as usize];
    assert_eq!(["hat2", "boston", "cheap", "hat1"].map(want), [1.0, ANSWER, WORD, 0.0]);
    needs.raise(&mut wanted);
    assert_eq!(wanted[history.id("hat2").unwrap() as usize], 1.0);
}
