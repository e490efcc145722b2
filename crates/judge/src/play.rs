//! Sends the requests of a game, some at a time, each once.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{
    cache::{Cache, Found},
    chat::{Ask, Reply, Usage},
    endpoint::{Endpoint, Failure, excerpt},
    error::JudgeError,
    ledger::{Caps, Estimate, Ledger, Prices},
    retry::Retry,
};

/// Replies that are no chat completion, with not one that is, after which a run stops.
const STRANGE_REPLIES: usize = 5;

/// An endpoint with everything that bounds its use.
#[derive(Debug)]
pub struct Judge {
    /// Who is asked.
    pub endpoint: Endpoint,
    /// Where replies are kept.
    pub cache: Cache,
    /// When a request is sent again.
    pub retry: Retry,
    /// Prices, where they are known.
    pub prices: Option<Prices>,
    /// Limits of a run.
    pub caps: Caps,
    /// Requests under way at a time, at least 1.
    pub concurrency: usize,
}

/// What happens in a run, as it happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A reply is there; requests done, from the cache or answered, and requests in all.
    Done(usize, usize),
    /// A request is sent again after a wait.
    Again {
        /// Why.
        why: String,
        /// How long from now.
        wait: Duration,
    },
    /// Something odd that does not stop the run.
    Warning(String),
}

/// The replies of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Played {
    /// One a request, in order; the default reply, which has no text, where none could be read.
    pub replies: Vec<Reply>,
    /// Requests sent, repetitions included.
    pub sent: u64,
    /// Different requests answered from the cache.
    pub from_cache: usize,
    /// Tokens of what was sent: as reported, and as estimated where nothing was reported.
    pub usage: Usage,
    /// Their price, where prices are known.
    pub usd: Option<f64>,
}

impl Judge {
    /// What asking would cost at most; nothing is sent.
    #[must_use]
    pub fn estimate(&self, asks: &[Ask]) -> Estimate {
        let distinct = distinct(asks);
        let missing = |ask: &&&Ask| !matches!(self.cache.find(ask), Found::Reply(_));
        Estimate::new(distinct.len(), distinct.values().filter(missing).copied(), self.prices)
    }

    /// Asks everything that the cache does not know. Equal requests are sent once. The first failure that does not
    /// pass stops the run; replies so far are in the cache.
    ///
    /// # Errors
    /// A cap, an endpoint that refuses or does not answer, a cache that cannot be written.
    pub fn play(&self, asks: &[Ask], on: &(dyn Fn(Event) + Sync)) -> Result<Played, JudgeError> {
        let distinct = distinct(asks);
        let mut replies: BTreeMap<&str, Reply> = BTreeMap::new();
        let mut missing = Vec::new();
        for (key, ask) in &distinct {
            match self.cache.find(ask) {
                Found::Reply(reply) => drop(replies.insert(*key, reply)),
                Found::Nothing => missing.push(*ask),
                Found::Damaged(why) => {
                    on(Event::Warning(format!("asking again, since {why}")));
                    missing.push(*ask);
                }
            }
        }
        let from_cache = replies.len();
        on(Event::Done(from_cache, distinct.len()));
        let run = Run {
            judge: self,
            ledger: Ledger::new(self.prices, self.caps),
            on,
            next: AtomicUsize::new(0),
            done: AtomicUsize::new(from_cache),
            all: distinct.len(),
            good: AtomicUsize::new(0),
            strange: AtomicUsize::new(0),
            failed: Mutex::new(None),
        };
        replies.extend(run.ask_all(&missing)?);
        let books = run.ledger.books();
        Ok(Played {
            replies: asks.iter().map(|ask| replies[ask.key.as_str()].clone()).collect(),
            sent: books.sent,
            from_cache,
            usage: books.usage,
            usd: self.prices.map(|_| books.usd),
        })
    }
}

fn distinct(asks: &[Ask]) -> BTreeMap<&str, &Ask> {
    asks.iter().map(|ask| (ask.key.as_str(), ask)).collect()
}

/// One run, shared by its workers.
struct Run<'a> {
    judge: &'a Judge,
    ledger: Ledger,
    on: &'a (dyn Fn(Event) + Sync),
    next: AtomicUsize,
    done: AtomicUsize,
    all: usize,
    good: AtomicUsize,
    strange: AtomicUsize,
    failed: Mutex<Option<JudgeError>>,
}

impl Run<'_> {
    fn ask_all<'k>(&self, asks: &[&'k Ask]) -> Result<Vec<(&'k str, Reply)>, JudgeError> {
        let workers = self.judge.concurrency.clamp(1, asks.len().max(1));
        let answered = thread::scope(|scope| {
            let workers: Vec<_> = (0..workers).map(|_| scope.spawn(|| self.work(asks))).collect();
            let join =
                |worker: thread::ScopedJoinHandle<'_, _>| worker.join().expect("a worker does not panic");
            workers.into_iter().flat_map(join).collect::<Vec<_>>()
        });
        match self.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(error),
            None => Ok(answered),
        }
    }

    /// Takes requests until none is left or one has failed for good.
    fn work<'k>(&self, asks: &[&'k Ask]) -> Vec<(&'k str, Reply)> {
        let mut answered = Vec::new();
        while !self.has_failed() {
            let Some(ask) = asks.get(self.next.fetch_add(1, Ordering::Relaxed)) else { break };
            match self.ask(ask) {
                Ok(reply) => {
                    answered.push((ask.key.as_str(), reply));
                    let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
                    (self.on)(Event::Done(done, self.all));
                }
                Err(error) => {
                    let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                    failed.get_or_insert(error);
                }
            }
        }
        answered
    }

    fn has_failed(&self) -> bool {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// The reply to one request, stored; passing failures are waited out.
    fn ask(&self, ask: &Ask) -> Result<Reply, JudgeError> {
        let Judge { endpoint, retry, .. } = self.judge;
        let mut failures = 0;
        loop {
            let reserved = self.ledger.reserve(ask)?;
            let (why, asked) = match endpoint.post(&ask.body) {
                Ok(text) => return self.take(ask, reserved, &text),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(why, asked)) => (why, asked),
            };
            self.ledger.release(reserved);
            failures += 1;
            let url = endpoint.url().to_owned();
            if failures >= retry.attempts.max(1) {
                return Err(JudgeError::Exhausted { url, attempts: failures, why });
            }
            let wait = retry.wait(failures, asked);
            if wait > retry.longest_wait {
                let (wait_s, longest_s) = (wait.as_secs(), retry.longest_wait.as_secs());
                return Err(JudgeError::LongWait { url, wait_s, longest_s, why });
            }
            (self.on)(Event::Again { why, wait });
            thread::sleep(wait);
            if self.has_failed() {
                return Err(JudgeError::Exhausted {
                    url,
                    attempts: failures,
                    why: "the run has stopped".into(),
                });
            }
        }
    }

    /// Reads and stores a reply. What is no chat completion is no answer and is not stored.
    fn take(&self, ask: &Ask, reserved: f64, text: &str) -> Result<Reply, JudgeError> {
        let Some(reply) = Reply::parse(text) else {
            self.ledger.settle(ask, reserved, None);
            let strange = self.strange.fetch_add(1, Ordering::Relaxed) + 1;
            let (url, said) = (self.judge.endpoint.url().to_owned(), excerpt(text));
            if strange >= STRANGE_REPLIES && self.good.load(Ordering::Relaxed) == 0 {
                return Err(JudgeError::NotChat { url, replies: strange, said });
            }
            (self.on)(Event::Warning(format!(
                "a reply that is no chat completion counts as no answer: {said}"
            )));
            return Ok(Reply::default());
        };
        self.good.fetch_add(1, Ordering::Relaxed);
        self.ledger.settle(ask, reserved, reply.usage);
        self.judge.cache.store(ask, &reply)?;
        Ok(reply)
    }
}
