//! Checkpoint → `step(state, turn) -> (state, scores)`: the only face that evaluation and serving see.
//!
//! Each turn is processed once. A [`State`] holds S_t and the vectors of all segments so far as plain numbers; turns
//! share their vectors between states, so a step copies S_t and a few pointers. Every tensor operation is the one
//! that training uses, on a batch of one.

use std::path::Path;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor, TensorData};
use lrrc_episode::Role;
use lrrc_episode::observe::{
    AGENT_ROWS, Candidate, Decision, EpisodeObservation, Mode, RIVAL_FEATURES, Rivals, SegmentObservation,
};

use crate::batch::{Flat, mode_flags};
use crate::cell::Cell;
use crate::config::CoordinatorConfig;
use crate::coordinator::Coordinator;
use crate::decoder::push_inputs;
use crate::device::floats;
use crate::error::{PolicyError, RecordError};
use crate::pack::{ints, pack_groups, pack_segments};
use crate::record::{Checkpoint, Meta};
use crate::rivals::rival_counts;

mod calls;

pub use calls::CallInput;

/// A trained coordinator that decides.
#[derive(Debug, Clone)]
pub struct Policy {
    model: Coordinator,
    device: Device,
    meta: Meta,
}

/// What the coordinator remembers of the turns so far.
#[derive(Debug, Clone)]
pub struct State {
    /// S_t by channel `[r, d]`.
    channels: Vec<f32>,
    turns: Vec<Arc<SeenTurn>>,
    segments: usize,
}

#[derive(Debug)]
struct SeenTurn {
    role: usize,
    agent: usize,
    /// Index of its first segment.
    first: usize,
    /// Vectors of its distinct segments `[n, d]`, and the row of each segment.
    vectors: Vec<f32>,
    rows: Vec<usize>,
    /// Pooled segments `[d]`.
    pooled: Vec<f32>,
    tokens: usize,
}

/// One turn, as serving hands it in.
#[derive(Debug, Clone, Copy)]
pub struct TurnInput<'a> {
    /// [`Role::index`] of the speaker.
    pub role: usize,
    /// Agent row of the speaker.
    pub agent: usize,
    /// Its segments, numbered on from the segments so far; may be empty.
    pub segments: &'a [SegmentObservation],
}

/// One decision, as serving hands it in.
#[derive(Debug, Clone, Copy)]
pub struct DecisionInput<'a> {
    /// The mode asked for.
    pub mode: Mode,
    /// Agent row of the reader.
    pub agent: usize,
    /// Segments of the newest message that the state holds.
    pub query: &'a [usize],
    /// Segments of the newest message that it does not hold, such as a question asked from outside.
    pub query_text: &'a [SegmentObservation],
    /// What may be kept; labels and weights are not read.
    pub candidates: &'a [Candidate],
}

/// The values of one step, for the checks of theorems T1 and T4.
#[derive(Debug, Clone)]
pub(crate) struct StepValues {
    /// g `[r]`.
    pub(crate) gates: Vec<f32>,
    /// Aᵀ `[r_u, d]`.
    pub(crate) left: Vec<f32>,
    /// B `[r, r_u]`.
    pub(crate) right: Vec<f32>,
}

impl State {
    /// S_t by channel `[r, d]`, the transpose of the paper's.
    #[must_use]
    pub fn channels(&self) -> &[f32] {
        &self.channels
    }

    /// Segments so far; the next turn's first segment has this index.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.segments
    }

    /// Turns so far.
    #[must_use]
    pub fn turns(&self) -> usize {
        self.turns.len()
    }

    fn turn_of(&self, segment: usize) -> Result<&SeenTurn, PolicyError> {
        if segment >= self.segments {
            return Err(PolicyError::Segment { index: segment, len: self.segments });
        }
        let after = self.turns.partition_point(|turn| turn.first <= segment);
        Ok(&self.turns[after - 1])
    }
}

impl SeenTurn {
    fn vector(&self, segment: usize, width: usize) -> &[f32] {
        &self.vectors[self.rows[segment - self.first] * width..][..width]
    }
}

impl Policy {
    /// Reads a checkpoint folder onto `device`.
    ///
    /// # Errors
    /// As [`Checkpoint::load`].
    pub fn load(dir: &Path, device: &Device) -> Result<Self, RecordError> {
        Ok(Self::from_checkpoint(&Checkpoint::load(dir, device)?))
    }

    /// The policy of a checkpoint already read.
    #[must_use]
    pub fn from_checkpoint(checkpoint: &Checkpoint) -> Self {
        Self::from_parts(&checkpoint.model, checkpoint.meta.clone())
    }

    /// A policy from a model; gradients are not recorded.
    #[must_use]
    pub fn from_parts(model: &Coordinator, meta: Meta) -> Self {
        let model = model.valid();
        let device = model.devices().into_iter().next().unwrap_or_default().without_autodiff();
        Self { model, device, meta }
    }

    /// What the checkpoint says of itself; calibration is in [`Meta::calibration`].
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Sizes and bounds of the model.
    #[must_use]
    pub fn config(&self) -> &CoordinatorConfig {
        self.model.config()
    }

    /// The state before the first turn.
    #[must_use]
    pub fn state0(&self) -> State {
        let size = self.config().rank * self.config().width;
        State { channels: vec![0.0; size], turns: Vec::new(), segments: 0 }
    }

    /// Takes up one turn, then scores the decision, whose candidates may lie in that turn.
    ///
    /// # Errors
    /// An agent row or a segment that does not exist.
    pub fn step(
        &self,
        state: &State,
        turn: TurnInput<'_>,
        decision: Option<&DecisionInput<'_>>,
    ) -> Result<(State, Vec<f32>), PolicyError> {
        let state = self.append(state, turn)?;
        let scores = decision.map_or(Ok(Vec::new()), |decision| self.score(&state, decision))?;
        Ok((state, scores))
    }

    /// Takes up one turn.
    ///
    /// # Errors
    /// An agent or role row that does not exist.
    pub fn append(&self, state: &State, turn: TurnInput<'_>) -> Result<State, PolicyError> {
        self.advance(state, turn).map(|(state, _)| state)
    }

    pub(crate) fn advance(
        &self,
        state: &State,
        turn: TurnInput<'_>,
    ) -> Result<(State, StepValues), PolicyError> {
        row(turn.agent, AGENT_ROWS)?;
        row(turn.role, Role::ALL.len())?;
        let (r, d) = (self.config().rank, self.config().width);
        let (pack, rows) = pack_segments(turn.segments, &self.device);
        let vectors = self.model.encoder.forward(&pack);
        let groups = self.model.pool(&vectors, &pack_groups(std::slice::from_ref(&rows), &self.device));
        let index = |row| ints([row], &self.device);
        let moved = self.model.turns(groups, index(turn.role), index(turn.agent));
        let before = self.tensor(&state.channels, [1, r, d]);
        let read = self.model.gate.reads_state().then(|| before.clone());
        let ordinal = Tensor::full([1], (state.turns() + 1) as f32, &self.device);
        let gates = self.model.gate.forward(moved.x, ordinal, read).hard;
        let after = Cell::step(before, gates.clone(), &moved.factors);
        let seen = SeenTurn {
            role: turn.role,
            agent: turn.agent,
            first: state.segments,
            vectors: floats(vectors),
            rows,
            pooled: floats(moved.pooled),
            tokens: turn.segments.iter().map(|segment| segment.tokens.len()).sum(),
        };
        let values = StepValues {
            gates: floats(gates),
            left: floats(moved.factors.left),
            right: floats(moved.factors.right),
        };
        let mut turns = state.turns.clone();
        turns.push(Arc::new(seen));
        let segments = state.segments + turn.segments.len();
        Ok((State { channels: floats(after), turns, segments }, values))
    }

    /// Logits of the candidates of one decision, in order.
    ///
    /// # Errors
    /// An agent row or a segment that does not exist.
    pub fn score(&self, state: &State, decision: &DecisionInput<'_>) -> Result<Vec<f32>, PolicyError> {
        row(decision.agent, AGENT_ROWS)?;
        if decision.candidates.is_empty() {
            return Ok(Vec::new());
        }
        let (r, d) = (self.config().rank, self.config().width);
        let mut flat = Flat { agent: vec![decision.agent], read_of: vec![0], ..Flat::default() };
        let mut vectors = Vec::with_capacity(decision.candidates.len() * d);
        for (pair, candidate) in decision.candidates.iter().enumerate() {
            let turn = state.turn_of(candidate.segment)?;
            vectors.extend_from_slice(turn.vector(candidate.segment, d));
            push_inputs(&mut flat.inputs, &candidate.features, turn.role);
            flat.modes.extend(mode_flags(decision.mode));
            flat.rows.push(pair);
        }
        flat.state_of.clone_from(&flat.rows);
        flat.query_of.clone_from(&flat.rows);
        flat.decision_of = vec![0; flat.rows.len()];
        flat.decision_modes.extend(mode_flags(decision.mode));
        let pairs = flat.rows.len();
        let asked = flat.into_asked(pairs, 1, &self.device);
        let states = self.tensor(&state.channels, [1, 1, r, d]);
        let prompts = self.model.decoder.prompt(self.tensor(&state.channels, [1, r, d]));
        let queries = self.query(state, decision)?;
        let vectors = self.tensor(&vectors, [pairs, d]);
        Ok(floats(self.model.decoder.logits(&vectors, states, &prompts, queries, &asked)))
    }

    /// The query vector q_t `[1, d]`.
    fn query(&self, state: &State, decision: &DecisionInput<'_>) -> Result<Tensor<2>, PolicyError> {
        let d = self.config().width;
        let mut known = Vec::with_capacity(decision.query.len() * d);
        for &segment in decision.query {
            known.extend_from_slice(state.turn_of(segment)?.vector(segment, d));
        }
        let known = self.tensor(&known, [decision.query.len(), d]);
        let (vectors, rows) = if decision.query_text.is_empty() {
            (known, (0..decision.query.len()).collect())
        } else {
            let (pack, rows) = pack_segments(decision.query_text, &self.device);
            let told = self.model.encoder.forward(&pack);
            let base = decision.query.len();
            let rows = (0..base).chain(rows.into_iter().map(|row| base + row)).collect();
            (Tensor::cat(vec![known, told], 0), rows)
        };
        let groups = self.model.pool(&vectors, &pack_groups(&[rows], &self.device));
        Ok(self.model.queries(groups))
    }

    /// Chance that the first of two rivals is preferred. Only the head of a model that learned from two-model
    /// episodes knows anything: see [`Meta::two_model_episodes`].
    #[must_use]
    pub fn winner(&self, state: &State, rivals: &Rivals) -> f32 {
        let (r, d) = (self.config().rank, self.config().width);
        let mut pooled = vec![0.0_f32; 2 * d];
        let mut counts = Vec::new();
        for (slot, rival) in rivals.agents.into_iter().enumerate() {
            let own: Vec<&SeenTurn> =
                state.turns.iter().map(AsRef::as_ref).filter(|turn| turn.agent == rival).collect();
            let each = 1.0 / own.len().max(1) as f32;
            for turn in &own {
                let sum = &mut pooled[slot * d..][..d];
                sum.iter_mut().zip(&turn.pooled).for_each(|(sum, value)| *sum += each * value);
            }
            let segments = own.iter().map(|turn| turn.rows.len()).sum();
            counts.extend(rival_counts(segments, own.iter().map(|turn| turn.tokens).sum()));
        }
        let prompts = self.model.decoder.prompt(self.tensor(&state.channels, [1, r, d]));
        let width = counts.len() / 2;
        let (pooled, counts) = (self.tensor(&pooled, [1, 2, d]), self.tensor(&counts, [1, 2, width]));
        let form = self.tensor(rivals.features.as_flattened(), [1, 2, RIVAL_FEATURES]);
        floats(sigmoid(self.model.decoder.winner(pooled, counts, form, prompts)))[0]
    }

    /// Chance that the first rival of a two-model episode is preferred, after all its turns; `None` for another one.
    ///
    /// # Errors
    /// An episode that contradicts itself.
    pub fn judge(&self, episode: &EpisodeObservation) -> Result<Option<f32>, PolicyError> {
        let Some(rivals) = &episode.rivals else { return Ok(None) };
        let mut state = self.state0();
        while state.turns() < episode.turns.len() {
            state = self.append(&state, episode_turn(episode, &state)?)?;
        }
        Ok(Some(self.winner(&state, rivals)))
    }

    /// Logits of every decision of an episode, each turn processed once.
    ///
    /// # Errors
    /// A decision that names a candidate after the turns it sees, or an episode that contradicts itself.
    pub fn replay(&self, episode: &EpisodeObservation) -> Result<Vec<Vec<f32>>, PolicyError> {
        let mut order: Vec<usize> = (0..episode.decisions.len()).collect();
        order.sort_by_key(|&index| episode.decisions[index].turns_seen);
        let mut scores = vec![Vec::new(); episode.decisions.len()];
        let mut state = self.state0();
        for index in order {
            let decision = &episode.decisions[index];
            while state.turns() < decision.turns_seen {
                state = self.append(&state, episode_turn(episode, &state)?)?;
            }
            scores[index] = self.score_observed(&state, decision, &episode.segments)?;
        }
        Ok(scores)
    }

    fn score_observed(
        &self,
        state: &State,
        decision: &Decision,
        segments: &[SegmentObservation],
    ) -> Result<Vec<f32>, PolicyError> {
        let (query, later): (Vec<usize>, Vec<usize>) =
            decision.query.iter().partition(|&&segment| segment < state.segments());
        let query_text: Vec<SegmentObservation> =
            later.into_iter().filter_map(|segment| segments.get(segment).cloned()).collect();
        let input = DecisionInput {
            mode: decision.mode,
            agent: decision.agent,
            query: &query,
            query_text: &query_text,
            candidates: &decision.candidates,
        };
        self.score(state, &input)
    }

    fn tensor<const D: usize>(&self, values: &[f32], shape: [usize; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), &self.device)
    }
}

/// The turn of `episode` that comes after `state`.
pub(crate) fn episode_turn<'a>(
    episode: &'a EpisodeObservation,
    state: &State,
) -> Result<TurnInput<'a>, PolicyError> {
    let fault = |reason: String| PolicyError::Episode { id: episode.id.clone(), reason };
    let index = state.turns();
    let turn = episode.turns.get(index).ok_or_else(|| fault(format!("it has no turn {index}")))?;
    let span = turn.segments.clone();
    if !span.is_empty() && span.start != state.segments() {
        let reason = format!("turn {index} starts at segment {} after {}", span.start, state.segments());
        return Err(fault(reason));
    }
    let segments = episode
        .segments
        .get(span.clone())
        .ok_or_else(|| fault(format!("turn {index} has segments {span:?} of {}", episode.segments.len())))?;
    Ok(TurnInput { role: turn.role, agent: turn.agent, segments })
}

fn row(index: usize, len: usize) -> Result<(), PolicyError> {
    if index < len { Ok(()) } else { Err(PolicyError::Agent { index, len }) }
}
