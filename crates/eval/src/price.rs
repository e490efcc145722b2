//! What every method costs in money when the provider caches prefixes.
//!
//! A call's prompt is the system text and the history so far. What it shares with the prompt before is read from the
//! cache at r, the rest is written at w, relative to a fresh token at 1. With S tokens of system text, a history H
//! that grows by Δ before each call, and a method that shows the share k of it, a call costs
//!
//! | method | tokens |
//! |---|---|
//! | pass-through | r·(S + H) + w·Δ |
//! | pruned on arrival, then frozen | r·(S + k·H) + w·k·Δ: k of the history's price, whatever the length |
//! | newest messages whole, pruned when they leave the tail | r·(S + k·H) + w·k·Δ + Δ: the tail is sent once more |
//! | rewritten at every call | r·S + w·k·H: dearer than pass-through unless k < r/w, which is 8 % at 0.1 and 1.25 |
//!
//! The tail costs Δ where the client ends the cached part before it, and w·Δ where it does not. Epochs lie between
//! the second and the third: see [`EpochRule`].
//!
//! Everything is a ratio of two sums over sessions, that of the method and that of pass-through. Output tokens are
//! those of the record under every method.

use std::collections::BTreeMap;

use lrrc_episode::{Episode, TokenCounter, observe::Observed};
use lrrc_model::Policy;
use rayon::prelude::*;

use crate::{
    EvalError,
    calibration::{Calibration, Kind},
    evaluate::observe_all,
    knob::Looks,
    method::{Method, learned_scores},
    metric::{Counts, measure},
    replay::{Scores, kept_share, viewers},
    replays::numbered,
    stats::{RESAMPLES, cluster_bootstrap},
    view::Viewer,
};

mod cache;
mod epochs;
mod prompt;
mod report;
mod session;
mod strategy;

pub use cache::{Block, CACHED_TOKENS_MIN, CacheModel, Charge, Request};
pub use epochs::EpochRule;
pub use prompt::Breakpoint;
pub use report::{PriceCell, PriceReport, PriceRow};
pub use session::{join, sessions};
pub use strategy::{Scoring, Strategy};

/// Price of an output token unless asked otherwise, in fresh input tokens: providers ask for four or five.
pub const OUTPUT_PRICE: f64 = 5.0;
/// Shares of the history that are kept, unless asked otherwise.
pub const PRICED_BUDGETS: [f64; 4] = [0.20, 0.30, 0.40, 0.50];

/// What to price.
pub struct Pricing<'a> {
    /// Name of the data set, for the report.
    pub dataset: &'a str,
    /// The sessions: recorded episodes, or several joined by [`sessions`].
    pub sessions: &'a [Episode],
    /// Counts tokens.
    pub counter: &'a TokenCounter,
    /// The trained coordinator; without one the learned strategies are left out.
    pub policy: Option<&'a Policy>,
    /// Shares of the history to keep, each between 0 and 1.
    pub budgets: Vec<f64>,
    /// Strategies to price.
    pub strategies: Vec<Strategy>,
    /// Providers; epochs reckon with the first.
    pub models: Vec<CacheModel>,
    /// Price of an output token, in fresh input tokens.
    pub output_price: f64,
    /// Seed of the resampling.
    pub seed: u64,
}

/// Prices every strategy at every budget; `on_strategy` is told each before it starts.
///
/// # Errors
/// Budgets out of range, no call to replay, or an episode that the coordinator refuses.
pub fn price(request: &Pricing<'_>, on_strategy: impl Fn(Strategy)) -> Result<PriceReport, EvalError> {
    if let Some(bad) = request.budgets.iter().find(|keep| !(0.0 < **keep && **keep < 1.0)) {
        return Err(EvalError::Budget(*bad));
    }
    let observed = observe_all(request.sessions, request.counter);
    let calls: usize = observed.iter().map(|observed| observed.calls.len()).sum();
    if calls == 0 {
        let dataset = request.dataset.to_owned();
        return Err(EvalError::NoCalls { dataset, episodes: request.sessions.len() });
    }
    let kind = Kind::of(&observed);
    let papers = request.policy.map(|policy| &policy.meta().calibration);
    let coverage = |observed: &Observed| Method::Coverage.rule_scores(observed, None);
    let mut till = Till {
        request,
        kind,
        calibration: papers.and_then(|papers| Calibration::from_meta(papers, kind)),
        clusters: numbered(request.sessions.iter().map(|session| session.group.as_str())),
        observed: &observed,
        viewers: viewers(&observed, request.counter),
        rule_scores: observed.par_iter().map(coverage).collect(),
        learned_scores: request.policy.map(|policy| learned_scores(policy, &observed)).transpose()?,
        through: Vec::new(),
        looks: BTreeMap::new(),
    };
    till.through = till.run(Strategy::FULL, 1.0).bills;
    let mut rows = Vec::new();
    for strategy in request.strategies.iter().copied() {
        if strategy.scoring == Scoring::Learned && request.policy.is_none() {
            continue;
        }
        on_strategy(strategy);
        rows.extend(till.rows(strategy)?);
    }
    Ok(PriceReport {
        dataset: request.dataset.to_owned(),
        sessions: request.sessions.len(),
        groups: till.clusters.iter().max().map_or(0, |most| most + 1),
        calls,
        output_price: request.output_price,
        rows,
    })
}

struct Till<'a> {
    request: &'a Pricing<'a>,
    kind: Kind,
    calibration: Option<Calibration>,
    clusters: Vec<usize>,
    observed: &'a [Observed],
    viewers: Vec<Viewer<'a>>,
    rule_scores: Vec<Scores>,
    learned_scores: Option<Vec<Scores>>,
    /// What pass-through costs.
    through: Vec<Bill>,
    /// Knobs looked at so far.
    looks: BTreeMap<(Method, Scoring), Looks>,
}

/// What a session costs: a charge for each provider.
type Bill = Vec<Charge>;

/// What a strategy at a budget costs and loses, session by session.
struct Run {
    bills: Vec<Bill>,
    counts: Vec<Counts>,
    epochs: usize,
}

impl Till<'_> {
    fn rows(&mut self, strategy: Strategy) -> Result<Vec<PriceRow>, EvalError> {
        if !strategy.method.has_budget() {
            let run = self.run(strategy, 1.0);
            return Ok(vec![self.row(strategy, None, &run)?]);
        }
        let budgets = &self.request.budgets;
        let row = |keep: f64| {
            let knob = self.knob(strategy, keep);
            let run = self.run(strategy, knob);
            self.row(strategy, Some(keep), &run)
        };
        budgets.iter().copied().map(row).collect()
    }

    /// Learned scores of a frozen mode take the threshold that was set on validation episodes; all others take the
    /// one at which `strategy.method` keeps the wanted share here.
    fn knob(&mut self, strategy: Strategy, keep: f64) -> f64 {
        let method = strategy.method;
        let set = self.calibration.as_ref().and_then(|set| set.knob(method, keep));
        if let (Scoring::Learned, true, Some(knob)) = (strategy.scoring, method.is_frozen(), set) {
            return knob;
        }
        let scores = scores(strategy, &self.rule_scores, self.learned_scores.as_deref());
        let (observed, viewers, range) = (self.observed, &mut self.viewers, method.knob_range(self.kind));
        self.looks.entry((method, strategy.scoring)).or_default().find(range, keep, |knob| {
            kept_share(observed, viewers, method.whole(), |at| method.plan(&observed[at], &scores[at], knob))
        })
    }

    fn run(&mut self, strategy: Strategy, knob: f64) -> Run {
        let scores = scores(strategy, &self.rule_scores, self.learned_scores.as_deref());
        let models = &self.request.models;
        let whole = strategy.method.whole();
        let play = |(at, (observed, viewer)): (usize, (&Observed, &mut Viewer<'_>))| {
            let (plan, opened) = strategy.plan(observed, &scores[at], knob, models.first());
            let counts = measure(observed, viewer, &plan, whole);
            let requests = prompt::requests(observed, viewer, &plan, whole, strategy.breakpoint);
            let bill: Bill = models.iter().map(|model| model.charge(&requests)).collect();
            (bill, counts, opened)
        };
        let sessions = self.observed.par_iter().zip(&mut self.viewers).enumerate();
        let played: Vec<(Bill, Counts, usize)> = sessions.map(play).collect();
        let epochs = played.iter().map(|(_, _, opened)| opened).sum();
        let (bills, counts) = played.into_iter().map(|(bill, counts, _)| (bill, counts)).unzip();
        Run { bills, counts, epochs }
    }

    fn row(&self, strategy: Strategy, keep: Option<f64>, run: &Run) -> Result<PriceRow, EvalError> {
        let cells = (0..self.request.models.len()).map(|model| self.cell(model, &run.bills));
        let prices = cells.collect::<Result<_, _>>()?;
        let counts = self.clusters.iter().zip(&run.counts);
        let args: Vec<_> = counts.map(|(at, counts)| (*at, counts.args.kept, counts.args.all)).collect();
        let has_args = args.iter().any(|(_, _, all)| *all > 0.0);
        let args = has_args.then(|| cluster_bootstrap(&args, RESAMPLES, self.request.seed)).transpose()?;
        let epochs = strategy.has_epochs.then(|| run.epochs as f64 / self.observed.len() as f64);
        let mut total = Counts::default();
        run.counts.iter().for_each(|counts| total.merge(counts));
        Ok(PriceRow::new(strategy.name, keep, prices, &total, args, epochs))
    }

    fn cell(&self, at: usize, bills: &[Bill]) -> Result<PriceCell, EvalError> {
        let model = &self.request.models[at];
        let output = self.request.output_price;
        let ratio = |of: &dyn Fn(&Charge) -> f64| {
            let pairs = self.clusters.iter().zip(bills.iter().zip(&self.through));
            let units: Vec<_> =
                pairs.map(|(cluster, (own, through))| (*cluster, of(&own[at]), of(&through[at]))).collect();
            cluster_bootstrap(&units, RESAMPLES, self.request.seed)
        };
        let input = ratio(&|charge| model.input_price(charge))?;
        let all = ratio(&|charge| model.input_price(charge) + output * charge.output as f64)?;
        let read = bills.iter().map(|bill| bill[at].read).sum::<u64>() as f64;
        let sent = bills.iter().map(|bill| bill[at].input()).sum::<u64>() as f64;
        Ok(PriceCell {
            model: model.name.to_owned(),
            input: input.estimate,
            input_interval: [input.low, input.high],
            with_output: all.estimate,
            with_output_interval: [all.low, all.high],
            read_share: if sent > 0.0 { read / sent } else { 0.0 },
        })
    }
}

fn scores<'a>(strategy: Strategy, rule: &'a [Scores], learned: Option<&'a [Scores]>) -> &'a [Scores] {
    match (strategy.scoring, learned) {
        (Scoring::Learned, Some(learned)) => learned,
        _ => rule,
    }
}

#[cfg(test)]
mod tests;
