//! The call gate, as serving and evaluation ask it.

use burn::tensor::activation::sigmoid;
use lrrc_episode::observe::{AGENT_ROWS, CALL_FEATURES, EpisodeObservation, Mode, SegmentObservation};

use super::{DecisionInput, Policy, State, episode_turn, floats, row};
use crate::error::PolicyError;
use crate::pack::ints;

/// The next call, as serving hands it in before it is made.
#[derive(Debug, Clone, Copy)]
pub struct CallInput<'a> {
    /// Agent row of the agent that would be called.
    pub agent: usize,
    /// Segments of the newest message that the state holds.
    pub query: &'a [usize],
    /// Segments of the newest message that it does not hold.
    pub query_text: &'a [SegmentObservation],
    /// What [`lrrc_episode::observe::CallTracker::features`] gives.
    pub features: &'a [f32; CALL_FEATURES],
}

impl Policy {
    /// Chance that the next call adds something that is used later; `None` where the checkpoint has no call gate.
    ///
    /// It is a chance among the recorded calls of the training data, weighted as in the loss. The threshold below
    /// which a call may be skipped is in the calibration of the checkpoint.
    ///
    /// # Errors
    /// An agent row or a segment that does not exist.
    pub fn call_gate(&self, state: &State, call: &CallInput<'_>) -> Result<Option<f32>, PolicyError> {
        row(call.agent, AGENT_ROWS)?;
        let Some(gate) = &self.model.calls else { return Ok(None) };
        let (r, d) = (self.config().rank, self.config().width);
        let asked = DecisionInput {
            mode: Mode::Rerank,
            agent: call.agent,
            query: call.query,
            query_text: call.query_text,
            candidates: &[],
        };
        let prompts = self.model.decoder.prompt(self.tensor(&state.channels, [1, r, d]));
        let agents = self.model.decoder.readers(ints([call.agent], &self.device));
        let features = self.tensor(call.features, [1, CALL_FEATURES]);
        let logit = gate.forward(prompts, agents, self.query(state, &asked)?, features);
        Ok(floats(sigmoid(logit)).first().copied())
    }

    /// [`Self::call_gate`] of every call of an episode, each turn processed once.
    ///
    /// # Errors
    /// A call after more turns than there are, or an episode that contradicts itself.
    pub fn replay_calls(&self, episode: &EpisodeObservation) -> Result<Option<Vec<f32>>, PolicyError> {
        if self.model.calls.is_none() {
            return Ok(None);
        }
        let mut chances = Vec::with_capacity(episode.calls.len());
        let mut state = self.state0();
        for call in &episode.calls {
            while state.turns() < call.turns_seen {
                state = self.append(&state, episode_turn(episode, &state)?)?;
            }
            let (agent, query, features) = (call.agent, &call.query, &call.features);
            let input = CallInput { agent, query, query_text: &[], features };
            chances.extend(self.call_gate(&state, &input)?);
        }
        Ok(Some(chances))
    }
}
