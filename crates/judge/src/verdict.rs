//! Which of two answers is better, as a judge writes it.

use lrrc_episode::Winner;
use serde_json::Value;

use crate::json::{after_thought, objects};

/// A verdict about two answers in the order in which they were shown, or about two models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The first.
    First,
    /// The second.
    Second,
    /// Neither.
    Tie,
}

impl Verdict {
    /// The verdict of the people who voted.
    #[must_use]
    pub fn of(winner: Winner) -> Self {
        match winner {
            Winner::ModelA => Self::First,
            Winner::ModelB => Self::Second,
            Winner::Tie => Self::Tie,
        }
    }

    /// The same verdict about the same two, named the other way round.
    #[must_use]
    pub fn turned(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
            Self::Tie => Self::Tie,
        }
    }

    /// The verdict of both orders, each about the models: what both say, else a tie.
    #[must_use]
    pub fn of_both(one: Self, other: Self) -> Self {
        if one == other { one } else { Self::Tie }
    }
}

/// The verdict in a judge's answer, or nothing where it has none.
///
/// Read are `{"winner": "A"}`, `"B"` or `"tie"`, and the `[[A]]`, `[[B]]` and `[[C]]` of MT-Bench; the last one
/// counts. A thought that ends in `</think>` is passed over.
#[must_use]
pub fn parse_verdict(text: &str) -> Option<Verdict> {
    let text = after_thought(text);
    let said = objects(text).filter_map(|(_, object)| {
        object.get("winner").and_then(Value::as_str).and_then(|word| of_word(word.trim()))
    });
    said.last().or_else(|| {
        let marks = text.match_indices("[[").filter_map(|(at, _)| {
            let (word, _) = text[at + 2..].split_once("]]")?;
            of_word(word.trim())
        });
        marks.last()
    })
}

fn of_word(word: &str) -> Option<Verdict> {
    match word.to_ascii_lowercase().as_str() {
        "a" => Some(Verdict::First),
        "b" => Some(Verdict::Second),
        "c" | "tie" => Some(Verdict::Tie),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn verdicts_are_read_in_both_notations() {
        for (text, verdict) in [
            (r#"{"winner": "A"}"#, Some(Verdict::First)),
            ("A is short, B is right.\n```json\n{\"winner\":\"b\"}```", Some(Verdict::Second)),
            (r#"{"reason": "both", "winner": "tie"}"#, Some(Verdict::Tie)),
            ("not [[A]] but [[B]]", Some(Verdict::Second)),
            ("[[C]]", Some(Verdict::Tie)),
            ("<think>[[A]]</think>[[B]]", Some(Verdict::Second)),
            ("A", None),
            (r#"{"winner": "C3PO"}"#, None),
            (r#"{"winner": 1}"#, None),
            ("[[", None),
        ] {
            assert_eq!(parse_verdict(text), verdict, "{text}");
        }
    }

    #[test]
    fn a_verdict_that_flips_with_the_order_is_a_tie() {
        use Verdict::{First, Second, Tie};
        for (first_order, second_order, both) in [
            (First, Second, First),
            (First, First, Tie),
            (Second, Second, Tie),
            (Tie, Second, Tie),
            (Tie, Tie, Tie),
        ] {
            assert_eq!(Verdict::of_both(first_order, second_order.turned()), both);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn no_answer_breaks_the_parser(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "(\\[\\[|\\]\\]|[ABCé]|\\{|\"winner\":|\\PC){0,30}") {
            let _ = parse_verdict(&String::from_utf8_lossy(&bytes));
            let _ = parse_verdict(&text);
        }
    }
}
