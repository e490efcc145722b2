use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{Encoding, ToolCall, table};

static COUNTER: LazyLock<TokenCounter> = LazyLock::new(|| TokenCounter::new(Encoding::Cl100kBase));

fn cut(role: Role, content: &str) -> SegmentedTurn {
    SegmentedTurn::new(&Turn::text(0, role, content), &COUNTER)
}

fn call(name: &str, arguments: &str) -> SegmentedTurn {
    let mut turn = Turn::text(0, Role::Assistant, "");
    turn.tool_calls = vec![ToolCall { id: None, name: name.into(), arguments: arguments.into() }];
    SegmentedTurn::new(&turn, &COUNTER)
}

fn texts(turn: &SegmentedTurn) -> Vec<&str> {
    turn.segments().iter().map(|segment| segment.text.as_str()).collect()
}

fn keep_only(turn: &SegmentedTurn, text: &str) -> Vec<bool> {
    let kept: Vec<bool> = turn.segments().iter().map(|segment| segment.text == text).collect();
    assert!(kept.contains(&true), "{text:?} is none of {:?}", texts(turn));
    kept
}

#[track_caller]
fn check_cut(role: Role, content: &str, expect: &[&str]) {
    assert_eq!(texts(&cut(role, content)), expect);
}

#[track_caller]
fn check_render(turn: &SegmentedTurn, keep: &str, expect: &str) {
    assert_eq!(turn.render(&keep_only(turn, keep)), expect);
}

/// What holds of every turn, whatever it says.
#[track_caller]
fn check_laws(turn: &SegmentedTurn) {
    for segment in turn.segments() {
        assert!(segment.value().chars().count() <= MAX_CHARS, "{segment:?}");
        assert!(segment.cost > 0, "{segment:?}");
        let source = turn.part_source(segment.part);
        let shown = source.get(segment.span.clone()).expect("a span ends between characters");
        let is_prose = !turn.parts[segment.part].source.trim_start().starts_with(['{', '[']);
        if is_prose && segment.kind != SegmentKind::Call {
            assert_eq!(shown, segment.text);
        }
    }
    assert_eq!(turn.render(&vec![false; turn.segments().len()]), "");
}

#[test]
fn prose_is_cut_by_phrase() {
    check_cut(
        Role::User,
        "The price of the red bag is $40.\nReturn it by 5 May!",
        &["The", "price", "of the", "red bag", "is", "$40", "Return", "it by", "5 May"],
    );
    check_cut(Role::User, "mia_li_3668 pays 5% one-way", &["mia_li_3668 pays 5%", "one-way"]);
}

#[test]
fn a_transcript_is_cut_by_sentence_and_code_by_line() {
    check_cut(Role::Speaker, "We meet at ten. Bring the plan.", &["We meet at ten.", "Bring the plan."]);
    check_cut(
        Role::User,
        "see\n```rust\nlet a = 1;\n  a + 2\n```\nover there",
        &["see", "```rust", "let a = 1;", "a + 2", "```", "over there"],
    );
}

#[test]
fn a_text_without_a_word_is_not_lost() {
    for text in ["👍", "?!", "— … —", &"=".repeat(1000)] {
        let turn = cut(Role::User, text);
        check_laws(&turn);
        assert_eq!(turn.render_all(), text);
    }
    assert!(cut(Role::User, " \n\t ").segments().is_empty());
}

#[test]
fn every_scalar_and_empty_container_is_a_field() {
    check_cut(
        Role::Tool,
        r#"{"a":{"b":1,"c":[true,null]},"d":[],"e":"x y"}"#,
        &["a b 1", "a c true", "a c null", "d []", "e x y"],
    );
    check_cut(Role::Tool, "[]", &["[]"]);
    check_cut(Role::Tool, "[1, 2]", &["1", "2"]);
    check_cut(Role::Tool, "42", &["42"]);
    check_cut(Role::Tool, "\"a string\"", &["a", "string"]);
}

#[test]
fn spans_of_fields_point_at_their_literals() {
    let turn = cut(Role::Tool, r#" {"n": 1e5, "k": "\u00e9\"", "a": [5, 1.0], "n2": 5}"#);
    let literals: Vec<&str> =
        turn.segments().iter().map(|segment| &turn.part_source(0)[segment.span.clone()]).collect();
    assert_eq!(literals, ["1e5", r#""\u00e9\"""#, "5", "1.0", "5"]);
}

#[test]
fn a_row_is_named_by_its_first_field() {
    let turn = cut(
        Role::Tool,
        r#"[{"no":"A1","from":"JFK","seats":{"eco":3}},{"no":"B2","from":"SFO","seats":{"eco":7}}]"#,
    );
    check_render(&turn, "seats eco 7", "[{no:B2,seats:{eco:7}}]");
    check_render(&turn, "no A1", "[{no:A1}]");
    assert_eq!((turn.head(0), turn.head(5)), (None, Some(3)));
}

#[test]
fn a_map_of_records_keeps_the_key_of_a_kept_field() {
    let turn = cut(Role::Tool, r#"{"card_1":{"kind":"visa","sum":10},"card_2":{"kind":"gift","sum":20}}"#);
    check_render(&turn, "card_2 sum 20", "{card_2:{sum:20}}");
}

#[test]
fn a_call_shows_its_name_and_kept_arguments() {
    let turn = call("book", r#"{"flight":"HAT1","date":"2024-05-20"}"#);
    check_render(&turn, "book", "book");
    check_render(&turn, "flight HAT1", "book{flight:HAT1}");
    assert_eq!(turn.render_all(), "book{flight:HAT1,date:2024-05-20}");
}

#[test]
fn arguments_that_are_no_object_are_prose_behind_the_name() {
    let turn = call("think", "\"alice went home\"");
    assert_eq!(texts(&turn), ["think", "alice went home"]);
    check_render(&turn, "think", "think");
    check_render(&turn, "alice went home", "think \"alice went home\"");
    check_render(&call("think", "alice (went) home"), "home", "think home");
    assert_eq!(call("ping", "").render_all(), "ping");
    assert_eq!(call("list", "[]").render_all(), "list[]");
    assert_eq!(call("cut", "{\"a\": ").render_all(), "cut {\"a\": ");
}

#[test]
fn the_value_of_a_long_text_keeps_words_that_resemble_its_key() {
    let text = format!("apple pie {}", "with sugar and cream ".repeat(20));
    let turn = cut(Role::Tool, &json!({"a": text, "b": 1}).to_string());
    assert_eq!(turn.segments()[0].value(), "apple pie");
    check_render(&turn, "apple pie", "{a:apple pie}");
    assert_eq!(table::decode(&turn.render_all()).unwrap()["a"], Value::from(text));
}

#[test]
fn of_a_repeated_key_the_last_value_is_shown() {
    let turn = cut(Role::Tool, r#"{"a":1,"b":2,"a":3}"#);
    assert_eq!(texts(&turn), ["a 3", "b 2"]);
    assert_eq!(&turn.part_source(0)[turn.segments()[0].span.clone()], "3");
    assert_eq!(turn.render_all(), "{a:3,b:2}");
}

#[test]
fn a_document_whose_numbers_would_change_stays_text() {
    let source = r#"{"id": 123456789012345678901234567890}"#;
    let turn = cut(Role::Tool, source);
    assert_eq!(turn.render_all(), source);
    assert!(texts(&turn).contains(&"123456789012345678901234567890"));
}

#[test]
fn depth_is_no_danger() {
    for depth in [100, 127, 128, 200, 100_000] {
        let source = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let turn = cut(Role::Tool, &source);
        check_laws(&turn);
        if depth <= 127 {
            assert_eq!(
                table::decode(&turn.render_all()).unwrap(),
                serde_json::from_str::<Value>(&source).unwrap()
            );
        } else {
            assert_eq!(turn.render_all(), source);
        }
    }
}

#[test]
fn a_megabyte_without_a_blank_is_cut_at_the_limit() {
    for letter in ["a", "é", "漢", "7", "."] {
        let source = letter.repeat((1 << 20) / letter.len());
        let turn = cut(Role::User, &source);
        assert_eq!(turn.segments().len(), source.chars().count().div_ceil(MAX_CHARS));
        check_laws(&turn);
        assert_eq!(turn.render_all(), source);
        let mut keep = vec![false; turn.segments().len()];
        keep[..2].fill(true);
        assert_eq!(turn.render(&keep), letter.repeat(2 * MAX_CHARS));
    }
}

fn scalars() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e6..1e6).prop_map(|x: f64| Value::from(x)),
        "[a-c{}<>|,:=*^\" \n0-9-]{0,6}".prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ]
}

fn documents() -> impl Strategy<Value = Value> {
    let keys = "[ab \"é*]{0,2}";
    let values = scalars().prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((keys, inner.clone()), 0..5)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            prop::collection::vec(prop::collection::vec(inner, 3), 2..5).prop_map(|rows| {
                let named = |row: Vec<Value>| {
                    Value::Object(["x", "y", "z"].map(str::to_owned).into_iter().zip(row).collect())
                };
                rows.into_iter().map(named).collect()
            }),
        ]
    });
    values.prop_filter("a document is a container", |value| value.is_object() || value.is_array())
}

fn prose() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,12}",
        "[a-zA-Z0-9 .,!?$%'_@/\n-]{0,60}",
        "(the|of|price|Mia's|May 5th|\\$1,200|5%|👍|é) ",
        Just("\n```\n".to_owned()),
        "[a-zé漢]{200,520}",
    ];
    prop::collection::vec(piece, 0..8)
        .prop_map(|pieces| pieces.concat())
        .prop_filter("a document is no prose", |text| !text.trim_start().starts_with(['{', '[']))
}

/// Every leaf with the keys above it; indices of arrays change when rows vanish and do not count.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            map.iter().for_each(|(key, value)| leaves(value, &format!("{path}/{key:?}"), found));
        }
        Value::Array(items) if !items.is_empty() => items.iter().for_each(|item| leaves(item, path, found)),
        leaf => found.push(format!("{path} = {leaf}")),
    }
}

/// The leaves that `kept` decides on, heads included, sorted.
fn expected(value: &Value, turn: &SegmentedTurn, keep: &[bool]) -> Vec<String> {
    let mut all = Vec::new();
    leaves(value, "", &mut all);
    assert_eq!(all.len(), turn.segments().len(), "one segment a leaf");
    let headed = |at: usize| (0..keep.len()).any(|other| keep[other] && turn.head(other) == Some(at));
    let mut shown: Vec<String> = all
        .into_iter()
        .enumerate()
        .filter(|(at, _)| keep[*at] || headed(*at))
        .map(|(_, leaf)| leaf)
        .collect();
    shown.sort();
    shown
}

fn is_subsequence(part: &str, whole: &str) -> bool {
    let mut rest = whole.chars();
    part.chars().filter(|c| !c.is_whitespace()).all(|c| rest.any(|other| other == c))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn json_comes_back_whole(value in documents(), pretty in any::<bool>()) {
        let source = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
        let turn = cut(Role::Tool, &source);
        check_laws(&turn);
        prop_assert_eq!(table::decode(&turn.render_all()), Ok(value));
    }

    #[test]
    fn kept_fields_are_the_sources_fields(value in documents(), bits in prop::collection::vec(any::<bool>(), 64)) {
        let turn = cut(Role::Tool, &value.to_string());
        let keep: Vec<bool> = (0..turn.segments().len()).map(|at| bits[at % bits.len()]).collect();
        let text = turn.render(&keep);
        let mut shown = Vec::new();
        if !text.is_empty() {
            leaves(&table::decode(&text).unwrap(), "", &mut shown);
        }
        shown.sort();
        prop_assert_eq!(shown, expected(&value, &turn, &keep));
    }

    #[test]
    fn prose_comes_back_whole(text in prose(), transcript in any::<bool>()) {
        let turn = cut(if transcript { Role::Speaker } else { Role::User }, &text);
        check_laws(&turn);
        prop_assert_eq!(turn.render_all(), if text.trim().is_empty() { "" } else { &text });
    }

    #[test]
    fn kept_prose_is_the_sources(text in prose(), bits in prop::collection::vec(any::<bool>(), 64)) {
        let turn = cut(Role::User, &text);
        let keep: Vec<bool> = (0..turn.segments().len()).map(|at| bits[at % bits.len()]).collect();
        let shown = turn.render(&keep);
        prop_assert!(is_subsequence(&shown, &text), "{shown:?}");
        for word in shown.split_whitespace() {
            prop_assert!(text.contains(word), "{word:?}");
        }
        for (segment, _) in turn.segments().iter().zip(&keep).filter(|(_, kept)| **kept) {
            prop_assert!(shown.contains(&segment.text), "{:?} is kept", segment.text);
        }
    }

    #[test]
    fn long_texts_in_json_are_shortened_to_what_they_say(
        text in prose(),
        bits in prop::collection::vec(any::<bool>(), 64),
    ) {
        let turn = cut(Role::Tool, &json!({"id": 7, "text": text}).to_string());
        let keep: Vec<bool> = (0..turn.segments().len()).map(|at| bits[at % bits.len()]).collect();
        let shown = turn.render(&keep);
        if !shown.is_empty() {
            let decoded = table::decode(&shown).unwrap();
            prop_assert!(is_subsequence(decoded["text"].as_str().unwrap_or_default(), &text), "{shown}");
        }
    }

    #[test]
    fn numbers_keep_their_value(literal in "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?") {
        let turn = cut(Role::Tool, &format!("[{literal}]"));
        let shown = turn.render_all();
        let exact = shown.trim_matches(['[', ']']);
        prop_assert_eq!(layout::significant(exact), layout::significant(&literal));
        prop_assert_eq!(exact.parse::<f64>(), literal.parse::<f64>());
    }
}
