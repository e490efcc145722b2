//! JSON documents: one segment a scalar.

use serde_json::{Map, Value};

use super::{MAX_CHARS, Segment, SegmentKind, prose};

/// Appends the segments of a document (after the call's name, if it is the arguments of one) and, for each, the
/// segment that names its record.
pub(super) fn cut(
    value: &Value,
    source: &str,
    call: Option<&str>,
    segments: &mut Vec<Segment>,
    heads: &mut Vec<Option<usize>>,
) {
    let mut cutter = Cutter { source, at: 0, record: 0, keyed: false, segments, heads };
    if let Some(name) = call {
        cutter.segments.push(Segment::bare(SegmentKind::Call, 0..0, name));
        cutter.heads.push(None);
    }
    cutter.walk(value, "", None);
}

struct Cutter<'a> {
    source: &'a str,
    /// Where in the source the next scalar is looked for.
    at: usize,
    record: usize,
    /// Whether the key of this field is shown beside it rather than in the header of a table.
    keyed: bool,
    segments: &'a mut Vec<Segment>,
    heads: &'a mut Vec<Option<usize>>,
}

impl Cutter<'_> {
    fn walk(&mut self, value: &Value, key: &str, head: Option<usize>) {
        match value {
            Value::Object(map) => self.object(map, key, head),
            Value::Array(items) => {
                for item in items {
                    let head = if items.len() >= 2 && item.is_object() { Some(self.segments.len()) } else { head };
                    self.walk(item, key, head);
                }
            }
            Value::String(text) if text.chars().count() > MAX_CHARS => self.long_text(text, key),
            scalar => self.scalar(scalar, key, head),
        }
    }

    fn object(&mut self, map: &Map<String, Value>, parent: &str, head: Option<usize>) {
        let entries_are_records = map.len() >= 2 && map.values().all(|value| matches!(value, Value::Object(m) if !m.is_empty()));
        let keyed = self.keyed;
        self.keyed = head.is_none() && !entries_are_records;
        if map.values().any(|value| !value.is_object()) && head.is_none_or(|head| head == self.segments.len()) {
            self.record += 1;
        }
        for (name, value) in map {
            self.skip_past(&Value::from(name.as_str()).to_string());
            let last = parent.rsplit(' ').next().unwrap_or_default();
            self.walk(value, format!("{last} {name}").trim_start(), head);
        }
        self.keyed = keyed;
    }

    fn scalar(&mut self, scalar: &Value, key: &str, head: Option<usize>) {
        let literal = scalar.to_string();
        let span = self.skip_past(&literal);
        let value = scalar.as_str().map_or(literal, str::to_owned);
        let mut segment = Segment::bare(SegmentKind::Field, span, &format!("{key} {value}"));
        key.clone_into(&mut segment.key);
        segment.record = self.record;
        segment.cost = if self.keyed { 1 + key.len().div_ceil(5) as u32 } else { 0 };
        let own = self.segments.len();
        self.segments.push(segment);
        self.heads.push(head.filter(|head| *head != own));
    }

    fn long_text(&mut self, text: &str, key: &str) {
        let from = self.segments.len();
        let outer = self.skip_past(&Value::from(text).to_string());
        prose::cut(text, false, self.segments);
        for segment in &mut self.segments[from..] {
            segment.span = outer.clone();
            segment.record = self.record;
            key.clone_into(&mut segment.key);
        }
        self.heads.resize(self.segments.len(), None);
    }

    /// Finds a literal in the source from the cursor on and moves the cursor behind it. Numbers may be written in
    /// another way than ours; then the rest of the source stands in.
    fn skip_past(&mut self, literal: &str) -> std::ops::Range<usize> {
        match self.source[self.at..].find(literal) {
            Some(from) => {
                let from = self.at + from;
                self.at = from + literal.len();
                from..self.at
            }
            None => self.at..self.source.len(),
        }
    }
}

/// The document with the kept scalars only; containers that lose everything vanish. `at` is the next segment.
pub(super) fn prune(value: &Value, segments: &[Segment], keep: &[bool], at: &mut usize) -> Option<Value> {
    match value {
        Value::Object(map) => {
            let kept: Map<String, Value> = map
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), prune(value, segments, keep, at)?)))
                .collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(items) => {
            let kept: Vec<Value> =
                items.iter().filter_map(|item| prune(item, segments, keep, at)).collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        Value::String(text) if text.chars().count() > MAX_CHARS => prune_text(text, segments, keep, at),
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
    kept.contains(&true).then(|| Value::from(prose::render(text, &own, 0..own.len(), kept)))
}
