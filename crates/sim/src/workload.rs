//! Who does what to which artifact, tick by tick.

use serde::{Deserialize, Serialize};

use crate::mt19937::PythonRandom;

/// Agents that read and write artifacts of one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Workload {
    /// Agents, `n`.
    pub agents: u32,
    /// Steps of time, `S`; each agent acts at most once in each.
    pub ticks: u32,
    /// Artifacts, `m`.
    pub artifacts: u32,
    /// Tokens of one artifact, `|D|`.
    pub artifact_tokens: u64,
    /// Tokens of one invalidation.
    pub signal_tokens: u64,
    /// Probability that an agent acts in a tick.
    pub action_probability: f64,
    /// Probability that an action writes, `V`.
    pub write_probability: f64,
    /// Ticks from a write until its signal arrives, at least 1.
    pub delay_ticks: u32,
}

impl Default for Workload {
    /// The sizes of the published runs, with the write probability of planning.
    fn default() -> Self {
        Self {
            agents: 4,
            ticks: 40,
            artifacts: 3,
            artifact_tokens: 4096,
            signal_tokens: 12,
            action_probability: 0.75,
            write_probability: 0.05,
            delay_ticks: 1,
        }
    }
}

/// One agent touches one artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// When, from 0.
    pub tick: u32,
    /// Who, from 0.
    pub agent: u32,
    /// What, from 0.
    pub artifact: u32,
    /// Whether it writes.
    pub write: bool,
}

impl Workload {
    /// The actions of `seed`, in the order in which they happen. They do not depend on any cache.
    pub fn actions(&self, seed: u64) -> impl Iterator<Item = Action> {
        let mut random = PythonRandom::new(seed);
        let (agents, artifacts) = (self.agents, self.artifacts);
        let (acts, writes) = (self.action_probability, self.write_probability);
        let slots = (0..self.ticks).flat_map(move |tick| (0..agents).map(move |agent| (tick, agent)));
        slots.filter_map(move |(tick, agent)| {
            if random.real() >= acts {
                return None;
            }
            let artifact = random.pick(artifacts);
            Some(Action { tick, agent, artifact, write: random.real() < writes })
        })
    }
}
