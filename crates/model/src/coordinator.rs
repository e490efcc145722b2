//! The whole model: encode, pool, gate, update, read, decode.

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor};
use lrrc_episode::Role;
use lrrc_episode::observe::AGENT_ROWS;

use crate::batch::Batch;
use crate::call::CallGate;
use crate::cell::{Cell, Factors};
use crate::config::CoordinatorConfig;
use crate::decoder::Decoder;
use crate::encoder::{Encoder, GroupPool};
use crate::error::ConfigError;
use crate::gate::{Gate, Gates};
use crate::init::Init;

/// The low-rank recurrent coordinator.
#[derive(Module, Debug)]
pub struct Coordinator {
    pub(crate) encoder: Encoder,
    /// Heads: the r_u columns of A, then the turn vector, then the query.
    pool: GroupPool,
    roles: Param<Tensor<2>>,
    agents: Param<Tensor<2>>,
    pub(crate) gate: Gate,
    pub(crate) cell: Cell,
    pub(crate) decoder: Decoder,
    /// Absent in checkpoints from before there was one.
    pub(crate) calls: Option<CallGate>,
    #[module(skip)]
    config: CoordinatorConfig,
}

/// What a forward pass says of a [`Batch`].
#[derive(Debug)]
pub struct Output {
    /// Logits of the candidates of all decisions in order `[pairs]`.
    pub logits: Tensor<1>,
    /// Logits over the item buckets, a row a decision `[decisions, buckets]`; absent where nothing asks for them.
    pub items: Option<Tensor<2>>,
    /// Logits that the first rival wins, an entry a two-model episode.
    pub winner: Option<Tensor<1>>,
    /// Logits that each call of the batch is useful `[calls]`; absent without calls or without a call gate.
    pub calls: Option<Tensor<1>>,
    /// Gates of all turns in order.
    pub gates: Gates,
}

/// Turns on their way through the model.
pub(crate) struct Moved {
    /// Pooled segments before role and agent `[turns, d]`.
    pub(crate) pooled: Tensor<2>,
    /// Turn vectors x_t `[turns, d]`.
    pub(crate) x: Tensor<2>,
    pub(crate) factors: Factors,
}

impl CoordinatorConfig {
    /// Builds the model with parameters drawn from `seed`.
    ///
    /// # Errors
    /// A configuration that [`CoordinatorConfig::validate`] refuses.
    pub fn init(&self, seed: u64, device: &Device) -> Result<Coordinator, ConfigError> {
        self.validate()?;
        let init = &mut Init::new(seed, device);
        let d = self.width;
        Ok(Coordinator {
            encoder: Encoder::new(self, init),
            pool: GroupPool::new(d, self.update_rank() + 2, init),
            roles: init.uniform([Role::ALL.len(), d], 0.5),
            agents: init.uniform([AGENT_ROWS, d], 0.5),
            gate: Gate::new(self, init),
            cell: Cell::new(self, init),
            decoder: Decoder::new(self, init),
            calls: Some(CallGate::new(self, init)),
            config: self.clone(),
        })
    }
}

impl Coordinator {
    /// Sizes and bounds of this model.
    #[must_use]
    pub fn config(&self) -> &CoordinatorConfig {
        &self.config
    }

    /// Whether the model has a call gate.
    #[must_use]
    pub fn has_call_gate(&self) -> bool {
        self.calls.is_some()
    }

    /// The same model without a call gate.
    pub(crate) fn without_call_gate(self) -> Self {
        Self { calls: None, ..self }
    }

    /// Scores every decision of a batch.
    #[must_use]
    pub fn forward(&self, batch: &Batch) -> Output {
        let vectors = self.encoder.forward(&batch.segments);
        let groups = self.pool.forward(&vectors, &batch.groups);
        let turns = groups.clone().narrow(0, 0, batch.turns.count + 1);
        let moved = self.turns(turns, batch.turns.role.clone(), batch.turns.agent.clone());
        let (gates, states) = self.states(batch, &moved);
        let [b, reads, r, d] = states.dims();
        let prompts = self.decoder.prompt(states.clone().reshape([b * reads, r, d]));
        let queries = self
            .queries(groups.narrow(0, batch.turns.count + 1, batch.query_count + 1))
            .select(0, batch.query_place.clone());
        let calls = self.calls.as_ref().zip(batch.foreseen.as_ref()).map(|(gate, calls)| {
            let prompts = prompts.clone().select(0, calls.read_of.clone());
            let agents = self.decoder.readers(calls.agent.clone());
            let queries = queries.clone().select(0, calls.query_of.clone());
            gate.forward(prompts, agents, queries, calls.features.clone())
        });
        let logits = self.decoder.logits(&vectors, states, &prompts, queries, &batch.asked);
        let wanted = self.config.use_state && batch.targets.items.is_some();
        let items =
            wanted.then(|| self.decoder.items(prompts.clone().select(0, batch.asked.read_of.clone())));
        let winner = batch.rivals.as_ref().map(|rivals| {
            let pooled = rivals.mean.clone().matmul(moved.pooled.clone());
            let [n2, d] = pooled.dims();
            let prompts = prompts.select(0, rivals.read.clone());
            let pooled = pooled.reshape([n2 / 2, 2, d]);
            self.decoder.winner(pooled, rivals.counts.clone(), rivals.form.clone(), prompts)
        });
        Output { logits, items, winner, calls, gates: gates.first(batch.turns.count) }
    }

    /// Pooled groups `[turns, heads, d]` with their speakers → turn vectors and factors.
    pub(crate) fn turns(&self, groups: Tensor<3>, role: Tensor<1, Int>, agent: Tensor<1, Int>) -> Moved {
        let r_u = self.config.update_rank();
        let pooled: Tensor<2> = groups.clone().narrow(1, r_u, 1).squeeze_dim(1);
        let speaker = self.roles.val().select(0, role).add(self.agents.val().select(0, agent));
        let x = pooled.clone().add(speaker);
        let factors = self.cell.factors(groups.narrow(1, 0, r_u), x.clone());
        Moved { pooled, x, factors }
    }

    /// Query vectors `[n, d]` of pooled groups `[n, heads, d]`.
    pub(crate) fn queries(&self, groups: Tensor<3>) -> Tensor<2> {
        groups.narrow(1, self.config.update_rank() + 1, 1).squeeze_dim(1)
    }

    /// Pools groups of encoder rows: `[segments, d] → [groups, heads, d]`.
    pub(crate) fn pool(&self, vectors: &Tensor<2>, groups: &crate::pack::GroupPack) -> Tensor<3> {
        self.pool.forward(vectors, groups)
    }

    /// Gates of every turn and states at every read `[b, R, r, d]`.
    fn states(&self, batch: &Batch, moved: &Moved) -> (Gates, Tensor<4>) {
        if self.gate.reads_state() {
            return self.scan(batch, moved);
        }
        let gates = self.gate.forward(moved.x.clone(), batch.turns.ordinal.clone(), None);
        let states = Cell::unroll(
            places(gates.hard.clone(), batch),
            places(moved.factors.left.clone(), batch),
            places(moved.factors.right.clone(), batch),
            batch.reads.seen.clone(),
        );
        (gates, states)
    }

    /// The recurrence turn by turn, for gates that read the state.
    fn scan(&self, batch: &Batch, moved: &Moved) -> (Gates, Tensor<4>) {
        let (b, turns) = (batch.episodes, batch.turns.longest);
        let (r, d) = (self.config.rank, self.config.width);
        let x: Tensor<3> = places(moved.x.clone(), batch);
        let left: Tensor<4> = places(moved.factors.left.clone(), batch);
        let right: Tensor<4> = places(moved.factors.right.clone(), batch);
        let mut states = vec![Tensor::<3>::zeros([b, r, d], &x.device())];
        let (mut hard, mut share) = (Vec::new(), Vec::new());
        for turn in 0..turns {
            let state = states[turn].clone();
            let ordinal = Tensor::full([b], (turn + 1) as f32, &x.device());
            let x = x.clone().narrow(1, turn, 1).squeeze_dim(1);
            let gates = self.gate.forward(x, ordinal, Some(state.clone()));
            let factors = Factors {
                left: left.clone().narrow(1, turn, 1).squeeze_dim(1),
                right: right.clone().narrow(1, turn, 1).squeeze_dim(1),
            };
            states.push(Cell::step(state, gates.hard.clone(), &factors));
            hard.push(gates.hard);
            share.push(gates.share);
        }
        let states: Tensor<4> = Tensor::stack(states, 1);
        let read = batch.reads.after.iter().enumerate().flat_map(|(episode, after)| {
            let last = *after.last().unwrap_or(&0);
            let padded = after.iter().copied().chain(std::iter::repeat(last)).take(batch.reads.width);
            padded.map(move |after| episode * (turns + 1) + after).collect::<Vec<_>>()
        });
        let read = crate::pack::ints(read, &states.device());
        let states = states.reshape([b * (turns + 1), r, d]).select(0, read);
        let unpad = unpadded(batch, &states.device());
        let flat = |gates: Vec<Tensor<2>>| {
            Tensor::stack::<3>(gates, 1).reshape([b * turns, r]).select(0, unpad.clone())
        };
        let gates = Gates { hard: flat(hard), share: flat(share) };
        (gates, states.reshape([b, batch.reads.width, r, d]))
    }
}

/// Turns and the pad `[turns + 1, ..]` at their places `[b, T, ..]`.
fn places<const D: usize, const D2: usize>(flat: Tensor<D>, batch: &Batch) -> Tensor<D2> {
    let mut target = [0; D2];
    target[0] = batch.episodes;
    target[1] = batch.turns.longest;
    target[2..].copy_from_slice(&flat.dims()[1..]);
    flat.select(0, batch.turns.place.clone()).reshape(target)
}

/// Place in `[b · T]` of every turn in order.
fn unpadded(batch: &Batch, device: &Device) -> Tensor<1, Int> {
    let turns = batch.reads.after.iter().map(|after| *after.last().unwrap_or(&0));
    let longest = batch.turns.longest;
    let places =
        turns.enumerate().flat_map(|(episode, turns)| (0..turns).map(move |t| episode * longest + t));
    crate::pack::ints(places, device)
}
