//! Thresholds of the frozen modes: set on validation episodes, stored with the checkpoint, used everywhere else.
//!
//! A frozen decision cannot know how long the episode will be, so its budget is a least value per token. It is set
//! where the validation episodes keep the wanted share of their history on average; on other episodes the share
//! really kept is whatever it is, and is reported.

use std::collections::BTreeMap;

use lrrc_episode::{TokenCounter, observe::Observed};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    knob::Looks,
    method::Method,
    replay::{Scores, kept_share, viewers},
};

/// Aimed at less than the budget by this factor, since other episodes may keep more than the validation episodes.
const SAFETY: f64 = 0.98;

/// Shares of the history, in per mille, for which thresholds are set. They lie close together, because the logarithm of a
/// threshold is no straight line over the shares: below what the verbatim tail takes, there is no threshold at all.
const GRID: [u32; 22] = [
    50, 75, 100, 125, 150, 175, 200, 225, 250, 275, 300, 325, 350, 375, 400, 425, 450, 475, 500, 600, 750,
    900,
];

/// What the calls of a data set are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Recorded turns of agents.
    Calls,
    /// Queries about whole episodes.
    Queries,
}

impl Kind {
    /// What most calls of these episodes are.
    #[must_use]
    pub fn of(observed: &[Observed]) -> Self {
        let calls = observed.iter().flat_map(|observed| &observed.calls);
        let (queries, all) =
            calls.fold((0, 0), |(q, n), call| (q + usize::from(call.query.is_some()), n + 1));
        if 2 * queries > all { Self::Queries } else { Self::Calls }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Queries => "queries",
        }
    }
}

/// Knobs of the frozen modes, by mode and budget in per mille.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Calibration(BTreeMap<String, BTreeMap<u32, f64>>);

impl Calibration {
    /// The calibration for data sets of this kind in the papers of a checkpoint.
    #[must_use]
    pub fn from_meta(calibration: &Map<String, Value>, kind: Kind) -> Option<Self> {
        serde_json::from_value(calibration.get(kind.name())?.clone()).ok()
    }

    /// Writes this calibration into the papers of a checkpoint.
    pub fn into_meta(self, calibration: &mut Map<String, Value>, kind: Kind) {
        let value = serde_json::to_value(self).expect("a map of numbers is JSON");
        calibration.insert(kind.name().to_owned(), value);
    }

    /// The knob of a method at a budget, interpolated in its logarithm between the budgets that were set.
    #[must_use]
    pub fn knob(&self, method: Method, keep: f64) -> Option<f64> {
        let knobs = self.0.get(method.mode().name())?;
        let at = per_mille(keep);
        let below = knobs.range(..=at).next_back()?;
        let above = knobs.range(at..).next()?;
        let span = f64::from(above.0 - below.0);
        let part = if span > 0.0 { f64::from(at - below.0) / span } else { 0.0 };
        Some((below.1.ln() * (1.0 - part) + above.1.ln() * part).exp())
    }

    /// Sets the knobs of the frozen modes on validation episodes with their learned scores.
    #[must_use]
    pub fn set(observed: &[Observed], scores: &[Scores], counter: &TokenCounter) -> Self {
        let kind = Kind::of(observed);
        let mut viewers = viewers(observed, counter);
        let mut knobs = BTreeMap::new();
        for method in [Method::LrrcIngest, Method::LrrcOnce] {
            let mut looks = Looks::default();
            let of = |per_mille: u32| {
                let share = |knob| {
                    kept_share(observed, &mut viewers, method.whole(), |at| {
                        method.plan(&observed[at], &scores[at], knob)
                    })
                };
                let target = f64::from(per_mille) / 1000.0 * SAFETY;
                (per_mille, looks.find(method.knob_range(kind), target, share))
            };
            knobs.insert(method.mode().name().to_owned(), GRID.into_iter().map(of).collect());
        }
        Self(knobs)
    }
}

fn per_mille(keep: f64) -> u32 {
    (keep * 1000.0).round() as u32
}
