//! Several writers at once, and followers beside them.

use std::collections::BTreeMap;
use std::time::Duration;

use lrrc_store::{Backend, BackendError, Batch, Expect, Write};

use super::{Case, Place, put, records};

pub(super) const CASES: &[Case] = &[
    ("concurrent increments lose nothing", increments_lose_nothing),
    ("two records of one batch are never seen apart", batches_are_seen_whole),
    ("a follower of concurrent writers ends with their records", follower_ends_with_the_records),
];

const WRITERS: usize = 4;
const ROUNDS: usize = 20;

fn number(value: &[u8]) -> u64 {
    std::str::from_utf8(value).unwrap().parse().unwrap()
}

/// Adds one to every key in one batch, however often it is lost.
fn increment(store: &dyn Backend, keys: &[&str]) {
    loop {
        let writes = keys.iter().map(|key| {
            let entry = store.get(key).unwrap().unwrap();
            Write::put(*key, Expect::At(entry.revision), (number(&entry.value) + 1).to_string())
        });
        match store.commit(&Batch::of(writes)) {
            Ok(_) => return,
            Err(BackendError::Lost { actual: Some(_), .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

fn increments_lose_nothing(place: &mut dyn Place) {
    let store = place.open();
    put(&*store, "count", "0");
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| (0..ROUNDS).for_each(|_| increment(&*store, &["count"])));
        }
    });
    assert_eq!(number(&store.get("count").unwrap().unwrap().value), (WRITERS * ROUNDS) as u64);
}

fn batches_are_seen_whole(place: &mut dyn Place) {
    let store = place.open();
    store.commit(&Batch::of(["left", "right"].map(|key| Write::put(key, Expect::Any, "0")))).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..ROUNDS).for_each(|_| increment(&*store, &["left", "right"])));
        }
        scope.spawn(|| {
            for _ in 0..ROUNDS {
                let seen = records(&*store);
                assert_eq!((&seen[0].1, seen[0].2), (&seen[1].1, seen[1].2));
            }
        });
    });
    assert_eq!(number(&store.get("left").unwrap().unwrap().value), 2 * ROUNDS as u64);
}

fn follower_ends_with_the_records(place: &mut dyn Place) {
    let store = place.open();
    let start = store.revision().unwrap();
    let keys = ["a", "b", "c"];
    let write = |writer: usize| {
        for round in 0..ROUNDS {
            let key = keys[(writer + round) % keys.len()];
            let value = (round % 5 > 0).then(|| format!("{writer} {round}").into());
            store.commit(&Batch::of([Write { key: key.to_owned(), expect: Expect::Any, value }])).unwrap();
        }
    };
    let followed = std::thread::scope(|scope| {
        let follower = scope.spawn(|| follow_to_the_end(&*store, start));
        let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move || write(writer))).collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        put(&*store, "end", "1");
        follower.join().unwrap()
    });
    let stands: BTreeMap<_, _> = records(&*store).into_iter().map(|(key, value, _)| (key, value)).collect();
    assert_eq!(followed, stands);
}

/// The records as a follower puts them together, up to the one named `end`.
fn follow_to_the_end(store: &dyn Backend, start: lrrc_store::Revision) -> BTreeMap<String, Vec<u8>> {
    let (mut followed, mut after) = (BTreeMap::new(), start);
    while !followed.contains_key("end") {
        assert!(store.wait(after, Duration::from_secs(60)).unwrap());
        for change in store.changes(after, 3).unwrap() {
            assert!(change.revision >= after);
            after = change.revision;
            match change.value {
                Some(value) => followed.insert(change.key, value.to_vec()),
                None => followed.remove(&change.key),
            };
        }
    }
    followed
}
