//! State → scores of what is already there: a copy decoder, which cannot invent a fact.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::{relu, tanh};
use burn::tensor::{Device, Int, Tensor, TensorData};
use lrrc_episode::Role;
use lrrc_episode::observe::{AGENT_ROWS, FEATURES, FORM_FEATURES, ITEM_BUCKETS, Mode, RIVAL_FEATURES};

use crate::config::CoordinatorConfig;
use crate::init::Init;

/// Numbers given for a candidate: its features and one flag a role (the last one for a segment outside all turns).
pub(crate) const CANDIDATE_INPUTS: usize = FEATURES + ROLE_FLAGS;
/// Roles, and "outside all turns".
pub(crate) const ROLE_FLAGS: usize = Role::ALL.len() + 1;
/// Numbers given for a candidate with the places of its features on the steps.
pub(crate) const STEPPED_INPUTS: usize = CANDIDATE_INPUTS + (STEPS.len() - 1) * FEATURES;
/// Numbers beside the vectors in the winner head: log counts of segments and of tokens.
pub(crate) const RIVAL_COUNTS: usize = 2;

/// Ends of the steps of a feature: most are shares or logarithms within [0, 1], and many sit at 0.
const STEPS: [f32; 7] = [0.0, 0.02, 0.1, 0.25, 0.5, 0.75, 1.0];
/// Scale of the vectors in the winner head. A few hundred verdicts cannot pin down weights on whole vectors: at full
/// scale they are learned by heart and cost what the counted numbers win.
const RIVAL_SCALE: f32 = 0.02;

/// Tensors that a checkpoint from before the numbers of rivals lacks. They are read as zeros: its winner head, which
/// its papers call untrained, then sees what it saw before.
pub(crate) const LATER_TENSORS: [&str; 2] = ["decoder.rival_form.weight", "decoder.rival_direct"];

/// Scores candidates, reconstructs the essential items, and predicts the winner.
///
/// A candidate's inputs are `h_iᵀS_t`, `h_i·q_t` by head, its features and its role; what is the same for a whole
/// decision (latent prompt, reader, mode) is computed once a decision and added to the hidden layer. Exact-match
/// features also have a straight path to the logit, one weight a mode.
#[derive(Module, Debug)]
pub struct Decoder {
    /// State → latent prompt `[r · d, m]`.
    prompt: Linear,
    /// Query → heads `[d, d]`; head n compares the n-th block of h_i.
    query: Linear,
    /// Candidate inputs → hidden.
    candidate: Linear,
    /// Prompt, reader and mode → hidden.
    call: Linear,
    agents: Param<Tensor<2>>,
    mixer: Linear,
    output: Linear,
    /// Features → logit, one column a mode `[inputs, modes]`.
    direct: Param<Tensor<2>>,
    /// Latent prompt → buckets of the essential items.
    items: Linear,
    rival: Linear,
    rival_output: Linear,
    /// Numbers of a rival → hidden `[numbers, hidden]`, and straight to its strength `[numbers, 1]`. Files written
    /// before these numbers existed lack both; see [`LATER_TENSORS`].
    rival_form: Linear,
    rival_direct: Param<Tensor<2>>,
    query_heads: usize,
    use_state: bool,
    context_features: bool,
    steps: bool,
}

/// Decisions of a batch, flattened: which candidate of which episode is asked for by which decision.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Encoder row of each candidate of each episode, padded `[b · n]`.
    pub(crate) rows: Tensor<1, Int>,
    /// Candidates n of each episode.
    pub(crate) width: usize,
    /// Distinct queries Q of each episode.
    pub(crate) queries: usize,
    /// Pair → place in `[b, n, R]`.
    pub(crate) state_of: Tensor<1, Int>,
    /// Pair → place in `[b, n, Q]`.
    pub(crate) query_of: Tensor<1, Int>,
    /// Pair → decision.
    pub(crate) decision_of: Tensor<1, Int>,
    /// Features and role flags, then the places of the features on the steps `[pairs, inputs]`.
    pub(crate) inputs: Tensor<2>,
    /// Mode flags of each pair `[pairs, modes]`.
    pub(crate) modes: Tensor<2>,
    /// Decision → place in `[b, R]`.
    pub(crate) read_of: Tensor<1, Int>,
    /// Reader of each decision `[decisions]`.
    pub(crate) agent: Tensor<1, Int>,
    /// Mode flags of each decision `[decisions, modes]`.
    pub(crate) decision_modes: Tensor<2>,
}

impl Decoder {
    pub(crate) fn new(config: &CoordinatorConfig, init: &mut Init<'_>) -> Self {
        let (d, m, hidden) = (config.width, config.prompt_width, config.hidden);
        let told = if config.steps { STEPPED_INPUTS } else { CANDIDATE_INPUTS };
        Self {
            prompt: init.linear(config.rank * d, m, true),
            query: init.linear(d, d, false),
            candidate: init.linear(config.rank + config.query_heads + told, hidden, true),
            call: init.linear(m + config.agent_width + Mode::ALL.len(), hidden, false),
            agents: init.uniform([AGENT_ROWS, config.agent_width], 0.5),
            mixer: init.linear(hidden, hidden, true),
            output: init.linear(hidden, 1, true),
            direct: init.uniform([told, Mode::ALL.len()], 0.05),
            items: init.linear(m, ITEM_BUCKETS, true),
            rival: init.linear(d + m + RIVAL_COUNTS, hidden, true),
            rival_output: init.linear(hidden, 1, false),
            rival_form: init.linear(RIVAL_FEATURES, hidden, false),
            rival_direct: init.constant([RIVAL_FEATURES, 1], 0.0),
            query_heads: config.query_heads,
            use_state: config.use_state,
            context_features: config.context_features,
            steps: config.steps,
        }
    }

    /// Latent prompts p_t of states `[n, r, d]` → `[n, m]`; zero in the no-state control.
    pub(crate) fn prompt(&self, states: Tensor<3>) -> Tensor<2> {
        let [n, r, d] = states.dims();
        if self.use_state {
            return tanh(self.prompt.forward(states.reshape([n, r * d])));
        }
        let [_, m] = self.prompt.weight.val().dims();
        Tensor::zeros([n, m], &states.device())
    }

    /// Logits of every pair `[pairs]`.
    ///
    /// `vectors [segments, d]` from the encoder, `states [b, R, r, d]`, `prompts [b · R, m]`, `queries [b · Q, d]`.
    pub(crate) fn logits(
        &self,
        vectors: &Tensor<2>,
        states: Tensor<4>,
        prompts: &Tensor<2>,
        queries: Tensor<2>,
        asked: &Asked,
    ) -> Tensor<1> {
        let [b, reads, r, d] = states.dims();
        let shape = [b, asked.width, d];
        let candidates = vectors.clone().select(0, asked.rows.clone()).reshape(shape);
        let read = if self.use_state {
            let read = candidates.clone().matmul(states.reshape([b, reads * r, d]).swap_dims(1, 2));
            let read = read.div_scalar((d as f32).sqrt()).reshape([b * asked.width * reads, r]);
            read.select(0, asked.state_of.clone())
        } else {
            Tensor::zeros([asked.inputs.dims()[0], r], &candidates.device())
        };
        let compared = self.compare(candidates, queries, asked);
        let call = self.call(prompts, asked).select(0, asked.decision_of.clone());
        let (told, direct) = self.told(asked);
        let learned = Tensor::cat(vec![read, compared], 1);
        let [_, width] = learned.dims();
        let learned = learned.matmul(self.candidate.weight.val().narrow(0, 0, width));
        let hidden = relu(learned.add(told).add(call));
        let hidden = relu(self.mixer.forward(hidden.clone())).add(hidden);
        self.output.forward(hidden).add(direct).squeeze_dim(1)
    }

    /// What the given numbers add to the hidden layer `[pairs, hidden]`, and to the logit `[pairs, 1]`. No gradient goes to
    /// what is given, so its product stands apart from that of the learned inputs.
    fn told(&self, asked: &Asked) -> (Tensor<2>, Tensor<2>) {
        let inputs = self.visible(asked.inputs.clone());
        let [_, told] = inputs.dims();
        let weight = self.candidate.weight.val();
        let [all, hidden] = weight.dims();
        let weights = Tensor::cat(vec![weight.narrow(0, all - told, told), self.direct.val()], 1);
        let both = inputs.matmul(weights);
        let direct = both.clone().narrow(1, hidden, Mode::ALL.len()).mul(asked.modes.clone()).sum_dim(1);
        let mut added = both.narrow(1, 0, hidden);
        if let Some(bias) = &self.candidate.bias {
            added = added.add(bias.val().unsqueeze());
        }
        (added, direct)
    }

    /// The inputs `[pairs, inputs]` that the configuration shows.
    fn visible(&self, inputs: Tensor<2>) -> Tensor<2> {
        let inputs = if self.steps { inputs } else { inputs.narrow(1, 0, CANDIDATE_INPUTS) };
        if self.context_features {
            return inputs;
        }
        let [_, width] = inputs.dims();
        let is_place = |at: usize| at >= CANDIDATE_INPUTS;
        let feature = |at: usize| if is_place(at) { (at - CANDIDATE_INPUTS) % FEATURES } else { at };
        let shown = |at: usize| f32::from(u8::from(!(FORM_FEATURES..FEATURES).contains(&feature(at))));
        let mask: Vec<f32> = (0..width).map(shown).collect();
        inputs.mul(Tensor::from_data(TensorData::new(mask, [1, width]), &self.direct.val().device()))
    }

    /// `h_i·q_t` by head, for each pair `[pairs, heads]`.
    fn compare(&self, candidates: Tensor<3>, queries: Tensor<2>, asked: &Asked) -> Tensor<2> {
        let [b, n, d] = candidates.dims();
        let heads = self.query_heads;
        let block = d / heads;
        let by_head = self
            .query
            .forward(queries)
            .unsqueeze_dim::<3>(1)
            .mul(blocks(heads, d, &candidates.device()).unsqueeze())
            .reshape([b, asked.queries * heads, d]);
        let compared = candidates.matmul(by_head.swap_dims(1, 2)).div_scalar((block as f32).sqrt());
        compared.reshape([b * n * asked.queries, heads]).select(0, asked.query_of.clone())
    }

    /// What a decision adds to the hidden layer of its candidates `[decisions, hidden]`.
    fn call(&self, prompts: &Tensor<2>, asked: &Asked) -> Tensor<2> {
        let prompt = prompts.clone().select(0, asked.read_of.clone());
        let agent = self.agents.val().select(0, asked.agent.clone());
        self.call.forward(Tensor::cat(vec![prompt, agent, asked.decision_modes.clone()], 1))
    }

    /// Embeddings of readers `[n, agent width]`.
    pub(crate) fn readers(&self, agent: Tensor<1, Int>) -> Tensor<2> {
        self.agents.val().select(0, agent)
    }

    /// Logits over the item buckets from latent prompts `[n, m]` → `[n, buckets]`.
    pub(crate) fn items(&self, prompts: Tensor<2>) -> Tensor<2> {
        self.items.forward(prompts)
    }

    /// Logit that the first rival wins `[n]`: `f(a) − f(b)`, so exchanging the rivals changes its sign.
    ///
    /// `rivals [n, 2, d]` are the rivals' pooled segments, `counts [n, 2, counts]`, `form [n, 2, numbers]`,
    /// `prompts [n, m]`.
    pub(crate) fn winner(
        &self,
        rivals: Tensor<3>,
        counts: Tensor<3>,
        form: Tensor<3>,
        prompts: Tensor<2>,
    ) -> Tensor<1> {
        let [n, two, _] = rivals.dims();
        let [_, m] = prompts.dims();
        let prompts = prompts.unsqueeze_dim::<3>(1).expand([n, two, m]);
        let meaning = Tensor::cat(vec![rivals, prompts], 2).mul_scalar(RIVAL_SCALE);
        let input = Tensor::cat(vec![meaning, counts], 2);
        let [_, _, width] = input.dims();
        let form = form.reshape([n * two, RIVAL_FEATURES]);
        let hidden = self.rival.forward(input.reshape([n * two, width]));
        let hidden = relu(hidden.add(self.rival_form.forward(form.clone())));
        let direct = form.matmul(self.rival_direct.val());
        let strength = self.rival_output.forward(hidden).add(direct).reshape([n, two]);
        strength.clone().narrow(1, 0, 1).sub(strength.narrow(1, 1, 1)).squeeze_dim(1)
    }
}

/// Appends what is given for one candidate: its features, its role flags, and how far each feature has come on each of the
/// [`STEPS`], 0 to 1.
pub(crate) fn push_inputs(inputs: &mut Vec<f32>, features: &[f32], role: usize) {
    inputs.extend_from_slice(features);
    inputs.extend((0..ROLE_FLAGS).map(|flag| if flag == role { 1.0 } else { 0.0 }));
    for ends in STEPS.windows(2) {
        let width = ends[1] - ends[0];
        inputs.extend(features.iter().map(|feature| ((feature - ends[0]) / width).clamp(0.0, 1.0)));
    }
}

/// 1 where a column lies in the block of a head `[heads, d]`.
fn blocks(heads: usize, d: usize, device: &Device) -> Tensor<2> {
    let width = d / heads;
    let flags = (0..heads * d).map(|place| f32::from(u8::from((place % d) / width == place / d)));
    Tensor::from_data(TensorData::new(flags.collect::<Vec<_>>(), [heads, d]), device)
}
