//! `traj_*` rows: one run of agents that call tools.

use lrrc_episode::{Agent, Episode, Outcome, Role, ToolCall, Turn};
use serde_json::Value;

use super::Defaults;
use super::fields::{
    each, identifier, items, optional_count, optional_flag, optional_items, optional_number, optional_object,
    optional_text, text, wrong,
};
use super::rows::Object;
use crate::error::{FieldFault, RowFault};

/// The columns that are read.
pub(crate) const COLUMNS: [&str; 9] =
    ["traj_id", "group_id", "source", "license", "task", "agents", "models", "outcome", "turns"];

/// One row as an episode. The speaker of a turn need not stand in `agents`; the group is the row's own id where
/// `group_id` is absent.
pub(crate) fn episode(row: &Object, defaults: &Defaults) -> Result<Episode, FieldFault> {
    let id = identifier(row, "traj_id")?.ok_or_else(|| FieldFault::new("traj_id", RowFault::Missing))?;
    let mut episode = Episode {
        group: identifier(row, "group_id")?.unwrap_or_else(|| id.clone()),
        id,
        source: optional_text(row, "source")?.unwrap_or(&defaults.source).to_owned(),
        license: optional_text(row, "license")?.unwrap_or(&defaults.licence).to_owned(),
        task: optional_text(row, "task")?.map(str::to_owned),
        agents: agents(row)?,
        turns: Vec::new(),
        queries: Vec::new(),
        outcome: outcome(row)?,
    };
    episode.turns = each(items(row, "turns")?, "turns", |message| turn(message, &mut episode))?;
    add_models(&mut episode.agents, row)?;
    Ok(episode)
}

fn agents(row: &Object) -> Result<Vec<Agent>, FieldFault> {
    let mut agents: Vec<Agent> = Vec::new();
    for (at, name) in optional_items(row, "agents")?.iter().enumerate() {
        let name = name.as_str().ok_or_else(|| wrong(&format!("agents[{at}]"), "text", name))?;
        if agents.iter().all(|agent| agent.name != name) {
            agents.push(Agent { name: name.to_owned(), model: None });
        }
    }
    Ok(agents)
}

fn add_models(agents: &mut [Agent], row: &Object) -> Result<(), FieldFault> {
    let Some(models) = optional_object(row, "models")? else { return Ok(()) };
    for agent in agents {
        let model = optional_text(models, &agent.name).map_err(|fault| fault.inside("models"))?;
        agent.model = model.map(str::to_owned);
    }
    Ok(())
}

fn outcome(row: &Object) -> Result<Outcome, FieldFault> {
    let Some(outcome) = optional_object(row, "outcome")? else { return Ok(Outcome::default()) };
    let read = || {
        Ok(Outcome {
            reward: optional_number(outcome, "reward")?,
            success: optional_flag(outcome, "success")?,
            winner: None,
            votes: None,
        })
    };
    read().map_err(|fault: FieldFault| fault.inside("outcome"))
}

fn turn(message: &Object, episode: &mut Episode) -> Result<Turn, FieldFault> {
    let name = text(message, "role")?;
    let role = Role::from_name(name).ok_or_else(|| {
        let expected = "system, user, assistant, tool, speaker";
        FieldFault::new("role", RowFault::UnknownValue { expected, found: name.to_owned() })
    })?;
    Ok(Turn {
        agent: episode.agent_index(optional_text(message, "agent")?.unwrap_or(name)),
        role,
        content: optional_text(message, "content")?.unwrap_or_default().to_owned(),
        tool_calls: each(optional_items(message, "tool_calls")?, "tool_calls", call)?,
        tool_name: optional_text(message, "tool_name")?.map(str::to_owned),
        tool_call_id: identifier(message, "tool_call_id")?,
        tokens: optional_count(message, "tokens")?,
    })
}

/// A call, flat or as the chat APIs nest it; arguments are JSON text, or an object that is written as one.
pub(crate) fn call(call: &Object) -> Result<ToolCall, FieldFault> {
    let id = identifier(call, "id")?;
    match optional_object(call, "function")? {
        Some(function) => named_call(id, function).map_err(|fault| fault.inside("function")),
        None => named_call(id, call),
    }
}

/// Name and arguments of a call.
pub(crate) fn named_call(id: Option<String>, call: &Object) -> Result<ToolCall, FieldFault> {
    let arguments = match call.get("arguments") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other @ (Value::Object(_) | Value::Array(_))) => other.to_string(),
        Some(other) => return Err(wrong("arguments", "text or an object", other)),
    };
    Ok(ToolCall { id, name: text(call, "name")?.to_owned(), arguments })
}

/// Whether a row has the fields that make it a trajectory.
pub(crate) fn matches(has: impl Fn(&str) -> bool) -> bool {
    has("traj_id") && has("turns") && !super::evidence::matches(&has)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::import::test_support::{object, refused};

    fn row() -> Value {
        json!({
            "traj_id": "t1", "group_id": "g1", "source": "s", "license": "MIT", "agents": ["user", "agent"],
            "models": {"agent": "m"}, "task": "do it", "outcome": {"reward": 1.0, "success": true},
            "turns": [
                {"agent": "user", "role": "user", "content": "hi", "tokens": 1},
                {"agent": "agent", "role": "assistant", "content": "",
                 "tool_calls": [{"name": "f", "arguments": "{\"a\": 1}"}], "tokens": 6},
                {"agent": "tool", "role": "tool", "content": "42", "tool_name": "f"},
            ],
        })
    }

    #[test]
    fn every_field_has_its_place() {
        let episode = episode(&object(row()), &Defaults::default()).expect("a sound row");
        assert_eq!((episode.id.as_str(), episode.group.as_str()), ("t1", "g1"));
        assert_eq!(
            episode.agents.iter().map(|agent| agent.name.as_str()).collect::<Vec<_>>(),
            ["user", "agent", "tool"]
        );
        assert_eq!(episode.agents[1].model.as_deref(), Some("m"));
        assert_eq!(episode.turns[1].tool_calls[0].arguments, "{\"a\": 1}");
        assert_eq!(episode.turns[2].tool_name.as_deref(), Some("f"));
        assert_eq!(
            episode.turns.iter().map(|turn| turn.tokens).collect::<Vec<_>>(),
            [Some(1), Some(6), None]
        );
        assert_eq!((episode.outcome.reward, episode.outcome.success), (Some(1.0), Some(true)));
    }

    #[test]
    fn nested_calls_and_object_arguments_are_read() {
        let nested =
            json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}});
        let call = call(&object(nested)).expect("a sound call");
        assert_eq!(call, ToolCall { id: Some("c1".into()), name: "f".into(), arguments: "{\"a\":1}".into() });
    }

    #[test]
    fn faults_name_the_field() {
        let read = |row: &Object| episode(row, &Defaults::default());
        refused(read, row(), "/traj_id", Value::Null, "traj_id");
        refused(read, row(), "/turns", json!("none"), "turns");
        refused(read, row(), "/turns/1", json!(1), "turns[1]");
        refused(read, row(), "/turns/1/role", json!("robot"), "turns[1].role");
        refused(read, row(), "/turns/1/tool_calls/0/name", Value::Null, "turns[1].tool_calls[0].name");
        refused(read, row(), "/turns/0/tokens", json!(-1), "turns[0].tokens");
        refused(read, row(), "/outcome/success", json!("yes"), "outcome.success");
        refused(read, row(), "/agents/1", json!(1), "agents[1]");
        refused(read, row(), "/models/agent", json!(1), "models.agent");
    }
}
