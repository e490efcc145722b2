//! What happened in one multi-agent run, counted in tokens.

mod episode;
pub mod observe;

pub use episode::{Agent, Episode, Outcome, Query, Role, ToolCall, Turn, Winner};
