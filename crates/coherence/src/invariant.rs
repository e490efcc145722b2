//! The laws of the protocol, each a function that tests, simulator, model checker and trace check call.
//!
//! They look at the protocol from outside: at a record, at a step from one record to the next, at a copy and the
//! messages that are on their way to it. None of them calls [`crate::step`].

use std::fmt;

use crate::{
    AgentId, Bound, Conflict, Delivered, Effect, Event, Line, Mark, Millis, Outcome, Record, Strategy,
};

/// A law of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Law {
    /// At most one agent in M or E, and no whole copy in S beside it.
    SingleWriter,
    /// Versions and generations of an incarnation only grow, a write adds 1, and nothing else moves a version.
    MonotoneVersions,
    /// A write never lands on a version that it did not observe.
    NoLostUpdate,
    /// A claim that ended can never write again.
    Fence,
    /// A late signal revokes no newer copy.
    NoZombieRevoke,
    /// Of a joint write all members land or none.
    NoPartialPublish,
    /// A read from a copy is no further behind than the bound.
    BoundedStaleness,
    /// A copy that is old has a message on its way that says so.
    NoSilentStaleness,
    /// A copy that its strategy has used up is read no more.
    SpentCopy,
    /// Whoever loses a copy by the act of another is told, once; under broadcast, whoever ever touched the artifact.
    EverybodyTold,
    /// What is refused changes nothing.
    RefusalIsQuiet,
    /// The parts of a record fit together.
    Bookkeeping,
}

/// A law that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{law:?}: {detail}")]
pub struct Broken {
    /// Which law.
    pub law: Law,
    /// The values that break it.
    pub detail: String,
}

fn hold(law: Law, holds: bool, detail: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken { law, detail: detail() }) }
}

fn shown(values: &impl fmt::Debug) -> String {
    format!("{values:?}")
}

/// Laws of one record: single writer, and that its parts fit together.
///
/// # Errors
/// The first law that does not hold.
pub fn record(record: &Record) -> Result<(), Broken> {
    let whole = |agent: &AgentId| record.sections_of(*agent).is_none();
    let holders = || record.holders.iter().filter(|holder| whole(&holder.agent));
    let writers = holders().filter(|holder| holder.line.may_write()).count();
    let readers = holders().filter(|holder| holder.line == Line::Shared).count();
    let single = writers == 0 || (writers == 1 && readers == 0);
    hold(Law::SingleWriter, single, || shown(&record.holders))?;

    let sorted = record.holders.is_sorted_by(|a, b| a.agent < b.agent);
    hold(Law::Bookkeeping, sorted, || format!("holders out of order: {:?}", record.holders))?;
    let claim = record.ledger.claim;
    let claimant = claim.is_none_or(|claim| record.line(claim.agent).is_valid());
    hold(Law::Bookkeeping, claimant, || format!("the claimant of {claim:?} has no copy"))?;
    let modified = holders().find(|holder| holder.line == Line::Modified);
    let owned = modified.is_none_or(|owner| claim.is_some_and(|claim| claim.agent == owner.agent));
    hold(Law::Bookkeeping, owned, || format!("{modified:?} beside {claim:?}"))?;
    let current = record.ledger.current.version;
    let old = holders().find(|holder| holder.line.is_valid() && holder.observed != current);
    hold(Law::Bookkeeping, old.is_none(), || format!("{old:?} is valid at {current}"))?;
    let past = &record.ledger.past;
    let chain = past.iter().chain([&record.ledger.current]);
    let chained = chain.map(|edition| edition.version).is_sorted_by(|a, b| a.next() == *b);
    hold(Law::Bookkeeping, chained, || format!("history with gaps: {past:?}"))
}

/// Laws of one step, from the record before it to the record after it.
///
/// # Errors
/// The first law that does not hold.
pub fn transition(
    before: Option<&Record>,
    event: &Event,
    now: Millis,
    result: &Result<Outcome, Conflict>,
    after: Option<&Record>,
) -> Result<(), Broken> {
    let Ok(outcome) = result else {
        return hold(Law::RefusalIsQuiet, before == after, || {
            format!("{event:?}: {before:?} became {after:?}")
        });
    };
    after.map_or(Ok(()), record)?;
    let Some(before) = before else { return Ok(()) };
    writes(before, event, now)?;
    told(before, event, outcome, after)?;
    let Some(after) = after else {
        let gone = matches!(event, Event::Delete { .. } | Event::Observed { ledger: None });
        return hold(Law::MonotoneVersions, gone, || format!("{event:?} made the artifact vanish"));
    };
    monotone(before, event, after)?;
    queue(before, event, after)?;
    fence(before, after)
}

/// Agents wait for a claim, except from the moment another home is seen to have ended it to the next look at the leases,
/// which gives the first of them its turn.
fn queue(before: &Record, event: &Event, after: &Record) -> Result<(), Broken> {
    let is_stuck = |record: &Record| !record.waiting.is_empty() && record.ledger.claim.is_none();
    let may = match event {
        Event::Observed { .. } => true,
        Event::LeaseOver => false,
        _ => is_stuck(before),
    };
    hold(Law::Bookkeeping, may || !is_stuck(after), || {
        format!("{event:?}: {:?} wait for nobody", after.waiting)
    })
}

fn monotone(before: &Record, event: &Event, after: &Record) -> Result<(), Broken> {
    let (from, to) = (before.ledger.mark(), after.ledger.mark());
    let detail = || format!("{event:?}: {from:?} became {to:?}");
    let grows = match event {
        Event::Commit { .. } | Event::CommitCas { .. } => from.version().next() == to.version(),
        Event::Observed { .. } => return hold(Law::MonotoneVersions, from <= to, detail),
        _ => from.stamp == to.stamp,
    };
    let same_life = from.stamp.incarnation == to.stamp.incarnation;
    hold(Law::MonotoneVersions, grows && same_life && from.generation <= to.generation, detail)
}

/// No lost update, and the part of the fence that a write passes.
fn writes(before: &Record, event: &Event, now: Millis) -> Result<(), Broken> {
    let (base, generation, agent) = match event {
        Event::Commit { agent, commit } => (commit.base, Some(commit.generation), *agent),
        Event::CommitCas { agent, cas } => (cas.expected, cas.generation, *agent),
        _ => return Ok(()),
    };
    let (current, fence) = (before.ledger.stamp(), before.ledger.generation);
    hold(Law::NoLostUpdate, base == current, || format!("a write based on {base:?} landed on {current:?}"))?;
    let stale = generation.filter(|generation| *generation != fence);
    let detail = || format!("a write of {stale:?} landed at {fence}");
    hold(Law::Fence, stale.is_none(), detail)?;
    let claim = before.ledger.claim;
    let others = claim.filter(|claim| claim.agent != agent && now < claim.expires);
    hold(Law::Fence, others.is_none(), || format!("{agent} wrote under the claim {others:?}"))?;
    let own = claim.filter(|claim| claim.agent == agent && claim.expires <= now);
    let over = own.filter(|_| matches!(event, Event::Commit { .. }));
    hold(Law::Fence, over.is_none(), || {
        format!("{agent} wrote at {now} under a lease that was over: {over:?}")
    })
}

/// A right to write that ends while the version stays raises the generation.
fn fence(before: &Record, after: &Record) -> Result<(), Broken> {
    if before.ledger.stamp() != after.ledger.stamp() {
        return Ok(());
    }
    let claim = before.ledger.claim;
    let claim_ended =
        claim.is_some_and(|claim| after.ledger.claim.is_none_or(|new| new.agent != claim.agent));
    let lost = |agent: AgentId| !after.line(agent).is_valid();
    let owner = before.holders.iter().find(|holder| holder.line.may_write());
    let owner_lost = owner.is_some_and(|owner| lost(owner.agent));
    let (from, to) = (before.ledger.generation, after.ledger.generation);
    let raised = from < to || !(claim_ended || owner_lost);
    hold(Law::Fence, raised, || format!("{claim:?}, {owner:?} ended and the generation stayed {to}"))
}

/// Whoever had a copy and has it no more gets a signal or the new content, newer than its copy.
fn told(before: &Record, event: &Event, outcome: &Outcome, after: Option<&Record>) -> Result<(), Broken> {
    for holder in before.holders.iter().filter(|holder| holder.line.is_valid()) {
        let own = event.agent() == Some(holder.agent);
        let to = outcome.effects.iter().filter(|effect| effect.to() == holder.agent);
        // A claim that is granted says which version it is for: no signal is needed, and one may come before it.
        let granted = to.clone().any(|effect| matches!(effect, Effect::Granted { .. }));
        let kept = after
            .and_then(|after| after.holder(holder.agent))
            .is_some_and(|new| new.line.is_valid() && (new.observed == holder.observed || own));
        let signals = to.clone().filter(|effect| matches!(effect, Effect::Signal { .. })).count();
        let pushes = to.clone().filter(|effect| matches!(effect, Effect::Push { .. })).count();
        let newer = to.clone().all(|effect| {
            let mark = effect.mark();
            (mark.version(), mark.generation) > (holder.observed, holder.read_generation)
        });
        let once = signals <= 1 && pushes <= 1;
        let right = newer && once && (own || granted || kept == (signals + pushes == 0));
        let detail = || format!("{event:?}: {holder:?} was told {:?}", to.collect::<Vec<_>>());
        hold(Law::EverybodyTold, right, detail)?;
    }
    Ok(())
}

/// Of broadcast: a write is sent to all who ever touched the artifact, the writer aside, also to those who hold no copy.
/// A reader of sections that the write leaves as they are keeps what it has.
///
/// # Errors
/// Somebody in `touched` is sent nothing.
pub fn broadcast(
    before: &Record,
    touched: impl IntoIterator<Item = AgentId>,
    writer: AgentId,
    outcome: &Outcome,
) -> Result<(), Broken> {
    let spared = |agent: &AgentId| before.sections_of(*agent).is_some() && before.line(*agent).is_valid();
    let sent = |agent: &AgentId| outcome.effects.iter().any(|effect| effect.to() == *agent);
    let forgotten = touched.into_iter().find(|agent| *agent != writer && !spared(agent) && !sent(agent));
    hold(Law::EverybodyTold, forgotten.is_none(), || {
        format!("{forgotten:?} touched the artifact and {writer} wrote: {:?}", outcome.effects)
    })
}

/// No partial publish: each member of a joint write moved by one version, or each is as it was.
///
/// # Errors
/// Some moved and some did not, or one moved by more.
pub fn joint(before: &[&Record], landed: bool, after: &[&Record]) -> Result<(), Broken> {
    let pairs = || before.iter().zip(after);
    let all = pairs().all(|(old, new)| old.ledger.current.version.next() == new.ledger.current.version);
    let none = pairs().all(|(old, new)| old == new);
    let moves = || pairs().map(|(old, new)| (old.ledger.mark(), new.ledger.mark())).collect::<Vec<_>>();
    hold(Law::NoPartialPublish, if landed { all } else { none }, || {
        format!("landed: {landed}, {:?}", moves())
    })
}

/// No zombie revoke: what a signal did to a copy.
///
/// # Errors
/// It revoked a copy that is not older than what it announces, or left one that is.
pub fn delivery(copy: Option<(Line, Mark)>, signal: Mark, delivered: Delivered) -> Result<(), Broken> {
    let right = match copy.filter(|(line, _)| line.is_valid()) {
        None => delivered == Delivered::Noted,
        Some((_, seen)) if signal <= seen => delivered == Delivered::Zombie,
        Some(_) => delivered == Delivered::Revoked,
    };
    hold(Law::NoZombieRevoke, right, || format!("{copy:?} was told of {signal:?}: {delivered:?}"))
}

/// No silent staleness: a copy that an agent may read is one that the home knows and that is the newest, or a message
/// newer than the copy is on its way. `pending` are the marks of signals and pushes sent to the agent and not
/// delivered. A copy of `sections` is the newest while none of them changed, and the home knows it if it takes the agent
/// for a reader of at least those; `sections` is empty for a copy of the whole artifact.
///
/// # Errors
/// The copy is old and nobody will say so.
pub fn agreement(
    agent: AgentId,
    copy: Option<(Line, Mark)>,
    sections: &[String],
    record: Option<&Record>,
    pending: impl IntoIterator<Item = Mark>,
) -> Result<(), Broken> {
    let Some((_, seen)) = copy.filter(|(line, _)| line.is_valid()) else { return Ok(()) };
    let known = record.filter(|record| record.ledger.incarnation == seen.stamp.incarnation);
    let fresh = known.is_some_and(|record| {
        let unchanged = |name: &String| {
            let section = record.ledger.sections.iter().find(|section| section.name == *name);
            section.is_some_and(|section| section.changed_at <= seen.version())
        };
        let newest = record.ledger.current.version == seen.version();
        let newest = newest || (!sections.is_empty() && sections.iter().all(unchanged));
        let covers =
            |names: &[String]| !sections.is_empty() && sections.iter().all(|name| names.contains(name));
        record.line(agent).is_valid() && record.sections_of(agent).is_none_or(covers) && newest
    });
    let holds = fresh || pending.into_iter().any(|mark| seen < mark);
    hold(Law::NoSilentStaleness, holds, || {
        let holder = record.and_then(|record| record.holder(agent));
        format!(
            "{agent} reads a copy of {seen:?} {sections:?}, the home has {:?}, {holder:?}, {:?}",
            record.map(|record| record.ledger.mark()),
            record.and_then(|record| record.sections_of(agent)),
        )
    })
}

/// Bounded staleness: a copy was read at `now`, and a newer version has existed since `superseded_at` (`None`: it is
/// the newest), `behind` versions in all, of which the agent had been told `told_behind`.
///
/// # Errors
/// The copy was not the newest at any moment of the last [`Bound::age_ms`], or the agent knew of more than
/// [`Bound::versions`] newer ones.
pub fn staleness(
    superseded_at: Option<Millis>,
    told_behind: u64,
    now: Millis,
    bound: Bound,
) -> Result<(), Broken> {
    let age_ms = superseded_at.map_or(0, |at| now.since(at));
    hold(Law::BoundedStaleness, age_ms <= bound.age_ms && told_behind <= bound.versions, || {
        format!("read {age_ms} ms after a newer version came, {told_behind} versions known, within {bound:?}")
    })
}

/// Spent copies: a copy was read at `now`, for the `reads`-th time since the home gave it to the agent, which had asked
/// for it at `asked_at`.
///
/// # Errors
/// The strategy allows no such read.
pub fn spending(strategy: Strategy, asked_at: Millis, reads: u32, now: Millis) -> Result<(), Broken> {
    let allowed = match strategy {
        Strategy::Lease { ttl_ms } => now.since(asked_at) < ttl_ms,
        Strategy::AccessCount { reads: most } => reads <= most,
        Strategy::Lazy | Strategy::Eager | Strategy::Broadcast => true,
    };
    hold(Law::SpentCopy, allowed, || {
        format!("{strategy:?}: read {reads} at {now} of what {asked_at} brought")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Commit, Content, Digest, Generation, Holder, Incarnation, Part, Reply, Rules, Version, Waiter, step,
    };

    const A: AgentId = AgentId(1);
    const B: AgentId = AgentId(2);

    /// An artifact of `A`, read by `B`.
    fn shared() -> Record {
        let content = Content { digest: Digest([1; 32]), size_bytes: 1, tokens: 1, sections: Vec::new() };
        let mut record = None;
        let create = Event::Create { agent: A, incarnation: Incarnation(1), epoch: 0, content };
        let read = Event::Read { agent: B, have: None, sections: Vec::new() };
        for event in [create, read] {
            step(&mut record, &event, Millis(0), &Rules::default()).expect("nobody else is there");
        }
        record.expect("it was created")
    }

    fn holder(agent: AgentId, line: Line) -> Holder {
        Holder { agent, line, observed: Version(1), read_generation: Generation(0) }
    }

    fn law(result: Result<(), Broken>) -> Option<Law> {
        result.err().map(|broken| broken.law)
    }

    #[test]
    fn a_record_that_no_step_makes_breaks_a_law() {
        let spoiled = |spoil: fn(&mut Record)| {
            let mut bad = shared();
            spoil(&mut bad);
            law(record(&bad))
        };
        let two_writers =
            |bad: &mut Record| bad.holders = vec![holder(A, Line::Exclusive), holder(B, Line::Exclusive)];
        let beside =
            |bad: &mut Record| bad.holders = vec![holder(A, Line::Exclusive), holder(B, Line::Shared)];
        let unsorted =
            |bad: &mut Record| bad.holders = vec![holder(B, Line::Shared), holder(A, Line::Shared)];
        let unclaimed = |bad: &mut Record| bad.holders = vec![holder(A, Line::Modified)];
        let old = |bad: &mut Record| bad.ledger.current.version = Version(2);
        let gap = |bad: &mut Record| {
            bad.ledger.past = vec![bad.ledger.current];
            bad.ledger.current.version = Version(3);
            bad.holders.clear();
        };
        assert_eq!(law(record(&shared())), None);
        assert_eq!(spoiled(two_writers), Some(Law::SingleWriter));
        assert_eq!(spoiled(beside), Some(Law::SingleWriter));
        for spoil in [unsorted, unclaimed, old, gap] {
            assert_eq!(spoiled(spoil), Some(Law::Bookkeeping));
        }
    }

    #[test]
    fn a_step_that_no_rule_allows_breaks_a_law() {
        let before = shared();
        let done = |reply| Ok(Outcome { reply, effects: Vec::new(), ledger_changed: true });
        let mark = before.ledger.mark();
        let release = Event::Release { agent: B, generation: None };
        let after = |spoil: fn(&mut Record)| {
            let mut after = before.clone();
            spoil(&mut after);
            after
        };
        let moved = after(|after| {
            after.ledger.past = vec![after.ledger.current];
            after.ledger.current.version = Version(2);
            after.holders.clear();
        });
        let untold = after(|after| after.holders.truncate(1));
        let checked = |event: &Event, result, after: Option<&Record>| {
            law(transition(Some(&before), event, Millis(0), &result, after))
        };
        let released = || done(Reply::Released { mark });
        let refused = Err(Conflict::QueueFull { bound: 0 });
        assert_eq!(checked(&release, refused, Some(&moved)), Some(Law::RefusalIsQuiet));
        assert_eq!(checked(&release, released(), None), Some(Law::EverybodyTold));
        assert_eq!(
            checked(&Event::Release { agent: A, generation: None }, released(), Some(&untold)),
            Some(Law::EverybodyTold)
        );
        let stuck = after(|after| {
            after.holders.clear();
            after.waiting = vec![Waiter { agent: A, lease_ms: 1, since: Millis(0) }];
        });
        let empty = Record { holders: Vec::new(), ..before.clone() };
        let waits = |before: &Record, event: &Event| {
            law(transition(Some(before), event, Millis(0), &done(Reply::Noted), Some(&stuck)))
        };
        assert_eq!(waits(&empty, &release), Some(Law::Bookkeeping), "a step leaves waiters without a claim");
        assert_eq!(waits(&stuck, &Event::LeaseOver), Some(Law::Bookkeeping), "nobody gets its turn");
        assert_eq!(waits(&stuck, &release), None, "they wait for the next look at the leases");
        let vanished = transition(Some(&empty), &release, Millis(0), &released(), None);
        assert_eq!(law(vanished), Some(Law::MonotoneVersions));
        let jumped = transition(Some(&empty), &release, Millis(0), &released(), Some(&moved));
        assert_eq!(law(jumped), Some(Law::MonotoneVersions));
    }

    /// `B` has read section a of version 1 and waits; `A` writes section b and gives the claim up.
    fn turn_of_a_reader_of_sections() -> (Mark, Record) {
        let content = |byte, sections: [(&str, u8); 2]| {
            let part = |(name, byte): (&str, u8)| Part { name: name.to_owned(), digest: Digest([byte; 32]) };
            let sections = sections.map(part).to_vec();
            Content { digest: Digest([byte; 32]), size_bytes: 1, tokens: 1, sections }
        };
        let (mut record, rules) = (None, Rules::default());
        let mut does = |event| step(&mut record, &event, Millis(0), &rules).expect("a step").reply;
        let first = content(1, [("a", 1), ("b", 1)]);
        does(Event::Create { agent: A, incarnation: Incarnation(1), epoch: 0, content: first });
        let read = does(Event::Read { agent: B, have: None, sections: vec!["a".to_owned()] });
        let claim = does(Event::Acquire { agent: A, lease_ms: None, wait: false });
        let (seen, claimed) = (read.mark().expect("a copy"), claim.mark().expect("a claim"));
        does(Event::Acquire { agent: B, lease_ms: None, wait: true });
        let (generation, base) = (claimed.generation, claimed.stamp);
        let commit = Commit { generation, base, content: content(2, [("a", 1), ("b", 2)]) };
        does(Event::Commit { agent: A, commit });
        does(Event::Release { agent: A, generation: None });
        (seen, record.expect("it is there"))
    }

    #[test]
    fn a_copy_of_sections_is_old_when_one_of_them_has_changed() {
        let (seen, record) = turn_of_a_reader_of_sections();
        assert_eq!((record.line(B), record.sections_of(B)), (Line::Exclusive, None));
        let judged = |sections: &[&str]| {
            let sections: Vec<String> = sections.iter().map(|name| (*name).to_owned()).collect();
            law(agreement(B, Some((Line::Shared, seen)), &sections, Some(&record), []))
        };
        assert_eq!(judged(&["a"]), None, "nothing that it has read is old");
        assert_eq!(judged(&["a", "b"]), Some(Law::NoSilentStaleness));
        assert_eq!(judged(&[]), Some(Law::NoSilentStaleness), "a whole copy is old");
    }

    #[test]
    fn a_copy_of_more_than_the_home_has_noted_will_not_be_told() {
        let mut noted = shared();
        noted.partial.insert(B, vec!["a".to_owned()]);
        let copy = Some((Line::Shared, noted.ledger.mark()));
        let judged = |sections: &[String]| law(agreement(B, copy, sections, Some(&noted), []));
        assert_eq!(judged(&["a".to_owned()]), None);
        assert_eq!(judged(&[]), Some(Law::NoSilentStaleness));
    }

    #[test]
    fn a_right_to_write_that_ends_in_silence_breaks_the_fence() {
        let before = Record { holders: vec![holder(A, Line::Exclusive)], ..shared() };
        let after = Record { holders: Vec::new(), ..before.clone() };
        let released = Ok(Outcome { reply: Reply::Noted, effects: Vec::new(), ledger_changed: false });
        let event = Event::Release { agent: A, generation: None };
        let found = transition(Some(&before), &event, Millis(0), &released, Some(&after));
        assert_eq!(law(found), Some(Law::Fence));
    }

    #[test]
    fn staleness_counts_from_the_newer_version() {
        let bound = Bound { versions: 1, age_ms: 10 };
        assert_eq!(law(staleness(None, 0, Millis(99), bound)), None);
        assert_eq!(law(staleness(Some(Millis(89)), 1, Millis(99), bound)), None);
        assert_eq!(law(staleness(Some(Millis(88)), 0, Millis(99), bound)), Some(Law::BoundedStaleness));
        assert_eq!(law(staleness(None, 2, Millis(99), bound)), Some(Law::BoundedStaleness));
    }
}
