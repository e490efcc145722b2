//! What happened in one multi-agent run, counted in tokens.

pub mod canon;
pub mod check;
mod episode;
pub mod history;
pub mod observe;
pub mod reuse;
pub mod segment;
pub mod select;
pub mod table;
pub mod token;

pub use episode::{Agent, Episode, Outcome, Query, Role, ToolCall, Turn, Winner};
pub use token::{Encoding, TokenCounter};
