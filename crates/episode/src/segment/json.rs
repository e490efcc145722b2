//! JSON documents: one segment a scalar or empty container.

use std::ops::Range;

use serde_json::{Map, Value};

use super::{MAX_CHARS, Segment, SegmentKind, layout::Layout, prose};
use crate::table;

/// Longest key, in characters, that a segment carries.
const KEY_CHARS: usize = 80;

/// Appends the segments of a document (after the call's name, if it is the arguments of one) and, for each, the
/// segment that names its record.
pub(super) fn cut(
    value: &Value,
    layout: Layout,
    source: &str,
    call: Option<&str>,
    segments: &mut Vec<Segment>,
    heads: &mut Vec<Option<usize>>,
) {
    let mut cutter = Cutter { source, record: 0, keyed: false, segments, heads };
    if let Some(name) = call {
        cutter.segments.push(Segment::bare(SegmentKind::Call, 0..0, name));
        cutter.heads.push(None);
    }
    cutter.walk(value, layout, "", None);
}

/// Whether a string is cut as prose rather than kept whole.
fn is_prose(text: &str) -> bool {
    text.chars().nth(MAX_CHARS).is_some() && !text.trim().is_empty()
}

struct Cutter<'a> {
    source: &'a str,
    record: usize,
    /// Whether the key of this field is shown beside it rather than in the header of a table.
    keyed: bool,
    segments: &'a mut Vec<Segment>,
    heads: &'a mut Vec<Option<usize>>,
}

impl Cutter<'_> {
    fn walk(&mut self, value: &Value, layout: Layout, key: &str, head: Option<usize>) {
        match (value, layout) {
            (Value::Object(map), layout @ Layout::Object(_)) => self.object(map, layout, key, head),
            (Value::Array(items), Layout::Array(places)) => {
                for (item, place) in items.iter().zip(places) {
                    let head =
                        if items.len() >= 2 && item.is_object() { Some(self.segments.len()) } else { head };
                    self.walk(item, place, key, head);
                }
            }
            (Value::String(text), Layout::Leaf(span)) if is_prose(text) => self.long_text(text, span, key),
            (scalar, Layout::Leaf(span)) => self.scalar(scalar, span, key, head),
            (_, Layout::Object(_) | Layout::Array(_)) => unreachable!("a layout has the shape of its value"),
        }
    }

    fn object(&mut self, map: &Map<String, Value>, layout: Layout, parent: &str, head: Option<usize>) {
        let is_record = |value: &Value| matches!(value, Value::Object(map) if !map.is_empty());
        let entries_are_records = map.len() >= 2 && map.values().all(is_record);
        let keyed = self.keyed;
        self.keyed = head.is_none() && !entries_are_records;
        if map.values().any(|value| !value.is_object()) && head.is_none_or(|head| head == self.segments.len())
        {
            self.record += 1;
        }
        let last = parent.rsplit(' ').next().unwrap_or_default();
        for ((name, value), place) in map.iter().zip(layout.values(self.source, map.len())) {
            let name: String = name.chars().take(KEY_CHARS).collect();
            self.walk(value, place, format!("{last} {name}").trim(), head);
        }
        self.keyed = keyed;
    }

    fn scalar(&mut self, scalar: &Value, span: Range<usize>, key: &str, head: Option<usize>) {
        let value = scalar.as_str().map_or_else(|| scalar.to_string(), str::to_owned);
        let mut segment = Segment::bare(SegmentKind::Field, span, format!("{key} {value}").trim());
        key.clone_into(&mut segment.key);
        segment.record = self.record;
        // In a table the header carries the key, elsewhere each field does, about six letters a token.
        let last_key = key.rsplit(' ').next().unwrap_or_default();
        segment.cost = if self.keyed { 1 + last_key.len().div_ceil(6) as u32 } else { 0 };
        let own = self.segments.len();
        self.segments.push(segment);
        self.heads.push(head.filter(|head| *head != own));
    }

    fn long_text(&mut self, text: &str, span: Range<usize>, key: &str) {
        let from = self.segments.len();
        prose::cut(text, false, self.segments);
        for segment in &mut self.segments[from..] {
            segment.span = span.clone();
            segment.record = self.record;
            key.clone_into(&mut segment.key);
        }
        self.heads.resize(self.segments.len(), None);
    }
}

/// The kept segments of `range` as a document in the table encoding.
pub(super) fn render(value: &Value, segments: &[Segment], range: Range<usize>, keep: &[bool]) -> String {
    if keep[range.clone()].iter().all(|kept| *kept) {
        return table::encode(value);
    }
    let mut at = range.start;
    prune(value, segments, keep, &mut at).map(|kept| table::encode(&kept)).unwrap_or_default()
}

/// The document with the kept scalars only; containers that lose everything vanish. `at` is the next segment.
fn prune(value: &Value, segments: &[Segment], keep: &[bool], at: &mut usize) -> Option<Value> {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let kept: Map<String, Value> = map
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), prune(value, segments, keep, at)?)))
                .collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(items) if !items.is_empty() => {
            let kept: Vec<Value> = items.iter().filter_map(|item| prune(item, segments, keep, at)).collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        Value::String(text) if is_prose(text) => prune_text(text, segments, keep, at),
        scalar => {
            *at += 1;
            keep[*at - 1].then(|| scalar.clone())
        }
    }
}

fn prune_text(text: &str, segments: &[Segment], keep: &[bool], at: &mut usize) -> Option<Value> {
    let mut own = Vec::new();
    prose::cut(text, false, &mut own);
    let kept = &keep[*at..*at + own.len()];
    debug_assert!(own.iter().zip(&segments[*at..]).all(|(a, b)| a.text == b.text));
    *at += own.len();
    // Inside a JSON string a line break would be an escape, whose letter joins the next word.
    kept.contains(&true).then(|| Value::from(prose::render(text, &own, 0..own.len(), kept, ' ')))
}
