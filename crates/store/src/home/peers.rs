//! Which homes live: a claim whose home is gone is ended, and keeps nobody waiting until its lease is over.
//!
//! A home gives its agents ids in blocks. Before it gives the first id of one, it announces the block by a record that the
//! backend takes away when the home dies or is cut off. No block is announced twice, so one that is gone stays gone. Another
//! home then ends the claims of its agents, by the same written step as for an agent that is lost. A home that was only
//! cut off ends the sessions of the block before that, when it has not been heard for so long that the record may go. The
//! step fences it in any case, and its feed shows that the record went.

use std::collections::BTreeSet;

use lrrc_coherence::{AgentId, Event, Millis};

use super::Home;
use super::record::storage;
use super::session::IDS;
use crate::backend::{Backend, Change};
use crate::error::Refusal;
use crate::name::Name;

/// Under which keys the announced blocks lie, each with its first id.
const BLOCKS: &str = "meta/agents/";

/// What a home knows of the blocks of ids. Blocks go by their first id.
#[derive(Debug, Default)]
pub(super) struct Peers {
    /// From this id on every block was announced, by whatever home; `None` while this home has announced none.
    announced_from: Option<u32>,
    /// Blocks of this home whose records stand.
    own: BTreeSet<u32>,
    /// Blocks of others whose records stood when they were asked for: the feed tells when one goes.
    alive: BTreeSet<u32>,
}

impl Peers {
    /// The block of an agent that may be gone. Agents of a home that announces nothing are never taken for lost.
    fn doubtful(&self, agent: AgentId) -> Option<u32> {
        let block = block_of(agent);
        let is_announced = self.announced_from.is_some_and(|from| from <= block);
        (is_announced && !self.own.contains(&block) && !self.alive.contains(&block)).then_some(block)
    }
}

impl<B: Backend> Home<B> {
    /// Announces a block that this home has set aside, where the backend serves several homes and knows when one is gone.
    pub(super) fn announce(&mut self, block: u32, announced_from: u32) -> Result<(), Refusal> {
        if self.is_shared() && self.backend.announce(&key(block)).map_err(storage)? {
            self.peers.announced_from = Some(announced_from);
            self.peers.own.insert(block);
        }
        Ok(())
    }

    /// Takes in that a block was announced or is gone; false where the change is of something else.
    pub(super) fn take_in_block(&mut self, change: &Change, now: Millis) -> bool {
        let Some(block) = change.key.strip_prefix(BLOCKS) else { return false };
        if let (Ok(block), None) = (block.parse(), &change.value) {
            self.peers.alive.remove(&block);
            if self.peers.own.remove(&block) {
                self.cut_off(block, now);
            }
        }
        true
    }

    /// A home that may be taken for lost soon ends its sessions before the others end their claims.
    pub(super) fn step_down(&mut self, now: Millis) {
        if !self.backend.is_announced() {
            for block in std::mem::take(&mut self.peers.own) {
                self.cut_off(block, now);
            }
        }
    }

    /// The others take the agents of this block for lost.
    fn cut_off(&mut self, block: u32, now: Millis) {
        if self.ids.clone().next().is_some_and(|id| block_of(AgentId(id)) == block) {
            self.ids = 0..0;
        }
        let agents: Vec<AgentId> =
            self.sessions.keys().copied().filter(|agent| block_of(*agent) == block).collect();
        for agent in agents {
            let why = "the home was cut off, and others took it for lost".into();
            self.end(agent, Refusal::SessionOver { why }, now);
        }
    }

    /// Forgets what only the feed keeps true.
    pub(super) fn forget_peers(&mut self) {
        self.peers = Peers::default();
        self.ids = 0..0;
    }

    /// Ends each claim whose home is gone.
    pub(super) fn end_orphans(&mut self, now: Millis) {
        let claims = self.claimed.iter().filter_map(|name| {
            let claim = self.records.get(name)?.record.as_ref()?.ledger().claim?;
            Some((name.clone(), claim.agent, self.peers.doubtful(claim.agent)?))
        });
        let claims: Vec<(Name, AgentId, u32)> = claims.collect();
        for (name, agent, block) in claims {
            // A storage that fails is asked again at the next tick.
            match self.backend.get(&key(block)) {
                Ok(Some(_)) => _ = self.peers.alive.insert(block),
                Ok(None) => {
                    if let Err(Refusal::Storage { .. } | Refusal::Uncertain { .. }) =
                        self.apply(&name, &Event::AgentLost { agent }, now)
                    {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    }
}

/// Blocks begin at 1 and are all of one size.
fn block_of(agent: AgentId) -> u32 {
    agent.0.saturating_sub(1) / IDS * IDS + 1
}

fn key(block: u32) -> String {
    format!("{BLOCKS}{block}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_may_be_lost_where_its_block_was_announced_and_is_not_known_to_stand() {
        let (own, alive) = (BTreeSet::from([129]), BTreeSet::from([193]));
        let peers = Peers { announced_from: Some(65), own, alive };
        for (agent, block) in
            [(1, None), (64, None), (65, Some(65)), (128, Some(65)), (129, None), (200, None)]
        {
            assert_eq!(peers.doubtful(AgentId(agent)), block, "agent {agent}");
        }
        assert_eq!(Peers::default().doubtful(AgentId(65)), None);
    }
}
