//! Broken protocols: the same world with one rule taken away. Each must break a law, or the laws prove nothing.

use lrrc_coherence::invariant::Law;

use super::{AgentId, Cache, Conflict, Effect, Event, Mark, Millis, Outcome, Record, Setting, Write};
use lrrc_coherence::Delivered;

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
}

impl Mutant {
    pub(crate) const ALL: [(Self, Law); 9] = [
        (Self::NoFence, Law::Fence),
        (Self::NoVersionCheck, Law::NoLostUpdate),
        (Self::NoZombieRule, Law::NoZombieRevoke),
        (Self::NoSignals, Law::NoSilentStaleness),
        (Self::ForgetsSignals, Law::NoSilentStaleness),
        (Self::NoBound, Law::BoundedStaleness),
        (Self::NoJointCheck, Law::NoPartialPublish),
        (Self::NoClaimCheck, Law::Fence),
        (Self::ForgetsHolders, Law::EverybodyTold),
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
    lrrc_coherence::step(record, &event, now, &setting.rules)
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
