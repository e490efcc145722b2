//! JSON → text.

use serde_json::{Map, Value};

use super::{Column, MAX_DEPTH, SPECIAL, SPECIAL_IN_KEY, get};

type Row<'a> = (Option<&'a str>, &'a Map<String, Value>);

/// Writes a JSON value in the table encoding; `decode(encode(x)) == x` for every value.
#[must_use]
pub fn encode(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out, 0);
    out
}

fn write(value: &Value, out: &mut String, depth: usize) {
    if depth >= MAX_DEPTH {
        return out.push_str(&value.to_string());
    }
    if let Some(table) = table(value, depth) {
        return out.push_str(&table);
    }
    match value {
        Value::Object(map) => {
            out.push('{');
            for (at, (key, value)) in map.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write_key(key, out);
                out.push(':');
                write(value, out, depth + 1);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write(item, out, depth + 1);
            }
            out.push(']');
        }
        Value::String(text) if is_bare(text) => out.push_str(text),
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn write_key(key: &str, out: &mut String) {
    if is_bare(key) && !key.contains(|c| SPECIAL_IN_KEY.contains(c)) {
        out.push_str(key);
    } else {
        out.push_str(&Value::from(key).to_string());
    }
}

/// Whether a string can stand without quotes and still be read as that string.
fn is_bare(text: &str) -> bool {
    !text.is_empty()
        && text.trim() == text
        && !text.contains(|c| SPECIAL.contains(c))
        && serde_json::from_str::<Value>(text).is_err()
}

/// The table form of a value, where it has one.
fn table(value: &Value, depth: usize) -> Option<String> {
    match value {
        Value::Object(map) if map.len() >= 2 => {
            let rows = map.iter().map(|(key, row)| Some((Some(key.as_str()), filled(row)?)));
            write_table(&[rows.collect::<Option<Vec<Row<'_>>>>()?], "", depth)
        }
        Value::Array(items) if items.len() >= 2 => match like_rows(items) {
            Some(rows) => write_table(&[rows], "", depth),
            None => {
                let groups = items.iter().map(|item| like_rows(item.as_array()?));
                write_table(&groups.collect::<Option<Vec<_>>>()?, "^", depth)
            }
        },
        _ => None,
    }
}

fn filled(value: &Value) -> Option<&Map<String, Value>> {
    value.as_object().filter(|map| !map.is_empty())
}

fn like_rows(items: &[Value]) -> Option<Vec<Row<'_>>> {
    if items.is_empty() {
        return None;
    }
    items.iter().map(|item| Some((None, filled(item)?))).collect()
}

fn write_table(groups: &[Vec<Row<'_>>], mark: &str, depth: usize) -> Option<String> {
    let rows: Vec<Row<'_>> = groups.iter().flatten().copied().collect();
    let fields: Vec<_> = rows.iter().map(|(_, row)| *row).collect();
    let keyed = rows.first().is_some_and(|(key, _)| key.is_some());
    let mut columns = columns(&fields, depth)?;
    if !is_dense(&columns, &fields) {
        return None;
    }
    if keyed {
        add_key_column(&mut columns, &rows);
    }
    if columns.iter().all(|column| matches!(column, Column::Constant(..))) {
        return None;
    }
    let mut out = format!("<{mark}");
    write_header(&columns, &mut out, depth);
    for (at, group) in groups.iter().enumerate() {
        out.push_str(if at > 0 { "\n" } else { "" });
        for (key, row) in group {
            out.push('\n');
            let mut cells = Vec::new();
            push_cells(&columns, *key, Some(row), &mut cells, depth);
            out.push_str(&cells.join("|"));
        }
    }
    out.push('>');
    Some(out)
}

/// The columns of rows that are alike: first-seen order, constants found, shared sub-objects opened.
fn columns(rows: &[&Map<String, Value>], depth: usize) -> Option<Vec<Column>> {
    if depth >= MAX_DEPTH {
        return None;
    }
    let mut keys: Vec<&String> = Vec::new();
    for key in rows.iter().flat_map(|row| row.keys()) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys.into_iter().map(|key| column(key, rows, depth)).collect()
}

fn column(key: &str, rows: &[&Map<String, Value>], depth: usize) -> Option<Column> {
    let cells: Vec<&Value> = rows.iter().filter_map(|row| row.get(key)).collect();
    if cells.len() == rows.len() && rows.len() >= 2 && cells.iter().all(|cell| *cell == cells[0]) {
        return Some(Column::Constant(key.to_owned(), cells[0].clone()));
    }
    match cells.iter().map(|cell| filled(cell)).collect::<Option<Vec<_>>>() {
        // A constant inside a group would stand for rows that lack the group, so only full groups may hold any.
        Some(below) if below.len() == rows.len() => {
            Some(Column::Group(key.to_owned(), columns(&below, depth + 1)?))
        }
        _ => Some(Column::Cell(key.to_owned())),
    }
}

/// Whether at least half of the cells are filled; a sparser table costs more than it saves.
fn is_dense(columns: &[Column], rows: &[&Map<String, Value>]) -> bool {
    let paths: Vec<Vec<&str>> = leaf_paths(columns);
    let filled: usize =
        paths.iter().map(|path| rows.iter().filter(|row| get(row, path).is_some()).count()).sum();
    2 * filled >= paths.len() * rows.len()
}

fn leaf_paths(columns: &[Column]) -> Vec<Vec<&str>> {
    let mut paths = Vec::new();
    for column in columns {
        match column {
            Column::Cell(key) | Column::Constant(key, _) => paths.push(vec![key.as_str()]),
            Column::Group(key, below) => {
                paths.extend(leaf_paths(below).into_iter().map(|path| [&[key.as_str()], &path[..]].concat()));
            }
            Column::Key(_) => {}
        }
    }
    paths
}

fn add_key_column(columns: &mut Vec<Column>, rows: &[Row<'_>]) {
    let repeats = |field: &String| {
        rows.iter()
            .all(|(key, row)| row.get(field).and_then(Value::as_str).is_some_and(|cell| Some(cell) == *key))
    };
    let twin = columns.iter().position(|column| matches!(column, Column::Cell(field) if repeats(field)));
    let field = twin.map(|at| columns.remove(at)).and_then(|column| match column {
        Column::Cell(field) => Some(field),
        _ => None,
    });
    columns.insert(0, Column::Key(field));
}

fn write_header(columns: &[Column], out: &mut String, depth: usize) {
    for (at, column) in columns.iter().enumerate() {
        out.push_str(if at > 0 { "|" } else { "" });
        match column {
            Column::Cell(key) => write_key(key, out),
            Column::Constant(key, value) => {
                write_key(key, out);
                out.push('=');
                write(value, out, depth + 1);
            }
            Column::Group(key, below) => {
                write_key(key, out);
                out.push('{');
                write_header(below, out, depth + 1);
                out.push('}');
            }
            Column::Key(field) => {
                out.push('*');
                if let Some(field) = field {
                    write_key(field, out);
                }
            }
        }
    }
}

fn push_cells(
    columns: &[Column],
    key: Option<&str>,
    row: Option<&Map<String, Value>>,
    cells: &mut Vec<String>,
    depth: usize,
) {
    for column in columns {
        match column {
            Column::Cell(name) => {
                let mut cell = String::new();
                if let Some(value) = row.and_then(|row| row.get(name)) {
                    write(value, &mut cell, depth + 1);
                }
                cells.push(cell);
            }
            Column::Constant(..) => {}
            Column::Group(name, below) => {
                push_cells(below, None, row.and_then(|row| row.get(name)?.as_object()), cells, depth + 1);
            }
            Column::Key(_) => {
                let mut cell = String::new();
                write(&Value::from(key.unwrap_or_default()), &mut cell, depth + 1);
                cells.push(cell);
            }
        }
    }
}
