//! A recorded episode as the sequence of decisions that a coordinator would have taken in it.

use super::{
    AGENT_ROWS, CALL_FEATURES, CallObservation, CallTracker, Candidate, Context, Decision,
    EpisodeObservation, ITEM_BUCKETS, Mode, Rivals, TurnObservation, candidates,
    features::item_weight,
    rival, segment_observation,
    worth::{Worth, worths},
};
use crate::{
    episode::{Episode, Query, Role, Turn, Winner},
    history::{History, ItemId},
    reuse::{self, Needs, Said},
    token::TokenCounter,
};

/// Newest turns that every call sees verbatim; they count as kept.
pub const TAIL_TURNS: usize = 2;

/// What a need of a later call counts when a call is re-ranked, relative to its own: what is asked for soon is
/// a better teacher than the few items of one output alone.
const LATER: f32 = 0.5;

/// Which decisions to observe.
#[derive(Debug, Clone)]
pub struct ObserveOptions {
    /// Modes to observe decisions for.
    pub modes: Vec<Mode>,
}

impl Default for ObserveOptions {
    fn default() -> Self {
        Self { modes: Mode::ALL.to_vec() }
    }
}

/// One moment at which an agent of the recorded episode was called.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Turns before the call; for a recorded turn also its index.
    pub turn: usize,
    /// First turn of the verbatim tail; equal to `turn` where the newest message is a query outside the turns.
    pub tail_from: usize,
    /// The query, where the call answers one.
    pub query: Option<usize>,
    /// What the recorded output took from the history.
    pub needs: Needs,
    /// Flat segments that hold gold evidence; empty where the source has none.
    pub evidence: Vec<usize>,
    /// Tokens of the recorded output.
    pub output_tokens: u32,
    /// Index into the decisions of this call's re-ranking, once and (for the newest turns) ingest decisions.
    pub decisions: Vec<usize>,
}

/// A recorded episode, cut, indexed and turned into decisions with their labels.
#[derive(Debug, Clone)]
pub struct Observed {
    /// All turns. Item statistics cover the whole episode: never compute features from it, they were taken as the
    /// history grew.
    pub history: History,
    /// What the model sees.
    pub observation: EpisodeObservation,
    /// The recorded calls in order.
    pub calls: Vec<Call>,
    /// What each recorded call was worth, in the order of `calls`; shorter where calls answer queries.
    pub worths: Vec<Worth>,
    /// The text of the newest message at each call.
    pub newest: Vec<String>,
}

/// Replays an episode once from its first turn, taking down every decision with the features of its moment.
#[must_use]
pub fn observe_episode(episode: &Episode, counter: &TokenCounter, options: &ObserveOptions) -> Observed {
    let mut replay = Replay {
        episode,
        counter,
        options,
        agents: episode.agents.iter().map(|agent| agent.name.clone()).collect(),
        history: History::new(),
        said: Said::default(),
        observation: EpisodeObservation { id: episode.id.clone(), ..EpisodeObservation::default() },
        calls: Vec::new(),
        newest: Vec::new(),
        tracker: CallTracker::new(),
        foreseen: Vec::new(),
        decided: 0,
    };
    for (at, turn) in episode.turns.iter().enumerate() {
        if turn.role == Role::Assistant {
            replay.call(at, None);
        }
        replay.hear(at, turn);
    }
    for (at, query) in episode.queries.iter().enumerate().filter(|(_, query)| !query.evidence.is_empty()) {
        replay.call(episode.turns.len(), Some((at, query)));
    }
    replay.finish()
}

struct Replay<'a> {
    episode: &'a Episode,
    counter: &'a TokenCounter,
    options: &'a ObserveOptions,
    agents: Vec<String>,
    history: History,
    said: Said,
    observation: EpisodeObservation,
    calls: Vec<Call>,
    newest: Vec<String>,
    tracker: CallTracker,
    /// Features of each recorded call before it was made.
    foreseen: Vec<[f32; CALL_FEATURES]>,
    /// Turns below this one have had their `once` decision.
    decided: usize,
}

impl Replay<'_> {
    /// A turn is said: the history grows, and its ingest decision is taken.
    fn hear(&mut self, at: usize, turn: &Turn) {
        let from = self.observation.segments.len();
        self.history.push(turn, self.counter);
        self.tracker.hear(turn, &self.history);
        let range = self.history.range(at);
        for segment in range.clone() {
            let text = &self.history.segment(segment).text;
            self.observation.segments.push(segment_observation(text, self.counter));
        }
        debug_assert_eq!(from, range.start, "flat segments of history and observation agree");
        self.observation.turns.push(TurnObservation {
            role: turn.role.index(),
            agent: turn.agent % AGENT_ROWS,
            segments: range.clone(),
        });
        if turn.role == Role::System {
            return self.said.system.extend(&turn.content);
        }
        self.said.history.extend(&turn.shown());
        if self.options.modes.contains(&Mode::Ingest) && !range.is_empty() {
            let question = self.episode.turns[..at].last().map(Turn::shown).unwrap_or_default();
            let asked = at.checked_sub(1).map_or(0..0, |before| self.history.range(before));
            let own: Vec<usize> = range.collect();
            self.decide(Mode::Ingest, at + 1, at.saturating_sub(1), &question, asked.collect(), &own);
        }
    }

    /// An agent is called, by the newest turn or by a query.
    fn call(&mut self, at: usize, query: Option<(usize, &Query)>) {
        let first = self.history.turns().iter().position(|turn| turn.role != Role::System).unwrap_or(at);
        let tail_from = if query.is_some() { at } else { at.saturating_sub(TAIL_TURNS).max(first) };
        let last = query.map_or_else(
            || self.episode.turns[..at].last().map(Turn::shown).unwrap_or_default(),
            |(_, query)| query.text.clone(),
        );
        self.said.last = self.history.known_items(&last);
        let needs = match query {
            Some((_, query)) => reuse::text_needs(&self.history, &self.said, &query.answer),
            None => reuse::needs(&self.history, &self.said, &self.episode.turns[at]),
        };
        let output_tokens = match query {
            Some((_, query)) => self.counter.count(&query.answer),
            None => self.counter.count_turn(&self.episode.turns[at]),
        };
        self.foreseen.push(self.tracker.features(&self.history));
        let evidence = query.map(|(_, query)| self.evidence(query)).unwrap_or_default();
        let asked = self.question_segments(at, query.map(|_| last.as_str()));
        let decisions = self.decide_old(at, tail_from, query.is_some(), &last, &asked);
        self.newest.push(last);
        self.calls.push(Call {
            turn: at,
            tail_from,
            query: query.map(|(at, _)| at),
            needs,
            evidence,
            output_tokens,
            decisions,
        });
    }

    /// Decides what leaves the tail and re-ranks all that has left it; returns the decisions taken.
    fn decide_old(
        &mut self,
        at: usize,
        tail_from: usize,
        is_query: bool,
        last: &str,
        asked: &[usize],
    ) -> Vec<usize> {
        let first = self.observation.decisions.len();
        let old: Vec<usize> = (0..tail_from).flat_map(|turn| self.history.range(turn)).collect();
        let leaving: Vec<usize> =
            (self.decided..tail_from).flat_map(|turn| self.history.range(turn)).collect();
        self.decided = self.decided.max(tail_from);
        for (mode, segments) in [(Mode::Once, leaving), (Mode::Rerank, old)] {
            // A query opens a session of its own: deciding once and deciding anew are the same there.
            let repeated = is_query && mode == Mode::Once;
            if self.options.modes.contains(&mode) && !segments.is_empty() && !repeated {
                self.decide(mode, at, at.saturating_sub(1), last, asked.to_vec(), &segments);
            }
        }
        (first..self.observation.decisions.len()).collect()
    }

    /// Segments of the question: those of the newest turn, or new ones for a query outside the turns.
    fn question_segments(&mut self, at: usize, query: Option<&str>) -> Vec<usize> {
        match query {
            Some(text) => {
                self.observation.segments.push(segment_observation(text, self.counter));
                vec![self.observation.segments.len() - 1]
            }
            None => at.checked_sub(1).map_or_else(Vec::new, |newest| self.history.range(newest).collect()),
        }
    }

    fn evidence(&self, query: &Query) -> Vec<usize> {
        let turns = query.evidence.iter().flat_map(|(first, last)| *first as usize..=*last as usize);
        let mut turns: Vec<usize> = turns.filter(|turn| *turn < self.history.turns().len()).collect();
        turns.sort_unstable();
        turns.dedup();
        turns.into_iter().flat_map(|turn| self.history.range(turn)).collect()
    }

    fn decide(
        &mut self,
        mode: Mode,
        turns_seen: usize,
        now: usize,
        last: &str,
        query: Vec<usize>,
        segments: &[usize],
    ) {
        let reader = self.reader(turns_seen);
        let context = Context { history: &self.history, last, now, reader, agents: &self.agents };
        let candidates = candidates(&context, segments);
        let agent = reader % AGENT_ROWS;
        let essential = Vec::new();
        self.observation.decisions.push(Decision { mode, turns_seen, agent, query, candidates, essential });
    }

    /// The agent that speaks next, as far as the record knows.
    fn reader(&self, turns_seen: usize) -> usize {
        let assistants = self.episode.turns[turns_seen.min(self.episode.turns.len())..].iter();
        let next = assistants.clone().find(|turn| turn.role == Role::Assistant);
        next.map_or(self.episode.agents.len(), |turn| turn.agent)
    }

    fn finish(mut self) -> Observed {
        self.label();
        let worths = worths(self.episode, &self.history, &self.calls);
        self.observation.calls = self.gate_calls(&worths);
        let assistants: Vec<usize> = self
            .episode
            .agents
            .iter()
            .enumerate()
            .filter(|(_, agent)| agent.model.is_some())
            .map(|(at, _)| at)
            .collect();
        if let (Some(winner), [a, b, ..]) = (self.episode.outcome.winner, assistants.as_slice()) {
            self.observation.rivals = Some(Rivals {
                agents: [a % AGENT_ROWS, b % AGENT_ROWS],
                features: rival::of_episode(self.episode, [*a, *b]),
            });
            self.observation.winner = Some(match winner {
                Winner::ModelA => 1.0,
                Winner::ModelB => 0.0,
                Winner::Tie => 0.5,
            });
        }
        Observed {
            history: self.history,
            observation: self.observation,
            calls: self.calls,
            worths,
            newest: self.newest,
        }
    }

    /// The recorded calls as the gate sees them. A call that must not be missed weighs more, the more is used of it.
    fn gate_calls(&self, worths: &[Worth]) -> Vec<CallObservation> {
        let of = |(at, worth): (usize, &Worth)| CallObservation {
            turns_seen: worth.turns.start,
            agent: self.episode.turns[worth.turns.start].agent % AGENT_ROWS,
            query: worth
                .turns
                .start
                .checked_sub(1)
                .map_or_else(Vec::new, |at| self.history.range(at).collect()),
            features: self.foreseen[at],
            label: f32::from(u8::from(worth.is_useful())),
            weight: 1.0 + worth.used_weight().ln_1p(),
        };
        worths.iter().enumerate().map(of).collect()
    }

    /// Fills labels: the frozen modes are asked for what any call from here on needs, `rerank` for what this call
    /// needs and, at [`LATER`], for the rest.
    fn label(&mut self) {
        let items = self.history.items().len();
        let mut later = vec![0.0f32; items];
        let mut call = self.calls.len();
        let recorded = self.calls.iter().position(|call| call.query.is_some()).unwrap_or(self.calls.len());
        let mut any_evidence: Vec<usize> =
            self.calls.iter().flat_map(|call| call.evidence.iter().copied()).collect();
        any_evidence.sort_unstable();
        any_evidence.dedup();
        for at in (0..self.observation.decisions.len()).rev() {
            let of_call = self.calls.iter().position(|call| call.decisions.contains(&at));
            let seen = self.observation.decisions[at].turns_seen;
            if let Some(queried) = of_call.filter(|queried| *queried >= recorded) {
                let evidence = self.calls[queried].evidence.clone();
                self.label_with_evidence(at, &evidence);
                continue;
            }
            if recorded == 0 && !self.calls.is_empty() {
                self.label_with_evidence(at, &any_evidence);
                continue;
            }
            while call > 0 && (call > recorded || self.calls[call - 1].turn >= seen) {
                call -= 1;
                if call < recorded {
                    self.calls[call].needs.raise(&mut later);
                }
            }
            let mut wanted = later.clone();
            if let (Mode::Rerank, Some(own)) = (self.observation.decisions[at].mode, of_call) {
                wanted.iter_mut().for_each(|want| *want *= LATER);
                self.calls[own].needs.raise(&mut wanted);
            }
            self.label_with_items(at, &wanted);
        }
    }

    fn label_with_items(&mut self, decision: usize, wanted: &[f32]) {
        let history = &self.history;
        let decision = &mut self.observation.decisions[decision];
        let mut essential = Vec::new();
        for candidate in &mut decision.candidates {
            let weight = |id: &ItemId| item_weight(history.items()[*id as usize].kind);
            let ids = history.items_of(candidate.segment);
            let all: f32 = ids.iter().map(weight).sum();
            let held: f32 = ids.iter().map(|id| weight(id) * wanted[*id as usize]).sum();
            candidate.label = if all > 0.0 { held / all } else { 0.0 };
            candidate.weight = if all > 0.0 { all.sqrt() } else { 0.1 };
            essential
                .extend(ids.iter().filter(|id| wanted[**id as usize] > 0.0).map(|id| bucket(history, *id)));
        }
        essential.sort_unstable();
        essential.dedup();
        decision.essential = essential;
    }

    fn label_with_evidence(&mut self, decision: usize, evidence: &[usize]) {
        let history = &self.history;
        let decision = &mut self.observation.decisions[decision];
        let mut essential = Vec::new();
        for candidate in &mut decision.candidates {
            let gold = evidence.binary_search(&candidate.segment).is_ok();
            candidate.label = f32::from(u8::from(gold));
            candidate.weight = (history.segment(candidate.segment).cost as f32).sqrt() / 4.0;
            if gold {
                essential.extend(history.items_of(candidate.segment).iter().map(|id| bucket(history, *id)));
            }
        }
        essential.sort_unstable();
        essential.dedup();
        decision.essential = essential;
    }
}

fn bucket(history: &History, id: ItemId) -> u16 {
    let hash = blake3::hash(history.items()[id as usize].text.as_bytes());
    let bytes = hash.as_bytes();
    u16::from_le_bytes([bytes[0], bytes[1]]) % ITEM_BUCKETS as u16
}

impl Observed {
    /// Candidates of a decision as flat segments.
    pub fn candidates(&self, decision: usize) -> impl Iterator<Item = &Candidate> {
        self.observation.decisions[decision].candidates.iter()
    }
}
