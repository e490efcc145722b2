//! What a dropped segment cost: values that a call needed and no longer saw, with the text that held them.

use lrrc_episode::{
    Role, TokenCounter,
    history::{History, ItemId},
    observe::{Call, Mode, Observed},
};
use lrrc_model::Policy;

use crate::{
    EvalError,
    knob::calibrate,
    method::{Method, learned_scores},
    replay::{Scores, kept_share, viewers},
    study::Failure,
    view::Kept,
};

/// Longest text shown around a value, in characters.
const MAX_CHARS: usize = 400;

/// The argument values that re-ranking at `keep` loses on these episodes, one entry an episode and value, those with the
/// lowest scores first.
///
/// # Errors
/// An episode that the coordinator refuses.
pub fn failures(
    policy: &Policy,
    observed: &[Observed],
    counter: &TokenCounter,
    keep: f64,
) -> Result<Vec<Failure>, EvalError> {
    let method = Method::LrrcRerank;
    let scores = learned_scores(policy, observed)?;
    let kind = crate::calibration::Kind::of(observed);
    let mut viewers = viewers(observed, counter);
    let knob = calibrate(method.knob_range(kind), keep, |knob| {
        let plan = |at: usize| method.plan(&observed[at], &scores[at], knob);
        kept_share(observed, &mut viewers, method.whole(), plan)
    });
    let mut found: Vec<Failure> = Vec::new();
    for (at, observed) in observed.iter().enumerate() {
        let plan = method.plan(observed, &scores[at], knob);
        for (call, kept) in observed.calls.iter().zip(&plan) {
            for id in lost(observed, call, kept) {
                let failure = describe(observed, call, id, &scores[at], keep);
                let again =
                    |known: &Failure| (&known.episode, &known.value) == (&failure.episode, &failure.value);
                if !found.iter().any(again) {
                    found.push(failure);
                }
            }
        }
    }
    found.sort_by(|a, b| a.score.total_cmp(&b.score));
    Ok(found)
}

/// Items of the call's arguments that no kept segment holds.
fn lost(observed: &Observed, call: &Call, kept: &Kept) -> Vec<ItemId> {
    let history = &observed.history;
    let is_shown = |id: &ItemId| places(history, call, *id).any(|at| kept.has(at));
    call.needs.arguments.iter().filter_map(|argument| argument.item).filter(|id| !is_shown(id)).collect()
}

/// Segments before the call that hold the item.
fn places<'a>(history: &'a History, call: &Call, id: ItemId) -> impl Iterator<Item = usize> + 'a {
    let turn = call.turn;
    let segments = history.items()[id as usize].segments.iter().map(|at| *at as usize);
    segments.filter(move |at| (history.place(*at).turn as usize) < turn)
}

fn describe(observed: &Observed, call: &Call, id: ItemId, scores: &Scores, keep: f64) -> Failure {
    let history = &observed.history;
    let newest = places(history, call, id).last().unwrap_or_default();
    let turn = history.place(newest).turn as usize;
    let decisions = &observed.observation.decisions;
    let asked = call.decisions.iter().copied().find(|at| decisions[*at].mode == Mode::Rerank);
    let own = asked.and_then(|at| decisions[at].candidates.iter().position(|c| c.segment == newest));
    let all = asked.map_or(&[][..], |at| scores[at].as_slice());
    let score = own.map_or(0.0, |own| all[own]);
    Failure {
        episode: observed.observation.id.clone(),
        call: call.turn,
        keep,
        value: history.items()[id as usize].text.clone(),
        turn,
        role: role(history.turns()[turn].role).to_owned(),
        text: around(history, newest),
        score: f64::from(score),
        above: all.iter().filter(|other| **other > score).count(),
        candidates: all.len(),
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
        Role::Speaker => "speaker",
    }
}

/// The sentence or record of a segment, the segment itself between ⟦ and ⟧.
fn around(history: &History, segment: usize) -> String {
    let marked = |at: usize| {
        let text = &history.segment(at).text;
        if at == segment { format!("⟦{text}⟧") } else { text.clone() }
    };
    let text = history.sentence(segment).map(marked).collect::<Vec<_>>().join(" · ");
    let place = text.find('⟦').unwrap_or_default();
    let from = text[..place].char_indices().rev().nth(MAX_CHARS / 2).map_or(0, |(at, _)| at);
    text[from..].chars().take(MAX_CHARS).collect()
}
