//! How a content is divided into sections that are tracked apart.

use lrrc_coherence::section;
use serde::{Deserialize, Serialize};

use crate::name::Name;

/// How deep a JSON content is divided.
const JSON_DEPTH: usize = 2;

/// How a content is divided into sections that are tracked apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Divide {
    /// As the end of the name says: `.md` by headings, `.json` by its members, else not at all. A content that cannot
    /// be divided so is kept whole.
    #[default]
    ByName,
    /// Not at all.
    Whole,
    /// By Markdown headings.
    Headings,
    /// By JSON pointers.
    Pointers,
}

impl Divide {
    /// The same, with the name's word where the name decides.
    #[must_use]
    pub fn of(self, name: &Name) -> Self {
        match self {
            Self::ByName if name.ends_with(".md") => Self::Headings,
            Self::ByName if name.ends_with(".json") => Self::Pointers,
            Self::ByName => Self::Whole,
            asked => asked,
        }
    }
}

/// The sections of a content; none where it is not divided, and an error where there are more than `sections_max`.
///
/// # Errors
/// Why the bytes cannot be divided so.
pub(crate) fn sections(
    bytes: &[u8],
    divide: Divide,
    sections_max: usize,
) -> Result<Vec<section::Named>, String> {
    if matches!(divide, Divide::ByName | Divide::Whole) {
        return Ok(Vec::new());
    }
    let text =
        std::str::from_utf8(bytes).map_err(|error| format!("not UTF-8, so it has no sections: {error}"))?;
    match divide {
        Divide::Headings => section::markdown(text, sections_max),
        _ => section::json(text, JSON_DEPTH, sections_max),
    }
    .map_err(|uncut| uncut.to_string())
}
