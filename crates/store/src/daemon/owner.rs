//! The thread that owns the home. Everybody else sends it mail, so the home needs no lock.
//!
//! Where the storage is this machine's disk, the connections live in this thread too: a request would otherwise wait for a
//! second thread to wake, which costs about as much as the storage's own part of a commit. They stand still while the
//! storage works, so where it is far away they live elsewhere.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use lrrc_coherence::{AgentId, Millis};
use tokio::runtime::{self, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::outbox::Outbox;
use crate::backend::Backend;
use crate::clock::Clock;
use crate::error::{Refusal, ServeError};
use crate::home::{Done, Home};
use crate::limits::Limits;
use crate::wire::{FromHome, ToHome};

/// Longest sleep of the owner: claims end, and silent sessions are noticed, at most this late.
const TICK: Duration = Duration::from_millis(50);

/// Letters that are answered together at most.
const LETTERS_MAX: usize = 64;

/// Time for what the connections have still to write when the home has ended.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(1);

/// What the owner is told.
enum Mail {
    Join {
        protocol: u16,
        outbox: Outbox,
        reply: oneshot::Sender<Result<AgentId, Refusal>>,
    },
    Frame {
        agent: AgentId,
        frame: ToHome,
        permit: OwnedSemaphorePermit,
    },
    Leave {
        agent: AgentId,
    },
    Done(Done),
    /// It waits as long as its token is not dropped.
    Feed(Arc<()>),
    /// To be run beside the home, as long as it lives.
    Task(Task),
    Stop,
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A way to the home from within its process. Clones reach the same home.
#[derive(Clone)]
pub struct Handle {
    mail: UnboundedSender<Mail>,
    limits: Limits,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Handle").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// A home at work in its thread. Dropping it stops the home and does not wait for its end: call [`Owner::stop`] for that.
#[derive(Debug)]
pub struct Owner {
    handle: Handle,
    thread: Option<JoinHandle<Result<(), ServeError>>>,
    ended: oneshot::Receiver<()>,
}

impl Owner {
    /// Gives the home a thread.
    #[must_use]
    pub fn spawn<B: Backend + 'static>(home: Home<B>, clock: Clock) -> Self {
        Self::spawn_beside(home, clock, None)
    }

    /// Gives the home a thread; the tasks of its handles run in `elsewhere`, or in the same thread.
    pub(super) fn spawn_beside<B: Backend + 'static>(
        home: Home<B>,
        clock: Clock,
        elsewhere: Option<runtime::Handle>,
    ) -> Self {
        let (mail, post) = unbounded_channel();
        let handle = Handle { mail: mail.clone(), limits: home.limits() };
        if home.is_shared() {
            follow(home.backend(), handle.mail.clone());
        }
        let (ends, ended) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let _ends = ends;
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| ServeError::Failed { why: error.to_string() })?;
            let tasks = elsewhere.unwrap_or_else(|| runtime.handle().clone());
            run(home, &runtime, &tasks, post, &mail, clock)
        });
        Self { handle, thread: Some(thread), ended }
    }

    /// A way to the home.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Comes when the home has ended by itself: [`stop`](Self::stop) says why.
    pub async fn ended(&mut self) {
        let _ = (&mut self.ended).await;
    }

    /// Ends every session and waits for the thread. What was acknowledged is durable already.
    ///
    /// # Errors
    /// [`ServeError::Failed`] where the storage below has failed so that it has to be opened again.
    pub fn stop(mut self) -> Result<(), ServeError> {
        let thread = self.thread.take();
        drop(self);
        thread.map_or(Ok(()), |thread| {
            thread.join().unwrap_or_else(|_| {
                Err(ServeError::Failed { why: "its thread panicked; please report it".to_owned() })
            })
        })
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // A thread that has ended takes no mail.
        let _ = self.handle.mail.send(Mail::Stop);
    }
}

/// Wakes the owner when another home has changed the store. One letter waits at a time: an owner whose storage does not
/// answer takes long for each, and must come to what its agents ask.
fn follow<B: Backend + 'static>(backend: Arc<B>, mail: UnboundedSender<Mail>) {
    std::thread::spawn(move || {
        let token = Arc::new(());
        let mut after = backend.revision().unwrap_or_default();
        loop {
            match backend.wait(after, Duration::from_millis(200)) {
                Ok(_) => after = backend.revision().unwrap_or(after),
                Err(_) => std::thread::sleep(Duration::from_millis(200)),
            }
            if Arc::strong_count(&token) == 1 && mail.send(Mail::Feed(Arc::clone(&token))).is_err() {
                return;
            }
        }
    });
}

/// Works for the home until it is over. The tasks of `runtime` run while there is no mail, which comes from them; the home
/// runs outside of it, for storages block on runtimes of their own.
fn run<B: Backend + 'static>(
    mut home: Home<B>,
    runtime: &Runtime,
    place: &runtime::Handle,
    mut post: UnboundedReceiver<Mail>,
    mail: &UnboundedSender<Mail>,
    clock: Clock,
) -> Result<(), ServeError> {
    let mut outboxes: BTreeMap<AgentId, Outbox> = BTreeMap::new();
    let mut tasks = JoinSet::new();
    let mut ticked = clock.now();
    let mut is_over = false;
    while !is_over && home.failed().is_none() {
        // Letters that lie here already are answered together: their writes share a sync.
        let mut letters = Vec::new();
        // No mail is an answer too: then it is time that has passed.
        let _ = runtime.block_on(async { timeout(TICK, post.recv_many(&mut letters, LETTERS_MAX)).await });
        if letters.len() > 1 {
            home.gather();
        }
        let mut permits = Vec::new();
        for letter in letters {
            match letter {
                Mail::Stop => is_over = true,
                Mail::Task(task) => {
                    while tasks.try_join_next().is_some() {}
                    tasks.spawn_on(task, place);
                }
                letter => permits.extend(open(&mut home, letter, &mut outboxes, clock.now())),
            }
            if home.is_shared() {
                deliver(&mut home, &mut outboxes, clock);
            }
        }
        for chore in home.chores() {
            let mail = mail.clone();
            std::thread::spawn(move || {
                // An owner who has stopped gives no answers.
                let _ = mail.send(Mail::Done(chore.run()));
            });
        }
        let now = clock.now();
        if now.since(ticked) >= TICK.as_millis() as u64 {
            // What was said goes out before, and the time counts from the end: a storage that does not answer makes this
            // long, and must not keep the owner from its mail.
            home.flush();
            deliver(&mut home, &mut outboxes, clock);
            home.tick(now);
            ticked = clock.now();
        }
        home.flush();
        deliver(&mut home, &mut outboxes, clock);
        for (agent, permit) in permits {
            if let Some(outbox) = outboxes.get(&agent) {
                outbox.release(permit);
            }
        }
    }
    home.close(clock.now());
    deliver(&mut home, &mut outboxes, clock);
    // A connection ends when nothing can be said on it any more.
    drop(outboxes);
    drop(post);
    let last_words = async { while tasks.join_next().await.is_some() {} };
    let _ = runtime.block_on(async { timeout(LAST_WORDS_WITHIN, last_words).await });
    home.failed().map_or(Ok(()), |why| Err(ServeError::Failed { why: why.to_owned() }))
}

/// Tells the home what a letter says; the permit of a request, until its answer is written.
fn open<B: Backend>(
    home: &mut Home<B>,
    letter: Mail,
    outboxes: &mut BTreeMap<AgentId, Outbox>,
    now: Millis,
) -> Option<(AgentId, OwnedSemaphorePermit)> {
    match letter {
        Mail::Join { protocol, outbox, reply } => {
            let joined = home.join(protocol, now);
            let agent = joined.as_ref().ok().copied();
            if let (Err(_), Some(agent)) = (reply.send(joined), agent) {
                home.leave(agent, now);
            } else if let Some(agent) = agent {
                outboxes.insert(agent, outbox);
            }
        }
        Mail::Frame { agent, frame, permit } => {
            home.receive(agent, frame, now);
            return Some((agent, permit));
        }
        Mail::Leave { agent } => {
            outboxes.remove(&agent);
            home.leave(agent, now);
        }
        Mail::Done(done) => home.finish(done, now),
        Mail::Feed(token) => {
            drop(token);
            home.follow(now);
        }
        Mail::Task(_) | Mail::Stop => {}
    }
    None
}

/// Hands out what the home has said. A session whose outbox is full is ended: a signal is never left out.
fn deliver<B: Backend>(home: &mut Home<B>, outboxes: &mut BTreeMap<AgentId, Outbox>, clock: Clock) {
    loop {
        let said = home.outbox();
        if said.is_empty() {
            return;
        }
        for (agent, frame) in said {
            let Some(outbox) = outboxes.get(&agent) else { continue };
            if !outbox.send(frame) {
                outboxes.remove(&agent);
                home.leave(agent, clock.now());
            }
        }
        outboxes.retain(|agent, _| home.has(*agent));
    }
}

impl Handle {
    /// Opens a session.
    ///
    /// # Errors
    /// The home's refusal; [`Refusal::SessionOver`] where the home has stopped.
    pub async fn join(&self, protocol: u16) -> Result<Session, Refusal> {
        let (outbox, inbox) = mpsc::channel(self.limits.outbox_max);
        let post = self.admit(protocol, Outbox::Local(outbox)).await?;
        Ok(Session { post, inbox })
    }

    /// Opens a session whose frames go to `outbox`.
    pub(super) async fn admit(&self, protocol: u16, outbox: Outbox) -> Result<Post, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.mail.send(Mail::Join { protocol, outbox, reply }).map_err(|_| stopped())?;
        let agent = answer.await.map_err(|_| stopped())??;
        let permits = Arc::new(Semaphore::new(self.limits.pending_max));
        Ok(Post { agent, mail: self.mail.clone(), permits })
    }

    /// Runs a task as long as the home lives.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // Where the home has stopped, the task is dropped, and what it holds with it.
        let _ = self.mail.send(Mail::Task(Box::pin(task)));
    }

    /// Bounds of the home.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

fn stopped() -> Refusal {
    Refusal::SessionOver { why: "the home has stopped".into() }
}

/// Both directions of a session.
#[derive(Debug)]
pub struct Session {
    /// Towards the home.
    pub post: Post,
    /// What the home says; it ends with the session.
    pub inbox: mpsc::Receiver<FromHome>,
}

/// The way of one session to the home. Dropping it ends the session: the agent is lost, its claims are reclaimed.
#[derive(Debug)]
pub struct Post {
    agent: AgentId,
    mail: UnboundedSender<Mail>,
    permits: Arc<Semaphore>,
}

impl Post {
    /// Sends one frame; waits while too many frames of this session lie before the home.
    ///
    /// # Errors
    /// [`Refusal::SessionOver`] where the home has stopped.
    pub async fn send(&self, frame: ToHome) -> Result<(), Refusal> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| stopped())?;
        self.mail.send(Mail::Frame { agent: self.agent, frame, permit }).map_err(|_| stopped())
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        let _ = self.mail.send(Mail::Leave { agent: self.agent });
    }
}
