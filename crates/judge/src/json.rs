//! JSON objects inside the text that a model wrote around them.

use serde_json::{Map, Value};

/// Longest text that is searched, in bytes; an action or a verdict is far shorter.
const SEARCHED_BYTES: usize = 256 * 1024;
/// Most places that are tried as the start of an object.
const STARTS: usize = 256;

/// What follows a reasoning model's last closing tag; a text without one as it is.
pub(crate) fn after_thought(text: &str) -> &str {
    let text = text.rsplit_once("</think>").map_or(text, |(_, answer)| answer);
    let mut end = text.len().min(SEARCHED_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The JSON objects of a text in order, each with the text before it; objects within objects are not listed.
pub(crate) fn objects(text: &str) -> impl Iterator<Item = (&str, Map<String, Value>)> {
    let mut from = 0;
    let mut starts = 0;
    std::iter::from_fn(move || {
        while let Some(at) = text[from..].find('{').map(|at| from + at) {
            starts += 1;
            if starts > STARTS {
                return None;
            }
            let mut values =
                serde_json::Deserializer::from_str(&text[at..]).into_iter::<Map<String, Value>>();
            if let Some(Ok(object)) = values.next() {
                from = at + values.byte_offset();
                return Some((&text[..at], object));
            }
            from = at + 1;
        }
        None
    })
}
