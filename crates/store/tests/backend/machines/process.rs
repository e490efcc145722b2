//! What one of the processes does: a home over etcd, and agents of it that read and write until the process is killed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lrrc_coherence::{Bound, Rules, Stamp};
use lrrc_store::wire::{Basis, Change};
use lrrc_store::{
    AgentConfig, Claim, Client, ClientConfig, Clock, Content, ContentRules, EtcdBackend, EtcdConfig, Home,
    HomeConfig, Name, Owner, Refusal, StoreError, digest_of,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::mutant::{Broken, Mutant};
use super::record::{Ask, Move, Record, Said, Told};

pub(crate) const ROOT: &str = "machines";
/// The bound of every agent on the age of what it reads from a copy, in milliseconds.
pub(crate) const AGE_MS_MAX: u64 = 1_000;
/// The lease of a claim, in milliseconds.
pub(crate) const LEASE_MS: u64 = 1_500;

const AGENTS: u32 = 2;
const NAMES: [&str; 3] = ["team/plan", "team/notes", "code"];
const TIMEOUT_MS: u64 = 500;

/// What a process is started with.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Config {
    pub(crate) endpoint: String,
    pub(crate) record: PathBuf,
    pub(crate) seed: u64,
    pub(crate) mutant: Option<Mutant>,
}

/// Runs until it is killed, or the process that started it ends and its input with it.
pub(crate) fn run(config: &Config) {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    let clock = Clock::start();
    let owner = Owner::spawn(home(config, clock), clock);
    let record = Arc::new(Record::create(&config.record));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("threads").block_on(async {
        let mut tasks = Vec::new();
        for id in 0..AGENTS {
            let agent =
                AgentConfig { bound: Bound { versions: 0, age_ms: AGE_MS_MAX }, ..AgentConfig::default() };
            let client = ClientConfig { agent, ..ClientConfig::default() };
            let client = loop {
                // The way to etcd may be cut in this moment too.
                if let Ok(client) = Client::local(owner.handle(), client).await {
                    break client;
                }
            };
            let rng = ChaCha8Rng::seed_from_u64(config.seed * u64::from(AGENTS) + u64::from(id));
            let stem = format!("{} {id}", config.record.display());
            let me = Actor { client, record: Arc::clone(&record), id, op: 0, rng, stem };
            tasks.push(tokio::spawn(me.act()));
        }
        for task in tasks {
            task.await.expect("an agent");
        }
    });
}

/// Waits for etcd as long as it takes: the way to it may be cut when the process starts.
fn home(config: &Config, clock: Clock) -> Home<Broken> {
    let etcd = EtcdConfig {
        root: format!("{ROOT}/"),
        timeout_ms: TIMEOUT_MS,
        ..EtcdConfig::at(config.endpoint.clone())
    };
    let rules = Rules { lease_ms: LEASE_MS, history_max: 4, ..Rules::default() };
    loop {
        let content = Content::in_memory(ContentRules::default()).expect("a thread");
        let home_config = HomeConfig { rules: rules.clone(), ..HomeConfig::default() };
        if let Ok(backend) = EtcdBackend::connect(&etcd)
            && let Ok(home) =
                Home::open(Broken::new(backend, config.mutant), content, home_config, clock.now())
        {
            return home;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

struct Actor {
    client: Client,
    record: Arc<Record>,
    id: u32,
    op: u64,
    rng: ChaCha8Rng,
    /// Makes contents unlike those of every other agent.
    stem: String,
}

impl Actor {
    async fn act(mut self) {
        loop {
            let name: Name = NAMES[self.rng.random_range(0..NAMES.len())].parse().expect("a name");
            match self.rng.random_range(0..100) {
                0..45 => drop(self.read(&name, false).await),
                45..55 => drop(self.read(&name, true).await),
                55..78 => self.compare(&[name]).await,
                78..92 => self.claim(&name).await,
                92..98 => {
                    let all = NAMES.map(|name| name.parse().expect("a name"));
                    self.compare(&all[..2]).await;
                }
                _ => self.delete(&name).await,
            }
            tokio::time::sleep(Duration::from_millis(self.rng.random_range(0..8))).await;
        }
    }

    fn ask(&mut self, ask: Ask) -> u64 {
        self.op += 1;
        self.record.say(self.id, self.op, Said::Ask(ask));
        self.op
    }

    fn tell<T>(&self, op: u64, outcome: Result<T, StoreError>, told: impl FnOnce(&T) -> Told) -> Option<T> {
        let (said, outcome) = match outcome {
            Ok(done) => (told(&done), Some(done)),
            Err(error @ (StoreError::Uncertain { .. } | StoreError::Refused(Refusal::Uncertain { .. }))) => {
                (Told::Uncertain { why: error.to_string() }, None)
            }
            Err(error) => (Told::Refused { why: error.to_string() }, None),
        };
        self.record.say(self.id, op, Said::Told(said));
        outcome
    }

    /// A content that nobody has written before.
    fn content(&self) -> String {
        format!("{} {}\n", self.stem, self.op + 1)
    }

    fn move_of(&self, name: &Name, base: Option<Stamp>, content: &str) -> Move {
        Move { name: name.to_string(), base, digest: digest_of(content.as_bytes()) }
    }

    async fn read(&mut self, name: &Name, fresh: bool) -> Option<Stamp> {
        let op = self.ask(Ask::Read { name: name.to_string(), fresh });
        let read = if fresh { self.client.read_fresh(name).await } else { self.client.read(name).await };
        let read = self.tell(op, read, |read| Told::Read {
            stamp: read.stamp(),
            digest: digest_of(&read.bytes),
            confirmed_revision: read.freshness.confirmed_revision.0,
            age_ms: read.freshness.age_ms,
            from_copy: read.freshness.from_copy,
        });
        read.map(|read| read.stamp())
    }

    /// Writes what it has read, if nobody was faster; makes what there is not.
    async fn compare(&mut self, names: &[Name]) {
        let mut bases = Vec::new();
        for name in names {
            bases.push(self.read(name, false).await);
        }
        let content = self.content();
        if let (&[base], [name]) = (&bases[..], names) {
            let op = self.ask(Ask::Write { moves: vec![self.move_of(name, base, &content)] });
            let done = match base {
                Some(stamp) => self.client.commit_cas(name, stamp, content).await,
                None => self.client.create(name, content).await,
            };
            self.tell(op, done, |done| Told::Written { marks: vec![done.mark] });
            return;
        }
        let (mut moves, mut changes) = (Vec::new(), Vec::new());
        for (name, base) in names.iter().zip(bases) {
            let Some(expected) = base else { return };
            let content = format!("{name} {content}");
            moves.push(self.move_of(name, base, &content));
            let basis = Basis::Unchanged { expected };
            changes.push(Change { name: name.clone(), basis, content: content.into() });
        }
        let op = self.ask(Ask::Write { moves });
        let done = self.client.commit_all(changes).await;
        self.tell(op, done, |done| Told::Written { marks: done.iter().map(|done| done.mark).collect() });
    }

    /// Commits under a claim; now and then it sleeps until its lease is over, and tries all the same.
    async fn claim(&mut self, name: &Name) {
        let op = self.ask(Ask::Acquire { name: name.to_string() });
        let acquired = if self.rng.random_bool(0.5) {
            let waiting = self.client.acquire_waiting(name, None, |_| {});
            match tokio::time::timeout(Duration::from_millis(2 * LEASE_MS), waiting).await {
                Ok(acquired) => acquired,
                Err(_) => {
                    Err(StoreError::Uncertain { what: "an acquire that nobody waits for any more".into() })
                }
            }
        } else {
            self.client.acquire(name, None).await
        };
        let who = self.client.id().map_or(0, |id| id.0);
        let claim = self.tell(op, acquired, |claim| Told::Acquired {
            who,
            stamp: claim.stamp(),
            expires_ms: claim.expires().0,
        });
        let Some(mut claim) = claim else { return };
        for _ in 0..self.rng.random_range(1..4) {
            self.commit_under(op, &mut claim).await;
        }
        let release = self.ask(Ask::Release { claim: op });
        let released = claim.release().await;
        self.tell(release, released, |()| Told::Done);
    }

    async fn commit_under(&mut self, claim_op: u64, claim: &mut Claim) {
        let pause_ms = match self.rng.random_range(0..12) {
            0 => LEASE_MS + 200,
            _ => self.rng.random_range(0..20),
        };
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        let content = self.content();
        let write = self.move_of(claim.name(), Some(claim.stamp()), &content);
        let op = self.ask(Ask::CommitUnder { claim: claim_op, write });
        let done = claim.commit(content).await;
        self.tell(op, done, |done| Told::Written { marks: vec![done.mark] });
    }

    async fn delete(&mut self, name: &Name) {
        let Some(expected) = self.read(name, true).await else { return };
        let op = self.ask(Ask::Delete { name: name.to_string(), expected });
        let done = self.client.delete(name, Some(expected)).await;
        self.tell(op, done, |()| Told::Done);
    }
}
