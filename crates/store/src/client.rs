//! What an agent's program holds: reads from its own copies, writes that are durable when they return.
//!
//! Every method may be dropped at any await: the client stays usable, a claim that nobody waits for any more is given
//! back, and of a write that was on its way nobody knows whether it landed, as of any message that was sent.

mod claim;
mod drive;
mod watch;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use lrrc_coherence::{AgentId, Edition, Stamp, Version};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::address::Address;
use crate::agent::{Agent, AgentConfig, Asked, Counts, Op, Outcome, Read, SectionRead};
use crate::clock::Clock;
use crate::daemon::owner::Handle;
use crate::error::{Refusal, StoreError};
use crate::gc::Swept;
use crate::name::Name;
use crate::wire::{
    Answer, Basis, Change, Committed, History, Payload, Request, Row, Ticket, Verified, Waiting,
};

pub use claim::Claim;
use drive::{Connector, drive};
use watch::Watcher;
pub use watch::{Noticed, Watch};

/// How a client behaves.
#[derive(Debug, Clone, Copy)]
pub struct ClientConfig {
    /// How its agent behaves.
    pub agent: AgentConfig,
    /// How long calls wait for a connection.
    pub connect_within: Duration,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self { agent: AgentConfig::default(), connect_within: Duration::from_secs(5) }
    }
}

/// One agent of a store. Clones are the same agent: they share copies and claims, so tasks that have to exclude each
/// other use a client each.
#[derive(Debug, Clone)]
pub struct Client {
    open: Arc<Open>,
}

/// Ends the driver with the last clone.
#[derive(Debug)]
struct Open {
    shared: Arc<Shared>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.wake.notify_one();
    }
}

/// What the callers and the driver of the connection share. The lock is held for steps of the agent, which do no I/O,
/// and never across an await.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    wake: Notify,
    clock: Clock,
}

#[derive(Debug)]
struct State {
    agent: Agent,
    waiting: BTreeMap<Ticket, Waiter>,
    watchers: BTreeMap<u64, Watcher>,
    next_watch: u64,
    is_closed: bool,
}

#[derive(Debug)]
struct Waiter {
    done: oneshot::Sender<Result<Outcome, StoreError>>,
    places: Option<mpsc::UnboundedSender<Waiting>>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    /// A client of the daemon at `place`. Must be called in a Tokio runtime.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] where nobody answers in time, or the home's refusal.
    pub async fn connect(place: &Address, config: ClientConfig) -> Result<Self, StoreError> {
        Self::open(Connector::Remote(place.clone()), config).await
    }

    /// A client of a home in the same process. Must be called in a Tokio runtime.
    ///
    /// # Errors
    /// As for [`connect`](Self::connect).
    pub async fn local(handle: Handle, config: ClientConfig) -> Result<Self, StoreError> {
        Self::open(Connector::Local(handle), config).await
    }

    async fn open(connector: Connector, config: ClientConfig) -> Result<Self, StoreError> {
        let state = State {
            agent: Agent::new(config.agent),
            waiting: BTreeMap::new(),
            watchers: BTreeMap::new(),
            next_watch: 0,
            is_closed: false,
        };
        let shared =
            Arc::new(Shared { state: Mutex::new(state), wake: Notify::new(), clock: Clock::start() });
        let client = Self { open: Arc::new(Open { shared: Arc::clone(&shared) }) };
        tokio::spawn(drive(shared, connector, config.connect_within));
        client.ask(Op::Ask(Request::Ping)).await?;
        Ok(client)
    }

    /// The id of this client's session, while there is one.
    #[must_use]
    pub fn id(&self) -> Option<AgentId> {
        self.open.shared.lock().agent.id()
    }

    /// How reads were answered.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.open.shared.lock().agent.counts()
    }

    /// The content, from the client's own copy where the home has confirmed it within the bound.
    ///
    /// # Errors
    /// The home's refusal, or a fault of the connection; so for every method.
    pub async fn read(&self, name: &Name) -> Result<Read, StoreError> {
        self.whole(Op::Read { name: name.clone(), fresh: false }).await
    }

    /// The content as the home has it: it was the newest at some moment of the call.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub async fn read_fresh(&self, name: &Name) -> Result<Read, StoreError> {
        self.whole(Op::Read { name: name.clone(), fresh: true }).await
    }

    async fn whole(&self, op: Op) -> Result<Read, StoreError> {
        match self.ask(op).await? {
            Outcome::Read(read) => Ok(read),
            _ => Err(unexpected()),
        }
    }

    /// Some sections. A commit that changes none of them leaves the client's copy valid.
    ///
    /// # Errors
    /// [`Refusal::UnknownSection`] names the sections that there are.
    pub async fn read_sections(&self, name: &Name, sections: &[String]) -> Result<SectionRead, StoreError> {
        if sections.is_empty() {
            let freshness = self.read(name).await?.freshness;
            return Ok(SectionRead { sections: Vec::new(), freshness });
        }
        let op = Op::ReadSections { name: name.clone(), sections: sections.to_vec(), fresh: false };
        match self.ask(op).await? {
            Outcome::Sections(read) => Ok(read),
            _ => Err(unexpected()),
        }
    }

    /// An earlier version, while the history names it.
    ///
    /// # Errors
    /// [`Refusal::UnknownVersion`] says how far the history goes back.
    pub async fn read_version(
        &self,
        name: &Name,
        version: Version,
    ) -> Result<(Edition, bytes::Bytes), StoreError> {
        match self.answer(Request::ReadVersion { name: name.clone(), version }).await? {
            Answer::Old { edition, bytes } => Ok((edition, bytes)),
            _ => Err(unexpected()),
        }
    }

    /// A new artifact.
    ///
    /// # Errors
    /// A conflict where it exists.
    pub async fn create(&self, name: &Name, content: impl Into<Payload>) -> Result<Committed, StoreError> {
        self.committed(Request::Create { name: name.clone(), content: content.into() }).await
    }

    /// A new version, if `expected` is still the newest.
    ///
    /// # Errors
    /// A conflict with base, mine and theirs where another version is.
    pub async fn commit_cas(
        &self,
        name: &Name,
        expected: Stamp,
        content: impl Into<Payload>,
    ) -> Result<Committed, StoreError> {
        let (name, content) = (name.clone(), content.into());
        self.committed(Request::Commit(Change { name, basis: Basis::Unchanged { expected }, content })).await
    }

    /// New versions of several artifacts: all or none. [`Claim::change`] gives the change of a claim.
    ///
    /// # Errors
    /// The conflict of the first member that does not pass.
    pub async fn commit_all(&self, changes: Vec<Change>) -> Result<Vec<Committed>, StoreError> {
        match self.answer(Request::CommitAll(changes)).await? {
            Answer::CommittedAll(all) => Ok(all),
            _ => Err(unexpected()),
        }
    }

    async fn committed(&self, request: Request) -> Result<Committed, StoreError> {
        match self.answer(request).await? {
            Answer::Committed(committed) => Ok(committed),
            _ => Err(unexpected()),
        }
    }

    /// The claim to write, if no other agent has it. The default lease of the home is sized for a call of a language
    /// model; the claim ends with it, with its value, and with the session.
    ///
    /// # Errors
    /// A conflict that says who has it and until when.
    pub async fn acquire(&self, name: &Name, lease: Option<Duration>) -> Result<Claim, StoreError> {
        self.claim(name, lease, None).await
    }

    /// The claim to write, after those who wait for it already. `told` hears the place in the queue, first and whenever
    /// it changes.
    ///
    /// # Errors
    /// A conflict where the queue is full, or the artifact is deleted meanwhile.
    pub async fn acquire_waiting(
        &self,
        name: &Name,
        lease: Option<Duration>,
        mut told: impl FnMut(Waiting) + Send,
    ) -> Result<Claim, StoreError> {
        let (places, mut place) = mpsc::unbounded_channel();
        let mut claim = std::pin::pin!(self.claim(name, lease, Some(places)));
        loop {
            tokio::select! {
                biased;
                Some(place) = place.recv() => told(place),
                claim = &mut claim => return claim,
            }
        }
    }

    async fn claim(
        &self,
        name: &Name,
        lease: Option<Duration>,
        places: Option<mpsc::UnboundedSender<Waiting>>,
    ) -> Result<Claim, StoreError> {
        let lease_ms = lease.map(|lease| u64::try_from(lease.as_millis()).unwrap_or(u64::MAX));
        let request = Request::Acquire { name: name.clone(), lease_ms, wait: places.is_some() };
        match self.ask_with(Op::Ask(request), places).await? {
            Outcome::Answer(Answer::Acquired(claimed)) => Ok(Claim::new(self.clone(), name.clone(), claimed)),
            _ => Err(unexpected()),
        }
    }

    /// Ends an artifact; with `expected`, only at that version. A claim of another agent ends with it, and its holder is
    /// told.
    ///
    /// # Errors
    /// A conflict where it is at another version, or gone.
    pub async fn delete(&self, name: &Name, expected: Option<Stamp>) -> Result<(), StoreError> {
        self.answer(Request::Delete { name: name.clone(), expected }).await.map(drop)
    }

    /// Names that begin with `prefix`, in their order, and whether more follow.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub async fn list(&self, prefix: &str, after: Option<&Name>) -> Result<(Vec<Row>, bool), StoreError> {
        let request = Request::List { prefix: prefix.to_owned(), after: after.cloned() };
        match self.answer(request).await? {
            Answer::Listed { rows, more } => Ok((rows, more)),
            _ => Err(unexpected()),
        }
    }

    /// What the home knows of an artifact.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub async fn history(&self, name: &Name) -> Result<History, StoreError> {
        match self.answer(Request::History { name: name.clone() }).await? {
            Answer::History(history) => Ok(*history),
            _ => Err(unexpected()),
        }
    }

    /// Tells of every new version and every deletion under names that begin with `prefix`, from now on, at least once,
    /// also across lost connections.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub async fn watch(&self, prefix: &str) -> Result<Watch, StoreError> {
        let watch = Watch::new(self.clone(), prefix.to_owned());
        self.answer(Request::Watch { prefix: prefix.to_owned(), after: None }).await?;
        Ok(watch)
    }

    /// Removes contents that no record names and that have been there for the grace period.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub async fn gc(&self) -> Result<Swept, StoreError> {
        match self.answer(Request::Gc).await? {
            Answer::Swept(swept) => Ok(swept),
            _ => Err(unexpected()),
        }
    }

    /// Reads every content that a record names.
    ///
    /// # Errors
    /// As for [`read`](Self::read); faults of the contents are in the answer.
    pub async fn verify(&self) -> Result<Verified, StoreError> {
        match self.answer(Request::Verify).await? {
            Answer::Verified(verified) => Ok(verified),
            _ => Err(unexpected()),
        }
    }

    async fn answer(&self, request: Request) -> Result<Answer, StoreError> {
        match self.ask(Op::Ask(request)).await? {
            Outcome::Answer(answer) => Ok(answer),
            _ => Err(unexpected()),
        }
    }

    async fn ask(&self, op: Op) -> Result<Outcome, StoreError> {
        self.ask_with(op, None).await
    }

    async fn ask_with(
        &self,
        op: Op,
        places: Option<mpsc::UnboundedSender<Waiting>>,
    ) -> Result<Outcome, StoreError> {
        let shared = &self.open.shared;
        let claims = match &op {
            Op::Ask(Request::Acquire { name, .. }) => Some(name.clone()),
            _ => None,
        };
        let answering = {
            let mut state = shared.lock();
            let ticket = match state.agent.request(op, shared.clock.now()) {
                Asked::Done(outcome) => return Ok(outcome),
                Asked::Sent(ticket) => ticket,
            };
            let (done, answer) = oneshot::channel();
            state.waiting.insert(ticket, Waiter { done, places });
            Answering { shared, ticket, answer, claims }
        };
        shared.wake.notify_one();
        answering.await
    }
}

/// Waits for an answer. Dropped before it came, it tells the agent that nobody waits; dropped with the answer in hand,
/// it gives back the claim that nobody has seen.
struct Answering<'s> {
    shared: &'s Arc<Shared>,
    ticket: Ticket,
    answer: oneshot::Receiver<Result<Outcome, StoreError>>,
    claims: Option<Name>,
}

impl Future for Answering<'_> {
    type Output = Result<Outcome, StoreError>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = Pin::new(&mut self.answer).poll(task);
        polled.map(|received| received.unwrap_or(Err(StoreError::Closed)))
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        // The driver answers under the lock, so what is not here now never comes.
        let unseen = self.answer.try_recv();
        if state.waiting.remove(&self.ticket).is_some() {
            state.agent.cancel(self.ticket);
        } else if let (Ok(Ok(Outcome::Answer(Answer::Acquired(claimed)))), Some(name)) =
            (unseen, &self.claims)
        {
            state.agent.discard_claim(name, claimed.mark.generation, self.shared.clock.now());
        } else {
            return;
        }
        drop(state);
        self.shared.wake.notify_one();
    }
}

fn unexpected() -> StoreError {
    Refusal::Protocol { message: "the home gave an answer of another kind".into() }.into()
}

#[cfg(test)]
mod tests {
    use lrrc_coherence::{Digest, Generation, Incarnation, Mark, Millis, Rules};

    use super::drive::hand_out;
    use super::*;
    use crate::backend::Revision;
    use crate::limits::Limits;
    use crate::wire::{Claimed, FromHome, Says, ToHome};

    fn hears(state: &mut State, seq: u64, says: Says) {
        state.agent.receive(FromHome { seq, says }, Millis(1));
        assert_eq!(hand_out(state), None);
    }

    fn acquired() -> Answer {
        let stamp = Stamp { incarnation: Incarnation(1), version: Version::FIRST };
        let mark = Mark { stamp, generation: Generation(7) };
        Answer::Acquired(Claimed { mark, digest: Digest([0; 32]), expires: Millis(9) })
    }

    #[test]
    fn a_claim_that_comes_while_its_caller_leaves_is_given_back() {
        let name: Name = "plan".parse().expect("it is a name");
        let mut agent = Agent::new(AgentConfig::default());
        agent.connected(Millis(0));
        let acquire = Request::Acquire { name: name.clone(), lease_ms: None, wait: false };
        let Asked::Sent(ticket) = agent.request(Op::Ask(acquire), Millis(0)) else { panic!("answered") };
        let (done, answer) = oneshot::channel();
        let waiting = BTreeMap::from([(ticket, Waiter { done, places: None })]);
        let state = State { agent, waiting, watchers: BTreeMap::new(), next_watch: 0, is_closed: false };
        let shared =
            Arc::new(Shared { state: Mutex::new(state), wake: Notify::new(), clock: Clock::start() });
        let mut state = shared.lock();
        let (limits, rules) = (Limits::default(), Rules::default());
        hears(&mut state, 1, Says::Welcome { agent: AgentId(1), limits, rules });
        let leaver = {
            let (shared, name) = (Arc::clone(&shared), name.clone());
            std::thread::spawn(move || {
                drop(Answering { shared: &shared, ticket, answer, claims: Some(name) });
            })
        };
        // Long enough for the caller to come to the lock, which is held here as the driver holds it.
        std::thread::sleep(Duration::from_millis(100));
        let says = Says::Answer { ticket, confirmed: Revision(0), lag_ms: 0, outcome: Ok(acquired()) };
        hears(&mut state, 2, says);
        drop(state);
        leaver.join().expect("it leaves");
        let mut state = shared.lock();
        let asks = std::iter::from_fn(|| state.agent.poll_frame());
        let given_back = asks.filter_map(|frame| match frame {
            ToHome::Ask { request: Request::Release { generation, .. }, .. } => Some(generation),
            _ => None,
        });
        assert_eq!(given_back.collect::<Vec<_>>(), [Generation(7)]);
    }
}
