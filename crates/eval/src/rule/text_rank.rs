//! TextRank: a segment is central if central segments speak of the same things.
//!
//! The sentence extraction of Mihalcea and Tarau, *TextRank: Bringing Order into Text* (2004): vertices are segments,
//! an edge weighs the terms that two segments share over the logarithms of their lengths, and weighted PageRank with
//! damping 0.85 gives the score. Terms are stems of all words but function words. Lengths count one more than in the
//! paper, since a segment may be a single word.
//!
//! The iteration is written out here: `petgraph::algo::page_rank` knows no weights and looks at every pair of vertices
//! and every edge of them in each round.

use lrrc_episode::{history::History, observe::Observed};

use super::each_rerank;
use crate::replay::Scores;

/// Probability of following an edge.
const DAMPING: f32 = 0.85;
/// Most vertices of one graph; longer histories are ranked in pieces of this many segments. Scores have mean 1 in any
/// graph, so they compare across pieces.
const VERTICES: usize = 1_024;
/// Change of a score below which the iteration ends, as in the paper, and most rounds of it.
const CONVERGED: f32 = 1e-4;
const ROUNDS: usize = 100;

/// Neighbours of each vertex with the weight of the edge.
type Graph = Vec<Vec<(usize, f32)>>;

/// TextRank of the candidates of every re-ranking decision, as s / (1 + s), which lies in [0, 1).
pub(crate) fn text_rank(observed: &Observed) -> Scores {
    let mut last: (Vec<usize>, Vec<f32>) = Default::default();
    each_rerank(observed, |segments| {
        // The queries of an episode all ask about the same segments.
        if last.0 != segments {
            let pieces = segments.chunks(VERTICES);
            let ranks = pieces.flat_map(|piece| page_rank(&graph(&observed.history, piece)));
            last = (segments.to_vec(), ranks.map(|score| score / (1.0 + score)).collect());
        }
        last.1.clone()
    })
}

fn graph(history: &History, segments: &[usize]) -> Graph {
    let terms: Vec<Vec<u32>> = segments.iter().map(|at| distinct(history.terms_of(*at))).collect();
    let mut holders: Vec<Vec<usize>> = vec![Vec::new(); history.term_segments().len()];
    let length = |at: usize| (1.0 + terms[at].len() as f32).ln();
    let mut graph: Graph = vec![Vec::new(); segments.len()];
    let mut shared = vec![0u32; segments.len()];
    for (at, own) in terms.iter().enumerate() {
        for term in own {
            holders[*term as usize].iter().for_each(|other| shared[*other] += 1);
            holders[*term as usize].push(at);
        }
        for (other, count) in shared[..at].iter_mut().enumerate().filter(|(_, count)| **count > 0) {
            let weight = std::mem::take(count) as f32 / (length(at) + length(other));
            graph[at].push((other, weight));
            graph[other].push((at, weight));
        }
    }
    graph
}

fn distinct(terms: &[u32]) -> Vec<u32> {
    let mut terms = terms.to_vec();
    terms.sort_unstable();
    terms.dedup();
    terms
}

/// WS(v) = 1 − d + d · Σ over neighbours u of WS(u) · w(u, v) / Σ w(u, ·).
fn page_rank(graph: &Graph) -> Vec<f32> {
    let weights: Vec<f32> = graph.iter().map(|edges| edges.iter().map(|(_, weight)| weight).sum()).collect();
    let mut ranks = vec![1.0f32; graph.len()];
    for _ in 0..ROUNDS {
        let rank = |edges: &Vec<(usize, f32)>| {
            let passed = edges.iter().map(|(from, weight)| ranks[*from] * weight / weights[*from]);
            1.0 - DAMPING + DAMPING * passed.sum::<f32>()
        };
        let next: Vec<f32> = graph.iter().map(rank).collect();
        let change = next.iter().zip(&ranks).map(|(new, old)| (new - old).abs()).fold(0.0, f32::max);
        ranks = next;
        if change < CONVERGED {
            break;
        }
    }
    ranks
}

#[cfg(test)]
mod tests {
    use lrrc_episode::{Encoding, Role, TokenCounter, Turn};

    use super::*;

    #[test]
    fn ranks_are_those_of_networkx() {
        // G = networkx.Graph(); G.add_weighted_edges_from([(0,1,1.0),(1,2,2.0),(1,3,0.5),(2,3,1.5)])
        // [4 * r for r in networkx.pagerank(G, alpha=0.85, tol=1e-12).values()]
        let mut graph: Graph = vec![Vec::new(); 4];
        for (a, b, weight) in [(0, 1, 1.0), (1, 2, 2.0), (1, 3, 0.5), (2, 3, 1.5)] {
            graph[a].push((b, weight));
            graph[b].push((a, weight));
        }
        let expected = [0.485_136, 1.379_971, 1.332_071, 0.802_822];
        for (found, expected) in page_rank(&graph).into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-3, "{found} against {expected}");
        }
    }

    #[test]
    fn what_others_speak_of_ranks_above_what_stands_alone() {
        let counter = TokenCounter::new(Encoding::Cl100kBase);
        let said = [
            "The suitcase arrived broken in Lisbon.",
            "Lisbon lost the suitcase twice.",
            "A refund for the suitcase from Lisbon, please.",
            "Bananas ripen quickly.",
        ];
        let turns: Vec<Turn> = said.into_iter().map(|text| Turn::text(0, Role::Speaker, text)).collect();
        let history = History::of(&turns, &counter);
        let ranks = page_rank(&graph(&history, &[0, 1, 2, 3]));
        assert_eq!(history.len(), 4);
        assert!(ranks[..3].iter().all(|rank| *rank > 0.9), "{ranks:?}");
        assert!((ranks[3] - (1.0 - DAMPING)).abs() < 1e-6, "{ranks:?}");
    }
}
