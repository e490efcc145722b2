//! Pairwise verdicts: two answers in both orders, as full texts and as digests, against the people who voted.

use lrrc_episode::{Agent, Episode, Query, Role};
use lrrc_eval::{
    Kept,
    stats::{Figure, Unit},
};
use regex::Regex;
use serde::Serialize;

use crate::{
    chat::{Ask, ChatOptions, Message, Reply},
    digest::{Budget, Digester, Digests, Groups},
    error::JudgeError,
    figure::{self, ArmUsage, unit},
    sample::sample,
    verdict::{Verdict, parse_verdict},
};

/// What the judge is told.
const TASK: &str = "Two assistants, A and B, answered the same user. Judge whose answers are better: helpful, correct, \
relevant, and as deep as the question asks for. Neither the order in which they stand nor their length may sway you. \
Reply with exactly one JSON object and nothing else: {\"winner\": \"A\"}, {\"winner\": \"B\"} or {\"winner\": \"tie\"}.";
/// What is added where answers are digests.
const DIGEST: &str = " The answers are digests: parts that seemed unneeded are left out of both in the same way. Judge \
the answers behind them.";
/// In place of a name that a text holds.
const MASK: &str = "[model]";

/// Figures of pairwise verdicts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairReport {
    /// Pairs of answers judged.
    pub pairs: usize,
    /// Groups (prompts) that they belong to: the sample size behind every interval.
    pub groups: usize,
    /// On full texts.
    pub full: PairArm,
    /// On digests.
    pub digest: PairArm,
    /// Share that agrees with the people: digests minus full texts, paired.
    pub difference: Option<Figure>,
    /// Share of the verdicts on full texts that the digests give too.
    pub same_as_full: Option<Figure>,
}

/// Figures of one arm. A verdict that flips with the order is a tie; a pair of which an order has no answer agrees
/// with nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairArm {
    /// Share that agrees with the people, ties being a verdict of their own.
    pub agreement: Option<Figure>,
    /// The same where both the people and the judge chose one of the two.
    pub agreement_decided: Option<Figure>,
    /// Share of the pairs answered in both orders where the same *place* won twice.
    pub position_bias: Option<Figure>,
    /// Pairs where the first place won twice.
    pub first_twice: usize,
    /// Pairs where the second place won twice.
    pub second_twice: usize,
    /// Pairs whose verdict is another when the order is turned.
    pub flipped: usize,
    /// Pairs of which an order has no answer.
    pub no_answer: usize,
    /// Replies that ended at the limit of their length.
    pub cut: usize,
    /// Tokens.
    pub usage: ArmUsage,
}

/// One pair with the places of its requests, by arm and order.
struct Judged {
    cluster: usize,
    people: Verdict,
    asks: [[usize; 2]; 2],
}

/// Pairs that are ready to be judged.
pub(crate) struct Pairs {
    pairs: Vec<Judged>,
    groups: usize,
}

/// Verdicts of one pair in one arm, as places: in the recorded order, and turned.
type Places = [Option<Verdict>; 2];

impl Pairs {
    /// A sample of the records of two models with a vote. Requests are appended to `asks`.
    pub(crate) fn prepare(
        episodes: &[Episode],
        digester: &Digester<'_>,
        chat: &ChatOptions,
        (samples, seed): (usize, u64),
        asks: &mut Vec<Ask>,
    ) -> Result<Option<Self>, JudgeError> {
        let episodes: Vec<Episode> = episodes.iter().filter_map(with_query).collect();
        let Digests { observed, plans } = digester.digests(&episodes, Budget::Answers)?;
        let names: Vec<String> = episodes.iter().map(|episode| episode.id.clone()).collect();
        let mut groups = Groups::default();
        let mut pairs = Vec::new();
        for at in sample(&names, samples, seed) {
            let episode = &episodes[at];
            let (Some([a, b]), Some(winner)) = (rivals(episode), episode.outcome.winner) else { continue };
            let kept: &Kept = plans[at].last().expect("an episode for judging ends with a query");
            let full: Vec<String> = episode.turns.iter().map(lrrc_episode::Turn::shown).collect();
            let digest = (0..full.len()).map(|turn| match episode.turns[turn].role {
                Role::Assistant => digester.turn_text(episode, &observed[at], turn, kept),
                _ => full[turn].clone(),
            });
            let digest: Vec<String> = digest.collect();
            let places = [(&full, false), (&digest, true)].map(|(texts, is_digest)| {
                [[a, b], [b, a]].map(|order| {
                    asks.push(Ask::new(&messages(episode, texts, order, is_digest), chat, digester.counter));
                    asks.len() - 1
                })
            });
            let cluster = groups.number(&episode.group);
            pairs.push(Judged { cluster, people: Verdict::of(winner), asks: places });
        }
        Ok((!pairs.is_empty()).then(|| Self { pairs, groups: groups.len() }))
    }

    /// What the replies say.
    pub(crate) fn report(
        &self,
        asks: &[Ask],
        replies: &[Reply],
        seed: u64,
    ) -> Result<PairReport, JudgeError> {
        let [full, digest] = [0, 1].map(|arm| self.places(arm, replies));
        let both = self.pairs.iter().zip(full.iter().zip(&digest)).map(|(pair, (full, digest))| {
            let [full, digest] = [full, digest].map(verdict);
            unit(pair.cluster, full == digest, full.is_some())
        });
        let same_as_full = figure::share(&both.collect::<Vec<_>>(), seed)?;
        Ok(PairReport {
            pairs: self.pairs.len(),
            groups: self.groups,
            full: self.arm(0, &full, asks, replies, seed)?,
            digest: self.arm(1, &digest, asks, replies, seed)?,
            difference: figure::difference(&self.agreement(&digest), &self.agreement(&full), seed)?,
            same_as_full,
        })
    }

    fn places(&self, arm: usize, replies: &[Reply]) -> Vec<Places> {
        let said = |at: usize| replies[at].text.as_deref().and_then(parse_verdict);
        self.pairs.iter().map(|pair| pair.asks[arm].map(said)).collect()
    }

    fn units(&self, places: &[Places], of: impl Fn(&Judged, &Places) -> (bool, bool)) -> Vec<Unit> {
        let unit = |(pair, places): (&Judged, &Places)| {
            let (holds, applies) = of(pair, places);
            unit(pair.cluster, holds, applies)
        };
        self.pairs.iter().zip(places).map(unit).collect()
    }

    fn agreement(&self, places: &[Places]) -> Vec<Unit> {
        self.units(places, |pair, places| (verdict(places) == Some(pair.people), true))
    }

    fn arm(
        &self,
        arm: usize,
        places: &[Places],
        asks: &[Ask],
        replies: &[Reply],
        seed: u64,
    ) -> Result<PairArm, JudgeError> {
        let mut usage = ArmUsage::default();
        let all = || self.pairs.iter().flat_map(move |pair| pair.asks[arm]);
        all().for_each(|at| usage.add(&asks[at], &replies[at]));
        let decided = self.units(places, |pair, places| {
            let judge = verdict(places);
            let is_choice =
                |verdict: Option<Verdict>| matches!(verdict, Some(Verdict::First | Verdict::Second));
            (judge == Some(pair.people), is_choice(judge) && is_choice(Some(pair.people)))
        });
        let biased = self.units(places, |_, places| {
            (twice(places, Verdict::First) || twice(places, Verdict::Second), verdict(places).is_some())
        });
        let count = |holds: &dyn Fn(&Places) -> bool| places.iter().filter(|places| holds(places)).count();
        Ok(PairArm {
            agreement: figure::share(&self.agreement(places), seed)?,
            agreement_decided: figure::share(&decided, seed)?,
            position_bias: figure::share(&biased, seed)?,
            first_twice: count(&|places| twice(places, Verdict::First)),
            second_twice: count(&|places| twice(places, Verdict::Second)),
            flipped: count(&|places| matches!(places, [Some(one), Some(other)] if *one != other.turned())),
            no_answer: count(&|places| verdict(places).is_none()),
            cut: all().filter(|at| replies[*at].cut).count(),
            usage,
        })
    }
}

/// The verdict about the models from both orders.
fn verdict(places: &Places) -> Option<Verdict> {
    let [one, other] = *places;
    Some(Verdict::of_both(one?, other?.turned()))
}

fn twice(places: &Places, place: Verdict) -> bool {
    *places == [Some(place); 2]
}

/// The first two agents behind which a model stands, where both have an answer.
fn rivals(episode: &Episode) -> Option<[usize; 2]> {
    let is_model = |(_, agent): &(usize, &Agent)| agent.model.is_some();
    let mut models = episode.agents.iter().enumerate().filter(is_model).map(|(at, _)| at);
    let rivals = [models.next()?, models.next()?];
    let answers =
        |rival: &usize| episode.turns.iter().any(|turn| turn.agent == *rival && turn.role == Role::Assistant);
    rivals.iter().all(answers).then_some(rivals)
}

/// A record of two models with the judge's question as a query, which sees all turns; `None` for anything else.
fn with_query(episode: &Episode) -> Option<Episode> {
    rivals(episode)?;
    episode.outcome.winner?;
    let questions = episode.turns.iter().filter(|turn| turn.role != Role::Assistant);
    let text = questions.map(|turn| turn.content.as_str()).collect::<Vec<_>>().join("\n");
    let query = Query { text, answer: String::new(), evidence: vec![(0, 0)] };
    Some(Episode { queries: vec![query], ..episode.clone() })
}

/// The prompt of one order: each question once, then the answers of both to it.
fn messages(episode: &Episode, texts: &[String], order: [usize; 2], is_digest: bool) -> Vec<Message> {
    let mut blocks: Vec<String> = Vec::new();
    let mut answers: [Vec<&str>; 2] = Default::default();
    for (turn, text) in episode.turns.iter().zip(texts) {
        match order.iter().position(|agent| turn.role == Role::Assistant && *agent == turn.agent) {
            Some(place) => answers[place].push(text),
            None => {
                blocks.extend(answer_blocks(&mut answers));
                blocks.push(format!("[User]\n{text}"));
            }
        }
    }
    blocks.extend(answer_blocks(&mut answers));
    let prompt = masked(&blocks.join("\n\n"), &episode.agents);
    let digest = if is_digest { DIGEST } else { "" };
    vec![Message::new("system", format!("{TASK}{digest}")), Message::new("user", prompt)]
}

/// The answers since the last question, A first.
fn answer_blocks(answers: &mut [Vec<&str>; 2]) -> Vec<String> {
    if answers.iter().all(Vec::is_empty) {
        return Vec::new();
    }
    let block = |(name, texts): (&str, Vec<&str>)| {
        let text = texts.join("\n\n");
        format!("[Assistant {name}]\n{}", if text.trim().is_empty() { "(nothing)" } else { &text })
    };
    ["A", "B"].into_iter().zip(answers.each_mut().map(std::mem::take)).map(block).collect()
}

/// The text without the names of the models, which an answer may give away.
fn masked(text: &str, agents: &[Agent]) -> String {
    let names = agents.iter().filter_map(|agent| agent.model.as_deref()).filter(|name| !name.is_empty());
    let mut names: Vec<String> = names.map(whole_words).collect();
    if names.is_empty() {
        return text.to_owned();
    }
    // The longest first, so that a name within a name leaves nothing over.
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    let pattern = Regex::new(&format!("(?i){}", names.join("|"))).expect("escaped names are a pattern");
    pattern.replace_all(text, MASK).into_owned()
}

/// A pattern of this name that does not match within a longer word.
fn whole_words(name: &str) -> String {
    let border = |end: Option<char>| if end.is_some_and(char::is_alphanumeric) { r"\b" } else { "" };
    let ends = [name.chars().next(), name.chars().next_back()].map(border);
    format!("{}{}{}", ends[0], regex::escape(name), ends[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_models_are_masked_the_longest_first() {
        let agents =
            ["gpt-4", "gpt-4-turbo", ""].map(|name| Agent { name: String::new(), model: Some(name.into()) });
        assert_eq!(masked("I am GPT-4-Turbo, not gpt-4.", &agents), "I am [model], not [model].");
        assert_eq!(masked("I am new.", &agents[2..]), "I am new.");
        let short = [Agent { name: String::new(), model: Some("o1".to_owned()) }];
        assert_eq!(masked("O1 is no go1d.", &short), "[model] is no go1d.");
    }

    #[test]
    fn both_orders_make_one_verdict() {
        use Verdict::{First, Second, Tie};
        for (places, both) in [
            ([Some(First), Some(Second)], Some(First)),
            ([Some(Second), Some(First)], Some(Second)),
            ([Some(First), Some(First)], Some(Tie)),
            ([Some(Tie), Some(First)], Some(Tie)),
            ([None, Some(First)], None),
        ] {
            assert_eq!(verdict(&places), both);
        }
        assert!(twice(&[Some(Second); 2], Second) && !twice(&[Some(Second), None], Second));
    }
}
