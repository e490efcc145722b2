//! What happened in one multi-agent run, counted in tokens.

pub mod canon;
mod episode;
pub mod observe;
pub mod table;
pub mod token;

pub use episode::{Agent, Episode, Outcome, Query, Role, ToolCall, Turn, Winner};
pub use token::{Encoding, TokenCounter};
