//! Epochs: old turns are packed anew in blocks, when that pays, and stay as they are in between.
//!
//! A history grows at its end under a plan that only appends. Now and then an *epoch* opens: everything but the
//! verbatim tail is shown as a re-ranking of that moment shows it, and is frozen so. What is packed tighter is
//! cheaper to read at every later call, and the prompt behind the first message that changes has to be written
//! again. Whether enough calls will follow is not known, so the rule is that of renting skis (Karlin, Manasse,
//! Rudolph & Sleator 1988): keep the rent, what the looser packing has cost more so far, and buy when it reaches the
//! price of writing. That is never more than twice as dear as knowing the end, and a short session ends before its
//! rent is due.

use lrrc_episode::observe::Observed;

use crate::{price::cache::CacheModel, replay::Plan, view::Kept};

/// When an epoch opens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochRule {
    /// Prices that the rule reckons with.
    pub model: CacheModel,
    /// Rent that must be due, as a multiple of the price of opening. At 1 the rule is that of renting skis.
    pub patience: f64,
}

/// Rent that is due since the last epoch opened.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rent(f64);

impl Rent {
    /// Adds what the looser packing costs more at this call, and whether an epoch opens. `old` and `new` are the
    /// tokens sent before that stand at or behind the first message that would change, as they are and as they would
    /// be.
    pub(crate) fn opens(&mut self, rule: &EpochRule, old: f64, new: f64) -> bool {
        if new >= old {
            return false;
        }
        self.0 += rule.model.read * (old - new);
        let price = rule.model.write * new - rule.model.read * old;
        let is_due = self.0 >= rule.patience * price;
        if is_due {
            self.0 = 0.0;
        }
        is_due
    }
}

/// Shows each call what `growing` shows, but for the turns below the newest epoch, which stand as `packed` showed
/// them when it opened. Returns the plan and the number of epochs.
#[must_use]
pub(crate) fn epochs(observed: &Observed, growing: &Plan, packed: &Plan, rule: EpochRule) -> (Plan, usize) {
    let mut epoch = Epoch { packed: &Kept::default(), turns: 0 };
    let (mut rent, mut sent, mut opened) = (Rent::default(), 0, 0);
    let mut plan = Vec::with_capacity(growing.len());
    for ((call, growing), packed) in observed.calls.iter().zip(growing).zip(packed) {
        let next = Epoch { packed, turns: call.tail_from };
        let (now, then) = (epoch.show(observed, growing), next.show(observed, growing));
        let (old, new) = tokens_behind_change(observed, &now, &then, sent);
        let opens = rent.opens(&rule, old, new);
        if opens {
            (epoch, opened) = (next, opened + 1);
        }
        plan.push(if opens { then } else { now });
        sent = call.turn;
    }
    (plan, opened)
}

/// What stands frozen.
#[derive(Clone, Copy)]
struct Epoch<'a> {
    packed: &'a Kept,
    /// Turns below this one are shown as packed.
    turns: usize,
}

impl Epoch<'_> {
    fn show(self, observed: &Observed, growing: &Kept) -> Kept {
        let history = &observed.history;
        let mut kept = growing.clone();
        for at in (0..self.turns).flat_map(|turn| history.range(turn)) {
            kept.set(at, self.packed.has(at));
        }
        kept
    }
}

/// Tokens, as the segments cost, of the turns below `sent` at or behind the first that `old` and `new` show otherwise.
fn tokens_behind_change(observed: &Observed, old: &Kept, new: &Kept, sent: usize) -> (f64, f64) {
    let history = &observed.history;
    let changes = |turn: &usize| history.range(*turn).any(|at| old.has(at) != new.has(at));
    let first = (0..sent).find(changes).unwrap_or(sent);
    let tokens = |kept: &Kept| -> f64 {
        let shown = (first..sent).flat_map(|turn| history.range(turn)).filter(|at| kept.has(*at));
        shown.map(|at| f64::from(history.segment(at).cost)).sum()
    };
    (tokens(old), tokens(new))
}
