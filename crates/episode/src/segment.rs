//! Turn → atomic segments, the units that a decision keeps or drops, and back to text.
//!
//! A JSON field is one segment, a phrase of prose is one, a line of code is one, a sentence of a transcript is one.
//! No segment is longer than [`MAX_CHARS`] characters. [`SegmentedTurn::render`] writes the kept segments in their
//! order: JSON as the pruned value in the [table encoding](crate::table), prose as the kept spans of the source.
//! Every shown byte of prose stands in the source, and every shown field is a field of the source.
//!
//! ```
//! use lrrc_episode::{Encoding, Role, TokenCounter, Turn, segment::SegmentedTurn};
//! let counter = TokenCounter::new(Encoding::Cl100kBase);
//! let turn = Turn::text(0, Role::Tool, r#"[{"no": "HAT1", "price": 52}, {"no": "HAT2", "price": 93}]"#);
//! let segmented = SegmentedTurn::new(&turn, &counter);
//! let price_of_second = segmented.segments().iter().position(|s| s.text == "price 93").unwrap();
//! let keep: Vec<bool> = (0..segmented.segments().len()).map(|at| at == price_of_second).collect();
//! assert_eq!(segmented.render(&keep), "[{no:HAT2,price:93}]");
//! ```

use std::ops::Range;

use serde_json::Value;

use crate::{
    canon::{self, Atom},
    episode::{Role, Turn},
    token::TokenCounter,
};

mod json;
mod layout;
mod prose;

use layout::Layout;
pub(crate) use prose::is_joint;

/// Longest segment in characters.
pub const MAX_CHARS: usize = 240;

/// What a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SegmentKind {
    /// A scalar of a JSON document.
    Field,
    /// The name of a called tool.
    Call,
    /// Content words of prose that stand together.
    Phrase,
    /// Function words between phrases.
    Glue,
    /// A whole sentence of a transcript.
    Sentence,
    /// A line of code.
    Code,
}

/// One atomic unit of a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// What it is.
    pub kind: SegmentKind,
    /// Index of the part it belongs to, see [`SegmentedTurn::part_source`].
    pub part: usize,
    /// Byte range in the source of that part.
    pub span: Range<usize>,
    /// The words a reader of this segment alone would want: key and value, or the span itself.
    pub text: String,
    /// Last key on the path of a field; empty elsewhere.
    pub key: String,
    /// Number, within the turn, of the record (innermost JSON object) or sentence it belongs to.
    pub record: usize,
    /// Estimated tokens of keeping it; the sum over a turn is close to, not equal to, the rendered count.
    pub cost: u32,
    /// Canonical atoms of the value or span, without the key.
    pub atoms: Vec<Atom>,
}

#[derive(Debug, Clone, PartialEq)]
enum Body {
    Prose,
    Json(Value),
}

#[derive(Debug, Clone, PartialEq)]
struct Part {
    source: String,
    /// Name of the tool whose arguments this is; its segment comes first.
    call: Option<String>,
    body: Body,
    segments: Range<usize>,
}

/// A turn cut into segments.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentedTurn {
    /// Role of the speaker.
    pub role: Role,
    /// Index of the speaker in the episode.
    pub agent: usize,
    /// Exact tokens of the turn as the source has it: content, call names and arguments.
    pub source_tokens: u32,
    parts: Vec<Part>,
    segments: Vec<Segment>,
    /// For a field: the segment that names its record and is shown with it.
    heads: Vec<Option<usize>>,
}

impl SegmentedTurn {
    /// Cuts a turn. A content that is a JSON object or array is cut by field, any other by phrase, sentence
    /// ([`Role::Speaker`]) or line of code.
    #[must_use]
    pub fn new(turn: &Turn, counter: &TokenCounter) -> Self {
        let mut segmented = Self {
            role: turn.role,
            agent: turn.agent,
            source_tokens: turn.tokens.unwrap_or_else(|| counter.count_turn(turn)),
            parts: Vec::new(),
            segments: Vec::new(),
            heads: Vec::new(),
        };
        if !turn.content.trim().is_empty() {
            segmented.push_part(&turn.content, None, counter);
        }
        for call in &turn.tool_calls {
            segmented.push_part(&call.arguments, Some(&call.name), counter);
        }
        segmented
    }

    fn push_part(&mut self, source: &str, call: Option<&str>, counter: &TokenCounter) {
        let part = self.parts.len();
        let from = self.segments.len();
        let record = self.segments.last().map_or(0, |last| last.record + 1);
        let body = match parse_container(source) {
            Some((value, layout)) => {
                json::cut(&value, layout, source, call, &mut self.segments, &mut self.heads);
                Body::Json(value)
            }
            None => {
                if let Some(name) = call {
                    self.segments.push(Segment::bare(SegmentKind::Call, 0..0, name));
                }
                prose::cut(source, self.role == Role::Speaker, &mut self.segments);
                Body::Prose
            }
        };
        self.heads.resize(self.segments.len(), None);
        for segment in &mut self.segments[from..] {
            segment.part = part;
            segment.record += record;
            segment.cost += counter.count(&segment.shown());
            segment.atoms = canon::atoms(&segment.value()).collect();
        }
        let segments = from..self.segments.len();
        self.parts.push(Part { source: source.to_owned(), call: call.map(str::to_owned), body, segments });
    }

    /// The segments in order.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The source text that [`Segment::span`] of this part refers to.
    ///
    /// # Panics
    /// If there is no such part.
    #[must_use]
    pub fn part_source(&self, part: usize) -> &str {
        &self.parts[part].source
    }

    /// The segment that names the record of this field and is always shown with it.
    #[must_use]
    pub fn head(&self, segment: usize) -> Option<usize> {
        self.heads[segment]
    }

    /// Whether any part is a JSON document or a call.
    #[must_use]
    pub fn is_structured(&self) -> bool {
        self.parts.iter().any(|part| part.call.is_some() || matches!(part.body, Body::Json(_)))
    }

    /// The kept segments as text, in order; everything kept gives [`SegmentedTurn::render_all`], nothing kept the
    /// empty text.
    ///
    /// # Panics
    /// If `keep` is not as long as the segments.
    #[must_use]
    pub fn render(&self, keep: &[bool]) -> String {
        assert_eq!(keep.len(), self.segments.len(), "one decision a segment");
        let mut keep = keep.to_vec();
        for at in 0..keep.len() {
            if let (true, Some(head)) = (keep[at], self.heads[at]) {
                keep[head] = true;
            }
        }
        let texts = self.parts.iter().map(|part| self.render_part(part, &keep));
        texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
    }

    /// Every segment kept: prose verbatim, JSON in the lossless table encoding.
    #[must_use]
    pub fn render_all(&self) -> String {
        self.render(&vec![true; self.segments.len()])
    }

    fn render_part(&self, part: &Part, keep: &[bool]) -> String {
        if !keep[part.segments.clone()].contains(&true) {
            return String::new();
        }
        let own = part.segments.start + usize::from(part.call.is_some())..part.segments.end;
        let text = match &part.body {
            Body::Prose => prose::render(&part.source, &self.segments, own, keep, '\n'),
            Body::Json(value) => json::render(value, &self.segments, own, keep),
        };
        match (&part.call, &part.body) {
            (None, _) => text,
            (Some(name), Body::Json(_)) => format!("{name}{text}"),
            (Some(name), Body::Prose) if text.is_empty() => name.clone(),
            (Some(name), Body::Prose) => format!("{name} {text}"),
        }
    }
}

impl Segment {
    fn bare(kind: SegmentKind, span: Range<usize>, text: &str) -> Self {
        Self {
            kind,
            part: 0,
            span,
            text: text.to_owned(),
            key: String::new(),
            record: 0,
            cost: 0,
            atoms: Vec::new(),
        }
    }

    /// Atoms that tell something of the matter: neither function words nor bare numbers.
    #[must_use]
    pub fn content_atoms(&self) -> usize {
        self.atoms.iter().filter(|atom| !atom.is_glue() && atom.kind != canon::Kind::Number).count()
    }

    /// The innermost key of a field.
    #[must_use]
    pub fn last_key(&self) -> Option<&str> {
        self.key.rsplit(' ').next().filter(|key| !key.is_empty())
    }

    /// The text without the key, which only a field has in its text.
    #[must_use]
    pub fn value(&self) -> String {
        let key = if self.kind == SegmentKind::Field { self.key.as_str() } else { "" };
        self.text.strip_prefix(key).unwrap_or(&self.text).trim_start().to_owned()
    }

    /// What the cost counts: a blank or separator and the value.
    fn shown(&self) -> String {
        match self.kind {
            SegmentKind::Field => format!("|{}", self.value()),
            _ => format!(" {}", self.text),
        }
    }
}

fn parse_container(source: &str) -> Option<(Value, Layout)> {
    if !source.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let value = serde_json::from_str(source.trim()).ok()?;
    Some((value, Layout::of(source)?))
}

#[cfg(test)]
mod tests;
