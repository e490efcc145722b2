//! Named spans of a content: the unit in which a reader may hold less than the whole artifact.
//!
//! An artifact of thousands of tokens is a very wide cache line: a writer of its end invalidates a reader of its
//! beginning. Sections cut it where its own format does.

use std::collections::BTreeMap;
use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, Parser, Tag, TagEnd};
use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The name of the text before the first heading.
pub const PREFACE: &str = "^";

/// The deepest level at which a JSON text is cut; a deeper wish is held to it.
pub const DEPTH_MAX: usize = 16;

/// Longest name of a section, in bytes. A name is a whole path, so short texts can have long ones.
pub const NAME_BYTES_MAX: usize = 512;

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

impl From<serde_json::Error> for NotJson {
    fn from(error: serde_json::Error) -> Self {
        Self { line: error.line(), column: error.column(), reason: error.to_string() }
    }
}

/// Why a text is not cut into sections.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Uncut {
    /// It is not JSON.
    #[error(transparent)]
    NotJson(#[from] NotJson),
    /// It has more sections than were allowed.
    #[error("it has more than {limit} sections")]
    TooMany {
        /// What was allowed.
        limit: usize,
    },
    /// A section's name is longer than [`NAME_BYTES_MAX`].
    #[error("the name of a section has {size_bytes} bytes, and the limit is {NAME_BYTES_MAX}")]
    LongName {
        /// Its length.
        size_bytes: usize,
    },
}

/// Sections of a Markdown text: one a heading, up to the next heading of any level. The name is the path of headings,
/// `Plan/Risks`, with `~` and `/` in a heading written `~0` and `~1` as in JSON pointers; of equal paths the second
/// ends with ` (2)`. The text before the first heading is [`PREFACE`]. The spans cover the text without gaps.
///
/// # Errors
/// [`Uncut::TooMany`] and [`Uncut::LongName`].
pub fn markdown(text: &str, sections_max: usize) -> Result<Vec<Named>, Uncut> {
    let headings = headings(text, sections_max)?;
    let first = headings.first().map_or(text.len(), |heading| heading.start);
    let mut sections = Vec::with_capacity(headings.len() + 1);
    if first > 0 {
        sections.push(Named { name: PREFACE.to_owned(), range: 0..first });
    }
    let mut path: Vec<(HeadingLevel, String)> = Vec::new();
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for (at, heading) in headings.iter().enumerate() {
        path.retain(|(level, _)| *level < heading.level);
        path.push((heading.level, escaped(&heading.title)));
        let titles: Vec<&str> = path.iter().map(|(_, title)| title.as_str()).collect();
        short_enough(titles.iter().map(|title| title.len() + 1).sum())?;
        let end = headings.get(at + 1).map_or(text.len(), |next| next.start);
        sections.push(Named { name: unique(titles.join("/"), &mut taken), range: heading.start..end });
    }
    few_enough(sections.len(), sections_max)?;
    Ok(sections)
}

fn few_enough(count: usize, limit: usize) -> Result<(), Uncut> {
    if count > limit { Err(Uncut::TooMany { limit }) } else { Ok(()) }
}

fn short_enough(size_bytes: usize) -> Result<(), Uncut> {
    if size_bytes > NAME_BYTES_MAX { Err(Uncut::LongName { size_bytes }) } else { Ok(()) }
}

struct Heading {
    level: HeadingLevel,
    title: String,
    start: usize,
}

/// Headings of the document itself; one in a quotation or a list is text of its section.
fn headings(text: &str, headings_max: usize) -> Result<Vec<Heading>, Uncut> {
    let (mut found, mut open, mut depth) = (Vec::new(), None::<Heading>, 0_usize);
    for (event, range) in Parser::new(text).into_offset_iter() {
        match event {
            Event::Start(Tag::BlockQuote(_) | Tag::List(_)) => depth += 1,
            Event::End(TagEnd::BlockQuote(_) | TagEnd::List(_)) => depth = depth.saturating_sub(1),
            Event::Start(Tag::Heading { level, .. }) if depth == 0 => {
                open = Some(Heading { level, title: String::new(), start: line_start(text, range.start) });
            }
            Event::End(TagEnd::Heading(_)) => {
                found.extend(open.take());
                few_enough(found.len(), headings_max)?;
            }
            Event::Text(piece) | Event::Code(piece) => {
                open.iter_mut().for_each(|heading| heading.title.push_str(&piece));
            }
            _ => {}
        }
    }
    Ok(found)
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unique(name: String, taken: &mut BTreeMap<String, usize>) -> String {
    let mut count = taken.get(&name).map_or(1, |count| count + 1);
    let mut found = if count == 1 { name.clone() } else { format!("{name} ({count})") };
    while count > 1 && taken.contains_key(&found) {
        count += 1;
        found = format!("{name} ({count})");
    }
    taken.insert(name, count);
    taken.entry(found.clone()).or_insert(1);
    found
}

/// Sections of a JSON object or array: one a member, down to `depth` levels (at most
/// [`DEPTH_MAX`]), named by its JSON pointer (RFC 6901).
/// The spans cover the values; what lies between them belongs to no section. Of members with one key the last counts.
///
/// # Errors
/// [`Uncut`].
pub fn json(text: &str, depth: usize, sections_max: usize) -> Result<Vec<Named>, Uncut> {
    let root: &RawValue = serde_json::from_str(text).map_err(NotJson::from)?;
    let mut cut = Cut { sections: BTreeMap::new(), sections_max };
    cut.members(root, depth.min(DEPTH_MAX), "")?;
    let start = text.as_ptr() as usize;
    let named = |(name, value): (String, &RawValue)| {
        let at = value.get().as_ptr() as usize - start;
        Named { name, range: at..at + value.get().len() }
    };
    let mut sections: Vec<Named> = cut.sections.into_iter().map(named).collect();
    sections.sort_by_key(|section| section.range.start);
    Ok(sections)
}

/// The sections that were found so far, by pointer.
struct Cut<'a> {
    sections: BTreeMap<String, &'a RawValue>,
    sections_max: usize,
}

impl<'a> Cut<'a> {
    fn members(&mut self, value: &'a RawValue, depth: usize, pointer: &str) -> Result<(), Uncut> {
        let is_leaf = depth == 0 || !value.get().starts_with(['{', '[']);
        if is_leaf {
            return self.leaf(pointer, value);
        }
        let mut text = serde_json::Deserializer::from_str(value.get());
        let found = Members { limit: self.sections_max }.deserialize(&mut text).map_err(NotJson::from)?;
        let Some(found) = found else { return Err(Uncut::TooMany { limit: self.sections_max }) };
        if found.is_empty() {
            return self.leaf(pointer, value);
        }
        found.into_iter().try_for_each(|(key, value)| {
            short_enough(pointer.len() + 1 + key.len())?;
            self.members(value, depth - 1, &format!("{pointer}/{}", escaped(&key)))
        })
    }

    fn leaf(&mut self, pointer: &str, value: &'a RawValue) -> Result<(), Uncut> {
        if pointer.is_empty() {
            return Ok(());
        }
        short_enough(pointer.len())?;
        self.sections.insert(pointer.to_owned(), value);
        few_enough(self.sections.len(), self.sections_max)
    }
}

/// Reads the members of an object or array as they stand in the text, by key; of equal keys the last. Where there are more
/// than `limit`, they are passed over and nothing is kept.
struct Members {
    limit: usize,
}

type Found<'a> = BTreeMap<String, &'a RawValue>;

impl<'de> DeserializeSeed<'de> for Members {
    type Value = Option<Found<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Members {
    type Value = Option<Found<'de>>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((key, value)) = map.next_entry()? {
            members.insert(key, value);
            if members.len() > self.limit {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(None);
            }
        }
        Ok(Some(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut members = BTreeMap::new();
        while let Some(value) = seq.next_element()? {
            members.insert(members.len().to_string(), value);
            if members.len() > self.limit {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(None);
            }
        }
        Ok(Some(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, sections: &[Named]) -> Vec<(String, String)> {
        sections
            .iter()
            .map(|section| (section.name.clone(), text[section.range.clone()].to_owned()))
            .collect()
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn headings_cut_a_markdown_text_without_gaps() {
        let cases: [(&str, &[(&str, &str)]); 5] = [
            ("", &[]),
            ("plain\n", &[("^", "plain\n")]),
            (
                "intro\n\n# Plan\na\n## Risks\nb\n## To/do\nc\n# End\n",
                &[
                    ("^", "intro\n\n"),
                    ("Plan", "# Plan\na\n"),
                    ("Plan/Risks", "## Risks\nb\n"),
                    ("Plan/To~1do", "## To/do\nc\n"),
                    ("End", "# End\n"),
                ],
            ),
            (
                "# A\n# A\n# A (2)\n# A\n",
                &[("A", "# A\n"), ("A (2)", "# A\n"), ("A (2) (2)", "# A (2)\n"), ("A (3)", "# A\n")],
            ),
            (
                "Title\n=====\n> # quoted\n\n```\n# code\n```\n",
                &[("Title", "Title\n=====\n> # quoted\n\n```\n# code\n```\n")],
            ),
        ];
        for (text, expected) in cases {
            let sections = markdown(text, 16).expect("it is short");
            assert_eq!(cut(text, &sections), owned(expected), "{text:?}");
            let joined: String = sections.iter().map(|section| &text[section.range.clone()]).collect();
            assert_eq!(joined, text);
        }
    }

    #[test]
    fn pointers_cut_a_json_text_as_deep_as_asked() {
        let text = r#"{ "a": 1, "b/c": {"x": [true, "ü"], "y": {}}, "a": 2 }"#;
        let expected: [(usize, &[(&str, &str)]); 4] = [
            (0, &[]),
            (1, &[("/b~1c", r#"{"x": [true, "ü"], "y": {}}"#), ("/a", "2")]),
            (2, &[("/b~1c/x", r#"[true, "ü"]"#), ("/b~1c/y", "{}"), ("/a", "2")]),
            (9, &[("/b~1c/x/0", "true"), ("/b~1c/x/1", "\"ü\""), ("/b~1c/y", "{}"), ("/a", "2")]),
        ];
        for (depth, expected) in expected {
            let sections = json(text, depth, 16).expect("it is JSON");
            assert_eq!(cut(text, &sections), owned(expected), "depth {depth}");
        }
        assert_eq!(json("7", 3, 16), Ok(Vec::new()));
        let fault = json("{\n \"a\": }", 1, 16).expect_err("it is not JSON");
        assert!(matches!(fault, Uncut::NotJson(NotJson { line: 2, column: 7, .. })), "{fault:?}");
    }

    #[test]
    fn a_text_of_too_many_sections_is_not_cut() {
        let too_many = Err(Uncut::TooMany { limit: 2 });
        for (text, is_cut) in [("# A\n# B\n", true), ("a\n# A\n# B\n", false), ("# A\n# B\n# C\n", false)] {
            let cut = markdown(text, 2);
            assert!(if is_cut { cut.is_ok() } else { cut == too_many }, "{text:?}: {cut:?}");
        }
        for (text, is_cut) in [
            ("[1, 2]", true),
            ("[1, 2, 3]", false),
            (r#"{"a": 1, "b": 2, "b": 3}"#, true),
            (r#"{"a": [1, 2], "b": [3]}"#, false),
        ] {
            let cut = json(text, 2, 2);
            assert!(if is_cut { cut.is_ok() } else { cut == too_many }, "{text:?}: {cut:?}");
        }
    }

    #[test]
    fn a_long_path_is_no_name() {
        let half = "a".repeat(NAME_BYTES_MAX / 2);
        let long = Err(Uncut::LongName { size_bytes: NAME_BYTES_MAX + 2 });
        assert_eq!(markdown(&format!("# {half}\n## {half}\n"), 9), long);
        assert_eq!(json(&format!("{{\"{half}\": {{\"{half}\": 1}}}}"), 2, 9), long);
        assert!(markdown(&format!("# {half}\n## b\n"), 9).is_ok());
    }
}
