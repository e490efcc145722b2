//! Self-information: what could be guessed from what was said before need not be kept.
//!
//! The rule of Selective Context (Li et al., *Compressing Context to Enhance Inference Efficiency of Large Language
//! Models* (2023)): the score of a segment is the mean of −log₂ P(token | tokens before). There P is a large language
//! model; here it is an n-gram model of canonical atoms that has read what was said so far in the episode and, where a
//! [`Background`] is given, other episodes before it. Each token is scored when it is said, before the model learns it,
//! so nothing later is ever looked at.
//!
//! P is interpolated after Witten and Bell (1991), see Chen and Goodman, *An Empirical Study of Smoothing Techniques for
//! Language Modeling* (1998), §2.5: P(w | h) = (c(hw) + t(h) · P(w | h′)) / (c(h) + t(h)), with t(h) the number of
//! different tokens seen after h, h′ the context h without its first token, and a uniform P below the unigram. It has
//! nothing to tune.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use lrrc_episode::{canon, history::History, observe::Observed};

use super::each_rerank;
use crate::replay::Scores;

/// Longest n-gram.
const ORDER: usize = 3;
/// Tokens that might come: 1 over this is the probability of each before anything was read.
const VOCABULARY: f64 = 50_000.0;
/// Bits a token that score 1.
const BITS: f64 = 32.0;

/// N-gram counts of episodes read beforehand, for the surprisal methods.
///
/// It learns from the text alone, no label is read.
#[derive(Debug, Clone, Default)]
pub struct Background(Counts);

impl Background {
    /// Counts the n-grams of these episodes.
    #[must_use]
    pub fn of(observed: &[Observed]) -> Self {
        let mut counts = Counts::default();
        for observed in observed {
            let mut reader = Reader { order: ORDER, before: None, own: counts };
            read(&observed.history, &mut reader);
            counts = reader.own;
        }
        Self(counts)
    }
}

/// Mean self-information of the tokens of each candidate, from n-grams up to `order` (1 to 3), as a share of 32 bits;
/// 0 for a segment without tokens.
pub(crate) fn surprisal(observed: &Observed, order: usize, background: Option<&Background>) -> Scores {
    let before = background.map(|background| &background.0);
    let mut reader = Reader { order: order.clamp(1, ORDER), before, own: Counts::default() };
    let bits = read(&observed.history, &mut reader);
    each_rerank(observed, |segments| {
        segments.iter().map(|at| (bits[*at] / BITS).clamp(0.0, 1.0) as f32).collect()
    })
}

/// Reads a history from its first turn; returns the mean bits a token of each segment.
fn read(history: &History, reader: &mut Reader<'_>) -> Vec<f64> {
    let mut bits = vec![0.0; history.len()];
    for (turn, said) in history.turns().iter().enumerate() {
        let mut context = vec![said.role.name().to_owned()];
        for at in history.range(turn) {
            let (mut sum, mut tokens) = (0.0, 0);
            for atom in canon::atoms(&history.segment(at).text) {
                context.push(atom.text);
                context.drain(..context.len().saturating_sub(ORDER));
                sum += reader.learn(&context);
                tokens += 1;
            }
            bits[at] = sum / f64::from(tokens.max(1));
        }
    }
    bits
}

/// How often each n-gram was read, and each context: in all, and followed by how many different tokens.
#[derive(Debug, Clone, Default)]
struct Counts {
    grams: HashMap<u64, u32>,
    contexts: HashMap<u64, (u32, u32)>,
}

impl Counts {
    fn gram(&self, key: u64) -> u32 {
        self.grams.get(&key).copied().unwrap_or(0)
    }

    fn context(&self, key: u64) -> (u32, u32) {
        self.contexts.get(&key).copied().unwrap_or((0, 0))
    }
}

/// Counts that grow, on top of counts that were there before.
struct Reader<'a> {
    order: usize,
    before: Option<&'a Counts>,
    own: Counts,
}

impl Reader<'_> {
    /// Bits of the last token of `gram` after the others; then counts it.
    fn learn(&mut self, gram: &[String]) -> f64 {
        let mut probability = 1.0 / VOCABULARY;
        for length in 1..=self.order.min(gram.len()) {
            let tail = &gram[gram.len() - length..];
            let (key, context) = (key(tail), key(&tail[..length - 1]));
            let count = self.own.gram(key) + self.before.map_or(0, |before| before.gram(key));
            let (own, before) =
                (self.own.context(context), self.before.map(|before| before.context(context)));
            let (seen, kinds) = before.map_or(own, |before| (own.0 + before.0, own.1 + before.1));
            if seen > 0 {
                let (count, seen, kinds) = (f64::from(count), f64::from(seen), f64::from(kinds));
                probability = (count + kinds * probability) / (seen + kinds);
            }
            *self.own.grams.entry(key).or_default() += 1;
            let entry = self.own.contexts.entry(context).or_default();
            *entry = (entry.0 + 1, entry.1 + u32::from(count == 0));
        }
        -probability.log2()
    }
}

/// The same for the same tokens in every run: the hasher has fixed keys.
fn key(tokens: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    tokens.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use lrrc_episode::{Encoding, Role, TokenCounter, Turn};

    use super::*;

    fn history(said: &[&str]) -> History {
        let turns: Vec<Turn> = said.iter().map(|text| Turn::text(0, Role::Speaker, *text)).collect();
        History::of(&turns, &TokenCounter::new(Encoding::Cl100kBase))
    }

    fn bits(said: &[&str], order: usize) -> Vec<f64> {
        read(&history(said), &mut Reader { order, before: None, own: Counts::default() })
    }

    #[test]
    fn probabilities_are_those_of_the_formula() {
        // Unigram, by hand: 1/V; then (0 + 1 · 1/V) / 2; then "alpha" again: (1 + 2 / V) / 4.
        let found = bits(&["alpha", "beta", "alpha"], 1);
        let expected = [1.0 / VOCABULARY, 0.5 / VOCABULARY, (1.0 + 2.0 / VOCABULARY) / 4.0];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found + f64::log2(expected)).abs() < 1e-9, "{found} against {expected}");
        }
    }

    #[test]
    fn probabilities_sum_to_one() {
        let said = ["alpha beta gamma alpha beta delta alpha", "beta gamma beta"];
        let mut reader = Reader { order: 3, before: None, own: Counts::default() };
        let _ = read(&history(&said), &mut reader);
        let words = ["alpha", "beta", "gamma", "delta"];
        let chance = |word: &str, reader: &Reader<'_>| {
            let gram = ["alpha", "beta", word].map(str::to_owned);
            let mut copy = Reader { order: 3, before: None, own: reader.own.clone() };
            (-copy.learn(&gram)).exp2()
        };
        let known: f64 = words.iter().map(|word| chance(word, &reader)).sum();
        let all = known + chance("epsilon", &reader) * (VOCABULARY - 4.0);
        assert!((all - 1.0).abs() < 1e-9, "{all}");
    }

    #[test]
    fn a_phrase_said_before_surprises_less_and_a_trigram_sees_its_order() {
        let said = ["Your gate closes at noon.", "Bring water.", "Your gate closes at noon."];
        let (unigram, trigram) = (bits(&said, 1), bits(&said, 3));
        assert!(unigram[2] < unigram[0] && trigram[2] < unigram[2], "{unigram:?} {trigram:?}");
    }

    #[test]
    fn a_background_counts_as_said_before() {
        let first = history(&["Your gate closes at noon."]);
        let mut reader = Reader { order: 3, before: None, own: Counts::default() };
        let _ = read(&first, &mut reader);
        let before = reader.own;
        let after = |before| {
            let second = history(&["Your gate closes at ten."]);
            read(&second, &mut Reader { order: 3, before, own: Counts::default() })[0]
        };
        let together = bits(&["Your gate closes at noon.", "Your gate closes at ten."], 3)[1];
        assert!((after(Some(&before)) - together).abs() < 1e-9);
        assert!(after(None) > together);
    }
}
