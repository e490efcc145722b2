use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

#[track_caller]
fn check(value: &Value, expect: &str) {
    let text = encode(value);
    assert_eq!(text, expect);
    assert_eq!(decode(&text).as_ref(), Ok(value));
}

#[test]
fn a_map_of_like_objects_keeps_its_keys_once() {
    let cards = json!({"visa_1": {"kind": "card", "id": "visa_1"}, "gift_2": {"kind": "gift", "amount": 5, "id": "gift_2"}});
    check(&cards, "<*id|kind|amount\nvisa_1|card|\ngift_2|gift|5>");
}

#[test]
fn arrays_of_arrays_share_one_header() {
    let trips = json!([[{"no": "A", "to": "X"}, {"no": "B", "to": "Y"}], [{"no": "C", "to": "Y"}]]);
    check(&trips, "<^no|to\nA|X\nB|Y\n\nC|Y>");
}

#[test]
fn strings_are_quoted_only_where_needed() {
    check(
        &json!({"zip": "78750", "city": "New York", "note": "a, b", "k:": "", "t": "06:00"}),
        "{zip:\"78750\",city:New York,note:\"a, b\",\"k:\":\"\",t:06:00}",
    );
}

#[test]
fn errors_name_the_byte() {
    assert_eq!(decode("{a:1"), Err(TableError::Expected { at: 4, expected: "`,` or `}`" }));
    assert_eq!(decode("<a|b\n1>"), Err(TableError::Expected { at: 6, expected: "`|` and the next cell" }));
    assert!(decode("").is_err());
    assert!(decode(&"[".repeat(100_000)).is_err());
}

fn scalars() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e6..1e6).prop_map(|x: f64| Value::from(x)),
        "[a-c{}<>|,:=*^\" \n0-9-]{0,4}".prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    scalars().prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec(("[ab*^=:]{0,2}", inner.clone()), 0..5)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            prop::collection::vec(prop::collection::vec(inner, 3), 2..5).prop_map(|rows| {
                rows.into_iter()
                    .map(|cells| ["x", "y", "z"].into_iter().map(str::to_owned).zip(cells).collect())
                    .map(Value::Object)
                    .collect()
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn decode_undoes_encode(value in values()) {
        let text = encode(&value);
        prop_assert_eq!(decode(&text), Ok(value), "through {}", text);
    }

    #[test]
    fn decode_never_panics(text in "[a{}<>|,:=*^\"\n1 \\[\\]]{0,40}") {
        let _ = decode(&text);
    }
}
