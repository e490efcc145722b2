//! Chatbot-Arena rows: one question put to two models, and the judges' verdict.
//!
//! The columns are those of `lmsys/chatbot_arena_conversations`, as Parquet or JSONL; `source`, `license`,
//! `prompt_id`, `votes`, `n_votes`, `tokens_a` and `tokens_b` are read where they stand. The episode puts the two
//! conversations side by side, a question and then both answers; the names of the models stand in
//! [`Agent::model`] alone, so that the text does not betray them.

use lrrc_episode::{Agent, Episode, Outcome, Role, Turn, Winner};

use super::fields::{each, identifier, items, optional_count, optional_items, optional_text, small, text};
use super::rows::Object;
use super::{Defaults, prompt_group};
use crate::error::{FieldFault, RowFault};

/// The columns that are read.
pub(crate) const COLUMNS: [&str; 15] = [
    "question_id",
    "model_a",
    "model_b",
    "winner",
    "judge",
    "conversation_a",
    "conversation_b",
    "source",
    "license",
    "prompt_id",
    "votes",
    "n_votes",
    "tokens_a",
    "tokens_b",
    "tstamp",
];

const SIDES: [(&str, &str); 2] = [("conversation_a", "tokens_a"), ("conversation_b", "tokens_b")];

/// The winner with this name; Chatbot-Arena tells two kinds of ties.
fn winner(name: &str) -> Result<Winner, RowFault> {
    match name {
        "model_a" => Ok(Winner::ModelA),
        "model_b" => Ok(Winner::ModelB),
        "tie" | "tie (bothbad)" => Ok(Winner::Tie),
        _ => Err(RowFault::UnknownValue {
            expected: "model_a, model_b, tie, tie (bothbad)",
            found: name.to_owned(),
        }),
    }
}

/// One message of one of the two conversations.
struct Message<'a> {
    role: Role,
    content: &'a str,
    tokens: Option<u32>,
}

/// One record as an episode.
pub(crate) fn episode(row: &Object, defaults: &Defaults) -> Result<Episode, FieldFault> {
    let winner = winner(text(row, "winner")?).map_err(|fault| FieldFault::new("winner", fault))?;
    let [a, b] = [conversation(row, SIDES[0])?, conversation(row, SIDES[1])?];
    let prompt = a.iter().find(|message| message.role == Role::User).map_or("", |message| message.content);
    let group = identifier(row, "prompt_id")?.unwrap_or_else(|| prompt_group(prompt));
    Ok(Episode {
        id: identifier(row, "question_id")?
            .ok_or_else(|| FieldFault::new("question_id", RowFault::Missing))?,
        group,
        source: optional_text(row, "source")?.unwrap_or(&defaults.source).to_owned(),
        license: optional_text(row, "license")?.unwrap_or(&defaults.licence).to_owned(),
        task: None,
        agents: agents(row)?,
        turns: side_by_side(&a, &b)?,
        queries: Vec::new(),
        outcome: Outcome { reward: None, success: None, winner: Some(winner), votes: Some(votes(row)?) },
    })
}

fn agents(row: &Object) -> Result<Vec<Agent>, FieldFault> {
    let agent =
        |name: &str, model: Option<&str>| Agent { name: name.to_owned(), model: model.map(str::to_owned) };
    Ok(vec![
        agent("user", None),
        agent("model_a", Some(text(row, "model_a")?)),
        agent("model_b", Some(text(row, "model_b")?)),
    ])
}

/// Votes behind the winner: counted where they are listed, else the one of the row's judge.
fn votes(row: &Object) -> Result<u32, FieldFault> {
    let listed = u32::try_from(optional_items(row, "votes")?.len()).unwrap_or(u32::MAX);
    Ok(optional_count(row, "n_votes")?.unwrap_or(listed.max(1)))
}

fn conversation<'a>(row: &'a Object, (field, tokens): (&str, &str)) -> Result<Vec<Message<'a>>, FieldFault> {
    let messages = items(row, field)?;
    let counts = optional_items(row, tokens)?;
    let counted = counts.len() == messages.len();
    let mut at = 0;
    each(messages, field, |message| {
        let tokens = counts.get(at).filter(|_| counted).and_then(small);
        at += 1;
        Ok(Message { role: role(text(message, "role")?)?, content: text(message, "content")?, tokens })
    })
}

fn role(name: &str) -> Result<Role, FieldFault> {
    match name {
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        "system" => Ok(Role::System),
        _ => {
            let fault =
                RowFault::UnknownValue { expected: "user, assistant, system", found: name.to_owned() };
            Err(FieldFault::new("role", fault))
        }
    }
}

/// Question, first answer, second answer, and so on; questions must agree, answers take their own places.
fn side_by_side(a: &[Message<'_>], b: &[Message<'_>]) -> Result<Vec<Turn>, FieldFault> {
    let mut turns = Vec::with_capacity(a.len() + b.len());
    for at in 0..a.len().max(b.len()) {
        let (left, right) = (a.get(at), b.get(at));
        if let (Some(left), Some(right)) = (left, right) {
            let answers = [left, right].map(|message| message.role == Role::Assistant);
            let same_question =
                !answers[0] && !answers[1] && left.role == right.role && left.content == right.content;
            if answers != [true, true] && !same_question {
                let other = format!("conversation_a[{at}]");
                return Err(FieldFault::new(format!("conversation_b[{at}]"), RowFault::Differs { other }));
            }
        }
        for (agent, message) in [(1, left), (2, right)] {
            let Some(message) = message else { continue };
            let answer = message.role == Role::Assistant;
            if answer || agent == 1 || left.is_none() {
                let mut turn = Turn::text(if answer { agent } else { 0 }, message.role, message.content);
                turn.tokens = message.tokens;
                turns.push(turn);
            }
        }
    }
    Ok(turns)
}

/// Whether a row has the fields that make it an arena row.
pub(crate) fn matches(has: impl Fn(&str) -> bool) -> bool {
    has("conversation_a") && has("conversation_b") && has("winner")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::import::test_support::{object, refused};

    fn row() -> Value {
        json!({
            "question_id": 7, "model_a": "alpha", "model_b": "beta", "winner": "tie (bothbad)", "judge": "j1",
            "conversation_a": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "one"}],
            "conversation_b": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "two"}],
            "tokens_a": [1, 2], "tokens_b": [1, 3],
        })
    }

    #[test]
    fn a_question_stands_before_both_answers() {
        let episode = episode(&object(row()), &Defaults::default()).expect("a sound row");
        let turns: Vec<_> =
            episode.turns.iter().map(|turn| (turn.agent, turn.content.as_str(), turn.tokens)).collect();
        assert_eq!(turns, [(0, "hi", Some(1)), (1, "one", Some(2)), (2, "two", Some(3))]);
        assert_eq!(episode.id, "7");
        assert_eq!(episode.outcome.winner, Some(Winner::Tie));
        assert_eq!(episode.outcome.votes, Some(1));
        assert_eq!(episode.agents[2].model.as_deref(), Some("beta"));
    }

    #[test]
    fn one_prompt_is_one_group_unless_it_has_an_id() {
        let group = |row: Value| episode(&object(row), &Defaults::default()).expect("a sound row").group;
        let mut other = row();
        other["conversation_a"][0]["content"] = json!("bye");
        other["conversation_b"][0]["content"] = json!("bye");
        assert_eq!(group(row()), group(row()));
        assert_ne!(group(row()), group(other));
        let mut named = row();
        named["prompt_id"] = json!("p1");
        assert_eq!(group(named), "p1");
    }

    #[test]
    fn faults_name_the_field() {
        let read = |row: &Object| episode(row, &Defaults::default());
        refused(read, row(), "/winner", json!("model_c"), "winner");
        refused(read, row(), "/conversation_b/1/content", json!(3), "conversation_b[1].content");
        refused(read, row(), "/conversation_b/0/content", json!("other"), "conversation_b[0]");
        refused(read, row(), "/conversation_a/0/role", json!("bot"), "conversation_a[0].role");
        refused(read, row(), "/model_a", Value::Null, "model_a");
    }
}
