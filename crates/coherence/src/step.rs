//! One event on one record: `step(state, event, now) -> effects`.
//!
//! Each guard is asked before anything is touched. A lease that is over is reclaimed first, on a copy, so that a step
//! which is refused leaves even an expired claim as it was.
//!
//! Three steps are compositions of rows of the table, made in one atomic step because no agent could win by coming
//! between them:
//! - a commit under a claim whose line a reader has demoted to S takes E and M at once (acquire, commit);
//! - a compare-and-set beside somebody's clean exclusive copy demotes it as a read would (read, commit_cas);
//! - where the strategy pushes, those who are sent the new version read it within the commit (commit, read, read, …).

mod change;
mod claim;
mod commit;
mod life;
mod read;

use change::Change;

use crate::{AgentId, Conflict, Event, Millis, Outcome, Record, Reply, Rules, Write};

/// Applies one event to one record; `None` is an artifact that does not exist.
///
/// # Errors
/// A guard of the protocol's table does not hold; then the record is unchanged.
pub fn step(
    record: &mut Option<Record>,
    event: &Event,
    now: Millis,
    rules: &Rules,
) -> Result<Outcome, Conflict> {
    match event {
        Event::Create { agent, incarnation, epoch, content } => {
            life::create(record, *agent, (*incarnation, *epoch), content, now)
        }
        Event::Observed { ledger } => Ok(life::observed(record, ledger.as_deref(), now, rules)),
        Event::Delete { agent, expected } => life::delete(record, *agent, *expected),
        _ => match record {
            Some(known) => step_known(known, event, now, rules),
            None => absent(event),
        },
    }
}

/// As [`step`], for an artifact that exists before and after.
pub(crate) fn step_known(
    record: &mut Record,
    event: &Event,
    now: Millis,
    rules: &Rules,
) -> Result<Outcome, Conflict> {
    match event {
        Event::Observed { ledger: Some(theirs) } => Ok(life::overtaken(record, theirs, now, rules)),
        Event::Create { .. } => Err(Conflict::AlreadyExists { actual: record.ledger.stamp() }),
        _ => settle_then(record, now, rules, |change| act(change, event)),
    }
}

/// Writes all members or none. The outcomes are in the order of the members.
///
/// # Errors
/// The index of the first member that does not pass, and why; then every record is unchanged.
pub fn commit_all(
    members: &mut [(&mut Record, Write)],
    agent: AgentId,
    now: Millis,
    rules: &Rules,
) -> Result<Vec<Outcome>, (usize, Conflict)> {
    let mut written = Vec::with_capacity(members.len());
    for (at, (record, write)) in members.iter().enumerate() {
        let mut record = (*record).clone();
        let outcome = settle_then(&mut record, now, rules, |change| commit::write(change, agent, write));
        written.push((record, outcome.map_err(|conflict| (at, conflict))?));
    }
    let pairs = members.iter_mut().zip(written);
    Ok(pairs.map(|((record, _), (new, outcome))| (**record = new, outcome).1).collect())
}

/// Reclaims a claim that is over, then acts; nothing of both stays if the act is refused.
fn settle_then(
    record: &mut Record,
    now: Millis,
    rules: &Rules,
    act: impl FnOnce(&mut Change<'_>) -> Result<Reply, Conflict>,
) -> Result<Outcome, Conflict> {
    if record.ledger.claim.is_none_or(|claim| now < claim.expires) {
        let mut change = Change::new(record, now, rules);
        let reply = act(&mut change)?;
        return Ok(change.outcome(reply));
    }
    let mut settled = record.clone();
    let mut change = Change::new(&mut settled, now, rules);
    change.reclaim();
    let reply = act(&mut change)?;
    let outcome = change.outcome(reply);
    *record = settled;
    Ok(outcome)
}

fn act(change: &mut Change<'_>, event: &Event) -> Result<Reply, Conflict> {
    match event {
        Event::Read { agent, have, sections } => read::read(change, *agent, *have, sections),
        Event::Hit { .. } => Ok(Reply::Noted),
        Event::Acquire { agent, lease_ms, wait } => claim::acquire(change, *agent, *lease_ms, *wait),
        Event::Commit { agent, commit } => commit::under_claim(change, *agent, commit),
        Event::CommitCas { agent, cas } => commit::compare_and_set(change, *agent, cas),
        Event::Renew { agent, generation } => claim::renew(change, *agent, *generation),
        Event::Release { agent, generation } => claim::release(change, *agent, *generation),
        Event::AgentLost { agent } => Ok(claim::lost(change, *agent)),
        Event::LeaseOver => {
            change.next_turn();
            Ok(Reply::Settled { ended: change.ended })
        }
        Event::Create { .. } | Event::Delete { .. } | Event::Observed { .. } => {
            Err(Conflict::UnknownArtifact)
        }
    }
}

/// What an event means for an artifact that does not exist.
fn absent(event: &Event) -> Result<Outcome, Conflict> {
    match event {
        Event::AgentLost { .. } | Event::LeaseOver => Ok(Outcome::quiet(Reply::Settled { ended: None })),
        Event::Hit { .. } => Ok(Outcome::quiet(Reply::Noted)),
        _ => Err(Conflict::UnknownArtifact),
    }
}
