//! Okapi BM25 (Robertson & Zaragoza 2009) of segments and turns against a text, and its smoothing over turns.

use std::collections::HashSet;

use crate::history::History;

const K1: f32 = 1.2;
const B: f32 = 0.75;

/// Okapi BM25 over the segments of one history.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bm25<'a> {
    history: &'a History,
    mean_length: f32,
    mean_turn_length: f32,
}

impl<'a> Bm25<'a> {
    pub(super) fn new(history: &'a History) -> Self {
        let length = history.term_total() as f32;
        Self {
            history,
            mean_length: (length / history.len().max(1) as f32).max(1.0),
            mean_turn_length: (length / history.turns().len().max(1) as f32).max(1.0),
        }
    }

    /// Inverse document frequency of a term, about 0 to 8.
    pub(super) fn idf(&self, term: u32) -> f32 {
        let holding = self.history.term_segments()[term as usize] as f32;
        (1.0 + (self.history.len() as f32 - holding + 0.5) / (holding + 0.5)).ln()
    }

    /// Score of a segment.
    pub(super) fn segment(&self, query: &Query, segment: usize) -> f32 {
        self.score(query, &[self.history.terms_of(segment)], self.mean_length)
    }

    /// Score of a turn.
    pub(super) fn turn(&self, query: &Query, turn: usize) -> f32 {
        let documents: Vec<&[u32]> = self.history.range(turn).map(|at| self.history.terms_of(at)).collect();
        self.score(query, &documents, self.mean_turn_length)
    }

    fn score(&self, query: &Query, document: &[&[u32]], mean_length: f32) -> f32 {
        let length: usize = document.iter().map(|terms| terms.len()).sum();
        let terms = document.iter().flat_map(|terms| terms.iter());
        let mut hits: Vec<u32> = terms.copied().filter(|term| query.has(*term)).collect();
        hits.sort_unstable();
        let norm = K1 * (1.0 - B + B * length as f32 / mean_length);
        let of_term = |hits: &[u32]| {
            let count = hits.len() as f32;
            self.idf(hits[0]) * count * (K1 + 1.0) / (count + norm)
        };
        hits.chunk_by(|a, b| a == b).map(of_term).sum()
    }
}

/// The distinct terms of a query.
pub(super) struct Query(HashSet<u32>);

impl Query {
    pub(super) fn new(terms: &[u32]) -> Self {
        Self(terms.iter().copied().collect())
    }

    fn has(&self, term: u32) -> bool {
        self.0.contains(&term)
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
