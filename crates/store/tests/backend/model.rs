//! A reference model, in the plainest form, against the backends of one process.

use std::collections::{BTreeMap, BTreeSet};

use lrrc_store::fault::{Faults, FaultyDisk};
use lrrc_store::{
    Backend, BackendError, Batch, Change, Digest, Expect, MemoryDisk, RedbBackend, Revision, Write, digest_of,
};
use proptest::prelude::*;

use crate::conformance::Place;

const KEYS: [&str; 4] = ["a", "a/b", "b", "ü"];

/// What is expected of a key, as far as it can be said before the revisions are known.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Absent,
    Stands,
    Stale,
    Anything,
}

#[derive(Clone, Debug)]
enum Step {
    Commit { writes: BTreeMap<usize, (Asked, Option<u8>)>, blob: Option<u8>, durable: bool },
    Sweep { before_ms: u64 },
    Compact { commit: usize },
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let asked = prop_oneof![
        1 => Just(Asked::Absent),
        3 => Just(Asked::Stands),
        1 => Just(Asked::Stale),
        3 => Just(Asked::Anything),
    ];
    let writes =
        prop::collection::btree_map(0..KEYS.len(), (asked, prop::option::weighted(0.7, 0..4_u8)), 0..4);
    let commit = (writes, prop::option::weighted(0.3, 0..3_u8), any::<bool>());
    let step = prop_oneof![
        12 => commit.prop_map(|(writes, blob, durable)| Step::Commit { writes, blob, durable }),
        1 => (0..40_u64).prop_map(|before_ms| Step::Sweep { before_ms }),
        1 => (0..20_usize).prop_map(|commit| Step::Compact { commit }),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..40)
}

/// The store as a list of what happened.
#[derive(Default)]
struct Model {
    records: BTreeMap<String, (u8, Revision)>,
    blobs: BTreeMap<Digest, u64>,
    feed: Vec<Change>,
    oldest: Revision,
    clock_ms: u64,
}

impl Model {
    fn expect(&self, key: &str, asked: Asked) -> Expect {
        match asked {
            Asked::Absent => Expect::Absent,
            Asked::Stands => {
                Expect::At(self.records.get(key).map_or(Revision::START, |(_, revision)| *revision))
            }
            Asked::Stale => Expect::At(Revision(1)),
            Asked::Anything => Expect::Any,
        }
    }

    fn lost(&self, batch: &Batch) -> Option<String> {
        let lost = batch.writes.iter().find(|write| {
            let actual = self.records.get(&write.key).map(|(_, revision)| *revision);
            match write.expect {
                Expect::Absent => actual.is_some(),
                Expect::At(asked) => actual != Some(asked),
                Expect::Any => false,
            }
        });
        lost.map(|write| write.key.clone())
    }

    fn apply(&mut self, batch: &Batch, revision: Revision) {
        for (digest, _) in &batch.blobs {
            self.blobs.insert(*digest, batch.now_ms);
        }
        for Write { key, value, .. } in &batch.writes {
            let stood = match value {
                Some(value) => {
                    self.records.insert(key.clone(), (value[0], revision));
                    true
                }
                None => self.records.remove(key).is_some(),
            };
            if stood {
                self.feed.push(Change { revision, key: key.clone(), value: value.clone() });
            }
        }
    }

    fn agree(&self, store: &dyn Backend) {
        let listed = store.list("").unwrap().entries;
        let records =
            listed.into_iter().map(|(key, entry)| (key, (entry.value[0], entry.revision))).collect();
        assert_eq!(self.records, records);
        for key in KEYS {
            let found = store.get(key).unwrap().map(|entry| (entry.value[0], entry.revision));
            assert_eq!(self.records.get(key).copied(), found);
        }
        let blobs: Vec<_> =
            store.blobs(None, 10).unwrap().iter().map(|blob| (blob.digest, blob.put_ms)).collect();
        assert_eq!(self.blobs.clone().into_iter().collect::<Vec<_>>(), blobs);
        let kept: Vec<_> = self.feed.iter().filter(|change| change.revision > self.oldest).cloned().collect();
        assert_eq!(kept, store.changes(self.oldest, usize::MAX).unwrap());
    }
}

fn batch(model: &Model, step: &Step) -> Batch {
    let Step::Commit { writes, blob, durable } = step else { return Batch::default() };
    let writes = writes.iter().map(|(key, (asked, value))| Write {
        key: KEYS[*key].to_owned(),
        expect: model.expect(KEYS[*key], *asked),
        value: value.map(|value| vec![value].into()),
    });
    let blobs = blob.iter().map(|blob| (digest_of(&[*blob]), vec![*blob].into())).collect();
    Batch { writes: writes.collect(), blobs, now_ms: model.clock_ms, durable: *durable }
}

/// Runs the steps on both; a process ends well before it is opened again, so that nothing is taken back.
fn run(steps: &[Step], place: &mut dyn Place) {
    let (mut store, mut model) = (place.open(), Model::default());
    for step in steps {
        model.clock_ms += 1;
        match step {
            Step::Commit { .. } => {
                let batch = batch(&model, step);
                match (store.commit(&batch), model.lost(&batch)) {
                    (Ok(revision), None) => model.apply(&batch, revision),
                    (Err(BackendError::Lost { key, .. }), Some(lost)) => assert_eq!(key, lost),
                    other => panic!("{batch:?}: {other:?}"),
                }
            }
            Step::Sweep { before_ms } => {
                let digests: Vec<Digest> = model.blobs.keys().copied().collect();
                let old = model.blobs.extract_if(.., |_, put_ms| *put_ms < *before_ms).count();
                assert_eq!(store.sweep(&digests, *before_ms).unwrap(), old as u64);
            }
            Step::Compact { commit } => {
                let revisions: BTreeSet<Revision> = model.feed.iter().map(|change| change.revision).collect();
                if let Some(through) = revisions.into_iter().nth(*commit) {
                    store.compact(through).unwrap();
                    model.oldest = model.oldest.max(through);
                }
            }
            Step::Reopen => {
                store.commit(&Batch::of([])).unwrap();
                drop(store);
                store = place.open();
            }
        }
        model.agree(&*store);
    }
}

/// A sound disk; each process finds what the one before wrote.
struct SoundDisk(FaultyDisk);

impl Place for SoundDisk {
    fn open(&mut self) -> Box<dyn Backend> {
        self.0 = self.0.after_process_end();
        Box::new(RedbBackend::with_storage(self.0.clone(), "a sound disk").unwrap())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn memory_does_as_the_model(steps in steps()) {
        run(&steps, &mut MemoryDisk::default());
    }

    #[test]
    fn redb_does_as_the_model(steps in steps()) {
        run(&steps, &mut SoundDisk(FaultyDisk::new(Faults::default())));
    }
}
