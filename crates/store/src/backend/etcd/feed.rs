//! The watch as a feed: one task fills a bounded buffer, from which followers at any later revision read.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use etcd_client::{
    Error, Event, EventType, GetOptions, KvClient, WatchClient, WatchOptions, WatchResponse, WatchStream,
};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::keys::Keys;
use super::{Change, Revision, revision};

/// Changes that are kept for followers that read late; one that needs older ones makes the watch start anew.
const BUFFERED_MAX: usize = 1 << 14;
const RETRY: Duration = Duration::from_millis(100);

/// Why the feed does not go on.
pub(super) enum Fault {
    /// What follows is gone.
    Compacted,
    /// The cluster does not answer.
    Failed(Error),
    /// The watch did not get there in time.
    Late,
}

/// The watch of one backend.
pub(super) struct Feed {
    shared: Arc<Shared>,
    watch: WatchClient,
}

struct Shared {
    keys: Keys,
    buffer: Mutex<Buffer>,
    filled: Condvar,
}

#[derive(Default)]
struct Buffer {
    /// The buffer holds every change after `from`, through `upto`.
    from: Revision,
    upto: Revision,
    changes: VecDeque<Change>,
    is_compacted: bool,
    task: Option<JoinHandle<()>>,
}

impl Feed {
    pub(super) fn new(watch: WatchClient, keys: &Keys) -> Self {
        let shared = Shared { keys: keys.clone(), buffer: Mutex::default(), filled: Condvar::new() };
        Self { shared: Arc::new(shared), watch }
    }

    /// Makes the buffer begin at `after` or before it.
    pub(super) fn follow(
        &self,
        runtime: &Runtime,
        after: Revision,
        kv: &KvClient,
        timeout: Duration,
    ) -> Result<(), Fault> {
        let mut buffer = self.shared.buffer();
        if buffer.task.is_some() && buffer.from <= after && !buffer.is_compacted {
            return Ok(());
        }
        if let Some(task) = buffer.task.take() {
            task.abort();
        }
        *buffer = Buffer { from: after, upto: after, ..Buffer::default() };
        let opened = runtime.block_on(async {
            let open = open(self.watch.clone(), kv.clone(), &self.shared.keys, after);
            tokio::time::timeout(timeout, open).await.unwrap_or(Err(Fault::Late))
        });
        let stream = opened?;
        let work = keep_watching(Arc::clone(&self.shared), self.watch.clone(), kv.clone(), stream);
        buffer.task = Some(runtime.spawn(work));
        Ok(())
    }

    /// Waits until the watch came to `head`.
    pub(super) fn reach(&self, head: Revision, timeout: Duration) -> Result<(), Fault> {
        let is_there = self.shared.wait_until(timeout, |buffer| buffer.upto >= head)?;
        if is_there { Ok(()) } else { Err(Fault::Late) }
    }

    /// Waits for a change after `after`; whether there is one.
    pub(super) fn wait(&self, after: Revision, timeout: Duration) -> Result<bool, Fault> {
        self.shared
            .wait_until(timeout, |buffer| buffer.changes.back().is_some_and(|last| last.revision > after))
    }

    /// The buffered changes after `after`.
    pub(super) fn after(&self, after: Revision) -> Result<Vec<Change>, Fault> {
        let buffer = self.shared.buffer();
        if buffer.from > after {
            return Err(Fault::Late);
        }
        let start = buffer.changes.partition_point(|change| change.revision <= after);
        Ok(buffer.changes.range(start..).cloned().collect())
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if let Some(task) = self.shared.buffer().task.take() {
            task.abort();
        }
    }
}

impl Shared {
    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_until(&self, timeout: Duration, holds: impl Fn(&Buffer) -> bool) -> Result<bool, Fault> {
        let until = Instant::now() + timeout;
        let mut buffer = self.buffer();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if holds(&buffer) {
                return Ok(true);
            }
            if buffer.is_compacted {
                return Err(Fault::Compacted);
            }
            if left.is_zero() {
                return Ok(false);
            }
            buffer = self.filled.wait_timeout(buffer, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes in one answer of the watch; etcd never divides a revision between two.
    fn take(&self, response: &WatchResponse) {
        let mut changes: Vec<Change> = Vec::new();
        let mut upto = Revision::START;
        for event in response.events() {
            upto = upto.max(event.kv().map_or(Revision::START, |kv| revision(kv.mod_revision())));
            changes.extend(change(event, &self.keys));
        }
        changes.sort_by(|one, other| (one.revision, &one.key).cmp(&(other.revision, &other.key)));
        let mut buffer = self.buffer();
        buffer.upto = buffer.upto.max(upto);
        buffer.changes.extend(changes);
        while buffer.changes.len() > BUFFERED_MAX {
            let Some(first) = buffer.changes.pop_front() else { break };
            buffer.from = first.revision;
        }
        drop(buffer);
        self.filled.notify_all();
    }

    fn end(&self) {
        self.buffer().is_compacted = true;
        self.filled.notify_all();
    }
}

/// The record that an event changed; `None` for the head.
fn change(event: &Event, keys: &Keys) -> Option<Change> {
    let found = event.kv()?;
    let key = keys.record_of(found.key())?;
    let value = match event.event_type() {
        EventType::Put => Some(Bytes::copy_from_slice(found.value())),
        EventType::Delete => None,
    };
    Some(Change { revision: revision(found.mod_revision()), key, value })
}

/// Begins a watch. A read at `after` then proves that nothing after it was compacted before the watch stood: a watch
/// alone does not, because it starts without complaint at the compacted revision, whose deletions are gone.
async fn open(
    mut watch: WatchClient,
    mut kv: KvClient,
    keys: &Keys,
    after: Revision,
) -> Result<WatchStream, Fault> {
    let after = i64::try_from(after.0).unwrap_or(i64::MAX - 1);
    let options = WatchOptions::new().with_prefix().with_start_revision(after + 1);
    let mut stream = watch.watch(keys.watched(), Some(options)).await.map_err(Fault::Failed)?;
    let created = stream.message().await.map_err(Fault::Failed)?;
    if created.is_none_or(|created| created.canceled()) {
        return Err(Fault::Compacted);
    }
    if after > 0 {
        let read = kv.get(keys.head(), Some(GetOptions::new().with_revision(after).with_keys_only())).await;
        read.map_err(|error| {
            if error.to_string().contains("has been compacted") {
                Fault::Compacted
            } else {
                Fault::Failed(error)
            }
        })?;
    }
    Ok(stream)
}

/// Reads the watch until it is compacted, and begins it anew where it ended when the connection is lost.
async fn keep_watching(shared: Arc<Shared>, watch: WatchClient, kv: KvClient, mut stream: WatchStream) {
    loop {
        while let Ok(Some(response)) = stream.message().await {
            if response.compact_revision() > 0 {
                return shared.end();
            }
            if response.canceled() {
                break;
            }
            shared.take(&response);
        }
        stream = loop {
            tokio::time::sleep(RETRY).await;
            let upto = shared.buffer().upto;
            match open(watch.clone(), kv.clone(), &shared.keys, upto).await {
                Ok(stream) => break stream,
                Err(Fault::Compacted) => return shared.end(),
                Err(Fault::Failed(_) | Fault::Late) => {}
            }
        };
    }
}
