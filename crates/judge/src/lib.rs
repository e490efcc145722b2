//! A live model as judge of a compressed context.
//!
//! The figures of `lrrc-eval` count what a digest still holds. This crate asks a model: any endpoint that speaks the
//! chat-completions interface of OpenAI. Two games are played, as the data allow:
//!
//! - **Replayed decisions** ([`DecisionReport`]): a recorded tool call is asked for twice, under the full context and
//!   under the compressed one. Same tool and same canonical argument values count as the same action.
//! - **Pairwise verdicts** ([`PairReport`]): the judge compares two answers in both orders, as full texts and as
//!   digests. A verdict that flips with the order is a tie. No name of a model stands in a prompt.
//!
//! [`Game::prepare`] writes every request beforehand, so that [`Judge::estimate`] knows their number, tokens and price
//! before the first is sent. Replies lie in a [`Cache`] under the hash of their request: a second run asks nothing.
//!
//! ```no_run
//! use std::time::Duration;
//! use lrrc_judge::{Cache, Caps, Endpoint, Game, Judge, Retry, Setup};
//! # fn example(setup: &Setup<'_>) -> Result<(), Box<dyn std::error::Error>> {
//! let game = Game::prepare(setup)?;
//! let judge = Judge {
//!     endpoint: Endpoint::new("http://localhost:8000/v1", None, Duration::from_secs(120))?,
//!     cache: Cache::new(".lrrc-cache/judge"),
//!     retry: Retry::default(),
//!     prices: None,
//!     caps: Caps { max_usd: None, max_requests: Some(1_000) },
//!     concurrency: 4,
//! };
//! judge.estimate(game.asks()).check(&judge.caps)?;
//! let played = judge.play(game.asks(), &|_| ())?;
//! println!("{}", game.report(&played, 0)?.table());
//! # Ok(())
//! # }
//! ```

mod action;
mod cache;
mod chat;
mod decision;
mod digest;
mod endpoint;
mod error;
mod figure;
mod game;
mod json;
mod ledger;
mod pair;
mod play;
mod report;
mod retry;
mod sample;
mod verdict;

pub use action::{Action, Argument, parse_action};
pub use cache::{Cache, Found};
pub use chat::{Ask, ChatOptions, Message, Reply, Usage};
pub use decision::{DecisionArm, DecisionReport};
pub use endpoint::{Endpoint, Secret};
pub use error::JudgeError;
pub use figure::ArmUsage;
pub use game::{Game, Setup};
pub use ledger::{Caps, Estimate, Prices};
pub use lrrc_eval::stats::Figure;
pub use pair::{PairArm, PairReport};
pub use play::{Event, Judge, Played};
pub use report::JudgeReport;
pub use retry::Retry;
pub use verdict::{Verdict, parse_verdict};
