//! A game: all its requests beforehand, and what the replies to them mean.

use lrrc_episode::{Episode, TokenCounter};
use lrrc_eval::Method;
use lrrc_model::Policy;

use crate::{
    chat::{Ask, ChatOptions},
    decision::Decisions,
    digest::Digester,
    error::JudgeError,
    pair::Pairs,
    play::Played,
    report::JudgeReport,
};

/// What to play.
pub struct Setup<'a> {
    /// Name of the data set, for the report.
    pub dataset: &'a str,
    /// The episodes, held out from training.
    pub episodes: &'a [Episode],
    /// Counts tokens.
    pub counter: &'a TokenCounter,
    /// The trained coordinator.
    pub policy: &'a Policy,
    /// The no-state control, which [`Method::NoState`] needs.
    pub control: Option<&'a Policy>,
    /// The compressor.
    pub method: Method,
    /// Share that it keeps, between 0 and 1.
    pub keep: f64,
    /// Most recorded calls, and most pairs, that are played.
    pub samples: usize,
    /// Seed of the sample.
    pub seed: u64,
    /// Model and limits of the endpoint.
    pub chat: ChatOptions,
}

/// A game with every request written.
pub struct Game {
    asks: Vec<Ask>,
    decisions: Option<Decisions>,
    pairs: Option<Pairs>,
    /// The report before anything was answered.
    blank: JudgeReport,
}

impl Game {
    /// Draws the sample and writes its requests: decisions where episodes have tool calls, pairs where they have two
    /// models and a vote.
    ///
    /// # Errors
    /// A share out of range, nothing to judge, or digests that cannot be made.
    pub fn prepare(setup: &Setup<'_>) -> Result<Self, JudgeError> {
        let Setup { counter, policy, control, method, keep, .. } = *setup;
        if !(0.0 < keep && keep < 1.0) {
            return Err(JudgeError::Keep(keep));
        }
        let digester = Digester { counter, policy, control, method, keep };
        let draw = (setup.samples, setup.seed);
        let mut asks = Vec::new();
        let decisions = Decisions::prepare(setup.episodes, &digester, &setup.chat, draw, &mut asks)?;
        let pairs = Pairs::prepare(setup.episodes, &digester, &setup.chat, draw, &mut asks)?;
        if decisions.is_none() && pairs.is_none() {
            let dataset = setup.dataset.to_owned();
            return Err(JudgeError::NothingToJudge { dataset, episodes: setup.episodes.len() });
        }
        let blank = JudgeReport::blank(setup.dataset, &setup.chat.model, method.name(), keep);
        Ok(Self { asks, decisions, pairs, blank })
    }

    /// The requests; equal ones may stand more than once.
    #[must_use]
    pub fn asks(&self) -> &[Ask] {
        &self.asks
    }

    /// What the replies say; `seed` is that of the resampling behind the intervals.
    ///
    /// # Errors
    /// An interval that cannot be computed.
    ///
    /// # Panics
    /// If the replies are not those to [`Game::asks`].
    pub fn report(&self, played: &Played, seed: u64) -> Result<JudgeReport, JudgeError> {
        assert_eq!(played.replies.len(), self.asks.len(), "one reply a request");
        let (asks, replies) = (&self.asks, &played.replies);
        let decisions = self.decisions.as_ref().map(|game| game.report(asks, replies, seed)).transpose()?;
        let pairs = self.pairs.as_ref().map(|game| game.report(asks, replies, seed)).transpose()?;
        Ok(JudgeReport {
            decisions,
            pairs,
            sent: played.sent,
            from_cache: played.from_cache,
            usage: played.usage,
            usd: played.usd,
            ..self.blank.clone()
        })
    }
}
