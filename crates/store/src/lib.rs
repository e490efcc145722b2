//! Durable artifacts for many agents: a directory of small records, a feed of its changes, and contents by digest.
//!
//! A [`Backend`] holds opaque records under text keys. Its one write is a conditional [`Batch`]: every record names
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
pub mod wire;

pub use address::Address;
pub use agent::{Agent, AgentConfig, Asked, Counts, Freshness, Happened, Op, Outcome, Read, SectionRead};
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
pub use home::{Chore, Done, Home, HomeConfig, Trace};
pub use limits::Limits;
pub use lrrc_coherence::Digest;
pub use name::{NAME_BYTES_MAX, Name, NameError};
