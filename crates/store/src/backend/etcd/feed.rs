//! The watch as a feed: one task fills a bounded buffer, from which followers at any later revision read.
//!
//! A buffer that is full forgets its oldest changes, unless a follower reads there: then the watch rests, and the server
//! keeps what comes next, until that follower has read on.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use etcd_client::{
    Error, Event, EventType, GetOptions, KvClient, WatchClient, WatchOptions, WatchResponse, WatchStream,
};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::keys::Keys;
use super::{Change, Revision, revision};

/// Changes that are kept for followers that read late; one that needs older ones makes the watch start anew. One that
/// asks for a larger page makes the buffer as large.
const BUFFERED_MAX: usize = 1 << 14;
/// How long a follower that has read a page may take until it asks for the next.
const HELD: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_millis(100);

/// Why the feed does not go on.
#[derive(Debug)]
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
    /// One watch is opened at a time. The buffer is not locked for as long: the watch before may be about to fill it, on the
    /// thread that has to open the next.
    opening: Mutex<()>,
}

struct Shared {
    keys: Keys,
    buffer: Mutex<Buffer>,
    filled: Condvar,
    /// A reader has begun or ended.
    read: Notify,
}

#[derive(Default)]
struct Buffer {
    /// Number of the watch: what an earlier one still brings is not taken.
    watch: u64,
    /// The buffer holds every change after `from`, through `upto`.
    from: Revision,
    upto: Revision,
    changes: VecDeque<Change>,
    is_compacted: bool,
    task: Option<JoinHandle<()>>,
    /// Who waits for a page: after which revision, and of how many changes.
    readers: Vec<(Revision, usize)>,
    /// Where the watch was begun or the last page ended, and until when the next page is expected to be asked for.
    held: Option<(Revision, Instant)>,
}

impl Feed {
    pub(super) fn new(watch: WatchClient, keys: &Keys) -> Self {
        let (buffer, filled, read) = (Mutex::default(), Condvar::new(), Notify::new());
        let shared = Arc::new(Shared { keys: keys.clone(), buffer, filled, read });
        Self { shared, watch, opening: Mutex::default() }
    }

    /// Makes the buffer begin at `after` or before it.
    pub(super) fn follow(
        &self,
        runtime: &Runtime,
        after: Revision,
        kv: &KvClient,
        timeout: Duration,
    ) -> Result<(), Fault> {
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(number) = self.shared.buffer().begin(after) else { return Ok(()) };
        let opened = runtime.block_on(async {
            let open = open(self.watch.clone(), kv.clone(), &self.shared.keys, after);
            tokio::time::timeout(timeout, open).await.unwrap_or(Err(Fault::Late))
        });
        let work = keep_watching(Arc::clone(&self.shared), number, self.watch.clone(), kv.clone(), opened?);
        self.shared.buffer().task = Some(runtime.spawn(work));
        Ok(())
    }

    /// The changes after `after` as soon as there are `max` of them, or else all through `head`; more than `max` where the
    /// last commit goes on.
    pub(super) fn page(
        &self,
        after: Revision,
        max: usize,
        head: Revision,
        timeout: Duration,
    ) -> Result<Vec<Change>, Fault> {
        let reader = (after, max.max(1));
        self.shared.buffer().readers.push(reader);
        self.shared.read.notify_one();
        let is_there =
            |buffer: &Buffer| buffer.from > after || buffer.upto >= head || buffer.count(after) >= reader.1;
        let (mut buffer, waited) = self.shared.wait_until(timeout, is_there);
        let page = match waited {
            Ok(true) if buffer.from <= after => Ok(buffer.page(after, reader.1)),
            Ok(_) => Err(Fault::Late),
            Err(fault) => Err(fault),
        };
        if let Some(at) = buffer.readers.iter().position(|other| *other == reader) {
            buffer.readers.swap_remove(at);
        }
        if let Ok(page) = &page {
            let end = page.last().map_or(after, |last| last.revision);
            buffer.held = Some((end, Instant::now() + HELD));
        }
        drop(buffer);
        self.shared.read.notify_one();
        page
    }

    /// Waits for a change after `after`; whether there is one. It is late where the watch has not come to `head` by then.
    pub(super) fn wait(&self, after: Revision, head: Revision, timeout: Duration) -> Result<bool, Fault> {
        let is_there = |buffer: &Buffer| buffer.changes.back().is_some_and(|last| last.revision > after);
        let (buffer, waited) = self.shared.wait_until(timeout, is_there);
        let is_there = waited?;
        if is_there || buffer.upto >= head { Ok(is_there) } else { Err(Fault::Late) }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if let Some(task) = self.shared.buffer().task.take() {
            task.abort();
        }
    }
}

impl Buffer {
    /// Empties the buffer for another watch, from `after` on, and gives its number; `None` where the present one will do.
    fn begin(&mut self, after: Revision) -> Option<u64> {
        if self.task.is_some() && self.from <= after && !self.is_compacted {
            return None;
        }
        if let Some(task) = self.task.take() {
            task.abort();
        }
        (self.from, self.upto, self.is_compacted) = (after, after, false);
        self.changes.clear();
        self.held = Some((after, Instant::now() + HELD));
        self.watch += 1;
        Some(self.watch)
    }

    fn start(&self, after: Revision) -> usize {
        self.changes.partition_point(|change| change.revision <= after)
    }

    fn count(&self, after: Revision) -> usize {
        self.changes.len() - self.start(after)
    }

    /// The first changes after `after`: one more than `max`, so that a cut commit shows, and all of the first commit.
    fn page(&self, after: Revision, max: usize) -> Vec<Change> {
        let rest = self.changes.range(self.start(after)..);
        let first = rest.clone().next().map(|change| change.revision);
        let page = rest.enumerate().take_while(|(at, change)| *at <= max || Some(change.revision) == first);
        page.map(|(_, change)| change.clone()).collect()
    }

    /// Forgets the oldest changes where there are too many, but none that a reader has before it. Whether the watch may
    /// read on: there is room, or a reader wants more than the buffer holds.
    fn make_room(&mut self) -> bool {
        let now = Instant::now();
        let held = self.held.filter(|(_, until)| now < *until).map(|(end, _)| end);
        let needed = self.readers.iter().map(|(after, _)| *after).chain(held).min();
        while self.changes.len() > BUFFERED_MAX {
            let oldest = self.changes.front().map(|change| change.revision);
            let Some(oldest) = oldest.filter(|oldest| needed.is_none_or(|needed| *oldest <= needed)) else {
                return self.readers.iter().any(|(after, max)| self.count(*after) < *max);
            };
            self.changes.pop_front();
            self.from = oldest;
        }
        true
    }
}

impl Shared {
    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it holds, or for the time; whether it does, and the buffer as it was looked at.
    fn wait_until(
        &self,
        timeout: Duration,
        holds: impl Fn(&Buffer) -> bool,
    ) -> (MutexGuard<'_, Buffer>, Result<bool, Fault>) {
        let until = Instant::now() + timeout;
        let mut buffer = self.buffer();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if holds(&buffer) {
                return (buffer, Ok(true));
            }
            if buffer.is_compacted {
                return (buffer, Err(Fault::Compacted));
            }
            if left.is_zero() {
                return (buffer, Ok(false));
            }
            buffer = self.filled.wait_timeout(buffer, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes in one answer of the watch; etcd never divides a revision between two.
    fn take(&self, number: u64, response: &WatchResponse) {
        let mut changes: Vec<Change> = Vec::new();
        let mut upto = Revision::START;
        for event in response.events() {
            upto = upto.max(event.kv().map_or(Revision::START, |kv| revision(kv.mod_revision())));
            changes.extend(change(event, &self.keys));
        }
        changes.sort_by(|one, other| (one.revision, &one.key).cmp(&(other.revision, &other.key)));
        self.fill(number, changes, upto);
    }

    /// Adds what the watch of that number brought, through `upto`.
    fn fill(&self, number: u64, changes: Vec<Change>, upto: Revision) {
        let mut buffer = self.buffer();
        if buffer.watch == number {
            buffer.upto = buffer.upto.max(upto);
            buffer.changes.extend(changes);
        }
        drop(buffer);
        self.filled.notify_all();
    }

    /// Waits until the watch may read on.
    async fn room(&self) {
        while !self.buffer().make_room() {
            // What is held is free after its time, and nobody says so.
            let _ = tokio::time::timeout(RETRY, self.read.notified()).await;
        }
    }

    fn end(&self, number: u64) {
        let mut buffer = self.buffer();
        buffer.is_compacted |= buffer.watch == number;
        drop(buffer);
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

/// Reads the watch of that number until it is compacted, and begins it anew where it ended when the connection is lost.
async fn keep_watching(
    shared: Arc<Shared>,
    number: u64,
    watch: WatchClient,
    kv: KvClient,
    mut stream: WatchStream,
) {
    loop {
        while let Ok(Some(response)) = stream.message().await {
            if response.compact_revision() > 0 {
                return shared.end(number);
            }
            if response.canceled() {
                break;
            }
            shared.take(number, &response);
            shared.room().await;
        }
        stream = loop {
            tokio::time::sleep(RETRY).await;
            let upto = shared.buffer().upto;
            match open(watch.clone(), kv.clone(), &shared.keys, upto).await {
                Ok(stream) => break stream,
                Err(Fault::Compacted) => return shared.end(number),
                Err(Fault::Failed(_) | Fault::Late) => {}
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use etcd_client::Client;

    use super::*;

    fn changes(revisions: std::ops::RangeInclusive<u64>) -> Vec<Change> {
        revisions.map(|at| Change { revision: Revision(at), key: at.to_string(), value: None }).collect()
    }

    /// A feed of a server that never answers.
    fn silent(runtime: &Runtime) -> (Client, Feed, std::net::TcpListener) {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let place = format!("http://{}", server.local_addr().unwrap());
        let client = runtime.block_on(Client::connect([place], None)).unwrap();
        let feed = Feed::new(client.watch_client(), &Keys::new("root/"));
        (client, feed, server)
    }

    fn full() -> Buffer {
        let last = BUFFERED_MAX as u64 + 10;
        Buffer { changes: changes(1..=last).into(), upto: Revision(last), ..Buffer::default() }
    }

    #[test]
    fn a_full_buffer_forgets_its_oldest_changes_where_nobody_reads_there() {
        let mut buffer = full();
        assert!(buffer.make_room());
        assert_eq!((buffer.from, buffer.changes.len()), (Revision(10), BUFFERED_MAX));
    }

    #[test]
    fn a_watch_rests_while_the_buffer_is_full_of_what_a_reader_needs() {
        let soon = Instant::now() + HELD;
        let place = |readers: &[(Revision, usize)], held| Buffer { readers: readers.into(), held, ..full() };
        for mut buffer in [place(&[(Revision(4), 100)], None), place(&[], Some((Revision(4), soon)))] {
            assert!(!buffer.make_room());
            assert_eq!(buffer.from, Revision(4));
        }
        assert!(place(&[(Revision(4), 2 * BUFFERED_MAX)], None).make_room(), "it wants more than there is");
        assert!(place(&[], Some((Revision(4), Instant::now()))).make_room(), "it has not come again");
    }

    #[test]
    fn what_an_earlier_watch_brings_is_not_taken() {
        let runtime = Runtime::new().unwrap();
        let (_, feed, _server) = silent(&runtime);
        let old = feed.shared.buffer().begin(Revision(7)).unwrap();
        let new = feed.shared.buffer().begin(Revision(3)).unwrap();
        feed.shared.fill(old, changes(8..=9), Revision(9));
        feed.shared.end(old);
        let now = |buffer: &Buffer| (buffer.upto, buffer.is_compacted);
        assert_eq!(now(&feed.shared.buffer()), (Revision(3), false));
        feed.shared.fill(new, changes(4..=9), Revision(9));
        assert_eq!(feed.page(Revision(3), 9, Revision(9), Duration::ZERO).unwrap(), changes(4..=9));
    }

    #[test]
    fn a_watch_that_is_being_opened_does_not_keep_others_from_the_buffer() {
        let runtime = Runtime::new().unwrap();
        let (client, feed, _server) = silent(&runtime);
        let (after, timeout) = (Revision(7), Duration::from_millis(500));
        std::thread::scope(|scope| {
            let follower = scope.spawn(|| feed.follow(&runtime, after, &client.kv_client(), timeout));
            while feed.opening.try_lock().is_ok() {
                std::thread::yield_now();
            }
            std::thread::sleep(Duration::from_millis(50));
            assert!(feed.shared.buffer.try_lock().is_ok());
            assert!(!follower.is_finished());
            assert!(matches!(follower.join().unwrap(), Err(Fault::Late | Fault::Failed(_))));
        });
    }
}
