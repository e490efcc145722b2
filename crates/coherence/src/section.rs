//! Named spans of a content: the unit in which a reader may hold less than the whole artifact.
//!
//! An artifact of thousands of tokens is a very wide cache line: a writer of its end invalidates a reader of its
//! beginning. Sections cut it where its own format does.

use std::collections::BTreeMap;
use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, Parser, Tag, TagEnd};
use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The name of the text before the first heading.
pub const PREFACE: &str = "^";

/// The deepest level at which a JSON text is cut; a deeper wish is held to it.
pub const DEPTH_MAX: usize = 16;

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

/// Sections of a Markdown text: one a heading, up to the next heading of any level. The name is the path of headings,
/// `Plan/Risks`, with `~` and `/` in a heading written `~0` and `~1` as in JSON pointers; of equal paths the second
/// ends with ` (2)`. The text before the first heading is [`PREFACE`]. The spans cover the text without gaps.
#[must_use]
pub fn markdown(text: &str) -> Vec<Named> {
    let headings = headings(text);
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
        let end = headings.get(at + 1).map_or(text.len(), |next| next.start);
        sections.push(Named { name: unique(titles.join("/"), &mut taken), range: heading.start..end });
    }
    sections
}

struct Heading {
    level: HeadingLevel,
    title: String,
    start: usize,
}

/// Headings of the document itself; one in a quotation or a list is text of its section.
fn headings(text: &str) -> Vec<Heading> {
    let (mut found, mut open, mut depth) = (Vec::new(), None::<Heading>, 0_usize);
    for (event, range) in Parser::new(text).into_offset_iter() {
        match event {
            Event::Start(Tag::BlockQuote(_) | Tag::List(_)) => depth += 1,
            Event::End(TagEnd::BlockQuote(_) | TagEnd::List(_)) => depth = depth.saturating_sub(1),
            Event::Start(Tag::Heading { level, .. }) if depth == 0 => {
                open = Some(Heading { level, title: String::new(), start: line_start(text, range.start) });
            }
            Event::End(TagEnd::Heading(_)) => found.extend(open.take()),
            Event::Text(piece) | Event::Code(piece) => {
                open.iter_mut().for_each(|heading| heading.title.push_str(&piece));
            }
            _ => {}
        }
    }
    found
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
/// The text is not JSON.
pub fn json(text: &str, depth: usize) -> Result<Vec<Named>, NotJson> {
    let root: &RawValue = serde_json::from_str(text)?;
    let mut sections = BTreeMap::new();
    members(root, depth.min(DEPTH_MAX), "", &mut sections)?;
    let start = text.as_ptr() as usize;
    let named = |(name, value): (String, &RawValue)| {
        let at = value.get().as_ptr() as usize - start;
        Named { name, range: at..at + value.get().len() }
    };
    let mut sections: Vec<Named> = sections.into_iter().map(named).collect();
    sections.sort_by_key(|section| section.range.start);
    Ok(sections)
}

fn members<'a>(
    value: &'a RawValue,
    depth: usize,
    pointer: &str,
    sections: &mut BTreeMap<String, &'a RawValue>,
) -> Result<(), NotJson> {
    let is_leaf = depth == 0 || !value.get().starts_with(['{', '[']);
    if is_leaf && pointer.is_empty() {
        return Ok(());
    }
    if is_leaf {
        sections.insert(pointer.to_owned(), value);
        return Ok(());
    }
    let Members(found) = serde_json::from_str(value.get())?;
    if found.is_empty() && !pointer.is_empty() {
        sections.insert(pointer.to_owned(), value);
    }
    found.into_iter().try_for_each(|(key, value)| {
        members(value, depth - 1, &format!("{pointer}/{}", escaped(&key)), sections)
    })
}

/// The members of an object or array as they stand in the text, by key; of equal keys the last.
struct Members<'a>(BTreeMap<String, &'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object or an array")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((key, value)) = map.next_entry()? {
                    members.insert(key, value);
                }
                Ok(Members(members))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Members<'de>, A::Error> {
                let mut members = BTreeMap::new();
                while let Some(value) = seq.next_element()? {
                    members.insert(members.len().to_string(), value);
                }
                Ok(Members(members))
            }
        }
        from.deserialize_any(Each)
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
            let sections = markdown(text);
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
            let sections = json(text, depth).expect("it is JSON");
            assert_eq!(cut(text, &sections), owned(expected), "depth {depth}");
        }
        assert_eq!(json("7", 3), Ok(Vec::new()));
        let fault = json("{\n \"a\": }", 1).expect_err("it is not JSON");
        assert_eq!((fault.line, fault.column), (2, 7));
    }
}
