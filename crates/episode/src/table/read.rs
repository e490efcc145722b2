//! Text → JSON.

use serde_json::{Map, Value};
use thiserror::Error;

use super::{Column, MAX_DEPTH, SPECIAL};

/// Why a text is not in the table encoding.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TableError {
    /// Something else should stand at this byte.
    #[error("byte {at}: expected {expected}")]
    Expected {
        /// Byte offset into the text.
        at: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// Nested deeper than any value that is written.
    #[error("byte {at}: nested deeper than {MAX_DEPTH}")]
    TooDeep {
        /// Byte offset into the text.
        at: usize,
    },
}

/// Reads what [`super::encode`] wrote.
///
/// # Errors
/// [`TableError`] with the byte offset where the text leaves the grammar.
pub fn decode(text: &str) -> Result<Value, TableError> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    if reader.at < text.len() { Err(reader.expected("the end of the text")) } else { Ok(value) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn expected(&self, expected: &'static str) -> TableError {
        TableError::Expected { at: self.at, expected }
    }

    fn next_is(&self, mark: char) -> bool {
        self.text[self.at..].starts_with(mark)
    }

    fn take(&mut self, mark: char) -> bool {
        let found = self.next_is(mark);
        self.at += if found { mark.len_utf8() } else { 0 };
        found
    }

    fn need(&mut self, mark: char, expected: &'static str) -> Result<(), TableError> {
        if self.take(mark) { Ok(()) } else { Err(self.expected(expected)) }
    }

    fn value(&mut self, depth: usize) -> Result<Value, TableError> {
        if depth > MAX_DEPTH {
            return Err(TableError::TooDeep { at: self.at });
        }
        // At the depth limit the writer leaves plain JSON behind.
        if depth == MAX_DEPTH && (self.next_is('{') || self.next_is('[')) {
            return self.json();
        }
        if self.take('{') {
            self.object(depth)
        } else if self.take('[') {
            self.array(depth)
        } else if self.take('<') {
            self.table(depth)
        } else if self.next_is('"') {
            self.json()
        } else {
            let text = self.bare("");
            if text.is_empty() {
                return Err(self.expected("a value"));
            }
            Ok(serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)))
        }
    }

    /// One plain JSON value.
    fn json(&mut self) -> Result<Value, TableError> {
        let mut stream = serde_json::Deserializer::from_str(&self.text[self.at..]).into_iter::<Value>();
        match stream.next() {
            Some(Ok(value)) => {
                self.at += stream.byte_offset();
                Ok(value)
            }
            _ => Err(self.expected("a JSON value")),
        }
    }

    fn bare(&mut self, also: &str) -> &str {
        let rest = &self.text[self.at..];
        let end = rest.find(|c| SPECIAL.contains(c) || also.contains(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn key(&mut self, also: &str) -> Result<String, TableError> {
        if self.next_is('"') {
            return match self.json()? {
                Value::String(key) => Ok(key),
                _ => Err(self.expected("a key")),
            };
        }
        let key = self.bare(also).to_owned();
        if key.is_empty() { Err(self.expected("a key")) } else { Ok(key) }
    }

    fn object(&mut self, depth: usize) -> Result<Value, TableError> {
        let mut map = Map::new();
        while !self.take('}') {
            if !map.is_empty() {
                self.need(',', "`,` or `}`")?;
            }
            let key = self.key(":")?;
            self.need(':', "`:`")?;
            map.insert(key, self.value(depth + 1)?);
        }
        Ok(Value::Object(map))
    }

    fn array(&mut self, depth: usize) -> Result<Value, TableError> {
        let mut items = Vec::new();
        while !self.take(']') {
            if !items.is_empty() {
                self.need(',', "`,` or `]`")?;
            }
            items.push(self.value(depth + 1)?);
        }
        Ok(Value::Array(items))
    }

    fn table(&mut self, depth: usize) -> Result<Value, TableError> {
        let grouped = self.take('^');
        let columns = self.header(depth)?;
        let keyed = columns.iter().any(|column| matches!(column, Column::Key(_)));
        let mut groups = vec![Vec::new()];
        let mut map = Map::new();
        while !self.take('>') {
            self.need('\n', "a new row or `>`")?;
            if grouped && self.take('\n') {
                groups.push(Vec::new());
            }
            let mut cells = Cells { reader: self, depth, first: true };
            let (key, row) = cells.row(&columns)?;
            match key {
                Some(key) => drop(map.insert(key, Value::Object(row))),
                None => groups.last_mut().expect("there is always a group").push(Value::Object(row)),
            }
        }
        Ok(match (keyed, grouped) {
            (true, _) => Value::Object(map),
            (false, true) => Value::Array(groups.into_iter().map(Value::Array).collect()),
            (false, false) => Value::Array(groups.swap_remove(0)),
        })
    }

    fn header(&mut self, depth: usize) -> Result<Vec<Column>, TableError> {
        if depth > MAX_DEPTH {
            return Err(TableError::TooDeep { at: self.at });
        }
        let mut columns = Vec::new();
        loop {
            columns.push(self.column(depth)?);
            if !self.take('|') {
                return Ok(columns);
            }
        }
    }

    fn column(&mut self, depth: usize) -> Result<Column, TableError> {
        if self.take('*') {
            let repeats = !(self.next_is('|') || self.next_is('\n'));
            return Ok(Column::Key(if repeats { Some(self.key("=")?) } else { None }));
        }
        let key = self.key("=")?;
        if self.take('=') {
            Ok(Column::Constant(key, self.value(depth + 1)?))
        } else if self.take('{') {
            let below = self.header(depth + 1)?;
            self.need('}', "`}` after the nested columns")?;
            Ok(Column::Group(key, below))
        } else {
            Ok(Column::Cell(key))
        }
    }
}

/// The cells of one row, read along the columns.
struct Cells<'r, 'a> {
    reader: &'r mut Reader<'a>,
    depth: usize,
    first: bool,
}

impl Cells<'_, '_> {
    fn row(&mut self, columns: &[Column]) -> Result<(Option<String>, Map<String, Value>), TableError> {
        let mut key = None;
        let mut row = Map::new();
        for column in columns {
            match column {
                Column::Constant(name, value) => drop(row.insert(name.clone(), value.clone())),
                Column::Cell(name) => {
                    if let Some(value) = self.cell()? {
                        row.insert(name.clone(), value);
                    }
                }
                Column::Group(name, below) => {
                    let (_, nested) = self.row(below)?;
                    if !nested.is_empty() {
                        row.insert(name.clone(), Value::Object(nested));
                    }
                }
                Column::Key(field) => {
                    let Some(Value::String(name)) = self.cell()? else {
                        return Err(self.reader.expected("the key of this row"));
                    };
                    if let Some(field) = field {
                        row.insert(field.clone(), Value::from(name.clone()));
                    }
                    key = Some(name);
                }
            }
        }
        Ok((key, row))
    }

    fn cell(&mut self) -> Result<Option<Value>, TableError> {
        if !self.first {
            self.reader.need('|', "`|` and the next cell")?;
        }
        self.first = false;
        let ends = ['|', '\n', '>'].into_iter().any(|mark| self.reader.next_is(mark));
        if ends { Ok(None) } else { self.reader.value(self.depth + 1).map(Some) }
    }
}
