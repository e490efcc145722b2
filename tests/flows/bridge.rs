//! What the theorems assume, checked on the shipped checkpoint over recorded episodes.

use std::collections::BTreeSet;
use std::sync::Arc;

use lrrc_dataset::{Dataset, ReadOptions, Side};
use lrrc_episode::canon::Atoms;
use lrrc_episode::observe::Observed;
use lrrc_episode::{Encoding, Episode, TokenCounter};
use lrrc_eval::{Evaluation, Kept, Method, Report, Viewer, evaluate, learned_scores, measure, observe_all};
use lrrc_model::{CoordinatorConfig, GateMode, Memory, Policy, TurnReport, device};

/// Folder of the checkpoint, from the root of the repository.
const CHECKPOINT: &str = "checkpoints/default";
/// Episodes of the held-out side that are run.
const EPISODES: usize = 4;
/// What single-precision sums may miss.
const ROUNDING: f32 = 1e-5;

fn shipped() -> Policy {
    let dir = crate::root().join(CHECKPOINT);
    let device = device("cpu").expect("every build has the CPU");
    Policy::load(&dir, &device).unwrap_or_else(|error| panic!("{}: {error}", dir.display()))
}

/// The first held-out episodes of different tasks.
fn held_out(counter: &Arc<TokenCounter>) -> Vec<Episode> {
    let options = ReadOptions { counter: Some(Arc::clone(counter)), ..ReadOptions::default() };
    let dataset = Dataset::open("taubench-airline", &options).expect("it is shipped");
    let (episodes, split) = dataset.read_split().expect("it is sound");
    let mut held_out = split.select(&episodes, Side::Test);
    held_out.dedup_by(|later, earlier| later.group == earlier.group);
    held_out.truncate(EPISODES);
    assert_eq!(held_out.len(), EPISODES, "the held-out side has that many tasks");
    held_out
}

fn counter() -> Arc<TokenCounter> {
    Arc::new(TokenCounter::new(Encoding::Cl100kBase))
}

fn diagnosed(policy: &Policy) -> Vec<Vec<TurnReport>> {
    let counter = counter();
    let observed = observe_all(&held_out(&counter), &counter);
    let reports = observed.iter().map(|observed| policy.diagnose(&observed.observation));
    reports.collect::<Result<_, _>>().expect("recorded episodes do not contradict themselves")
}

#[test]
fn the_shipped_model_is_the_one_that_the_theorems_speak_of() {
    let policy = shipped();
    let config = policy.config();
    assert_eq!((config.gate, config.memory), (GateMode::Input, Memory::LowRank));
    let state = policy.state0();
    assert!(state.channels().iter().all(|entry| *entry == 0.0), "T1 and T4 start at zero");
    let (state_bits, token_bits) = (32 * state.channels().len(), 16);
    assert!(state_bits < 4_097 * token_bits, "T5: {state_bits} bits against histories of 4,097 tokens");
}

#[test]
fn factors_are_smaller_than_the_update_from_rank_nine_on() {
    for rank in 1..=256 {
        let config = CoordinatorConfig { rank, ..CoordinatorConfig::default() };
        let (d, r_u) = (config.width, config.update_rank());
        assert_eq!(d * r_u + rank * r_u < d * rank, rank > 8, "rank {rank}");
    }
}

#[test]
fn ranks_stay_below_the_bounds_of_the_rank_theorem() {
    let policy = shipped();
    let config = policy.config();
    let (rank, update_rank, top_k) = (config.rank, config.update_rank(), config.top_k());
    for turns in diagnosed(&policy) {
        for (turn, report) in (1..).zip(&turns) {
            let most = update_rank.min(report.active());
            assert!(
                report.update_rank <= most,
                "turn {turn}: update of rank {} > {most}",
                report.update_rank
            );
            let most = rank.min(turn * update_rank.min(top_k));
            assert!(report.state_rank <= most, "turn {turn}: state of rank {} > {most}", report.state_rank);
        }
        assert!(turns.iter().any(|report| report.update_rank > 0), "an episode is written to the state");
    }
}

#[test]
fn factors_and_state_keep_within_the_bound_of_the_stability_theorem() {
    let policy = shipped();
    let clip = policy.config().clip;
    for (turn, report) in diagnosed(&policy).into_iter().flatten().enumerate() {
        assert!(report.left_max <= clip, "{turn}: |A| reaches {} > {clip}", report.left_max);
        assert!(report.right_min >= 0.0, "{turn}: B falls to {}", report.right_min);
        let row = report.right_row_sum_max;
        assert!(row <= 1.0 + ROUNDING, "{turn}: a row of B sums to {row}");
        let most = clip * (1.0 + ROUNDING);
        assert!(report.state_max <= most, "{turn}: |S| reaches {} > {clip}", report.state_max);
    }
}

#[test]
fn gates_are_zero_or_between_their_least_and_one() {
    let policy = shipped();
    let config = policy.config();
    for report in diagnosed(&policy).iter().flatten() {
        assert!(report.active() <= config.top_k(), "{} gates open", report.active());
        let sound = |gate: f32| gate == 0.0 || (config.gate_min - ROUNDING..=1.0 + ROUNDING).contains(&gate);
        assert!(report.gates.iter().all(|gate| sound(*gate)), "{:?}", report.gates);
    }
}

/// Whether `part` is left when some of the words of `whole` are struck out.
fn is_subsequence(part: &str, whole: &str) -> bool {
    let mut whole = whole.split(' ');
    part.split(' ').filter(|word| !word.is_empty()).all(|word| whole.any(|next| next == word))
}

/// Whether every word of `part` stands in `whole`.
fn is_part(part: &str, whole: &str) -> bool {
    let words: BTreeSet<&str> = whole.split(' ').collect();
    part.split(' ').all(|word| word.is_empty() || words.contains(word))
}

/// Every turn as the calls of an episode see it, against the turn whole. A table of fewer records may head its
/// columns in another order or name them field by field, so there each word is one of the turn's words.
fn assert_nothing_invented(observed: &Observed, viewer: &mut Viewer<'_>, plan: &[Kept]) {
    let turns = observed.history.turns();
    for (call, kept) in observed.calls.iter().zip(plan) {
        for (at, turn) in turns[..call.turn].iter().enumerate() {
            let digest = viewer.turn(at, kept);
            let whole = Atoms::of(&turn.render_all());
            let (digest, whole) = (digest.atoms.text(), whole.text());
            let sound =
                if turn.is_structured() { is_part(digest, whole) } else { is_subsequence(digest, whole) };
            assert!(sound, "turn {at}: {digest:?} is not within {whole:?}");
        }
    }
}

#[test]
fn a_digest_is_a_subsequence_of_the_history_and_never_longer() {
    let (policy, counter) = (shipped(), counter());
    let observed = observe_all(&held_out(&counter), &counter);
    let scores = learned_scores(&policy, &observed).expect("the policy takes recorded episodes");
    for (observed, scores) in observed.iter().zip(&scores) {
        let mut viewer = Viewer::new(&observed.history, &counter);
        for method in [Method::LrrcIngest, Method::LrrcOnce, Method::LrrcRerank] {
            let mut sent_before = 0.0;
            for knob in [3.0, 30.0, 1e4] {
                let plan = method.plan(observed, scores, knob);
                assert_nothing_invented(observed, &mut viewer, &plan);
                let counts = measure(observed, &mut viewer, &plan, method.whole());
                let name = method.name();
                assert!(counts.sent_tokens <= counts.full_tokens, "{name} at {knob}: {counts:?}");
                assert!(counts.sent_tokens >= sent_before, "{name} sends less when it may keep more");
                sent_before = counts.sent_tokens;
            }
        }
    }
}

#[test]
fn savings_follow_from_the_tokens_removed() {
    let (policy, counter) = (shipped(), counter());
    let mut episodes = held_out(&counter);
    episodes.truncate(2);
    let request = Evaluation {
        dataset: "held-out",
        episodes: &episodes,
        counter: &counter,
        policy: Some(&policy),
        control: None,
        trees: None,
        background: None,
        budgets: vec![0.5, 0.75],
        methods: vec![
            Method::Full,
            Method::Coverage,
            Method::LrrcIngest,
            Method::LrrcOnce,
            Method::LrrcRerank,
        ],
        timed: true,
    };
    let replays = evaluate(&request, |_| ()).expect("recorded episodes can be replayed");
    let report = replays.report(11).expect("counts can be resampled");
    assert_eq!(report.full_tokens as f64, full_tokens(&episodes, &counter));
    let full = report.row("full", 0.5).expect("it was asked for");
    assert_eq!((full.history_removed, full.tokens_saved), (0.0, 0.0));
    assert_savings(&report);
}

fn assert_savings(report: &Report) {
    let rows =
        report.methods.iter().flat_map(|method| method.budgets.iter().map(move |row| (&method.name, row)));
    let mut shares = Vec::new();
    for (name, row) in rows {
        assert!((0.0..=1.0).contains(&row.history_removed), "{name}: {row:?}");
        assert!(row.tokens_saved <= row.history_removed, "{name}: only history is removed: {row:?}");
        let [low, high] = row.tokens_saved_interval;
        assert!(low <= high && high <= 1.0, "{name}: {row:?}");
        if row.history_removed > 0.0 {
            shares.push(row.tokens_saved / row.history_removed);
        }
        if name == "coverage" || name == "lrrc-rerank" {
            assert!(row.history_removed >= 1.0 - row.keep, "{name} keeps more than the budget: {row:?}");
        }
    }
    let first = shares.first().copied().expect("something is removed");
    let constant = shares.iter().all(|share| (share - first).abs() < 1e-9);
    assert!(
        constant,
        "saved ÷ removed is the share of history in all tokens, whoever removes it: {shares:?}"
    );
}

/// System, history and output over all calls.
fn full_tokens(episodes: &[Episode], counter: &TokenCounter) -> f64 {
    let of = |observed: &Observed| {
        let turns = observed.history.turns();
        let before = |call: usize| turns[..call].iter().map(|turn| turn.source_tokens).sum::<u32>();
        let calls = observed.calls.iter();
        calls.map(|call| f64::from(before(call.turn) + call.output_tokens)).sum::<f64>()
    };
    observe_all(episodes, counter).iter().map(of).sum()
}
