//! The laws of a well-formed episode.
//!
//! ```
//! use lrrc_episode::check::{Fault, Limits, check};
//! # use lrrc_episode::{Agent, Episode, Outcome, Role, Turn};
//! # let mut episode = Episode {
//! #     id: "e".into(), group: "g".into(), source: "s".into(), license: "MIT".into(), task: None,
//! #     agents: vec![Agent { name: "user".into(), model: None }],
//! #     turns: vec![Turn::text(0, Role::User, "hello")], queries: vec![], outcome: Outcome::default(),
//! # };
//! assert_eq!(check(&episode, Limits::default()), Ok(()));
//! episode.turns[0].agent = 7;
//! assert_eq!(check(&episode, Limits::default()), Err(Fault::UnknownAgent { turn: 0, agent: 7, agents: 1 }));
//! ```

use thiserror::Error;

use crate::{Episode, Query, Role, Turn};

/// Longest message in bytes that is taken for a message: 10 MB.
pub const MESSAGE_BYTES_MAX: usize = 10_000_000;

/// What is still taken for an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest content, and longest arguments of one call, in bytes.
    pub message_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message_bytes_max: MESSAGE_BYTES_MAX }
    }
}

/// A law that an episode breaks. Turns, agents, calls and queries are numbered from 0.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// There is no turn.
    #[error("the episode has no turns")]
    Empty,
    /// The identifier is empty.
    #[error("the episode has no id")]
    NoId,
    /// The group is empty, so the episode cannot be kept on one side of a split.
    #[error("the episode has no group")]
    NoGroup,
    /// Two agents share a name.
    #[error("agents[{agent}].name: {name:?} is also the name of agents[{first}]")]
    DuplicateAgent {
        /// Index of the second of the two.
        agent: usize,
        /// Index of the first of the two.
        first: usize,
        /// Their name.
        name: String,
    },
    /// A turn names an agent that does not exist.
    #[error("turns[{turn}].agent: {agent} is not one of the {agents} agents")]
    UnknownAgent {
        /// Index of the turn.
        turn: usize,
        /// The index it gives.
        agent: usize,
        /// Number of agents.
        agents: usize,
    },
    /// A tool result refers to a call that no earlier turn makes.
    #[error("turns[{turn}].tool_call_id: no earlier turn makes the call {id:?}")]
    UnknownCall {
        /// Index of the turn.
        turn: usize,
        /// The call it refers to.
        id: String,
    },
    /// A tool result stands where no earlier turn has called a tool.
    #[error("turns[{turn}].role: a tool result, but no earlier turn calls a tool")]
    ResultWithoutCall {
        /// Index of the turn.
        turn: usize,
    },
    /// A message is too long to be one.
    #[error("turns[{turn}].{field}: {bytes} bytes, more than the {bytes_max} of a message")]
    MessageTooLong {
        /// Index of the turn.
        turn: usize,
        /// `content`, or `tool_calls[i].arguments`.
        field: String,
        /// Its length.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The evidence of a query ends before it starts.
    #[error("queries[{query}].evidence[{range}]: turn {first} to {last} runs backwards")]
    EvidenceReversed {
        /// Index of the query.
        query: usize,
        /// Index of the range.
        range: usize,
        /// First turn of the range.
        first: u32,
        /// Last turn of the range.
        last: u32,
    },
    /// The evidence of a query lies outside the episode.
    #[error("queries[{query}].evidence[{range}]: turn {last} is not one of the {turns} turns")]
    EvidenceOutside {
        /// Index of the query.
        query: usize,
        /// Index of the range.
        range: usize,
        /// Last turn of the range.
        last: u32,
        /// Number of turns.
        turns: usize,
    },
}

impl Fault {
    /// The field that is at fault, as a path within the episode.
    #[must_use]
    pub fn field(&self) -> String {
        match self {
            Self::Empty => "turns".to_owned(),
            Self::NoId => "id".to_owned(),
            Self::NoGroup => "group".to_owned(),
            Self::DuplicateAgent { agent, .. } => format!("agents[{agent}].name"),
            Self::UnknownAgent { turn, .. } => format!("turns[{turn}].agent"),
            Self::UnknownCall { turn, .. } => format!("turns[{turn}].tool_call_id"),
            Self::ResultWithoutCall { turn } => format!("turns[{turn}].role"),
            Self::MessageTooLong { turn, field, .. } => format!("turns[{turn}].{field}"),
            Self::EvidenceReversed { query, range, .. } | Self::EvidenceOutside { query, range, .. } => {
                format!("queries[{query}].evidence[{range}]")
            }
        }
    }
}

/// Checks every law.
///
/// # Errors
/// The first law that is broken, in the order identity, agents, turns, queries.
pub fn check(episode: &Episode, limits: Limits) -> Result<(), Fault> {
    if episode.id.is_empty() {
        return Err(Fault::NoId);
    }
    if episode.group.is_empty() {
        return Err(Fault::NoGroup);
    }
    if episode.turns.is_empty() {
        return Err(Fault::Empty);
    }
    check_agents(episode)?;
    let mut calls = Calls::default();
    for (at, turn) in episode.turns.iter().enumerate() {
        if turn.agent >= episode.agents.len() {
            return Err(Fault::UnknownAgent { turn: at, agent: turn.agent, agents: episode.agents.len() });
        }
        check_lengths(at, turn, limits)?;
        calls.follow(at, turn)?;
    }
    episode
        .queries
        .iter()
        .enumerate()
        .try_for_each(|(at, query)| check_evidence(at, query, episode.turns.len()))
}

fn check_agents(episode: &Episode) -> Result<(), Fault> {
    let mut seen = std::collections::BTreeMap::new();
    for (agent, name) in episode.agents.iter().map(|agent| agent.name.as_str()).enumerate() {
        if let Some(first) = seen.insert(name, agent) {
            return Err(Fault::DuplicateAgent { agent, first, name: name.to_owned() });
        }
    }
    Ok(())
}

fn check_lengths(at: usize, turn: &Turn, limits: Limits) -> Result<(), Fault> {
    let bytes_max = limits.message_bytes_max;
    let too_long = |field: String, bytes| Fault::MessageTooLong { turn: at, field, bytes, bytes_max };
    if turn.content.len() > bytes_max {
        return Err(too_long("content".to_owned(), turn.content.len()));
    }
    match turn.tool_calls.iter().position(|call| call.arguments.len() > bytes_max) {
        Some(call) => {
            Err(too_long(format!("tool_calls[{call}].arguments"), turn.tool_calls[call].arguments.len()))
        }
        None => Ok(()),
    }
}

/// The calls made so far.
#[derive(Debug, Default)]
struct Calls<'a> {
    ids: std::collections::BTreeSet<&'a str>,
    any: bool,
}

impl<'a> Calls<'a> {
    fn follow(&mut self, at: usize, turn: &'a Turn) -> Result<(), Fault> {
        if turn.role == Role::Tool {
            if !self.any {
                return Err(Fault::ResultWithoutCall { turn: at });
            }
            if let Some(id) = turn.tool_call_id.as_deref().filter(|id| !self.ids.contains(id)) {
                return Err(Fault::UnknownCall { turn: at, id: id.to_owned() });
            }
        }
        self.any |= !turn.tool_calls.is_empty();
        self.ids.extend(turn.tool_calls.iter().filter_map(|call| call.id.as_deref()));
        Ok(())
    }
}

fn check_evidence(at: usize, query: &Query, turns: usize) -> Result<(), Fault> {
    for (range, &(first, last)) in query.evidence.iter().enumerate() {
        if first > last {
            return Err(Fault::EvidenceReversed { query: at, range, first, last });
        }
        if last as usize >= turns {
            return Err(Fault::EvidenceOutside { query: at, range, last, turns });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
