//! A version is written.

use std::collections::BTreeSet;

use super::change::{Change, moved};
use super::claim::extend;
use crate::{
    AgentId, Cas, Claim, Commit, Conflict, Content, Edition, Generation, Line, Move, Reply, Section, Stamp,
    Version, Write,
};

pub(super) fn write(change: &mut Change<'_>, agent: AgentId, write: &Write) -> Result<Reply, Conflict> {
    match write {
        Write::Claimed(commit) => under_claim(change, agent, commit),
        Write::Cas(cas) => compare_and_set(change, agent, cas),
    }
}

pub(super) fn under_claim(
    change: &mut Change<'_>,
    agent: AgentId,
    commit: &Commit,
) -> Result<Reply, Conflict> {
    same_life(change, commit.base, &commit.content)?;
    fence(change, commit.generation)?;
    let line = change.record.line(agent);
    if !change.claims(agent) && !line.may_write() {
        let other = change.claim_of_other(agent);
        return Err(other.map_or(Conflict::NotHolder { line }, Change::other_holder));
    }
    same_version(change, commit.base, &commit.content)?;
    unique(&commit.content.sections)?;

    let lease_ms = change.record.ledger.claim.map_or(change.rules.lease_ms, |claim| claim.lease_ms);
    if change.claims(agent) {
        extend(change, lease_ms);
    } else {
        let expires = change.now.plus(lease_ms);
        change.record.ledger.claim = Some(Claim { agent, since: change.now, expires, lease_ms });
    }
    change.record.partial.remove(&agent);
    publish(change, agent, &commit.content);
    let line = if line.may_write() { line } else { moved(line, Move::Acquire) };
    Ok(written(change, agent, moved(line, Move::Commit)))
}

pub(super) fn compare_and_set(change: &mut Change<'_>, agent: AgentId, cas: &Cas) -> Result<Reply, Conflict> {
    same_life(change, cas.expected, &cas.content)?;
    cas.generation.map_or(Ok(()), |generation| fence(change, generation))?;
    if let Some(claim) = change.claim_of_other(agent) {
        return Err(Change::other_holder(claim));
    }
    same_version(change, cas.expected, &cas.content)?;
    unique(&cas.content.sections)?;

    if change.record.ledger.claim.take().is_some() {
        change.next_generation();
    }
    change.record.partial.remove(&agent);
    publish(change, agent, &cas.content);
    let line = moved(change.record.line(agent), Move::CommitCas);
    let reply = written(change, agent, line);
    change.next_turn();
    Ok(reply)
}

fn fence(change: &Change<'_>, yours: Generation) -> Result<(), Conflict> {
    let current = change.record.ledger.generation;
    if yours == current { Ok(()) } else { Err(Conflict::StaleGeneration { yours, current }) }
}

fn same_life(change: &Change<'_>, base: Stamp, mine: &Content) -> Result<(), Conflict> {
    if base.incarnation == change.record.ledger.incarnation {
        Ok(())
    } else {
        Err(mismatch(change, base, mine))
    }
}

fn same_version(change: &Change<'_>, base: Stamp, mine: &Content) -> Result<(), Conflict> {
    if base == change.record.ledger.stamp() { Ok(()) } else { Err(mismatch(change, base, mine)) }
}

fn mismatch(change: &Change<'_>, expected: Stamp, mine: &Content) -> Conflict {
    let ledger = &change.record.ledger;
    let same_life = expected.incarnation == ledger.incarnation;
    let base = ledger.edition(expected.version).filter(|_| same_life).map(|base| Box::new(*base));
    Conflict::VersionMismatch {
        expected,
        actual: ledger.stamp(),
        base,
        mine: mine.digest,
        theirs: Box::new(ledger.current),
    }
}

/// Refuses a content with two sections of one name.
pub(super) fn unique(sections: &[crate::Part]) -> Result<(), Conflict> {
    let mut names = BTreeSet::new();
    let double = sections.iter().find(|part| !names.insert(&part.name));
    double.map_or(Ok(()), |part| Err(Conflict::DoubleSection { section: part.name.clone() }))
}

/// Puts the new version into the ledger and the one before it into the history.
fn publish(change: &mut Change<'_>, agent: AgentId, content: &Content) {
    let (now, history_max) = (change.now, change.rules.history_max);
    let ledger = &mut change.record.ledger;
    let version = ledger.current.version.next();
    ledger.past.push(ledger.current);
    let surplus = ledger.past.len().saturating_sub(history_max);
    ledger.past.drain(..surplus);
    ledger.current = edition(content, version, agent, now);
    ledger.sections = sections(&ledger.sections, content, version);
    change.ledger_changed = true;
}

pub(super) const fn edition(
    content: &Content,
    version: Version,
    writer: AgentId,
    at: crate::Millis,
) -> Edition {
    let Content { digest, size_bytes, tokens, .. } = content;
    Edition { version, digest: *digest, size_bytes: *size_bytes, tokens: *tokens, writer, at }
}

pub(super) fn sections(before: &[Section], content: &Content, version: Version) -> Vec<Section> {
    let changed_at = |part: &crate::Part| {
        let same = before.iter().find(|section| section.name == part.name && section.digest == part.digest);
        same.map_or(version, |section| section.changed_at)
    };
    let section = |part: &crate::Part| Section {
        name: part.name.clone(),
        digest: part.digest,
        changed_at: changed_at(part),
    };
    content.sections.iter().map(section).collect()
}

/// Makes the other copies old and sets the writer's line.
fn written(change: &mut Change<'_>, agent: AgentId, line: Line) -> Reply {
    let version = change.record.ledger.current.version;
    let pushed = change.revoke_others(agent, Some(version));
    let line = if pushed { moved(line, Move::PeerReads) } else { line };
    change.record.set_line(agent, line);
    Reply::Committed { mark: change.mark(), line }
}
