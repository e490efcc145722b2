//! Logs of OpenAI chat-completions calls: one JSON object a call, `{"request": {…}, "response": {…}}`.
//!
//! Each call repeats the conversation so far, so the log is a chain of growing prefixes. A call joins the session it
//! names (`session`, `session_id`, `metadata.session_id`, …) or, where it names none, the conversation of the same
//! `user` that its messages continue; what is new in it becomes turns. Calls may be interleaved in any way.
//!
//! Records of `{"messages": […]}`, the format for fine-tuning, are read too.

mod call;
mod message;
mod session;

use std::collections::{HashMap, HashSet};

use super::rows::Object;
use super::{Defaults, prompt_group};
use crate::error::FieldFault;
use crate::shard::Item;
use call::{Call, read_call};
use session::Session;

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

/// Whether a record has the fields that make it a chat-completions call.
pub(crate) fn matches(has: impl Fn(&str) -> bool) -> bool {
    has("request") || has("messages")
}

#[cfg(test)]
mod tests;
