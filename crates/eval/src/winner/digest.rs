//! A two-model episode with each answer cut down to a share of its tokens.

use lrrc_episode::{
    Episode, Role,
    observe::{Mode, Observed},
    select::{Limit, Shown, select},
};

use crate::replay::{Scores, offers};

/// The episode with the given share of each answer kept, in the answer's order. `scores` of the decisions at first
/// sight choose the segments; without them coverage with hand weights does, each fact of an answer once.
pub(super) fn digest(episode: &Episode, observed: &Observed, scores: Option<&Scores>, keep: f64) -> Episode {
    let history = &observed.history;
    let mut digest = episode.clone();
    for (at, decision) in observed.observation.decisions.iter().enumerate() {
        let turn = decision.turns_seen - 1;
        if decision.mode != Mode::Ingest || episode.turns[turn].role != Role::Assistant {
            continue;
        }
        let even = vec![1.0; decision.candidates.len()];
        let (offers, value) = offers(history, observed, at, scores.map_or(&even, |scores| &scores[at]));
        let range = history.range(turn);
        let cost: u32 = range.clone().map(|segment| u32::from(history.segment(segment).cost)).sum();
        let limit = Limit::Tokens((keep * f64::from(cost)) as f32);
        let picked = select(history, &offers, &value, &mut Shown::new(), limit);
        let mask: Vec<bool> = range.map(|segment| picked.binary_search(&segment).is_ok()).collect();
        digest.turns[turn].content = history.turns()[turn].render(&mask);
        digest.turns[turn].tokens = None;
    }
    digest
}
