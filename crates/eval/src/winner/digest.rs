//! A two-model episode with each answer cut down to a share of its tokens.

use lrrc_episode::{
    Episode, Role, TokenCounter,
    observe::{Mode, ObserveOptions, Observed, anonymous, observe_episode},
    select::{Limit, Shown, select},
};

use crate::replay::{Scores, offers};

/// A two-model episode without the names of models and with the given share of each answer kept, chosen by coverage
/// with hand weights.
#[must_use]
pub fn digest_answers(episode: &Episode, counter: &TokenCounter, keep: f64) -> Episode {
    let episode = anonymous(episode);
    let first_sight = ObserveOptions { modes: vec![Mode::Ingest] };
    digest(&episode, &observe_episode(&episode, counter, &first_sight), None, keep)
}

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
        let cost: u32 = range.clone().map(|segment| history.segment(segment).cost).sum();
        let limit = Limit::Tokens((keep * f64::from(cost)) as f32);
        let picked = select(history, &offers, &value, &mut Shown::new(), limit);
        let mask: Vec<bool> = range.map(|segment| picked.binary_search(&segment).is_ok()).collect();
        digest.turns[turn].content = history.turns()[turn].render(&mask);
        digest.turns[turn].tokens = None;
    }
    digest
}

#[cfg(test)]
mod tests {
    use lrrc_episode::{Agent, Encoding, Outcome, Turn, Winner};

    use super::*;

    fn arena() -> Episode {
        let agent =
            |name: &str, model: Option<&str>| Agent { name: name.into(), model: model.map(Into::into) };
        let long =
            "Spiders have 8 legs. Ants have 6 legs. Octopuses, which are no insects, have 8 arms. Done.";
        Episode {
            id: "a".into(),
            group: "a".into(),
            source: String::new(),
            license: String::new(),
            task: None,
            agents: vec![agent("user", None), agent("a", Some("m")), agent("b", Some("n"))],
            turns: vec![
                Turn::text(0, Role::User, "How many legs has a spider?"),
                Turn::text(1, Role::Assistant, long),
                Turn::text(2, Role::Assistant, "Eight legs, I think, but I am not sure of it at all."),
            ],
            queries: Vec::new(),
            outcome: Outcome { winner: Some(Winner::ModelA), ..Outcome::default() },
        }
    }

    #[test]
    fn each_answer_is_cut_to_its_share_and_the_question_stays() {
        let counter = TokenCounter::new(Encoding::Cl100kBase);
        let episode = arena();
        let observed = observe_episode(&episode, &counter, &ObserveOptions { modes: vec![Mode::Ingest] });
        for keep in [0.25, 0.5, 0.75] {
            let digest = digest(&episode, &observed, None, keep);
            assert_eq!(digest.turns[0], episode.turns[0]);
            for (digest, turn) in digest.turns[1..].iter().zip(&episode.turns[1..]) {
                let [kept, all] = [digest, turn].map(|turn| f64::from(counter.count(&turn.content)));
                assert!(
                    kept > 0.0 && kept <= keep * all + 3.0,
                    "{kept} of {all} at {keep}: {}",
                    digest.content
                );
            }
        }
    }
}
