//! Okapi BM25 (Robertson & Zaragoza 2009) of segments and turns against a text, and its smoothing over turns.

use std::collections::HashMap;

use crate::history::History;

const K1: f32 = 1.2;
const B: f32 = 0.75;

/// Document statistics of one history.
#[derive(Debug)]
pub(super) struct Bm25 {
    idf: Vec<f32>,
    mean_length: f32,
    mean_turn_length: f32,
}

impl Bm25 {
    pub(super) fn new(history: &History) -> Self {
        let mut frequency = vec![0u32; history.term_count()];
        let mut last = vec![usize::MAX; history.term_count()];
        let mut length = 0;
        for segment in 0..history.len() {
            let terms = history.terms_of(segment);
            length += terms.len();
            for term in terms {
                let seen = &mut last[*term as usize];
                frequency[*term as usize] += u32::from(*seen != segment);
                *seen = segment;
            }
        }
        let documents = history.len() as f32;
        let idf = frequency.iter().map(|n| (1.0 + (documents - *n as f32 + 0.5) / (*n as f32 + 0.5)).ln());
        Self {
            idf: idf.collect(),
            mean_length: (length as f32 / documents.max(1.0)).max(1.0),
            mean_turn_length: (length as f32 / history.turns().len().max(1) as f32).max(1.0),
        }
    }

    /// Inverse document frequency of a term, about 0 to 8.
    pub(super) fn idf(&self, term: u32) -> f32 {
        self.idf.get(term as usize).copied().unwrap_or(0.0)
    }

    /// Scores of every segment in `range` against the query terms.
    pub(super) fn segments(&self, history: &History, query: &[u32]) -> Vec<f32> {
        let query = Query::new(query);
        (0..history.len()).map(|at| self.score(&query, &[history.terms_of(at)], self.mean_length)).collect()
    }

    /// Scores of every turn against the query terms.
    pub(super) fn turns(&self, history: &History, query: &[u32]) -> Vec<f32> {
        let query = Query::new(query);
        let score = |turn| {
            let documents: Vec<&[u32]> = history.range(turn).map(|at| history.terms_of(at)).collect();
            self.score(&query, &documents, self.mean_turn_length)
        };
        (0..history.turns().len()).map(score).collect()
    }

    fn score(&self, query: &Query, document: &[&[u32]], mean_length: f32) -> f32 {
        let length: usize = document.iter().map(|terms| terms.len()).sum();
        let mut hits: Vec<(u32, f32)> = Vec::new();
        for term in document.iter().flat_map(|terms| terms.iter()).filter(|term| query.has(**term)) {
            match hits.iter_mut().find(|(known, _)| known == term) {
                Some((_, count)) => *count += 1.0,
                None => hits.push((*term, 1.0)),
            }
        }
        let norm = K1 * (1.0 - B + B * length as f32 / mean_length);
        hits.iter().map(|(term, count)| self.idf(*term) * count * (K1 + 1.0) / (count + norm)).sum()
    }
}

struct Query(HashMap<u32, ()>);

impl Query {
    fn new(terms: &[u32]) -> Self {
        Self(terms.iter().map(|term| (*term, ())).collect())
    }

    fn has(&self, term: u32) -> bool {
        self.0.contains_key(&term)
    }
}

/// Gaussian smoothing of per-turn scores with the given width in turns; weights sum to one inside the episode.
pub(super) fn smooth(scores: &[f32], width_turns: f32) -> Vec<f32> {
    let reach = (3.0 * width_turns).ceil() as usize;
    let kernel: Vec<f32> =
        (0..=reach).map(|k| (-(k as f32).powi(2) / (2.0 * width_turns * width_turns)).exp()).collect();
    (0..scores.len())
        .map(|at| {
            let from = at.saturating_sub(reach);
            let to = (at + reach + 1).min(scores.len());
            let weighted = (from..to).map(|k| (kernel[k.abs_diff(at)], scores[k]));
            let (weights, sum) = weighted.fold((0.0, 0.0), |(w, s), (k, x)| (w + k, s + k * x));
            sum / weights
        })
        .collect()
}
