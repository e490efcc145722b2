//! Reads: the smallest body that makes the agent's copy current.

use bytes::Bytes;
use lrrc_coherence::{
    AgentId, Conflict, Digest, Edition, Event, Grant, Ledger, Line, Millis, Reply, Stamp, Version, delta,
};

use super::Home;
use super::record::{ARTIFACTS, conflict, storage};
use super::stored::Stored;
use crate::backend::Backend;
use crate::content::ContentError;
use crate::error::Refusal;
use crate::name::Name;
use crate::wire::divide::sections;
use crate::wire::{Answer, Body, Divide, History, Piece, ReadAnswer, Row, Slice};

/// Longer contents are sent whole: finding what changed would keep everybody else waiting.
const DELTA_BYTES_MAX: u64 = 1 << 20;

impl<B: Backend> Home<B> {
    /// The content, as a whole or some sections of it.
    pub(super) fn read(
        &mut self,
        agent: AgentId,
        name: &Name,
        have: Option<Stamp>,
        wanted: &[String],
        parts: &[Digest],
        now: Millis,
    ) -> Result<Answer, Refusal> {
        let event = Event::Read { agent, have, sections: wanted.to_vec() };
        let outcome = self.apply(name, &event, now).map_err(|refusal| self.with_known(name, refusal))?;
        let Reply::Read(grant) = outcome.reply else { return Err(unexpected("a read")) };
        let divide = self.records.get(name).map_or(Divide::Whole, |slot| slot.divide);
        let body = if wanted.is_empty() {
            self.body(name, &grant, have)?
        } else {
            Body::Sections(self.slices(name, &grant.edition, wanted, parts, divide)?)
        };
        Ok(Answer::Read(Box::new(ReadAnswer { grant, divide, body })))
    }

    /// A refusal that names the sections that there are.
    fn with_known(&self, name: &Name, refusal: Refusal) -> Refusal {
        let Refusal::Conflict { conflict, .. } = &refusal else { return refusal };
        let Conflict::UnknownSection { section } = conflict.as_ref() else { return refusal };
        let Some(ledger) = self.ledger(name) else { return refusal };
        Refusal::UnknownSection {
            name: name.clone(),
            section: section.clone(),
            version: ledger.current.version,
            known: ledger.sections.iter().map(|section| section.name.clone()).collect(),
        }
    }

    fn body(&self, name: &Name, grant: &Grant, have: Option<Stamp>) -> Result<Body, Refusal> {
        if have == Some(grant.mark.stamp) {
            return Ok(Body::Same);
        }
        let bytes = self.bytes(name, &grant.edition)?;
        let base = grant.delta_from.and_then(|version| self.ledger(name)?.edition(version).copied());
        if let Some(base) = base
            && grant.edition.size_bytes.max(base.size_bytes) <= DELTA_BYTES_MAX
            && let Ok(old) = self.bytes(name, &base)
            && let delta::Delta::Pieces(pieces) = delta::delta(&old, &bytes)
        {
            let pieces = pieces.into_iter().map(Piece::from).collect();
            return Ok(Body::Delta { base: base.version, pieces });
        }
        Ok(Body::Whole(bytes))
    }

    /// The wanted sections in the order of the content, without the bytes that the agent has.
    fn slices(
        &self,
        name: &Name,
        edition: &Edition,
        wanted: &[String],
        parts: &[Digest],
        divide: Divide,
    ) -> Result<Vec<Slice>, Refusal> {
        let Some(ledger) = self.ledger(name) else { return Ok(Vec::new()) };
        let all = self.bytes(name, edition)?;
        let spans = sections(&all, divide, usize::MAX)
            .map_err(|why| Refusal::Undividable { name: name.clone(), why })?;
        let chosen = ledger.sections.iter().filter(|section| wanted.contains(&section.name));
        Ok(chosen
            .map(|section| {
                let span = spans.iter().find(|span| span.name == section.name);
                let bytes = span
                    .filter(|_| !parts.contains(&section.digest))
                    .map(|span| all.slice(span.range.clone()));
                Slice { section: section.clone(), bytes }
            })
            .collect())
    }

    /// The answer that carries a pushed content; `None` where its bytes cannot be read.
    pub(super) fn pushed(&self, name: &Name, digest: Digest) -> Option<ReadAnswer> {
        let slot = self.records.get(name)?;
        let ledger = slot.record.as_ref()?.ledger();
        let edition = *std::iter::once(&ledger.current).find(|edition| edition.digest == digest)?;
        let bytes = self.bytes(name, &edition).ok()?;
        let grant = Grant {
            mark: ledger.mark(),
            edition,
            line: Line::Shared,
            sections: Vec::new(),
            delta_from: None,
        };
        Some(ReadAnswer { grant, divide: slot.divide, body: Body::Whole(bytes) })
    }

    /// An earlier version that the history names.
    pub(super) fn read_version(
        &mut self,
        name: &Name,
        version: Version,
        now: Millis,
    ) -> Result<Answer, Refusal> {
        self.load_known(name, now)?;
        let ledger = self.known(name)?;
        let Some(edition) = ledger.edition(version).copied() else {
            let oldest = ledger.past.first().unwrap_or(&ledger.current).version;
            let current = ledger.current.version;
            return Err(Refusal::UnknownVersion { name: name.clone(), version, current, oldest });
        };
        Ok(Answer::Old { edition, bytes: self.bytes(name, &edition)? })
    }

    /// What is known of an artifact.
    pub(super) fn history(&mut self, name: &Name, now: Millis) -> Result<Answer, Refusal> {
        self.load_known(name, now)?;
        let ledger = self.known(name)?;
        let record = self.records.get(name).and_then(|slot| slot.record.as_ref());
        Ok(Answer::History(Box::new(History {
            mark: ledger.mark(),
            current: ledger.current,
            past: ledger.past.clone(),
            sections: ledger.sections.clone(),
            claim: live_claim(ledger, now),
            waiting: record
                .map_or_else(Vec::new, |record| record.waiting().iter().map(|waiter| waiter.agent).collect()),
        })))
    }

    /// Names in order, a page at a time.
    pub(super) fn list(&self, prefix: &str, after: Option<&Name>, now: Millis) -> Result<Answer, Refusal> {
        let listing = self.backend.list(&format!("{ARTIFACTS}{prefix}")).map_err(storage)?;
        let mut rows = Vec::new();
        for (key, entry) in listing.entries {
            let Some(name) = key.strip_prefix(ARTIFACTS).and_then(|name| name.parse::<Name>().ok()) else {
                continue;
            };
            if after.is_some_and(|after| name <= *after) {
                continue;
            }
            if rows.len() == self.limits.list_max {
                return Ok(Answer::Listed { rows, more: true });
            }
            let mut ledger = Stored::decode(&key, &entry.value)?.ledger;
            if let Some(epoch) = self.backend.epoch() {
                ledger.enter_epoch(epoch);
            }
            rows.push(Row {
                name,
                version: ledger.current.version,
                size_bytes: ledger.current.size_bytes,
                tokens: ledger.current.tokens,
                holder: live_claim(&ledger, now).map(|(agent, _)| agent),
            });
        }
        Ok(Answer::Listed { rows, more: false })
    }

    fn ledger(&self, name: &Name) -> Option<&Ledger> {
        Some(self.records.get(name)?.record.as_ref()?.ledger())
    }

    /// State of one agent's copy.
    pub(super) fn line(&self, name: &Name, agent: AgentId) -> Line {
        let record = self.records.get(name).and_then(|slot| slot.record.as_ref());
        record.map_or(Line::Invalid, |record| record.line(agent))
    }

    /// Brings the record of a name into memory if there is one.
    fn load_known(&mut self, name: &Name, now: Millis) -> Result<(), Refusal> {
        self.load(name, now)?;
        self.forget_absent(name);
        Ok(())
    }

    fn known(&self, name: &Name) -> Result<&Ledger, Refusal> {
        self.ledger(name).ok_or_else(|| conflict(name, Conflict::UnknownArtifact))
    }

    fn bytes(&self, name: &Name, edition: &Edition) -> Result<Bytes, Refusal> {
        self.content.get(&*self.backend, &edition.digest).map_err(|error| match error {
            ContentError::Missing { .. } | ContentError::Damaged { .. } => Refusal::MissingContent {
                name: name.clone(),
                version: edition.version,
                digest: edition.digest,
            },
            error => Refusal::Storage { message: error.to_string() },
        })
    }
}

fn live_claim(ledger: &Ledger, now: Millis) -> Option<(AgentId, Millis)> {
    ledger.claim.filter(|claim| claim.expires > now).map(|claim| (claim.agent, claim.expires))
}

/// A reply of the protocol that does not belong to its event.
pub(super) fn unexpected(event: &str) -> Refusal {
    Refusal::Protocol { message: format!("the protocol gave {event} a reply of another kind") }
}
