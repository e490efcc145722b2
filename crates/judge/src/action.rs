//! The next action of an agent, as a record has it and as a model writes it.

use lrrc_episode::{ToolCall, canon::Atoms};
use serde_json::{Map, Value};

use crate::json::{after_thought, objects};

/// Longer string arguments are free text, whose words are not compared.
const FREE_TEXT_CHARS: usize = 80;

/// A canonical argument: the path of keys to a scalar, and its canonical atoms; `None` for free text of more than 80
/// characters. Elements of a list share their path; `null` is as good as left out.
pub type Argument = (String, Option<String>);

/// What an agent does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It calls a tool.
    Call {
        /// Name of the tool.
        tool: String,
        /// Its arguments, sorted.
        arguments: Vec<Argument>,
    },
    /// It says something; the words are not compared.
    Say,
}

impl Action {
    /// The action of a recorded call; arguments that are not a JSON object count as one value.
    #[must_use]
    pub fn of(call: &ToolCall) -> Self {
        let arguments =
            serde_json::from_str(&call.arguments).unwrap_or_else(|_| Value::String(call.arguments.clone()));
        Self::call(&call.name, &arguments)
    }

    fn call(tool: &str, arguments: &Value) -> Self {
        let mut flat = Vec::new();
        flatten(arguments, "", &mut flat);
        flat.sort();
        Self::Call { tool: tool.trim().to_owned(), arguments: flat }
    }

    /// Whether both call the same tool, or both speak.
    #[must_use]
    pub fn same_tool(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Call { tool, .. }, Self::Call { tool: other, .. }) => tool == other,
            (Self::Say, Self::Say) => true,
            _ => false,
        }
    }

    /// Whether both are the same action: the same tool with the same canonical argument values, or both speak.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        let (Self::Call { arguments, .. }, Self::Call { arguments: others, .. }) = (self, other) else {
            return self.same_tool(other);
        };
        let agree = |((key, value), (other_key, other)): (&Argument, &Argument)| {
            key == other_key && (value.is_none() || other.is_none() || value == other)
        };
        self.same_tool(other) && arguments.len() == others.len() && arguments.iter().zip(others).all(agree)
    }
}

fn flatten(value: &Value, path: &str, flat: &mut Vec<Argument>) {
    match value {
        Value::Null => {}
        Value::Array(values) => values.iter().for_each(|value| flatten(value, path, flat)),
        Value::Object(fields) => fields.iter().for_each(|(key, value)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            flatten(value, &path, flat);
        }),
        Value::String(text) if text.chars().count() > FREE_TEXT_CHARS => flat.push((path.to_owned(), None)),
        Value::String(text) => flat.push((path.to_owned(), Some(canonical(text)))),
        scalar => flat.push((path.to_owned(), Some(canonical(&scalar.to_string())))),
    }
}

/// Canonical atoms, and a text that has none as it is.
fn canonical(text: &str) -> String {
    let atoms = Atoms::of(text);
    if atoms.is_empty() { text.trim().to_owned() } else { atoms.text().to_owned() }
}

/// The first action in a model's answer, or nothing where it has none.
///
/// Read are `{"tool": name, "arguments": {…}}` (also `name`, `args`, `parameters`, and arguments as JSON text),
/// `{"say": text}`, and `name({…})` as the context shows calls. Prose around it and a thought that ends in `</think>`
/// are passed over.
#[must_use]
pub fn parse_action(text: &str) -> Option<Action> {
    objects(after_thought(text))
        .find_map(|(before, object)| of_object(&object).or_else(|| written_call(before, object)))
}

fn of_object(object: &Map<String, Value>) -> Option<Action> {
    if let Some(tool) = ["tool", "name"].iter().find_map(|key| object.get(*key)?.as_str()) {
        let arguments = ["arguments", "args", "parameters"].iter().find_map(|key| object.get(*key));
        let arguments = match arguments {
            Some(Value::String(text)) => {
                serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()))
            }
            Some(value) => value.clone(),
            None => Value::Null,
        };
        return Some(Action::call(tool, &arguments));
    }
    object.get("say").filter(|said| said.is_string()).map(|_| Action::Say)
}

/// `name(` before an object of arguments.
fn written_call(before: &str, object: Map<String, Value>) -> Option<Action> {
    let before = before.trim_end().strip_suffix('(')?;
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let name = before.rsplit(|c| !is_name(c)).next().filter(|name| !name.is_empty())?;
    Some(Action::call(name, &Value::Object(object)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn recorded(name: &str, arguments: &str) -> Action {
        Action::of(&ToolCall { id: None, name: name.to_owned(), arguments: arguments.to_owned() })
    }

    #[test]
    fn one_action_has_many_spellings() {
        let record = recorded(
            "book",
            r#"{"date": "2024-05-20", "cabin": "basic_economy", "price": 1200, "bags": [{"id": 10}, {"id": 20}], "note": null}"#,
        );
        let spellings = [
            r#"{"tool": "book", "arguments": {"cabin": "Basic Economy", "price": "$1,200.00", "date": "May 20", "bags": [{"id": "20"}, {"id": "10"}]}}"#,
            "Sure:\n```json\n{\"name\": \"book\", \"args\": \"{\\\"date\\\":\\\"2024-05-20\\\",\\\"cabin\\\":\\\"basic economy\\\",\\\"price\\\":1200.0,\\\"bags\\\":[{\\\"id\\\":10},{\\\"id\\\":20}]}\"}\n```",
            "<think>{\"say\": \"no\"}</think> book({\"date\": \"2024-05-20\", \"cabin\": \"basic_economy\", \"price\": 1200, \"bags\": [{\"id\": 10}, {\"id\": 20}]})",
        ];
        for text in spellings {
            let action = parse_action(text).unwrap_or_else(|| panic!("no action in {text}"));
            assert!(action.same(&record), "{text}: {action:?}");
        }
    }

    #[test]
    fn other_values_keys_and_tools_are_other_actions() {
        let record = recorded("book", r#"{"date": "2024-05-20", "seats": 2}"#);
        for (text, same_tool) in [
            (r#"{"tool": "book", "arguments": {"date": "2024-05-21", "seats": 2}}"#, true),
            (r#"{"tool": "book", "arguments": {"day": "2024-05-20", "seats": 2}}"#, true),
            (r#"{"tool": "book", "arguments": {"date": "2024-05-20"}}"#, true),
            (r#"{"tool": "cancel", "arguments": {"date": "2024-05-20", "seats": 2}}"#, false),
            (r#"{"say": "done"}"#, false),
        ] {
            let action = parse_action(text).expect("an action");
            assert_eq!((action.same_tool(&record), action.same(&record)), (same_tool, false), "{text}");
        }
        assert!(parse_action(r#"{"say": "a"}"#).expect("words").same(&Action::Say));
    }

    #[test]
    fn the_words_of_free_text_are_not_compared() {
        let summary = |word: &str| recorded("transfer", &format!(r#"{{"summary": "{}"}}"#, word.repeat(40)));
        assert!(summary("one ").same(&summary("two ")));
        assert!(!summary("one ").same(&recorded("transfer", "{}")));
    }

    #[test]
    fn what_is_no_action_is_none() {
        for text in [
            "",
            "I would call book.",
            "{",
            r#"{"tool": 3}"#,
            r#"{"tool": "book", "argu"#,
            "({\"a\": 1})",
            "[1, 2]",
        ] {
            assert_eq!(parse_action(text), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn no_answer_breaks_the_parser(bytes in prop::collection::vec(any::<u8>(), 0..200), pieces in prop::collection::vec(
            prop_oneof!["\\{\"tool\":", "\"[a-z]{0,3}\"", "[{}\\[\\](),:\"\\\\]", "</think>", "\\{\"say\": ?\"é?\"\\}", "\\PC{0,4}"], 0..24)) {
            let _ = parse_action(&String::from_utf8_lossy(&bytes));
            let _ = parse_action(&pieces.concat());
        }

        #[test]
        fn a_written_action_is_read_again(tool in "[a-z_]{1,12}", key in "[a-z]{1,8}", value in "\\PC{0,60}", around in "[^{}<>]{0,20}") {
            let object = serde_json::json!({"tool": tool, "arguments": {key.clone(): value}});
            let action = parse_action(&format!("{around}{object}{around}"));
            let record = recorded(&tool, &serde_json::json!({key: value}).to_string());
            prop_assert!(action.is_some_and(|action| action.same(&record)));
        }
    }
}
