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
    calibration::{Calibration, Kind, STEPS},
    method::{Method, learned_scores},
    metric::Counts,
    replay::{Scores, calibrate, kept_share, measure_all, viewers},
    report::{BudgetRow, MethodRow, Report},
    stats::{RESAMPLES, cluster_bootstrap},
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
    /// Shares of the history to keep, each between 0 and 1.
    pub budgets: Vec<f64>,
    /// Methods to run.
    pub methods: Vec<Method>,
    /// Seed of the resampling.
    pub seed: u64,
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
pub fn evaluate(request: &Evaluation<'_>, on_method: impl Fn(Method)) -> Result<Report, EvalError> {
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
        clusters: clusters(request.episodes),
        observed: &observed,
        viewers: viewers(&observed, request.counter),
        policy_scores: request.policy.map(|policy| learned_scores(policy, &observed)).transpose()?,
    };
    let mut methods = Vec::new();
    for method in request.methods.iter().copied() {
        let model = if method == Method::NoState { request.control } else { request.policy };
        if method.is_learned() && model.is_none() {
            continue;
        }
        on_method(method);
        methods.push(arena.run(method)?);
    }
    let full_tokens: f64 = arena.full_tokens();
    Ok(Report {
        dataset: request.dataset.to_owned(),
        episodes: request.episodes.len(),
        groups: arena.clusters.iter().max().map_or(0, |most| most + 1),
        calls: observed.iter().map(|observed| observed.calls.len()).sum(),
        full_tokens: full_tokens as u64,
        methods,
        winner: None,
    })
}

/// Number of each episode's group, in order of first appearance.
fn clusters(episodes: &[Episode]) -> Vec<usize> {
    let mut groups: Vec<&str> = Vec::new();
    let number = |episode: &'_ Episode| episode.group.clone();
    let names: Vec<String> = episodes.iter().map(number).collect();
    let mut numbers = Vec::with_capacity(names.len());
    for name in &names {
        let at = groups.iter().position(|known| known == name).unwrap_or_else(|| {
            groups.push(name);
            groups.len() - 1
        });
        numbers.push(at);
    }
    numbers
}

struct Arena<'a> {
    request: &'a Evaluation<'a>,
    kind: Kind,
    clusters: Vec<usize>,
    observed: &'a [Observed],
    viewers: Vec<Viewer<'a>>,
    policy_scores: Option<Vec<Scores>>,
}

impl Arena<'_> {
    fn run(&mut self, method: Method) -> Result<MethodRow, EvalError> {
        let own: Option<Vec<Scores>> = match (method, self.request.control) {
            (Method::NoState, Some(control)) => Some(learned_scores(control, self.observed)?),
            _ if method.is_learned() => None,
            _ => Some(self.observed.iter().map(|observed| method.rule_scores(observed)).collect()),
        };
        let policy_scores = self.policy_scores.take();
        let scores = own.as_ref().or(policy_scores.as_ref()).map_or(&[][..], Vec::as_slice);
        let mut budgets = Vec::new();
        for keep in self.request.budgets.clone() {
            let row = match budgets.last() {
                Some(last) if !method.has_budget() => BudgetRow { keep, ..BudgetRow::clone(last) },
                _ => self.budget(method, scores, keep)?,
            };
            budgets.push(row);
        }
        let ms_per_1k_tokens = self.time(method, scores)?;
        self.policy_scores = policy_scores;
        Ok(MethodRow { name: method.name().to_owned(), ms_per_1k_tokens, budgets })
    }

    fn budget(&mut self, method: Method, scores: &[Scores], keep: f64) -> Result<BudgetRow, EvalError> {
        let knob = self.knob(method, scores, keep);
        let observed = self.observed;
        let plan = |at: usize| method.plan(&observed[at], &scores[at], knob);
        let counts = measure_all(observed, &mut self.viewers, method.whole(), plan);
        let units = |of: fn(&Counts) -> (f64, f64)| {
            let units = self.clusters.iter().zip(&counts).map(move |(cluster, counts)| {
                let (numerator, denominator) = of(counts);
                (*cluster, numerator, denominator)
            });
            units.collect::<Vec<_>>()
        };
        let saved = cluster_bootstrap(
            &units(|counts| (counts.full_tokens - counts.sent_tokens, counts.full_tokens)),
            RESAMPLES,
            self.request.seed,
        )?;
        let args = units(|counts| (counts.args.kept, counts.args.all));
        let has_args = args.iter().any(|(_, _, all)| *all > 0.0);
        let args = has_args.then(|| cluster_bootstrap(&args, RESAMPLES, self.request.seed)).transpose()?;
        let mut total = Counts::default();
        counts.iter().for_each(|counts| total.merge(counts));
        Ok(BudgetRow::new(keep, &total, saved, args))
    }

    /// Frozen modes take the knob that was set on validation episodes; the others, and a frozen mode whose
    /// checkpoint brings no calibration, take the one that keeps the wanted share here, which needs no label.
    fn knob(&mut self, method: Method, scores: &[Scores], keep: f64) -> f64 {
        if !method.has_budget() {
            return 1.0;
        }
        let papers = self.request.policy.map(|policy| &policy.meta().calibration);
        let calibration = papers.and_then(|papers| Calibration::from_meta(papers, self.kind));
        if let (true, Some(knob)) = (method.is_frozen(), calibration.and_then(|set| set.knob(method, keep))) {
            return knob;
        }
        let observed = self.observed;
        let viewers = &mut self.viewers;
        calibrate(method.knob_range(self.kind), keep, STEPS, |knob| {
            kept_share(observed, viewers, method.whole(), |at| method.plan(&observed[at], &scores[at], knob))
        })
    }

    /// Median over some episodes of the milliseconds, on one core, that the method takes for 1,000 tokens of
    /// history shown to calls: features, scores, selection and rendering, each from nothing.
    fn time(&mut self, method: Method, scores: &[Scores]) -> Result<f64, EvalError> {
        let knob = self.knob(method, scores, TIMED_KEEP);
        let model = if method == Method::NoState { self.request.control } else { self.request.policy };
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
            let scores = match model {
                Some(policy) if method.is_learned() => {
                    learned_scores(policy, std::slice::from_ref(&fresh))?.remove(0)
                }
                _ => method.rule_scores(&fresh),
            };
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

    fn full_tokens(&mut self) -> f64 {
        let observed = self.observed;
        let plan = |at: usize| Method::Full.plan(&observed[at], &Vec::new(), 1.0);
        let counts = measure_all(observed, &mut self.viewers, Method::Full.whole(), plan);
        counts.iter().map(|counts| counts.full_tokens).sum()
    }
}

fn shown_tokens(observed: &Observed) -> u64 {
    let turns = observed.history.turns();
    let of = |call: &lrrc_episode::observe::Call| {
        turns[..call.turn].iter().map(|turn| u64::from(turn.source_tokens)).sum::<u64>()
    };
    observed.calls.iter().map(of).sum()
}
