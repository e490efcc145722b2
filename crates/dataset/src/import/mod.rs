//! Foreign files → episodes, one file a source format.

mod arena;
mod columns;
mod evidence;
mod fields;
mod format;
mod openai;
mod rows;
mod source;
mod trajectory;

pub(crate) use fields::kind;
pub use format::Format;
pub use rows::LINE_BYTES_MAX;
pub(crate) use source::Source;

/// What an episode gets where its row does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// Where the episodes come from.
    pub source: String,
    /// Licence of their text.
    pub licence: String,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { source: "unknown".to_owned(), licence: "unknown".to_owned() }
    }
}

/// The group of a conversation that names none: one for each first question.
fn prompt_group(prompt: &str) -> String {
    format!("prompt-{}", &blake3::hash(prompt.as_bytes()).to_hex()[..16])
}

#[cfg(test)]
mod test_support {
    use lrrc_episode::Episode;
    use serde_json::Value;

    use super::rows::Object;
    use crate::error::FieldFault;

    pub(crate) fn object(value: Value) -> Object {
        match value {
            Value::Object(object) => object,
            other => panic!("not an object: {other}"),
        }
    }

    /// Puts `value` at `pointer` and checks that the fault names `field`.
    #[track_caller]
    pub(crate) fn refused(
        read: impl Fn(&Object) -> Result<Episode, FieldFault>,
        mut row: Value,
        pointer: &str,
        value: Value,
        field: &str,
    ) {
        read(&object(row.clone())).expect("the row is sound before it is broken");
        *row.pointer_mut(pointer).expect("the pointer leads somewhere") = value;
        let fault = read(&object(row)).expect_err("the broken row was taken");
        assert_eq!(fault.field, field);
    }
}
