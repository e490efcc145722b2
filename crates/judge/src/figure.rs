//! Shares with their intervals, and tokens as the endpoint counted them.

use lrrc_eval::stats::{Figure, Interval, RESAMPLES, StatsError, Unit, cluster_bootstrap, paired_bootstrap};
use serde::Serialize;

use crate::chat::{Ask, Reply};

/// The share of units; `None` where no unit has weight.
pub(crate) fn share(units: &[Unit], seed: u64) -> Result<Option<Figure>, StatsError> {
    weighed(cluster_bootstrap(units, RESAMPLES, seed))
}

/// The difference of the share of `a` and that of `b` over the same units.
pub(crate) fn difference(a: &[Unit], b: &[Unit], seed: u64) -> Result<Option<Figure>, StatsError> {
    weighed(paired_bootstrap(a, b, RESAMPLES, seed))
}

fn weighed(interval: Result<Interval, StatsError>) -> Result<Option<Figure>, StatsError> {
    match interval {
        Ok(interval) => Ok(Some(interval.into())),
        Err(StatsError::Empty | StatsError::NoWeight) => Ok(None),
        Err(error) => Err(error),
    }
}

/// One unit: whether something holds, of those to which it applies.
pub(crate) fn unit(cluster: usize, holds: bool, applies: bool) -> Unit {
    (cluster, f64::from(u8::from(holds && applies)), f64::from(u8::from(applies)))
}

/// Tokens of one arm's requests and replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ArmUsage {
    /// Requests of the arm.
    pub requests: usize,
    /// cl100k_base tokens of the requests.
    pub input_tokens: u64,
    /// Replies for which the endpoint reported tokens.
    pub reported: usize,
    /// Tokens of their requests, as the endpoint counted them.
    pub prompt_tokens: u64,
    /// Tokens of the replies, as the endpoint counted them.
    pub completion_tokens: u64,
}

impl ArmUsage {
    /// Adds a request and its reply.
    pub(crate) fn add(&mut self, ask: &Ask, reply: &Reply) {
        self.requests += 1;
        self.input_tokens += ask.input_tokens;
        if let Some(usage) = reply.usage {
            self.reported += 1;
            self.prompt_tokens += usage.prompt_tokens;
            self.completion_tokens += usage.completion_tokens;
        }
    }
}
