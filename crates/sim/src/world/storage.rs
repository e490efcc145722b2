//! A storage that fails as its seed says, over a disk in memory that outlives its home.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use lrrc_coherence::Digest;
use lrrc_store::{
    Backend, BackendError, Batch, BlobInfo, Change, Entry, Listing, MemoryBackend, MemoryDisk, Revision,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What goes wrong in a storage. Probabilities are per commit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wear {
    /// The commit fails, and nothing has changed.
    pub(super) refuse: f64,
    /// The commit lands, and fails all the same.
    pub(super) uncertain: f64,
    /// No commit is durable, whatever it says: a broken rule that must be found.
    pub(super) forgets: bool,
}

/// The dice of a storage, shared with the world, which calms it at the end.
#[derive(Clone, Debug)]
pub(super) struct Dice(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    wear: Wear,
    random: ChaCha8Rng,
    faults: u64,
}

impl Dice {
    pub(super) fn new(wear: Wear, seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State { wear, random: ChaCha8Rng::seed_from_u64(seed), faults: 0 })))
    }

    /// Nothing fails from here on.
    pub(super) fn calm(&self) {
        let mut state = self.state();
        state.wear = Wear { forgets: state.wear.forgets, ..Wear::default() };
    }

    /// Commits that failed so far.
    pub(super) fn faults(&self) -> u64 {
        self.state().faults
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The storage of one run of a home.
#[derive(Debug)]
pub(super) struct Storage {
    disk: MemoryBackend,
    dice: Dice,
}

impl Storage {
    /// Opens the disk; what was not durable when it was last held is gone.
    pub(super) fn open(disk: &MemoryDisk, dice: Dice) -> Self {
        Self { disk: MemoryBackend::open(disk), dice }
    }
}

/// The failure of a simulated disk.
#[derive(Debug, thiserror::Error)]
#[error("the disk failed, as the seed says")]
struct DiskFault;

impl Backend for Storage {
    fn epoch(&self) -> Option<u32> {
        self.disk.epoch()
    }

    fn revision(&self) -> Result<Revision, BackendError> {
        self.disk.revision()
    }

    fn get(&self, key: &str) -> Result<Option<Entry>, BackendError> {
        self.disk.get(key)
    }

    fn list(&self, prefix: &str) -> Result<Listing, BackendError> {
        self.disk.list(prefix)
    }

    fn commit(&self, batch: &Batch) -> Result<Revision, BackendError> {
        let mut state = self.dice.state();
        let Wear { refuse, uncertain, forgets } = state.wear;
        let fault = state.random.random::<f64>();
        state.faults += u64::from(fault < refuse + uncertain);
        drop(state);
        if fault < refuse {
            let place = "commit".to_owned();
            return Err(BackendError::Unavailable {
                backend: "simulated",
                place,
                source: Box::new(DiskFault),
            });
        }
        let landed =
            if forgets { self.disk.commit(&batch.clone().volatile()) } else { self.disk.commit(batch) };
        if fault < refuse + uncertain {
            landed?;
            return Err(BackendError::Uncertain { backend: "simulated", source: Box::new(DiskFault) });
        }
        landed
    }

    fn changes(&self, after: Revision, max: usize) -> Result<Vec<Change>, BackendError> {
        self.disk.changes(after, max)
    }

    fn wait(&self, after: Revision, timeout: Duration) -> Result<bool, BackendError> {
        self.disk.wait(after, timeout)
    }

    fn compact(&self, through: Revision) -> Result<(), BackendError> {
        self.disk.compact(through)
    }

    fn blob(&self, digest: &Digest) -> Result<Option<Bytes>, BackendError> {
        self.disk.blob(digest)
    }

    fn blobs(&self, after: Option<Digest>, max: usize) -> Result<Vec<BlobInfo>, BackendError> {
        self.disk.blobs(after, max)
    }

    fn sweep(&self, digests: &[Digest], put_before_ms: u64) -> Result<u64, BackendError> {
        self.disk.sweep(digests, put_before_ms)
    }
}

#[cfg(test)]
mod tests {
    use lrrc_coherence::{Millis, Rules, Strategy};
    use lrrc_store::wire::{Answer, Basis, Change, PROTOCOL, Request, Says};
    use lrrc_store::{Content, ContentRules, Home, HomeConfig, Name, Refusal};

    use super::*;

    const NOW: Millis = Millis(0);

    /// A restart may not find what the storage shows after a commit that failed half way.
    #[test]
    fn a_home_whose_storage_failed_says_nothing_more_of_its_records() {
        let dice = Dice::new(Wear::default(), 0);
        let content = Content::in_memory(ContentRules::default()).expect("contents in memory");
        let rules = Rules { strategy: Strategy::Broadcast, ..Rules::default() };
        let config = HomeConfig { rules, ..HomeConfig::default() };
        let storage = Storage::open(&MemoryDisk::default(), dice.clone());
        let mut home = Home::open(storage, content, config, NOW).expect("a home");
        let [writer, reader] = [(); 2].map(|()| home.join(PROTOCOL, NOW).expect("a session"));
        let name: Name = "plan".parse().expect("a name");
        let create = Request::Create { name: name.clone(), content: "one".into() };
        let Ok(Answer::Committed(made)) = home.handle(writer, create, NOW) else { panic!("no artifact") };
        let read = Request::Read { name: name.clone(), have: None, sections: Vec::new(), parts: Vec::new() };
        home.handle(reader, read.clone(), NOW).expect("a read");
        home.outbox();
        dice.state().wear.uncertain = 1.0;
        let basis = Basis::Unchanged { expected: made.mark.stamp };
        let change = Change { name, basis, content: "two".into() };
        let failed = home.handle(writer, Request::Commit(change), NOW);
        assert!(matches!(failed, Err(Refusal::Uncertain { .. })), "{failed:?}");
        let refused = home.handle(reader, read, NOW);
        assert!(matches!(refused, Err(Refusal::Storage { .. })), "{refused:?}");
        home.close(NOW);
        let said = home.outbox();
        assert!(said.iter().all(|(_, frame)| matches!(frame.says, Says::Goodbye { .. })), "{said:?}");
        assert_eq!(said.len(), 2);
    }
}
