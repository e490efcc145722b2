//! One event on one record.

use crate::{AgentId, Conflict, Event, Millis, Outcome, Record, Rules, Write};

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
    let _ = (record, event, now, rules);
    unimplemented!()
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
    let _ = (members, agent, now, rules);
    unimplemented!()
}
