//! Artifacts that agents share: each agent keeps copies, a write makes the copies of others old, and the next read
//! fetches what changed.
//!
//! A [`Client`] is one agent. A [`Home`] decides, over a [`Backend`] that is durable at acknowledgement; [`serve`] lets
//! other processes reach it, an [`Owner`] the tasks of this one:
//!
//! ```
//! use lrrc_store::{Client, ClientConfig, Clock, Content, Home, HomeConfig, MemoryBackend, Name, Owner};
//!
//! let (clock, backend) = (Clock::start(), MemoryBackend::new());
//! let home = Home::open(backend, Content::in_memory(Default::default())?, HomeConfig::default(), clock.now())?;
//! let owner = Owner::spawn(home, clock);
//!
//! tokio::runtime::Runtime::new()?.block_on(async {
//!     let writer = Client::local(owner.handle(), ClientConfig::default()).await?;
//!     let reader = Client::local(owner.handle(), ClientConfig::default()).await?;
//!     let plan: Name = "team/plan".parse()?;
//!
//!     writer.create(&plan, "first draft").await?;
//!     let first = reader.read(&plan).await?;
//!
//!     let mut claim = writer.acquire(&plan, None).await?;
//!     claim.commit("second draft").await?;
//!     claim.release().await?;
//!
//!     let late = reader.commit_cas(&plan, first.stamp(), "my draft").await;
//!     assert!(late.unwrap_err().to_string().contains("the newest is version 2"));
//!     assert_eq!(reader.read_fresh(&plan).await?.bytes, "second draft");
//!     Ok::<(), Box<dyn std::error::Error>>(())
//! })?;
//! owner.stop()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A read from a copy needs no round trip. It says how current it is ([`Freshness`]), and a copy that the home has not
//! confirmed within the bound is not read. [`Agent`] and [`Home`] are the two sides without socket, thread and clock.
//!
//! Below, a backend holds opaque records under text keys. Its one write is a conditional [`Batch`]: every record names
//! the revision it was read at, and either all records and contents of the batch land or none does. Its one feed gives
//! each change in the order of revisions, and can be resumed from any revision that is not compacted yet.
//!
//! ```
//! use bytes::Bytes;
//! use lrrc_store::{Backend, BackendError, Batch, Expect, MemoryBackend, Revision, Write};
//!
//! let backend = MemoryBackend::new();
//! let first = backend.commit(&Batch::of([Write::put("a/plan", Expect::Absent, "one")]))?;
//! backend.commit(&Batch::of([Write::put("a/plan", Expect::At(first), "two")]))?;
//!
//! let late = backend.commit(&Batch::of([Write::put("a/plan", Expect::At(first), "three")]));
//! assert!(matches!(late, Err(BackendError::Lost { .. })));
//!
//! let changes = backend.changes(Revision::START, 100)?;
//! let values: Vec<_> = changes.into_iter().filter_map(|change| change.value).collect();
//! assert_eq!(values, [Bytes::from("one"), Bytes::from("two")]);
//! # Ok::<(), BackendError>(())
//! ```

mod address;
mod agent;
mod backend;
mod client;
mod clock;
mod content;
mod daemon;
mod digest;
mod error;
pub mod fault;
pub mod gc;
mod home;
mod limits;
mod name;
mod room;
mod shelf;
pub mod wire;

pub use address::Address;
pub use agent::{Agent, AgentConfig, Asked, Counts, Freshness, Happened, Op, Outcome, Read, SectionRead};
#[cfg(feature = "etcd")]
pub use backend::etcd::{EtcdBackend, EtcdConfig, EtcdTls};
pub use backend::memory::{MemoryBackend, MemoryDisk};
pub use backend::redb::RedbBackend;
pub use backend::{Backend, BackendError, Batch, BlobInfo, Change, Entry, Expect, Listing, Revision, Write};
pub use client::{Claim, Client, ClientConfig, Noticed, Watch};
pub use clock::Clock;
pub use content::{Content, ContentError, ContentRules, Placed};
pub use daemon::listen::Listener;
pub use daemon::owner::{Handle, Owner};
pub use daemon::serve;
pub use digest::digest_of;
pub use error::{Refusal, ServeError, StoreError};
pub use home::{Chore, Done, Home, HomeConfig, Trace, ledger_of};
pub use limits::Limits;
pub use lrrc_coherence::Digest;
pub use name::{NAME_BYTES_MAX, Name, NameError};
