//! How long one turn takes through the coordinator, beside an encoder of BERT-base size on the same core.
//!
//! A repetition does what serving does when a turn arrives: cut and index it, take the features of its segments, and
//! run [`Policy::step`] with an ingest decision over them. The history and the state before the turn are ready, the
//! token counts of its segments are not. Nothing here starts a thread.

use std::time::Instant;

use burn::{
    nn::transformer::{TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput},
    tensor::{Device, Distribution, Tensor},
};
use lrrc_episode::{
    Encoding, Episode, Role, TokenCounter, Turn,
    history::History,
    observe::{AGENT_ROWS, Candidate, Context, Mode, SegmentObservation, candidates, segment_observation},
};
use lrrc_model::{DecisionInput, Policy, PolicyError, State, TurnInput};
use serde::Serialize;
use thiserror::Error;

/// Tokens of a turn that is measured, least and most.
const TURN_TOKENS: std::ops::RangeInclusive<u32> = 300..=400;
/// Length of the sequence that the encoder reads, in tokens.
const ENCODER_TOKENS: usize = 350;
/// Width of BERT-base.
const ENCODER_WIDTH: usize = 768;
/// Most different turns that are measured in rotation.
const CASES: usize = 16;
/// Repetitions before the clock counts.
const WARM_UP: usize = 20;

/// How often to measure.
#[derive(Debug, Clone, Copy)]
pub struct BenchOptions {
    /// Turns through the coordinator.
    pub repetitions: usize,
    /// Sequences through the encoder; 0 leaves it out.
    pub encoder_repetitions: usize,
}

/// Why nothing was measured.
#[derive(Debug, Error)]
pub enum BenchError {
    /// The policy refused a turn.
    #[error("the coordinator refused a turn")]
    Policy(#[from] PolicyError),
    /// The forward pass of the encoder gave no value.
    #[error("the encoder gave no value")]
    Encoder,
    /// A percentile of nothing was asked for.
    #[error("0 repetitions measure nothing")]
    NoRepetitions,
}

/// Percentiles of a time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// Median.
    pub p50_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
}

/// What one turn costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PolicyBench {
    /// Rank of the coordinator.
    pub rank: usize,
    /// Different turns measured.
    pub turns: usize,
    /// Mean tokens of a turn.
    pub tokens_mean: f64,
    /// Mean segments of a turn, each of them scored.
    pub segments_mean: f64,
    /// Repetitions measured.
    pub repetitions: usize,
    /// [`Policy::step`] with the turn's ingest decision.
    pub step: Latency,
    /// Text to observation: cutting, indexing, hashing and features.
    pub featurise: Latency,
    /// Both.
    pub total: Latency,
    /// One sequence of 350 tokens through the encoder of BERT-base size.
    pub encoder: Option<Latency>,
    /// Median of the encoder over the median of both.
    pub encoder_ratio: Option<f64>,
}

/// Measures turns of about 350 tokens taken from `episodes`, or a made-up tool result where none has such a turn.
///
/// # Errors
/// [`BenchError`].
pub fn bench_policy(
    policy: &Policy,
    episodes: &[Episode],
    device: &Device,
    options: BenchOptions,
) -> Result<PolicyBench, BenchError> {
    let cases = cases(policy, episodes)?;
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    let mut segments = 0;
    for repetition in 0..WARM_UP + options.repetitions {
        let (featurise_ms, step_ms, scored) = cases[repetition % cases.len()].run(policy)?;
        if repetition >= WARM_UP {
            segments += scored;
            times[0].push(step_ms);
            times[1].push(featurise_ms);
            times[2].push(step_ms + featurise_ms);
        }
    }
    let [step, featurise, total] = times.map(latency);
    let total = total.ok_or(BenchError::NoRepetitions)?;
    let encoder = bench_encoder(device, options.encoder_repetitions)?;
    let tokens: u32 = cases.iter().map(|case| case.tokens).sum();
    Ok(PolicyBench {
        rank: policy.config().rank,
        turns: cases.len(),
        tokens_mean: f64::from(tokens) / cases.len() as f64,
        segments_mean: segments as f64 / options.repetitions as f64,
        repetitions: options.repetitions,
        step: step.ok_or(BenchError::NoRepetitions)?,
        featurise: featurise.ok_or(BenchError::NoRepetitions)?,
        total,
        encoder_ratio: encoder.map(|encoder| encoder.p50_ms / total.p50_ms),
        encoder,
    })
}

/// A turn about to be said.
struct Case {
    history: History,
    state: State,
    turn: Turn,
    tokens: u32,
    question: String,
    agents: Vec<String>,
}

fn cases(policy: &Policy, episodes: &[Episode]) -> Result<Vec<Case>, PolicyError> {
    let counter = TokenCounter::new(Encoding::Cl100kBase);
    let mut cases = Vec::new();
    for episode in episodes {
        let wanted =
            |turn: &Turn| turn.role != Role::System && TURN_TOKENS.contains(&counter.count_turn(turn));
        let Some(at) = episode.turns.iter().skip(1).position(wanted) else { continue };
        cases.push(Case::new(policy, episode, at + 1, &counter)?);
        if cases.len() == CASES {
            break;
        }
    }
    if cases.is_empty() {
        cases.push(Case::new(policy, &made_up(), 1, &counter)?);
    }
    Ok(cases)
}

impl Case {
    /// The turn `at` of an episode, with everything before it said.
    fn new(
        policy: &Policy,
        episode: &Episode,
        at: usize,
        counter: &TokenCounter,
    ) -> Result<Self, PolicyError> {
        let history = History::of(&episode.turns[..at], counter);
        let mut state = policy.state0();
        for (index, turn) in episode.turns[..at].iter().enumerate() {
            let observed: Vec<SegmentObservation> = history
                .range(index)
                .map(|segment| segment_observation(&history.segment(segment).text, counter))
                .collect();
            state = policy.append(&state, input(turn, &observed))?;
        }
        let turn = episode.turns[at].clone();
        Ok(Self {
            history,
            state,
            tokens: counter.count_turn(&turn),
            turn,
            question: episode.turns[at - 1].shown(),
            agents: episode.agents.iter().map(|agent| agent.name.clone()).collect(),
        })
    }

    /// Says the turn; returns milliseconds of featurising and of the step, and the number of segments scored.
    fn run(&self, policy: &Policy) -> Result<(f64, f64, usize), PolicyError> {
        let counter = TokenCounter::new(Encoding::Cl100kBase);
        let mut history = self.history.clone();
        let start = Instant::now();
        let (observed, offered) = self.featurise(&mut history, &counter);
        let featurise_ms = start.elapsed().as_secs_f64() * 1e3;
        let asked: Vec<usize> = history.range(history.turns().len() - 2).collect();
        let decision = DecisionInput {
            mode: Mode::Ingest,
            agent: 0,
            query: &asked,
            query_text: &[],
            candidates: &offered,
        };
        let start = Instant::now();
        let (_, scores) = policy.step(&self.state, input(&self.turn, &observed), Some(&decision))?;
        Ok((featurise_ms, start.elapsed().as_secs_f64() * 1e3, scores.len()))
    }

    fn featurise(
        &self,
        history: &mut History,
        counter: &TokenCounter,
    ) -> (Vec<SegmentObservation>, Vec<Candidate>) {
        let at = history.turns().len();
        history.push(&self.turn, counter);
        let own: Vec<usize> = history.range(at).collect();
        let observed =
            own.iter().map(|segment| segment_observation(&history.segment(*segment).text, counter)).collect();
        let (last, now) = (self.question.as_str(), at.saturating_sub(1));
        let context = Context { history, last, now, reader: 0, agents: &self.agents };
        (observed, candidates(&context, &own))
    }
}

fn input<'a>(turn: &Turn, segments: &'a [SegmentObservation]) -> TurnInput<'a> {
    TurnInput { role: turn.role.index(), agent: turn.agent % AGENT_ROWS, segments }
}

/// A question and a tool's answer of about 350 tokens.
fn made_up() -> Episode {
    let row = |n: u32| {
        format!(
            r#"{{"flight_number":"HAT{n:03}","origin":"JFK","destination":"SEA","departs":"{:02}:30","price":{}}}"#,
            n % 24,
            90 + n * 7
        )
    };
    let rows: Vec<String> = (60..73).map(row).collect();
    let turns = vec![
        Turn::text(
            0,
            Role::User,
            "Which flights go from New York to Seattle on May 20th, and which is the cheapest?",
        ),
        Turn::text(0, Role::Tool, format!("[{}]", rows.join(","))),
    ];
    Episode {
        id: "made-up".to_owned(),
        group: "made-up".to_owned(),
        source: "bench".to_owned(),
        license: "none".to_owned(),
        task: None,
        agents: Vec::new(),
        turns,
        queries: Vec::new(),
        outcome: lrrc_episode::Outcome::default(),
    }
}

/// Twelve layers of width 768 with random weights, the size of LLMLingua-2's small model.
fn bench_encoder(device: &Device, repetitions: usize) -> Result<Option<Latency>, BenchError> {
    if repetitions == 0 {
        return Ok(None);
    }
    let config = TransformerEncoderConfig::new(ENCODER_WIDTH, 4 * ENCODER_WIDTH, 12, 12).with_dropout(0.0);
    let encoder = config.init(device);
    let input =
        Tensor::<3>::random([1, ENCODER_TOKENS, ENCODER_WIDTH], Distribution::Normal(0.0, 1.0), device);
    forward(&encoder, &input)?;
    let mut times = Vec::with_capacity(repetitions);
    for _ in 0..repetitions {
        let start = Instant::now();
        forward(&encoder, &input)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(latency(times))
}

/// One forward pass, to its end: a value of the output is read.
fn forward(encoder: &TransformerEncoder, input: &Tensor<3>) -> Result<f32, BenchError> {
    let output = encoder.forward(TransformerEncoderInput::new(input.clone()));
    let values = output
        .slice([0..1, 0..1, 0..1])
        .into_data()
        .try_into_vec::<f32>()
        .map_err(|_| BenchError::Encoder)?;
    values.first().copied().ok_or(BenchError::Encoder)
}

/// Percentiles by the nearest rank; nothing for no times.
fn latency(mut times_ms: Vec<f64>) -> Option<Latency> {
    times_ms.sort_by(f64::total_cmp);
    let last = times_ms.len().checked_sub(1)?;
    let at = |percent: usize| times_ms[(times_ms.len() * percent).div_ceil(100).saturating_sub(1).min(last)];
    Some(Latency { p50_ms: at(50), p90_ms: at(90), p99_ms: at(99) })
}

#[cfg(test)]
mod tests {
    use lrrc_model::{CoordinatorConfig, Meta};

    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let times = (1..=200).rev().map(f64::from).collect();
        assert_eq!(latency(times), Some(Latency { p50_ms: 100.0, p90_ms: 180.0, p99_ms: 198.0 }));
        assert_eq!(latency(vec![3.0]), Some(Latency { p50_ms: 3.0, p90_ms: 3.0, p99_ms: 3.0 }));
        assert_eq!(latency(Vec::new()), None);
    }

    #[test]
    fn the_made_up_turn_is_as_long_as_it_should_be() {
        let turn = &made_up().turns[1];
        assert!(TURN_TOKENS.contains(&TokenCounter::new(Encoding::Cl100kBase).count_turn(turn)));
    }

    #[test]
    fn every_segment_of_a_turn_is_scored() {
        let device = lrrc_model::device("cpu").unwrap();
        let model = CoordinatorConfig { rank: 4, ..CoordinatorConfig::default() }.init(1, &device).unwrap();
        let policy = Policy::from_parts(&model, Meta::default());
        let options = BenchOptions { repetitions: 3, encoder_repetitions: 0 };
        let bench = bench_policy(&policy, &[], &device, options).unwrap();
        assert_eq!((bench.rank, bench.turns, bench.segments_mean), (4, 1, 65.0));
        assert!(bench.total.p50_ms >= bench.step.p50_ms && bench.step.p50_ms > 0.0);
        let none = BenchOptions { repetitions: 0, encoder_repetitions: 0 };
        assert!(matches!(bench_policy(&policy, &[], &device, none), Err(BenchError::NoRepetitions)));
    }
}
