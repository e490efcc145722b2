//! What is priced: a method, whose scores it takes, and how its plan is brought to the provider.

use lrrc_episode::{Role, observe::Observed};

use crate::{
    method::Method,
    price::{
        cache::CacheModel,
        epochs::{EpochRule, epochs},
        prompt::Breakpoint,
    },
    replay::{Plan, Scores},
};

/// Who scores the segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scoring {
    /// A rule: recency, for coverage.
    Rule,
    /// The coordinator.
    Learned,
}

/// One way to send a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Strategy {
    /// Name in tables and JSON.
    pub name: &'static str,
    /// When and how turns are packed.
    pub method: Method,
    /// Who scores what is packed.
    pub scoring: Scoring,
    /// Whether turns stay whole, in the lossless table encoding, until an epoch packs them.
    pub has_epochs: bool,
    /// Whether messages of users are always whole.
    pub spares_users: bool,
    /// How far prompts are to be cached.
    pub breakpoint: Breakpoint,
}

const fn sent(name: &'static str, method: Method, scoring: Scoring) -> Strategy {
    Strategy { name, method, scoring, has_epochs: false, spares_users: false, breakpoint: Breakpoint::End }
}

impl Strategy {
    /// Pass-through, to which all prices are relative.
    pub const FULL: Self = sent("full", Method::Full, Scoring::Rule);

    /// Every strategy, in the order of tables: per-turn rewriting, epochs, decided once, pruned on arrival.
    pub const ALL: [Self; 14] = [
        Self::FULL,
        sent("table", Method::Table, Scoring::Rule),
        sent("last-n", Method::LastN, Scoring::Rule),
        sent("coverage", Method::Coverage, Scoring::Rule),
        sent("lrrc-rerank", Method::LrrcRerank, Scoring::Learned),
        Self { has_epochs: true, ..sent("lrrc-repack", Method::LrrcRerank, Scoring::Learned) },
        Self { has_epochs: true, ..sent("coverage-epochs", Method::LrrcOnce, Scoring::Rule) },
        Self { has_epochs: true, ..sent("lrrc-epochs", Method::LrrcOnce, Scoring::Learned) },
        sent("coverage-once", Method::LrrcOnce, Scoring::Rule),
        sent("lrrc-once", Method::LrrcOnce, Scoring::Learned),
        Self {
            breakpoint: Breakpoint::Tail,
            ..sent("lrrc-once, tail uncached", Method::LrrcOnce, Scoring::Learned)
        },
        sent("coverage-ingest", Method::LrrcIngest, Scoring::Rule),
        sent("lrrc-ingest", Method::LrrcIngest, Scoring::Learned),
        Self { spares_users: true, ..sent("lrrc-ingest, users whole", Method::LrrcIngest, Scoring::Learned) },
    ];

    /// What each call of a session sees with this knob, and how many epochs were opened. Epochs reckon with `model`.
    #[must_use]
    pub(crate) fn plan(
        self,
        observed: &Observed,
        scores: &Scores,
        knob: f64,
        model: Option<&CacheModel>,
    ) -> (Plan, usize) {
        let mut plan = self.method.plan(observed, scores, knob);
        if self.spares_users {
            spare_users(observed, &mut plan);
        }
        match model.filter(|_| self.has_epochs) {
            Some(model) => {
                let whole = Method::Table.plan(observed, scores, 1.0);
                epochs(observed, &whole, &plan, EpochRule { model: *model, patience: 1.0 })
            }
            None => (plan, 0),
        }
    }
}

/// Shows every message of a user as it is.
fn spare_users(observed: &Observed, plan: &mut Plan) {
    let history = &observed.history;
    for (call, kept) in observed.calls.iter().zip(plan) {
        let users = (0..call.turn).filter(|turn| history.turns()[*turn].role == Role::User);
        users.flat_map(|turn| history.range(turn)).for_each(|at| kept.keep(at));
    }
}
