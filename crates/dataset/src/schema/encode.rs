//! Episodes → record batch. Each nested list is flattened into columns and closed with its lengths.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, ListArray, RecordBatch, StringArray, StructArray, UInt32Array,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{ArrowError, DataType, Field, Fields};
use lrrc_episode::{Agent, Episode, Outcome, Query, ToolCall, Turn, Winner};

use super::{agent_fields, call_fields, evidence_fields, outcome_fields, query_fields, schema, turn_fields};

/// One batch with a row for each episode.
pub(crate) fn encode(episodes: &[Episode]) -> Result<RecordBatch, ArrowError> {
    let columns = vec![
        texts(episodes.iter().map(|episode| episode.id.as_str())),
        texts(episodes.iter().map(|episode| episode.group.as_str())),
        texts(episodes.iter().map(|episode| episode.source.as_str())),
        texts(episodes.iter().map(|episode| episode.license.as_str())),
        optional_texts(episodes.iter().map(|episode| episode.task.as_deref())),
        lists(episodes.iter().map(|episode| episode.agents.as_slice()), agent_fields(), agents)?,
        lists(episodes.iter().map(|episode| episode.turns.as_slice()), turn_fields(), turns)?,
        lists(episodes.iter().map(|episode| episode.queries.as_slice()), query_fields(), queries)?,
        outcomes(episodes.iter().map(|episode| &episode.outcome))?,
    ];
    RecordBatch::try_new(schema(), columns)
}

fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn optional_texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn numbers(values: impl Iterator<Item = u32>) -> ArrayRef {
    Arc::new(UInt32Array::from_iter_values(values))
}

/// A list column: the items of all rows one after the other, made into columns by `columns`.
fn lists<'a, T: 'a>(
    rows: impl Iterator<Item = &'a [T]> + Clone,
    fields: Fields,
    columns: impl FnOnce(&[&'a T]) -> Result<Vec<ArrayRef>, ArrowError>,
) -> Result<ArrayRef, ArrowError> {
    let offsets = OffsetBuffer::from_lengths(rows.clone().map(<[T]>::len));
    let items: Vec<&T> = rows.flatten().collect();
    let values = StructArray::try_new_with_length(fields.clone(), columns(&items)?, None, items.len())?;
    let item = Field::new("item", DataType::Struct(fields), false);
    Ok(Arc::new(ListArray::try_new(Arc::new(item), offsets, Arc::new(values), None)?))
}

fn agents(agents: &[&Agent]) -> Result<Vec<ArrayRef>, ArrowError> {
    Ok(vec![
        texts(agents.iter().map(|agent| agent.name.as_str())),
        optional_texts(agents.iter().map(|agent| agent.model.as_deref())),
    ])
}

fn turns(turns: &[&Turn]) -> Result<Vec<ArrayRef>, ArrowError> {
    let index = |turn: &&Turn| {
        u32::try_from(turn.agent)
            .map_err(|_| ArrowError::InvalidArgumentError("agent index over 32 bits".into()))
    };
    let agents = turns.iter().map(index).collect::<Result<Vec<u32>, _>>()?;
    Ok(vec![
        numbers(agents.into_iter()),
        texts(turns.iter().map(|turn| turn.role.name())),
        texts(turns.iter().map(|turn| turn.content.as_str())),
        lists(turns.iter().map(|turn| turn.tool_calls.as_slice()), call_fields(), calls)?,
        optional_texts(turns.iter().map(|turn| turn.tool_name.as_deref())),
        optional_texts(turns.iter().map(|turn| turn.tool_call_id.as_deref())),
        Arc::new(turns.iter().map(|turn| turn.tokens).collect::<UInt32Array>()),
    ])
}

fn calls(calls: &[&ToolCall]) -> Result<Vec<ArrayRef>, ArrowError> {
    Ok(vec![
        optional_texts(calls.iter().map(|call| call.id.as_deref())),
        texts(calls.iter().map(|call| call.name.as_str())),
        texts(calls.iter().map(|call| call.arguments.as_str())),
    ])
}

fn queries(queries: &[&Query]) -> Result<Vec<ArrayRef>, ArrowError> {
    Ok(vec![
        texts(queries.iter().map(|query| query.text.as_str())),
        texts(queries.iter().map(|query| query.answer.as_str())),
        lists(queries.iter().map(|query| query.evidence.as_slice()), evidence_fields(), evidence)?,
    ])
}

fn evidence(ranges: &[&(u32, u32)]) -> Result<Vec<ArrayRef>, ArrowError> {
    Ok(vec![numbers(ranges.iter().map(|range| range.0)), numbers(ranges.iter().map(|range| range.1))])
}

fn outcomes<'a>(outcomes: impl Iterator<Item = &'a Outcome> + Clone) -> Result<ArrayRef, ArrowError> {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(outcomes.clone().map(|outcome| outcome.reward).collect::<Float64Array>()),
        Arc::new(outcomes.clone().map(|outcome| outcome.success).collect::<BooleanArray>()),
        optional_texts(outcomes.clone().map(|outcome| outcome.winner.map(winner_name))),
        Arc::new(outcomes.map(|outcome| outcome.votes).collect::<UInt32Array>()),
    ];
    Ok(Arc::new(StructArray::try_new(outcome_fields(), columns, None)?))
}

fn winner_name(winner: Winner) -> &'static str {
    match winner {
        Winner::ModelA => "model_a",
        Winner::ModelB => "model_b",
        Winner::Tie => "tie",
    }
}
