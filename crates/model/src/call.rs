//! State → whether the next call is worth making: the call gate.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};
use lrrc_episode::observe::{CALL_FEATURES, CallObservation};

use crate::config::CoordinatorConfig;
use crate::init::Init;
use crate::pack::ints;

/// Predicts, before an agent is called, whether the call adds anything that is used later.
///
/// It reads the latent prompt p_t of the state (zeros in the no-state control), the agent's embedding, the query
/// vector of the newest message, and the features known before the call. The features also have a straight path to
/// the logit.
#[derive(Module, Debug)]
pub struct CallGate {
    /// Prompt, agent and features → hidden.
    known: Linear,
    /// Query → hidden.
    query: Linear,
    output: Linear,
    /// Features → logit.
    direct: Linear,
}

/// Calls of a batch, flattened.
#[derive(Debug)]
pub(crate) struct Foreseen {
    /// Call → place in `[b, R]`.
    pub(crate) read_of: Tensor<1, Int>,
    /// Call → place in `[b, Q]`.
    pub(crate) query_of: Tensor<1, Int>,
    /// Agent of each call `[calls]`.
    pub(crate) agent: Tensor<1, Int>,
    /// `[calls, features]`
    pub(crate) features: Tensor<2>,
    /// 1 where the call is useful `[calls]`.
    pub(crate) label: Tensor<1>,
    /// Weights that sum to 1 over the calls of an episode `[calls]`.
    pub(crate) weight: Tensor<1>,
}

impl CallGate {
    pub(crate) fn new(config: &CoordinatorConfig, init: &mut Init<'_>) -> Self {
        let hidden = config.hidden;
        Self {
            known: init.linear(config.prompt_width + config.agent_width + CALL_FEATURES, hidden, true),
            query: init.linear(config.width, hidden, false),
            output: init.linear(hidden, 1, true),
            direct: init.linear(CALL_FEATURES, 1, false),
        }
    }

    /// Logits `[calls]` that each call is useful, from `prompts [calls, m]`, `agents [calls, agent width]`,
    /// `queries [calls, d]` and `features [calls, features]`.
    pub(crate) fn forward(
        &self,
        prompts: Tensor<2>,
        agents: Tensor<2>,
        queries: Tensor<2>,
        features: Tensor<2>,
    ) -> Tensor<1> {
        let known = self.known.forward(Tensor::cat(vec![prompts, agents, features.clone()], 1));
        let hidden = relu(known.add(self.query.forward(queries)));
        self.output.forward(hidden).add(self.direct.forward(features)).squeeze_dim(1)
    }
}

/// Host side of [`Foreseen`].
#[derive(Default)]
pub(crate) struct FlatCalls {
    read_of: Vec<usize>,
    query_of: Vec<usize>,
    agent: Vec<usize>,
    features: Vec<f32>,
    label: Vec<f32>,
    weight: Vec<f32>,
}

impl FlatCalls {
    /// Adds the calls of one episode with their places in `[b, R]` and `[b, Q]`.
    pub(crate) fn push(&mut self, calls: &[CallObservation], places: impl Iterator<Item = (usize, usize)>) {
        let total = calls.iter().map(|call| call.weight).sum::<f32>().max(f32::MIN_POSITIVE);
        for (call, (read, query)) in calls.iter().zip(places) {
            self.read_of.push(read);
            self.query_of.push(query);
            self.agent.push(call.agent);
            self.features.extend(call.features);
            self.label.push(call.label);
            self.weight.push(call.weight / total);
        }
    }

    /// The tensors; absent where no episode has a call.
    pub(crate) fn into_foreseen(self, device: &Device) -> Option<Foreseen> {
        let calls = self.label.len();
        (calls > 0).then(|| Foreseen {
            read_of: ints(self.read_of, device),
            query_of: ints(self.query_of, device),
            agent: ints(self.agent, device),
            features: Tensor::from_data(TensorData::new(self.features, [calls, CALL_FEATURES]), device),
            label: Tensor::from_data(TensorData::new(self.label, [calls]), device),
            weight: Tensor::from_data(TensorData::new(self.weight, [calls]), device),
        })
    }
}
