//! Lossless re-encoding of JSON: like objects become a table with one header.
//!
//! Tool results repeat every key in every row. Here an array of like objects is written as a header and rows, a
//! column with one value throughout moves into the header, a map of like objects becomes a table with a key column,
//! and quotes go where nothing needs them. [`decode`] returns exactly the value that went into [`encode`].
//!
//! ```
//! use lrrc_episode::table::{decode, encode};
//! let json = serde_json::json!([{"no": "HAT1", "from": "JFK", "seats": {"eco": 3, "biz": 1}},
//!                               {"no": "HAT2", "from": "JFK", "seats": {"eco": 0, "biz": 9}}]);
//! let text = encode(&json);
//! assert_eq!(text, "<no|from=JFK|seats{eco|biz}\nHAT1|3|1\nHAT2|0|9>");
//! assert_eq!(decode(&text).unwrap(), json);
//! ```
//!
//! Grammar: `{key:value,…}` an object, `[value,…]` an array, `<header⏎row⏎row>` a table whose rows separate cells
//! with `|`; an empty cell is an absent key. In a header `key=value` is a constant column, `key{…|…}` a nested
//! object, `*` the keys of a map (`*id`: the field `id` repeats the key), and a leading `^` says that blank lines
//! separate the inner arrays of an array of arrays. A string is bare where that is unambiguous and JSON-quoted
//! elsewhere.

use serde_json::{Map, Value};

mod read;
mod write;

pub use read::{TableError, decode};
pub use write::encode;

/// Deepest nesting that is read or written as a table.
const MAX_DEPTH: usize = 128;
/// Characters that end a bare string.
const SPECIAL: &str = "{}[]<>|,\"\n\r";
/// Characters that a bare key cannot hold besides those.
const SPECIAL_IN_KEY: &str = ":=*^";

/// One column of a table, or a group of columns below one key.
#[derive(Debug, Clone, PartialEq)]
enum Column {
    Cell(String),
    Constant(String, Value),
    Group(String, Vec<Self>),
    /// The key of a map entry, and the field that repeats it.
    Key(Option<String>),
}

fn get<'a>(row: &'a Map<String, Value>, path: &[&str]) -> Option<&'a Value> {
    let (last, parents) = path.split_last()?;
    let mut at = row;
    for key in parents {
        at = at.get(*key)?.as_object()?;
    }
    at.get(*last)
}

#[cfg(test)]
mod tests;
