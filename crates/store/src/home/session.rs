//! Sessions of agents: from the hello to the end, whoever ends it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use lrrc_coherence::{AgentId, Event, Millis};

use super::Home;
use super::record::storage;
use crate::backend::{Backend, BackendError, Batch, Expect, Write};
use crate::error::Refusal;
use crate::name::Name;
use crate::wire::{PROTOCOL, Says, Ticket, Waiting};

/// Under which key the next unused agent id lies.
const NEXT_AGENT: &str = "meta/next_agent";

/// Ids that are set aside with one durable write: a block.
pub(super) const IDS: u32 = 64;

/// One agent's session.
#[derive(Debug)]
pub(super) struct Session {
    /// Number of the last frame said.
    pub(super) seq: u64,
    last_ticket: Option<Ticket>,
    /// When its last frame came.
    pub(super) heard: Millis,
    /// Artifacts whose records may name the agent.
    pub(super) touched: BTreeSet<Name>,
    /// Acquires that wait, and what was last told about them.
    pub(super) waiting: BTreeMap<Name, (Vec<Ticket>, Waiting)>,
    /// Watched prefixes.
    pub(super) watches: BTreeSet<String>,
}

impl Session {
    /// Whether the ticket is new; an old one is a repetition of its frame.
    pub(super) fn take_ticket(&mut self, ticket: Ticket) -> bool {
        let new = self.last_ticket.is_none_or(|last| last < ticket);
        if new {
            self.last_ticket = Some(ticket);
        }
        new
    }
}

impl<B: Backend> Home<B> {
    /// Opens a session and greets it.
    ///
    /// # Errors
    /// Another protocol, too many sessions, or a storage that does not answer.
    pub fn join(&mut self, protocol: u16, now: Millis) -> Result<AgentId, Refusal> {
        if protocol != PROTOCOL {
            let message = format!("protocol {protocol}, and this store speaks {PROTOCOL}");
            return Err(Refusal::Protocol { message });
        }
        let (found, limit) = (self.sessions.len() as u64 + 1, self.limits.sessions_max as u64);
        if found > limit {
            return Err(Refusal::TooMany { what: "sessions".into(), found, limit });
        }
        let agent = AgentId(self.next_id()?);
        let session = Session {
            seq: 0,
            last_ticket: None,
            heard: now,
            touched: BTreeSet::new(),
            waiting: BTreeMap::new(),
            watches: BTreeSet::new(),
        };
        self.sessions.insert(agent, session);
        let (limits, rules) = (self.limits, self.rules.clone());
        self.say(agent, Says::Welcome { agent, limits, rules });
        Ok(agent)
    }

    /// Whether the agent has a session.
    #[must_use]
    pub fn has(&self, agent: AgentId) -> bool {
        self.sessions.contains_key(&agent)
    }

    /// The agent is lost: its claims are reclaimed, and whoever waits for them is told.
    pub fn leave(&mut self, agent: AgentId, now: Millis) {
        let Some(session) = self.sessions.remove(&agent) else { return };
        for name in session.touched {
            // A storage that fails here fails again at the next event on the record, and says so there.
            let _ = self.apply(&name, &Event::AgentLost { agent }, now);
        }
    }

    /// Ends a session with a last word.
    pub(super) fn end(&mut self, agent: AgentId, why: Refusal, now: Millis) {
        self.say(agent, Says::Goodbye { why });
        self.leave(agent, now);
    }

    /// Ends every session: the home shuts down.
    pub fn close(&mut self, now: Millis) {
        let agents: Vec<AgentId> = self.sessions.keys().copied().collect();
        for agent in agents {
            self.end(agent, Refusal::SessionOver { why: "the store shuts down".into() }, now);
        }
    }

    /// An id that no session has had, in this run or an earlier one.
    fn next_id(&mut self) -> Result<u32, Refusal> {
        loop {
            if let Some(id) = self.ids.next() {
                return Ok(id);
            }
            let entry = self.backend.get(NEXT_AGENT).map_err(storage)?;
            let expect = entry.as_ref().map_or(Expect::Absent, |entry| Expect::At(entry.revision));
            let mut ids =
                entry.map_or(Ok(Ids { next: 1, announced_from: None }), |entry| Ids::read(&entry.value))?;
            let (next, end) = (ids.next, ids.next.checked_add(IDS));
            ids.next = end.ok_or_else(|| Refusal::Storage {
                message: format!("{NEXT_AGENT} is {next}: no agent id is left"),
            })?;
            if self.is_shared() {
                ids.announced_from.get_or_insert(next);
            }
            match self.backend.commit(&Batch::of([Write::put(NEXT_AGENT, expect, ids.bytes())])) {
                Ok(revision) => {
                    self.wrote(revision);
                    self.announce(next, ids.announced_from.unwrap_or(next))?;
                    self.ids = next..ids.next;
                }
                Err(BackendError::Lost { .. }) => {}
                Err(error) => return Err(storage(error)),
            }
        }
    }
}

/// The ids that are given out, four bytes each: the next one, and where several homes serve the store, the first one from
/// which on all are announced. A home that announces nothing refuses the second, and so gives no id after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ids {
    next: u32,
    announced_from: Option<u32>,
}

impl Ids {
    fn read(value: &[u8]) -> Result<Self, Refusal> {
        let (words, rest) = value.as_chunks::<4>();
        match (words, rest) {
            ([next], []) => Ok(Self { next: u32::from_be_bytes(*next), announced_from: None }),
            ([next, from], []) => {
                let announced_from = Some(u32::from_be_bytes(*from));
                Ok(Self { next: u32::from_be_bytes(*next), announced_from })
            }
            _ => Err(Refusal::Storage {
                message: format!("{NEXT_AGENT} has {} bytes and not 4 or 8", value.len()),
            }),
        }
    }

    fn bytes(self) -> Bytes {
        [Some(self.next), self.announced_from].into_iter().flatten().flat_map(u32::to_be_bytes).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_id_reads_back_and_no_other_length_does() {
        for ids in [Ids { next: 65, announced_from: None }, Ids { next: 65, announced_from: Some(7) }] {
            assert_eq!(Ids::read(&ids.bytes()), Ok(ids));
        }
        for length in [0, 3, 5, 12] {
            let refused = Ids::read(&vec![0; length]).unwrap_err().to_string();
            assert!(refused.contains(&format!("has {length} bytes and not 4 or 8")), "{refused}");
        }
    }
}
