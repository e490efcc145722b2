//! The few things that can be done to a record, each with what it sends to others.

use crate::record::Holder;
use crate::{
    AgentId, Claim, Conflict, Effect, Line, Mark, Millis, Move, Outcome, Record, Reply, Rules, Section,
    Strategy, Version,
};

/// A record that is being changed.
pub(super) struct Change<'a> {
    pub(super) record: &'a mut Record,
    pub(super) now: Millis,
    pub(super) rules: &'a Rules,
    pub(super) effects: Vec<Effect>,
    pub(super) ledger_changed: bool,
    /// Whose claim was reclaimed because its lease was over.
    pub(super) ended: Option<AgentId>,
}

impl<'a> Change<'a> {
    pub(super) const fn new(record: &'a mut Record, now: Millis, rules: &'a Rules) -> Self {
        Self { record, now, rules, effects: Vec::new(), ledger_changed: false, ended: None }
    }

    pub(super) fn outcome(self, reply: Reply) -> Outcome {
        Outcome { reply, effects: self.effects, ledger_changed: self.ledger_changed }
    }

    pub(super) const fn mark(&self) -> Mark {
        self.record.ledger.mark()
    }

    /// The claim of another agent.
    pub(super) fn claim_of_other(&self, agent: AgentId) -> Option<Claim> {
        self.record.ledger.claim.filter(|claim| claim.agent != agent)
    }

    pub(super) fn claims(&self, agent: AgentId) -> bool {
        self.record.ledger.claim.is_some_and(|claim| claim.agent == agent)
    }

    /// The refusal that names the holder of another's claim.
    pub(super) const fn other_holder(claim: Claim) -> Conflict {
        Conflict::OtherHolder { who: claim.agent, since: claim.since, expires: claim.expires }
    }

    /// Raises the fence.
    pub(super) const fn next_generation(&mut self) {
        self.record.ledger.generation = self.record.ledger.generation.next();
        self.ledger_changed = true;
    }

    /// Gives the claim to an agent: each whole copy of another is revoked.
    pub(super) fn grant(&mut self, agent: AgentId, lease_ms: u64) -> Claim {
        let claim = Claim { agent, since: self.now, expires: self.now.plus(lease_ms), lease_ms };
        self.record.ledger.claim = Some(claim);
        self.take(agent);
        claim
    }

    /// Makes the claimant's line exclusive, under a new generation.
    pub(super) fn take(&mut self, agent: AgentId) {
        self.next_generation();
        self.revoke_others(agent, None);
        self.record.partial.remove(&agent);
        self.record.set_line(agent, moved(self.record.line(agent), Move::Acquire));
    }

    /// Ends the claim: the fence is raised, the line is gone, and the first waiter gets its turn. `tell` says that the
    /// agent does not know yet.
    pub(super) fn end_claim(&mut self, tell: bool) -> Option<AgentId> {
        let claim = self.record.ledger.claim.take()?;
        self.next_generation();
        if tell {
            self.signal(claim.agent);
        }
        self.drop_line(claim.agent);
        if self.rules.strategy != Strategy::Broadcast {
            self.record.holders.retain(|holder| holder.line.is_valid());
        }
        self.next_turn();
        Some(claim.agent)
    }

    /// Reclaims the claim because its lease is over.
    pub(super) fn reclaim(&mut self) {
        self.ended = self.end_claim(true);
    }

    /// Gives the claim, if nobody has it, to the first that waits.
    pub(super) fn next_turn(&mut self) {
        if self.record.ledger.claim.is_some() || self.record.waiting.is_empty() {
            return;
        }
        let next = self.record.waiting.remove(0);
        let claim = self.grant(next.agent, next.lease_ms);
        let digest = self.record.ledger.current.digest;
        self.effects.push(Effect::Granted {
            to: next.agent,
            mark: self.mark(),
            digest,
            expires: claim.expires,
        });
    }

    /// Forgets an agent's copy; the baseline alone remembers who had one.
    pub(super) fn drop_line(&mut self, agent: AgentId) {
        let broadcast = self.rules.strategy == Strategy::Broadcast;
        self.record.partial.remove(&agent);
        if let Ok(at) = self.record.holders.binary_search_by_key(&agent, |holder| holder.agent) {
            if broadcast {
                self.record.holders[at].line = Line::Invalid;
            } else {
                self.record.holders.remove(at);
            }
        }
    }

    fn signal(&mut self, to: AgentId) {
        self.effects.push(Effect::Signal { to, mark: self.mark(), deleted: false });
    }

    /// Makes the copies of all others old, one signal each. `written` is the version that a commit has written: then
    /// readers of sections lose theirs if it changed one, and the strategy may send the content instead. Without it
    /// somebody took the claim, and readers of sections keep theirs. Returns whether content was sent.
    pub(super) fn revoke_others(&mut self, agent: AgentId, written: Option<Version>) -> bool {
        let (mark, strategy) = (self.mark(), self.rules.strategy);
        let mut pushed = false;
        let mut holders = std::mem::take(&mut self.record.holders);
        holders.retain_mut(|holder| {
            if holder.agent == agent || self.spared(holder, written) {
                return true;
            }
            let sections = self.record.partial.get(&holder.agent).cloned().unwrap_or_default();
            let readable = sections.iter().all(|name| self.has_section(name));
            if written.is_some() && strategy.pushes() && readable {
                let digest = self.record.ledger.current.digest;
                self.effects.push(Effect::Push { to: holder.agent, mark, digest, sections });
                let line = moved(moved(holder.line, Move::Revoke), Move::ReadShared);
                *holder = Holder {
                    agent: holder.agent,
                    line,
                    observed: mark.version(),
                    read_generation: mark.generation,
                };
                pushed = true;
                return true;
            }
            if holder.line.is_valid() {
                self.effects.push(Effect::Signal { to: holder.agent, mark, deleted: false });
            }
            holder.line = moved(holder.line, Move::Revoke);
            if !strategy.pushes() || !readable {
                self.record.partial.remove(&holder.agent);
            }
            strategy.pushes()
        });
        self.record.holders = holders;
        pushed
    }

    /// Whether a reader of sections keeps its copy.
    fn spared(&self, holder: &Holder, written: Option<Version>) -> bool {
        let Some(names) = self.record.partial.get(&holder.agent) else { return false };
        let unchanged = |section: &Section| Some(section.changed_at) != written;
        let sections = &self.record.ledger.sections;
        holder.line.is_valid()
            && names
                .iter()
                .all(|name| sections.iter().any(|section| section.name == *name && unchanged(section)))
    }

    pub(super) fn has_section(&self, name: &str) -> bool {
        self.record.ledger.sections.iter().any(|section| section.name == name)
    }
}

impl Outcome {
    /// A reply that changes nothing and concerns nobody else.
    pub(crate) const fn quiet(reply: Reply) -> Self {
        Self { reply, effects: Vec::new(), ledger_changed: false }
    }
}

/// The line after a move that every state allows.
pub(super) fn moved(line: Line, happened: Move) -> Line {
    line.after(happened).unwrap_or(Line::Invalid)
}
