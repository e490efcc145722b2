//! The rows of a foreign file as JSON objects, one at a time: lines of JSONL, or rows of Parquet.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use serde_json::{Map, Value};

use super::columns;
use crate::DatasetError;
use crate::error::{FieldFault, RowFault};

/// Longest line that is read: 64 MB.
pub const LINE_BYTES_MAX: usize = 64_000_000;

/// Rows held in memory of a Parquet file.
const BATCH_ROWS: usize = 128;

/// A JSON object.
pub(crate) type Object = Map<String, Value>;

/// A row with its number, from 1.
pub(crate) type Row = (u64, Result<Object, FieldFault>);

/// Iterates over the rows of one file.
#[derive(Debug)]
pub(crate) enum Rows {
    Lines(Lines<BufReader<File>>),
    Parquet {
        batches: ParquetRecordBatchReader,
        pending: std::vec::IntoIter<Result<Object, FieldFault>>,
        row: u64,
    },
}

impl Rows {
    pub(crate) fn lines(path: &Path) -> Result<Self, DatasetError> {
        let file = File::open(path).map_err(DatasetError::io(path))?;
        Ok(Self::Lines(Lines::new(BufReader::with_capacity(1 << 20, file))))
    }

    /// Rows of a Parquet file with the columns of `wanted` only.
    pub(crate) fn parquet(path: &Path, wanted: &[&str]) -> Result<Self, DatasetError> {
        let file = File::open(path).map_err(DatasetError::io(path))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(DatasetError::parquet(path))?;
        let fields = builder.schema().fields().iter().enumerate();
        let roots: Vec<usize> =
            fields.filter(|(_, field)| wanted.contains(&field.name().as_str())).map(|(at, _)| at).collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let builder = builder.with_projection(mask).with_batch_size(BATCH_ROWS);
        let batches = builder.build().map_err(DatasetError::parquet(path))?;
        Ok(Self::Parquet { batches, pending: Vec::new().into_iter(), row: 0 })
    }

    /// The next row; an error is one of the file, not of a row.
    pub(crate) fn next(&mut self, path: &Path) -> Option<Result<Row, DatasetError>> {
        match self {
            Self::Lines(lines) => lines.next().map(|row| row.map_err(DatasetError::io(path))),
            Self::Parquet { batches, pending, row } => loop {
                if let Some(object) = pending.next() {
                    *row += 1;
                    return Some(Ok((*row, object)));
                }
                match batches.next()? {
                    Ok(batch) => *pending = columns::objects(&batch).into_iter(),
                    Err(error) => return Some(Err(DatasetError::parquet(path)(error.into()))),
                }
            },
        }
    }
}

/// Lines of JSON, blank ones passed over.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: R,
    line: u64,
    bytes_max: usize,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, line: 0, bytes_max: LINE_BYTES_MAX }
    }

    fn next(&mut self) -> Option<std::io::Result<Row>> {
        loop {
            let mut bytes = Vec::new();
            let whole = match read_line(&mut self.reader, &mut bytes, self.bytes_max) {
                Ok(None) => return None,
                Ok(Some(whole)) => whole,
                Err(error) => return Some(Err(error)),
            };
            self.line += 1;
            if !whole {
                let fault = RowFault::RowTooLong { bytes_max: self.bytes_max };
                return Some(Ok((self.line, Err(FieldFault::new("", fault)))));
            }
            let text = bytes.strip_prefix(b"\xef\xbb\xbf").filter(|_| self.line == 1).unwrap_or(&bytes);
            if !text.trim_ascii().is_empty() {
                return Some(Ok((self.line, parse(text))));
            }
        }
    }
}

/// Reads up to the next line feed; `false` if the line was longer than `bytes_max` and has been passed over.
fn read_line(
    reader: &mut impl BufRead,
    line: &mut Vec<u8>,
    bytes_max: usize,
) -> std::io::Result<Option<bool>> {
    let mut seen = 0_usize;
    loop {
        let buffer = match reader.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            return Ok((seen > 0).then_some(seen <= bytes_max));
        }
        let end = buffer.iter().position(|&byte| byte == b'\n');
        let taken = end.unwrap_or(buffer.len());
        seen += taken;
        if seen <= bytes_max {
            line.extend_from_slice(&buffer[..taken]);
        }
        reader.consume(taken + usize::from(end.is_some()));
        if end.is_some() {
            return Ok(Some(seen <= bytes_max));
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Object, FieldFault> {
    let text = std::str::from_utf8(bytes).map_err(|error| invalid_utf8(bytes, error.valid_up_to()))?;
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(FieldFault::new(
            "",
            RowFault::WrongType { expected: "an object", found: super::kind(&other) },
        )),
        Err(error) => Err(FieldFault::new("", RowFault::InvalidJson(error.to_string()))),
    }
}

/// The fault with the first field that holds the damage, if the rest of the row still parses.
fn invalid_utf8(bytes: &[u8], at: usize) -> FieldFault {
    let repaired = serde_json::from_str::<Value>(&String::from_utf8_lossy(bytes)).ok();
    let field = repaired.as_ref().and_then(damaged).unwrap_or_default();
    FieldFault::new(field, RowFault::InvalidUtf8 { at })
}

/// Path of the first string that holds a replacement character.
fn damaged(value: &Value) -> Option<String> {
    let join = |outer: String, inner: String| {
        let dot = if inner.is_empty() || inner.starts_with('[') { "" } else { "." };
        format!("{outer}{dot}{inner}")
    };
    match value {
        Value::String(text) => text.contains('\u{fffd}').then(String::new),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(at, item)| Some(join(format!("[{at}]"), damaged(item)?)))
        }
        Value::Object(fields) => {
            fields.iter().find_map(|(name, item)| Some(join(name.clone(), damaged(item)?)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line number with the JSON there, or with field and fault.
    type Expected<'a> = (u64, Result<&'a str, (&'a str, RowFault)>);

    #[track_caller]
    fn check(bytes: &[u8], expect: &[Expected<'_>]) {
        let mut lines = Lines { reader: BufReader::with_capacity(7, bytes), line: 0, bytes_max: 40 };
        let mut found = Vec::new();
        while let Some(row) = lines.next() {
            found.push(row.expect("bytes in memory can be read"));
        }
        let expect: Vec<Row> = expect
            .iter()
            .map(|(line, row)| {
                let row = row.clone().map(|text| serde_json::from_str(text).expect("a test writes JSON"));
                (*line, row.map_err(|(field, fault)| FieldFault::new(field, fault)))
            })
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn blank_lines_line_ends_and_marks_are_passed_over() {
        check(b"\xef\xbb\xbf{\"a\":1}\r\n\n  \n{\"b\":2}", &[(1, Ok("{\"a\":1}")), (4, Ok("{\"b\":2}"))]);
        check(b"", &[]);
    }

    #[test]
    fn a_long_line_is_refused_and_the_next_one_read() {
        let long = format!("{{\"a\":\"{}\"}}\n{{\"b\":2}}\n", "x".repeat(90));
        check(
            long.as_bytes(),
            &[(1, Err(("", RowFault::RowTooLong { bytes_max: 40 }))), (2, Ok("{\"b\":2}"))],
        );
    }

    #[test]
    fn damaged_text_is_found_by_field() {
        let fault = RowFault::InvalidUtf8 { at: 12 };
        check(b"{\"a\":[{\"b\":\"\xff\"}]}", &[(1, Err(("a[0].b", fault)))]);
        check(b"\xff\xfe", &[(1, Err(("", RowFault::InvalidUtf8 { at: 0 })))]);
        check(b"[1]", &[(1, Err(("", RowFault::WrongType { expected: "an object", found: "an array" })))]);
    }
}
