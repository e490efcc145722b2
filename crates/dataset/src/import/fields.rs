//! Fields of a JSON object, with a fault that names the field.

use serde_json::Value;

use super::rows::Object;
use crate::error::{FieldFault, RowFault};

/// The type of a value, in words.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The field unless it is absent or null.
pub(crate) fn present<'a>(object: &'a Object, field: &str) -> Option<&'a Value> {
    object.get(field).filter(|value| !value.is_null())
}

pub(crate) fn wrong(field: &str, expected: &'static str, found: &Value) -> FieldFault {
    FieldFault::new(field, RowFault::WrongType { expected, found: kind(found) })
}

fn optional<'a, T>(
    object: &'a Object,
    field: &str,
    expected: &'static str,
    read: impl FnOnce(&'a Value) -> Option<T>,
) -> Result<Option<T>, FieldFault> {
    let Some(value) = present(object, field) else { return Ok(None) };
    read(value).map(Some).ok_or_else(|| wrong(field, expected, value))
}

fn needed<T>(field: &str, value: Option<T>) -> Result<T, FieldFault> {
    value.ok_or_else(|| FieldFault::new(field, RowFault::Missing))
}

pub(crate) fn optional_text<'a>(object: &'a Object, field: &str) -> Result<Option<&'a str>, FieldFault> {
    optional(object, field, "text", Value::as_str)
}

pub(crate) fn text<'a>(object: &'a Object, field: &str) -> Result<&'a str, FieldFault> {
    needed(field, optional_text(object, field)?)
}

/// A text, or a number written as one.
pub(crate) fn identifier(object: &Object, field: &str) -> Result<Option<String>, FieldFault> {
    optional(object, field, "text", |value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

pub(crate) fn optional_items<'a>(object: &'a Object, field: &str) -> Result<&'a [Value], FieldFault> {
    Ok(optional(object, field, "an array", Value::as_array)?.map_or(&[], Vec::as_slice))
}

pub(crate) fn items<'a>(object: &'a Object, field: &str) -> Result<&'a [Value], FieldFault> {
    Ok(needed(field, optional(object, field, "an array", Value::as_array)?)?.as_slice())
}

pub(crate) fn optional_object<'a>(object: &'a Object, field: &str) -> Result<Option<&'a Object>, FieldFault> {
    optional(object, field, "an object", Value::as_object)
}

pub(crate) fn optional_count(object: &Object, field: &str) -> Result<Option<u32>, FieldFault> {
    optional(object, field, "a whole number below 2^32", small)
}

pub(crate) fn optional_number(object: &Object, field: &str) -> Result<Option<f64>, FieldFault> {
    optional(object, field, "a number", Value::as_f64)
}

pub(crate) fn optional_flag(object: &Object, field: &str) -> Result<Option<bool>, FieldFault> {
    optional(object, field, "true or false", Value::as_bool)
}

/// A whole number below 2^32.
pub(crate) fn small(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

/// Reads each item of an array that must hold objects.
pub(crate) fn each<'a, T>(
    items: &'a [Value],
    field: &str,
    mut read: impl FnMut(&'a Object) -> Result<T, FieldFault>,
) -> Result<Vec<T>, FieldFault> {
    let item = |(at, value): (usize, &'a Value)| {
        let place = || format!("{field}[{at}]");
        let object = value.as_object().ok_or_else(|| wrong(&place(), "an object", value))?;
        read(object).map_err(|fault| fault.inside(&place()))
    };
    items.iter().enumerate().map(item).collect()
}
