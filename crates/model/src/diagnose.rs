//! What the theorems assume, measured on a model and an episode.
//!
//! T1 speaks of ranks, T4 of the bound C, of row sums and of gates. A test over a shipped checkpoint checks
//! these figures, so that the proofs speak about that checkpoint.

use lrrc_episode::observe::EpisodeObservation;

use crate::error::PolicyError;
use crate::policy::{Policy, State, StepValues, episode_turn};

/// Singular directions below this share of the largest one count as rounding.
const RANK_TOLERANCE: f64 = 1e-5;

/// Figures of one turn.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnReport {
    /// Gates g `[r]`.
    pub gates: Vec<f32>,
    /// Largest |entry| of A.
    pub left_max: f32,
    /// Smallest entry of B.
    pub right_min: f32,
    /// Largest row sum of B.
    pub right_row_sum_max: f32,
    /// Largest |entry| of S_t.
    pub state_max: f32,
    /// Frobenius norm of S_t.
    pub state_norm: f32,
    /// Rank of U_t diag(g_t).
    pub update_rank: usize,
    /// Rank of S_t.
    pub state_rank: usize,
}

impl TurnReport {
    /// Channels the turn wrote to.
    #[must_use]
    pub fn active(&self) -> usize {
        self.gates.iter().filter(|&&gate| gate > 0.0).count()
    }
}

impl Policy {
    /// Runs an episode and reports each turn.
    ///
    /// # Errors
    /// An episode that contradicts itself.
    pub fn diagnose(&self, episode: &EpisodeObservation) -> Result<Vec<TurnReport>, PolicyError> {
        let mut state = self.state0();
        let mut reports = Vec::with_capacity(episode.turns.len());
        for _ in &episode.turns {
            let (next, values) = self.advance(&state, episode_turn(episode, &state)?)?;
            reports.push(self.report(&next, &values));
            state = next;
        }
        Ok(reports)
    }

    fn report(&self, state: &State, values: &StepValues) -> TurnReport {
        let (r_u, d) = (self.config().update_rank(), self.config().width);
        let largest = |values: &[f32]| values.iter().fold(0.0_f32, |max, value| max.max(value.abs()));
        let rows = values.right.chunks(r_u);
        TurnReport {
            left_max: largest(&values.left),
            right_min: values.right.iter().copied().fold(f32::INFINITY, f32::min),
            right_row_sum_max: rows.map(|row| row.iter().sum::<f32>()).fold(0.0, f32::max),
            state_max: largest(state.channels()),
            state_norm: state.channels().iter().map(|value| value * value).sum::<f32>().sqrt(),
            update_rank: rank(&update(values, r_u, d)),
            state_rank: rank(&state.channels().chunks(d).map(doubles).collect::<Vec<_>>()),
            gates: values.gates.clone(),
        }
    }
}

/// `(U diag(g))ᵀ` by channel.
fn update(values: &StepValues, r_u: usize, d: usize) -> Vec<Vec<f64>> {
    let left: Vec<Vec<f64>> = values.left.chunks(d).map(doubles).collect();
    let channels = values.right.chunks(r_u).zip(&values.gates);
    channels
        .map(|(mix, &gate)| {
            let mut channel = vec![0.0; d];
            for (&share, column) in mix.iter().zip(&left) {
                let share = f64::from(share) * f64::from(gate);
                channel.iter_mut().zip(column).for_each(|(sum, value)| *sum += share * value);
            }
            channel
        })
        .collect()
}

fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// Numerical rank of the matrix with these rows: Gram–Schmidt with the longest remaining row first, in double
/// precision.
pub(crate) fn rank(rows: &[Vec<f64>]) -> usize {
    let mut rows = rows.to_vec();
    let norm = |row: &[f64]| row.iter().map(|value| value * value).sum::<f64>().sqrt();
    let mut first = 0.0;
    for rank in 0..rows.len() {
        let lengths: Vec<f64> = rows[rank..].iter().map(|row| norm(row)).collect();
        let longest =
            (0..lengths.len()).fold(0, |best, at| if lengths[at] > lengths[best] { at } else { best });
        let length = lengths[longest];
        if rank == 0 {
            first = length;
        }
        if length <= RANK_TOLERANCE * first || length == 0.0 {
            return rank;
        }
        rows.swap(rank, rank + longest);
        let (done, rest) = rows.split_at_mut(rank + 1);
        let unit: Vec<f64> = done[rank].iter().map(|value| value / length).collect();
        for row in rest {
            let along: f64 = row.iter().zip(&unit).map(|(value, unit)| value * unit).sum();
            row.iter_mut().zip(&unit).for_each(|(value, unit)| *value -= along * unit);
        }
    }
    rows.len()
}

#[cfg(test)]
mod tests {
    use super::rank;

    #[test]
    fn rank_counts_independent_rows() {
        assert_eq!(rank(&[]), 0);
        assert_eq!(rank(&[vec![0.0, 0.0]]), 0);
        assert_eq!(rank(&[vec![1.0, 2.0, 3.0], vec![2.0, 4.0, 6.0], vec![0.0, 1.0, 0.0]]), 2);
        assert_eq!(rank(&[vec![1.0, 1.0], vec![1.0, 1.0 + 1e-9]]), 1);
        assert_eq!(rank(&[vec![1.0, 0.0], vec![0.0, 1e-3]]), 2);
    }
}
