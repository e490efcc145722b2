//! redb over a disk that loses power, tears writes, fails once, or lies about its syncs.

use std::collections::BTreeMap;

use lrrc_store::fault::{Faults, FaultyDisk};
use lrrc_store::{Backend, BackendError, Batch, Digest, Expect, RedbBackend, Write, digest_of};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The records and contents of a store, without their revisions.
type Contents = (BTreeMap<String, Vec<u8>>, BTreeMap<Digest, Vec<u8>>);

/// What a store may hold after its disk failed.
struct History {
    /// What it held after each commit; the first is the empty store.
    states: Vec<Contents>,
    /// The last state that a durable commit acknowledged.
    durable: usize,
    /// What the commit would have made that failed, if the error left that open.
    uncertain: Option<Contents>,
    /// Whether the store was ever open: until then it is being made, which in a file is done under another name.
    was_open: bool,
}

impl History {
    fn allows(&self, found: &Contents) -> bool {
        self.states[self.durable..].contains(found) || self.uncertain.as_ref() == Some(found)
    }
}

/// Some hundred bytes to some pages, so that the tree splits and contents span pages.
fn batch(rng: &mut ChaCha8Rng) -> Batch {
    let writes = (0..rng.random_range(1..4)).map(|at| {
        let key = format!("a/{at}{}", rng.random_range(0..8));
        let value = rng.random_bool(0.8).then(|| vec![rng.random(); rng.random_range(0..700)].into());
        Write { key, expect: Expect::Any, value }
    });
    let mut batch = Batch::of(writes.collect::<Vec<_>>());
    batch.durable = rng.random_bool(0.6);
    if rng.random_bool(0.5) {
        let content = vec![rng.random(); rng.random_range(1..20_000)];
        batch = batch.with_blob(digest_of(&content), content, 1);
    }
    batch
}

fn after(state: &Contents, batch: &Batch) -> Contents {
    let (mut records, mut blobs) = state.clone();
    for Write { key, value, .. } in &batch.writes {
        match value {
            Some(value) => records.insert(key.clone(), value.to_vec()),
            None => records.remove(key),
        };
    }
    blobs.extend(batch.blobs.iter().map(|(digest, content)| (*digest, content.to_vec())));
    (records, blobs)
}

fn contents(store: &dyn Backend) -> Contents {
    let records = store.list("").unwrap().entries.into_iter().map(|(key, entry)| (key, entry.value.to_vec()));
    let blobs = store.blobs(None, 1000).unwrap();
    let blobs = blobs.iter().map(|blob| (blob.digest, store.blob(&blob.digest).unwrap().unwrap().to_vec()));
    (records.collect(), blobs.collect())
}

/// Commits the batches of `seed` until one fails.
fn work(disk: &FaultyDisk, seed: u64) -> History {
    let mut history =
        History { states: vec![Contents::default()], durable: 0, uncertain: None, was_open: false };
    let Ok(store) = RedbBackend::with_storage(disk.clone(), "a failing disk") else { return history };
    history.was_open = true;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..20 {
        let batch = batch(&mut rng);
        let next = after(history.states.last().expect("the empty store"), &batch);
        match store.commit(&batch) {
            Ok(_) => {
                history.states.push(next);
                if batch.durable {
                    history.durable = history.states.len() - 1;
                }
            }
            Err(BackendError::Uncertain { .. }) => {
                history.uncertain = Some(next);
                return history;
            }
            Err(BackendError::Unavailable { .. }) => return history,
            Err(other) => panic!("{other}"),
        }
    }
    history
}

/// Operations of the whole work on a sound disk.
fn operations(seed: u64) -> u64 {
    let disk = FaultyDisk::new(Faults::default());
    assert_eq!(work(&disk, seed).states.len(), 21);
    disk.operations()
}

fn check(history: &History, disk: &FaultyDisk, what: &str) {
    let store = match RedbBackend::with_storage(disk.clone(), what) {
        Ok(store) => store,
        Err(_) if !history.was_open => return,
        Err(error) => panic!("{what}: {error}"),
    };
    let found = contents(&store);
    assert!(history.allows(&found), "{what}: neither the last acknowledged state nor a later one");
    store.commit(&Batch::of([Write::put("works again", Expect::Any, "1")])).unwrap();
    drop(store);
    let again = RedbBackend::with_storage(disk.after_power_loss(0), what).unwrap();
    assert!(again.get("works again").unwrap().is_some(), "{what}");
}

#[test]
fn a_power_loss_at_any_operation_loses_nothing_acknowledged() {
    for seed in 0..3 {
        for operation in (0..operations(seed)).step_by(5) {
            let disk = FaultyDisk::new(Faults { power_off_at: Some(operation), ..Faults::default() });
            let history = work(&disk, seed);
            for chance in 0..4 {
                let what = format!("seed {seed}, power off at {operation}, sectors by {chance}");
                check(&history, &disk.after_power_loss(chance), &what);
            }
        }
    }
}

#[test]
fn an_io_error_at_any_operation_loses_nothing_acknowledged() {
    for seed in 3..6 {
        for operation in (0..operations(seed)).step_by(5) {
            let disk = FaultyDisk::new(Faults { io_error_at: Some(operation), ..Faults::default() });
            let history = work(&disk, seed);
            let what = format!("seed {seed}, error at {operation}");
            check(&history, &disk.after_process_end(), &what);
            check(&history, &disk.after_power_loss(operation), &format!("{what}, then a power loss"));
        }
    }
}

/// What such a disk acknowledged can be lost, and no store can help it. But what comes back is a state that the store
/// once had, or the store says that it is damaged.
#[test]
fn a_disk_that_lies_about_its_syncs_shows_nothing_half() {
    let (mut sound, mut refused) = (0, 0);
    for seed in 6..9 {
        for operation in (0..operations(seed)).step_by(11) {
            let disk = FaultyDisk::new(Faults {
                power_off_at: Some(operation),
                syncs_lie_from: Some(operation / 2),
                ..Faults::default()
            });
            let mut history = work(&disk, seed);
            history.durable = 0;
            for chance in 0..4 {
                match RedbBackend::with_storage(disk.after_power_loss(chance), "a lying disk") {
                    Ok(store) => {
                        let what = format!("seed {seed}, power off at {operation}, sectors by {chance}");
                        assert!(history.allows(&contents(&store)), "{what}");
                        sound += 1;
                    }
                    Err(BackendError::Format { .. } | BackendError::Unavailable { .. }) => refused += 1,
                    Err(other) => panic!("{other}"),
                }
            }
        }
    }
    println!("{sound} opened in an earlier state, {refused} refused as damaged");
    assert!(sound > 0);
}
