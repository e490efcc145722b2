//! Replayed decisions: a recorded tool call, asked for under the full and under the compressed context.

use std::collections::{BTreeMap, BTreeSet};

use lrrc_episode::{
    Episode, Role,
    observe::{Call, Observed},
};
use lrrc_eval::{
    Kept,
    stats::{Figure, Unit},
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    action::{Action, parse_action},
    chat::{Ask, ChatOptions, Message, Reply, merged},
    digest::{Budget, Digester, Digests, Groups},
    error::JudgeError,
    figure::{self, ArmUsage, unit},
    sample::sample,
};

/// What the model is told after the system text of the episode; the tools follow, one a line.
const TASK: &str = "You are the assistant of this conversation and decide on its next action. Reply with exactly one \
JSON object and nothing else:\n{\"tool\": NAME, \"arguments\": {ARGUMENT: VALUE, ...}} to call a tool, or\n{\"say\": \
TEXT} to say something. Past calls are shown as NAME(ARGUMENTS), their results as [result of NAME].\n\
The tools, with their arguments:";
/// What the last message ends with.
const QUESTION: &str = "(What is your next action? Reply with one JSON object: {\"tool\": NAME, \"arguments\": {...}} \
or {\"say\": TEXT}.)";
/// What a compressed context is introduced with.
const DIGEST: &str = "Older messages are digests: parts that seemed unneeded are left out, and lists of records may \
stand in a short notation.";

/// Figures of replayed decisions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DecisionReport {
    /// Recorded tool calls asked for.
    pub calls: usize,
    /// Groups (tasks) that they belong to: the sample size behind every interval.
    pub groups: usize,
    /// Under the full context.
    pub full: DecisionArm,
    /// Under the compressed context.
    pub digest: DecisionArm,
    /// Share that repeats the recorded action: compressed minus full, paired.
    pub difference: Option<Figure>,
    /// Share of the actions under the full context that the compressed context gives too. Replies in words count as
    /// the same action.
    pub same_as_full: Option<Figure>,
}

/// Figures of one arm. A reply without an action agrees with nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DecisionArm {
    /// Share that calls the recorded tool with the recorded argument values.
    pub same_action: Option<Figure>,
    /// Share that calls the recorded tool.
    pub same_tool: Option<Figure>,
    /// Replies in words in place of a call.
    pub said: usize,
    /// Replies without an action.
    pub no_answer: usize,
    /// Replies that ended at the limit of their length.
    pub cut: usize,
    /// Tokens.
    pub usage: ArmUsage,
}

/// One recorded call with the places of its two requests.
struct Replayed {
    cluster: usize,
    recorded: Action,
    asks: [usize; 2],
}

/// Decisions that are ready to be asked for.
pub(crate) struct Decisions {
    calls: Vec<Replayed>,
    groups: usize,
}

impl Decisions {
    /// A sample of the recorded tool calls that have turns before the verbatim tail; of several calls in one turn the
    /// first counts. Requests are appended to `asks`.
    pub(crate) fn prepare(
        episodes: &[Episode],
        digester: &Digester<'_>,
        chat: &ChatOptions,
        (samples, seed): (usize, u64),
        asks: &mut Vec<Ask>,
    ) -> Result<Option<Self>, JudgeError> {
        let has_call = |episode: &&Episode| episode.turns.iter().any(|turn| !turn.tool_calls.is_empty());
        let episodes: Vec<Episode> =
            episodes.iter().filter(|e| e.outcome.winner.is_none()).filter(has_call).cloned().collect();
        let tools = tools(&episodes);
        let Digests { observed, plans } = digester.digests(&episodes, Budget::Histories)?;
        let mut all: Vec<(usize, usize)> = Vec::new();
        for (at, (episode, observed)) in episodes.iter().zip(&observed).enumerate() {
            let calls = observed.calls.iter().enumerate();
            let playable = calls.filter(|(_, call)| is_playable(episode, observed, call));
            all.extend(playable.map(|(call, _)| (at, call)));
        }
        let names: Vec<String> =
            all.iter().map(|(at, call)| format!("{} {}", episodes[*at].id, call)).collect();
        let mut groups = Groups::default();
        let mut calls = Vec::new();
        for (at, call) in sample(&names, samples, seed).into_iter().map(|place| all[place]) {
            let (episode, observed, kept) = (&episodes[at], &observed[at], &plans[at][call]);
            let call = &observed.calls[call];
            let scene = Scene { episode, observed, call, digester, tools: &tools };
            let first = asks.len();
            asks.push(Ask::new(&scene.messages(None), chat, digester.counter));
            asks.push(Ask::new(&scene.messages(Some(kept)), chat, digester.counter));
            let recorded = Action::of(&episode.turns[call.turn].tool_calls[0]);
            let cluster = groups.number(&episode.group);
            calls.push(Replayed { cluster, recorded, asks: [first, first + 1] });
        }
        Ok((!calls.is_empty()).then(|| Self { calls, groups: groups.len() }))
    }

    /// What the replies say.
    pub(crate) fn report(
        &self,
        asks: &[Ask],
        replies: &[Reply],
        seed: u64,
    ) -> Result<DecisionReport, JudgeError> {
        let actions = |arm: usize| -> Vec<Option<Action>> {
            let texts = self.calls.iter().map(|call| replies[call.asks[arm]].text.as_deref());
            texts.map(|text| text.and_then(parse_action)).collect()
        };
        let [full, digest] = [actions(0), actions(1)];
        let both = self.calls.iter().zip(full.iter().zip(&digest)).map(|(call, (full, digest))| {
            let same = full.as_ref().zip(digest.as_ref()).is_some_and(|(full, digest)| full.same(digest));
            unit(call.cluster, same, full.is_some())
        });
        let same_as_full = figure::share(&both.collect::<Vec<_>>(), seed)?;
        let (exact_full, exact_digest) = (self.units(&full, Action::same), self.units(&digest, Action::same));
        Ok(DecisionReport {
            calls: self.calls.len(),
            groups: self.groups,
            full: self.arm(0, &full, asks, replies, seed)?,
            digest: self.arm(1, &digest, asks, replies, seed)?,
            difference: figure::difference(&exact_digest, &exact_full, seed)?,
            same_as_full,
        })
    }

    /// Whether each action agrees with the recorded one.
    fn units(&self, actions: &[Option<Action>], agree: impl Fn(&Action, &Action) -> bool) -> Vec<Unit> {
        let pairs = self.calls.iter().zip(actions);
        let holds = |(call, action): (&Replayed, &Option<Action>)| {
            let agrees = action.as_ref().is_some_and(|action| agree(action, &call.recorded));
            unit(call.cluster, agrees, true)
        };
        pairs.map(holds).collect()
    }

    fn arm(
        &self,
        arm: usize,
        actions: &[Option<Action>],
        asks: &[Ask],
        replies: &[Reply],
        seed: u64,
    ) -> Result<DecisionArm, JudgeError> {
        let mut usage = ArmUsage::default();
        let places = self.calls.iter().map(|call| call.asks[arm]);
        places.clone().for_each(|at| usage.add(&asks[at], &replies[at]));
        Ok(DecisionArm {
            same_action: figure::share(&self.units(actions, Action::same), seed)?,
            same_tool: figure::share(&self.units(actions, Action::same_tool), seed)?,
            said: actions.iter().filter(|action| matches!(action, Some(Action::Say))).count(),
            no_answer: actions.iter().filter(|action| action.is_none()).count(),
            cut: places.filter(|at| replies[*at].cut).count(),
            usage,
        })
    }
}

fn is_playable(episode: &Episode, observed: &Observed, call: &Call) -> bool {
    let is_old = |turn: usize| !observed.history.range(turn).is_empty();
    call.query.is_none() && !episode.turns[call.turn].tool_calls.is_empty() && (0..call.tail_from).any(is_old)
}

/// `name(argument, …)` of every tool that a recorded call names, since the schemas are not in the data.
fn tools(episodes: &[Episode]) -> String {
    let mut tools: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for call in episodes.iter().flat_map(|episode| &episode.turns).flat_map(|turn| &turn.tool_calls) {
        let arguments: Map<String, Value> = serde_json::from_str(&call.arguments).unwrap_or_default();
        tools.entry(&call.name).or_default().extend(arguments.into_iter().map(|(key, _)| key));
    }
    let line = |(name, arguments): (&str, BTreeSet<String>)| {
        format!("\n- {name}({})", arguments.into_iter().collect::<Vec<_>>().join(", "))
    };
    tools.into_iter().map(line).collect()
}

/// One call with everything that its prompts are made of.
struct Scene<'a> {
    episode: &'a Episode,
    observed: &'a Observed,
    call: &'a Call,
    digester: &'a Digester<'a>,
    tools: &'a str,
}

impl Scene<'_> {
    /// The messages of the call: in full, or with what is kept. A digest that changes nothing gives the same request.
    fn messages(&self, kept: Option<&Kept>) -> Vec<Message> {
        let turns = &self.episode.turns[..self.call.turn];
        let source: Vec<String> = turns.iter().map(lrrc_episode::Turn::shown).collect();
        let texts: Vec<String> = match kept {
            Some(kept) => (0..turns.len())
                .map(|turn| self.digester.turn_text(self.episode, self.observed, turn, kept))
                .collect(),
            None => source.clone(),
        };
        let instructions = turns.iter().take_while(|turn| turn.role == Role::System).count();
        let spoken = (instructions..turns.len()).map(|turn| self.message(turn, &texts[turn]));
        let mut system: Vec<Message> =
            texts[..instructions].iter().map(|text| Message::new("system", text)).collect();
        system.push(Message::new("system", format!("{TASK}{}", self.tools)));
        if texts != source {
            system.push(Message::new("system", DIGEST));
        }
        merged(system.into_iter().chain(spoken).chain([Message::new("user", QUESTION)]))
    }

    /// A turn as the agent that is called sees it: its own words as the assistant's, all others as the user's.
    fn message(&self, at: usize, text: &str) -> Message {
        let turn = &self.episode.turns[at];
        let named = |name: &str| {
            if text.is_empty() { String::new() } else { format!("[{name}]\n{text}") }
        };
        let agent = &self.episode.agents[turn.agent].name;
        match turn.role {
            Role::System => Message::new("system", text),
            Role::User => Message::new("user", text),
            Role::Assistant if turn.agent == self.episode.turns[self.call.turn].agent => {
                Message::new("assistant", text)
            }
            Role::Assistant | Role::Speaker => Message::new("user", named(agent)),
            Role::Tool => {
                let tool = turn.tool_name.as_ref().unwrap_or(agent);
                Message::new("user", named(&format!("result of {tool}")))
            }
        }
    }
}
