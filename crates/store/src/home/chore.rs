//! Work on the whole store that takes long: it runs beside the home, in whatever thread the home's owner gives it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use lrrc_coherence::{AgentId, Digest, Ledger, Millis};

use super::Home;
use super::record::{ARTIFACTS, storage};
use super::stored::Stored;
use crate::backend::Backend;
use crate::content::Content;
use crate::error::Refusal;
use crate::gc::collect;
use crate::wire::{Answer, Request, Ticket, Verified};

/// A piece of long work that some agent has asked for.
#[derive(Debug)]
pub struct Chore<B> {
    agent: AgentId,
    ticket: Ticket,
    is_collection: bool,
    backend: Arc<B>,
    content: Arc<Content>,
    now: Millis,
}

/// A chore that is done; the home gives the answer.
#[derive(Debug)]
pub struct Done {
    agent: AgentId,
    ticket: Ticket,
    pub(super) outcome: Result<Answer, Refusal>,
}

impl<B: Backend> Home<B> {
    /// Takes the chores that wait. Each is run anywhere, beside the home, and comes back with [`Home::finish`].
    pub fn chores(&mut self) -> Vec<Chore<B>> {
        std::mem::take(&mut self.chores)
    }

    /// Answers a chore that is done.
    pub fn finish(&mut self, done: Done, now: Millis) {
        self.answer(done.agent, done.ticket, done.outcome, now);
    }

    pub(super) fn put_off(&mut self, agent: AgentId, ticket: Ticket, request: &Request, now: Millis) {
        let chore = self.chore(agent, ticket, matches!(request, Request::Gc), now);
        self.chores.push(chore);
    }

    pub(super) fn chore(&self, agent: AgentId, ticket: Ticket, is_collection: bool, now: Millis) -> Chore<B> {
        let (backend, content) = (Arc::clone(&self.backend), Arc::clone(&self.content));
        Chore { agent, ticket, is_collection, backend, content, now }
    }
}

impl<B: Backend> Chore<B> {
    /// Does it. A damaged file may make the storage panic, and somebody waits for the answer.
    #[must_use]
    pub fn run(self) -> Done {
        let message = "the storage panicked; its file may be damaged, and has to be opened again".to_owned();
        let outcome = catch_unwind(AssertUnwindSafe(|| self.work()));
        let outcome = outcome.unwrap_or(Err(Refusal::Storage { message }));
        Done { agent: self.agent, ticket: self.ticket, outcome }
    }

    fn work(&self) -> Result<Answer, Refusal> {
        if !self.is_collection {
            return self.verify().map(Answer::Verified);
        }
        let named = |key: &str, value: &bytes::Bytes| named(key, value);
        collect(&*self.backend, &self.content, self.now.0, named)
            .map(Answer::Swept)
            .map_err(|error| Refusal::Storage { message: error.to_string() })
    }

    fn verify(&self) -> Result<Verified, Refusal> {
        let mut found = Verified::default();
        for (key, entry) in self.backend.list(ARTIFACTS).map_err(storage)?.entries {
            found.records += 1;
            match Stored::decode(&key, &entry.value) {
                Ok(stored) => self.verify_ledger(&key, &stored.ledger, &mut found)?,
                Err(refusal) => found.faults.push(refusal.to_string()),
            }
        }
        Ok(found)
    }

    /// Versions that the record still names when it is read again: others may have been collected meanwhile.
    fn verify_ledger(&self, key: &str, ledger: &Ledger, found: &mut Verified) -> Result<(), Refusal> {
        let name = &key[ARTIFACTS.len()..];
        for edition in ledger.past.iter().chain([&ledger.current]) {
            found.versions += 1;
            match self.content.fetch(&*self.backend, &edition.digest) {
                Ok(bytes) if bytes.len() as u64 == edition.size_bytes => found.bytes += edition.size_bytes,
                Ok(bytes) => found.faults.push(format!(
                    "{name} {}: {} bytes, and the record says {}",
                    edition.version,
                    bytes.len(),
                    edition.size_bytes
                )),
                Err(_) if !self.still_named(key, &edition.digest)? => found.versions -= 1,
                Err(error) => found.faults.push(format!("{name} {}: {error}", edition.version)),
            }
        }
        Ok(())
    }

    fn still_named(&self, key: &str, digest: &Digest) -> Result<bool, Refusal> {
        let entry = self.backend.get(key).map_err(storage)?;
        entry.map_or(Ok(false), |entry| Ok(named(key, &entry.value)?.contains(digest)))
    }
}

/// The contents that a record names.
fn named(key: &str, value: &[u8]) -> Result<Vec<Digest>, Refusal> {
    if !key.starts_with(ARTIFACTS) {
        return Ok(Vec::new());
    }
    let ledger = Stored::decode(key, value)?.ledger;
    Ok(ledger.past.iter().chain([&ledger.current]).map(|edition| edition.digest).collect())
}
