//! Recorded histories of concurrent clients are linearizable; those that read copies are sequentially consistent.

use std::sync::{Arc, Mutex};

use lrrc_coherence::{Conflict, Stamp};
use lrrc_store::wire::{Basis, Change};
use lrrc_store::{Client, HomeConfig, Name, Refusal, StoreError};
use stateright::semantics::{
    ConsistencyTester, LinearizabilityTester, SequentialConsistencyTester, SequentialSpec,
};

use crate::house::{House, in_house, name};

const CLIENTS: u64 = 3;
const ROUNDS: usize = 8;
const NAMES: [&str; 2] = ["counter", "ledger"];

/// One artifact as its clients see it: a number that is written by comparing versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Artifact {
    version: u64,
    value: u64,
}

/// Two artifacts, which one write may change together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Shelf([Artifact; 2]);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Ask {
    Read { at: usize },
    Write { at: usize, expected: u64, value: u64 },
    WriteAll { expected: [u64; 2], value: u64 },
}

/// What was read or written, or the version with which the first comparison is lost.
type Told = Result<Vec<Artifact>, u64>;

impl SequentialSpec for Shelf {
    type Op = Ask;
    type Ret = Told;

    fn invoke(&mut self, ask: &Ask) -> Told {
        let writes: Vec<(usize, u64, u64)> = match *ask {
            Ask::Read { at } => return Ok(vec![self.0[at]]),
            Ask::Write { at, expected, value } => vec![(at, expected, value)],
            Ask::WriteAll { expected: [first, second], value } => vec![(0, first, value), (1, second, value)],
        };
        if let Some((at, ..)) = writes.iter().find(|(at, expected, _)| *expected != self.0[*at].version) {
            return Err(self.0[*at].version);
        }
        let written = writes.into_iter().map(|(at, expected, value)| {
            self.0[at] = Artifact { version: expected + 1, value };
            self.0[at]
        });
        Ok(written.collect())
    }
}

/// A recorder of either kind of consistency.
trait Tester: ConsistencyTester<u64, Shelf> + std::fmt::Debug + Send + 'static {}
impl<T: ConsistencyTester<u64, Shelf> + std::fmt::Debug + Send + 'static> Tester for T {}

async fn read(client: &Client, at: &Name, fresh: bool) -> lrrc_store::Read {
    let read = if fresh { client.read_fresh(at).await } else { client.read(at).await };
    read.unwrap()
}

fn shown(read: &lrrc_store::Read) -> Artifact {
    let value = std::str::from_utf8(&read.bytes).unwrap().parse().unwrap();
    Artifact { version: read.stamp().version.0, value }
}

/// Reads and writes in turn, writing down when each began and ended.
async fn act<T: Tester>(client: Client, me: u64, fresh: bool, history: Arc<Mutex<T>>) {
    for round in 0..ROUNDS as u64 {
        let mut stamps = Vec::new();
        for (at, text) in NAMES.into_iter().enumerate() {
            history.lock().unwrap().on_invoke(me, Ask::Read { at }).unwrap();
            let seen = read(&client, &name(text), fresh).await;
            history.lock().unwrap().on_return(me, Ok(vec![shown(&seen)])).unwrap();
            stamps.push(seen.stamp());
        }
        let (value, at) = (me * 1000 + round, (round % 2) as usize);
        let expected = [stamps[0].version.0, stamps[1].version.0];
        let (ask, members) = match (round + me) % 3 {
            0 => (Ask::WriteAll { expected, value }, vec![0, 1]),
            1 => (Ask::Write { at, expected: expected[at], value }, vec![at]),
            _ => continue,
        };
        history.lock().unwrap().on_invoke(me, ask).unwrap();
        let told = write(&client, &members, &stamps, value).await;
        history.lock().unwrap().on_return(me, told).unwrap();
    }
}

/// Writes one artifact, or several at once.
async fn write(client: &Client, members: &[usize], stamps: &[Stamp], value: u64) -> Told {
    let text = value.to_string();
    let result = match members {
        [one] => client.commit_cas(&name(NAMES[*one]), stamps[*one], text).await.map(|done| vec![done]),
        several => {
            let change = |at: &usize| Change {
                name: name(NAMES[*at]),
                basis: Basis::Unchanged { expected: stamps[*at] },
                content: text.clone().into(),
            };
            client.commit_all(several.iter().map(change).collect()).await
        }
    };
    match result {
        Ok(all) => {
            Ok(all.iter().map(|done| Artifact { version: done.mark.stamp.version.0, value }).collect())
        }
        Err(StoreError::Refused(Refusal::Conflict { conflict, .. })) => match *conflict {
            Conflict::VersionMismatch { actual, .. } => Err(actual.version.0),
            other => panic!("{other}"),
        },
        Err(other) => panic!("{other}"),
    }
}

async fn record<T: Tester>(house: House, tester: T, fresh: bool) -> T {
    let history = Arc::new(Mutex::new(tester));
    for text in NAMES {
        house.client().await.create(&name(text), "0").await.unwrap();
    }
    let mut tasks = Vec::new();
    for me in 0..CLIENTS {
        let client = house.client().await;
        tasks.push(tokio::spawn(act(client, me, fresh, Arc::clone(&history))));
    }
    for task in tasks {
        task.await.unwrap();
    }
    Arc::into_inner(history).unwrap().into_inner().unwrap()
}

const START: Shelf = Shelf([Artifact { version: 1, value: 0 }; 2]);

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
    let written = Artifact { version: 2, value: 7 };
    history.on_invret(0, Ask::Write { at: 0, expected: 1, value: 7 }, Ok(vec![written])).unwrap();
    history.on_invret(1, Ask::Read { at: 0 }, Ok(vec![START.0[0]])).unwrap();
    assert!(!history.is_consistent());
}

#[test]
fn the_recorder_refuses_half_of_a_joint_write() {
    let mut history = LinearizabilityTester::new(START);
    let written = Artifact { version: 2, value: 7 };
    let ask = Ask::WriteAll { expected: [1, 1], value: 7 };
    history.on_invret(0, ask, Ok(vec![written, written])).unwrap();
    history.on_invret(1, Ask::Read { at: 0 }, Ok(vec![written])).unwrap();
    history.on_invret(1, Ask::Read { at: 1 }, Ok(vec![START.0[1]])).unwrap();
    assert!(!history.is_consistent());
}
