use super::*;
use crate::{Agent, Outcome, ToolCall};

/// A user asks, an agent calls `f` as call `c1`, the tool answers, and one query points at the last two turns.
fn sound() -> Episode {
    let mut call = Turn::text(1, Role::Assistant, "");
    call.tool_calls = vec![ToolCall { id: Some("c1".into()), name: "f".into(), arguments: "{}".into() }];
    let mut result = Turn::text(2, Role::Tool, "42");
    result.tool_call_id = Some("c1".into());
    Episode {
        id: "e1".into(),
        group: "g1".into(),
        source: "test".into(),
        license: "MIT".into(),
        task: None,
        agents: ["user", "agent", "tool"].map(|name| Agent { name: name.into(), model: None }).into(),
        turns: vec![Turn::text(0, Role::User, "what is it?"), call, result],
        queries: vec![Query { text: "what?".into(), answer: "42".into(), evidence: vec![(1, 2)] }],
        outcome: Outcome::default(),
    }
}

#[track_caller]
fn check_broken(break_it: impl FnOnce(&mut Episode), expect: &Fault, field: &str) {
    let mut episode = sound();
    break_it(&mut episode);
    assert_eq!(check(&episode, Limits::default()), Err(expect.clone()));
    assert_eq!(expect.field(), field);
}

#[test]
fn a_sound_episode_passes() {
    assert_eq!(check(&sound(), Limits::default()), Ok(()));
}

#[test]
fn identity_is_needed() {
    check_broken(|episode| episode.id.clear(), &Fault::NoId, "id");
    check_broken(|episode| episode.group.clear(), &Fault::NoGroup, "group");
    check_broken(|episode| episode.turns.clear(), &Fault::Empty, "turns");
}

#[test]
fn agents_are_known_and_distinct() {
    let fault = Fault::UnknownAgent { turn: 1, agent: 3, agents: 3 };
    check_broken(|episode| episode.turns[1].agent = 3, &fault, "turns[1].agent");
    let fault = Fault::DuplicateAgent { agent: 2, first: 0, name: "user".into() };
    check_broken(|episode| episode.agents[2].name = "user".into(), &fault, "agents[2].name");
}

#[test]
fn a_result_has_its_call() {
    let fault = Fault::UnknownCall { turn: 2, id: "c9".into() };
    check_broken(
        |episode| episode.turns[2].tool_call_id = Some("c9".into()),
        &fault,
        "turns[2].tool_call_id",
    );
    let fault = Fault::ResultWithoutCall { turn: 2 };
    check_broken(|episode| episode.turns[1].tool_calls.clear(), &fault, "turns[2].role");
    check_broken(|episode| episode.turns.swap(1, 2), &Fault::ResultWithoutCall { turn: 1 }, "turns[1].role");
}

#[test]
fn messages_have_a_limit() {
    let long = "x".repeat(MESSAGE_BYTES_MAX + 1);
    let fault = |turn, field: &str| Fault::MessageTooLong {
        turn,
        field: field.into(),
        bytes: MESSAGE_BYTES_MAX + 1,
        bytes_max: MESSAGE_BYTES_MAX,
    };
    check_broken(|episode| episode.turns[0].content = long.clone(), &fault(0, "content"), "turns[0].content");
    let field = "tool_calls[0].arguments";
    let break_it = |episode: &mut Episode| episode.turns[1].tool_calls[0].arguments = long.clone();
    check_broken(break_it, &fault(1, field), "turns[1].tool_calls[0].arguments");
    let mut episode = sound();
    episode.turns[0].content = "x".repeat(MESSAGE_BYTES_MAX);
    assert_eq!(check(&episode, Limits::default()), Ok(()));
}

#[test]
fn evidence_lies_within_the_turns() {
    let fault = Fault::EvidenceOutside { query: 0, range: 1, last: 3, turns: 3 };
    check_broken(|episode| episode.queries[0].evidence.push((0, 3)), &fault, "queries[0].evidence[1]");
    let fault = Fault::EvidenceReversed { query: 0, range: 0, first: 2, last: 1 };
    check_broken(|episode| episode.queries[0].evidence[0] = (2, 1), &fault, "queries[0].evidence[0]");
}
