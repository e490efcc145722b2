//! Watches: changes of names, in a queue for each.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Notify;

use super::{Client, State};
use crate::agent::Op;
use crate::wire::{Changed, Request};

/// Changes that wait for one watch; what comes on top becomes a gap.
const QUEUE_MAX: usize = 4096;

/// What a watch tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Noticed {
    /// A new version, or a deletion.
    Changed(Changed),
    /// Something may have been missed: list the names.
    Gap,
}

/// One watch, as the driver fills it.
#[derive(Debug)]
pub(super) struct Watcher {
    prefix: String,
    queue: VecDeque<Noticed>,
    ready: Arc<Notify>,
}

impl Watcher {
    /// Wakes the watch, for it to see that the client is closed.
    pub(super) fn wake(&self) {
        self.ready.notify_one();
    }

    fn push(&mut self, noticed: Noticed) {
        if self.queue.len() >= QUEUE_MAX {
            self.queue.clear();
            self.queue.push_back(Noticed::Gap);
        }
        self.queue.push_back(noticed);
        self.ready.notify_one();
    }
}

impl State {
    /// Tells the watches of a change.
    pub(super) fn changed(&mut self, changed: &Changed) {
        let concerned =
            self.watchers.values_mut().filter(|watcher| changed.name.starts_with(&watcher.prefix));
        for watcher in concerned {
            watcher.push(Noticed::Changed(changed.clone()));
        }
    }

    /// Tells the watches of a prefix that something may be missing.
    pub(super) fn gap(&mut self, prefix: &str) {
        for watcher in self.watchers.values_mut().filter(|watcher| watcher.prefix == prefix) {
            watcher.push(Noticed::Gap);
        }
    }
}

/// Changes under a prefix. Dropping it ends the watch.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    id: u64,
    prefix: String,
    ready: Arc<Notify>,
}

impl Watch {
    pub(super) fn new(client: Client, prefix: String) -> Self {
        let ready = Arc::new(Notify::new());
        let mut state = client.open.shared.lock();
        state.next_watch += 1;
        let id = state.next_watch;
        let queue = VecDeque::new();
        state.watchers.insert(id, Watcher { prefix: prefix.clone(), queue, ready: Arc::clone(&ready) });
        drop(state);
        Self { client, id, prefix, ready }
    }

    /// The next change; `None` when the client is closed.
    pub async fn next(&mut self) -> Option<Noticed> {
        loop {
            {
                let mut state = self.client.open.shared.lock();
                if let Some(noticed) = state.watchers.get_mut(&self.id)?.queue.pop_front() {
                    return Some(noticed);
                }
                if state.is_closed {
                    return None;
                }
            }
            self.ready.notified().await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let shared = &self.client.open.shared;
        let mut state = shared.lock();
        state.watchers.remove(&self.id);
        if state.watchers.values().any(|watcher| watcher.prefix == self.prefix) {
            return;
        }
        let prefix = std::mem::take(&mut self.prefix);
        // Nobody waits for the answer.
        let _ = state.agent.request(Op::Ask(Request::Unwatch { prefix }), shared.clock.now());
        drop(state);
        shared.wake.notify_one();
    }
}
