//! Two answering models side by side: what the text of each says of how people will judge it.
//!
//! A rival's numbers are the form of its last answer, the form of the answer before, what it shares with its rival,
//! and what was asked. Names of models are no part of them, and [`anonymous`] takes the names that the texts
//! mention away. What is left is text; it still tells the writing habits of a model, as it does to a human judge.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::form::{FORM, Vocabulary, flag, form, log_count, pattern, share};
use crate::episode::{Episode, Role, Turn};

/// Numbers that compare a rival with the other one.
const SHARED: usize = 4;
/// Numbers that say what was asked.
const ASKED: usize = 7;
/// Numbers of one rival: the forms of its last and its earlier answer, what it shares with the other rival, and what
/// was asked.
pub const RIVAL_FEATURES: usize = 2 * FORM + SHARED + ASKED;

/// What stands in the place of a model's name.
const NAMELESS: &str = "the model";

/// Two models that answer the same questions.
#[derive(Debug, Clone, PartialEq)]
pub struct Rivals {
    /// Agent rows of model_a and model_b.
    pub agents: [usize; 2],
    /// Numbers of each, roughly within [−3, 3].
    pub features: [[f32; RIVAL_FEATURES]; 2],
}

/// Numbers of two rivals from the questions put to both and the answers of each, in order. Exchanging the rivals
/// exchanges the rows.
#[must_use]
pub fn rival_features(questions: &[&str], answers: [&[&str]; 2]) -> [[f32; RIVAL_FEATURES]; 2] {
    let asked: Vec<Vocabulary> = questions.iter().map(|text| Vocabulary::of(text)).collect();
    let said = answers.map(|own| own.iter().map(|text| Vocabulary::of(text)).collect::<Vec<_>>());
    let context = context(questions, &asked);
    [0, 1].map(|rival| {
        let (texts, own) = (answers[rival], &said[rival]);
        let mut numbers = Vec::with_capacity(RIVAL_FEATURES);
        for back in [1, 2] {
            numbers.extend(answer_form(texts, own, &asked, back));
        }
        numbers.extend(shared(own.last(), said[1 - rival].last()));
        numbers.extend(context);
        std::array::from_fn(|at| numbers[at])
    })
}

/// The form of the answer `back` from the end; zeros where there is none.
fn answer_form(texts: &[&str], own: &[Vocabulary], asked: &[Vocabulary], back: usize) -> [f32; FORM] {
    let (Some(at), Some(question)) = (texts.len().checked_sub(back), asked.len().checked_sub(back)) else {
        return [0.0; FORM];
    };
    let earlier: BTreeSet<String> =
        own[..at].iter().flat_map(|answer| answer.stems.iter().cloned()).collect();
    form(texts[at], &own[at], &asked[question], &earlier)
}

/// Shares of a rival's numbers and content words that the other one has too, whether both end on the same number, and
/// how much longer it is.
fn shared(own: Option<&Vocabulary>, other: Option<&Vocabulary>) -> [f32; SHARED] {
    let (Some(own), Some(other)) = (own, other) else { return [0.0; SHARED] };
    let (mine, theirs) = (distinct(&own.numbers), distinct(&other.numbers));
    let words = own.stems.iter().filter(|stem| other.stems.contains(*stem)).count();
    let longer = log_count(own.words.len()) - log_count(other.words.len());
    [
        share(mine.intersection(&theirs).count(), mine.len()) / 0.4,
        share(words, own.stems.len()) / 0.25,
        flag(own.numbers.last().is_some_and(|last| other.numbers.last() == Some(last))) / 0.3,
        (longer / 1.4).tanh(),
    ]
}

fn distinct(numbers: &[String]) -> BTreeSet<&String> {
    numbers.iter().collect()
}

/// What was asked last: the same for both rivals.
fn context(questions: &[&str], asked: &[Vocabulary]) -> [f32; ASKED] {
    static CODE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)```|code|program|function"));
    static WRITE: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"(?i)\b(?:rewrite|write|compose|describe|draft)\b"));
    static SOLVE: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"(?i)\b(?:calculate|solve|how many|probability|equation|find)\b"));
    let (Some(question), Some(own)) = (questions.last(), asked.last()) else { return [0.0; ASKED] };
    [
        log_count(question.chars().count()) / 6.0,
        log_count(own.numbers.len()) / 2.0,
        flag(question.contains('?')),
        flag(questions.len() > 1),
        flag(CODE.is_match(question)),
        flag(WRITE.is_match(question)),
        flag(SOLVE.is_match(question)),
    ]
}

/// Numbers of the two rivals of an episode, each an index into its agents.
pub(super) fn of_episode(episode: &Episode, rivals: [usize; 2]) -> [[f32; RIVAL_FEATURES]; 2] {
    let texts = |of: &dyn Fn(&Turn) -> bool| -> Vec<&str> {
        episode.turns.iter().filter(|turn| of(turn)).map(|turn| turn.content.as_str()).collect()
    };
    let questions = texts(&|turn| turn.role == Role::User);
    let answers = rivals.map(|rival| texts(&|turn| turn.agent == rival));
    rival_features(&questions, [&answers[0], &answers[1]])
}

/// The episode with the names of models in its texts replaced; only a two-model episode with a verdict is changed.
#[must_use]
pub fn anonymous(episode: &Episode) -> Cow<'_, Episode> {
    if episode.outcome.winner.is_none() {
        return Cow::Borrowed(episode);
    }
    let own: Vec<String> =
        episode.agents.iter().filter_map(|agent| agent.model.as_deref()).map(regex::escape).collect();
    let names = pattern(&format!(r"(?i)\b(?:{}|{FAMILIES})\b", own.join("|")));
    let mut episode = episode.clone();
    for turn in &mut episode.turns {
        if let Cow::Owned(text) = names.replace_all(&turn.content, NAMELESS) {
            turn.content = text;
            turn.tokens = None;
        }
    }
    Cow::Owned(episode)
}

/// Names of model families and of their makers, with what is written onto them (`gpt-3.5-turbo`, `llama2`).
const FAMILIES: &str = r"(?:chat-?gpt|gpt|claude|vicuna|alpaca|llama|koala|dolly|chatglm|stablelm|pythia|bloom-\d|opt-\d|cerebras|palm-?2|openassistant|oasst|anthropic|openai)(?:[-.]?\w+(?:[-.]\w+)*)?";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::episode::{Agent, Outcome, Winner};

    #[test]
    fn exchanging_the_rivals_exchanges_their_numbers() {
        let questions = ["How many legs have 3 spiders?", "And 4?"];
        let a = ["24 legs.\n\nEach has 8.", "32, since\n1. 4 * 8\n2. = 32"];
        let b = ["I'm sorry, I cannot count!", "As an AI I have no legs?"];
        let [first, second] = rival_features(&questions, [&a, &b]);
        assert_eq!(rival_features(&questions, [&b, &a]), [second, first]);
        assert_ne!(first, second);
    }

    #[test]
    fn what_is_said_is_counted() {
        let form_of = |text: &str, name: &str| {
            let at = super::super::FORM_NAMES.iter().position(|known| *known == name).unwrap();
            rival_features(&["Write code for the red fox"], [&[text], &["no"]])[0][at] > 0.0
        };
        let cases = [
            ("numbered_items", "1. one\n2. two", "one, two"),
            ("bullets", "- one", "one - two"),
            ("code_fence", "```\nx\n```", "x"),
            ("question_words_answered", "A red animal", "A blue animal"),
            ("ends_complete", "Done.", "Not do"),
            ("apology", "I am sorry", "I am glad"),
            ("refusal", "I cannot say", "I can say"),
            ("opens_with_courtesy", "Sure, it is", "It is sure"),
            ("backslashes", "a \\ b", "a / b"),
        ];
        for (name, with, without) in cases {
            assert!(form_of(with, name), "{name} in {with:?}");
            assert!(!form_of(without, name), "{name} in {without:?}");
        }
    }

    #[test]
    fn an_empty_answer_has_numbers_too() {
        let [empty, absent] = rival_features(&["Why?"], [&[""], &[]]);
        assert!(empty.iter().chain(&absent).all(|number| number.is_finite()));
    }

    #[test]
    fn names_of_models_are_taken_away() {
        let agent =
            |name: &str, model: Option<&str>| Agent { name: name.into(), model: model.map(Into::into) };
        let text = "I am Claude-v1 by Anthropic, not gpt-3.5-turbo. ChatGPT and zephyr-7b-beta are, claudication is not";
        let episode = Episode {
            id: "x".into(),
            group: "x".into(),
            source: String::new(),
            license: String::new(),
            task: None,
            agents: vec![
                agent("user", None),
                agent("model_a", Some("zephyr-7b-beta")),
                agent("model_b", Some("m")),
            ],
            turns: vec![Turn::text(1, Role::Assistant, text)],
            queries: Vec::new(),
            outcome: Outcome { winner: Some(Winner::Tie), ..Outcome::default() },
        };
        let nameless =
            "I am the model by the model, not the model. the model and the model are, claudication is not";
        assert_eq!(anonymous(&episode).turns[0].content, nameless);
        let unjudged = Episode { outcome: Outcome::default(), ..episode };
        assert_eq!(anonymous(&unjudged).turns[0].content, text);
    }
}
