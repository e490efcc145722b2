//! What etcd says happened, revision by revision, whatever the processes believe.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use lrrc_coherence::{Ledger, Stamp};
use lrrc_store::{Backend, BackendError, EtcdBackend, Revision, ledger_of};

/// A record as one commit left it.
pub(crate) struct State {
    pub(crate) revision: u64,
    /// `None` where the commit deleted the artifact.
    pub(crate) ledger: Option<Ledger>,
}

/// The states of each artifact, in the order of revisions.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) states: BTreeMap<String, Vec<State>>,
    /// The first and the last state of each version.
    places: BTreeMap<String, BTreeMap<Stamp, (usize, usize)>>,
}

impl History {
    fn push(&mut self, name: &str, state: State) {
        let states = self.states.entry(name.to_owned()).or_default();
        let at = states.len();
        if let Some(stamp) = stamp_of(&state) {
            let places = self.places.entry(name.to_owned()).or_default();
            places.entry(stamp).or_insert((at, at)).1 = at;
        }
        states.push(state);
    }

    /// What followed the version that `stamp` names: the next, or a deletion.
    pub(crate) fn next(&self, name: &str, stamp: Stamp) -> Option<&State> {
        let (_, last) = self.places.get(name)?.get(&stamp)?;
        self.states.get(name)?.get(last + 1)
    }

    /// The state that brought this version.
    pub(crate) fn first(&self, name: &str, stamp: Stamp) -> Option<&State> {
        let (first, _) = self.places.get(name)?.get(&stamp)?;
        self.states.get(name)?.get(*first)
    }
}

pub(crate) fn stamp_of(state: &State) -> Option<Stamp> {
    state.ledger.as_ref().map(Ledger::stamp)
}

/// Follows the feed from its start, beside the processes.
pub(crate) struct Follower {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<History>,
}

impl Follower {
    pub(crate) fn start(store: EtcdBackend) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            let (mut history, mut after) = (History::default(), Revision::START);
            loop {
                let is_last = flag.load(Ordering::SeqCst);
                let changes = match store.changes(after, usize::MAX) {
                    Ok(changes) => changes,
                    // A server that is busy: it is asked again.
                    Err(BackendError::Unavailable { .. }) => continue,
                    Err(error) => panic!("{error}"),
                };
                for change in changes {
                    after = change.revision;
                    let Some(name) = change.key.strip_prefix("a/") else { continue };
                    let ledger = change.value.map(|value| ledger_of(name, &value).expect("a record"));
                    let state = State { revision: change.revision.0, ledger };
                    history.push(name, state);
                }
                if is_last {
                    return history;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self { is_over, thread }
    }

    /// All that was committed before the call.
    pub(crate) fn end(self) -> History {
        self.is_over.store(true, Ordering::SeqCst);
        self.thread.join().expect("the follower")
    }
}
