//! The form of one text: layout, vocabulary and tone as numbers, without its meaning.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use crate::canon;

/// Name of each number of a text's form, in order. Counts are `ln(1 + n)`; counts and shares are scaled so that they
/// differ by about one between the answers of two models, and those that are never near 0 are shifted there.
pub const FORM_NAMES: [&str; 40] = [
    "characters",
    "words",
    "sentences",
    "lines",
    "paragraphs",
    "numbered_items",
    "bullets",
    "code_fence",
    "indented_lines",
    "headings_and_bold",
    "lines_ending_in_colon",
    "digit_share",
    "numbers",
    "upper_share",
    "punctuation_share",
    "repeated_words",
    "repeated_trigrams",
    "repeated_lines",
    "word_length",
    "long_word_share",
    "sentence_length",
    "question_words_answered",
    "words_from_question",
    "copied_from_question",
    "words_from_earlier_answer",
    "ends_complete",
    "ends_with_question",
    "nearly_empty",
    "question_marks",
    "exclamation_marks",
    "apology",
    "refusal",
    "opens_with_i",
    "opens_with_courtesy",
    "connectives",
    "operators",
    "parentheses",
    "quotes",
    "backslashes",
    "beyond_ascii",
];

/// Numbers of a text's form.
pub(super) const FORM: usize = FORM_NAMES.len();

/// Fewest words of a text that is more than nearly empty.
const FEW_WORDS: usize = 3;
/// Length of a copied run, in words.
const COPIED_WORDS: usize = 4;
/// Letters of a long word.
const LONG_WORD: usize = 8;

/// The words of a text, in order and as sets of stems.
pub(super) struct Vocabulary {
    pub(super) words: Vec<String>,
    /// Stems of content words.
    pub(super) stems: BTreeSet<String>,
    /// Numbers in order, as they are written.
    pub(super) numbers: Vec<String>,
}

impl Vocabulary {
    pub(super) fn of(text: &str) -> Self {
        static NUMBER: LazyLock<Regex> = LazyLock::new(|| pattern(r"\d+(?:\.\d+)?"));
        let lower = text.to_lowercase();
        let word = |c: char| !(c.is_alphanumeric() || c == '\'');
        let words: Vec<String> =
            lower.split(word).filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let content = |word: &&String| word.chars().count() > 2 && !canon::is_stopword(word);
        let stems = words.iter().filter(content).map(|word| canon::stem(word)).collect();
        let numbers = NUMBER.find_iter(text).map(|found| found.as_str().to_owned()).collect();
        Self { words, stems, numbers }
    }

    fn runs(&self, len: usize) -> impl Iterator<Item = &[String]> {
        self.words.windows(len)
    }
}

/// The form of `text`, an answer to `question` by someone who had said `earlier` (its vocabulary) before.
pub(super) fn form(
    text: &str,
    own: &Vocabulary,
    question: &Vocabulary,
    earlier: &BTreeSet<String>,
) -> [f32; FORM] {
    let mut numbers = Vec::with_capacity(FORM);
    numbers.extend(layout(text, own));
    numbers.extend(shares(text, own));
    numbers.extend(repetition(text, own));
    numbers.extend(words(text, own));
    numbers.extend(relevance(own, question, earlier));
    numbers.extend(tone(text, own));
    numbers.extend(marks(text));
    std::array::from_fn(|at| numbers[at].clamp(-LIMIT, LIMIT))
}

/// Largest number of a form.
const LIMIT: f32 = 4.0;

fn layout(text: &str, own: &Vocabulary) -> [f32; 11] {
    static NUMBERED: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^\s*\d+[.)]\s"));
    static BULLET: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^\s*[-*•]\s"));
    static INDENTED: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^(?:    |\t)\S"));
    static HEADING: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^#+ |\*\*\S"));
    static COLON: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m):[ \t]*$"));
    [
        (log_count(text.chars().count()) - 6.0) / 1.4,
        (log_count(own.words.len()) - 4.4) / 1.3,
        log_count(sentences(text)),
        log_count(text.matches('\n').count()) / 1.4,
        log_count(text.split("\n\n").filter(|part| !part.trim().is_empty()).count()) / 0.8,
        log_count(NUMBERED.find_iter(text).count()) / 0.8,
        log_count(BULLET.find_iter(text).count()) / 0.6,
        flag(text.contains("```")) / 0.3,
        log_count(INDENTED.find_iter(text).count()) / 0.7,
        log_count(HEADING.find_iter(text).count()) / 0.2,
        log_count(COLON.find_iter(text).count()) / 0.7,
    ]
}

fn shares(text: &str, own: &Vocabulary) -> [f32; 4] {
    let characters = text.chars().count();
    let count = |is: fn(char) -> bool| text.chars().filter(|c| is(*c)).count();
    [
        share(count(|c| c.is_ascii_digit()), characters) / 0.06,
        log_count(own.numbers.len()) / 1.3,
        share(count(char::is_uppercase), characters) / 0.035,
        share(count(|c| !c.is_alphanumeric() && !c.is_whitespace()), characters) / 0.07,
    ]
}

/// Shares of words, runs of three words, and lines that repeat one before; 0 where there are none.
fn repetition(text: &str, own: &Vocabulary) -> [f32; 3] {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let distinct_runs = own.runs(3).collect::<BTreeSet<_>>().len();
    let all_runs = own.words.len().saturating_sub(2);
    [
        repeated(own.words.iter().collect::<BTreeSet<_>>().len(), own.words.len()) / 0.22,
        repeated(distinct_runs, all_runs) / 0.15,
        repeated(lines.iter().collect::<BTreeSet<_>>().len(), lines.len()) / 0.1,
    ]
}

fn words(text: &str, own: &Vocabulary) -> [f32; 3] {
    let letters: usize = own.words.iter().map(|word| word.chars().count()).sum();
    let long = own.words.iter().filter(|word| word.chars().count() >= LONG_WORD).count();
    [
        share(letters, own.words.len()) - 4.5,
        share(long, own.words.len()) / 0.09,
        ((own.words.len() as f32 / sentences(text).max(1) as f32).ln_1p() - 2.9) / 0.7,
    ]
}

/// How much of the question is answered, how much of the answer only repeats the question or the earlier answer.
fn relevance(own: &Vocabulary, question: &Vocabulary, earlier: &BTreeSet<String>) -> [f32; 4] {
    let shared = own.stems.iter().filter(|stem| question.stems.contains(*stem)).count();
    let repeated = own.stems.iter().filter(|stem| earlier.contains(*stem)).count();
    let asked: BTreeSet<&[String]> = question.runs(COPIED_WORDS).collect();
    let copied = own.runs(COPIED_WORDS).filter(|run| asked.contains(run)).count();
    [
        share(shared, question.stems.len()) / 0.33,
        share(shared, own.stems.len()) / 0.3,
        share(copied, own.words.len().saturating_sub(COPIED_WORDS - 1)) / 0.18,
        share(repeated, own.stems.len()) / 0.3,
    ]
}

fn tone(text: &str, own: &Vocabulary) -> [f32; 10] {
    static APOLOGY: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\b(?:sorry|apolog(?:ies|i[sz]e))\b"));
    static REFUSAL: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"(?i)\b(?:i (?:cannot|can't|am unable|am not able|don't have|do not have)|as an ai|language model)\b",
        )
    });
    static OPENS_I: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\s*(?:I|I'm|I'd)\b"));
    static COURTESY: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"(?i)^\s*(?:here|sure|certainly|of course|yes|no)\b"));
    static CONNECTIVE: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"(?i)\b(?:however|therefore|because|first|second|finally|additionally|furthermore|overall|in summary|in conclusion|for example|thus|since|so)\b",
        )
    });
    let end = text.trim_end().chars().next_back();
    [
        flag(end.is_some_and(|end| ".!?\"'`)*]}".contains(end))) / 0.33,
        flag(end == Some('?')) / 0.1,
        flag(own.words.len() < FEW_WORDS) / 0.1,
        log_count(text.matches('?').count()) / 0.36,
        log_count(text.matches('!').count()) / 0.3,
        flag(APOLOGY.is_match(text)) / 0.15,
        flag(REFUSAL.is_match(text)) / 0.18,
        flag(OPENS_I.is_match(text)) / 0.2,
        flag(COURTESY.is_match(text)) / 0.45,
        log_count(CONNECTIVE.find_iter(text).count()) / 0.7,
    ]
}

fn marks(text: &str) -> [f32; 5] {
    let mut counts: BTreeMap<char, usize> = BTreeMap::new();
    text.chars().for_each(|c| *counts.entry(c).or_default() += 1);
    let count = |of: &str| of.chars().filter_map(|c| counts.get(&c)).sum::<usize>();
    let beyond = text.chars().filter(|c| !c.is_ascii()).count();
    [
        log_count(count("=+*/^<>")) / 1.1,
        log_count(count("(")) / 0.9,
        log_count(count("\"")) / 0.9,
        flag(count("\\") > 0) / 0.15,
        share(beyond, text.chars().count()) / 0.01,
    ]
}

fn sentences(text: &str) -> usize {
    static END: LazyLock<Regex> = LazyLock::new(|| pattern(r"[.!?](?:\s|$)"));
    END.find_iter(text).count()
}

pub(super) fn log_count(count: usize) -> f32 {
    (count as f32).ln_1p()
}

pub(super) fn share(part: usize, whole: usize) -> f32 {
    part as f32 / whole.max(1) as f32
}

pub(super) fn flag(holds: bool) -> f32 {
    f32::from(u8::from(holds))
}

fn repeated(distinct: usize, all: usize) -> f32 {
    share(all - distinct, all)
}

pub(super) fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant")
}
