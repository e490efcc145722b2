//! One message of a chat-completions request or reply.

use lrrc_episode::{Role, ToolCall};
use serde_json::Value;

use crate::error::{FieldFault, RowFault};
use crate::import::fields::{
    each, identifier, optional_items, optional_object, optional_text, present, text, wrong,
};
use crate::import::rows::Object;
use crate::import::trajectory::{call, named_call};

/// A message as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) role: Role,
    pub(super) name: Option<String>,
    pub(super) content: String,
    pub(super) tool_calls: Vec<ToolCall>,
    pub(super) tool_call_id: Option<String>,
}

impl Message {
    pub(super) fn is_question(&self) -> bool {
        self.role == Role::User
    }

    /// Equal for a message and for the same message sent back by a client, which may trim or re-write its JSON.
    fn fingerprint(&self, hasher: &mut blake3::Hasher) {
        let mut part = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        part(self.role.name());
        part(self.content.trim());
        part(self.tool_call_id.as_deref().unwrap_or_default());
        for call in &self.tool_calls {
            part(call.id.as_deref().unwrap_or_default());
            part(&call.name);
            match serde_json::from_str::<Value>(&call.arguments) {
                Ok(arguments) => part(&arguments.to_string()),
                Err(_) => part(call.arguments.trim()),
            }
        }
    }
}

/// One hash for each prefix of the conversation, instructions left out: agents re-write those at every call.
pub(super) fn chain(scope: &str, messages: &[Message]) -> Vec<u128> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(scope.as_bytes());
    let spoken = messages.iter().filter(|message| message.role != Role::System);
    let prefix = |message: &Message| {
        message.fingerprint(&mut hasher);
        hasher.finalize().as_bytes()[..16].iter().fold(0, |hash, &byte| hash << 8 | u128::from(byte))
    };
    spoken.map(prefix).collect()
}

/// Reads a message.
pub(super) fn read(message: &Object) -> Result<Message, FieldFault> {
    let role = role(text(message, "role")?)?;
    let mut tool_calls = each(optional_items(message, "tool_calls")?, "tool_calls", call)?;
    if let Some(function) = optional_object(message, "function_call")? {
        tool_calls.push(named_call(None, function).map_err(|fault| fault.inside("function_call"))?);
    }
    Ok(Message {
        role,
        name: optional_text(message, "name")?.filter(|name| !name.is_empty()).map(str::to_owned),
        content: content(message)?,
        tool_calls,
        tool_call_id: identifier(message, "tool_call_id")?,
    })
}

fn role(name: &str) -> Result<Role, FieldFault> {
    match name {
        "system" | "developer" => Ok(Role::System),
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        "tool" | "function" => Ok(Role::Tool),
        _ => {
            let expected = "system, developer, user, assistant, tool, function";
            Err(FieldFault::new("role", RowFault::UnknownValue { expected, found: name.to_owned() }))
        }
    }
}

/// Text, nothing, or an array of parts; a part that is no text leaves its type in brackets.
fn content(message: &Object) -> Result<String, FieldFault> {
    let parts = match present(message, "content") {
        None => return Ok(optional_text(message, "refusal")?.unwrap_or_default().to_owned()),
        Some(Value::String(text)) => return Ok(text.clone()),
        Some(Value::Array(parts)) => parts,
        Some(other) => return Err(wrong("content", "text or an array of parts", other)),
    };
    let texts = each(parts, "content", |part| match text(part, "type")? {
        "text" | "input_text" | "output_text" => Ok(text(part, "text")?.to_owned()),
        "refusal" => Ok(text(part, "refusal")?.to_owned()),
        other => Ok(format!("[{other}]")),
    })?;
    Ok(texts.join("\n"))
}
