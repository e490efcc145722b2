//! Laws of the model: one featuriser, one set of weights, one answer, whichever way it is asked.

mod synthetic;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use lrrc_episode::observe::{EpisodeObservation, Rivals};
use lrrc_model::{
    Batch, Checkpoint, Coordinator, CoordinatorConfig, DecisionInput, GateMode, LossConfig, Memory, Meta,
    Objective, Policy, PolicyError, RecordError, TurnInput,
};
use synthetic::{Shape, episode};

/// A few short turns.
const SMALL: Shape = Shape { turns: 7, segments: 5, tokens: 6, decisions: 4, vocabulary: 50 };

fn episodes(count: u64) -> Vec<EpisodeObservation> {
    (0..count).map(|seed| episode(seed, Shape { turns: 3 + 2 * seed as usize, ..SMALL })).collect()
}

fn model(edit: impl Fn(&mut CoordinatorConfig)) -> Coordinator {
    let mut config = CoordinatorConfig::default();
    edit(&mut config);
    config.init(7, &Device::flex()).unwrap()
}

fn batched(model: &Coordinator, episodes: &[EpisodeObservation]) -> Vec<f32> {
    let all: Vec<&EpisodeObservation> = episodes.iter().collect();
    let batch = Batch::new(&all, &Device::flex()).unwrap();
    model.forward(&batch).logits.into_data().iter().collect()
}

fn one_turn(model: &Coordinator, episodes: &[EpisodeObservation]) -> Vec<f32> {
    let policy = Policy::from_parts(model, Meta::default());
    episodes.iter().flat_map(|episode| policy.replay(episode).unwrap()).flatten().collect()
}

#[test]
fn one_turn_scores_equal_batched_scores() {
    let check = |name: &str, edit: fn(&mut CoordinatorConfig)| {
        let model = model(edit);
        let episodes = episodes(6);
        let (batched, one_turn) = (batched(&model, &episodes), one_turn(&model, &episodes));
        assert_eq!(batched.len(), one_turn.len());
        assert!(batched.iter().any(|score| score.abs() > 0.1), "{name}: the scores say nothing");
        let gap = batched.iter().zip(&one_turn).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(gap <= 1e-5, "{name}: the largest gap is {gap}");
    };
    check("default", |_| ());
    check("rank 1", |c| c.rank = 1);
    check("rank 32", |c| c.rank = 32);
    check("state gates", |c| c.gate = GateMode::State);
    check("no state", |c| c.use_state = false);
    check("own columns", |c| c.memory = Memory::Rims);
    check("pooled", |c| c.memory = Memory::Pooled);
    check("steps", |c| c.steps = true);
    check("form alone", |c| c.context_features = false);
}

#[test]
fn one_turn_call_chances_equal_batched_ones() {
    let check = |name: &str, edit: fn(&mut CoordinatorConfig)| {
        let model = model(edit);
        let episodes = episodes(6);
        let batch = Batch::new(&episodes.iter().collect::<Vec<_>>(), &Device::flex()).unwrap();
        let logits: Vec<f32> = model.forward(&batch).calls.unwrap().into_data().iter().collect();
        let policy = Policy::from_parts(&model, Meta::default());
        let chances: Vec<f32> =
            episodes.iter().flat_map(|episode| policy.replay_calls(episode).unwrap().unwrap()).collect();
        assert_eq!(logits.len(), chances.len());
        assert!(logits.iter().any(|logit| logit.abs() > 0.1), "{name}: the gate says nothing");
        let gaps = logits.iter().zip(&chances).map(|(x, chance)| (1.0 / (1.0 + (-x).exp()) - chance).abs());
        let gap = gaps.fold(0.0, f32::max);
        assert!(gap <= 1e-5, "{name}: the largest gap is {gap}");
    };
    check("default", |_| ());
    check("rank 32", |c| c.rank = 32);
    check("state gates", |c| c.gate = GateMode::State);
    check("no state", |c| c.use_state = false);
}

#[test]
fn a_checkpoint_without_a_call_gate_is_read_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("old");
    let checkpoint =
        Checkpoint { model: model(|_| ()), meta: Meta::default(), card: String::new(), control: None };
    checkpoint.save(&path).unwrap();
    let weights = std::fs::read(path.join("weights.safetensors")).unwrap();
    let weights = without(&weights, "calls.");
    std::fs::write(path.join("weights.safetensors"), &weights).unwrap();
    let mut meta: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path.join("meta.json")).unwrap()).unwrap();
    meta.as_object_mut().unwrap().remove("call_features");
    meta["weights_hash"] = blake3::hash(&weights).to_hex().to_string().into();
    std::fs::write(path.join("meta.json"), meta.to_string()).unwrap();

    let old = Checkpoint::load(&path, &Device::flex()).unwrap();
    assert!(!old.model.has_call_gate());
    let episodes = episodes(2);
    assert_eq!(batched(&old.model, &episodes), batched(&checkpoint.model, &episodes));
    assert_eq!(Policy::from_checkpoint(&old).replay_calls(&episodes[1]).unwrap(), None);
    old.save(&path).unwrap();
    assert!(!Checkpoint::load(&path, &Device::flex()).unwrap().model.has_call_gate(), "saved as it was read");

    checkpoint.save(&path).unwrap();
    let text = std::fs::read_to_string(path.join("meta.json")).unwrap();
    std::fs::write(path.join("meta.json"), text.replace("\"call_features\": ", "\"call_features\": 9"))
        .unwrap();
    let error = Checkpoint::load(&path, &Device::flex()).unwrap_err();
    assert!(matches!(error, RecordError::CallFeatures { .. }), "{error}");
}

/// The safetensors `bytes` without the tensors whose names begin with `prefix`.
fn without(bytes: &[u8], prefix: &str) -> Vec<u8> {
    let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
    let kept = file.tensors().into_iter().filter(|(name, _)| !name.starts_with(prefix));
    safetensors::serialize(kept.collect::<Vec<_>>(), None).unwrap()
}

#[test]
fn the_state_matters_only_where_it_is_used() {
    let episodes = episodes(4);
    let with = batched(&model(|_| ()), &episodes);
    let without = batched(&model(|c| c.use_state = false), &episodes);
    assert_ne!(with, without);
}

#[test]
fn winner_is_antisymmetric_and_equal_both_ways() {
    let model = model(|_| ());
    let policy = Policy::from_parts(&model, Meta::default());
    for episode in episodes(5).into_iter().filter(|episode| episode.rivals.is_some()) {
        let mut state = policy.state0();
        for turn in &episode.turns {
            let segments = &episode.segments[turn.segments.clone()];
            let turn = TurnInput { role: turn.role, agent: turn.agent, segments };
            state = policy.append(&state, turn).unwrap();
        }
        let batch = Batch::new(&[&episode], &Device::flex()).unwrap();
        let logit: f32 = model.forward(&batch).winner.unwrap().into_scalar();
        let rivals = episode.rivals.unwrap();
        let chance = policy.winner(&state, &rivals);
        let exchanged = Rivals {
            agents: [rivals.agents[1], rivals.agents[0]],
            features: [rivals.features[1], rivals.features[0]],
        };
        assert!((chance - 1.0 / (1.0 + (-logit).exp())).abs() < 1e-5);
        assert!((chance + policy.winner(&state, &exchanged) - 1.0).abs() < 1e-5);
    }
}

#[test]
fn every_turn_keeps_the_bounds_of_the_theorems() {
    for rank in [1, 4, 8, 32] {
        for gate in [GateMode::Input, GateMode::State] {
            let clip = 0.05; // small enough that the clip is at work
            let model = model(|c| {
                (c.rank, c.gate, c.clip, c.update_rank) = (rank, gate, clip, Some(rank.min(3)));
            });
            let (r_u, k, g_min) = (rank.min(3), model.config().top_k(), model.config().gate_min);
            let policy = Policy::from_parts(&model, Meta::default());
            let long = episode(3, Shape { turns: 24, ..SMALL });
            for (turn, report) in policy.diagnose(&long).unwrap().into_iter().enumerate() {
                assert!(report.left_max <= clip && report.state_max <= clip * 1.000_001);
                assert!(report.right_min >= 0.0 && report.right_row_sum_max <= 1.000_001);
                assert_eq!(report.active(), k, "exactly k channels are written");
                assert!(report.gates.iter().all(|&g| g == 0.0 || (g_min..=1.0).contains(&g)));
                assert!(report.update_rank <= r_u.min(k), "T1 for the update");
                assert!(report.state_rank <= rank.min((turn + 1) * r_u.min(k)), "T1 for the state");
            }
        }
    }
}

#[test]
fn an_empty_turn_writes_nothing_but_forgets() {
    let policy = Policy::from_parts(&model(|_| ()), Meta::default());
    let episode = episode(1, SMALL);
    let segments = &episode.segments[episode.turns[0].segments.clone()];
    let before = policy.append(&policy.state0(), TurnInput { role: 1, agent: 0, segments }).unwrap();
    let after = policy.append(&before, TurnInput { role: 2, agent: 1, segments: &[] }).unwrap();
    let norm = |values: &[f32]| values.iter().map(|value| value * value).sum::<f32>();
    assert!(norm(after.channels()) < norm(before.channels()));
    assert_eq!(after.segments(), before.segments());
}

struct Ungraded<'a> {
    grads: &'a GradientsParams,
    path: Vec<String>,
    missing: Vec<String>,
}

impl ModuleVisitor for Ungraded<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }
    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let reached = self.grads.get::<D>(param.id).is_some_and(|grad| {
            let grad: Vec<f32> = grad.into_data().iter().collect();
            assert!(grad.iter().all(|value| value.is_finite()), "{}", self.path.join("."));
            grad.iter().any(|&value| value != 0.0)
        });
        if !reached {
            self.missing.push(self.path.join("."));
        }
    }
}

#[test]
fn the_gradient_reaches_every_parameter() {
    let device = Device::flex().autodiff();
    for gate in [GateMode::Input, GateMode::State] {
        for objective in [Objective::Bce, Objective::Listwise, Objective::Both] {
            let config = CoordinatorConfig { gate, ..Default::default() };
            let model = config.init(7, &device).unwrap();
            let episodes = episodes(4);
            let batch = Batch::new(&episodes.iter().collect::<Vec<_>>(), &device).unwrap();
            let loss = LossConfig { objective, budget: 1.0, budget_share: 0.1, ..Default::default() }
                .compute(&model.forward(&batch), &batch);
            let values = loss.values();
            for part in [
                values.total,
                values.scores,
                values.items,
                values.winner,
                values.calls,
                values.balance,
                values.budget,
            ] {
                assert!(part.is_finite() && part > 0.0, "{values:?}");
            }
            let grads = GradientsParams::from_grads(loss.total.backward(), &model);
            let mut visitor = Ungraded { grads: &grads, path: Vec::new(), missing: Vec::new() };
            model.visit(&mut visitor);
            assert_eq!(visitor.missing, Vec::<String>::new(), "{gate:?} {objective:?}");
        }
    }
}

#[test]
fn episodes_without_turns_or_decisions_are_taken() {
    let empty = EpisodeObservation { id: "empty".into(), ..Default::default() };
    let full = episode(2, SMALL);
    let device = Device::flex();
    let model = model(|_| ());
    let alone = Batch::new(&[&empty], &device).unwrap();
    assert_eq!(model.forward(&alone).logits.dims(), [0]);
    assert!(LossConfig::default().compute(&model.forward(&alone), &alone).values().total.is_finite());
    let both = batched(&model, &[empty, full.clone()]);
    let one = batched(&model, &[full]);
    assert!(both.iter().zip(&one).all(|(a, b)| (a - b).abs() < 1e-5));
}

#[test]
fn a_batch_names_the_episode_that_contradicts_itself() {
    let mut bad = episode(2, SMALL);
    bad.decisions[1].candidates[0].segment = 9_999;
    let error = Batch::new(&[&bad], &Device::flex()).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("episode `synthetic-2`: decision 1 names segment 9999 of {}", bad.segments.len())
    );
    let policy = Policy::from_parts(&model(|_| ()), Meta::default());
    let decision = &bad.decisions[1];
    let ask = DecisionInput {
        mode: decision.mode,
        agent: 0,
        query: &[],
        query_text: &[],
        candidates: &decision.candidates,
    };
    let error = policy.score(&policy.state0(), &ask).unwrap_err();
    assert_eq!(error, PolicyError::Segment { index: 9_999, len: 0 });
}

#[test]
fn a_saved_checkpoint_scores_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("best");
    let meta = Meta { seed: 7, data_hash: "abc".into(), ..Default::default() };
    let control = Checkpoint {
        model: model(|c| c.use_state = false),
        meta: meta.clone(),
        card: String::new(),
        control: None,
    };
    let checkpoint =
        Checkpoint { model: model(|_| ()), meta, card: "# A card".into(), control: Some(Box::new(control)) };
    checkpoint.save(&path).unwrap();
    checkpoint.save(&path).unwrap(); // replaces
    let loaded = Checkpoint::load(&path, &Device::flex()).unwrap();
    let episodes = episodes(3);
    assert_eq!(batched(&checkpoint.model, &episodes), batched(&loaded.model, &episodes));
    assert_eq!(loaded.model.hash(), loaded.meta.weights_hash);
    assert_eq!((loaded.card.as_str(), loaded.meta.data_hash.as_str()), ("# A card", "abc"));
    let control = loaded.control.unwrap();
    assert!(!control.model.config().use_state);
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "no temporary folder stays behind");
}

#[test]
fn a_checkpoint_from_before_the_numbers_of_rivals_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("best");
    let model = model(|_| ());
    let meta = Meta { two_model_episodes: 3, ..Meta::default() };
    Checkpoint { model: model.clone(), meta, card: String::new(), control: None }.save(&path).unwrap();
    let weights = std::fs::read(path.join("weights.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&weights).unwrap();
    let older = file
        .tensors()
        .into_iter()
        .filter(|(name, _)| !["decoder.rival_form.weight", "decoder.rival_direct"].contains(&name.as_str()));
    let older = safetensors::serialize(older, None).unwrap();
    let json = std::fs::read(path.join("meta.json")).unwrap();
    let mut meta: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&json).unwrap();
    assert!(meta.remove("two_model_episodes").is_some());
    meta.insert("weights_hash".into(), blake3::hash(&older).to_hex().to_string().into());
    let write = |meta: &serde_json::Map<_, _>| {
        std::fs::write(path.join("meta.json"), serde_json::to_vec(meta).unwrap()).unwrap();
    };
    std::fs::write(path.join("weights.safetensors"), older).unwrap();
    write(&meta);
    let error = Checkpoint::load(&path, &Device::flex()).unwrap_err();
    assert!(matches!(error, RecordError::Tensor { .. }), "{error}");
    meta.insert("rival_features".into(), 7.into());
    write(&meta);
    let error = Checkpoint::load(&path, &Device::flex()).unwrap_err();
    assert!(matches!(error, RecordError::RivalFeatures { found: 7, .. }), "{error}");
    meta.remove("rival_features");
    write(&meta);
    let loaded = Checkpoint::load(&path, &Device::flex()).unwrap();
    assert_eq!((loaded.meta.rival_features, loaded.meta.two_model_episodes), (0, 0));
    let episodes = episodes(3);
    assert_eq!(batched(&model, &episodes), batched(&loaded.model, &episodes));
}

#[test]
fn a_damaged_checkpoint_is_refused_with_its_fault() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("best");
    let checkpoint =
        Checkpoint { model: model(|_| ()), meta: Meta::default(), card: String::new(), control: None };
    let refused = |file: &str, edit: &dyn Fn(String) -> String| {
        checkpoint.save(&path).unwrap();
        let file = path.join(file);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, edit(text)).unwrap();
        Checkpoint::load(&path, &Device::flex()).unwrap_err()
    };
    let error = refused("meta.json", &|text| text.replace("\"format\": 1", "\"format\": 9"));
    assert!(matches!(error, RecordError::Version { found: 9, .. }), "{error}");
    let error = refused("meta.json", &|text| text.replace("\"features\": ", "\"features\": 1"));
    assert!(matches!(error, RecordError::Features { .. }), "{error}");
    let error = refused("model.toml", &|text| text.replace("rank = 8", "rank = 4"));
    assert!(matches!(error, RecordError::Tensor { .. }), "{error}");
    let error = refused("model.toml", &|text| text.replace("rank = 8", "rank = 0"));
    assert!(matches!(error, RecordError::Config { .. }), "{error}");
    let error = refused("model.toml", &|text| text + "\nrnak = 3\n");
    assert!(matches!(error, RecordError::Malformed { .. }), "{error}");
    checkpoint.save(&path).unwrap();
    let weights = path.join("weights.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    let error = Checkpoint::load(&path, &Device::flex()).unwrap_err();
    assert!(matches!(error, RecordError::Hash { .. }), "{error}");
}

#[test]
fn the_same_seed_gives_the_same_weights() {
    let hash = |seed| CoordinatorConfig::default().init(seed, &Device::flex()).unwrap().hash();
    assert_eq!(hash(3), hash(3));
    assert_ne!(hash(3), hash(4));
}
