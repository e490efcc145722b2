//! MESI for artifacts that agents share, as a pure state machine.
//!
//! Agents share artifacts: a plan, a file, a digest of a long thread. Sending each artifact to each agent at each step
//! costs agents × steps × length in tokens. Instead each agent keeps a copy, a write makes the other copies old with one
//! short signal each, and whoever reads next fetches the new version: the protocol of the caches of a multiprocessor.
//!
//! The crate knows no clock, no file, no thread and no network. A home asks [`step`] what an event does to a
//! [`Record`] and sends what comes out; an agent asks its [`Cache`] whether a copy may be read. Time is an argument.
//! The same code runs in the store, in the simulator, under the model checker and in the replay of a trace.
//!
//! ```
//! use lrrc_coherence::{
//!     AgentId, Bound, Cache, Commit, Confirmed, Content, Delivered, Digest, Directory, Effect, Event, Line, Lookup,
//!     Millis, Reply, Rules, Strategy,
//! };
//!
//! let content = |byte| Content { digest: Digest([byte; 32]), size_bytes: 90, tokens: 20, sections: vec![] };
//! let (writer, reader) = (AgentId(1), AgentId(2));
//! let mut home = Directory::new(Rules::default());
//! home.create(&"plan.md", writer, content(1), Millis(0))?;
//!
//! // A reader fetches the plan once and reads its copy from then on.
//! let mut cache = Cache::new(reader, Strategy::Lazy, Bound::default());
//! let read = Event::Read { agent: reader, have: None, sections: vec![] };
//! let Reply::Read(grant) = home.step(&"plan.md", &read, Millis(1))?.reply else { unreachable!() };
//! assert_eq!(grant.line, Line::Shared);
//! cache.fill(&"plan.md", &grant, Millis(1));
//! let confirmed = Confirmed { at: Millis(1), lag: 0 };
//! assert!(matches!(cache.lookup(&"plan.md", &[], Millis(5), confirmed), Lookup::Hit { .. }));
//!
//! // The writer takes the claim, which makes the reader's copy old, and writes under it.
//! let acquire = Event::Acquire { agent: writer, lease_ms: None, wait: false };
//! let outcome = home.step(&"plan.md", &acquire, Millis(6))?;
//! let Reply::Acquired { mark: claim, .. } = outcome.reply else { unreachable!() };
//! let [Effect::Signal { to, mark, .. }] = outcome.effects[..] else { unreachable!() };
//! assert_eq!((to, cache.signal(&"plan.md", mark)), (reader, Delivered::Revoked));
//! let commit = Commit { generation: claim.generation, base: claim.stamp, content: content(2) };
//! home.step(&"plan.md", &Event::Commit { agent: writer, commit: commit.clone() }, Millis(7))?;
//!
//! // The claim is released; the same commit, come late, is stopped by the fence.
//! home.step(&"plan.md", &Event::Release { agent: writer, generation: None }, Millis(8))?;
//! let late = home.step(&"plan.md", &Event::Commit { agent: writer, commit }, Millis(9));
//! assert_eq!(
//!     late.unwrap_err().to_string(),
//!     "the claim of generation 0.1 is over, the artifact is at generation 0.2: acquire again",
//! );
//! # Ok::<(), lrrc_coherence::Conflict>(())
//! ```
//!
//! # The table
//!
//! | Event | Guard | Requester | Others | Version, generation |
//! |---|---|---|---|---|
//! | [`Event::Create`] | does not exist | → E | | 1, first of the epoch |
//! | [`Event::Read`] (a miss) | exists | E if alone, else S | M, E → S | =, = |
//! | [`Event::Hit`] | copy valid under the [`Strategy`] and the [`Bound`] | = | = | =, = |
//! | [`Event::Acquire`] | nobody else has the claim | → E | → I, one signal each | =, +1 |
//! | [`Event::Commit`] | M, E or the claim; generation and version as read | → M | → I, one signal each | +1, = |
//! | [`Event::CommitCas`] | nobody else has the claim; version as read | → S | → I, one signal each | +1, = |
//! | [`commit_all`] | each member passes | as above | as above | +1 each |
//! | a delivered signal: [`Cache::signal`] | newer than the copy | → I | | |
//! | [`Event::Release`], [`Event::AgentLost`], [`Event::LeaseOver`] | M, E or the claim | → I | | =, +1 |
//! | [`Event::Delete`] | exists | gone | → I, one signal each | |
//!
//! What is not in it:
//! - **Order.** Incarnation, version and generation form a [`Mark`], and each of the three only grows. A signal, a push
//!   or a reply that is older than what the agent knows does nothing. So the network may delay, double and reorder what
//!   the home sends; replies alone must come in the order of the requests.
//! - **The claim outlives the line.** A reader demotes the writer's line to S, as in every MESI, but the claim is a lease
//!   of minutes in which a model thinks: nobody else can take it, and the commit under it lands.
//! - **Sections.** A reader of some sections holds no whole copy. It stands beside a writer, and it is told when one of
//!   its sections changes. One that had the whole when it asked is told of every change until the next signal, because
//!   it may read the whole until the answer is there.
//! - **Where copies are pushed** ([`Strategy::Eager`], [`Strategy::Broadcast`]) those who are sent the new version have
//!   read it, so they and the writer are in S.
//! - **Several homes over one store.** Claims and versions are in the [`Ledger`], which a home writes by
//!   compare-and-set; copies are known to one home each. So the single writer is global, a clean exclusive copy is
//!   exclusive among the agents of its home, and [`Event::Observed`] makes copies here old when another home has written.
//!
//! # Laws
//!
//! [`invariant`] states the laws as functions. They are asked in every step of random histories, in every world of small
//! sizes and in millions of larger ones (`tests/laws`, `examples/check_states.rs`), where each of nine mutants, a
//! protocol with one rule taken away, breaks the law that its rule stands for.

mod cache;
mod conflict;
pub mod delta;
mod directory;
pub mod invariant;
mod line;
mod message;
mod record;
mod rules;
pub mod section;
mod stamp;
mod step;
pub mod trace;

pub use cache::{Cache, Confirmed, Delivered, Lookup, Why};
pub use conflict::Conflict;
pub use directory::Directory;
pub use line::{IllegalMove, Line, Move};
pub use message::{Cas, Commit, Effect, Event, Grant, Outcome, Reply, Write};
pub use record::{Claim, Content, Edition, Holder, Ledger, Part, Record, Section, Waiter};
pub use rules::{Bound, Rules, Strategy};
pub use stamp::{AgentId, Digest, Generation, Incarnation, Mark, Millis, NotADigest, Stamp, Version};
pub use step::{commit_all, step};
