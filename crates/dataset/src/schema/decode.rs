//! Record batch → episodes. The types were compared when the file was opened; what is left to check is the words.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt32Type};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, StructArray, UInt32Array};
use lrrc_episode::{Agent, Episode, Outcome, Query, Role, ToolCall, Turn, Winner};

use crate::error::{FieldFault, RowFault};

/// The episode in one row of a batch whose schema was compared.
pub(crate) fn decode(batch: &RecordBatch, row: usize) -> Result<Episode, FieldFault> {
    let column = |name: &'static str| batch.column_by_name(name).ok_or_else(|| missing(name));
    let text = |name| text_at(column(name)?, row, name);
    Ok(Episode {
        id: text("id")?,
        group: text("group")?,
        source: text("source")?,
        license: text("license")?,
        task: optional_text_at(column("task")?, row, "task")?,
        agents: items(column("agents")?, row, "agents", agent)?,
        turns: items(column("turns")?, row, "turns", turn)?,
        queries: items(column("queries")?, row, "queries", query)?,
        outcome: outcome(
            column("outcome")?.as_struct_opt().ok_or_else(|| wrong("outcome", "a struct"))?,
            row,
        )
        .map_err(|fault| fault.inside("outcome"))?,
    })
}

fn missing(field: &str) -> FieldFault {
    FieldFault::new(field, RowFault::Missing)
}

fn wrong(field: &str, expected: &'static str) -> FieldFault {
    FieldFault::new(field, RowFault::WrongType { expected, found: "another column type" })
}

fn strings<'a>(array: &'a ArrayRef, field: &str) -> Result<&'a StringArray, FieldFault> {
    array.as_string_opt::<i32>().ok_or_else(|| wrong(field, "text"))
}

fn integers<'a>(array: &'a ArrayRef, field: &str) -> Result<&'a UInt32Array, FieldFault> {
    array.as_primitive_opt::<UInt32Type>().ok_or_else(|| wrong(field, "an integer"))
}

fn optional_text_at(array: &ArrayRef, at: usize, field: &str) -> Result<Option<String>, FieldFault> {
    let array = strings(array, field)?;
    Ok(array.is_valid(at).then(|| array.value(at).to_owned()))
}

fn text_at(array: &ArrayRef, at: usize, field: &str) -> Result<String, FieldFault> {
    optional_text_at(array, at, field)?.ok_or_else(|| missing(field))
}

fn optional_integer_at(array: &ArrayRef, at: usize, field: &str) -> Result<Option<u32>, FieldFault> {
    let array = integers(array, field)?;
    Ok(array.is_valid(at).then(|| array.value(at)))
}

fn integer_at(array: &ArrayRef, at: usize, field: &str) -> Result<u32, FieldFault> {
    optional_integer_at(array, at, field)?.ok_or_else(|| missing(field))
}

/// The items of the list at `row`, each read by `read` from the flattened struct.
fn items<T>(
    array: &ArrayRef,
    row: usize,
    field: &str,
    read: impl Fn(&StructArray, usize) -> Result<T, FieldFault>,
) -> Result<Vec<T>, FieldFault> {
    let list = array.as_list_opt::<i32>().ok_or_else(|| wrong(field, "a list"))?;
    let values = list.values().as_struct_opt().ok_or_else(|| wrong(field, "a list of structs"))?;
    let range: Range<usize> = match list.value_offsets() {
        offsets if row + 1 < offsets.len() => offsets[row] as usize..offsets[row + 1] as usize,
        _ => return Err(missing(field)),
    };
    let start = range.start;
    range
        .map(|at| read(values, at).map_err(|fault| fault.inside(&format!("{field}[{}]", at - start))))
        .collect()
}

fn agent(agents: &StructArray, at: usize) -> Result<Agent, FieldFault> {
    Ok(Agent {
        name: text_at(agents.column(0), at, "name")?,
        model: optional_text_at(agents.column(1), at, "model")?,
    })
}

fn turn(turns: &StructArray, at: usize) -> Result<Turn, FieldFault> {
    let role = text_at(turns.column(1), at, "role")?;
    Ok(Turn {
        agent: integer_at(turns.column(0), at, "agent")? as usize,
        role: Role::from_name(&role).ok_or_else(|| {
            let expected = "system, user, assistant, tool, speaker";
            FieldFault::new("role", RowFault::UnknownValue { expected, found: role })
        })?,
        content: text_at(turns.column(2), at, "content")?,
        tool_calls: items(turns.column(3), at, "tool_calls", call)?,
        tool_name: optional_text_at(turns.column(4), at, "tool_name")?,
        tool_call_id: optional_text_at(turns.column(5), at, "tool_call_id")?,
        tokens: optional_integer_at(turns.column(6), at, "tokens")?,
    })
}

fn call(calls: &StructArray, at: usize) -> Result<ToolCall, FieldFault> {
    Ok(ToolCall {
        id: optional_text_at(calls.column(0), at, "id")?,
        name: text_at(calls.column(1), at, "name")?,
        arguments: text_at(calls.column(2), at, "arguments")?,
    })
}

fn query(queries: &StructArray, at: usize) -> Result<Query, FieldFault> {
    let range = |ranges: &StructArray, at: usize| {
        Ok((integer_at(ranges.column(0), at, "first")?, integer_at(ranges.column(1), at, "last")?))
    };
    Ok(Query {
        text: text_at(queries.column(0), at, "text")?,
        answer: text_at(queries.column(1), at, "answer")?,
        evidence: items(queries.column(2), at, "evidence", range)?,
    })
}

fn outcome(outcomes: &StructArray, at: usize) -> Result<Outcome, FieldFault> {
    let reward =
        outcomes.column(0).as_primitive_opt::<Float64Type>().ok_or_else(|| wrong("reward", "a number"))?;
    let success = outcomes.column(1).as_boolean_opt().ok_or_else(|| wrong("success", "true or false"))?;
    let winner_name = optional_text_at(outcomes.column(2), at, "winner")?;
    Ok(Outcome {
        reward: reward.is_valid(at).then(|| reward.value(at)),
        success: success.is_valid(at).then(|| success.value(at)),
        winner: winner_name
            .as_deref()
            .map(winner)
            .transpose()
            .map_err(|fault| FieldFault::new("winner", fault))?,
        votes: optional_integer_at(outcomes.column(3), at, "votes")?,
    })
}

fn winner(name: &str) -> Result<Winner, RowFault> {
    match name {
        "model_a" => Ok(Winner::ModelA),
        "model_b" => Ok(Winner::ModelB),
        "tie" => Ok(Winner::Tie),
        _ => Err(RowFault::UnknownValue { expected: "model_a, model_b, tie", found: name.to_owned() }),
    }
}
