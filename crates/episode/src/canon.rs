//! One spelling for one fact: the canonical atoms of a text.
//!
//! `May 20th`, `May 20, 2024` and `2024-05-20` are one date; `$1,200` and `1200.00` one number; `7:00 PM` and
//! `19:00:00` one time; `basic_economy` and `Basic Economy` the same two atoms. A fact is *visible* in a text when
//! its atoms stand there one after the other, so a match always respects the borders of words and numbers.
//!
//! ```
//! use lrrc_episode::canon::Atoms;
//! let shown = Atoms::of("You leave on May 20th, user MIA_LI_3668 pays $1,200.");
//! assert!(shown.has(&Atoms::of("2024-05-20")));
//! assert!(shown.has(&Atoms::of("mia_li_3668")));
//! assert!(shown.has(&Atoms::of("1200.0")));
//! assert!(!shown.has(&Atoms::of("120")));
//! ```

use std::{collections::HashSet, sync::LazyLock};

use regex::{Captures, Regex};
use rust_stemmers::{Algorithm, Stemmer};

/// What an atom denotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A calendar day.
    Date,
    /// A time of day.
    Time,
    /// A number, money included.
    Number,
    /// Letters and digits together: a code or part of an identifier.
    Code,
    /// A word that starts with a capital, or is all capitals.
    Name,
    /// Any other word.
    Word,
}

/// One atom with its place in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Atom {
    /// Canonical spelling, without blanks.
    pub text: String,
    /// What it denotes.
    pub kind: Kind,
    /// Byte range in the source.
    pub span: std::ops::Range<usize>,
}

impl Atom {
    /// Whether the atom is a function word that carries no content of its own.
    #[must_use]
    pub fn is_glue(&self) -> bool {
        matches!(self.kind, Kind::Name | Kind::Word) && is_stopword(&self.text)
    }

    /// Whether the atom is a content word: at least five letters and no function word.
    #[must_use]
    pub fn is_content_word(&self) -> bool {
        matches!(self.kind, Kind::Name | Kind::Word) && self.text.chars().count() >= 5 && !self.is_glue()
    }

    /// Whether the atom alone identifies something: a date, a time, a code, or a number of at least two digits.
    #[must_use]
    pub fn is_value(&self) -> bool {
        match self.kind {
            Kind::Date | Kind::Time | Kind::Code => true,
            Kind::Number => self.text.len() >= 2,
            Kind::Name | Kind::Word => false,
        }
    }
}

/// A text as its canonical atoms, ready for searching.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Atoms(String);

impl Atoms {
    /// The atoms of `text`.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut atoms = Self::default();
        atoms.extend(text);
        atoms
    }

    /// Appends the atoms of `text`.
    pub fn extend(&mut self, text: &str) {
        for atom in atoms(text) {
            self.push(&atom.text);
        }
    }

    /// Appends one canonical atom.
    pub fn push(&mut self, atom: &str) {
        if self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(atom);
        self.0.push(' ');
    }

    /// Appends all atoms of `other`.
    pub fn append(&mut self, other: &Self) {
        self.0.push_str(if self.0.is_empty() { &other.0 } else { other.0.strip_prefix(' ').unwrap_or("") });
    }

    /// Whether the atoms of `other` stand here one after the other; nothing stands nowhere.
    #[must_use]
    pub fn has(&self, other: &Self) -> bool {
        !other.0.is_empty() && self.0.contains(&other.0)
    }

    /// The atoms, separated by single blanks.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.trim()
    }

    /// Whether there is no atom.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

const MONTHS: &str = "january|february|march|april|may|june|july|august|september|october|november|december|\
                      jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec";

static ATOM: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = format!(
        r"(?xi)
        \b(?P<iso_month_year>\d{{4}})-(?P<iso_month>\d\d)-(?P<iso_day>\d\d)(?:\b|T)
        | \b(?P<month>{MONTHS})\.?\ +(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\ +(?:19|20)\d\d\b)?
        | \b(?P<day_first>\d{{1,2}})(?:st|nd|rd|th)?\ +(?:of\ +)?(?P<month_last>{MONTHS})\b(?:,?\ +(?:19|20)\d\d\b)?
        | (?P<hour>\d{{1,2}}):(?P<minute>\d\d)(?::\d\d)?(?:\ ?(?P<half>[ap])\.?m\b)?
        | \b(?P<bare_hour>\d{{1,2}})\ ?(?P<bare_half>[ap])\.?m\b
        | (?P<word>\d*\p{{L}}[\p{{L}}\p{{N}}]*(?:['’]\p{{L}}+)?)
        | (?P<number>\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    );
    Regex::new(&pattern).expect("the atom pattern is a constant")
});

/// The atoms of a text, in order.
pub fn atoms(text: &str) -> impl Iterator<Item = Atom> + '_ {
    ATOM.captures_iter(text).map(|found| {
        let span = found.get_match().range();
        let (text, kind) = canonical(&found);
        Atom { text, kind, span }
    })
}

fn canonical(found: &Captures<'_>) -> (String, Kind) {
    let group = |name| found.name(name).map(|m| m.as_str());
    if let (Some(month), Some(day)) = (group("iso_month"), group("iso_day")) {
        return (date(month.parse().unwrap_or(0), day), Kind::Date);
    }
    if let (Some(month), Some(day)) =
        (group("month").or(group("month_last")), group("day").or(group("day_first")))
    {
        return (date(month_number(month), day), Kind::Date);
    }
    if let Some(hour) = group("hour").or(group("bare_hour")) {
        let half = group("half").or(group("bare_half"));
        return (time(hour, group("minute").unwrap_or("00"), half), Kind::Time);
    }
    if let Some(number) = group("number") {
        return (plain_number(number), Kind::Number);
    }
    word(group("word").unwrap_or_default())
}

fn date(month: u32, day: &str) -> String {
    format!("{month:02}/{:02}", day.parse::<u32>().unwrap_or(0))
}

fn month_number(name: &str) -> u32 {
    const FIRST_LETTERS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let name = name.to_lowercase();
    FIRST_LETTERS.iter().position(|first| name.starts_with(first)).map_or(0, |at| at as u32 + 1)
}

fn time(hour: &str, minute: &str, half: Option<&str>) -> String {
    let hour: u32 = hour.parse().unwrap_or(0);
    let hour = match half.map(str::to_ascii_lowercase).as_deref() {
        Some("p") if hour < 12 => hour + 12,
        Some("a") if hour == 12 => 0,
        _ => hour,
    };
    format!("{hour:02}:{minute}")
}

fn plain_number(text: &str) -> String {
    let digits = text.replace(',', "");
    match digits.split_once('.') {
        Some((whole, fraction)) => {
            let fraction = fraction.trim_end_matches('0');
            if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
        }
        None => digits,
    }
}

fn word(text: &str) -> (String, Kind) {
    let bare = text.strip_suffix("'s").or(text.strip_suffix("’s")).unwrap_or(text);
    let kind = if bare.chars().any(char::is_numeric) {
        Kind::Code
    } else if bare.starts_with(char::is_uppercase) {
        Kind::Name
    } else {
        Kind::Word
    };
    (bare.to_lowercase(), kind)
}

/// The stem of a lower-case English word (Porter 2, from `rust-stemmers`).
#[must_use]
pub fn stem(word: &str) -> String {
    static STEMMER: LazyLock<Stemmer> = LazyLock::new(|| Stemmer::create(Algorithm::English));
    STEMMER.stem(word).into_owned()
}

/// English function words, and the phrases of courtesy that stand in every dialogue.
const STOPWORDS: &str = " a about above after again against all also am an and any are aren't as at be because been \
     before being below between both but by can can't cannot could couldn't did didn't do does doesn't doing don't \
     down during each either etc else ever few for from further had has have having he her here hers him his how \
     however i i'd i'll i'm i've if in into is isn't it it's its itself just let let's like may me might more most \
     must my no nor not now of off on once only or other our out over own per please same shall she should so some \
     such than thank thanks that that's the their them then there there's these they this those though through to \
     too under until up upon us very was wasn't we we'd we'll we're we've well were what what's when where whether \
     which while who whom whose why will with within won't would wouldn't yes yet you you'd you'll you're you've \
     your yours ok okay um uh yeah hmm mm ";

fn is_stopword(word: &str) -> bool {
    static WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| STOPWORDS.split_whitespace().collect());
    WORDS.contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(Atoms::of(text).text(), expect, "atoms of {text:?}");
    }

    #[test]
    fn one_fact_has_one_spelling() {
        check("May 20th, May 20, 2024, 2024-05-20 and 20 May", "05/20 05/20 05/20 and 05/20");
        check("$1,200 1200.00 1,200.5", "1200 1200 1200.5");
        check("07:00 PM 7pm 19:00:00 12 a.m. 06:00:00+1", "19:00 19:00 19:00 00:00 06:00 1");
        check("one_way One-Way", "one way one way");
        check("credit_card_4421486", "credit card 4421486");
        check("2024-05-15T15:00:00", "05/15 15:00");
        check("Mia's mia.li3818@example.com HAT069", "mia mia li3818 example com hat069");
    }

    #[test]
    fn borders_are_respected() {
        let text = Atoms::of("flight HAT0691 at 1200");
        assert!(!text.has(&Atoms::of("HAT069")));
        assert!(!text.has(&Atoms::of("200")));
        assert!(!text.has(&Atoms::of("")));
    }
}
