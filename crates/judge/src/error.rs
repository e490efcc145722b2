//! Why nothing is judged, or a run stops.

use std::path::PathBuf;

use lrrc_eval::{EvalError, stats::StatsError};

/// Why nothing is judged, or a run stops. What was answered before lies in the cache.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// The address cannot be used.
    #[error("endpoint {url}: {why}; expected something like http://localhost:8000/v1")]
    Address {
        /// What was given, without its user and password.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The key cannot stand in a header; its text is not shown.
    #[error("the API key is empty or has characters that no header may have")]
    Key,
    /// The client of the network could not be set up.
    #[error("the network client could not be set up: {0}")]
    Client(String),
    /// A share outside (0, 1).
    #[error("keep {0} is not a share between 0 and 1")]
    Keep(f64),
    /// A method whose model the checkpoint does not have.
    #[error("{0} needs a model that the checkpoint does not have")]
    NoModel(&'static str),
    /// The data have nothing to play.
    #[error(
        "{dataset}: none of its {episodes} episodes has a recorded tool call with earlier turns, or two models and a vote"
    )]
    NothingToJudge {
        /// The data set.
        dataset: String,
        /// Episodes read.
        episodes: usize,
    },
    /// A cap on money without prices.
    #[error("a cap of {max_usd} USD needs the prices of input and output tokens")]
    NoPrices {
        /// The cap.
        max_usd: f64,
    },
    /// The estimate is above a cap; nothing was sent.
    #[error("{estimate}\nthis is above the cap of {cap}; nothing was sent")]
    AboveCap {
        /// The estimate.
        estimate: String,
        /// The cap.
        cap: String,
    },
    /// The next request could have gone above a cap.
    #[error("stopped before the cap of {cap}: {sent} requests sent, {spent}")]
    CapReached {
        /// The cap.
        cap: String,
        /// Requests sent, repetitions included.
        sent: u64,
        /// Money and tokens spent.
        spent: String,
    },
    /// The endpoint refused a request for good.
    #[error("{url} answered {status}: {said}")]
    Refused {
        /// The endpoint.
        url: String,
        /// Status of HTTP.
        status: u16,
        /// The start of the body.
        said: String,
    },
    /// A request failed as often as it was allowed to.
    #[error("{url}: no answer after {attempts} attempts; the last one: {why}")]
    Exhausted {
        /// The endpoint.
        url: String,
        /// Attempts.
        attempts: u32,
        /// The last failure.
        why: String,
    },
    /// The endpoint asks for a wait that is too long.
    #[error("{url} asks to wait {wait_s} s, more than {longest_s} s: {why}")]
    LongWait {
        /// The endpoint.
        url: String,
        /// Seconds asked for.
        wait_s: u64,
        /// Longest wait.
        longest_s: u64,
        /// Why it asks.
        why: String,
    },
    /// Nothing that came back was a chat completion.
    #[error("{url}: {replies} replies, and none is a chat completion; one of them: {said}")]
    NotChat {
        /// The endpoint.
        url: String,
        /// Replies so far.
        replies: usize,
        /// The start of one.
        said: String,
    },
    /// A reply could not be stored.
    #[error("cache {path}: {why}", path = path.display())]
    Cache {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The digests could not be made.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// An interval could not be computed.
    #[error(transparent)]
    Stats(#[from] StatsError),
}
