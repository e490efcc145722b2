//! The right to write: taken, waited for, renewed, given up, lost.

use super::change::Change;
use crate::record::Waiter;
use crate::{AgentId, Claim, Conflict, Generation, Millis, Reply};

pub(super) fn acquire(
    change: &mut Change<'_>,
    agent: AgentId,
    lease_ms: Option<u64>,
    wait: bool,
) -> Result<Reply, Conflict> {
    let lease_ms = change.rules.lease_for(lease_ms);
    if let Some(claim) = change.claim_of_other(agent) {
        return if wait { queue(change, agent, lease_ms, claim) } else { Err(Change::other_holder(claim)) };
    }
    let expires = if change.claims(agent) {
        let expires = extend(change, lease_ms);
        if !change.record.line(agent).may_write() {
            change.take(agent);
        }
        expires
    } else {
        change.grant(agent, lease_ms).expires
    };
    Ok(Reply::Acquired { mark: change.mark(), digest: change.record.ledger.current.digest, expires })
}

/// Moves the end of the claim, never back: a shorter renewal leaves it.
pub(super) fn extend(change: &mut Change<'_>, lease_ms: u64) -> Millis {
    let (now, mut extended) = (change.now, false);
    let expires = change.record.ledger.claim.as_mut().map_or(now, |claim| {
        let until = claim.expires.max(now.plus(lease_ms));
        extended = until != claim.expires || claim.lease_ms != lease_ms;
        claim.expires = until;
        claim.lease_ms = lease_ms;
        until
    });
    change.ledger_changed |= extended;
    expires
}

fn queue(change: &mut Change<'_>, agent: AgentId, lease_ms: u64, claim: Claim) -> Result<Reply, Conflict> {
    let (waiting, bound) = (&mut change.record.waiting, change.rules.waiting_max);
    let position = match waiting.iter().position(|waiter| waiter.agent == agent) {
        Some(at) => {
            waiting[at].lease_ms = lease_ms;
            at + 1
        }
        None if waiting.len() >= bound => return Err(Conflict::QueueFull { bound }),
        None => {
            waiting.push(Waiter { agent, lease_ms, since: change.now });
            waiting.len()
        }
    };
    Ok(Reply::Waiting { position, holder: claim.agent, expires: claim.expires })
}

pub(super) fn renew(
    change: &mut Change<'_>,
    agent: AgentId,
    generation: Generation,
) -> Result<Reply, Conflict> {
    let current = change.record.ledger.generation;
    if generation != current {
        return Err(Conflict::StaleGeneration { yours: generation, current });
    }
    if let Some(claim) = change.claim_of_other(agent) {
        return Err(Change::other_holder(claim));
    }
    let Some(claim) = change.record.ledger.claim else {
        return Err(Conflict::NotHolder { line: change.record.line(agent) });
    };
    Ok(Reply::Renewed { expires: extend(change, claim.lease_ms) })
}

pub(super) fn release(
    change: &mut Change<'_>,
    agent: AgentId,
    generation: Option<Generation>,
) -> Result<Reply, Conflict> {
    if let Some(generation) = generation {
        return give_back(change, agent, generation);
    }
    let line = change.record.line(agent);
    let waits = change.record.waiting.iter().any(|waiter| waiter.agent == agent);
    if !line.is_valid() && !waits {
        return Err(Conflict::NotHolder { line });
    }
    if waits {
        // The place is given up and the copy is kept: the agent that stops waiting goes on reading it.
        change.record.waiting.retain(|waiter| waiter.agent != agent);
    } else {
        leave(change, agent);
    }
    Ok(Reply::Released { mark: change.mark() })
}

/// Gives up the right to write that began at `generation`. One that is over already is refused, so that a late release ends
/// neither the agent's next claim nor its place in the queue.
fn give_back(change: &mut Change<'_>, agent: AgentId, generation: Generation) -> Result<Reply, Conflict> {
    let current = change.record.ledger.generation;
    if generation != current {
        return Err(Conflict::StaleGeneration { yours: generation, current });
    }
    if let Some(claim) = change.claim_of_other(agent) {
        return Err(Change::other_holder(claim));
    }
    let line = change.record.line(agent);
    if !change.claims(agent) && !line.may_write() {
        return Err(Conflict::NotHolder { line });
    }
    leave(change, agent);
    Ok(Reply::Released { mark: change.mark() })
}

pub(super) fn lost(change: &mut Change<'_>, agent: AgentId) -> Reply {
    let ended = leave(change, agent).or(change.ended);
    change.record.holders.retain(|holder| holder.agent != agent);
    Reply::Settled { ended }
}

/// Takes an agent out of the queue, its claim and its copy. An exclusive copy was a right to write too, so its end
/// raises the fence as that of a claim does.
fn leave(change: &mut Change<'_>, agent: AgentId) -> Option<AgentId> {
    change.record.waiting.retain(|waiter| waiter.agent != agent);
    if change.claims(agent) {
        return change.end_claim(false);
    }
    if change.record.line(agent).may_write() {
        change.next_generation();
    }
    change.drop_line(agent);
    None
}
