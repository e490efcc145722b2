//! How long a served turn and a training batch take: `cargo bench -p lrrc-model --bench speed`.
//!
//! One thread, the allocator of the `lrrc` binary. Episodes are random in the shapes of tau-bench and QMSum.

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

use std::time::Instant;

use burn::optim::GradientsParams;
use burn::tensor::Device;
use lrrc_episode::observe::EpisodeObservation;
use lrrc_model::{Batch, CoordinatorConfig, LossConfig, Meta, Policy};
use synthetic::{Shape, episode};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TAU: Shape = Shape { turns: 28, segments: 90, tokens: 10, decisions: 25, vocabulary: 2_000 };
const MEETING: Shape = Shape { turns: 550, segments: 3, tokens: 40, decisions: 8, vocabulary: 3_000 };

fn main() {
    for rank in [8, 32] {
        served_turn(rank);
        training(rank, "tau-bench", TAU, 2);
        training(rank, "meeting", MEETING, 2);
    }
}

fn served_turn(rank: usize) {
    let config = CoordinatorConfig { rank, ..Default::default() };
    let model = config.init(1, &Device::flex()).expect("the default configuration is possible");
    let policy = Policy::from_parts(&model, Meta::default());
    // 75 segments of 1 to 8 tokens: about 340 tokens.
    let one = Shape { turns: 1, segments: 75, tokens: 8, decisions: 1, vocabulary: 300 };
    let episode = (0..).map(|seed| episode(seed, one)).find(|episode| episode.segments.len() > 70);
    let episode = episode.expect("there is such a seed");
    let tokens: usize = episode.segments.iter().map(|segment| segment.tokens.len()).sum();
    let (mut appended, mut scored) = (Vec::new(), Vec::new());
    let turn = lrrc_model::TurnInput { role: 1, agent: 0, segments: &episode.segments };
    let decision = lrrc_model::DecisionInput {
        mode: episode.decisions[0].mode,
        agent: 0,
        query: &[0, 1, 2],
        query_text: &[],
        candidates: &episode.decisions[0].candidates,
    };
    let state = policy.state0();
    for _ in 0..300 {
        let start = Instant::now();
        let state = policy.append(&state, turn).expect("the turn is well formed");
        appended.push(start.elapsed().as_secs_f64() * 1e3);
        let start = Instant::now();
        let _ = policy.score(&state, &decision).expect("the decision is well formed");
        scored.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let total: Vec<f64> = appended.iter().zip(&scored).map(|(a, b)| a + b).collect();
    let (segments, candidates) = (episode.segments.len(), decision.candidates.len());
    println!("rank {rank}: a turn of {tokens} tokens in {segments} segments, {candidates} candidates");
    for (name, mut times) in [("append", appended), ("score", scored), ("both", total)] {
        times.sort_by(f64::total_cmp);
        println!(
            "  {name:>6}: p50 {:.3} ms, p99 {:.3} ms",
            times[times.len() / 2],
            times[times.len() * 99 / 100]
        );
    }
}

fn training(rank: usize, name: &str, shape: Shape, count: u64) {
    let device = Device::flex().autodiff();
    let config = CoordinatorConfig { rank, ..Default::default() };
    let model = config.init(1, &device).expect("the default configuration is possible");
    let episodes: Vec<EpisodeObservation> = (0..count).map(|seed| episode(seed, shape)).collect();
    let all: Vec<&EpisodeObservation> = episodes.iter().collect();
    let segments: usize = episodes.iter().map(|episode| episode.segments.len()).sum();
    let mut best = [f64::INFINITY; 3];
    let mut pairs = 0;
    for _ in 0..5 {
        let start = Instant::now();
        let batch = Batch::new(&all, &device).expect("the episodes are well formed");
        let packed = start.elapsed().as_secs_f64();
        pairs = batch.pairs();
        let loss = LossConfig::default().compute(&model.forward(&batch), &batch);
        let _ = loss.values();
        let forward = start.elapsed().as_secs_f64();
        let grads = GradientsParams::from_grads(loss.total.backward(), &model);
        let whole = start.elapsed().as_secs_f64();
        drop(grads);
        for (best, time) in best.iter_mut().zip([packed, forward - packed, whole - forward]) {
            *best = best.min(time * 1e3);
        }
    }
    let [packed, forward, backward] = best;
    println!("rank {rank}: {count} {name} episodes, {segments} segments, {pairs} pairs");
    println!("  pack {packed:.1} ms, forward {forward:.1} ms, backward {backward:.1} ms");
}
