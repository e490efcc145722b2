//! The call gate on recorded episodes: how many calls could have been skipped, and at what loss.
//!
//! The gate judges each recorded call from the turns before it, as they were recorded: a skipped call is counted as
//! missing, but it does not change what later calls are judged by. What counts as lost, and which calls are bound to
//! stay, is said in [`lrrc_episode::observe::Worth`]. The threshold is set on validation episodes, where it loses at
//! most [`TOLERANCE`] of the used items and at most as large a share of the calls that are bound to stay.
//!
//! Beside the gate stand: *repeated reads*, the rule that skips a read whose call and result were there before, which
//! is known only once the agent has proposed the call, so that it spares the tool and not the agent; the *oracle*,
//! which knows the labels and takes the cheapest calls first; and *items alone*, which skips every call that brought
//! nothing used and neither acts nor ends the episode, replies to people included.
//!
//! A recorded trajectory counts as changed if a skipped call was bound to stay or if a later output used an item that
//! nothing else had said. An agent can be led by what it does not repeat, so the true number is not below that.

use lrrc_episode::{
    Episode, TokenCounter,
    observe::{CallKind, ObserveOptions, Observed, observe_episode},
};
use lrrc_model::{Policy, PolicyError};
use rayon::prelude::*;
use serde_json::{Map, Value};

use crate::EvalError;

mod report;
mod tally;

pub use report::{CallReport, CallRow, PAPER_CLAIM};
use tally::{Tally, tallies};

/// Share of the used items, and of the calls bound to stay, that the gate may lose on validation episodes.
pub const TOLERANCE: f64 = 0.01;
/// Key of the threshold in the calibration of a checkpoint.
const KEY: &str = "call_gate";

/// What to evaluate the call gate on.
pub struct CallEvaluation<'a> {
    /// Name of the data set, for the report.
    pub dataset: &'a str,
    /// The episodes.
    pub episodes: &'a [Episode],
    /// Counts tokens.
    pub counter: &'a TokenCounter,
    /// The trained coordinator; left out where it has no call gate.
    pub policy: Option<&'a Policy>,
    /// The no-state control.
    pub control: Option<&'a Policy>,
    /// Seed of the resampling.
    pub seed: u64,
}

/// Scores of the calls of each episode; the less, the sooner a call is skipped.
type Scores = Vec<Vec<f64>>;

/// Runs the evaluation.
///
/// # Errors
/// No call that could be skipped, or an episode that the coordinator refuses.
pub fn evaluate_calls(request: &CallEvaluation<'_>) -> Result<CallReport, EvalError> {
    let options = ObserveOptions { modes: Vec::new() };
    let observe = |episode| observe_episode(episode, request.counter, &options);
    let observed: Vec<Observed> = request.episodes.par_iter().map(observe).collect();
    if observed.iter().all(|observed| observed.worths.is_empty()) {
        let dataset = request.dataset.to_owned();
        return Err(EvalError::NoGatedCalls { dataset, episodes: request.episodes.len() });
    }
    let clusters = crate::replays::numbered(request.episodes.iter().map(|episode| episode.group.as_str()));
    let row = |name: &str, removed: &[Vec<bool>]| {
        CallRow::new(name, &clusters, &tallies(&observed, removed), request.seed)
    };
    let mut rows = Vec::new();
    for (name, policy) in [("call gate", request.policy), ("no-state gate", request.control)] {
        let Some(scores) = policy.map(|policy| learned(policy, &observed)).transpose()?.flatten() else {
            continue;
        };
        let threshold = policy.and_then(threshold_of).unwrap_or_else(|| threshold(&observed, &scores));
        let hindsight = tallies(&observed, &below(&scores, self::threshold(&observed, &scores)));
        let row = row(name, &below(&scores, threshold))?;
        rows.push(row.judged(&observed, &scores, &clusters, threshold, &hindsight, request.seed)?);
    }
    rows.push(row("repeated reads", &marked(&observed, |_, worth| worth.repeats && !worth.bound))?);
    let oracle = oracle(&observed);
    rows.push(row("oracle", &below(&oracle, threshold(&observed, &oracle)))?);
    let unused = |is_last: bool, worth: &lrrc_episode::observe::Worth| {
        !is_last && worth.kind != CallKind::Acts && worth.used.is_empty()
    };
    rows.push(row("items alone", &marked(&observed, unused))?);
    Ok(CallReport::new(request.dataset, &clusters, &observed, rows))
}

/// Sets the threshold of the gate on validation episodes and writes it into the papers of its checkpoint; nothing is
/// written where there is no gate or no call.
///
/// # Errors
/// An episode that the coordinator refuses.
pub fn calibrate_calls(
    policy: &Policy,
    observed: &[Observed],
    calibration: &mut Map<String, Value>,
) -> Result<(), PolicyError> {
    let gated = observed.iter().any(|observed| !observed.worths.is_empty());
    if let Some(scores) = learned(policy, observed)?.filter(|_| gated) {
        calibration.insert(KEY.into(), threshold(observed, &scores).into());
    }
    Ok(())
}

/// The threshold in the papers of a checkpoint: a call with a smaller chance may be skipped.
#[must_use]
pub fn threshold_of(policy: &Policy) -> Option<f64> {
    policy.meta().calibration.get(KEY)?.as_f64()
}

/// The gate's chance for each call, where there is a gate.
fn learned(policy: &Policy, observed: &[Observed]) -> Result<Option<Scores>, PolicyError> {
    let of = |observed: &Observed| {
        let chances = policy.replay_calls(&observed.observation)?;
        Ok(chances.map(|chances| chances.into_iter().map(f64::from).collect()))
    };
    observed.par_iter().map(of).collect()
}

/// The weight of what later outputs use, and more than anything for a call bound to stay.
fn oracle(observed: &[Observed]) -> Scores {
    let score = |worth: &lrrc_episode::observe::Worth| {
        if worth.bound { f64::MAX } else { f64::from(worth.used_weight()) }
    };
    observed.iter().map(|observed| observed.worths.iter().map(score).collect()).collect()
}

/// A threshold that skips as many calls as lose at most [`TOLERANCE`]; 0 where that is none. What is lost only grows with the threshold.
fn threshold(observed: &[Observed], scores: &Scores) -> f64 {
    let mut values: Vec<f64> = scores.iter().flatten().copied().collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let tolerable = |threshold: &f64| {
        let mut sum = Tally::default();
        tallies(observed, &below(scores, *threshold)).iter().for_each(|one| sum.add(one));
        sum.lost <= TOLERANCE * sum.used && sum.bound_removed <= TOLERANCE * sum.bound
    };
    // A threshold at one of the values keeps the calls that have it.
    let kept = values.partition_point(tolerable).saturating_sub(1);
    match (values.get(kept.wrapping_sub(1)), values.get(kept)) {
        (Some(removed), Some(kept)) if *kept < f64::MAX => f64::midpoint(*removed, *kept),
        (Some(_), Some(kept)) => *kept,
        _ => 0.0,
    }
}

fn below(scores: &Scores, threshold: f64) -> Vec<Vec<bool>> {
    scores.iter().map(|scores| scores.iter().map(|score| *score < threshold).collect()).collect()
}

/// The calls of which a rule, given whether it is the last call and its worth, says that they may be skipped.
fn marked(
    observed: &[Observed],
    rule: impl Fn(bool, &lrrc_episode::observe::Worth) -> bool,
) -> Vec<Vec<bool>> {
    let of = |observed: &Observed| {
        let last = observed.worths.len().saturating_sub(1);
        observed.worths.iter().enumerate().map(|(at, worth)| rule(at == last, worth)).collect()
    };
    observed.iter().map(of).collect()
}

#[cfg(test)]
mod tests;
