//! The oracle of values: it knows which values each recorded output needs and pays for nothing else.

use lrrc_episode::{
    canon::Atoms,
    history::History,
    observe::{Call, Mode, Observed},
    select::{Limit, Offer, Shown, select},
};

use crate::{
    replay::{Plan, decision_of, tail},
    view::Kept,
};

/// Worth of what only a later call needs, against what this call needs: it comes after all of that.
const LATER: f32 = 0.01;

/// Keeps, at every call, the segments that cover what this call needs, then those that cover what later calls need,
/// each by need per token. Segments that hold nothing needed are never kept, whatever the budget.
pub(crate) fn plan(observed: &Observed, limit: impl Fn(&Call) -> Limit) -> Plan {
    let history = &observed.history;
    let mut later = vec![0.0f32; history.items().len()];
    let mut plan = Vec::with_capacity(observed.calls.len());
    for call in observed.calls.iter().rev() {
        let mut wanted: Vec<f32> = later.iter().map(|want| want * LATER).collect();
        // Queries are sessions of their own: one does not prepare another.
        if call.query.is_none() {
            call.needs.raise(&mut later);
        }
        call.needs.raise(&mut wanted);
        plan.push(keep(observed, call, &wanted, limit(call)));
    }
    plan.reverse();
    plan
}

fn keep(observed: &Observed, call: &Call, wanted: &[f32], limit: Limit) -> Kept {
    let history = &observed.history;
    let mut kept = tail(observed, call);
    let Some(decision) = decision_of(observed, call, Mode::Rerank) else { return kept };
    let mut shown = Shown::new();
    (call.tail_from..call.turn).flat_map(|turn| history.range(turn)).for_each(|at| shown.show(history, at));
    let holders = holders(observed, call);
    let offers = observed.candidates(decision).map(|candidate| {
        let mut own = evidence_worth(history, call, candidate.segment);
        own += holders.iter().filter(|at| **at == candidate.segment).count() as f32;
        Offer { segment: candidate.segment, own }
    });
    let needed = |offer: &Offer| {
        offer.own > 0.0 || history.items_of(offer.segment).iter().any(|id| wanted[*id as usize] > 0.0)
    };
    let offers: Vec<Offer> = offers.filter(needed).collect();
    for at in select(history, &offers, wanted, &mut shown, limit) {
        kept.keep(at);
    }
    kept
}

/// An argument that is no item (an expression, say) has no worth to share: one segment that holds it whole is worth it,
/// the cheapest, unless the verbatim tail holds it.
fn holders(observed: &Observed, call: &Call) -> Vec<usize> {
    let history = &observed.history;
    let spelled = call.needs.arguments.iter().filter(|argument| argument.item.is_none());
    let cheapest = spelled.filter_map(|argument| {
        let segments = (0..call.turn).flat_map(|turn| history.range(turn));
        let holds = |at: &usize| Atoms::of(&history.segment(*at).text).has(&argument.atoms);
        let is_tail = |at: usize| history.place(at).turn as usize >= call.tail_from;
        segments.filter(holds).min_by_key(|at| (!is_tail(*at), history.segment(*at).cost))
    });
    cheapest.collect()
}

/// What a segment is worth as gold evidence: its length.
fn evidence_worth(history: &History, call: &Call, segment: usize) -> f32 {
    let is_evidence = call.evidence.binary_search(&segment).is_ok();
    if is_evidence { history.segment(segment).cost as f32 } else { 0.0 }
}
