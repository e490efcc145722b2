//! A backend for several machines: etcd orders the commits, and keeps them when it acknowledges one.
//!
//! A commit is one transaction that compares `mod_revision`s; the feed is a watch; revisions are etcd's own. etcd's locks
//! are not used: a lock that its holder lost unaware would let a late write through, a compared revision does not.
//!
//! Versions: the API used here (v3 transactions, watches and leases) is that of etcd 3.4 and later; 3.4 is what the
//! tests run. An older server is refused.
//!
//! Under the root lie `f/k/<key>` for records, `f/head`, which every commit writes so that a reader knows how far the watch
//! must come, `b/<digest>` for contents, `i/<digest>` for their sizes and ages, and `oldest`, the compacted revision.

mod feed;
mod keys;
mod lease;
mod tls;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use etcd_client::{
    Client, Compare, CompareOp, ConnectOptions, Error, GetOptions, KeyValue, KvClient, Txn, TxnOp,
    TxnOpResponse, TxnResponse,
};
use lrrc_coherence::Digest;
use tokio::runtime::Runtime;

use crate::error::with_causes;

use super::{Backend, BackendError, Batch, BlobInfo, Change, Entry, Expect, Listing, Revision, Write};
use feed::Feed;
use keys::{BlobMeta, Keys};
use lease::Presence;
pub use tls::EtcdTls;

const NAME: &str = "etcd";

/// How long a cluster that did not answer is left alone. All that waits behind a request in the one thread of a home is
/// refused meanwhile, and need not wait for a timeout each.
const SILENCE: Duration = Duration::from_secs(1);
/// What etcd's defaults take: `--max-txn-ops` and, with room for the frame, `--max-request-bytes`.
const OPERATIONS_MAX: usize = 128;
const REQUEST_BYTES_MAX: usize = 1_400_000;
const PAGE: i64 = 100;
const MESSAGE_BYTES_MAX: usize = 256 << 20;

/// Where etcd is, and how long it is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdConfig {
    /// Addresses such as `http://127.0.0.1:2379`, of members of one cluster.
    pub endpoints: Vec<String>,
    /// What all keys of this store start with, so that a cluster can hold several.
    pub root: String,
    /// Name and password, where the cluster asks for them.
    pub user: Option<(String, String)>,
    /// Files for `https` addresses.
    pub tls: EtcdTls,
    /// How long one request may take, in milliseconds.
    pub timeout_ms: u64,
    /// How long after its last sign of life a home is taken for lost by the others, in seconds. The server rounds it up to
    /// what its elections allow, some seconds.
    pub lease_s: u32,
}

impl EtcdConfig {
    /// The store under `lrrc/` of the cluster at `endpoint`, with three seconds for a request, and homes
    /// that are lost after thirty.
    pub fn at(endpoint: impl Into<String>) -> Self {
        Self {
            endpoints: vec![endpoint.into()],
            root: "lrrc/".to_owned(),
            user: None,
            tls: EtcdTls::default(),
            timeout_ms: 3_000,
            lease_s: 30,
        }
    }
}

/// A backend that several machines use at once, over etcd 3.4 or later.
///
/// A batch is at most 128 operations (one a record, two a content, one more) and 1.4 MB, as etcd's defaults are.
pub struct EtcdBackend {
    feed: Feed,
    client: Client,
    kv: KvClient,
    keys: Keys,
    place: String,
    timeout: Duration,
    lease_s: u32,
    presence: Mutex<Option<Presence>>,
    /// Until when a cluster that did not answer is not asked again.
    silent_until: Mutex<Option<Instant>>,
    /// Last, so that the tasks of the others end before it.
    runtime: Runtime,
}

/// Where the feed of the cluster stands.
struct Marks {
    /// The revision of the last commit.
    head: Revision,
    /// The feed holds what came after it.
    oldest: Revision,
    /// The revision of the cluster.
    current: Revision,
}

impl EtcdBackend {
    /// Connects, and asks the server for its version.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`] when nothing answers, or not as the files for TLS ask; [`BackendError::Format`] when
    /// the server is too old; [`BackendError::Address`] for an address that is none.
    pub fn connect(config: &EtcdConfig) -> Result<Self, BackendError> {
        let place = config.endpoints.join(",");
        let fault = |error: Error| cannot_connect(&place, &error);
        let tls = config.tls.options(&config.endpoints)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| fault(error.into()))?;
        let timeout = Duration::from_millis(config.timeout_ms);
        let mut options = ConnectOptions::new().with_timeout(timeout).with_connect_timeout(timeout);
        options = options.with_keep_alive(timeout, timeout).with_require_leader(true);
        if let Some(tls) = tls {
            options = options.with_tls(tls);
        }
        if let Some((name, password)) = &config.user {
            options = options.with_user(name, password);
        }
        let mut client =
            runtime.block_on(Client::connect(&config.endpoints, Some(options))).map_err(fault)?;
        let status = runtime.block_on(client.status()).map_err(fault)?;
        check_version(&place, status.version())?;
        let keys = Keys::new(&config.root);
        let feed = Feed::new(client.watch_client().max_decoding_message_size(MESSAGE_BYTES_MAX), &keys);
        let kv = client.kv_client().max_decoding_message_size(MESSAGE_BYTES_MAX);
        let (lease_s, presence, silent_until) = (config.lease_s, Mutex::default(), Mutex::default());
        Ok(Self { feed, client, kv, keys, place, timeout, lease_s, presence, silent_until, runtime })
    }

    /// The answer to a request, or nothing in time: the time of the connection does not count while it is made anew.
    fn answer<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
        let silent_until = || self.silent_until.lock().unwrap_or_else(PoisonError::into_inner);
        if silent_until().is_some_and(|until| Instant::now() < until) {
            return Err(Failure::Silent);
        }
        let asked = Instant::now();
        let answered = self.runtime.block_on(async { tokio::time::timeout(self.timeout, work).await });
        // The connection has the same timeout, and may notice it a moment before.
        if !matches!(answered, Ok(Ok(_))) && asked.elapsed() >= self.timeout * 9 / 10 {
            *silent_until() = Some(Instant::now() + SILENCE);
        }
        answered.map_or(Err(Failure::Late(self.timeout)), |answered| answered.map_err(Failure::Said))
    }

    fn run<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, BackendError> {
        self.answer(work).map_err(|failure| unavailable(&self.place, failure.words()))
    }

    fn get_at(&self, key: String) -> Result<Option<KeyValue>, BackendError> {
        Ok(self.run(self.kv.clone().get(key, None))?.take_kvs().pop())
    }

    fn marks(&self) -> Result<Marks, BackendError> {
        let read = [self.keys.head(), self.keys.oldest()].map(|key| TxnOp::get(key, None));
        let response = self.run(self.kv.clone().txn(Txn::new().and_then(read)))?;
        let found: Vec<Option<KeyValue>> = gets(&response);
        let head = found[0].as_ref().map_or(0, KeyValue::mod_revision);
        let oldest = found[1].as_ref().and_then(|found| found.value_str().ok()?.parse().ok());
        let current = response.header().map_or(0, etcd_client::ResponseHeader::revision);
        Ok(Marks { head: revision(head), oldest: Revision(oldest.unwrap_or(0)), current: revision(current) })
    }

    /// Where the feed stands, if it can be followed from `after`.
    fn followable(&self, after: Revision) -> Result<Marks, BackendError> {
        let marks = self.marks()?;
        if after < marks.oldest {
            return Err(BackendError::Compacted { after, oldest: marks.oldest });
        }
        if after > marks.current {
            return Err(BackendError::Compacted { after, oldest: marks.current });
        }
        let watch = self.feed.follow(&self.runtime, after, &self.kv, self.timeout);
        watch.map_err(|error| self.feed_fault(error, after, marks.current))?;
        Ok(marks)
    }

    fn feed_fault(&self, fault: feed::Fault, after: Revision, current: Revision) -> BackendError {
        match fault {
            feed::Fault::Compacted => BackendError::Compacted { after, oldest: current },
            feed::Fault::Failed(error) => unavailable(&self.place, chain(&error)),
            feed::Fault::Late => {
                let why = format!("the watch did not reach revision {current} in time");
                unavailable(&self.place, why)
            }
        }
    }

    /// The transaction of a batch, in which `lease` (0: none) owns the records.
    fn transaction(&self, batch: &Batch, lease: i64) -> Result<Txn, BackendError> {
        let mut operations = vec![TxnOp::put(self.keys.head(), "", None)];
        let mut bytes = 0;
        for (digest, content) in &batch.blobs {
            let meta = BlobMeta { put_ms: batch.now_ms, size_bytes: content.len() as u64 };
            operations.push(TxnOp::put(self.keys.blob(digest), content.as_ref(), None));
            operations.push(TxnOp::put(self.keys.blob_meta(digest), meta.to_string(), None));
            bytes += content.len() + 200;
        }
        for Write { key, value, .. } in &batch.writes {
            let at = self.keys.record(key);
            bytes += 2 * at.len() + value.as_ref().map_or(0, Bytes::len) + 50;
            operations.push(match value {
                Some(value) => {
                    let options = etcd_client::PutOptions::new().with_lease(lease);
                    TxnOp::put(at, value.as_ref(), Some(options))
                }
                None => TxnOp::delete(at, None),
            });
        }
        let too_large =
            |actual, limit, unit| Err(BackendError::TooLarge { backend: NAME, actual, limit, unit });
        if operations.len() > OPERATIONS_MAX {
            return too_large(operations.len(), OPERATIONS_MAX, "operations");
        }
        if bytes > REQUEST_BYTES_MAX {
            return too_large(bytes, REQUEST_BYTES_MAX, "bytes");
        }
        let compares: Vec<Compare> = batch.writes.iter().filter_map(|write| self.compare(write)).collect();
        let reads = self.asked(batch).map(|write| TxnOp::get(self.keys.record(&write.key), None));
        Ok(Txn::new().when(compares).and_then(operations).or_else(reads.collect::<Vec<_>>()))
    }

    /// The writes of a batch that expect something, in its order.
    fn asked<'b>(&self, batch: &'b Batch) -> impl Iterator<Item = &'b Write> {
        batch.writes.iter().filter(|write| write.expect != Expect::Any)
    }

    /// An absent key has the revision 0 in etcd; so an expected revision that no record can have compares as never.
    fn compare(&self, write: &Write) -> Option<Compare> {
        let key = self.keys.record(&write.key);
        match write.expect {
            Expect::Any => None,
            Expect::Absent => Some(Compare::mod_revision(key, CompareOp::Equal, 0)),
            Expect::At(Revision(at)) => Some(match i64::try_from(at) {
                Ok(at) if at > 0 => Compare::mod_revision(key, CompareOp::Equal, at),
                _ => Compare::mod_revision(key, CompareOp::Less, 0),
            }),
        }
    }

    fn commit_as(&self, batch: &Batch, lease: i64) -> Result<Revision, BackendError> {
        batch.check()?;
        let txn = self.transaction(batch, lease)?;
        let response =
            self.answer(self.kv.clone().txn(txn)).map_err(|failure| self.commit_fault(&failure))?;
        if response.succeeded() {
            return Ok(revision(response.header().map_or(0, etcd_client::ResponseHeader::revision)));
        }
        let found = gets(&response).into_iter().map(|found| found.map(|found| entry(&found)));
        let lost = self
            .asked(batch)
            .zip(found)
            .find(|(write, actual)| !write.expect.holds(actual.as_ref().map(|entry| entry.revision)));
        let (write, actual) =
            lost.ok_or_else(|| unavailable(&self.place, "a transaction failed that compares as true"))?;
        Err(BackendError::Lost { key: write.key.clone(), expected: write.expect, actual })
    }

    /// A refusal by the server did nothing; of anything else nobody knows.
    fn commit_fault(&self, failure: &Failure) -> BackendError {
        const REFUSALS: [&str; 3] = ["ResourceExhausted", "InvalidArgument", "PermissionDenied"];
        match failure {
            Failure::Said(Error::GRpcStatus(status))
                if REFUSALS.contains(&format!("{:?}", status.code()).as_str()) =>
            {
                unavailable(&self.place, failure.words())
            }
            Failure::Silent => unavailable(&self.place, failure.words()),
            _ => BackendError::Uncertain { backend: NAME, source: failure.words().into() },
        }
    }
}

/// Why there is no answer.
enum Failure {
    Said(Error),
    Late(Duration),
    /// It was not asked.
    Silent,
}

impl Failure {
    fn words(&self) -> String {
        match self {
            Self::Said(error) => chain(error),
            Self::Late(timeout) => format!("no answer within {timeout:?}"),
            Self::Silent => "no answer a moment ago, and so it was not asked again yet".to_owned(),
        }
    }
}

impl Backend for EtcdBackend {
    fn epoch(&self) -> Option<u32> {
        None
    }

    fn revision(&self) -> Result<Revision, BackendError> {
        Ok(self.marks()?.current)
    }

    fn get(&self, key: &str) -> Result<Option<Entry>, BackendError> {
        Ok(self.get_at(self.keys.record(key))?.as_ref().map(entry))
    }

    fn list(&self, prefix: &str) -> Result<Listing, BackendError> {
        let (mut from, end) =
            (self.keys.record(prefix).into_bytes(), keys::end_of(&self.keys.record(prefix)));
        let (mut at, mut entries) = (0, Vec::new());
        loop {
            let options = GetOptions::new().with_range(end.clone()).with_limit(PAGE).with_revision(at);
            let mut page = self.run(self.kv.clone().get(from, Some(options)))?;
            if at == 0 {
                at = page.header().map_or(0, etcd_client::ResponseHeader::revision);
            }
            let (more, records) = (page.more(), page.take_kvs());
            from = records.last().map(|last| [last.key(), b"\0"].concat()).unwrap_or_default();
            let named =
                records.iter().filter_map(|found| Some((self.keys.record_of(found.key())?, entry(found))));
            entries.extend(named);
            if !more {
                return Ok(Listing { revision: revision(at), entries });
            }
        }
    }

    /// Always durable: etcd acknowledges what a majority has on its disks.
    fn commit(&self, batch: &Batch) -> Result<Revision, BackendError> {
        self.commit_as(batch, 0)
    }

    fn changes(&self, after: Revision, max: usize) -> Result<Vec<Change>, BackendError> {
        let marks = self.followable(after)?;
        let page = self.feed.page(after, max, marks.head, self.timeout);
        Ok(super::whole_commits(page.map_err(|fault| self.feed_fault(fault, after, marks.current))?, max))
    }

    fn wait(&self, after: Revision, timeout: Duration) -> Result<bool, BackendError> {
        let marks = self.followable(after)?;
        let waited = self.feed.wait(after, marks.head, timeout);
        waited.map_err(|fault| self.feed_fault(fault, after, marks.current))
    }

    fn announce(&self, key: &str) -> Result<bool, BackendError> {
        self.put_present(key)?;
        Ok(true)
    }

    fn is_announced(&self) -> bool {
        self.stands()
    }

    /// Compacts the whole cluster, whatever else it holds: etcd has one history.
    fn compact(&self, through: Revision) -> Result<(), BackendError> {
        let marks = self.marks()?;
        let through = through.min(marks.current);
        if through <= marks.oldest {
            return Ok(());
        }
        self.run(self.kv.clone().put(self.keys.oldest(), through.to_string(), None))?;
        match self.run(self.kv.clone().compact(i64::try_from(through.0).unwrap_or(i64::MAX), None)) {
            Err(error) if error.to_string().contains("has been compacted") => Ok(()),
            compacted => compacted.map(|_| ()),
        }
    }

    fn blob(&self, digest: &Digest) -> Result<Option<Bytes>, BackendError> {
        let found = self.get_at(self.keys.blob(digest))?;
        Ok(found.map(|found| Bytes::copy_from_slice(found.value())))
    }

    fn blobs(&self, after: Option<Digest>, max: usize) -> Result<Vec<BlobInfo>, BackendError> {
        let prefix = self.keys.blob_metas();
        let from = after.map_or_else(|| prefix.clone(), |after| format!("{}\0", self.keys.blob_meta(&after)));
        let limit = i64::try_from(max).unwrap_or(i64::MAX);
        let options = GetOptions::new().with_range(keys::end_of(&prefix)).with_limit(limit);
        let found = self.run(self.kv.clone().get(from, Some(options)))?;
        let infos = found.kvs().iter().map(|found| {
            let digest = self.keys.digest_of(found.key());
            let meta: Option<BlobMeta> = found.value_str().ok().and_then(|text| text.parse().ok());
            match (digest, meta) {
                (Some(digest), Some(BlobMeta { put_ms, size_bytes })) => {
                    Ok(BlobInfo { digest, size_bytes, put_ms })
                }
                _ => Err(self.not_ours(found)),
            }
        });
        infos.collect()
    }

    fn sweep(&self, digests: &[Digest], put_before_ms: u64) -> Result<u64, BackendError> {
        let mut removed = 0;
        for digest in digests {
            let at = self.keys.blob_meta(digest);
            let Some(found) = self.get_at(at.clone())? else { continue };
            let meta: Option<BlobMeta> = found.value_str().ok().and_then(|text| text.parse().ok());
            if meta.ok_or_else(|| self.not_ours(&found))?.put_ms >= put_before_ms {
                continue;
            }
            let unchanged = Compare::mod_revision(at.clone(), CompareOp::Equal, found.mod_revision());
            let delete = [at, self.keys.blob(digest)].map(|key| TxnOp::delete(key, None));
            let txn = Txn::new().when([unchanged]).and_then(delete);
            removed += u64::from(self.run(self.kv.clone().txn(txn))?.succeeded());
        }
        Ok(removed)
    }
}

impl EtcdBackend {
    fn not_ours(&self, found: &KeyValue) -> BackendError {
        let key = String::from_utf8_lossy(found.key());
        let why = format!("key {key:?} was not written by this program: give the store a root of its own");
        BackendError::Format { place: self.place.clone(), why }
    }
}

/// What was announced goes at once.
impl Drop for EtcdBackend {
    fn drop(&mut self) {
        self.end_presence();
    }
}

impl std::fmt::Debug for EtcdBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EtcdBackend")
            .field("place", &self.place)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

fn revision(revision: i64) -> Revision {
    Revision(u64::try_from(revision).unwrap_or(0))
}

fn entry(found: &KeyValue) -> Entry {
    Entry { value: Bytes::copy_from_slice(found.value()), revision: revision(found.mod_revision()) }
}

/// What the reads of a transaction found, in their order.
fn gets(response: &TxnResponse) -> Vec<Option<KeyValue>> {
    let reads = response.op_responses().into_iter().filter_map(|response| match response {
        TxnOpResponse::Get(mut get) => Some(get.take_kvs().pop()),
        _ => None,
    });
    reads.collect()
}

fn unavailable(place: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BackendError {
    BackendError::Unavailable { backend: NAME, place: place.to_owned(), source: error.into() }
}

/// What etcd or the way to it says, with the causes.
fn chain(error: &Error) -> String {
    use std::error::Error as _;
    match error {
        Error::GRpcStatus(status) => {
            with_causes(format!("{:?}: {}", status.code(), status.message()), status.source())
        }
        Error::TransportError(error) => with_causes(error.to_string(), error.source()),
        error => with_causes(error.to_string(), error.source()),
    }
}

/// The first request failed, so something is wrong with what the user gave.
fn cannot_connect(place: &str, error: &Error) -> BackendError {
    let advice = "check that etcd runs there, that the address begins with http:// or https:// as etcd does, and the \
        files for TLS";
    unavailable(place, format!("{}; {advice}", chain(error)))
}

fn check_version(place: &str, version: &str) -> Result<(), BackendError> {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    if (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (3, 4) {
        return Ok(());
    }
    let why = format!("is etcd {version}, and 3.4 is the oldest that is supported: upgrade it");
    Err(BackendError::Format { place: place.to_owned(), why })
}
