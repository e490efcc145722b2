//! Contents by the BLAKE3 hash of their bytes: small ones beside the records, large ones in an object store.
//!
//! A content is put before a record names it, so that a crash leaves garbage and never a name without bytes. In the
//! object store each put is an object of its own, `blobs/ab/abcd…/<time of the put>`. The collector removes puts, never
//! names: a put that comes while an old one of the same content is being removed is another object, and stays.

mod owner;
#[cfg(feature = "s3")]
mod s3;
mod staged;

use std::error::Error;
use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::TryStreamExt;
use lrrc_coherence::Digest;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
#[cfg(feature = "s3")]
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use crate::backend::{Backend, BackendError};

use crate::digest::digest_of;
#[cfg(feature = "s3")]
use crate::error::with_causes;
use crate::room::Room;
use crate::shelf::Shelf;

const FOLDER: &str = "blobs";

/// Bytes of contents from a store far away that are kept at hand.
#[cfg(feature = "s3")]
const SHELF_BYTES_MAX: u64 = 128 << 20;

/// How often a content is put whose folder goes meanwhile.
const PUT_TRIES: u32 = 16;

/// Where contents go, and how long a content may wait for the record that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContentRules {
    /// Contents up to this length ride in the transaction of their record, in bytes.
    pub inline_bytes_max: usize,
    /// Longer contents are refused, in bytes.
    pub content_bytes_max: usize,
    /// How long a put is safe from the collector whether or not a record names it, in milliseconds. A record must
    /// name it within half of that; the clocks of all machines that share the store must agree to within the other
    /// half.
    pub grace_ms: u64,
}

impl Default for ContentRules {
    fn default() -> Self {
        Self { inline_bytes_max: 64 << 10, content_bytes_max: 16 << 20, grace_ms: 3_600_000 }
    }
}

/// Why a content was not put or not found.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The content is longer than the rules allow.
    #[error(
        "the content has {size_bytes} bytes, and the limit is {limit_bytes}: split it, or raise the limit of the store"
    )]
    TooLarge {
        /// Its length.
        size_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// Nothing lies under the name. A name that was read from a record a while ago may have been collected since:
    /// read the record again.
    #[error("there is no content {digest}")]
    Missing {
        /// The name.
        digest: Digest,
    },
    /// The bytes are not those that the name stands for.
    #[error(
        "content {digest} is damaged: its bytes hash to {actual}; put it again or restore the store from a copy"
    )]
    Damaged {
        /// The name.
        digest: Digest,
        /// The hash of what lies there.
        actual: Digest,
    },
    /// The place is not one that contents can be kept in.
    #[error("contents cannot be kept in {place:?}: {why}")]
    Place {
        /// What was given.
        place: String,
        /// What is wrong with it.
        why: String,
    },
    /// The contents there are those of another store, whose collector and this one's would each remove what it does not know.
    #[error(
        "{place} holds the contents of another store, {theirs}, and this one is {ours}: name another place, or remove the object {object:?} from there if that store is gone"
    )]
    Foreign {
        /// Where they lie.
        place: String,
        /// Id of the store that put them.
        theirs: String,
        /// Id of this store.
        ours: String,
        /// The object that says whose they are.
        object: &'static str,
    },
    /// Nothing of this store lies there, and it has put contents elsewhere.
    #[error(
        "the contents of this store lie at {recorded}, and nothing of it at {place}: give that place, or move them with their object {object:?}"
    )]
    Elsewhere {
        /// What was given.
        place: String,
        /// Where they were last.
        recorded: String,
        /// The object that says whose they are.
        object: &'static str,
    },
    /// The folder of the contents cannot be tidied, or its disk is full.
    #[error("the content store at {place}: {source}")]
    Folder {
        /// The folder.
        place: String,
        /// What the system says.
        source: io::Error,
    },
    /// The object store did not answer as it should.
    #[error("the content store at {place}: {source}")]
    Store {
        /// Its folder or address.
        place: String,
        /// What it said.
        source: object_store::Error,
    },
    /// The backend, which holds the small contents, failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// A content that was put, and that a record may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its name.
    pub digest: Digest,
    /// Its bytes.
    pub content: Bytes,
    /// When it was put, in milliseconds of the caller's clock.
    pub put_ms: u64,
    /// Whether it still has to be put, by the batch that names it.
    pub is_inline: bool,
}

impl Placed {
    /// What the batch that names the content must carry in its `blobs`.
    #[must_use]
    pub fn blob(&self) -> Option<(Digest, Bytes)> {
        self.is_inline.then(|| (self.digest, self.content.clone()))
    }
}

/// The contents of one store.
///
/// All methods block; none may be called within an asynchronous task.
///
/// ```
/// use lrrc_store::{Backend, Batch, Content, ContentRules, Expect, MemoryBackend, Write};
///
/// let (backend, content) = (MemoryBackend::new(), Content::in_memory(ContentRules::default())?);
/// let placed = content.put("a plan".into(), 0)?;
/// let name = placed.digest.to_string();
/// let batch = Batch { blobs: placed.blob().into_iter().collect(), ..Batch::of([Write::put("a/plan", Expect::Absent, name)]) };
/// backend.commit(&batch)?;
/// assert_eq!(content.get(&backend, &placed.digest)?, "a plan");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Content {
    objects: Arc<dyn ObjectStore>,
    /// Where the objects are files.
    folder: Option<PathBuf>,
    place: String,
    /// Whether the disk of the folder has some.
    pub(crate) room: Room,
    rules: ContentRules,
    runtime: Runtime,
    /// What was put or read lately, where the objects are far away: a home waits for each that it asks for, and so do all
    /// its agents.
    shelf: Option<Arc<Mutex<Shelf>>>,
}

impl Content {
    /// Keeps large contents in a folder, which is made if need be; each is on the disk when its put returns.
    ///
    /// # Errors
    /// [`ContentError::Place`] when the folder cannot be used.
    pub fn in_folder(folder: impl AsRef<FilePath>, rules: ContentRules) -> Result<Self, ContentError> {
        let folder = folder.as_ref();
        let place = folder.display().to_string();
        let fault = |why: String| ContentError::Place { place: place.clone(), why };
        make_private(folder).map_err(|error| fault(error.to_string()))?;
        let objects = LocalFileSystem::new_with_prefix(folder).map_err(|error| fault(error.to_string()))?;
        let objects = Arc::new(objects.with_fsync(true).with_automatic_cleanup(true));
        // It is written down, and read by processes that run elsewhere.
        let place = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()).display().to_string();
        let room = Room::Beside(folder.to_owned());
        Ok(Self { folder: Some(folder.to_owned()), room, ..Self::new(objects, place, rules)? })
    }

    /// Keeps large contents in memory, for tests and simulations.
    ///
    /// # Errors
    /// [`ContentError::Place`] when the system gives no thread.
    pub fn in_memory(rules: ContentRules) -> Result<Self, ContentError> {
        Self::new(Arc::new(InMemory::new()), "memory".to_owned(), rules)
    }

    /// The same contents for another home.
    ///
    /// # Errors
    /// [`ContentError::Place`] when the system gives no thread.
    pub fn again(&self) -> Result<Self, ContentError> {
        let again = Self::new(Arc::clone(&self.objects), self.place.clone(), self.rules)?;
        let (folder, room, shelf) = (self.folder.clone(), self.room.clone(), self.shelf.clone());
        Ok(Self { folder, room, shelf, ..again })
    }

    /// Keeps large contents under `address`: `s3://bucket/folder` (with the feature `s3`), with the options of
    /// [`object_store`], such as `endpoint`, `region` or `access_key_id`. Anything without `://` is a folder.
    ///
    /// # Errors
    /// [`ContentError::Place`] when the address is not understood, or the store does not answer as it should.
    pub fn at<'o>(
        address: &str,
        options: impl IntoIterator<Item = (&'o str, &'o str)>,
        rules: ContentRules,
    ) -> Result<Self, ContentError> {
        let fault = |why: String| ContentError::Place { place: address.to_owned(), why };
        match address.split_once("://") {
            None => Self::in_folder(address, rules),
            Some(("file", folder)) => Self::in_folder(folder, rules),
            Some(("s3" | "s3a", _)) => {
                let url = url::Url::parse(address).map_err(|error| fault(error.to_string()))?;
                Self::in_s3(&url, options, rules)
            }
            Some(_) => Err(fault("write a folder, or s3://BUCKET/FOLDER".to_owned())),
        }
    }

    /// Asks the store once, so that a wrong bucket or key shows here and not at the first put.
    #[cfg(feature = "s3")]
    fn in_s3<'o>(
        url: &url::Url,
        options: impl IntoIterator<Item = (&'o str, &'o str)>,
        rules: ContentRules,
    ) -> Result<Self, ContentError> {
        const ADVICE: &str =
            "check the bucket, AWS_ENDPOINT (with AWS_ALLOW_HTTP=true for http://), AWS_REGION and the keys";
        let place = url.to_string();
        let fault = |error: object_store::Error| {
            let why = with_causes(error.to_string(), Error::source(&error));
            ContentError::Place { place: place.clone(), why: format!("{why}; {ADVICE}") }
        };
        let (objects, folder) = s3::open(url, options).map_err(fault)?;
        let shelf = Some(Arc::new(Mutex::new(Shelf::new(SHELF_BYTES_MAX))));
        let content = Self::new(Arc::new(PrefixStore::new(objects, folder)), place.clone(), rules)?;
        let content = Self { shelf, ..content };
        let asked = content.runtime.block_on(content.objects.list_with_delimiter(Some(&Path::from(FOLDER))));
        asked.map_err(fault)?;
        Ok(content)
    }

    #[cfg(not(feature = "s3"))]
    fn in_s3<'o>(
        url: &url::Url,
        _: impl IntoIterator<Item = (&'o str, &'o str)>,
        _: ContentRules,
    ) -> Result<Self, ContentError> {
        let why =
            "this program was built without S3: build it with the feature s3, or name a folder".to_owned();
        Err(ContentError::Place { place: url.to_string(), why })
    }

    fn new(objects: Arc<dyn ObjectStore>, place: String, rules: ContentRules) -> Result<Self, ContentError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| ContentError::Place { place: place.clone(), why: error.to_string() })?;
        Ok(Self { objects, folder: None, place, room: Room::Unknown, rules, runtime, shelf: None })
    }

    /// Whether the objects are not on this machine.
    pub(crate) const fn is_far(&self) -> bool {
        self.shelf.is_some()
    }

    /// The rules it was made with.
    #[must_use]
    pub fn rules(&self) -> &ContentRules {
        &self.rules
    }

    /// Puts a content: a large one into the object store now, a small one by the batch that will name it.
    /// A recent put of the same content is used again.
    ///
    /// # Errors
    /// [`ContentError::TooLarge`], and [`ContentError::Store`] when the store failed, which leaves at most garbage.
    pub fn put(&self, content: Bytes, now_ms: u64) -> Result<Placed, ContentError> {
        if content.len() > self.rules.content_bytes_max {
            let limit_bytes = self.rules.content_bytes_max;
            return Err(ContentError::TooLarge { size_bytes: content.len(), limit_bytes });
        }
        let digest = digest_of(&content);
        let is_inline = content.len() <= self.rules.inline_bytes_max;
        let put_ms = if is_inline { now_ms } else { self.put_object(&digest, &content, now_ms)? };
        if !is_inline {
            self.on_shelf(|shelf| shelf.put(digest, content.clone()));
        }
        Ok(Placed { digest, content, put_ms, is_inline })
    }

    /// Puts the content again if its put is too old to be named by a record. Call it right before the commit.
    ///
    /// # Errors
    /// [`ContentError::Store`].
    pub fn refresh(&self, placed: &mut Placed, now_ms: u64) -> Result<(), ContentError> {
        if placed.is_inline {
            placed.put_ms = now_ms;
        } else if !self.is_fresh(placed.put_ms, now_ms) {
            placed.put_ms = self.put_object(&placed.digest, &placed.content, now_ms)?;
        }
        Ok(())
    }

    /// The bytes of a content, checked against their name. Those of a content in S3 may be from an earlier read or put.
    ///
    /// # Errors
    /// [`ContentError::Missing`], [`ContentError::Damaged`], or that a store failed.
    pub fn get(&self, backend: &dyn Backend, digest: &Digest) -> Result<Bytes, ContentError> {
        match self.on_shelf(|shelf| shelf.get(digest)).flatten() {
            Some(content) => Ok(content),
            None => self.fetch(backend, digest),
        }
    }

    /// As [`Self::get`], from where the content lies.
    pub(crate) fn fetch(&self, backend: &dyn Backend, digest: &Digest) -> Result<Bytes, ContentError> {
        match backend.blob(digest)? {
            Some(content) => checked(digest, content),
            None => self.get_object(digest),
        }
    }

    fn on_shelf<T>(&self, work: impl FnOnce(&mut Shelf) -> T) -> Option<T> {
        let shelf = self.shelf.as_ref()?;
        Some(work(&mut shelf.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// A put is named within half the grace, and reused within half of that half.
    fn is_fresh(&self, put_ms: u64, now_ms: u64) -> bool {
        put_ms.saturating_add(self.rules.grace_ms / 2) >= now_ms
    }

    fn put_object(&self, digest: &Digest, content: &Bytes, now_ms: u64) -> Result<u64, ContentError> {
        self.room
            .for_content(content.len() as u64)
            .map_err(|error| self.folder_fault(io::Error::other(error)))?;
        self.run(async {
            let newest = self.puts_of(digest).await?.into_iter().max();
            if let Some(put_ms) =
                newest.filter(|put_ms| put_ms.saturating_add(self.rules.grace_ms / 4) >= now_ms)
                && self.holds(digest, put_ms, content).await
            {
                return Ok(put_ms);
            }
            let mut tries = 1;
            loop {
                match self.objects.put(&object(digest, now_ms), content.clone().into()).await {
                    Err(error) if tries < PUT_TRIES && has_lost_its_folder(&error) => tries += 1,
                    put => return put.map(|_| now_ms),
                }
            }
        })
    }

    /// Whether an earlier put still has these bytes: writing a damaged content again repairs it.
    async fn holds(&self, digest: &Digest, put_ms: u64, content: &Bytes) -> bool {
        let found = async { self.objects.get(&object(digest, put_ms)).await?.bytes().await };
        found.await.is_ok_and(|found| found == *content)
    }

    /// The bytes of the newest put that is whole. A newer put may replace one that was listed, and the collector remove
    /// that: then the list is read again.
    fn get_object(&self, digest: &Digest) -> Result<Bytes, ContentError> {
        let (mut tried, mut fault) = (Vec::new(), ContentError::Missing { digest: *digest });
        loop {
            let puts = self.run(self.puts_of(digest))?;
            let Some(put_ms) = puts.into_iter().filter(|put_ms| !tried.contains(put_ms)).max() else {
                return Err(fault);
            };
            tried.push(put_ms);
            let found = self
                .runtime
                .block_on(async { self.objects.get(&object(digest, put_ms)).await?.bytes().await });
            match found {
                Err(object_store::Error::NotFound { .. }) => {}
                Err(source) => return Err(self.fault(source)),
                Ok(content) => match checked(digest, content) {
                    Ok(content) => {
                        self.on_shelf(|shelf| shelf.put(*digest, content.clone()));
                        return Ok(content);
                    }
                    Err(damaged) => fault = damaged,
                },
            }
        }
    }

    async fn puts_of(&self, digest: &Digest) -> Result<Vec<u64>, object_store::Error> {
        let listed: Vec<_> = self.objects.list(Some(&folder(digest))).try_collect().await?;
        Ok(listed.iter().filter_map(|meta| parse(&meta.location)).map(|(_, put_ms)| put_ms).collect())
    }

    /// Every put in the object store, in no order. Objects that are no contents are left out.
    pub(crate) fn puts(&self) -> Result<Vec<(Digest, u64)>, ContentError> {
        let listed: Vec<_> = self.run(self.objects.list(Some(&Path::from(FOLDER))).try_collect())?;
        Ok(listed.iter().filter_map(|meta: &object_store::ObjectMeta| parse(&meta.location)).collect())
    }

    /// Removes one put; one that is gone already is no fault.
    pub(crate) fn remove(&self, digest: &Digest, put_ms: u64) -> Result<(), ContentError> {
        self.on_shelf(|shelf| shelf.remove(digest));
        match self.runtime.block_on(self.objects.delete(&object(digest, put_ms))) {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            removed => removed.map_err(|source| self.fault(source)),
        }
    }

    /// Removes what puts left that were cut short before `cutoff_ms`; how many there were.
    pub(crate) fn remove_staged(&self, cutoff_ms: u64) -> Result<u64, ContentError> {
        let Some(folder) = &self.folder else { return Ok(0) };
        staged::remove(&folder.join(FOLDER), cutoff_ms).map_err(|source| self.folder_fault(source))
    }

    fn folder_fault(&self, source: io::Error) -> ContentError {
        ContentError::Folder { place: self.place.clone(), source }
    }

    fn run<T>(&self, work: impl Future<Output = Result<T, object_store::Error>>) -> Result<T, ContentError> {
        self.runtime.block_on(work).map_err(|source| self.fault(source))
    }

    fn fault(&self, source: object_store::Error) -> ContentError {
        ContentError::Store { place: self.place.clone(), source }
    }
}

fn checked(digest: &Digest, content: Bytes) -> Result<Bytes, ContentError> {
    let actual = digest_of(&content);
    if actual == *digest { Ok(content) } else { Err(ContentError::Damaged { digest: *digest, actual }) }
}

/// A folder that a put has made may go with the last put that the collector removes from it, before the new one is there.
fn has_lost_its_folder(error: &object_store::Error) -> bool {
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|fault| fault.kind() == io::ErrorKind::NotFound) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Makes a folder that nobody but its user may enter. One that is there keeps its mode.
fn make_private(folder: &FilePath) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

fn folder(digest: &Digest) -> Path {
    let name = digest.to_string();
    Path::from_iter([FOLDER, &name[..2], &name])
}

fn object(digest: &Digest, put_ms: u64) -> Path {
    folder(digest).join(format!("{put_ms:016x}"))
}

fn parse(object: &Path) -> Option<(Digest, u64)> {
    let mut parts = object.parts().skip(2);
    let digest = parts.next()?.as_ref().parse().ok()?;
    let put_ms = u64::from_str_radix(parts.next()?.as_ref(), 16).ok()?;
    parts.next().is_none().then_some((digest, put_ms))
}
