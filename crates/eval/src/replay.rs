//! Plays a compressor over recorded episodes: which segments each call would have seen.

use lrrc_episode::{
    Role, TokenCounter,
    history::{History, ItemKind},
    observe::{Call, Candidate, Mode, Observed},
    segment::SegmentKind,
    select::{Limit, Offer, Shown, select},
};

use rayon::prelude::*;

use crate::{
    metric::{Counts, Whole, history_tokens, measure},
    view::{Kept, Viewer},
};

/// Scores of every candidate of every decision of one episode, each in [0, 1].
pub(crate) type Scores = Vec<Vec<f32>>;

/// Worth of an item in coverage: what losing one costs, relative to a code at 3.
fn kind_value(kind: ItemKind) -> f32 {
    match kind {
        ItemKind::Code | ItemKind::Quantity => 3.0,
        ItemKind::Name => 1.5,
        ItemKind::Word => 0.5,
    }
}

/// What each call of an episode sees.
pub(crate) type Plan = Vec<Kept>;

/// The verbatim tail of a call.
pub(crate) fn tail(observed: &Observed, call: &Call) -> Kept {
    let mut kept = Kept::none(observed.history.len());
    for at in (call.tail_from..call.turn).flat_map(|turn| observed.history.range(turn)) {
        kept.keep(at);
    }
    kept
}

/// Item values and offers of one decision, from the candidates' scores.
pub(crate) fn offers(
    history: &History,
    observed: &Observed,
    decision: usize,
    scores: &[f32],
) -> (Vec<Offer>, Vec<f32>) {
    let mut value = vec![0.0f32; history.items().len()];
    let mut offers = Vec::with_capacity(scores.len());
    for (candidate, score) in observed.candidates(decision).zip(scores) {
        let segment = history.segment(candidate.segment);
        for id in history.items_of(candidate.segment) {
            let worth = score * kind_value(history.items()[*id as usize].kind);
            value[*id as usize] = value[*id as usize].max(worth);
        }
        let own = match segment.kind {
            SegmentKind::Glue => 1e-4,
            SegmentKind::Sentence | SegmentKind::Code => score * segment.cost as f32,
            _ => 1e-3 * (score + 0.1),
        };
        offers.push(Offer { segment: candidate.segment, own });
    }
    (offers, value)
}

/// Decides anew at every call, by coverage.
#[must_use]
pub(crate) fn coverage(observed: &Observed, scores: &Scores, limit: impl Fn(&Call) -> Limit) -> Plan {
    let plan = |call: &Call| covering(observed, call, scores, limit(call));
    observed.calls.iter().map(plan).collect()
}

/// Decides anew at every call: by coverage, or for a query by passages.
#[must_use]
pub(crate) fn rerank(observed: &Observed, scores: &Scores, limit: impl Fn(&Call) -> Limit) -> Plan {
    let plan = |call: &Call| match decision_of(observed, call, Mode::Rerank) {
        Some(decision) if call.query.is_some() => {
            let mut kept = tail(observed, call);
            let chosen = passages(observed, decision, &scores[decision], limit(call));
            chosen.into_iter().for_each(|at| kept.keep(at));
            kept
        }
        _ => covering(observed, call, scores, limit(call)),
    };
    observed.calls.iter().map(plan).collect()
}

/// What a call sees by coverage: its tail, and what shows most that the tail does not.
fn covering(observed: &Observed, call: &Call, scores: &Scores, limit: Limit) -> Kept {
    let history = &observed.history;
    let mut kept = tail(observed, call);
    if let Some(decision) = decision_of(observed, call, Mode::Rerank) {
        let mut shown = Shown::new();
        let newest = (call.tail_from..call.turn).flat_map(|turn| history.range(turn));
        newest.for_each(|at| shown.show(history, at));
        let (offers, value) = offers(history, observed, decision, &scores[decision]);
        for at in select(history, &offers, &value, &mut shown, limit) {
            kept.keep(at);
        }
    }
    kept
}

/// What a query is answered with: whole passages, best first. A question asks what was said, not for one value, so what is
/// said twice is not paid for once, and a segment is worth what the turn around it is: its mean score by tokens.
fn passages(observed: &Observed, decision: usize, scores: &[f32], limit: Limit) -> Vec<usize> {
    let history = &observed.history;
    let turn = |at: usize| history.place(at).turn as usize;
    let cost = |at: usize| history.segment(at).cost.max(1) as f32;
    let mut sums = vec![(0.0f32, 0.0f32); history.turns().len()];
    for (candidate, score) in observed.candidates(decision).zip(scores) {
        let (worth, tokens) = &mut sums[turn(candidate.segment)];
        *worth += score * cost(candidate.segment);
        *tokens += cost(candidate.segment);
    }
    let offer = |candidate: &Candidate| {
        let (worth, tokens) = sums[turn(candidate.segment)];
        Offer { segment: candidate.segment, own: worth / tokens * cost(candidate.segment) }
    };
    let offers: Vec<Offer> = observed.candidates(decision).map(offer).collect();
    select(history, &offers, &vec![0.0; history.items().len()], &mut Shown::new(), limit)
}

/// Decides each turn when it leaves the verbatim tail, and never again.
#[must_use]
pub(crate) fn once(observed: &Observed, scores: &Scores, limit: impl Fn(&Call) -> Limit) -> Plan {
    let history = &observed.history;
    let mut frozen: Vec<usize> = Vec::new();
    let plan = |call: &Call| {
        let mut kept = tail(observed, call);
        if call.query.is_some() {
            frozen.clear();
        }
        if let Some(decision) = decision_of(observed, call, Mode::Once) {
            if call.query.is_some() {
                frozen.extend(passages(observed, decision, &scores[decision], limit(call)));
            } else {
                let mut shown = Shown::new();
                let newest = (call.tail_from..call.turn).flat_map(|turn| history.range(turn));
                newest.chain(frozen.iter().copied()).for_each(|at| shown.show(history, at));
                let (offers, value) = offers(history, observed, decision, &scores[decision]);
                frozen.extend(select(history, &offers, &value, &mut shown, limit(call)));
            }
        }
        frozen.iter().for_each(|at| kept.keep(*at));
        kept
    };
    observed.calls.iter().map(plan).collect()
}

/// Decides each turn when it is first seen, and never again; nothing is verbatim but what the scores keep.
#[must_use]
pub(crate) fn ingest(observed: &Observed, scores: &Scores, least_density: f32) -> Plan {
    let history = &observed.history;
    let mut shown = Shown::new();
    let mut kept = Kept::none(history.len());
    let mut decisions = (0..observed.observation.decisions.len())
        .filter(|at| observed.observation.decisions[*at].mode == Mode::Ingest)
        .peekable();
    let plan = |call: &Call| {
        while let Some(decision) =
            decisions.next_if(|at| observed.observation.decisions[*at].turns_seen <= call.turn)
        {
            let (offers, value) = offers(history, observed, decision, &scores[decision]);
            for at in select(history, &offers, &value, &mut shown, Limit::Density(least_density)) {
                kept.keep(at);
            }
        }
        kept.clone()
    };
    observed.calls.iter().map(plan).collect()
}

/// The decision of a call in this mode; a query has one decision for both modes that look at it.
pub(crate) fn decision_of(observed: &Observed, call: &Call, mode: Mode) -> Option<usize> {
    let mode = if call.query.is_some() { Mode::Rerank } else { mode };
    call.decisions.iter().copied().find(|at| observed.observation.decisions[*at].mode == mode)
}

/// Whole turns in the order given, newest budget first: keeps each while the call's budget lasts.
#[must_use]
pub(crate) fn whole_turns(observed: &Observed, order: impl Fn(&Call) -> Vec<usize>, keep: f64) -> Plan {
    let history = &observed.history;
    let plan = |call: &Call| {
        let mut kept = tail(observed, call);
        let said = (0..call.turn).filter(|turn| history.turns()[*turn].role != Role::System);
        let all: u32 = said.map(|turn| history.turns()[turn].source_tokens).sum();
        let newest: u32 = (call.tail_from..call.turn).map(|turn| history.turns()[turn].source_tokens).sum();
        let mut left = keep * f64::from(all) - f64::from(newest);
        for turn in order(call) {
            left -= f64::from(history.turns()[turn].source_tokens);
            if left < 0.0 {
                break;
            }
            history.range(turn).for_each(|at| kept.keep(at));
        }
        kept
    };
    observed.calls.iter().map(plan).collect()
}

/// Keeps the segments with the best scores, without regard to what they repeat.
#[must_use]
pub(crate) fn by_score(observed: &Observed, scores: &Scores, limit: impl Fn(&Call) -> Limit) -> Plan {
    let history = &observed.history;
    let nothing = vec![0.0; history.items().len()];
    let plan = |call: &Call| {
        let mut kept = tail(observed, call);
        if let Some(decision) = decision_of(observed, call, Mode::Rerank) {
            let scored = observed.candidates(decision).zip(&scores[decision]);
            match limit(call) {
                Limit::Density(least) => {
                    let best = scored.filter(|(_, score)| **score >= least);
                    best.for_each(|(candidate, _)| kept.keep(candidate.segment));
                }
                limit => {
                    let own = |at: usize, score: f32| score * history.segment(at).cost as f32;
                    let offer = |(candidate, score): (&Candidate, &f32)| Offer {
                        segment: candidate.segment,
                        own: own(candidate.segment, *score),
                    };
                    let offers: Vec<Offer> = scored.map(offer).collect();
                    let best = select(history, &offers, &nothing, &mut Shown::new(), limit);
                    best.into_iter().for_each(|at| kept.keep(at));
                }
            }
        }
        kept
    };
    observed.calls.iter().map(plan).collect()
}

/// The limit that a knob sets for a call. A recorded call shares its budget with the other calls of its episode and
/// data set: a least value per token. A query is a session of its own: a share of its history.
pub(crate) fn limit(observed: &Observed, call: &Call, knob: f64) -> Limit {
    if call.query.is_none() {
        return Limit::Density((1.0 / knob) as f32);
    }
    let turns = &observed.history.turns()[..call.turn];
    let history: u64 = turns.iter().map(|turn| u64::from(turn.source_tokens)).sum();
    Limit::Tokens((knob.min(1.0) * history as f64) as f32)
}

/// Everything but the tool results older than the newest `results`.
#[must_use]
pub(crate) fn without_old_results(observed: &Observed, results: usize) -> Plan {
    let history = &observed.history;
    let plan = |call: &Call| {
        let is_result = |turn: &usize| history.turns()[*turn].role == Role::Tool;
        let cleared: Vec<usize> = (0..call.turn).rev().filter(is_result).skip(results).collect();
        let mut kept = tail(observed, call);
        for at in (0..call.turn).filter(|turn| !cleared.contains(turn)).flat_map(|turn| history.range(turn)) {
            kept.keep(at);
        }
        kept
    };
    observed.calls.iter().map(plan).collect()
}

/// The fraction of history tokens that plans send, pooled over episodes; 1 where there is no history.
#[must_use]
pub fn kept_share(
    observed: &[Observed],
    viewers: &mut [Viewer<'_>],
    whole: Whole,
    plan: impl Fn(usize) -> Plan + Sync,
) -> f64 {
    let share = |(at, (observed, viewer)): (usize, (&Observed, &mut Viewer<'_>))| {
        let plan = plan(at);
        let calls = observed.calls.iter().zip(&plan);
        calls.fold((0u64, 0u64), |(full, sent), (call, kept)| {
            let (all, some) = history_tokens(observed, call, viewer, kept, whole);
            (full + u64::from(all), sent + u64::from(some))
        })
    };
    let episodes = observed.par_iter().zip(viewers).enumerate();
    let (full, sent) = episodes.map(share).reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    if full == 0 { 1.0 } else { sent as f64 / full as f64 }
}

/// Measures plans, one count an episode, in order.
#[must_use]
pub(crate) fn measure_all(
    observed: &[Observed],
    viewers: &mut [Viewer<'_>],
    whole: Whole,
    plan: impl Fn(usize) -> Plan + Sync,
) -> Vec<Counts> {
    let episodes = observed.par_iter().zip(viewers).enumerate();
    episodes.map(|(at, (observed, viewer))| measure(observed, viewer, &plan(at), whole)).collect()
}

/// A viewer for each episode.
#[must_use]
pub(crate) fn viewers<'a>(observed: &'a [Observed], counter: &'a TokenCounter) -> Vec<Viewer<'a>> {
    observed.iter().map(|observed| Viewer::new(&observed.history, counter)).collect()
}
