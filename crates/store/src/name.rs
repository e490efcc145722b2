//! Names of artifacts, checked once at the door.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 256;

/// A checked name: 1 to [`NAME_BYTES_MAX`] bytes of `[A-Za-z0-9._/-]`, whose parts between slashes are neither
/// empty nor `.` nor `..`. A name is a key and never a path, but it can be used as one without surprise.
///
/// ```
/// use lrrc_store::Name;
///
/// assert_eq!("team/plan.md".parse::<Name>().unwrap().as_str(), "team/plan.md");
/// assert!("team/../plan.md".parse::<Name>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Arc<str>);

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing, or more than [`NAME_BYTES_MAX`] bytes.
    #[error("a name has 1 to {NAME_BYTES_MAX} bytes, this one has {len}: {start:?}")]
    Length {
        /// Bytes of the text.
        len: usize,
        /// Its first characters.
        start: String,
    },
    /// A character outside `[A-Za-z0-9._/-]`.
    #[error("name {name:?} has {found:?} at byte {at}; use letters, digits, '.', '_', '-' and '/'")]
    Character {
        /// The text.
        name: String,
        /// The character.
        found: char,
        /// Its place.
        at: usize,
    },
    /// An empty part, `.` or `..`.
    #[error("name {name:?} has the part {part:?}; a part between slashes is not empty, \".\" or \"..\"")]
    Part {
        /// The text.
        name: String,
        /// The part.
        part: String,
    },
}

impl Name {
    /// The text of the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() || text.len() > NAME_BYTES_MAX {
            return Err(NameError::Length { len: text.len(), start: text.chars().take(40).collect() });
        }
        let strange = |(_, c): &(usize, char)| !(c.is_ascii_alphanumeric() || "._/-".contains(*c));
        if let Some((at, found)) = text.char_indices().find(strange) {
            return Err(NameError::Character { name: text.to_owned(), found, at });
        }
        if let Some(part) = text.split('/').find(|part| matches!(*part, "" | "." | "..")) {
            return Err(NameError::Part { name: text.to_owned(), part: part.to_owned() });
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.as_str())
    }
}

impl std::ops::Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_with_their_values_in_the_message() {
        let long = "x".repeat(257);
        for (text, expected) in [
            ("plan", ""),
            ("a/b-c_d.e/0", ""),
            ("...", ""),
            ("", "this one has 0"),
            (long.as_str(), "this one has 257"),
            ("a b", "' ' at byte 1"),
            ("plän", "'ä' at byte 2"),
            ("a\\b", "'\\\\' at byte 1"),
            ("/a", "the part \"\""),
            ("a//b", "the part \"\""),
            ("a/", "the part \"\""),
            ("a/../b", "the part \"..\""),
            ("./b", "the part \".\""),
        ] {
            match text.parse::<Name>() {
                Ok(name) => assert!(expected.is_empty(), "{name} was taken, expected {expected}"),
                Err(error) => {
                    let message = error.to_string();
                    assert!(!expected.is_empty() && message.contains(expected), "{text:?}: {message}");
                }
            }
        }
    }
}
