//! What is drawn and how large a step is: functions of the seed and of the position alone.
//!
//! Nothing here has a state, so a resumed run needs no more than its position to go on as if it had not stopped.

use std::borrow::Cow;

use lrrc_episode::observe::EpisodeObservation;
use rand::seq::{SliceRandom, index};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::config::{OptimConfig, Schedule};

/// Learning rate of step `step` (from 0) of `steps`.
#[must_use]
pub fn learning_rate(optim: &OptimConfig, step: u64, steps: u64) -> f64 {
    if step < optim.warmup_steps {
        return optim.learning_rate * (step + 1) as f64 / optim.warmup_steps as f64;
    }
    let after = steps.saturating_sub(optim.warmup_steps).max(1);
    let done = ((step - optim.warmup_steps) as f64 / after as f64).min(1.0);
    let left = match optim.schedule {
        Schedule::Constant => 1.0,
        Schedule::Linear => 1.0 - done,
        Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
    };
    let floor = if optim.schedule == Schedule::Constant { 0.0 } else { optim.final_share };
    optim.learning_rate * (floor + (1.0 - floor) * left)
}

/// Order of `episodes` episodes in `epoch`.
#[must_use]
pub fn order(seed: u64, epoch: usize, episodes: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..episodes).collect();
    order.shuffle(&mut rng(seed, epoch, usize::MAX));
    order
}

/// The episode with at most `decisions` of its decisions, in their order; 0 takes all.
#[must_use]
pub fn sample(
    episode: &EpisodeObservation,
    decisions: usize,
    (seed, epoch, number): (u64, usize, usize),
) -> Cow<'_, EpisodeObservation> {
    let all = episode.decisions.len();
    if decisions == 0 || decisions >= all {
        return Cow::Borrowed(episode);
    }
    let mut kept = index::sample(&mut rng(seed, epoch, number), all, decisions).into_vec();
    kept.sort_unstable();
    Cow::Owned(EpisodeObservation {
        id: episode.id.clone(),
        turns: episode.turns.clone(),
        segments: episode.segments.clone(),
        decisions: kept.into_iter().map(|index| episode.decisions[index].clone()).collect(),
        calls: episode.calls.clone(),
        winner: episode.winner,
        rivals: episode.rivals.clone(),
    })
}

/// The episode with this share of the numbers of its rivals hidden, the same ones of both, and the rest scaled up to
/// make good for them (dropout, Srivastava et al. 2014).
#[must_use]
pub fn hide_numbers(
    episode: Cow<'_, EpisodeObservation>,
    share: f32,
    (seed, epoch, number): (u64, usize, usize),
) -> Cow<'_, EpisodeObservation> {
    if share <= 0.0 || episode.rivals.is_none() {
        return episode;
    }
    // Apart from the stream that draws the decisions.
    let rng = &mut rng(seed ^ HIDING, epoch, number);
    let mut episode = episode.into_owned();
    for [a, b] in episode.rivals.iter_mut().map(|rivals| &mut rivals.features) {
        for (a, b) in a.iter_mut().zip(b) {
            let scale = if rng.random::<f32>() < share { 0.0 } else { 1.0 / (1.0 - share) };
            *a *= scale;
            *b *= scale;
        }
    }
    Cow::Owned(episode)
}

/// Sets the draws of [`hide_numbers`] apart from the others of a seed.
const HIDING: u64 = 0x5249_5641_4c53;

/// A stream of its own for each seed, epoch and purpose.
fn rng(seed: u64, epoch: usize, stream: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(epoch as u64);
    let epoch_seed: u64 = rng.random();
    let mut rng = ChaCha8Rng::seed_from_u64(epoch_seed);
    rng.set_stream(stream as u64);
    rng
}

#[cfg(test)]
mod tests {
    use lrrc_episode::observe::{RIVAL_FEATURES, Rivals};

    use super::*;

    #[test]
    fn the_learning_rate_rises_and_falls() {
        let optim = OptimConfig {
            learning_rate: 1.0,
            warmup_steps: 4,
            final_share: 0.1,
            schedule: Schedule::Linear,
            ..OptimConfig::default()
        };
        let rates: Vec<f64> = (0..=14).map(|step| learning_rate(&optim, step, 14)).collect();
        assert_eq!(&rates[..5], &[0.25, 0.5, 0.75, 1.0, 1.0]);
        assert!((rates[9] - 0.55).abs() < 1e-9 && (rates[14] - 0.1).abs() < 1e-9);
        let cosine = OptimConfig { schedule: Schedule::Cosine, ..optim.clone() };
        assert!((learning_rate(&cosine, 9, 14) - 0.55).abs() < 1e-9);
        let constant = OptimConfig { schedule: Schedule::Constant, ..optim };
        assert!((learning_rate(&constant, 13, 14) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn orders_depend_on_seed_and_epoch_alone() {
        assert_eq!(order(1, 2, 50), order(1, 2, 50));
        assert_ne!(order(1, 2, 50), order(1, 3, 50));
        assert_ne!(order(1, 2, 50), order(2, 2, 50));
        let mut sorted = order(1, 2, 50);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn both_rivals_lose_the_same_numbers() {
        let features = [[1.0; RIVAL_FEATURES], [-2.0; RIVAL_FEATURES]];
        let rivals = Some(Rivals { agents: [1, 2], features });
        let episode = EpisodeObservation { rivals, ..EpisodeObservation::default() };
        let hidden = |epoch| hide_numbers(Cow::Borrowed(&episode), 0.5, (7, epoch, 3)).into_owned();
        let [a, b] = hidden(0).rivals.unwrap().features;
        assert!(a.iter().zip(&b).all(|(a, b)| -2.0 * a == *b && [0.0, 2.0].contains(a)));
        let kept = a.iter().filter(|number| **number > 0.0).count();
        assert!((RIVAL_FEATURES / 4..3 * RIVAL_FEATURES / 4).contains(&kept), "{kept} of {RIVAL_FEATURES}");
        assert_eq!(hidden(1), hidden(1));
        assert_ne!(hidden(0), hidden(1));
        assert_eq!(*hide_numbers(Cow::Borrowed(&episode), 0.0, (7, 0, 3)), episode);
    }
}
