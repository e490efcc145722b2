//! Arrow ↔ Episode, versioned.
//!
//! One row is one episode; turns, calls, queries and evidence are nested lists of structs, so a column of token
//! counts can be read without the text. The version stands in the metadata of the schema; see [`VERSION`].

mod decode;
mod encode;

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};

pub(crate) use decode::decode;
pub(crate) use encode::encode;

/// Version of the layout. A file of another version is refused, never guessed at.
pub const VERSION: u32 = 1;

/// Metadata key that holds [`VERSION`].
pub const VERSION_KEY: &str = "lrrc.episode.schema";

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, false)
}

fn optional(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

fn structs(name: &str, fields: Fields) -> Field {
    let item = Field::new("item", DataType::Struct(fields), false);
    Field::new(name, DataType::List(Arc::new(item)), false)
}

fn agent_fields() -> Fields {
    vec![text("name"), optional("model", DataType::Utf8)].into()
}

fn call_fields() -> Fields {
    vec![optional("id", DataType::Utf8), text("name"), text("arguments")].into()
}

fn turn_fields() -> Fields {
    vec![
        Field::new("agent", DataType::UInt32, false),
        text("role"),
        text("content"),
        structs("tool_calls", call_fields()),
        optional("tool_name", DataType::Utf8),
        optional("tool_call_id", DataType::Utf8),
        optional("tokens", DataType::UInt32),
    ]
    .into()
}

fn evidence_fields() -> Fields {
    vec![Field::new("first", DataType::UInt32, false), Field::new("last", DataType::UInt32, false)].into()
}

fn query_fields() -> Fields {
    vec![text("text"), text("answer"), structs("evidence", evidence_fields())].into()
}

fn outcome_fields() -> Fields {
    vec![
        optional("reward", DataType::Float64),
        optional("success", DataType::Boolean),
        optional("winner", DataType::Utf8),
        optional("votes", DataType::UInt32),
    ]
    .into()
}

/// The layout of a shard.
#[must_use]
pub fn schema() -> SchemaRef {
    let fields = vec![
        text("id"),
        text("group"),
        text("source"),
        text("license"),
        optional("task", DataType::Utf8),
        structs("agents", agent_fields()),
        structs("turns", turn_fields()),
        structs("queries", query_fields()),
        Field::new("outcome", DataType::Struct(outcome_fields()), false),
    ];
    let metadata = [(VERSION_KEY.to_owned(), VERSION.to_string())];
    Arc::new(Schema::new_with_metadata(fields, metadata))
}

/// How a schema differs from [`schema`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// No version: not a file of ours.
    Foreign,
    Version(String),
    Column {
        field: String,
        expected: String,
        found: String,
    },
}

/// Whether a file with this schema can be decoded.
pub(crate) fn compare(found: &Schema) -> Result<(), Mismatch> {
    let version = found.metadata().get(VERSION_KEY).ok_or(Mismatch::Foreign)?;
    if *version != VERSION.to_string() {
        return Err(Mismatch::Version(version.clone()));
    }
    for field in schema().fields() {
        let found = found.field_with_name(field.name()).ok();
        if found.map(Field::data_type) != Some(field.data_type())
            || found.is_none_or(Field::is_nullable) != field.is_nullable()
        {
            return Err(Mismatch::Column {
                field: field.name().clone(),
                expected: field.data_type().to_string(),
                found: found.map_or_else(|| "missing".to_owned(), |field| field.data_type().to_string()),
            });
        }
    }
    Ok(())
}
