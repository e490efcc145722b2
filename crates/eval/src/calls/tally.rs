//! What skipping some calls saves and loses, counted by episode.

use lrrc_episode::observe::Observed;

/// Counts of one episode.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Tally {
    /// Recorded calls, and those skipped.
    pub(super) calls: f64,
    pub(super) removed: f64,
    /// System, history and output tokens over all calls, and those that skipping saves: the whole context of each
    /// skipped call, and its turns in the context of each later one.
    pub(super) tokens: f64,
    pub(super) tokens_saved: f64,
    /// Weight of the items that calls brought and later outputs use, and of those lost.
    pub(super) used: f64,
    pub(super) lost: f64,
    /// Calls bound to stay, and those skipped nevertheless.
    pub(super) bound: f64,
    pub(super) bound_removed: f64,
    /// 1 if the recorded trajectory would have changed.
    pub(super) changed: f64,
}

impl Tally {
    /// Adds another episode.
    pub(super) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.removed += other.removed;
        self.tokens += other.tokens;
        self.tokens_saved += other.tokens_saved;
        self.used += other.used;
        self.lost += other.lost;
        self.bound += other.bound;
        self.bound_removed += other.bound_removed;
        self.changed += other.changed;
    }
}

/// Counts of each episode without the calls marked in `removed`.
pub(super) fn tallies(observed: &[Observed], removed: &[Vec<bool>]) -> Vec<Tally> {
    observed.iter().zip(removed).map(|(observed, removed)| tally(observed, removed)).collect()
}

fn tally(observed: &Observed, removed: &[bool]) -> Tally {
    let calls = || observed.worths.iter().zip(removed);
    let count = |flags: &mut dyn Iterator<Item = bool>| flags.filter(|flag| *flag).count() as f64;
    let lost = f64::from(observed.lost_weight(removed));
    let bound_removed = count(&mut calls().map(|(worth, removed)| worth.bound && *removed));
    let tokens = tokens(observed, &vec![false; removed.len()]);
    Tally {
        calls: observed.worths.len() as f64,
        removed: count(&mut removed.iter().copied()),
        tokens,
        tokens_saved: tokens - self::tokens(observed, removed),
        used: observed.worths.iter().map(|worth| f64::from(worth.used_weight())).sum(),
        lost,
        bound: count(&mut calls().map(|(worth, _)| worth.bound)),
        bound_removed,
        changed: f64::from(u8::from(lost > 0.0 || bound_removed > 0.0)),
    }
}

/// Tokens read and written by the calls that are made.
fn tokens(observed: &Observed, removed: &[bool]) -> f64 {
    let turns = observed.history.turns();
    let mut gone = vec![false; turns.len()];
    for (worth, _) in observed.worths.iter().zip(removed).filter(|(_, removed)| **removed) {
        gone[worth.turns.clone()].fill(true);
    }
    let context = |turn: usize| {
        let kept = turns[..turn].iter().zip(&gone).filter(|(_, gone)| !**gone);
        kept.map(|(turn, _)| f64::from(turn.source_tokens)).sum::<f64>()
    };
    let made = observed.calls.iter().zip(removed).filter(|(_, removed)| !**removed);
    made.map(|(call, _)| context(call.turn) + f64::from(call.output_tokens)).sum()
}
