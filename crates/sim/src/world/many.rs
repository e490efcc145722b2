//! Many seeds at once.

use rayon::prelude::*;

use super::{WorldConfig, run};
use crate::verdict::Tally;

/// What many seeds came to.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// What happened in all of them.
    pub tally: Tally,
    /// The seeds that broke a law, in order.
    pub broken: Vec<u64>,
}

/// Runs the worlds of `count` seeds from `first` on (0 follows the largest), on every core; `done` is called after each.
#[must_use]
pub fn run_many(first: u64, count: u64, config: &WorldConfig, done: &(impl Fn() + Sync)) -> Found {
    let one = |seed: u64| {
        let verdict = run(seed, config);
        done();
        Found { tally: verdict.tally, broken: verdict.broken.map(|_| seed).into_iter().collect() }
    };
    let mut found = (0..count).into_par_iter().map(|offset| one(first.wrapping_add(offset))).reduce(
        Found::default,
        |mut all, one| {
            all.tally = all.tally.plus(one.tally);
            all.broken.extend(one.broken);
            all
        },
    );
    found.broken.sort_unstable();
    found
}
