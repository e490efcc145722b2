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

const MONTH_STARTS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Groups 1 to 3 are an ISO date, 4 and 5 or 6 and 7 a month and its day or a day and its month, 8 to 10 a time, 11
/// and 12 a bare hour, 13 a word and 14 a number.
static ATOM: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = format!(
        r"(?xi)
        \b(\d{{4}})-(\d\d)-(\d\d)(?:\b|T)
        | \b({MONTHS})\.?\ +(\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\ +(?:19|20)\d\d\b)?
        | \b(\d{{1,2}})(?:st|nd|rd|th)?\ +(?:of\ +)?({MONTHS})\b(?:,?\ +(?:19|20)\d\d\b)?
        | (\d{{1,2}}):(\d\d)(?::\d\d)?(?:\ ?([ap])\.?m\b)?
        | \b(\d{{1,2}})\ ?([ap])\.?m\b
        | (\d*\p{{L}}[\p{{L}}\p{{N}}]*(?:['’]\p{{L}}+)?)
        | (\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    );
    Regex::new(&pattern).expect("the atom pattern is a constant")
});

/// The atoms of a text, in order.
pub fn atoms(text: &str) -> impl Iterator<Item = Atom> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let atom = next_atom(text, at)?;
        at = atom.span.end;
        Some(atom)
    })
}

/// The first atom from `at` on. Plain words and numbers, which are most of any text, are read by hand; the pattern
/// reads the rest.
fn next_atom(text: &str, at: usize) -> Option<Atom> {
    let bytes = text.as_bytes();
    let from = at + bytes[at..].iter().position(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii())?;
    let end = if bytes[from].is_ascii_digit() {
        plain_number_end(bytes, from)
    } else {
        plain_word_end(bytes, from)
    };
    match end {
        Some(end) if bytes[from].is_ascii_digit() => {
            Some(Atom { text: text[from..end].to_owned(), kind: Kind::Number, span: from..end })
        }
        Some(end) => {
            let (text, kind) = word(&text[from..end]);
            Some(Atom { text, kind, span: from..end })
        }
        None => atom_by_pattern(text, from),
    }
}

fn atom_by_pattern(text: &str, from: usize) -> Option<Atom> {
    let found = ATOM.captures_at(text, from)?;
    let span = found.get_match().range();
    let (text, kind) = canonical(&found);
    Some(Atom { text, kind, span })
}

/// Bytes from `from` on that the test holds for.
fn run(bytes: &[u8], from: usize, test: impl Fn(&u8) -> bool) -> usize {
    bytes[from..].iter().take_while(|byte| test(byte)).count()
}

/// The end of a word of ASCII letters and digits that cannot be a month, or nothing where the pattern must look.
fn plain_word_end(bytes: &[u8], from: usize) -> Option<usize> {
    let first = bytes[from..].first_chunk::<3>();
    if first
        .is_some_and(|first| MONTH_STARTS.iter().any(|month| month.as_bytes().eq_ignore_ascii_case(first)))
    {
        return None;
    }
    let mut end = from + run(bytes, from, u8::is_ascii_alphanumeric);
    if bytes.get(end) == Some(&b'\'') {
        let letters = run(bytes, end + 1, u8::is_ascii_alphabetic);
        if letters == 0 {
            return bytes.get(end + 1).is_none_or(u8::is_ascii).then_some(end).filter(|end| *end > from);
        }
        end += 1 + letters;
    }
    (end > from && bytes.get(end).is_none_or(u8::is_ascii)).then_some(end)
}

/// The end of a number of ASCII digits that cannot be part of a date, time or code, or nothing.
fn plain_number_end(bytes: &[u8], from: usize) -> Option<usize> {
    let digits = run(bytes, from, u8::is_ascii_digit);
    let may_go_on = |next: &u8| {
        !next.is_ascii()
            || next.is_ascii_alphabetic()
            || b".,-".contains(next)
            || (digits <= 2 && b" :".contains(next))
    };
    (!bytes.get(from + digits).is_some_and(may_go_on)).then_some(from + digits)
}

fn canonical(found: &Captures<'_>) -> (String, Kind) {
    let group = |index| found.get(index).map(|m| m.as_str());
    if let (Some(month), Some(day)) = (group(2), group(3)) {
        return (date(month.parse().unwrap_or(0), day), Kind::Date);
    }
    if let (Some(month), Some(day)) = (group(4).or(group(7)), group(5).or(group(6))) {
        return (date(month_number(month), day), Kind::Date);
    }
    if let Some(hour) = group(8).or(group(11)) {
        let half = group(10).or(group(12));
        return (time(hour, group(9).unwrap_or("00"), half), Kind::Time);
    }
    if let Some(number) = group(14) {
        return (plain_number(number), Kind::Number);
    }
    word(group(13).unwrap_or_default())
}

fn date(month: u32, day: &str) -> String {
    format!("{month:02}/{:02}", day.parse::<u32>().unwrap_or(0))
}

fn month_number(name: &str) -> u32 {
    let name = name.to_lowercase();
    MONTH_STARTS.iter().position(|first| name.starts_with(first)).map_or(0, |at| at as u32 + 1)
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

/// Whether a lower-case word is a function word or a courtesy.
#[must_use]
pub(crate) fn is_stopword(word: &str) -> bool {
    static WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| STOPWORDS.split_whitespace().collect());
    WORDS.contains(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn what_is_read_by_hand_is_what_the_pattern_finds(
            pieces in prop::collection::vec(prop_oneof![
                "[a-cA-C0-9é’'. ,:_-]{0,6}",
                "(may|Sept|JUNE|auguſt|marble|dec)",
                "[0-9]{1,5}(st|,000|\\.5|:30|-05-20|T| ?pm| May)?",
                "\\PC{0,3}",
            ], 0..8)
        ) {
            let text = pieces.concat();
            let by_pattern: Vec<Atom> = {
                let mut at = 0;
                std::iter::from_fn(|| {
                    let atom = atom_by_pattern(&text, at)?;
                    at = atom.span.end;
                    Some(atom)
                }).collect()
            };
            prop_assert_eq!(atoms(&text).collect::<Vec<_>>(), by_pattern);
        }
    }
}
