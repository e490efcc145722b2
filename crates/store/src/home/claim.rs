//! Claims to write, and the queue for them.

use lrrc_coherence::{AgentId, Conflict, Event, Generation, Millis, Reply};

use super::Home;
use super::read::unexpected;
use super::record::conflict;
use crate::backend::Backend;
use crate::error::Refusal;
use crate::name::Name;
use crate::wire::{Answer, Claimed, Says, Ticket, Waiting};

impl<B: Backend> Home<B> {
    /// The claim, or a place in the queue. An acquire without a ticket cannot be told when its turn comes.
    pub(super) fn acquire(
        &mut self,
        agent: AgentId,
        ticket: Option<Ticket>,
        name: &Name,
        lease_ms: Option<u64>,
        wait: bool,
        now: Millis,
    ) -> Result<Answer, Refusal> {
        let event = Event::Acquire { agent, lease_ms, wait };
        match self.apply(name, &event, now)?.reply {
            Reply::Acquired { mark, digest, expires } => {
                Ok(Answer::Acquired(Claimed { mark, digest, expires }))
            }
            Reply::Waiting { position, holder, expires } => {
                let told = Waiting { position, holder, expires };
                if let Some(session) = self.sessions.get_mut(&agent) {
                    let entry = session.waiting.entry(name.clone()).or_insert((Vec::new(), told));
                    entry.0.extend(ticket);
                    entry.1 = told;
                }
                Ok(Answer::Waiting(told))
            }
            _ => Err(unexpected("an acquire")),
        }
    }

    /// Gives up the claim of a generation; without one, the place in the queue, the claim or the copy.
    pub(super) fn release(
        &mut self,
        agent: AgentId,
        name: &Name,
        generation: Option<Generation>,
        now: Millis,
    ) -> Result<Answer, Refusal> {
        match self.apply(name, &Event::Release { agent, generation }, now)?.reply {
            Reply::Released { mark } => Ok(Answer::Released { mark }),
            _ => Err(unexpected("a release")),
        }
    }

    /// Another lease from now on.
    pub(super) fn renew(
        &mut self,
        agent: AgentId,
        name: &Name,
        generation: Generation,
        now: Millis,
    ) -> Result<Answer, Refusal> {
        match self.apply(name, &Event::Renew { agent, generation }, now)?.reply {
            Reply::Renewed { expires } => Ok(Answer::Renewed { expires }),
            _ => Err(unexpected("a renewal")),
        }
    }

    /// Nobody waits under this ticket any more; the last one gives up the place in the queue.
    pub(super) fn cancel(&mut self, agent: AgentId, ticket: Ticket, now: Millis) {
        let Some(session) = self.sessions.get_mut(&agent) else { return };
        let place = session.waiting.iter_mut().find(|(_, (tickets, _))| tickets.contains(&ticket));
        let Some((name, (tickets, _))) = place else { return };
        tickets.retain(|other| *other != ticket);
        if tickets.is_empty() {
            let name = name.clone();
            session.waiting.remove(&name);
            // The place is soft: where the storage fails, the lease of the claim that comes of it ends it.
            let released = self.release(agent, &name, None, now);
            // The claim may have come with the same step, unheard, and gone again; the copy went with it.
            if let Ok(Answer::Released { mark }) = released
                && !self.line(&name, agent).is_valid()
            {
                self.say(agent, Says::Invalidate { name, mark });
            }
        }
    }

    /// Ends every claim whose lease is over, and gives the turn where another home has ended a claim.
    pub(super) fn end_leases(&mut self, now: Millis) {
        let over: Vec<Name> =
            self.claimed.iter().filter(|name| self.turn_is_due(name, now)).cloned().collect();
        for name in over {
            // A storage that fails is asked again at the next tick, and not for the other names before that.
            if let Err(Refusal::Storage { .. } | Refusal::Uncertain { .. }) =
                self.apply(&name, &Event::LeaseOver, now)
            {
                return;
            }
        }
    }

    fn turn_is_due(&self, name: &Name, now: Millis) -> bool {
        let Some(record) = self.records.get(name).and_then(|slot| slot.record.as_ref()) else { return false };
        record.ledger().claim.map_or(!record.waiting().is_empty(), |claim| claim.expires <= now)
    }

    /// Tells those who wait where they stand, if that has changed.
    pub(super) fn tell_waiting(&mut self, name: &Name, now: Millis) {
        let Some(record) = self.records.get(name).and_then(|slot| slot.record.as_ref()) else { return };
        let Some(claim) = record.ledger().claim else { return };
        let agents: Vec<AgentId> = record.waiting().iter().map(|waiter| waiter.agent).collect();
        for (at, agent) in agents.into_iter().enumerate() {
            let place = Waiting { position: at + 1, holder: claim.agent, expires: claim.expires };
            let Some(session) = self.sessions.get_mut(&agent) else { continue };
            let Some((tickets, told)) = session.waiting.get_mut(name) else { continue };
            if *told == place {
                continue;
            }
            *told = place;
            for ticket in tickets.clone() {
                self.answer(agent, ticket, Ok(Answer::Waiting(place)), now);
            }
        }
    }

    /// The turn of one who waits has come.
    pub(super) fn grant_waiting(&mut self, agent: AgentId, name: &Name, claimed: Claimed, now: Millis) {
        self.end_waiting(agent, name, &Ok(Answer::Acquired(claimed)), now);
    }

    /// The artifact is gone, and so is the queue for it.
    pub(super) fn refuse_waiting(&mut self, agent: AgentId, name: &Name, now: Millis) {
        self.end_waiting(agent, name, &Err(conflict(name, Conflict::UnknownArtifact)), now);
    }

    fn end_waiting(&mut self, agent: AgentId, name: &Name, outcome: &Result<Answer, Refusal>, now: Millis) {
        let Some(session) = self.sessions.get_mut(&agent) else { return };
        let Some((tickets, _)) = session.waiting.remove(name) else { return };
        for ticket in tickets {
            self.answer(agent, ticket, outcome.clone(), now);
        }
    }
}
