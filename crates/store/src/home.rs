//! The home of the artifacts: takes requests, applies the protocol, writes what changed, and says who has to be told.
//!
//! A home owns no thread, no socket and no clock: it is called with the time and its answers are drained, so the
//! daemon, the tests and the simulator run the same code. It is the one place that decides; a copy of a record in
//! another home is brought up to date before each decision.
//!
//! An answer to a write is given only when the write is durable. A claim is written too, so that other homes see it,
//! but its write need not survive a crash: a home that serves a store alone counts its epochs, and every claim of an
//! earlier epoch is void.
//!
//! Where several homes serve one backend, each announces itself, and the claims of one that is gone are ended by the others.
//! A claim excludes everybody, because it is written. An exclusive copy that a read
//! gave excludes within its home alone: a read writes nothing, so two homes can each give one of the same artifact. A
//! commit from either compares the revision of the record, so the later of two is refused as any late commit is. To
//! exclude more, each first read would have to be a durable write.

mod chore;
mod claim;
mod feed;
mod payload;
mod peers;
mod read;
mod record;
mod session;
mod stored;
mod trace;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lrrc_coherence::{AgentId, Millis, Rules};

use crate::backend::{Backend, Batch, Revision};
use crate::content::Content;
use crate::error::{Refusal, ServeError};
use crate::limits::Limits;
use crate::name::Name;
use crate::wire::{Answer, FromHome, Request, Says, Ticket, ToHome};

pub use chore::{Chore, Done};
use feed::Feed;
use peers::Peers;
use record::Slot;
use session::Session;
pub use stored::ledger_of;
pub use trace::Trace;

/// How a home behaves.
#[derive(Debug, Clone, Default)]
pub struct HomeConfig {
    /// The rules of the protocol.
    pub rules: Rules,
    /// What is taken on.
    pub limits: Limits,
}

/// The home of the artifacts of one backend. See the module's text.
pub struct Home<B> {
    backend: Arc<B>,
    content: Arc<Content>,
    rules: Rules,
    limits: Limits,
    records: BTreeMap<Name, Slot>,
    /// Names of the records in memory that have a claim, or agents that wait for one.
    claimed: BTreeSet<Name>,
    sessions: BTreeMap<AgentId, Session>,
    ids: std::ops::Range<u32>,
    peers: Peers,
    outbox: Vec<(AgentId, FromHome)>,
    feed: Feed,
    chores: Vec<Chore<B>>,
    failed: Option<String>,
    /// Whether writes are made durable together, and whether there is one.
    gathered: Option<bool>,
    trace: Option<Trace>,
}

impl<B> std::fmt::Debug for Home<B> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (records, sessions) = (self.records.len(), self.sessions.len());
        out.debug_struct("Home")
            .field("records", &records)
            .field("sessions", &sessions)
            .finish_non_exhaustive()
    }
}

impl<B: Backend> Home<B> {
    /// A home over `backend` and `content`, without sessions. Records are read when they are asked for.
    ///
    /// # Errors
    /// [`ServeError::Backend`] where the backend does not answer.
    pub fn open(backend: B, content: Content, config: HomeConfig, now: Millis) -> Result<Self, ServeError> {
        let HomeConfig { rules, limits } = config;
        let feed = Feed::new(backend.revision()?, now);
        Ok(Self {
            backend: Arc::new(backend),
            content: Arc::new(content),
            rules,
            limits,
            records: BTreeMap::new(),
            claimed: BTreeSet::new(),
            sessions: BTreeMap::new(),
            ids: 0..0,
            peers: Peers::default(),
            outbox: Vec::new(),
            feed,
            chores: Vec::new(),
            failed: None,
            gathered: None,
            trace: None,
        })
    }

    /// The same home, writing down each of its actions.
    #[must_use]
    pub fn with_trace(mut self, mut trace: Trace) -> Self {
        trace.begin(&self.rules);
        self.trace = Some(trace);
        self
    }

    /// Bounds of the home.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The storage below.
    #[must_use]
    pub fn backend(&self) -> Arc<B> {
        Arc::clone(&self.backend)
    }

    /// Whether other homes serve the same records.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.backend.epoch().is_none()
    }

    /// Whether it may take long until the storage answers: others must not wait meanwhile.
    pub(crate) fn is_far(&self) -> bool {
        self.is_shared() || self.content.is_far()
    }

    /// The revision up to which every change is known here and signalled.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.feed.applied
    }

    /// Why the home cannot go on: a storage that serves one home alone failed in the middle of a commit, so that it has
    /// to be opened again before anybody knows what it holds.
    #[must_use]
    pub fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// Takes what is to be sent, in order; each agent's frames must arrive in this order or not at all.
    pub fn outbox(&mut self) -> Vec<(AgentId, FromHome)> {
        std::mem::take(&mut self.outbox)
    }

    /// From here to the next [`flush`](Self::flush), writes wait for each other and reach the disk with one sync. Until
    /// then nothing may leave the outbox: answers and signals in it tell of writes that a crash would take back. Where
    /// several homes share a storage, each write is on its own.
    pub fn gather(&mut self) {
        if !self.is_shared() {
            self.gathered = Some(false);
        }
    }

    /// Makes durable what was written since [`gather`](Self::gather). Where that fails, the home has [failed] and nobody
    /// is told of those writes: the end of the session leaves each open to its agent.
    ///
    /// [failed]: Self::failed
    pub fn flush(&mut self) {
        if self.gathered.take() != Some(true) {
            return;
        }
        if self.failed.is_none() {
            let flushed = self.backend.commit(&Batch::of([]));
            self.failed = flushed.err().map(|error| error.to_string());
        }
        if self.failed.is_some() {
            self.outbox.clear();
        }
    }

    /// Whether a write that has to be durable waits for its own sync; otherwise [`flush`](Self::flush) waits for it.
    fn durable_now(&mut self) -> bool {
        self.gathered = self.gathered.map(|_| true);
        self.gathered.is_none()
    }

    /// One frame of a session. A frame of a session that is over is passed over, and so is a repeated one.
    pub fn receive(&mut self, agent: AgentId, frame: ToHome, now: Millis) {
        let Some(session) = self.sessions.get_mut(&agent) else { return };
        session.heard = now;
        match frame {
            ToHome::Hello { .. } => {
                self.end(agent, Refusal::Protocol { message: "a second hello".into() }, now);
            }
            ToHome::Ask { ticket, request } => {
                if session.take_ticket(ticket) {
                    match request {
                        Request::Gc | Request::Verify => self.put_off(agent, ticket, &request, now),
                        request => {
                            let outcome = self.ask(agent, Some(ticket), request, now);
                            self.answer(agent, ticket, outcome, now);
                        }
                    }
                }
            }
            ToHome::Cancel { ticket } => self.cancel(agent, ticket, now),
        }
    }

    /// One request without a frame around it, for a caller in the same thread: the same as [`receive`](Self::receive),
    /// and the answer comes back at once. Signals for others stand in the outbox.
    ///
    /// # Errors
    /// The typed refusal; the store is unchanged unless it says otherwise.
    pub fn handle(&mut self, agent: AgentId, request: Request, now: Millis) -> Result<Answer, Refusal> {
        if !self.has(agent) {
            return Err(Refusal::SessionOver { why: format!("{agent} has no session") });
        }
        self.ask(agent, None, request, now)
    }

    fn ask(
        &mut self,
        agent: AgentId,
        ticket: Option<Ticket>,
        request: Request,
        now: Millis,
    ) -> Result<Answer, Refusal> {
        match request {
            Request::Ping => Ok(Answer::Pong),
            Request::Create { name, content } => self.create(agent, &name, &content, now),
            Request::Read { name, have, sections, parts } => {
                self.read(agent, &name, have, &sections, &parts, now)
            }
            Request::ReadVersion { name, version } => self.read_version(&name, version, now),
            Request::Acquire { name, lease_ms, wait } => {
                self.acquire(agent, ticket, &name, lease_ms, wait, now)
            }
            Request::Commit(change) => self.commit(agent, change, now),
            Request::CommitAll(changes) => self.commit_all(agent, changes, now),
            Request::Release { name, generation } => self.release(agent, &name, Some(generation), now),
            Request::Renew { name, generation } => self.renew(agent, &name, generation, now),
            Request::Delete { name, expected } => self.delete(agent, &name, expected, now),
            Request::List { prefix, after } => self.list(&prefix, after.as_ref(), now),
            Request::History { name } => self.history(&name, now),
            Request::Watch { prefix, after } => self.watch(agent, &prefix, after),
            Request::Unwatch { prefix } => Ok(self.unwatch(agent, &prefix)),
            Request::Gc => self.chore(agent, Ticket(0), true, now).run().outcome,
            Request::Verify => self.chore(agent, Ticket(0), false, now).run().outcome,
        }
    }

    /// Says the answer; everything that was signalled to this agent before stands before it.
    fn answer(&mut self, agent: AgentId, ticket: Ticket, outcome: Result<Answer, Refusal>, now: Millis) {
        let says = Says::Answer {
            ticket,
            confirmed: self.feed.applied,
            lag_ms: if self.is_shared() { now.since(self.feed.applied_at) } else { 0 },
            outcome,
        };
        self.say(agent, says);
    }

    fn say(&mut self, agent: AgentId, says: Says) {
        if let Some(session) = self.sessions.get_mut(&agent) {
            session.seq += 1;
            self.outbox.push((agent, FromHome { seq: session.seq, says }));
        }
    }

    /// Time has passed: claims end whose lease is over or whose home is gone, and so do silent sessions.
    pub fn tick(&mut self, now: Millis) {
        self.end_leases(now);
        let silence_ms = self.limits.silence_ms_max;
        let silent: Vec<AgentId> = self
            .sessions
            .iter()
            .filter(|(_, session)| now.since(session.heard) > silence_ms)
            .map(|(agent, _)| *agent)
            .collect();
        for agent in silent {
            self.end(
                agent,
                Refusal::SessionOver { why: format!("silent for more than {silence_ms} ms") },
                now,
            );
        }
        if self.is_shared() {
            self.step_down(now);
            self.follow(now);
        }
        self.forget_feed(now);
    }
}
