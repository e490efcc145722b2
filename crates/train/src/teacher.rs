//! Labels softened by boosted trees that have not seen the episode.
//!
//! A label of a recorded episode is one draw: the value that the next call happened to need. What trees learned from the
//! *other* groups says how often such a candidate is needed, and is a smoother target for a small network (Hinton, Vinyals
//! and Dean, *Distilling the Knowledge in a Neural Network*, 2015; cross-fitted, so that the teacher has learned nothing
//! by heart).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use lrrc_episode::observe::EpisodeObservation;
use lrrc_eval::{EvalError, Growth, Trees};
use rayon::prelude::*;

use crate::error::TrainError;

/// Parts that the groups are cut into; each part is taught by trees grown on the others.
const PARTS: usize = 3;
/// A teacher must be quick rather than perfect: three are grown for a run.
const GROWTH: Growth = Growth { rows: 40_000, trees: 100, learning_rate: 0.15 };
/// Seed of the trees.
const SEED: u64 = 0;

/// What teachers say of every candidate of every decision, episode by episode.
type Lesson = Vec<Vec<Vec<f32>>>;

/// A lesson, once there is one. Its lock is held while it is made, so that the second who asks waits for the first.
type Place = Arc<Mutex<Option<Arc<Lesson>>>>;

/// Lessons of this process by the hash of what they are about: the arms of a sweep learn from the same episodes.
static LESSONS: Mutex<BTreeMap<[u8; 32], Place>> = Mutex::new(BTreeMap::new());

/// Replaces each label by `(1 - share) · label + share · p`, p the probability that trees of the other groups give it.
/// `groups[i]` is the group of `episodes[i]`. Episodes of a single group have no teacher and keep their labels.
///
/// # Errors
/// Labels that no tree can learn from.
pub(crate) fn teach(
    episodes: &mut [EpisodeObservation],
    groups: &[String],
    share: f32,
) -> Result<(), TrainError> {
    let parts = parts(groups);
    if parts.iter().all(|part| *part == 0) || episodes.iter().all(|episode| episode.decisions.is_empty()) {
        return Ok(());
    }
    let key = key(episodes, groups);
    let place = Arc::clone(LESSONS.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
    let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
    let known = match &*place {
        Some(known) => Arc::clone(known),
        None => Arc::clone(place.insert(Arc::new(lesson(episodes, &parts)?))),
    };
    drop(place);
    for (episode, lesson) in episodes.iter_mut().zip(&*known) {
        for (decision, scores) in episode.decisions.iter_mut().zip(lesson) {
            for (candidate, score) in decision.candidates.iter_mut().zip(scores) {
                candidate.label += share * (score - candidate.label);
            }
        }
    }
    Ok(())
}

/// The part of each episode: its group's place in the alphabet, modulo [`PARTS`].
fn parts(groups: &[String]) -> Vec<usize> {
    let mut names: Vec<&String> = groups.iter().collect();
    names.sort_unstable();
    names.dedup();
    groups.iter().map(|group| names.binary_search(&group).unwrap_or_default() % PARTS).collect()
}

fn lesson(episodes: &[EpisodeObservation], parts: &[usize]) -> Result<Lesson, EvalError> {
    let of_part = |own: usize| {
        let others = episodes.iter().zip(parts).filter(|(_, part)| **part != own);
        Trees::grow(others.map(|(episode, _)| episode), GROWTH, SEED)
    };
    let teachers = (0..PARTS).into_par_iter().map(of_part).collect::<Result<Vec<Trees>, _>>()?;
    let taught = episodes.par_iter().zip(parts);
    Ok(taught.map(|(episode, part)| scores(&teachers[*part], episode)).collect())
}

/// Probabilities of the candidates; where no tree of this mode could be grown, the labels themselves.
fn scores(teacher: &Trees, episode: &EpisodeObservation) -> Vec<Vec<f32>> {
    let labels = episode.decisions.iter().map(|decision| {
        let knows = teacher.knows(decision.mode);
        (knows, decision.candidates.iter().map(|candidate| candidate.label).collect())
    });
    let scores = teacher.episode_scores(episode);
    labels.zip(scores).map(|((knows, labels), scores)| if knows { scores } else { labels }).collect()
}

fn key(episodes: &[EpisodeObservation], groups: &[String]) -> [u8; 32] {
    let mut hash = blake3::Hasher::new();
    for (episode, group) in episodes.iter().zip(groups) {
        hash.update(episode.id.as_bytes()).update(&[0]).update(group.as_bytes()).update(&[0]);
        for decision in &episode.decisions {
            hash.update(&[decision.mode.index() as u8]).update(&decision.turns_seen.to_le_bytes());
            for candidate in &decision.candidates {
                hash.update(&candidate.segment.to_le_bytes()).update(&candidate.label.to_le_bytes());
            }
        }
    }
    *hash.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lrrc_episode::observe::{Candidate, Decision, FEATURES, Mode, TurnObservation};

    /// Candidates whose first feature tells whether they are needed, in nine cases of ten.
    fn episode(number: usize) -> EpisodeObservation {
        let candidate = |at: usize| {
            let needed = at.is_multiple_of(2);
            let luck = (number * 7 + at).is_multiple_of(10);
            let mut features = [0.0; FEATURES];
            features[0] = if needed { 0.9 } else { 0.1 };
            let label = f32::from(u8::from(needed != luck));
            Candidate { segment: at, features, label, weight: 1.0 }
        };
        let decision = Decision {
            mode: Mode::Rerank,
            turns_seen: 1,
            agent: 0,
            query: Vec::new(),
            candidates: (0..60).map(candidate).collect(),
            essential: Vec::new(),
        };
        let turns = vec![TurnObservation { role: 0, agent: 0, segments: 0..60 }];
        EpisodeObservation { id: number.to_string(), turns, decisions: vec![decision], ..Default::default() }
    }

    #[test]
    fn a_lucky_draw_is_moved_towards_what_such_candidates_are() {
        let raw: Vec<EpisodeObservation> = (0..12).map(episode).collect();
        let groups: Vec<String> = (0..12).map(|at| format!("task-{}", at / 2)).collect();
        let mut taught = raw.clone();
        teach(&mut taught, &groups, 0.5).expect("labels to learn from");
        let pairs = raw.iter().zip(&taught).flat_map(|(raw, taught)| {
            raw.decisions[0].candidates.iter().zip(&taught.decisions[0].candidates)
        });
        for (raw, taught) in pairs {
            let truth = if raw.features[0] > 0.5 { 0.9 } else { 0.1 };
            let expected = 0.5 * raw.label + 0.5 * truth;
            assert!(
                (taught.label - expected).abs() < 0.1,
                "{} → {}, not {expected}",
                raw.label,
                taught.label
            );
        }
        let mut again = raw.clone();
        teach(&mut again, &groups, 0.5).expect("labels to learn from");
        assert_eq!(again, taught, "the same episodes, the same lesson");
    }

    #[test]
    fn a_single_group_keeps_its_labels() {
        let raw: Vec<EpisodeObservation> = (0..3).map(episode).collect();
        let mut taught = raw.clone();
        teach(&mut taught, &vec!["one".to_owned(); 3], 1.0).expect("nothing to do");
        assert_eq!(taught, raw);
    }
}
