//! An artifact comes to be, goes, or is moved by another home.

use super::change::Change;
use super::commit::{edition, sections, unique};
use crate::{
    AgentId, Conflict, Content, Effect, Generation, Incarnation, Ledger, Line, Mark, Millis, Outcome, Record,
    Reply, Rules, Stamp, Version,
};

pub(super) fn create(
    record: &mut Option<Record>,
    agent: AgentId,
    (incarnation, epoch): (Incarnation, u32),
    content: &Content,
    now: Millis,
) -> Result<Outcome, Conflict> {
    if let Some(known) = record {
        return Err(Conflict::AlreadyExists { actual: known.ledger.stamp() });
    }
    unique(&content.sections)?;
    let ledger = Ledger {
        incarnation,
        generation: Generation::of_epoch(epoch),
        current: edition(content, Version::FIRST, agent, now),
        past: Vec::new(),
        sections: sections(&[], content, Version::FIRST),
        claim: None,
    };
    let mark = ledger.mark();
    record.insert(Record::from_ledger(ledger)).set_line(agent, Line::Exclusive);
    Ok(Outcome { reply: Reply::Created { mark }, effects: Vec::new(), ledger_changed: true })
}

pub(super) fn delete(
    record: &mut Option<Record>,
    agent: AgentId,
    expected: Option<Stamp>,
) -> Result<Outcome, Conflict> {
    let Some(known) = record else { return Err(Conflict::UnknownArtifact) };
    let ledger = &known.ledger;
    if let Some(expected) = expected.filter(|expected| *expected != ledger.stamp()) {
        let base = ledger.edition(expected.version).filter(|_| expected.incarnation == ledger.incarnation);
        let (base, theirs) = (base.map(|base| Box::new(*base)), Box::new(ledger.current));
        let mine = base.as_ref().map_or(theirs.digest, |base| base.digest);
        return Err(Conflict::VersionMismatch { expected, actual: ledger.stamp(), base, mine, theirs });
    }
    let (mark, effects) = farewell(known, Some(agent));
    *record = None;
    Ok(Outcome { reply: Reply::Deleted { mark }, effects, ledger_changed: true })
}

/// The last mark of an artifact, and the signals to all who hold a copy or wait, the deleter aside.
fn farewell(record: &Record, deleter: Option<AgentId>) -> (Mark, Vec<Effect>) {
    let mark = Mark { generation: record.ledger.generation.next(), ..record.ledger.mark() };
    let holders = record.holders.iter().filter(|holder| holder.line.is_valid()).map(|holder| holder.agent);
    let mut told: Vec<AgentId> = holders.chain(record.waiting.iter().map(|waiter| waiter.agent)).collect();
    told.sort_unstable();
    told.dedup();
    let signal = |to| Effect::Signal { to, mark, deleted: true };
    (mark, told.into_iter().filter(|agent| Some(*agent) != deleter).map(signal).collect())
}

/// Takes in what the store holds. An echo of this home's own writes is older than what it knows, or the same.
pub(super) fn observed(
    record: &mut Option<Record>,
    theirs: Option<&Ledger>,
    now: Millis,
    rules: &Rules,
) -> Outcome {
    let settled = |ended| Outcome::quiet(Reply::Settled { ended });
    match (record.as_mut(), theirs) {
        (None, None) => settled(None),
        (None, Some(theirs)) => {
            *record = Some(Record::from_ledger(theirs.clone()));
            settled(None)
        }
        (Some(known), None) => {
            let (_, effects) = farewell(known, None);
            let ended = known.ledger.claim.map(|claim| claim.agent);
            *record = None;
            Outcome { effects, ..settled(ended) }
        }
        (Some(known), Some(theirs)) => overtaken(known, theirs, now, rules),
    }
}

/// Takes in a ledger that another home may have moved.
pub(super) fn overtaken(known: &mut Record, theirs: &Ledger, now: Millis, rules: &Rules) -> Outcome {
    if is_echo(&known.ledger, theirs) {
        return Outcome::quiet(Reply::Settled { ended: None });
    }
    let mut change = Change::new(known, now, rules);
    let ended = adopt(&mut change, theirs);
    change.outcome(Reply::Settled { ended })
}

/// Whether a ledger is no newer than the one that is known. A renewal moves the end of a claim and nothing else.
fn is_echo(ours: &Ledger, theirs: &Ledger) -> bool {
    let until = |ledger: &Ledger| ledger.claim.map(|claim| claim.expires);
    (theirs.mark(), until(theirs)) <= (ours.mark(), until(ours))
}

/// Replaces the ledger by a newer one and revokes what it makes old. Returns whose claim ended by it. Nobody gets its turn
/// here: two homes that see a claim end would each give one, so it takes a step of its own, which is written.
fn adopt(change: &mut Change<'_>, theirs: &Ledger) -> Option<AgentId> {
    let ours = std::mem::replace(&mut change.record.ledger, theirs.clone());
    let claimant = theirs.claim.map(|claim| claim.agent);
    let ended = ours.claim.map(|claim| claim.agent).filter(|agent| claimant != Some(*agent));
    let moved = theirs.stamp() != ours.stamp();
    let mut pushed = false;
    if moved || (claimant.is_some() && theirs.generation != ours.generation) {
        let nobody = AgentId(u32::MAX);
        let written = moved.then_some(theirs.current.version);
        pushed = change.revoke_others(claimant.unwrap_or(nobody), written);
    }
    if let Some(agent) = ended {
        let told: Vec<&Effect> = change.effects.iter().filter(|effect| effect.to() == agent).collect();
        let was_sent = told.iter().any(|effect| matches!(effect, Effect::Push { .. }));
        if change.record.line(agent).is_valid() && told.is_empty() {
            change.effects.push(Effect::Signal { to: agent, mark: theirs.mark(), deleted: false });
        }
        // One that is sent the content is a reader like any other, and has to be told of the next write.
        if !was_sent {
            change.drop_line(agent);
        }
    }
    if let Some(agent) = claimant {
        // The claimant's own write landed without an answer: its copy is as old as anybody's, its claim is not.
        let held = change.record.line(agent).is_valid();
        if held && moved {
            change.effects.push(Effect::Signal { to: agent, mark: theirs.mark(), deleted: false });
        }
        if !held || moved {
            change.record.partial.remove(&agent);
            change.record.set_line(agent, if pushed { Line::Shared } else { Line::Exclusive });
        }
    }
    ended
}
