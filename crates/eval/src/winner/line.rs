//! The lines to beat: the longer answer, and logistic regression on the numbers of the rivals.

use lrrc_episode::observe::{EpisodeObservation, FORM_NAMES, RIVAL_FEATURES, Rivals};

/// Weight of the squared coefficients, for standardised differences.
const RIDGE: f64 = 150.0;
/// Largest standardised difference.
const LIMIT: f64 = 4.0;
/// Newton steps; the loss is convex and smooth, and a few are enough.
const NEWTON_STEPS: usize = 12;

/// The sign of the difference in length that fits the training side best.
pub(super) struct LengthLine {
    sign: f64,
}

impl LengthLine {
    pub(super) fn fit(train: &[EpisodeObservation]) -> Self {
        let agreed: f64 =
            samples(train).map(|(rivals, winner)| length(rivals).signum() * (winner - 0.5)).sum();
        Self { sign: if agreed < 0.0 { -1.0 } else { 1.0 } }
    }

    pub(super) fn score(&self, rivals: &Rivals) -> f64 {
        self.sign * length(rivals)
    }
}

fn length(rivals: &Rivals) -> f64 {
    let characters = FORM_NAMES.iter().position(|name| *name == "characters").unwrap_or(0);
    let [a, b] = &rivals.features;
    f64::from(a[characters]) - f64::from(b[characters])
}

fn samples(train: &[EpisodeObservation]) -> impl Iterator<Item = (&Rivals, f64)> {
    train.iter().filter_map(|episode| Some((episode.rivals.as_ref()?, f64::from(episode.winner?))))
}

type Vector = [f64; RIVAL_FEATURES];

/// Ridge-penalised logistic regression without an intercept on the differences of the rivals' numbers, so that
/// exchanging the rivals changes the sign. Ties are halves.
pub(super) struct TextLine {
    scale: Vec<f64>,
    weights: Vec<f64>,
}

impl TextLine {
    pub(super) fn fit(train: &[EpisodeObservation]) -> Self {
        let (rows, winners): (Vec<Vector>, Vec<f64>) =
            samples(train).map(|(rivals, winner)| (difference(rivals), winner)).unzip();
        let scale: Vec<f64> = (0..RIVAL_FEATURES)
            .map(|at| {
                (rows.iter().map(|row| row[at] * row[at]).sum::<f64>() / rows.len().max(1) as f64).sqrt()
            })
            .map(|deviation| if deviation > 1e-9 { 1.0 / deviation } else { 0.0 })
            .collect();
        let rows: Vec<Vec<f64>> = rows.iter().map(|row| scaled(row, &scale)).collect();
        let weights = logistic(&rows, &winners);
        Self { scale, weights }
    }

    pub(super) fn score(&self, rivals: &Rivals) -> f64 {
        dot(&scaled(&difference(rivals), &self.scale), &self.weights)
    }
}

/// Differences in standard deviations, none beyond [`LIMIT`].
fn scaled(row: &Vector, scale: &[f64]) -> Vec<f64> {
    row.iter().zip(scale).map(|(value, scale)| (value * scale).clamp(-LIMIT, LIMIT)).collect()
}

fn difference(rivals: &Rivals) -> Vector {
    let [a, b] = &rivals.features;
    std::array::from_fn(|at| f64::from(a[at]) - f64::from(b[at]))
}

/// Newton's method (iteratively reweighted least squares) for the ridge-penalised logistic loss.
fn logistic(rows: &[Vec<f64>], winners: &[f64]) -> Vec<f64> {
    let mut weights = vec![0.0; RIVAL_FEATURES];
    for _ in 0..NEWTON_STEPS {
        let mut gradient: Vec<f64> = weights.iter().map(|weight| RIDGE * weight).collect();
        let mut hessian = vec![vec![0.0; RIVAL_FEATURES]; RIVAL_FEATURES];
        for (row, winner) in rows.iter().zip(winners) {
            let chance = 1.0 / (1.0 + (-dot(row, &weights)).exp());
            let curvature = chance * (1.0 - chance);
            for (at, value) in row.iter().enumerate().filter(|(_, value)| **value != 0.0) {
                gradient[at] += (chance - winner) * value;
                (0..=at).for_each(|other| hessian[at][other] += curvature * value * row[other]);
            }
        }
        (0..RIVAL_FEATURES).for_each(|at| hessian[at][at] += RIDGE);
        let step = solve(hessian, gradient);
        weights.iter_mut().zip(step).for_each(|(weight, step)| *weight -= step);
    }
    weights
}

/// Solves `A x = b` for a symmetric positive definite matrix given by its lower half (Cholesky).
fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for i in 0..n {
        for j in 0..=i {
            let rest = a[i][j] - (0..j).map(|k| a[i][k] * a[j][k]).sum::<f64>();
            a[i][j] = if i == j { rest.sqrt() } else { rest / a[j][j] };
        }
    }
    for i in 0..n {
        b[i] = (b[i] - (0..i).map(|k| a[i][k] * b[k]).sum::<f64>()) / a[i][i];
    }
    for i in (0..n).rev() {
        b[i] = (b[i] - (i + 1..n).map(|k| a[k][i] * b[k]).sum::<f64>()) / a[i][i];
    }
    b
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(first: f32, noise: f32, winner: f32) -> EpisodeObservation {
        let mut features = [[0.0; RIVAL_FEATURES]; 2];
        features[0][3] = first;
        features[1][7] = noise;
        let rivals = Some(Rivals { agents: [1, 2], features });
        EpisodeObservation { rivals, winner: Some(winner), ..EpisodeObservation::default() }
    }

    #[test]
    fn a_symmetric_system_is_solved() {
        let x = solve(vec![vec![4.0, 0.0], vec![2.0, 3.0]], vec![8.0, 7.0]);
        assert!((x[0] - 1.25).abs() < 1e-12 && (x[1] - 1.5).abs() < 1e-12, "{x:?}");
    }

    #[test]
    fn the_number_that_decides_gets_the_weight() {
        let records: Vec<EpisodeObservation> = (0..400)
            .map(|i| {
                let first = [1.0, -1.0][i % 2];
                record(first, [0.5, -0.5][i / 2 % 2], f32::from(u8::from((first > 0.0) != (i % 10 == 0))))
            })
            .collect();
        let line = TextLine::fit(&records);
        assert!(line.weights[3] > 10.0 * line.weights[7].abs(), "{:?}", &line.weights[..8]);
        let exchange = |record: &EpisodeObservation| {
            let Rivals { agents: [i, j], features: [a, b] } = record.rivals.clone().unwrap();
            Rivals { agents: [j, i], features: [b, a] }
        };
        let score = line.score(records[0].rivals.as_ref().unwrap());
        assert!(score > 0.0);
        assert_eq!(line.score(&exchange(&records[0])), -score);
    }

    #[test]
    fn where_people_like_it_short_the_shorter_answer_wins() {
        let mut records: Vec<EpisodeObservation> = (0..4).map(|_| record(0.0, 0.0, 0.0)).collect();
        records.iter_mut().for_each(|record| record.rivals.as_mut().unwrap().features[0][0] = 1.0);
        let line = LengthLine::fit(&records);
        assert!(line.score(records[0].rivals.as_ref().unwrap()) < 0.0);
    }
}
