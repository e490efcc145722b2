//! What the methods without a trained model go by: a score for every candidate, or, for the oracle of values, a plan.
//!
//! Rules read the features of a decision, or what was said before it. Those named oracles read the labels, which tell
//! what the recorded future used.

pub(crate) mod features;
pub(crate) mod oracle_segment;
pub(crate) mod oracle_value;
pub(crate) mod surprisal;
pub(crate) mod text_rank;

use lrrc_episode::observe::{Candidate, Decision, Mode, Observed};

use crate::replay::Scores;

/// One score a candidate from `of`.
fn each(observed: &Observed, of: impl Fn(&Candidate) -> f32) -> Scores {
    let scores = |decision: &Decision| decision.candidates.iter().map(&of).collect();
    observed.observation.decisions.iter().map(scores).collect()
}

/// Scores from `of`, which is given the segments of each re-ranking decision. The decisions of other modes get zeros:
/// no rule is used in them.
fn each_rerank(observed: &Observed, mut of: impl FnMut(&[usize]) -> Vec<f32>) -> Scores {
    let scores = |decision: &Decision| {
        let segments: Vec<usize> = decision.candidates.iter().map(|candidate| candidate.segment).collect();
        if decision.mode == Mode::Rerank { of(&segments) } else { vec![0.0; segments.len()] }
    };
    observed.observation.decisions.iter().map(scores).collect()
}
