//! Recorded histories of concurrent clients are linearizable; those that read copies are sequentially consistent.

use std::sync::{Arc, Mutex};

use lrrc_coherence::Conflict;
use lrrc_store::{Client, HomeConfig, Name, Refusal, StoreError};
use stateright::semantics::{
    ConsistencyTester, LinearizabilityTester, SequentialConsistencyTester, SequentialSpec,
};

use crate::house::{House, in_house, name};

const CLIENTS: u64 = 3;
const ROUNDS: usize = 12;

/// One artifact as its clients see it: a number that is written by comparing versions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Artifact {
    version: u64,
    value: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Ask {
    Read,
    Write { expected: u64, value: u64 },
}

/// Version and value after the ask; `Err` with the version where the comparison is lost.
type Told = Result<(u64, u64), u64>;

impl SequentialSpec for Artifact {
    type Op = Ask;
    type Ret = Told;

    fn invoke(&mut self, ask: &Ask) -> Told {
        match *ask {
            Ask::Read => {}
            Ask::Write { expected, .. } if expected != self.version => return Err(self.version),
            Ask::Write { value, .. } => *self = Self { version: self.version + 1, value },
        }
        Ok((self.version, self.value))
    }
}

/// A recorder of either kind of consistency.
trait Tester: ConsistencyTester<u64, Artifact> + std::fmt::Debug + Send + 'static {}
impl<T: ConsistencyTester<u64, Artifact> + std::fmt::Debug + Send + 'static> Tester for T {}

async fn read(client: &Client, at: &Name, fresh: bool) -> lrrc_store::Read {
    let read = if fresh { client.read_fresh(at).await } else { client.read(at).await };
    read.unwrap()
}

fn told(read: &lrrc_store::Read) -> Told {
    let value = std::str::from_utf8(&read.bytes).unwrap().parse().unwrap();
    Ok((read.stamp().version.0, value))
}

/// Reads and writes in turn, writing down when each began and ended.
async fn act<T: Tester>(client: Client, me: u64, at: Name, fresh: bool, history: Arc<Mutex<T>>) {
    for round in 0..ROUNDS {
        history.lock().unwrap().on_invoke(me, Ask::Read).unwrap();
        let seen = read(&client, &at, fresh).await;
        history.lock().unwrap().on_return(me, told(&seen)).unwrap();
        if (round as u64 + me).is_multiple_of(2) {
            let (expected, value) = (seen.stamp().version.0, me * 1000 + round as u64);
            history.lock().unwrap().on_invoke(me, Ask::Write { expected, value }).unwrap();
            let told = match client.commit_cas(&at, seen.stamp(), value.to_string()).await {
                Ok(done) => Ok((done.mark.stamp.version.0, value)),
                Err(StoreError::Refused(Refusal::Conflict { conflict, .. })) => match *conflict {
                    Conflict::VersionMismatch { actual, .. } => Err(actual.version.0),
                    other => panic!("{other}"),
                },
                Err(other) => panic!("{other}"),
            };
            history.lock().unwrap().on_return(me, told).unwrap();
        }
    }
}

async fn record<T: Tester>(house: House, tester: T, fresh: bool) -> T {
    let history = Arc::new(Mutex::new(tester));
    let at = name("counter");
    house.client().await.create(&at, "0").await.unwrap();
    let mut tasks = Vec::new();
    for me in 0..CLIENTS {
        let client = house.client().await;
        tasks.push(tokio::spawn(act(client, me, at.clone(), fresh, Arc::clone(&history))));
    }
    for task in tasks {
        task.await.unwrap();
    }
    Arc::into_inner(history).unwrap().into_inner().unwrap()
}

const START: Artifact = Artifact { version: 1, value: 0 };

#[test]
fn fresh_reads_and_writes_are_linearizable() {
    in_house(HomeConfig::default(), |house| async move {
        let history = record(house, LinearizabilityTester::new(START), true).await;
        assert!(history.is_consistent(), "{history:?}");
    });
}

#[test]
fn reads_of_copies_and_writes_are_sequentially_consistent() {
    in_house(HomeConfig::default(), |house| async move {
        let history = record(house, SequentialConsistencyTester::new(START), false).await;
        assert!(history.is_consistent(), "{history:?}");
    });
}

#[test]
fn the_recorder_refuses_a_read_of_what_was_overwritten_before_it_began() {
    let mut history = LinearizabilityTester::new(START);
    history.on_invret(0, Ask::Write { expected: 1, value: 7 }, Ok((2, 7))).unwrap();
    history.on_invret(1, Ask::Read, Ok((1, 0))).unwrap();
    assert!(!history.is_consistent());
}
