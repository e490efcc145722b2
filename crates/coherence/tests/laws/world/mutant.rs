//! Broken protocols: the same world with one rule taken away. Each must break a law, or the laws prove nothing.

use lrrc_coherence::invariant::Law;

use super::{
    AgentId, Cache, Conflict, Digest, Effect, Event, Mark, Millis, Outcome, Record, Rules, Setting, Strategy,
    Write,
};
use lrrc_coherence::{Delivered, Edition, Grant, Line};

/// A copy is read in the millisecond in which it was asked for, and in the next.
pub(crate) const LEASE: Strategy = Strategy::Lease { ttl_ms: 2 };
/// A copy is read twice.
pub(crate) const COUNTED: Strategy = Strategy::AccessCount { reads: 2 };

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mutant {
    /// The generation of a commit is not compared.
    NoFence,
    /// The version of a commit is not compared.
    NoVersionCheck,
    /// A late signal revokes whatever copy there is.
    NoZombieRule,
    /// Signals are not sent.
    NoSignals,
    /// A reply that a signal overtook becomes a copy all the same.
    ForgetsSignals,
    /// Copies are read however old the last confirmation is.
    NoBound,
    /// A joint write writes member by member.
    NoJointCheck,
    /// A claim is granted over the claim of another.
    NoClaimCheck,
    /// The home forgets the copies while the agents keep theirs.
    ForgetsHolders,
    /// Agents read a copy that the strategy has used up.
    ReadsSpentCopies,
    /// The age of a copy counts from when it came, not from when it was asked for.
    DatedByArrival,
    /// A push becomes a copy even if a newer one came before it.
    TakesOldPushes,
    /// The baseline forgets who touched an artifact once they gave up their copy.
    ForgetsTouch,
}

impl Mutant {
    /// Each mutant under a strategy that has the rule, and the law that it breaks there.
    pub(crate) const ALL: [(Self, Strategy, Law); 17] = [
        (Self::NoFence, Strategy::Lazy, Law::Fence),
        (Self::NoVersionCheck, Strategy::Lazy, Law::NoLostUpdate),
        (Self::NoZombieRule, Strategy::Lazy, Law::NoZombieRevoke),
        (Self::NoSignals, Strategy::Lazy, Law::NoSilentStaleness),
        (Self::ForgetsSignals, Strategy::Lazy, Law::NoSilentStaleness),
        (Self::NoBound, Strategy::Lazy, Law::BoundedStaleness),
        (Self::NoJointCheck, Strategy::Lazy, Law::NoPartialPublish),
        (Self::NoClaimCheck, Strategy::Lazy, Law::Fence),
        (Self::ForgetsHolders, Strategy::Lazy, Law::EverybodyTold),
        (Self::DatedByArrival, Strategy::Lazy, Law::BoundedStaleness),
        (Self::DatedByArrival, LEASE, Law::SpentCopy),
        (Self::ReadsSpentCopies, LEASE, Law::SpentCopy),
        (Self::ReadsSpentCopies, LEASE, Law::BoundedStaleness),
        (Self::ReadsSpentCopies, COUNTED, Law::SpentCopy),
        (Self::TakesOldPushes, Strategy::Eager, Law::NoSilentStaleness),
        (Self::TakesOldPushes, Strategy::Broadcast, Law::NoSilentStaleness),
        (Self::ForgetsTouch, Strategy::Broadcast, Law::EverybodyTold),
    ];
}

/// The real step, or one with a rule taken away.
pub(super) fn step(
    setting: &Setting,
    record: &mut Option<Record>,
    event: &Event,
    now: Millis,
) -> Result<Outcome, Conflict> {
    let mut event = event.clone();
    match (setting.mutant, &mut event, &*record) {
        (Some(Mutant::NoFence), Event::Commit { commit, .. }, Some(record)) => {
            commit.generation = record.ledger().generation;
        }
        (Some(Mutant::NoVersionCheck), Event::CommitCas { cas, .. }, Some(record)) => {
            cas.expected = record.ledger().stamp();
        }
        (Some(Mutant::NoClaimCheck), Event::CommitCas { agent, .. }, Some(known)) => {
            if let Some(claim) = known.ledger().claim.filter(|claim| claim.agent != *agent) {
                let lost = Event::AgentLost { agent: claim.agent };
                lrrc_coherence::step(record, &lost, now, &setting.rules)?;
            }
        }
        (Some(Mutant::ForgetsHolders), Event::Acquire { .. }, Some(known)) => {
            *record = Some(Record::from_ledger(known.ledger().clone()));
        }
        _ => {}
    }
    lrrc_coherence::step(record, &event, now, &rules(setting))
}

/// The rules of the home.
fn rules(setting: &Setting) -> Rules {
    let forgets = setting.mutant == Some(Mutant::ForgetsTouch);
    let strategy = if forgets { Strategy::Eager } else { setting.rules.strategy };
    Rules { strategy, ..setting.rules.clone() }
}

/// The strategy of the agents.
pub(super) fn strategy(setting: &Setting) -> Strategy {
    if setting.mutant == Some(Mutant::ReadsSpentCopies) { Strategy::Lazy } else { setting.rules.strategy }
}

/// The moment from which the age of a copy counts.
pub(super) fn dated(setting: &Setting, asked_at: Millis, now: Millis) -> Millis {
    if setting.mutant == Some(Mutant::DatedByArrival) { now } else { asked_at }
}

/// The real push, or one into a cache that forgets what it was told.
pub(super) fn push(
    setting: &Setting,
    cache: &mut Cache<u8>,
    artifact: u8,
    mark: Mark,
    digest: Digest,
    sections: &[String],
) {
    if setting.mutant != Some(Mutant::TakesOldPushes) {
        cache.push(&artifact, mark, digest, sections);
        return;
    }
    let (version, writer) = (mark.version(), AgentId(0));
    let edition = Edition { version, digest, size_bytes: 8, tokens: 2, writer, at: Millis(0) };
    let sections = sections.to_vec();
    cache.drop_all();
    cache.fill(
        &artifact,
        &Grant { mark, edition, line: Line::Shared, sections, delta_from: None },
        Millis(0),
    );
}

pub(super) fn commit_all(
    setting: &Setting,
    members: &mut [(&mut Record, Write)],
    agent: AgentId,
    now: Millis,
) -> Result<Vec<Outcome>, (usize, Conflict)> {
    if setting.mutant != Some(Mutant::NoJointCheck) {
        return lrrc_coherence::commit_all(members, agent, now, &setting.rules);
    }
    let one = |member: &mut (&mut Record, Write)| {
        lrrc_coherence::commit_all(std::slice::from_mut(member), agent, now, &setting.rules)
    };
    let mut outcomes = Vec::new();
    for member in members {
        outcomes.extend(one(member)?);
    }
    Ok(outcomes)
}

/// The real delivery, or one with the zombie rule taken away.
pub(super) fn signal(setting: &Setting, cache: &mut Cache<u8>, artifact: u8, mark: Mark) -> Delivered {
    if setting.mutant == Some(Mutant::NoZombieRule) {
        cache.release(&artifact);
        return Delivered::Revoked;
    }
    cache.signal(&artifact, mark)
}

/// Whether a message never sets out.
pub(super) fn lost(setting: &Setting, effect: &Effect) -> bool {
    setting.mutant == Some(Mutant::NoSignals) && matches!(effect, Effect::Signal { .. })
}
