//! `evidence_*` rows: a transcript with queries asked at its end and the turns that answer them.

use lrrc_episode::{Episode, Outcome, Query, Role, Turn};
use serde_json::Value;

use super::Defaults;
use super::fields::{
    each, identifier, items, optional_count, optional_items, optional_text, small, text, wrong,
};
use super::rows::Object;
use crate::error::{FieldFault, RowFault};

/// The columns that are read.
pub(crate) const COLUMNS: [&str; 7] =
    ["traj_id", "group_id", "source", "license", "turns", "general_queries", "specific_queries"];

/// One row as an episode: general queries first, which have no evidence, then the specific ones.
pub(crate) fn episode(row: &Object, defaults: &Defaults) -> Result<Episode, FieldFault> {
    let id = identifier(row, "traj_id")?.ok_or_else(|| FieldFault::new("traj_id", RowFault::Missing))?;
    let mut queries = each(optional_items(row, "general_queries")?, "general_queries", query)?;
    queries.extend(each(optional_items(row, "specific_queries")?, "specific_queries", query)?);
    let mut episode = Episode {
        group: identifier(row, "group_id")?.unwrap_or_else(|| id.clone()),
        id,
        source: optional_text(row, "source")?.unwrap_or(&defaults.source).to_owned(),
        license: optional_text(row, "license")?.unwrap_or(&defaults.licence).to_owned(),
        task: None,
        agents: Vec::new(),
        turns: Vec::new(),
        queries,
        outcome: Outcome::default(),
    };
    episode.turns = each(items(row, "turns")?, "turns", |message| {
        let agent = episode.agent_index(text(message, "agent")?);
        let mut turn = Turn::text(agent, Role::Speaker, text(message, "content")?);
        turn.tokens = optional_count(message, "tokens")?;
        Ok(turn)
    })?;
    Ok(episode)
}

fn query(query: &Object) -> Result<Query, FieldFault> {
    let spans = optional_items(query, "relevant_text_span")?;
    let span = |(at, span): (usize, &Value)| {
        let place = format!("relevant_text_span[{at}]");
        range(span).ok_or_else(|| wrong(&place, "a pair [first turn, last turn]", span))
    };
    Ok(Query {
        text: text(query, "query")?.to_owned(),
        answer: optional_text(query, "answer")?.unwrap_or_default().to_owned(),
        evidence: spans.iter().enumerate().map(span).collect::<Result<_, _>>()?,
    })
}

/// Two turn numbers, written as numbers or as text.
fn range(span: &Value) -> Option<(u32, u32)> {
    let number = |value: &Value| match value {
        Value::String(text) => text.trim().parse().ok(),
        other => small(other),
    };
    match span.as_array()?.as_slice() {
        [first, last] => Some((number(first)?, number(last)?)),
        _ => None,
    }
}

/// Whether a row has the fields that make it a transcript with evidence.
pub(crate) fn matches(has: impl Fn(&str) -> bool) -> bool {
    has("turns") && has("traj_id") && (has("specific_queries") || has("general_queries"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::import::test_support::{object, refused};

    fn row() -> Value {
        json!({
            "traj_id": "m1", "source": "s", "license": "MIT",
            "turns": [{"agent": "A", "content": "we ship", "tokens": 2}, {"agent": "B", "content": ""}],
            "general_queries": [{"query": "all?", "answer": "ship"}],
            "specific_queries": [{"query": "what?", "answer": "ship", "relevant_text_span": [["0", "1"], [1, 1]]}],
        })
    }

    #[test]
    fn queries_carry_their_evidence() {
        let episode = episode(&object(row()), &Defaults::default()).expect("a sound row");
        assert_eq!(episode.group, "m1");
        assert_eq!(episode.queries[0].evidence, []);
        assert_eq!(episode.queries[1].evidence, [(0, 1), (1, 1)]);
        assert!(episode.turns.iter().all(|turn| turn.role == Role::Speaker));
        assert_eq!(episode.turns[1].content, "");
    }

    #[test]
    fn faults_name_the_field() {
        let read = |row: &Object| episode(row, &Defaults::default());
        refused(read, row(), "/turns/1/agent", Value::Null, "turns[1].agent");
        let spans = "specific_queries[0].relevant_text_span";
        refused(
            read,
            row(),
            "/specific_queries/0/relevant_text_span/0/0",
            json!("x"),
            &format!("{spans}[0]"),
        );
        refused(read, row(), "/specific_queries/0/relevant_text_span", json!(3), spans);
        refused(read, row(), "/general_queries/0/query", json!([]), "general_queries[0].query");
    }
}
