//! What an agent holds, without a socket, a thread or a clock: asks become frames, frames become answers.
//!
//! [`Client`](crate::Client) carries the frames over a connection, the simulator over a network that loses them.
//! Reads are answered from the agent's own copies where the protocol allows it: the line is valid, and the home has
//! confirmed within the bound that nothing was signalled which is not delivered. A confirmation counts from the moment
//! the *ask* was sent, so no clock of another machine and no delay of an answer can make a copy look younger than it
//! is. When the connection is lost, every copy is dropped; the bytes stay, as bases of deltas.

mod answer;
mod link;
mod read;
mod words;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use lrrc_coherence::{AgentId, Bound, Cache, Digest, Generation, Millis, Stamp};

use crate::backend::Revision;
use crate::error::{Refusal, StoreError};
use crate::limits::Limits;
use crate::name::Name;
use crate::shelf::Shelf;
use crate::wire::{Divide, FromHome, PROTOCOL, Request, Says, Ticket, ToHome};

use link::Link;
pub use words::{Asked, Counts, Freshness, Happened, Op, Outcome, Read, SectionRead};

/// How an agent behaves.
#[derive(Debug, Clone, Copy)]
pub struct AgentConfig {
    /// How far behind the home a read from a copy may be.
    pub bound: Bound,
    /// Most bytes that are kept.
    pub bytes_max: u64,
    /// An answer that takes longer is taken for a lost connection, in milliseconds. A place in a queue is an answer, and a
    /// collection or a verification may take longer.
    pub patience_ms: u64,
    /// How often an ask that changes nothing is sent again over a new connection.
    pub tries: u32,
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self { bound: Bound::default(), bytes_max: 256 << 20, patience_ms: 10_000, tries: 3 }
    }
}

/// What the agent knows of the bytes of an artifact.
#[derive(Debug, Clone)]
struct Kept {
    stamp: Stamp,
    digest: Digest,
    divide: Divide,
    parts: BTreeMap<String, Digest>,
}

/// A watched prefix.
#[derive(Debug, Clone, Copy)]
struct Watched {
    /// Every change up to this revision was told.
    seen: Revision,
    /// Whether the home tells of it in this session.
    is_live: bool,
}

/// An ask on its way.
#[derive(Debug)]
struct Pending {
    op: Op,
    /// The caller's ticket: it stays the same when the ask is sent again under another.
    caller: Option<Ticket>,
    /// `None` while there is no session.
    sent: Option<Millis>,
    tries: u32,
    is_waiting: bool,
    /// What the answer may build on.
    base: Option<(Stamp, Bytes)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Down,
    Greeting(Millis),
    Up,
}

/// One agent's side of the protocol. See the module's text.
#[derive(Debug)]
pub struct Agent {
    config: AgentConfig,
    state: State,
    link: Link,
    cache: Option<Cache<Name>>,
    shelf: Shelf,
    kept: BTreeMap<Name, Kept>,
    pending: BTreeMap<Ticket, Pending>,
    next_ticket: u64,
    confirmed: (Revision, Millis),
    pinged: Millis,
    ping_every_ms: u64,
    limits: Limits,
    /// Generation of the claim that a caller has on each name.
    claims: BTreeMap<Name, Generation>,
    watches: BTreeMap<String, Watched>,
    counts: Counts,
    outbox: VecDeque<ToHome>,
    happened: VecDeque<Happened>,
}

impl Agent {
    /// An agent without a session; what it is asked waits for one.
    #[must_use]
    pub fn new(config: AgentConfig) -> Self {
        Self {
            config,
            state: State::Down,
            link: Link::default(),
            cache: None,
            shelf: Shelf::new(config.bytes_max),
            kept: BTreeMap::new(),
            pending: BTreeMap::new(),
            next_ticket: 1,
            confirmed: (Revision::START, Millis(0)),
            pinged: Millis(0),
            ping_every_ms: 1000,
            limits: Limits::default(),
            claims: BTreeMap::new(),
            watches: BTreeMap::new(),
            counts: Counts::default(),
            outbox: VecDeque::new(),
            happened: VecDeque::new(),
        }
    }

    /// Who the agent is in this session.
    #[must_use]
    pub fn id(&self) -> Option<AgentId> {
        self.cache.as_ref().filter(|_| self.state == State::Up).map(Cache::agent)
    }

    /// The copies of this session.
    #[must_use]
    pub fn cache(&self) -> Option<&Cache<Name>> {
        self.cache.as_ref()
    }

    /// How reads were answered.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// A connection stands: the agent greets.
    pub fn connected(&mut self, now: Millis) {
        self.link = Link::default();
        self.outbox.clear();
        self.outbox.push_back(ToHome::Hello { protocol: PROTOCOL });
        self.state = State::Greeting(now);
    }

    /// The connection is lost: copies are dropped, asks that change nothing wait for the next connection, and of the
    /// others nobody knows whether they landed.
    pub fn disconnected(&mut self) {
        self.state = State::Down;
        self.cache = None;
        self.claims.clear();
        self.outbox.clear();
        self.watches.values_mut().for_each(|watched| watched.is_live = false);
        let tickets: Vec<Ticket> = self.pending.keys().copied().collect();
        for ticket in tickets {
            self.interrupted(ticket);
        }
    }

    /// Gives up every ask that waits, because no connection comes.
    pub fn give_up(&mut self, error: &StoreError) {
        for (_, pending) in std::mem::take(&mut self.pending) {
            if let Some(caller) = pending.caller {
                self.happened.push_back(Happened::Done(caller, Err(error.clone())));
            }
        }
    }

    /// Asks. A read may be answered at once.
    pub fn request(&mut self, op: Op, now: Millis) -> Asked {
        if let Some(outcome) = self.read_copy(&op, now) {
            self.counts.from_copy += 1;
            return Asked::Done(outcome);
        }
        if let Op::Ask(Request::Watch { prefix, after }) = &op {
            let from = after.unwrap_or(self.confirmed.0);
            self.watches.entry(prefix.clone()).or_insert(Watched { seen: from, is_live: false });
        }
        if let Op::Ask(Request::Unwatch { prefix }) = &op {
            self.watches.remove(prefix);
        }
        let ticket = self.ticket();
        self.enqueue(ticket, op, Some(ticket), 0, now);
        Asked::Sent(ticket)
    }

    /// Nobody waits for the answer any more. What was sent may still happen; a claim that comes of it is given back.
    pub fn cancel(&mut self, ticket: Ticket) {
        let found = self.pending.iter_mut().find(|(_, pending)| pending.caller == Some(ticket));
        let Some((sent_as, pending)) = found else { return };
        let sent_as = *sent_as;
        pending.caller = None;
        let is_acquire = matches!(pending.op, Op::Ask(Request::Acquire { .. }));
        if pending.sent.is_none() {
            self.pending.remove(&sent_as);
        } else if is_acquire {
            self.outbox.push_back(ToHome::Cancel { ticket: sent_as });
        }
    }

    /// A claim was given to a caller who is gone.
    pub fn discard_claim(&mut self, name: &Name, generation: Generation, now: Millis) {
        self.forget_claim(name, generation);
        if self.state != State::Up {
            return;
        }
        let ticket = self.ticket();
        self.enqueue(ticket, Op::Ask(Request::Release { name: name.clone(), generation }), None, 0, now);
    }

    /// The claim of this generation is over; a later one stays.
    fn forget_claim(&mut self, name: &Name, generation: Generation) {
        if self.claims.get(name) == Some(&generation) {
            self.claims.remove(name);
        }
    }

    /// A frame from the home.
    pub fn receive(&mut self, frame: FromHome, now: Millis) {
        if self.state == State::Down {
            return;
        }
        if let (0, Says::Goodbye { why }) = (frame.seq, &frame.says) {
            return self.down(why.clone());
        }
        match self.link.take(frame) {
            Ok(due) => {
                for frame in due {
                    self.hear(frame.says, now);
                }
            }
            Err(link::Gap) => {
                self.down(Refusal::SessionOver { why: "frames of the home are missing".into() });
            }
        }
    }

    /// Time has passed: asks for a confirmation when it is due, and notices a home that does not answer.
    pub fn tick(&mut self, now: Millis) {
        let oldest = self
            .pending
            .values()
            .filter(|pending| !pending.is_waiting && !is_chore(&pending.op))
            .filter_map(|pending| pending.sent)
            .min();
        let since = match self.state {
            State::Down => return,
            State::Greeting(since) => Some(since),
            State::Up => oldest,
        };
        if since.is_some_and(|since| now.since(since) > self.config.patience_ms) {
            let why = format!("no answer within {} ms", self.config.patience_ms);
            return self.down(Refusal::SessionOver { why });
        }
        if self.state == State::Up && now.since(self.pinged) >= self.ping_every_ms {
            let ticket = self.ticket();
            self.enqueue(ticket, Op::Ask(Request::Ping), None, 0, now);
            self.watch_again(now);
        }
    }

    /// When [`tick`](Self::tick) has something to do, at the latest.
    #[must_use]
    pub fn next_tick(&self) -> Millis {
        self.pinged.plus(self.ping_every_ms)
    }

    /// The next frame to send.
    pub fn poll_frame(&mut self) -> Option<ToHome> {
        self.outbox.pop_front()
    }

    /// The next thing that happened.
    pub fn poll_happened(&mut self) -> Option<Happened> {
        self.happened.pop_front()
    }

    fn ticket(&mut self) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        ticket
    }

    fn enqueue(&mut self, ticket: Ticket, op: Op, caller: Option<Ticket>, tries: u32, now: Millis) {
        let pending = Pending { op, caller, sent: None, tries, is_waiting: false, base: None };
        self.pending.insert(ticket, pending);
        if self.state == State::Up {
            self.send(ticket, now);
        }
    }

    /// Sends an ask that waits.
    fn send(&mut self, ticket: Ticket, now: Millis) {
        let Some(mut pending) = self.pending.remove(&ticket) else { return };
        if let Some(refusal) = self.too_large(&pending.op) {
            let caller = pending.caller.map(|caller| Happened::Done(caller, Err(refusal.into())));
            self.happened.extend(caller);
            return;
        }
        let request = self.request_for(&mut pending);
        if let (Request::Release { name, generation }, Some(cache)) = (&request, &mut self.cache)
            && self.claims.get(name).is_none_or(|held| held == generation)
        {
            cache.release(name);
        }
        pending.sent = Some(now);
        pending.tries += 1;
        self.pinged = now;
        self.pending.insert(ticket, pending);
        self.outbox.push_back(ToHome::Ask { ticket, request });
    }

    /// What the home would refuse is not sent: a frame beyond the home's bound would end the session.
    fn too_large(&self, op: &Op) -> Option<Refusal> {
        let Op::Ask(request) = op else { return None };
        let (name, size_bytes) = match request {
            Request::Create { name, content } => (name, content.bytes.len()),
            Request::Commit(change) => (&change.name, change.content.bytes.len()),
            Request::CommitAll(changes) => {
                let sizes = changes.iter().map(|change| change.content.bytes.len());
                (&changes.first()?.name, sizes.sum())
            }
            _ => return None,
        };
        let (size_bytes, limit_bytes) = (size_bytes as u64, self.limits.content_bytes_max);
        (size_bytes > limit_bytes).then(|| Refusal::TooLarge { name: name.clone(), size_bytes, limit_bytes })
    }

    /// An ask whose answer will not come over this connection.
    fn interrupted(&mut self, ticket: Ticket) {
        let Some(pending) = self.pending.get_mut(&ticket) else { return };
        let Some(caller) = pending.caller else {
            self.pending.remove(&ticket);
            return;
        };
        if pending.sent.take().is_none() {
            return;
        }
        pending.is_waiting = false;
        let end = match &pending.op {
            Op::Ask(Request::Release { .. }) => Err(StoreError::Refused(Refusal::SessionOver {
                why: "the connection was lost, and the claims with it".into(),
            })),
            op if !changes_something(op) && pending.tries < self.config.tries => return,
            op if !changes_something(op) => Err(StoreError::Refused(Refusal::SessionOver {
                why: format!("the connection was lost {} times before the answer", pending.tries),
            })),
            op => Err(StoreError::Uncertain { what: told(op) }),
        };
        self.pending.remove(&ticket);
        self.happened.push_back(Happened::Done(caller, end));
    }

    fn down(&mut self, why: Refusal) {
        self.disconnected();
        self.happened.push_back(Happened::Down(why));
    }
}

/// Whether asking twice may differ from asking once. An acquire belongs to its session and ends with it.
fn changes_something(op: &Op) -> bool {
    matches!(
        op,
        Op::Ask(
            Request::Create { .. }
                | Request::Commit(_)
                | Request::CommitAll(_)
                | Request::Delete { .. }
                | Request::Renew { .. }
        )
    )
}

/// Whether the answer may take as long as the store is large. Pings tell meanwhile that the home is there.
fn is_chore(op: &Op) -> bool {
    matches!(op, Op::Ask(Request::Gc | Request::Verify))
}

/// An ask in words.
fn told(op: &Op) -> String {
    match op {
        Op::Read { name, .. } | Op::ReadSections { name, .. } => format!("the read of {name}"),
        Op::Ask(Request::Create { name, .. }) => format!("the creation of {name}"),
        Op::Ask(Request::Commit(change)) => format!("the commit of {}", change.name),
        Op::Ask(Request::CommitAll(changes)) => format!("the commit of {} artifacts", changes.len()),
        Op::Ask(Request::Delete { name, .. }) => format!("the deletion of {name}"),
        Op::Ask(Request::Renew { name, .. }) => format!("the renewal of the claim on {name}"),
        Op::Ask(_) => "the request".to_owned(),
    }
}
