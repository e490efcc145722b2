//! Arrow columns of any writer as JSON, so that a Parquet file is imported by the same code as a JSONL.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use serde_json::Value;

use super::rows::Object;
use crate::error::{FieldFault, RowFault};

/// The rows of a batch; a null is an absent field.
pub(crate) fn objects(batch: &RecordBatch) -> Vec<Result<Object, FieldFault>> {
    (0..batch.num_rows())
        .map(|row| {
            let names = batch.schema_ref().fields().iter().map(|field| field.name().as_str());
            object(names.zip(batch.columns()), row)
        })
        .collect()
}

fn object<'a>(
    columns: impl Iterator<Item = (&'a str, &'a ArrayRef)>,
    row: usize,
) -> Result<Object, FieldFault> {
    let mut object = Object::new();
    for (name, column) in columns {
        let value = value(column, row).map_err(|fault| fault.inside(name))?;
        if !value.is_null() {
            object.insert(name.to_owned(), value);
        }
    }
    Ok(object)
}

fn value(array: &ArrayRef, at: usize) -> Result<Value, FieldFault> {
    if array.is_null(at) {
        return Ok(Value::Null);
    }
    Ok(match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => array.as_boolean().value(at).into(),
        DataType::Utf8 => array.as_string::<i32>().value(at).into(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(at).into(),
        DataType::Utf8View => array.as_string_view().value(at).into(),
        DataType::Int8 => array.as_primitive::<Int8Type>().value(at).into(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(at).into(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(at).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(at).into(),
        DataType::UInt8 => array.as_primitive::<UInt8Type>().value(at).into(),
        DataType::UInt16 => array.as_primitive::<UInt16Type>().value(at).into(),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(at).into(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(at).into(),
        DataType::Float32 => array.as_primitive::<Float32Type>().value(at).into(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(at).into(),
        DataType::List(_) => list(&array.as_list::<i32>().value(at))?,
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(at))?,
        DataType::Struct(fields) => {
            let names = fields.iter().map(|field| field.name().as_str());
            Value::Object(object(names.zip(array.as_struct().columns()), at)?)
        }
        _ => {
            let expected = "text, a number, true or false, a list or a struct";
            return Err(FieldFault::new("", RowFault::WrongType { expected, found: "another column type" }));
        }
    })
}

fn list(items: &ArrayRef) -> Result<Value, FieldFault> {
    let item = |at| value(items, at).map_err(|fault| fault.inside(&format!("[{at}]")));
    (0..items.len()).map(item).collect::<Result<Vec<_>, _>>().map(Value::Array)
}
