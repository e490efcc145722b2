//! Named spans of a content: the unit in which a reader may hold less than the whole artifact.

use std::ops::Range;

/// One named span of a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Named {
    /// Name, unique within the text.
    pub name: String,
    /// Bytes of the text.
    pub range: Range<usize>,
}

/// A text that is not JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not JSON at line {line}, column {column}: {reason}")]
pub struct NotJson {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What the parser found.
    pub reason: String,
}

/// Sections of a Markdown text: one a heading, up to the next heading; the path of headings is the name
/// (`Plan/Risks`), and the text before the first heading is named `^`. The spans cover the text without gaps.
#[must_use]
pub fn markdown(text: &str) -> Vec<Named> {
    let _ = text;
    unimplemented!()
}

/// Sections of a JSON object or array: one a member, down to `depth` levels, named by its JSON pointer (RFC 6901).
/// The spans cover the values; what lies between them belongs to no section.
///
/// # Errors
/// The text is not JSON.
pub fn json(text: &str, depth: usize) -> Result<Vec<Named>, NotJson> {
    let _ = (text, depth);
    unimplemented!()
}
