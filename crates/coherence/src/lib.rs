//! MESI for artifacts that agents share, as a pure state machine.

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
