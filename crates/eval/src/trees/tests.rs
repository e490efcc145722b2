use std::collections::BTreeMap;

use lrrc_dataset::{Dataset, ReadOptions};
use lrrc_episode::{Encoding, Episode};

use super::*;
use crate::observe_all;
use crate::replay::{kept_share, viewers};

/// So many shipped trajectories of each of the first four tasks.
fn tasks(trajectories: usize, counter: &TokenCounter) -> Vec<Vec<Observed>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/taubench-airline");
    let dataset = Dataset::open(folder, &ReadOptions::default()).expect("the data set is shipped");
    let (episodes, _) = dataset.read_all().expect("sound rows");
    let mut tasks: BTreeMap<String, Vec<Episode>> = BTreeMap::new();
    episodes.into_iter().for_each(|one| tasks.entry(one.group.clone()).or_default().push(one));
    tasks.values().take(4).map(|episodes| observe_all(&episodes[..trajectories], counter)).collect()
}

fn of(observed: &[Observed]) -> impl Iterator<Item = &EpisodeObservation> {
    observed.iter().map(|observed| &observed.observation)
}

/// Probability that a needed candidate scores above one that is not (½ for a tie): the area under the ROC curve.
fn area(observed: &[Observed], scores: &[Scores], mode: Mode) -> f64 {
    let decisions =
        observed.iter().zip(scores).flat_map(|(own, scores)| own.observation.decisions.iter().zip(scores));
    let rows = decisions.filter(|(decision, _)| decision.mode == mode).flat_map(|(decision, scores)| {
        decision.candidates.iter().zip(scores).map(|(candidate, score)| (*score, candidate.label > 0.25))
    });
    let mut rows: Vec<(f32, bool)> = rows.collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut won, mut needed) = (0.0, 0.0, 0.0);
    for tied in rows.chunk_by(|a, b| a.0 == b.0) {
        let good = tied.iter().filter(|row| row.1).count() as f64;
        let bad = tied.len() as f64 - good;
        won += good * (below + bad / 2.0);
        below += bad;
        needed += good;
    }
    won / (below * needed)
}

#[test]
fn trees_rank_what_an_unseen_task_needs_above_the_rest() {
    let counter = TokenCounter::new(Encoding::Cl100kBase);
    let tasks = tasks(2, &counter);
    let (known, unseen) = (tasks[..3].concat(), &tasks[3]);
    let trees = Trees::fit(of(&known), 1).expect("labelled episodes");
    let scores = trees.scores(unseen);
    for mode in Mode::ALL {
        let area = area(unseen, &scores, mode);
        assert!(area > 0.6, "{}: {area}", mode.name());
    }
}

#[test]
fn trees_are_a_function_of_episodes_and_seed() {
    let counter = TokenCounter::new(Encoding::Cl100kBase);
    let known = tasks(1, &counter).swap_remove(0);
    let scores = |seed| Trees::fit(of(&known), seed).expect("labelled episodes").scores(&known);
    assert_eq!(scores(1), scores(1));
    assert_ne!(scores(1), scores(2));
}

#[test]
fn a_mode_without_decisions_is_undecided() {
    let counter = TokenCounter::new(Encoding::Cl100kBase);
    let mut tasks = tasks(1, &counter);
    let (whole, mut known) = (tasks.swap_remove(1), tasks.swap_remove(0));
    for observed in &mut known {
        observed.observation.decisions.retain(|decision| decision.mode == Mode::Rerank);
    }
    let trees = Trees::fit(of(&known), 1).expect("labelled episodes");
    for (observed, scores) in whole.iter().zip(trees.scores(&whole)) {
        for (decision, scores) in observed.observation.decisions.iter().zip(scores) {
            assert_eq!(scores.iter().all(|score| *score == 0.5), decision.mode != Mode::Rerank);
        }
    }
}

#[test]
fn episodes_without_labels_are_refused() {
    let refused = Trees::fit([], 0).err().map(|error| error.to_string());
    assert_eq!(
        refused.as_deref(),
        Some("0 episodes to fit trees on have no decision whose candidates differ in their label")
    );
}

#[test]
fn thresholds_are_set_for_the_kind_of_the_episodes() {
    let counter = TokenCounter::new(Encoding::Cl100kBase);
    let known = tasks(1, &counter).swap_remove(0);
    let mut trees = Trees::fit(of(&known), 1).expect("labelled episodes");
    trees.calibrate(&known, &counter);
    let scores = trees.scores(&known);
    let set = trees.calibration(Kind::Calls).expect("set for calls");
    for method in [crate::Method::TreesIngest, crate::Method::TreesOnce] {
        let [quarter, half] = [0.25, 0.5].map(|keep| set.knob(method, keep).expect("a knob"));
        assert!(quarter < half, "{}: {quarter} {half}", method.name());
        // Below 15 % the newest turns alone take the whole budget; that must not spoil what lies above.
        for keep in [0.16, 0.33] {
            let knob = set.knob(method, keep).expect("a knob");
            let plan = |at: usize| method.plan(&known[at], &scores[at], knob);
            let share = kept_share(&known, &mut viewers(&known, &counter), method.whole(), plan);
            assert!((keep - 0.04..=keep).contains(&share), "{} keeps {share} of {keep}", method.name());
        }
    }
    assert_eq!(trees.calibration(Kind::Queries), None);
}
