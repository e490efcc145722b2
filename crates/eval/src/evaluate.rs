//! Every method at every budget on a set of recorded episodes.

use std::time::Instant;

use lrrc_episode::{
    Episode, TokenCounter,
    observe::{Mode, ObserveOptions, Observed, observe_episode},
};
use lrrc_model::Policy;
use rayon::prelude::*;

use crate::{
    EvalError,
    calibration::{Calibration, Kind},
    knob::Looks,
    method::{Method, Scorer, learned_scores},
    replay::{Scores, kept_share, measure_all, viewers},
    replays::{BudgetReplays, MethodReplays, Played, Replays},
    rule::surprisal::Background,
    trees::Trees,
    view::Viewer,
};

/// Shares of the history that are kept, unless asked otherwise.
pub const BUDGETS: [f64; 8] = [0.10, 0.20, 0.25, 0.30, 0.40, 0.50, 0.60, 0.75];
/// Episodes on which the time is taken.
const TIMED_EPISODES: usize = 8;
/// Share kept while the time is taken.
const TIMED_KEEP: f64 = 0.25;

/// What to evaluate.
pub struct Evaluation<'a> {
    /// Name of the data set, for the report.
    pub dataset: &'a str,
    /// The episodes.
    pub episodes: &'a [Episode],
    /// Counts tokens.
    pub counter: &'a TokenCounter,
    /// The trained coordinator; without one the learned methods are left out.
    pub policy: Option<&'a Policy>,
    /// The no-state control.
    pub control: Option<&'a Policy>,
    /// The boosted trees; without them their methods are left out.
    pub trees: Option<&'a Trees>,
    /// What the surprisal methods have read beforehand, if anything; never the episodes evaluated.
    pub background: Option<&'a Background>,
    /// Shares of the history to keep, each between 0 and 1.
    pub budgets: Vec<f64>,
    /// Methods to run.
    pub methods: Vec<Method>,
    /// Whether to take the time of each method.
    pub timed: bool,
}

/// Episodes observed in all modes, in order, on all cores.
#[must_use]
pub fn observe_all(episodes: &[Episode], counter: &TokenCounter) -> Vec<Observed> {
    let options = ObserveOptions::default();
    episodes.par_iter().map(|episode| observe_episode(episode, counter, &options)).collect()
}

/// Runs the evaluation; `on_method` is told each method before it starts.
///
/// # Errors
/// Budgets out of range, no call to replay, or an episode that the coordinator refuses.
pub fn evaluate(request: &Evaluation<'_>, on_method: impl Fn(Method)) -> Result<Replays, EvalError> {
    if let Some(bad) = request.budgets.iter().find(|keep| !(0.0 < **keep && **keep < 1.0)) {
        return Err(EvalError::Budget(*bad));
    }
    let observed = observe_all(request.episodes, request.counter);
    if observed.iter().all(|observed| observed.calls.is_empty()) {
        let dataset = request.dataset.to_owned();
        return Err(EvalError::NoCalls { dataset, episodes: request.episodes.len() });
    }
    let mut arena = Arena {
        request,
        kind: Kind::of(&observed),
        observed: &observed,
        viewers: viewers(&observed, request.counter),
        policy_scores: request.policy.map(|policy| learned_scores(policy, &observed)).transpose()?,
    };
    let mut methods = Vec::new();
    for method in request.methods.iter().copied() {
        let is_missing = match method.scorer() {
            Scorer::Trees => request.trees.is_none(),
            Scorer::Control => request.control.is_none(),
            Scorer::Coordinator => request.policy.is_none(),
            Scorer::Rule | Scorer::Future => false,
        };
        if is_missing {
            continue;
        }
        on_method(method);
        methods.push(arena.run(method)?);
    }
    let played = |episode: &Episode| Played { id: episode.id.clone(), group: episode.group.clone() };
    let calls = observed.iter().map(|observed| observed.calls.len()).sum();
    let episodes = request.episodes.iter().map(played).collect();
    let mut replays = Replays::new(request.dataset, arena.kind, calls, episodes);
    replays.methods = methods;
    Ok(replays)
}

struct Arena<'a> {
    request: &'a Evaluation<'a>,
    kind: Kind,
    observed: &'a [Observed],
    viewers: Vec<Viewer<'a>>,
    policy_scores: Option<Vec<Scores>>,
}

impl Arena<'_> {
    fn run(&mut self, method: Method) -> Result<MethodReplays, EvalError> {
        let is_coordinator = method.scorer() == Scorer::Coordinator;
        let own = (!is_coordinator).then(|| self.scores(method, self.observed)).transpose()?;
        let policy_scores = self.policy_scores.take();
        let scores = own.as_ref().or(policy_scores.as_ref()).map_or(&[][..], Vec::as_slice);
        let (mut budgets, mut looks) = (Vec::new(), Looks::default());
        for keep in self.request.budgets.clone() {
            let row = match budgets.last() {
                Some(last) if !method.has_budget() => BudgetReplays { keep, ..BudgetReplays::clone(last) },
                _ => self.budget(method, scores, keep, &mut looks),
            };
            budgets.push(row);
        }
        let ms_per_1k_tokens = if self.request.timed { self.time(method, scores)? } else { 0.0 };
        self.policy_scores = policy_scores;
        Ok(MethodReplays { name: method.name().to_owned(), ms_per_1k_tokens, budgets })
    }

    /// Scores of these episodes under any method.
    fn scores(&self, method: Method, observed: &[Observed]) -> Result<Vec<Scores>, EvalError> {
        let rule = |observed: &Observed| method.rule_scores(observed, self.request.background);
        let request = self.request;
        match (method.scorer(), request.trees, request.control, request.policy) {
            (Scorer::Trees, Some(trees), _, _) => Ok(trees.scores(observed)),
            (Scorer::Control, _, Some(control), _) => learned_scores(control, observed),
            (Scorer::Coordinator, _, _, Some(policy)) => learned_scores(policy, observed),
            _ => Ok(observed.par_iter().map(rule).collect()),
        }
    }

    fn budget(&mut self, method: Method, scores: &[Scores], keep: f64, looks: &mut Looks) -> BudgetReplays {
        let knob = self.knob(method, scores, keep, looks);
        let observed = self.observed;
        let plan = |at: usize| method.plan(&observed[at], &scores[at], knob);
        BudgetReplays { keep, counts: measure_all(observed, &mut self.viewers, method.whole(), plan) }
    }

    /// Frozen modes take the knob that was set on validation episodes; the others, and a frozen mode whose
    /// checkpoint brings no calibration, take the one that keeps the wanted share here, which needs no label.
    fn knob(&mut self, method: Method, scores: &[Scores], keep: f64, looks: &mut Looks) -> f64 {
        if !method.has_budget() {
            return 1.0;
        }
        let calibration = match method.scorer() {
            Scorer::Trees => self.request.trees.and_then(|trees| trees.calibration(self.kind).cloned()),
            _ => {
                let papers = self.request.policy.map(|policy| &policy.meta().calibration);
                papers.and_then(|papers| Calibration::from_meta(papers, self.kind))
            }
        };
        if let (true, Some(knob)) = (method.is_frozen(), calibration.and_then(|set| set.knob(method, keep))) {
            return knob;
        }
        let observed = self.observed;
        let viewers = &mut self.viewers;
        looks.find(method.knob_range(self.kind), keep, |knob| {
            kept_share(observed, viewers, method.whole(), |at| method.plan(&observed[at], &scores[at], knob))
        })
    }

    /// Median over some episodes of the milliseconds, on one core, that the method takes for 1,000 tokens of
    /// history shown to calls: features, scores, selection and rendering, each from nothing.
    fn time(&mut self, method: Method, scores: &[Scores]) -> Result<f64, EvalError> {
        let knob = self.knob(method, scores, TIMED_KEEP, &mut Looks::default());
        let modes: Vec<Mode> = if method.has_budget() { vec![method.mode()] } else { Vec::new() };
        let options = ObserveOptions { modes };
        let mut per_1k = Vec::new();
        for (episode, observed) in self.request.episodes.iter().zip(self.observed).take(TIMED_EPISODES) {
            let shown: u64 = shown_tokens(observed);
            if shown == 0 {
                continue;
            }
            let start = Instant::now();
            let fresh = observe_episode(episode, self.request.counter, &options);
            let scores = self.scores(method, std::slice::from_ref(&fresh))?.remove(0);
            let plan = method.plan(&fresh, &scores, knob);
            let mut viewer = Viewer::new(&fresh.history, self.request.counter);
            let rendered = fresh.calls.iter().zip(&plan).map(|(call, kept)| {
                crate::metric::history_tokens(&fresh, call, &mut viewer, kept, method.whole()).1
            });
            std::hint::black_box(rendered.sum::<u32>());
            per_1k.push(start.elapsed().as_secs_f64() * 1e3 / (shown as f64 / 1e3));
        }
        per_1k.sort_by(f64::total_cmp);
        Ok(per_1k.get(per_1k.len() / 2).copied().unwrap_or(0.0))
    }
}

fn shown_tokens(observed: &Observed) -> u64 {
    let turns = observed.history.turns();
    let of = |call: &lrrc_episode::observe::Call| {
        turns[..call.turn].iter().map(|turn| u64::from(turn.source_tokens)).sum::<u64>()
    };
    observed.calls.iter().map(of).sum()
}
