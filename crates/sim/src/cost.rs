//! What a scenario costs under a strategy, beside everything it is honest to compare it with.

use lrrc_coherence::Conflict;
use rayon::prelude::*;
use serde::Serialize;

use crate::protocol::run_protocol;
use crate::run::{Run, run};
use crate::scenario::Scenario;
use crate::strategy::Strategy;
use crate::workload::Workload;

/// One scenario under one strategy. Vectors have one entry a seed, in the order of the seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// Name of the scenario.
    pub scenario: String,
    /// Its letter in the published table, or nothing.
    pub label: String,
    /// Its workload.
    pub workload: Workload,
    /// The strategy.
    pub strategy: Strategy,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// Tokens under the strategy.
    pub tokens_per_seed: Vec<u64>,
    /// Tokens under `lazy`.
    pub lazy_tokens_per_seed: Vec<u64>,
    /// Tokens under `broadcast`.
    pub broadcast_tokens_per_seed: Vec<u64>,
    /// Tokens if every action fetched its artifact, and nothing else were sent.
    pub fetch_every_action_tokens_per_seed: Vec<u64>,
    /// Tokens of `lazy` if each read that its copy serves were a fetch all the same.
    pub always_read_tokens_per_seed: Vec<u64>,
    /// What `lazy` can cost at most with the writes of the run; see [`ceiling_tokens`].
    pub ceiling_tokens_per_seed: Vec<u64>,
    /// Tokens of the same actions through the protocol of this workspace, which loses no update; empty for `broadcast`.
    pub protocol_tokens_per_seed: Vec<u64>,
    /// Reads served from a copy that was not the latest.
    pub stale_reads_per_seed: Vec<u64>,
    /// Actions.
    pub actions_per_seed: Vec<u64>,
    /// Writes.
    pub writes_per_seed: Vec<u64>,
    /// Against `broadcast`.
    pub against_broadcast: Savings,
    /// Of the protocol of this workspace, against `broadcast`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol_against_broadcast: Option<Savings>,
    /// Against a fetch for every action.
    pub against_fetch_every_action: Savings,
    /// Against a fetch for every read.
    pub against_always_read: Savings,
    /// What the ceilings leave against `broadcast`: savings that no run falls below.
    pub ceiling_savings: Savings,
    /// See [`theorem_bound`].
    pub theorem_bound: f64,
    /// What was published against `broadcast`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<Savings>,
}

/// Shares of a baseline that were not sent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Savings {
    /// `1 − mean(tokens) / mean(baseline)`.
    pub mean: f64,
    /// Population standard deviation of `1 − tokens / baseline` over the seeds.
    pub sd: f64,
}

impl Savings {
    /// Savings of `tokens` against `baseline`, seed by seed. A baseline of 0 tokens saves nothing.
    #[must_use]
    pub fn of(tokens: &[u64], baseline: &[u64]) -> Self {
        let saved = |tokens: f64, baseline: f64| if baseline > 0.0 { 1.0 - tokens / baseline } else { 0.0 };
        let shares: Vec<f64> = tokens
            .iter()
            .zip(baseline)
            .map(|(tokens, baseline)| saved(*tokens as f64, *baseline as f64))
            .collect();
        let count = shares.len().max(1) as f64;
        let centre = shares.iter().sum::<f64>() / count;
        let variance = shares.iter().map(|share| (share - centre).powi(2)).sum::<f64>() / count;
        let sum = |tokens: &[u64]| tokens.iter().map(|tokens| *tokens as f64).sum::<f64>();
        Self { mean: saved(sum(tokens), sum(baseline)), sd: variance.sqrt() }
    }
}

/// The bound of the Token Coherence theorem on savings against broadcast: `1 − (n + W) / S` with `W = V·S`.
///
/// It holds in expectation and for few agents only, because a write can make all `n − 1` others fetch again and
/// the theorem counts one; [`ceiling_tokens`] counts them all.
#[must_use]
pub fn theorem_bound(workload: &Workload) -> f64 {
    let ticks = f64::from(workload.ticks);
    1.0 - (f64::from(workload.agents) + workload.write_probability * ticks) / ticks
}

/// What `lazy` can cost at most, whatever the order of the actions: an artifact that was written `W` times is fetched
/// at most `n + (n − 1)·W` times, once a copy and once an invalidation, of which there are at most `(n − 1)·W`.
#[must_use]
pub fn ceiling_tokens(workload: &Workload, writes: &[u64]) -> u64 {
    let agents = u64::from(workload.agents);
    let of = |writes: &u64| {
        let signals = (agents - 1) * writes;
        (agents + signals) * workload.artifact_tokens + signals * workload.signal_tokens
    };
    writes.iter().map(of).sum()
}

/// Runs `scenario` under `strategy` and under every baseline, the seeds in parallel.
///
/// # Errors
///
/// The protocol refuses a write that was tried again on the newest version: a defect.
pub fn cost(scenario: &Scenario, strategy: Strategy) -> Result<Cost, Conflict> {
    let work = &scenario.workload;
    let seeds: Vec<u64> =
        (0..u64::from(scenario.seeds.count)).map(|offset| scenario.seeds.first + offset).collect();
    let under = |strategy: Strategy| -> Vec<Run> {
        seeds.par_iter().map(|seed| run(work, strategy, *seed)).collect()
    };
    let total = |runs: &[Run]| -> Vec<u64> { runs.iter().map(|run| run.tokens.total()).collect() };
    let chosen = under(strategy);
    let tokens = total(&chosen);
    let lazy = if strategy == Strategy::Lazy { chosen.clone() } else { under(Strategy::Lazy) };
    let broadcast = total(&under(Strategy::Broadcast));
    let always_read: Vec<u64> =
        lazy.iter().map(|run| run.tokens.total() + run.hits * work.artifact_tokens).collect();
    let actions: Vec<u64> = chosen.iter().map(|run| run.actions).collect();
    let fetch_every: Vec<u64> = actions.iter().map(|actions| actions * work.artifact_tokens).collect();
    let ceiling: Vec<u64> = chosen.iter().map(|run| ceiling_tokens(work, &run.writes)).collect();
    let protocol: Vec<u64> = if strategy == Strategy::Broadcast {
        Vec::new()
    } else {
        let runs = seeds.par_iter().map(|seed| run_protocol(work, strategy, *seed));
        runs.map(|run| run.map(|run| run.tokens.total())).collect::<Result<_, _>>()?
    };
    Ok(Cost {
        scenario: scenario.name.clone(),
        label: scenario.label.clone(),
        workload: work.clone(),
        strategy,
        against_broadcast: Savings::of(&tokens, &broadcast),
        against_fetch_every_action: Savings::of(&tokens, &fetch_every),
        against_always_read: Savings::of(&tokens, &always_read),
        ceiling_savings: Savings::of(&ceiling, &broadcast),
        theorem_bound: theorem_bound(work),
        published: scenario.published.as_ref().map(|published| Savings {
            mean: published.savings_percent / 100.0,
            sd: published.sd_percent / 100.0,
        }),
        stale_reads_per_seed: chosen.iter().map(|run| run.stale_reads).collect(),
        writes_per_seed: chosen.iter().map(|run| run.writes.iter().sum()).collect(),
        actions_per_seed: actions,
        seeds,
        tokens_per_seed: tokens,
        lazy_tokens_per_seed: total(&lazy),
        fetch_every_action_tokens_per_seed: fetch_every,
        always_read_tokens_per_seed: always_read,
        ceiling_tokens_per_seed: ceiling,
        protocol_against_broadcast: (!protocol.is_empty()).then(|| Savings::of(&protocol, &broadcast)),
        protocol_tokens_per_seed: protocol,
        broadcast_tokens_per_seed: broadcast,
    })
}
