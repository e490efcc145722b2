//! A miss is served.

use super::change::{Change, moved};
use crate::{AgentId, Conflict, Grant, Line, Move, Record, Reply, Stamp, Version};

pub(super) fn read(
    change: &mut Change<'_>,
    agent: AgentId,
    have: Option<Stamp>,
    sections: &[String],
) -> Result<Reply, Conflict> {
    if let Some(section) = sections.iter().find(|name| !change.has_section(name)) {
        return Err(Conflict::UnknownSection { section: section.clone() });
    }
    let record = &mut *change.record;
    let line = record.line(agent);
    let full = record.holder(agent).is_none() && record.holders.len() >= change.rules.holders_max;
    let (line, covers) = if full {
        (Line::Invalid, sections.to_vec())
    } else if sections.is_empty() || line.may_write() {
        (read_whole(record, agent, line), Vec::new())
    } else {
        read_sections(record, agent, line, sections)
    };
    let ledger = &record.ledger;
    Ok(Reply::Read(Grant {
        mark: ledger.mark(),
        edition: ledger.current,
        line,
        sections: covers,
        delta_from: have.and_then(|have| base_of(record, have)),
    }))
}

fn read_whole(record: &mut Record, agent: AgentId, line: Line) -> Line {
    let alone = !record.holders.iter().any(|holder| holder.agent != agent && holder.line.is_valid());
    if let Some(owner) = owner(record).filter(|owner| *owner != agent) {
        demote(record, owner);
    }
    record.partial.remove(&agent);
    let line = moved(line, if alone { Move::ReadAlone } else { Move::ReadShared });
    record.set_line(agent, line);
    line
}

/// A reader of sections stands beside a writer: what it reads is what the writer has not changed. One that has the whole
/// stays a reader of the whole, because it may go on reading that copy until the answer reaches it.
fn read_sections(
    record: &mut Record,
    agent: AgentId,
    line: Line,
    sections: &[String],
) -> (Line, Vec<String>) {
    let mut covers = sections.to_vec();
    let known = record.partial.remove(&agent).filter(|_| line.is_valid());
    let has_whole = line.is_valid() && known.is_none();
    covers.extend(known.unwrap_or_default());
    covers.sort_unstable();
    covers.dedup();
    if !has_whole {
        record.partial.insert(agent, covers.clone());
    }
    let line = moved(line, Move::ReadShared);
    record.set_line(agent, line);
    (line, covers)
}

/// The agent in M or E. One whole copy in S excludes it, so the first whole copy tells.
fn owner(record: &Record) -> Option<AgentId> {
    let whole = |agent: &AgentId| record.partial.is_empty() || !record.partial.contains_key(agent);
    let first = record.holders.iter().find(|holder| holder.line.is_valid() && whole(&holder.agent))?;
    first.line.may_write().then_some(first.agent)
}

fn demote(record: &mut Record, owner: AgentId) {
    if let Ok(at) = record.holders.binary_search_by_key(&owner, |holder| holder.agent) {
        record.holders[at].line = moved(record.holders[at].line, Move::PeerReads);
    }
}

/// The version from which a delta can be made for this reader.
fn base_of(record: &Record, have: Stamp) -> Option<Version> {
    let known =
        have.incarnation == record.ledger.incarnation && record.ledger.edition(have.version).is_some();
    known.then_some(have.version)
}
