//! The newest messages that decisions and calls answer, each pooled once.

use std::collections::HashMap;

use lrrc_episode::observe::EpisodeObservation;

/// Distinct queries of each episode.
pub(super) struct Queries {
    /// Encoder rows of each distinct query.
    pub(super) groups: Vec<Vec<usize>>,
    /// Query of each decision, within its episode.
    pub(super) of_decision: Vec<Vec<usize>>,
    /// Query of each call, within its episode.
    pub(super) of_call: Vec<Vec<usize>>,
    /// First group of each episode.
    first: Vec<usize>,
    /// Most queries of an episode.
    pub(super) width: usize,
}

impl Queries {
    pub(super) fn new(episodes: &[&EpisodeObservation], rows: &[&[usize]]) -> Self {
        let mut queries = Self {
            groups: Vec::new(),
            of_decision: Vec::new(),
            of_call: Vec::new(),
            first: Vec::new(),
            width: 1,
        };
        for (episode, rows) in episodes.iter().zip(rows) {
            let first = queries.groups.len();
            let mut seen: HashMap<&[usize], usize> = HashMap::new();
            let mut number = |query| {
                let next = queries.groups.len() - first;
                let number = *seen.entry(query).or_insert(next);
                if number == next {
                    queries.groups.push(query.iter().map(|&segment| rows[segment]).collect());
                }
                number
            };
            let of_decision = episode.decisions.iter().map(|decision| number(&decision.query)).collect();
            let of_call = episode.calls.iter().map(|call| number(&call.query)).collect();
            queries.width = queries.width.max(queries.groups.len() - first);
            queries.first.push(first);
            queries.of_decision.push(of_decision);
            queries.of_call.push(of_call);
        }
        queries
    }

    /// Group of each place `[b · Q]`; the number of groups marks a pad.
    pub(super) fn places(&self) -> Vec<usize> {
        let ends = self.first[1..].iter().copied().chain([self.groups.len()]);
        let spans = self.first.iter().zip(ends).map(|(&first, end)| first..end);
        spans.flat_map(|span| span.chain(std::iter::repeat(self.groups.len())).take(self.width)).collect()
    }
}
