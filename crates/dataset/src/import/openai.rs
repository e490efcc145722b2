//! Logs of OpenAI chat-completions calls: one JSON object a call, `{"request": {…}, "response": {…}}`.
//!
//! Each call repeats the conversation so far, so the log is a chain of growing prefixes. A call joins the session it
//! names (`session`, `session_id`, `metadata.session_id`, …) or, where it names none, the conversation of the same
//! `user` that its messages continue; what is new in it becomes turns. Calls may be interleaved in any way.
//!
//! Records of `{"messages": […]}`, the format for fine-tuning, are read too.

mod message;
mod session;

use std::collections::{HashMap, HashSet};

use lrrc_episode::check::Fault;

use super::fields::{each, identifier, items, optional_items, optional_object, present};
use super::rows::Object;
use super::source::Item;
use super::{Defaults, prompt_group};
use crate::error::{FieldFault, RowFault};
use message::Message;
use session::{Keys, Session};

/// Most sessions that stay open at a time; beyond it the one untouched for longest is closed.
const OPEN_SESSIONS_MAX: usize = 4_096;
/// Most text in open sessions.
const OPEN_BYTES_MAX: usize = 256 << 20;

/// Sessions that may still grow.
#[derive(Debug)]
pub(crate) struct Sessions {
    defaults: Defaults,
    open: HashMap<u64, Session>,
    /// Names of sessions, and hashes of whole conversations, to the session.
    by_key: HashMap<String, u64>,
    by_chain: HashMap<u128, u64>,
    /// Names of sessions that were closed for want of room; what comes later is an episode of its own.
    closed_keys: HashSet<String>,
    next: u64,
    bytes: usize,
}

/// One call, read from its record.
struct Call {
    messages: Vec<Message>,
    model: Option<String>,
    session: Option<String>,
    group: Option<String>,
    agent: Option<String>,
    user: Option<String>,
    reward: Option<f64>,
    success: Option<bool>,
}

impl Sessions {
    pub(crate) fn new(defaults: Defaults) -> Self {
        Self {
            defaults,
            open: HashMap::new(),
            by_key: HashMap::new(),
            by_chain: HashMap::new(),
            closed_keys: HashSet::new(),
            next: 0,
            bytes: 0,
        }
    }

    /// Adds what is new in the call.
    pub(crate) fn add(&mut self, row: u64, record: &Object) -> Result<(), FieldFault> {
        let call = read_call(record)?;
        let chain = message::chain(call.user.as_deref().unwrap_or_default(), &call.messages);
        let id = match &call.session {
            Some(key) => self.by_key.get(key).copied(),
            None => {
                if chain.last().is_some_and(|whole| self.by_chain.contains_key(whole)) {
                    return Ok(());
                }
                chain.iter().rev().find_map(|prefix| {
                    self.by_chain.get(prefix).copied().filter(|id| self.ends_at(*id, *prefix))
                })
            }
        };
        let id = id.unwrap_or_else(|| self.start(row, &call));
        let Some(session) = self.open.get_mut(&id) else { return Ok(()) };
        let before = session.bytes;
        let added = session.extend(&call, &chain, row);
        self.bytes += session.bytes - before;
        added?;
        if call.session.is_none() {
            self.by_chain.extend(chain.into_iter().map(|prefix| (prefix, id)));
        }
        Ok(())
    }

    fn ends_at(&self, id: u64, prefix: u128) -> bool {
        self.open.get(&id).is_some_and(|session| session.end == Some(prefix))
    }

    fn start(&mut self, row: u64, call: &Call) -> u64 {
        let id = self.next;
        self.next += 1;
        let first = call.messages.iter().find(|message| message.is_question()).or(call.messages.first());
        let group =
            call.group.clone().unwrap_or_else(|| prompt_group(first.map_or("", |message| &message.content)));
        let name = match &call.session {
            Some(key) if self.closed_keys.contains(key) => format!("{key} (from row {row})"),
            Some(key) => key.clone(),
            None => format!("session-{row}"),
        };
        if let Some(key) = &call.session {
            self.by_key.insert(key.clone(), id);
        }
        self.open.insert(id, Session::new(name, group, row, &self.defaults));
        id
    }

    /// Closes the older half of the sessions once they are too many or too large.
    pub(crate) fn overflow(&mut self) -> Vec<Item> {
        let too_much = self.open.len() > OPEN_SESSIONS_MAX || self.bytes > OPEN_BYTES_MAX;
        if !too_much || self.open.len() < 2 {
            return Vec::new();
        }
        let mut by_age: Vec<(u64, u64)> =
            self.open.iter().map(|(id, session)| (session.touched, *id)).collect();
        by_age.sort_unstable();
        let mut old: Vec<u64> = by_age[..by_age.len() / 2].iter().map(|(_, id)| *id).collect();
        old.sort_unstable();
        let closed: Vec<Session> = old.iter().filter_map(|id| self.open.remove(id)).collect();
        self.bytes -= closed.iter().map(|session| session.bytes).sum::<usize>();
        let gone: Vec<String> =
            self.by_key.extract_if(|_, id| !self.open.contains_key(id)).map(|(key, _)| key).collect();
        self.closed_keys.extend(gone);
        self.by_chain.retain(|_, id| self.open.contains_key(id));
        closed.into_iter().filter_map(Session::close).collect()
    }

    /// Closes all sessions, in order of their first row.
    pub(crate) fn finish(&mut self) -> Vec<Item> {
        let mut sessions: Vec<(u64, Session)> = self.open.drain().collect();
        sessions.sort_by_key(|(id, _)| *id);
        sessions.into_iter().filter_map(|(_, session)| session.close()).collect()
    }
}

fn read_call(record: &Object) -> Result<Call, FieldFault> {
    let request = match optional_object(record, "request")? {
        Some(request) => {
            optional_object(request, "body").map_err(|fault| fault.inside("request"))?.unwrap_or(request)
        }
        None => record,
    };
    let place = if std::ptr::eq(request, record) { "" } else { "request" };
    let within = |fault: FieldFault| if place.is_empty() { fault } else { fault.inside(place) };
    let listed = items(request, "messages").map_err(within)?;
    let mut messages = each(listed, "messages", message::read).map_err(within)?;
    messages.extend(reply(record)?);
    if messages.is_empty() {
        return Err(within(FieldFault::new("messages", RowFault::Law(Fault::Empty))));
    }
    let keys = Keys { record, request };
    Ok(Call {
        messages,
        model: identifier(request, "model").map_err(within)?,
        session: keys.find(&["session", "session_id", "conversation_id", "thread_id"]),
        group: keys.find(&["group", "group_id"]),
        agent: keys.find(&["agent", "agent_name"]),
        user: keys.find(&["user"]),
        reward: keys.value("reward").and_then(serde_json::Value::as_f64),
        success: keys.value("success").and_then(serde_json::Value::as_bool),
    })
}

/// The message of the first choice; a call that failed has none.
fn reply(record: &Object) -> Result<Option<Message>, FieldFault> {
    let Some(response) = optional_object(record, "response")? else { return Ok(None) };
    let read = || {
        let response = optional_object(response, "body")?.unwrap_or(response);
        let choices = optional_items(response, "choices")?;
        let first = each(&choices[..choices.len().min(1)], "choices", |choice| {
            let message = optional_object(choice, "message")?;
            message.map(|message| message::read(message).map_err(|fault| fault.inside("message"))).transpose()
        })?;
        Ok(first.into_iter().flatten().next())
    };
    read().map_err(|fault: FieldFault| fault.inside("response"))
}

/// Whether a record has the fields that make it a chat-completions call.
pub(crate) fn matches(has: impl Fn(&str) -> bool) -> bool {
    has("request") || has("messages")
}

/// Whether a field of the record is present under any of the places that logs put their keys.
fn first_present<'a>(places: &[Option<&'a Object>], field: &str) -> Option<&'a serde_json::Value> {
    places.iter().flatten().find_map(|place| present(place, field))
}

#[cfg(test)]
mod tests;
