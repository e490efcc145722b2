//! A session that grows call by call into an episode.

use std::collections::{HashMap, HashSet};

use lrrc_episode::{Agent, Episode, Outcome, Role, Turn};

use super::call::Call;
use super::message::Message;
use crate::error::{FieldFault, RowFault};
use crate::import::Defaults;
use crate::shard::Item;

/// An episode in the making.
#[derive(Debug)]
pub(super) struct Session {
    episode: Episode,
    /// Row of the first call.
    row: u64,
    /// Row of the last call.
    pub(super) touched: u64,
    /// Hash of the whole conversation as of the last call.
    pub(super) end: Option<u128>,
    /// Bytes of all text.
    pub(super) bytes: usize,
    seen: HashSet<u128>,
    instructions: HashSet<String>,
    /// Call id → name of the tool.
    calls: HashMap<String, String>,
    called: bool,
}

impl Session {
    pub(super) fn new(id: String, group: String, row: u64, defaults: &Defaults) -> Self {
        let episode = Episode {
            id,
            group,
            source: defaults.source.clone(),
            license: defaults.licence.clone(),
            task: None,
            agents: Vec::new(),
            turns: Vec::new(),
            queries: Vec::new(),
            outcome: Outcome::default(),
        };
        Self {
            episode,
            row,
            touched: row,
            end: None,
            bytes: 0,
            seen: HashSet::new(),
            instructions: HashSet::new(),
            calls: HashMap::new(),
            called: false,
        }
    }

    /// Appends the messages after the longest prefix that the session knows, all or none of them.
    pub(super) fn extend(&mut self, call: &Call, chain: &[u128], row: u64) -> Result<(), FieldFault> {
        let turns = self.episode.turns.len();
        self.append_new(call, chain).inspect_err(|_| self.episode.turns.truncate(turns))?;
        self.seen.extend(chain);
        self.end = chain.last().copied();
        self.touched = row;
        self.episode.outcome.reward = call.reward.or(self.episode.outcome.reward);
        self.episode.outcome.success = call.success.or(self.episode.outcome.success);
        Ok(())
    }

    fn append_new(&mut self, call: &Call, chain: &[u128]) -> Result<(), FieldFault> {
        let known = chain.iter().rposition(|prefix| self.seen.contains(prefix)).map_or(0, |at| at + 1);
        let mut spoken = 0;
        for (at, message) in call.messages.iter().enumerate() {
            if message.role == Role::System {
                if self.instructions.insert(message.content.clone()) {
                    self.append(message, call);
                }
                continue;
            }
            spoken += 1;
            if spoken > known {
                self.check_result(message)
                    .map_err(|fault| fault.inside(&format!("request.messages[{at}]")))?;
                self.append(message, call);
            }
        }
        Ok(())
    }

    fn check_result(&self, message: &Message) -> Result<(), FieldFault> {
        let id = message.tool_call_id.as_deref();
        let answered = id.map_or(self.called, |id| self.calls.contains_key(id));
        if message.role == Role::Tool && !answered {
            let fault = RowFault::ResultWithoutCall { id: id.unwrap_or_default().to_owned() };
            return Err(FieldFault::new("tool_call_id", fault));
        }
        Ok(())
    }

    fn append(&mut self, message: &Message, call: &Call) {
        let mut turn = Turn::text(self.speaker(message, call), message.role, message.content.as_str());
        if message.role == Role::Tool {
            let named = message.tool_call_id.as_ref().and_then(|id| self.calls.get(id));
            turn.tool_name = named.or(message.name.as_ref()).cloned();
            turn.tool_call_id.clone_from(&message.tool_call_id);
        }
        turn.tool_calls.clone_from(&message.tool_calls);
        for made in &message.tool_calls {
            self.called = true;
            self.bytes += made.name.len() + made.arguments.len();
            if let Some(id) = &made.id {
                self.calls.insert(id.clone(), made.name.clone());
            }
        }
        self.bytes += message.content.len();
        self.episode.turns.push(turn);
    }

    /// The agent of a message: its name, or the call's agent, or its role. One name with two models is two agents.
    fn speaker(&mut self, message: &Message, call: &Call) -> usize {
        if message.role != Role::Assistant {
            let name = message.name.as_deref().filter(|_| message.role == Role::User);
            return self.episode.agent_index(name.unwrap_or(message.role.name()));
        }
        let name = message.name.as_deref().or(call.agent.as_deref()).unwrap_or("assistant");
        let agents = &mut self.episode.agents;
        let same = |agent: &Agent| agent.name == name && (agent.model.is_none() || agent.model == call.model);
        if let Some(at) = agents.iter().position(same) {
            agents[at].model = agents[at].model.take().or(call.model.clone());
            return at;
        }
        let taken = agents.iter().any(|agent| agent.name == name);
        let name = match &call.model {
            Some(model) if taken => format!("{name} ({model})"),
            _ => name.to_owned(),
        };
        let at = self.episode.agent_index(&name);
        self.episode.agents[at].model.clone_from(&call.model);
        at
    }

    /// The episode with the row of its first call, unless every call of it was faulty.
    pub(super) fn close(self) -> Option<Item> {
        (!self.episode.turns.is_empty()).then_some((self.row, Ok(self.episode)))
    }
}
