//! What a trial of the main arm measures besides its curves: prices of long sessions, the call gate, failures.

use std::path::Path;

use lrrc_episode::{Episode, TokenCounter};
use lrrc_eval::price::{CacheModel, OUTPUT_PRICE, Pricing, Strategy, price, sessions};
use lrrc_eval::study::Verdicts;
use lrrc_eval::{CallEvaluation, EvalError, Kind, WinnerRequest, evaluate_calls, failures, observe_all};
use lrrc_model::{Policy, write_atomic};
use serde::Serialize;

use crate::data::Sides;
use crate::error::TrainError;

/// Episodes of a session that is priced.
const JOINED: usize = 5;
/// Shares of the history that are priced.
const PRICED: [f64; 4] = [0.20, 0.30, 0.35, 0.40];
/// Share of the history at which failures are looked for.
const FAILING: f64 = 0.27;

/// Writes `prices-NAME.json`, `calls-NAME.json` and `failures-NAME.json` into the folder of a trial. A data set of
/// queries has no calls to gate or to price.
pub(super) fn measure(
    name: &str,
    test: &[Episode],
    counter: &TokenCounter,
    policy: &Policy,
    dir: &Path,
) -> Result<(), TrainError> {
    let observed = observe_all(test, counter);
    if Kind::of(&observed) == Kind::Queries {
        return Ok(());
    }
    let joined = sessions(test, JOINED);
    let pricing = Pricing {
        dataset: &format!("{name}, {JOINED} joined"),
        sessions: &joined,
        counter,
        policy: Some(policy),
        budgets: PRICED.to_vec(),
        strategies: Strategy::ALL.to_vec(),
        models: CacheModel::ALL.to_vec(),
        output_price: OUTPUT_PRICE,
        seed: 0,
    };
    save(dir, &format!("prices-{name}.json"), &price(&pricing, |_| ())?)?;
    let gated = CallEvaluation {
        dataset: name,
        episodes: test,
        counter,
        policy: Some(policy),
        control: None,
        seed: 0,
    };
    match evaluate_calls(&gated) {
        Ok(report) => save(dir, &format!("calls-{name}.json"), &report)?,
        Err(EvalError::NoGatedCalls { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    save(dir, &format!("failures-{name}.json"), &failures(policy, &observed, counter, FAILING)?)
}

/// Writes `verdicts-NAME.json`: which of two answers people would prefer, predicted for the held-out prompts.
pub(super) fn verdicts(
    name: &str,
    sides: &Sides,
    counter: &TokenCounter,
    policy: &Policy,
    dir: &Path,
) -> Result<(), TrainError> {
    let train: Vec<Episode> = sides.train.iter().chain(&sides.validation).cloned().collect();
    let request = WinnerRequest { train: &train, held_out: &sides.test, counter, policy, control: None };
    let verdicts = Verdicts { dataset: name.to_owned(), verdicts: lrrc_eval::verdicts(&request)? };
    save(dir, &format!("verdicts-{name}.json"), &verdicts)
}

fn save(dir: &Path, name: &str, what: &impl Serialize) -> Result<(), TrainError> {
    Ok(write_atomic(&dir.join(name), &serde_json::to_vec(what).unwrap_or_default())?)
}
