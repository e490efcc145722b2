//! Where the values of a JSON document stand in its source.

use std::{collections::HashMap, ops::Range};

use serde_json::Value;

/// Longest number that a double holds whatever its digits are.
const EXACT_DIGITS: usize = 15;

/// Where a value stands, in the shape of the value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// A scalar or an empty container.
    Leaf(Range<usize>),
    /// The items of an array.
    Array(Vec<Self>),
    /// The values of an object, each behind the place of its key; a key may be repeated.
    Object(Vec<(Range<usize>, Self)>),
}

impl Layout {
    /// The layout of a source that `serde_json` accepts, or nothing where a number has more digits than survive
    /// its reading: such a document cannot be shown as fields.
    pub(super) fn of(source: &str) -> Option<Self> {
        let start = source.len() - source.trim_start().len();
        let mut reader = Reader { source, at: start, exact: true };
        let layout = reader.value();
        reader.exact.then_some(layout)
    }

    /// Places of the values of an object that was read from `source`: where a key is repeated, its first position
    /// and its last value count.
    pub(super) fn values(self, source: &str, distinct: usize) -> Vec<Self> {
        let Self::Object(entries) = self else { return Vec::new() };
        if entries.len() == distinct {
            return entries.into_iter().map(|(_, place)| place).collect();
        }
        let mut index = HashMap::new();
        let mut places = Vec::with_capacity(distinct);
        for (key, place) in entries {
            let key: String = serde_json::from_str(&source[key]).unwrap_or_default();
            let at = *index.entry(key).or_insert(places.len());
            if at == places.len() { places.push(place) } else { places[at] = place }
        }
        places
    }
}

struct Reader<'a> {
    source: &'a str,
    at: usize,
    exact: bool,
}

impl Reader<'_> {
    fn byte(&self) -> u8 {
        self.source.as_bytes().get(self.at).copied().unwrap_or(b']')
    }

    fn skip(&mut self, skipped: &[u8]) {
        let rest = &self.source.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| skipped.contains(byte)).count();
    }

    fn value(&mut self) -> Layout {
        let from = self.at;
        match self.byte() {
            b'{' => {
                let entries = self.entries(|reader| {
                    let key = reader.scalar();
                    reader.skip(b" \t\r\n:");
                    (key, reader.value())
                });
                if entries.is_empty() { Layout::Leaf(from..self.at) } else { Layout::Object(entries) }
            }
            b'[' => {
                let items = self.entries(Self::value);
                if items.is_empty() { Layout::Leaf(from..self.at) } else { Layout::Array(items) }
            }
            _ => Layout::Leaf(self.scalar()),
        }
    }

    fn entries<T>(&mut self, one: impl Fn(&mut Self) -> T) -> Vec<T> {
        let mut entries = Vec::new();
        self.at += 1;
        loop {
            self.skip(b" \t\r\n,");
            if matches!(self.byte(), b'}' | b']') {
                self.at = (self.at + 1).min(self.source.len());
                return entries;
            }
            entries.push(one(self));
        }
    }

    fn scalar(&mut self) -> Range<usize> {
        let from = self.at;
        if self.byte() == b'"' {
            self.at += 1;
            while self.byte() != b'"' && self.at < self.source.len() {
                self.at += if self.byte() == b'\\' { 2 } else { 1 };
            }
            self.at = (self.at + 1).min(self.source.len());
        } else {
            let rest = &self.source.as_bytes()[from..];
            self.at += rest.iter().take_while(|byte| !b" \t\r\n,]}".contains(byte)).count().max(1);
            self.exact = self.exact && survives(&self.source[from..self.at]);
        }
        from..self.at
    }
}

/// Whether reading a scalar keeps all digits of it.
fn survives(literal: &str) -> bool {
    if !literal.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        return true;
    }
    let digits = significant(literal);
    if digits.len() <= EXACT_DIGITS && !literal.contains(['e', 'E']) {
        return true;
    }
    let read: Option<Value> = serde_json::from_str(literal).ok();
    read.is_some_and(|read| significant(&read.to_string()) == digits)
}

/// The digits of a number that say anything but its size.
pub(super) fn significant(literal: &str) -> String {
    let mantissa = literal.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expect: &[&str]) {
        let mut found = Vec::new();
        leaves(Layout::of(source).unwrap(), source, &mut found);
        assert_eq!(found, expect);
    }

    fn leaves<'a>(layout: Layout, source: &'a str, found: &mut Vec<&'a str>) {
        match layout {
            Layout::Leaf(span) => found.push(&source[span]),
            Layout::Array(items) => items.into_iter().for_each(|item| leaves(item, source, found)),
            Layout::Object(entries) => {
                entries.into_iter().for_each(|(_, value)| leaves(value, source, found));
            }
        }
    }

    #[test]
    fn a_scalar_is_found_however_it_is_written() {
        check(
            r#" {"a" : 1e5 , "b":[1.0,5, "\u00e9\"x", {}],"c":[ ],"d":-0.50}"#,
            &["1e5", "1.0", "5", r#""\u00e9\"x""#, "{}", "[ ]", "-0.50"],
        );
        check("[null,true,false]", &["null", "true", "false"]);
    }

    #[test]
    fn of_a_repeated_key_the_last_value_counts_at_the_first_position() {
        let source = r#"{"a":1,"b":2,"\u0061":3}"#;
        let places = Layout::of(source).unwrap().values(source, 2);
        let texts: Vec<&str> = places
            .iter()
            .map(|place| if let Layout::Leaf(span) = place { &source[span.clone()] } else { "" })
            .collect();
        assert_eq!(texts, ["3", "2"]);
    }

    #[test]
    fn numbers_that_do_not_survive_are_found() {
        for exact in
            ["[18446744073709551615]", "[1e5]", "[0.1]", "[1.50]", "[-0.0]", "[100000000000000000000]"]
        {
            assert!(Layout::of(exact).is_some(), "{exact}");
        }
        for lossy in ["[12345678901234567890123]", "[0.12345678901234567891]", "[1e-400]"] {
            assert!(Layout::of(lossy).is_none(), "{lossy}");
        }
    }
}
