//! What each call or judge sees of an episode under a method at a budget.

use std::collections::BTreeMap;

use lrrc_episode::{
    Episode, Role, TokenCounter,
    observe::{Mode, ObserveOptions, Observed, observe_episode},
};
use lrrc_eval::{
    Calibration, Kept, Kind, Method, Scorer, Viewer, Whole, calibrate, kept_share, learned_scores,
};
use lrrc_model::Policy;
use rayon::prelude::*;

use crate::error::JudgeError;

/// How digests are made.
#[derive(Clone, Copy)]
pub(crate) struct Digester<'a> {
    pub(crate) counter: &'a TokenCounter,
    pub(crate) policy: &'a Policy,
    pub(crate) control: Option<&'a Policy>,
    pub(crate) method: Method,
    /// Share to keep, between 0 and 1.
    pub(crate) keep: f64,
}

/// Whose tokens the budget counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Budget {
    /// The history before each recorded call, as in an evaluation.
    Histories,
    /// The answers of the assistants at the last call, a query about the whole episode.
    Answers,
}

/// Episodes with what each of their calls sees.
pub(crate) struct Digests {
    pub(crate) observed: Vec<Observed>,
    /// One entry a call of each episode.
    pub(crate) plans: Vec<Vec<Kept>>,
}

impl Digester<'_> {
    /// Digests of all episodes, with a knob that keeps the wanted share over all of them.
    pub(crate) fn digests(&self, episodes: &[Episode], budget: Budget) -> Result<Digests, JudgeError> {
        let mode = match (budget, self.method.mode()) {
            (Budget::Answers, Mode::Once) => Mode::Rerank,
            (_, mode) => mode,
        };
        let options = ObserveOptions { modes: vec![mode] };
        let observe = |episode: &Episode| observe_episode(episode, self.counter, &options);
        let observed: Vec<Observed> = episodes.par_iter().map(observe).collect();
        let scores = if self.method.is_learned() {
            learned_scores(self.model()?, &observed)?
        } else {
            observed.par_iter().map(|observed| self.method.rule_scores(observed, None)).collect()
        };
        let plan = |at: usize, knob| self.method.plan(&observed[at], &scores[at], knob);
        let knob = self.knob(episodes, &observed, budget, &plan);
        let plans = (0..observed.len()).into_par_iter().map(|at| plan(at, knob)).collect();
        Ok(Digests { observed, plans })
    }

    fn model(&self) -> Result<&Policy, JudgeError> {
        let model = match self.method.scorer() {
            Scorer::Control => self.control,
            Scorer::Coordinator => Some(self.policy),
            Scorer::Rule | Scorer::Trees | Scorer::Future => None,
        };
        model.ok_or(JudgeError::NoModel(self.method.name()))
    }

    /// Frozen modes at recorded calls take the threshold of the checkpoint, as an evaluation does; all else is set on
    /// these episodes, which needs no label.
    fn knob(
        &self,
        episodes: &[Episode],
        observed: &[Observed],
        budget: Budget,
        plan: &(impl Fn(usize, f64) -> Vec<Kept> + Sync),
    ) -> f64 {
        if !self.method.has_budget() {
            return 1.0;
        }
        let kind = if budget == Budget::Answers { Kind::Queries } else { Kind::of(observed) };
        let papers = Calibration::from_meta(&self.policy.meta().calibration, kind);
        let frozen = self.method.is_frozen() && budget == Budget::Histories;
        if let Some(knob) = papers.filter(|_| frozen).and_then(|papers| papers.knob(self.method, self.keep)) {
            return knob;
        }
        let mut viewers: Vec<Viewer<'_>> =
            observed.iter().map(|observed| Viewer::new(&observed.history, self.counter)).collect();
        calibrate(self.method.knob_range(kind), self.keep, |knob| match budget {
            Budget::Histories => kept_share(observed, &mut viewers, self.method.whole(), |at| plan(at, knob)),
            Budget::Answers => self.answers_share(episodes, observed, |at| plan(at, knob)),
        })
    }

    /// Share of the answers' tokens that stands in the digests of the last calls.
    fn answers_share(
        &self,
        episodes: &[Episode],
        observed: &[Observed],
        plan: impl Fn(usize) -> Vec<Kept> + Sync,
    ) -> f64 {
        let tokens = |at: usize| {
            let plan = plan(at);
            let turns = &episodes[at].turns;
            let answers = (0..turns.len()).filter(|turn| turns[*turn].role == Role::Assistant);
            answers.fold((0u64, 0u64), |(full, shown), turn| {
                let kept = plan.last().expect("an episode for judging ends with a query");
                let text = self.turn_text(&episodes[at], &observed[at], turn, kept);
                let source = observed[at].history.turns()[turn].source_tokens;
                (full + u64::from(source), shown + u64::from(self.counter.count(&text)))
            })
        };
        let sums = (0..episodes.len()).into_par_iter().map(tokens);
        let (full, shown) = sums.reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        if full == 0 { 1.0 } else { shown as f64 / full as f64 }
    }

    /// A turn as its digest shows it; empty where nothing of it is kept. A turn that is kept whole stands in the
    /// table encoding where that is shorter and the method has one.
    pub(crate) fn turn_text(
        &self,
        episode: &Episode,
        observed: &Observed,
        turn: usize,
        kept: &Kept,
    ) -> String {
        let history = &observed.history;
        let source = || episode.turns[turn].shown();
        let mask: Vec<bool> = history.range(turn).map(|at| kept.has(at)).collect();
        let whole = mask.iter().all(|kept| *kept);
        if mask.is_empty() || whole && self.method.whole() == Whole::Verbatim {
            return source();
        }
        let rendered = history.turns()[turn].render(&mask);
        let is_longer = self.counter.count(&rendered) >= history.turns()[turn].source_tokens;
        if whole && is_longer { source() } else { rendered }
    }
}

/// Numbers of groups, in order of first appearance.
#[derive(Debug, Default)]
pub(crate) struct Groups(BTreeMap<String, usize>);

impl Groups {
    /// The number of a group.
    pub(crate) fn number(&mut self, group: &str) -> usize {
        let next = self.0.len();
        *self.0.entry(group.to_owned()).or_insert(next)
    }

    /// Groups seen.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
