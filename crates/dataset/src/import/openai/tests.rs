use lrrc_episode::Episode;
use serde_json::{Value, json};

use super::*;
use crate::import::test_support::object;

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

fn assistant(text: &str) -> Value {
    json!({"role": "assistant", "content": text})
}

fn call(messages: &[Value], reply: &Value) -> Value {
    json!({"request": {"model": "m", "messages": messages}, "response": {"choices": [{"message": reply}]}})
}

#[track_caller]
fn episodes(records: &[Value]) -> Vec<Episode> {
    let mut sessions = Sessions::new(Defaults::default());
    for (row, record) in (1..).zip(records) {
        sessions.add(row, &object(record.clone())).expect("a sound record");
    }
    sessions.finish().into_iter().map(|(_, episode)| episode.expect("a sound session")).collect()
}

fn texts(episode: &Episode) -> Vec<&str> {
    episode.turns.iter().map(|turn| turn.content.as_str()).collect()
}

#[test]
fn growing_prefixes_are_one_episode() {
    let system = json!({"role": "developer", "content": "be kind"});
    let records = [
        call(&[system.clone(), user("a")], &assistant("b")),
        call(&[system.clone(), user("a"), assistant(" b\n"), user("c")], &assistant("d")),
        call(&[system, user("a"), assistant("b"), user("c")], &assistant("d")),
    ];
    let episodes = episodes(&records);
    assert_eq!(episodes.len(), 1);
    assert_eq!(texts(&episodes[0]), ["be kind", "a", "b", "c", "d"]);
    assert_eq!(episodes[0].agents[2].model.as_deref(), Some("m"));
}

#[test]
fn interleaved_conversations_are_told_apart() {
    let records = [
        call(&[user("a")], &assistant("b")),
        call(&[user("x")], &assistant("y")),
        call(&[user("a"), assistant("b"), user("c")], &assistant("d")),
        call(&[user("x"), assistant("y"), user("z")], &assistant("w")),
    ];
    let episodes = episodes(&records);
    let all: Vec<_> = episodes.iter().map(texts).collect();
    assert_eq!(all, [["a", "b", "c", "d"], ["x", "y", "z", "w"]]);
    assert_eq!(
        episodes.iter().map(|episode| episode.id.as_str()).collect::<Vec<_>>(),
        ["session-1", "session-2"]
    );
}

#[test]
fn another_answer_to_the_same_question_is_another_episode_of_the_same_group() {
    let records = [call(&[user("a")], &assistant("b")), call(&[user("a")], &assistant("c"))];
    let episodes = episodes(&records);
    assert_eq!(episodes.iter().map(texts).collect::<Vec<_>>(), [["a", "b"], ["a", "c"]]);
    assert_eq!(episodes[0].group, episodes[1].group);
}

#[test]
fn a_session_key_joins_what_several_agents_said() {
    let mut planner = call(&[user("a")], &assistant("plan"));
    planner["session"] = json!("s1");
    planner["metadata"] = json!({"agent": "planner"});
    let mut coder =
        call(&[json!({"role": "user", "content": "plan", "name": "planner"})], &assistant("code"));
    coder["request"]["metadata"] = json!({"session_id": "s1", "agent": "coder"});
    let mut again = call(&[user("a"), assistant("plan"), user("more")], &assistant("plan 2"));
    again["session"] = json!("s1");
    again["agent"] = json!("planner");
    let episodes = episodes(&[planner, coder, again]);
    assert_eq!(episodes.len(), 1);
    assert_eq!(episodes[0].id, "s1");
    assert_eq!(texts(&episodes[0]), ["a", "plan", "plan", "code", "more", "plan 2"]);
    let names: Vec<_> =
        episodes[0].turns.iter().map(|turn| episodes[0].agents[turn.agent].name.as_str()).collect();
    assert_eq!(names, ["user", "planner", "planner", "coder", "user", "planner"]);
}

#[test]
fn tool_results_find_their_calls() {
    let calls = json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}]});
    let result = json!({"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "42"}]});
    let records =
        [call(&[user("a")], &calls), call(&[user("a"), calls.clone(), result.clone()], &assistant("done"))];
    let episodes = episodes(&records);
    assert_eq!(texts(&episodes[0]), ["a", "", "42", "done"]);
    assert_eq!(episodes[0].turns[1].tool_calls[0].id.as_deref(), Some("c1"));
    assert_eq!(episodes[0].turns[2].tool_name.as_deref(), Some("f"));

    let mut sessions = Sessions::new(Defaults::default());
    let lost = call(&[user("a"), result], &assistant("done"));
    let fault = sessions.add(1, &object(lost)).expect_err("the call was never made");
    assert_eq!(fault.field, "request.messages[1].tool_call_id");
}

#[test]
fn faults_name_the_field() {
    let refused = |record: Value| {
        let fault = Sessions::new(Defaults::default()).add(1, &object(record)).expect_err("a broken record");
        fault.field
    };
    assert_eq!(refused(json!({"request": {"messages": 3}})), "request.messages");
    assert_eq!(refused(json!({"messages": [{"content": "x"}]})), "messages[0].role");
    assert_eq!(
        refused(call(&[json!({"role": "user", "content": 3})], &assistant("b"))),
        "request.messages[0].content"
    );
    assert_eq!(refused(call(&[user("a")], &json!({"role": "robot"}))), "response.choices[0].message.role");
}

#[test]
fn open_sessions_are_bounded() {
    let mut sessions = Sessions::new(Defaults::default());
    let mut closed = 0;
    for row in 0..OPEN_SESSIONS_MAX as u64 + 10 {
        let record = call(&[user(&format!("question {row}"))], &assistant("answer"));
        sessions.add(row, &object(record)).expect("a sound record");
        closed += sessions.overflow().len();
    }
    assert_eq!(closed, OPEN_SESSIONS_MAX / 2);
    assert_eq!(sessions.finish().len(), OPEN_SESSIONS_MAX / 2 + 10);
}
