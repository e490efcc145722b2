//! Records between the protocol and the storage: loads, applies, writes, and passes on what has to be said.

use lrrc_coherence::{AgentId, Conflict, Effect, Event, Ledger, Millis, Outcome, Record};

use super::Home;
use super::stored::{Stored, encode};
use crate::backend::{Backend, BackendError, Batch, Entry, Expect, Revision, Write};
use crate::content::Placed;
use crate::error::Refusal;
use crate::name::Name;
use crate::wire::{Claimed, Divide, Says};

/// Where artifacts lie in the backend.
pub(super) const ARTIFACTS: &str = "a/";

/// How often a write is tried against other homes.
const TRIES: u32 = 16;

/// One record in memory.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    /// `None` where the artifact does not exist.
    pub(super) record: Option<Record>,
    /// How its newest content is divided.
    pub(super) divide: Divide,
    /// The revision that the record was read or written at; `None` where there is none.
    pub(super) revision: Option<Revision>,
    /// A write failed in the middle: the storage is asked before the next use.
    pub(super) in_doubt: bool,
}

/// What one event writes beside the ledger.
#[derive(Debug, Default)]
pub(super) struct With {
    /// New content, and how it is divided.
    pub(super) content: Option<(Placed, Divide)>,
    /// Whether the acknowledgement waits for the disk.
    pub(super) durable: bool,
}

pub(super) fn key(name: &Name) -> String {
    format!("{ARTIFACTS}{name}")
}

/// A failed storage as the agent sees it.
#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
pub(super) fn storage(error: BackendError) -> Refusal {
    let message = error.to_string();
    match error {
        BackendError::Uncertain { .. } => Refusal::Uncertain { message },
        BackendError::TooLarge { backend, actual, limit, unit } => Refusal::TooMany {
            what: format!("{unit} in one transaction of {backend} (commit fewer members at once)"),
            found: actual as u64,
            limit: limit as u64,
        },
        _ => Refusal::Storage { message },
    }
}

pub(super) fn conflict(name: &Name, conflict: Conflict) -> Refusal {
    Refusal::Conflict { name: name.clone(), conflict: Box::new(conflict) }
}

impl<B: Backend> Home<B> {
    /// One event that writes no content.
    pub(super) fn apply(&mut self, name: &Name, event: &Event, now: Millis) -> Result<Outcome, Refusal> {
        self.apply_with(name, event, &With::default(), now)
    }

    /// One event: the step, the write if the ledger changed, then what has to be said. A record that another home has
    /// moved meanwhile is taken in and the event tried again.
    pub(super) fn apply_with(
        &mut self,
        name: &Name,
        event: &Event,
        with: &With,
        now: Millis,
    ) -> Result<Outcome, Refusal> {
        for _ in 0..TRIES {
            self.load(name, now)?;
            match self.try_apply(name, event, with, now)? {
                Some(outcome) => return Ok(outcome),
                None => self.doubt(name),
            }
        }
        Err(Refusal::Contended { name: name.clone(), tries: TRIES })
    }

    /// `None` where another home was faster.
    fn try_apply(
        &mut self,
        name: &Name,
        event: &Event,
        with: &With,
        now: Millis,
    ) -> Result<Option<Outcome>, Refusal> {
        let Some(slot) = self.records.get(name) else { return Ok(None) };
        let mut slot = slot.clone();
        let is_new = slot.record.is_none();
        let before = self.trace.as_ref().and_then(|_| slot.record.clone());
        let result = lrrc_coherence::step(&mut slot.record, event, now, &self.rules);
        let outcome = match &result {
            Ok(outcome) => outcome,
            Err(found) => {
                let found = conflict(name, found.clone());
                self.note(name, event, [before.as_ref(), before.as_ref()], &result, now);
                if is_new {
                    self.records.remove(name);
                }
                return Err(found);
            }
        };
        if let Some((_, divide)) = with.content {
            slot.divide = divide;
        }
        if outcome.ledger_changed && !self.write(name, &mut slot, with, now)? {
            return Ok(None);
        }
        self.note(name, event, [before.as_ref(), slot.record.as_ref()], &result, now);
        if let Ok(outcome) = &result {
            self.settle(name, slot, event.agent(), outcome, now);
        }
        Ok(result.ok())
    }

    /// Writes the record, with its content; false where another home was faster.
    fn write(&mut self, name: &Name, slot: &mut Slot, with: &With, now: Millis) -> Result<bool, Refusal> {
        let batch = Batch {
            writes: vec![write_of(name, slot)],
            blobs: with.content.iter().filter_map(|(placed, _)| placed.blob()).collect(),
            now_ms: now.0,
            durable: with.durable && self.durable_now(),
        };
        match self.backend.commit(&batch) {
            Ok(revision) => {
                slot.revision = slot.record.is_some().then_some(revision);
                self.wrote(revision);
                Ok(true)
            }
            Err(BackendError::Lost { .. }) => Ok(false),
            Err(error) => {
                self.doubt(name);
                Err(self.storage_failed(error))
            }
        }
    }

    /// Keeps the record as it is now and says what follows from it.
    pub(super) fn settle(
        &mut self,
        name: &Name,
        slot: Slot,
        agent: Option<AgentId>,
        outcome: &Outcome,
        now: Millis,
    ) {
        if let Some(session) = agent.and_then(|agent| self.sessions.get_mut(&agent)) {
            session.touched.insert(name.clone());
        }
        let is_claimed = |record: &Record| record.ledger().claim.is_some() || !record.waiting().is_empty();
        if slot.record.as_ref().is_some_and(is_claimed) {
            self.claimed.insert(name.clone());
        } else {
            self.claimed.remove(name);
        }
        if slot.record.is_some() {
            self.records.insert(name.clone(), slot);
        } else {
            self.records.remove(name);
        }
        self.say_effects(name, &outcome.effects, now);
        self.tell_waiting(name, now);
    }

    /// Brings the record into memory, as the storage has it where others may have moved it.
    pub(super) fn load(&mut self, name: &Name, now: Millis) -> Result<(), Refusal> {
        if let Some(why) = &self.failed {
            // Neither memory nor storage is known to hold what a restart will find.
            return Err(Refusal::Storage { message: why.clone() });
        }
        let known = self.records.get(name);
        if known.is_some_and(|slot| !slot.in_doubt) && !self.is_shared() {
            return Ok(());
        }
        let entry = self.backend.get(&key(name)).map_err(storage)?;
        self.take_in(name, entry, now)
    }

    /// Keeps nothing of a name that was asked for and does not exist: there is no bound on such names.
    pub(super) fn forget_absent(&mut self, name: &Name) {
        if self.records.get(name).is_some_and(|slot| slot.record.is_none()) {
            self.records.remove(name);
        }
    }

    /// Takes in what the storage has.
    pub(super) fn take_in(&mut self, name: &Name, entry: Option<Entry>, now: Millis) -> Result<(), Refusal> {
        let revision = entry.as_ref().map(|entry| entry.revision);
        let stored = entry.map(|entry| Stored::decode(&key(name), &entry.value)).transpose()?;
        let known = self.records.remove(name);
        let (mut slot, is_known) = match known {
            Some(slot) => (Slot { in_doubt: false, ..slot }, true),
            None => (Slot { record: None, divide: Divide::Whole, revision: None, in_doubt: false }, false),
        };
        if slot.revision == revision {
            self.records.insert(name.clone(), slot);
            return Ok(());
        }
        slot.revision = revision;
        slot.divide = stored.as_ref().map_or(slot.divide, |stored| stored.divide);
        let ledger = stored.map(|stored| Box::new(self.entered(stored.ledger, is_known)));
        let event = Event::Observed { ledger };
        let before = slot.record.clone();
        let result = lrrc_coherence::step(&mut slot.record, &event, now, &self.rules);
        self.note(name, &event, [before.as_ref(), slot.record.as_ref()], &result, now);
        let outcome = result.map_err(|found| conflict(name, found))?;
        let absent = slot.record.is_none().then(|| slot.clone());
        self.settle(name, slot, None, &outcome, now);
        self.records.extend(absent.map(|absent| (name.clone(), absent)));
        Ok(())
    }

    /// A ledger as this run takes it: where the home is alone, claims of earlier runs are void.
    fn entered(&self, mut ledger: Ledger, is_known: bool) -> Ledger {
        if let (Some(epoch), false) = (self.backend.epoch(), is_known) {
            ledger.enter_epoch(epoch);
        }
        ledger
    }

    /// A commit that failed. A storage of one home alone that does not know whether it landed is not used again.
    pub(super) fn storage_failed(&mut self, error: BackendError) -> Refusal {
        let is_over = matches!(error, BackendError::Uncertain { .. } | BackendError::Closed { .. });
        if is_over && !self.is_shared() {
            self.failed = Some(error.to_string());
        }
        storage(error)
    }

    /// The record in memory may not be what the storage has.
    pub(super) fn doubt(&mut self, name: &Name) {
        if let Some(slot) = self.records.get_mut(name) {
            slot.in_doubt = true;
        }
    }

    /// Sends the effects of a step. A push whose content cannot be read becomes a signal.
    fn say_effects(&mut self, name: &Name, effects: &[Effect], now: Millis) {
        for effect in effects {
            let to = effect.to();
            match effect {
                Effect::Signal { mark, deleted, .. } => {
                    self.say(to, Says::Invalidate { name: name.clone(), mark: *mark });
                    if *deleted {
                        self.refuse_waiting(to, name, now);
                    }
                }
                Effect::Push { mark, sections, digest, .. } => {
                    let says = match self.pushed(name, *digest) {
                        Some(read) => {
                            let (name, sections) = (name.clone(), sections.clone());
                            Says::Pushed { name, mark: *mark, sections, read: Box::new(read) }
                        }
                        None => Says::Invalidate { name: name.clone(), mark: *mark },
                    };
                    self.say(to, says);
                }
                Effect::Granted { mark, digest, expires, .. } => {
                    let claimed = Claimed { mark: *mark, digest: *digest, expires: *expires };
                    self.grant_waiting(to, name, claimed, now);
                }
            }
        }
    }
}

/// The write that makes the storage hold the slot.
pub(super) fn write_of(name: &Name, slot: &Slot) -> Write {
    let expect = slot.revision.map_or(Expect::Absent, Expect::At);
    match &slot.record {
        Some(record) => Write::put(key(name), expect, encode(record.ledger(), slot.divide)),
        None => Write::delete(key(name), expect),
    }
}
