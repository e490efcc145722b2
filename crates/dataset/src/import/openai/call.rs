//! One logged call: the messages sent, the reply, and what the log says about them.

use lrrc_episode::check::Fault;
use serde_json::Value;

use super::message::{self, Message};
use crate::error::{FieldFault, RowFault};
use crate::import::fields::{each, identifier, items, optional_items, optional_object, present};
use crate::import::rows::Object;

/// One call, read from its record.
pub(super) struct Call {
    pub(super) messages: Vec<Message>,
    pub(super) model: Option<String>,
    pub(super) session: Option<String>,
    pub(super) group: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) user: Option<String>,
    pub(super) reward: Option<f64>,
    pub(super) success: Option<bool>,
}

/// Reads a call from its record.
pub(super) fn read_call(record: &Object) -> Result<Call, FieldFault> {
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
        reward: keys.value("reward").and_then(Value::as_f64),
        success: keys.value("success").and_then(Value::as_bool),
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

/// Where logs put the keys of a call: in the record, its metadata, the request or the request's metadata.
struct Keys<'a> {
    record: &'a Object,
    request: &'a Object,
}

impl<'a> Keys<'a> {
    fn value(&self, field: &str) -> Option<&'a Value> {
        let metadata = |object: &'a Object| optional_object(object, "metadata").ok().flatten();
        let places = [Some(self.record), metadata(self.record), Some(self.request), metadata(self.request)];
        places.into_iter().flatten().find_map(|place| present(place, field))
    }

    /// The first of these fields that is a text or a number.
    fn find(&self, fields: &[&str]) -> Option<String> {
        fields.iter().find_map(|field| match self.value(field)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
    }
}
