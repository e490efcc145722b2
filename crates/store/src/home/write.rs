//! Writes: create, commit, commit of several, delete. Each is durable before it is answered.

use lrrc_coherence::{AgentId, Cas, Commit, Conflict, Event, Incarnation, Millis, Reply, Stamp};

use super::Home;
use super::payload::Checked;
use super::read::unexpected;
use super::record::{Slot, With, conflict, storage, write_of};
use crate::backend::{Backend, BackendError, Batch, Revision};
use crate::error::Refusal;
use crate::name::Name;
use crate::wire::{Answer, Basis, Change, Committed, Payload};

/// How often a commit of several is tried against other homes.
const TRIES: u32 = 16;

impl<B: Backend> Home<B> {
    /// A new artifact.
    pub(super) fn create(
        &mut self,
        agent: AgentId,
        name: &Name,
        payload: &Payload,
        now: Millis,
    ) -> Result<Answer, Refusal> {
        let Checked { content, placed, divide } = self.check(name, payload, now.0)?;
        let digest = content.digest;
        let event = Event::Create {
            agent,
            incarnation: self.incarnation()?,
            epoch: self.backend.epoch().unwrap_or(0),
            content,
        };
        let with = With { content: Some((placed, divide)), durable: true };
        let outcome = self.apply_with(name, &event, &with, now)?;
        let Reply::Created { mark } = outcome.reply else { return Err(unexpected("a create")) };
        self.changed(name, Some((mark.stamp, digest)));
        Ok(Answer::Committed(Committed { mark, line: self.line(name, agent), digest, divide }))
    }

    /// Every commit raises the revision, and a name has to be deleted, which is one, before it is created again.
    fn incarnation(&self) -> Result<Incarnation, Refusal> {
        Ok(Incarnation(self.backend.revision().map_err(storage)?.0 + 1))
    }

    /// A new version.
    pub(super) fn commit(&mut self, agent: AgentId, change: Change, now: Millis) -> Result<Answer, Refusal> {
        let Change { name, basis, content: payload } = change;
        let Checked { content, placed, divide } = self.check(&name, &payload, now.0)?;
        let digest = content.digest;
        let event = match write(basis, content) {
            lrrc_coherence::Write::Claimed(commit) => Event::Commit { agent, commit },
            lrrc_coherence::Write::Cas(cas) => Event::CommitCas { agent, cas },
        };
        let with = With { content: Some((placed, divide)), durable: true };
        let outcome = self.apply_with(&name, &event, &with, now)?;
        let Reply::Committed { mark, line } = outcome.reply else { return Err(unexpected("a commit")) };
        self.changed(&name, Some((mark.stamp, digest)));
        Ok(Answer::Committed(Committed { mark, line, digest, divide }))
    }

    /// New versions of several artifacts, in one transaction.
    pub(super) fn commit_all(
        &mut self,
        agent: AgentId,
        changes: Vec<Change>,
        now: Millis,
    ) -> Result<Answer, Refusal> {
        self.check_members(&changes)?;
        let mut members = Vec::with_capacity(changes.len());
        for Change { name, basis, content } in changes {
            let checked = self.check(&name, &content, now.0)?;
            members.push(Member { name, basis, checked });
        }
        for _ in 0..TRIES {
            if let Some(answer) = self.try_commit_all(agent, &members, now)? {
                return Ok(answer);
            }
        }
        let name = members.first().map(|member| member.name.clone());
        name.map_or(Ok(Answer::CommittedAll(Vec::new())), |name| {
            Err(Refusal::Contended { name, tries: TRIES })
        })
    }

    fn check_members(&self, changes: &[Change]) -> Result<(), Refusal> {
        let too_many =
            |what: &str, found: u64, limit: u64| Refusal::TooMany { what: what.into(), found, limit };
        let (found, limit) = (changes.len() as u64, self.limits.members_max as u64);
        if found > limit {
            return Err(too_many("members of one commit", found, limit));
        }
        let bytes: u64 = changes.iter().map(|change| change.content.bytes.len() as u64).sum();
        if bytes > self.limits.content_bytes_max {
            return Err(too_many("bytes in one commit", bytes, self.limits.content_bytes_max));
        }
        let mut names: Vec<&Name> = changes.iter().map(|change| &change.name).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(too_many(&format!("members named {}", pair[0]), 2, 1)),
            None => Ok(()),
        }
    }

    /// `None` where another home was faster.
    fn try_commit_all(
        &mut self,
        agent: AgentId,
        members: &[Member],
        now: Millis,
    ) -> Result<Option<Answer>, Refusal> {
        let mut slots = self.slots_of(members, now)?;
        let writes = members.iter().map(|member| write(member.basis, member.checked.content.clone()));
        let traced = members.iter().map(|member| member.name.clone()).zip(writes.clone());
        let mut pairs: Vec<_> =
            slots.iter_mut().filter_map(|slot| slot.record.as_mut()).zip(writes).collect();
        let outcomes = match lrrc_coherence::commit_all(&mut pairs, agent, now, &self.rules) {
            Ok(outcomes) => outcomes,
            Err((at, found)) => {
                self.note_all(agent, traced, Some(&found), now);
                return Err(conflict(&members[at].name, found));
            }
        };
        let Some(revision) = self.write_all(members, &mut slots, now)? else { return Ok(None) };
        self.note_all(agent, traced, None, now);
        let mut committed = Vec::with_capacity(members.len());
        for ((member, mut slot), outcome) in members.iter().zip(slots).zip(outcomes) {
            slot.revision = Some(revision);
            let Reply::Committed { mark, line } = outcome.reply else { return Err(unexpected("a commit")) };
            let digest = member.checked.content.digest;
            self.settle(&member.name, slot, Some(agent), &outcome, now);
            self.changed(&member.name, Some((mark.stamp, digest)));
            committed.push(Committed { mark, line, digest, divide: member.checked.divide });
        }
        Ok(Some(Answer::CommittedAll(committed)))
    }

    /// The records of the members as they are; each exists.
    fn slots_of(&mut self, members: &[Member], now: Millis) -> Result<Vec<Slot>, Refusal> {
        let mut slots = Vec::with_capacity(members.len());
        for Member { name, .. } in members {
            self.load(name, now)?;
            self.forget_absent(name);
            let slot = self.records.get(name).filter(|slot| slot.record.is_some());
            slots.push(slot.cloned().ok_or_else(|| conflict(name, Conflict::UnknownArtifact))?);
        }
        Ok(slots)
    }

    /// Writes the records of the members in one transaction; `None` where another home was faster.
    fn write_all(
        &mut self,
        members: &[Member],
        slots: &mut [Slot],
        now: Millis,
    ) -> Result<Option<Revision>, Refusal> {
        let mut batch = Batch { now_ms: now.0, durable: self.durable_now(), ..Batch::default() };
        for (member, slot) in members.iter().zip(slots) {
            slot.divide = member.checked.divide;
            batch.writes.push(write_of(&member.name, slot));
            batch.blobs.extend(member.checked.placed.blob());
        }
        let failed = match self.backend.commit(&batch) {
            Ok(revision) => {
                self.wrote(revision);
                return Ok(Some(revision));
            }
            Err(error) => error,
        };
        for member in members {
            self.doubt(&member.name);
        }
        if matches!(failed, BackendError::Lost { .. }) { Ok(None) } else { Err(self.storage_failed(failed)) }
    }

    /// Ends an artifact.
    pub(super) fn delete(
        &mut self,
        agent: AgentId,
        name: &Name,
        expected: Option<Stamp>,
        now: Millis,
    ) -> Result<Answer, Refusal> {
        let with = With { content: None, durable: true };
        let outcome = self.apply_with(name, &Event::Delete { agent, expected }, &with, now)?;
        let Reply::Deleted { mark } = outcome.reply else { return Err(unexpected("a delete")) };
        self.changed(name, None);
        Ok(Answer::Deleted { mark })
    }
}

/// One member of a commit of several.
struct Member {
    name: Name,
    basis: Basis,
    checked: Checked,
}

fn write(basis: Basis, content: lrrc_coherence::Content) -> lrrc_coherence::Write {
    match basis {
        Basis::Claim { generation, base } => {
            lrrc_coherence::Write::Claimed(Commit { generation, base, content })
        }
        Basis::Unchanged { expected } => {
            lrrc_coherence::Write::Cas(Cas { expected, generation: None, content })
        }
    }
}
