//! What training minimises, each part reported apart.

use burn::tensor::Tensor;
use burn::tensor::activation::{log_softmax, sigmoid};
use serde::{Deserialize, Serialize};

use crate::batch::{Batch, Targets};
use crate::coordinator::Output;

/// How the scores of the candidates are trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Objective {
    /// Weighted binary cross-entropy: scores are calibrated across decisions, as thresholds need.
    Bce,
    /// Softmax over the candidates of a decision: scores are compared within a decision only.
    Listwise,
    /// The mean of the two.
    Both,
}

/// Weights of the parts of the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    /// How the scores are trained.
    pub objective: Objective,
    /// λ1, reconstruction of the essential items from the latent prompt.
    pub items: f32,
    /// λ2, the winner of two-model episodes.
    pub winner: f32,
    /// λ3, equal use of the channels.
    pub balance: f32,
    /// λ5, whether the next call adds something that is used later.
    pub calls: f32,
    /// λ4, share of candidates kept above `budget_share`.
    pub budget: f32,
    /// Mean share of candidates that may be kept without a penalty, in (0, 1].
    pub budget_share: f32,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self {
            objective: Objective::Bce,
            items: 0.05,
            winner: 0.1,
            balance: 0.01,
            calls: 0.1,
            budget: 0.0,
            budget_share: 0.5,
        }
    }
}

impl LossConfig {
    /// The first value that is out of bounds, as (key, value, rule).
    #[must_use]
    pub fn fault(&self) -> Option<(&'static str, f32, &'static str)> {
        let weights = [
            ("items", self.items),
            ("winner", self.winner),
            ("balance", self.balance),
            ("calls", self.calls),
            ("budget", self.budget),
        ];
        let bad = weights.into_iter().find(|(_, value)| !(0.0..=1e6).contains(value));
        let share = self.budget_share > 0.0 && self.budget_share <= 1.0;
        bad.map(|(key, value)| (key, value, "must lie in [0, 1e6]")).or((!share).then_some((
            "budget_share",
            self.budget_share,
            "must lie in (0, 1]",
        )))
    }

    /// The loss of a forward pass, a mean over the episodes of the batch.
    #[must_use]
    pub fn compute(&self, output: &Output, batch: &Batch) -> Loss {
        let device = output.logits.device();
        let episodes = batch.episodes() as f32;
        let zero = || Tensor::<1>::zeros([1], &device);
        let empty = batch.pairs() == 0;
        let scores = if empty { zero() } else { self.scores(&output.logits, batch).div_scalar(episodes) };
        let items = match (&output.items, &batch.targets.items) {
            (Some(logits), Some((places, weight))) => {
                let [decisions, buckets] = logits.dims();
                let chance = log_softmax(logits.clone(), 1).reshape([decisions * buckets]);
                let lost = chance.select(0, places.clone()).mul(weight.clone()).sum();
                lost.neg().div_scalar(episodes)
            }
            _ => zero(),
        };
        let winner = match (&output.winner, &batch.rivals) {
            (Some(logits), Some(rivals)) => bce(logits, &rivals.target).sum().div_scalar(episodes),
            _ => zero(),
        };
        let calls = match (&output.calls, &batch.foreseen) {
            (Some(logits), Some(calls)) => {
                bce(logits, &calls.label).mul(calls.weight.clone()).sum().div_scalar(episodes)
            }
            _ => zero(),
        };
        let balance = balance(&output.gates.share);
        let budget = if empty { zero() } else { self.over_budget(&output.logits, &batch.targets, episodes) };
        let total = scores
            .clone()
            .add(items.clone().mul_scalar(self.items))
            .add(winner.clone().mul_scalar(self.winner))
            .add(calls.clone().mul_scalar(self.calls))
            .add(balance.clone().mul_scalar(self.balance))
            .add(budget.clone().mul_scalar(self.budget));
        Loss { total, scores, items, winner, calls, balance, budget }
    }

    fn scores(&self, logits: &Tensor<1>, batch: &Batch) -> Tensor<1> {
        match self.objective {
            Objective::Bce => pointwise(logits, &batch.targets),
            Objective::Listwise => listwise(logits, batch),
            Objective::Both => pointwise(logits, &batch.targets).add(listwise(logits, batch)).mul_scalar(0.5),
        }
    }

    fn over_budget(&self, logits: &Tensor<1>, targets: &Targets, episodes: f32) -> Tensor<1> {
        let kept = sigmoid(logits.clone()).mul(targets.weight.clone()).sum().div_scalar(episodes);
        kept.sub_scalar(self.budget_share).clamp_min(0.0).square()
    }
}

/// The parts of a loss before their weights, and the weighted sum; each `[1]`.
#[derive(Debug)]
pub struct Loss {
    /// What is minimised.
    pub total: Tensor<1>,
    /// Scores of the candidates.
    pub scores: Tensor<1>,
    /// Reconstruction of the essential items.
    pub items: Tensor<1>,
    /// Winner of two-model episodes.
    pub winner: Tensor<1>,
    /// Calls worth making.
    pub calls: Tensor<1>,
    /// Unequal use of the channels, 0 when equal.
    pub balance: Tensor<1>,
    /// Square of the share kept beyond the budget.
    pub budget: Tensor<1>,
}

/// The values of a [`Loss`].
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct LossValues {
    /// What is minimised.
    pub total: f32,
    /// Scores of the candidates.
    pub scores: f32,
    /// Reconstruction of the essential items.
    pub items: f32,
    /// Winner of two-model episodes.
    pub winner: f32,
    /// Calls worth making; 0 in logs from before there was a call gate.
    #[serde(default)]
    pub calls: f32,
    /// Unequal use of the channels.
    pub balance: f32,
    /// Square of the share kept beyond the budget.
    pub budget: f32,
}

impl Loss {
    /// Reads the values from the device, in one transfer.
    #[must_use]
    pub fn values(&self) -> LossValues {
        let parts =
            [&self.total, &self.scores, &self.items, &self.winner, &self.calls, &self.balance, &self.budget];
        let all = Tensor::cat(parts.map(|part| part.clone().detach()).into(), 0).into_data();
        let mut values = all.iter::<f32>();
        let mut next = || values.next().unwrap_or(f32::NAN);
        LossValues {
            total: next(),
            scores: next(),
            items: next(),
            winner: next(),
            calls: next(),
            balance: next(),
            budget: next(),
        }
    }
}

impl LossValues {
    /// Adds `share` times `other`.
    pub fn add(&mut self, other: &Self, share: f32) {
        self.total += share * other.total;
        self.scores += share * other.scores;
        self.items += share * other.items;
        self.winner += share * other.winner;
        self.calls += share * other.calls;
        self.balance += share * other.balance;
        self.budget += share * other.budget;
    }
}

/// Binary cross-entropy with logits, `max(x, 0) − x·y + ln(1 + e^{−|x|})`, entry by entry.
fn bce(logits: &Tensor<1>, target: &Tensor<1>) -> Tensor<1> {
    let soft = logits.clone().abs().neg().exp().log1p();
    logits.clone().clamp_min(0.0).sub(logits.clone().mul(target.clone())).add(soft)
}

fn pointwise(logits: &Tensor<1>, targets: &Targets) -> Tensor<1> {
    bce(logits, &targets.label).mul(targets.weight.clone()).sum()
}

/// `−Σ share_i (x_i − ln Σ_decision e^x)`; logits are held within ±30 so that the sum needs no maximum.
fn listwise(logits: &Tensor<1>, batch: &Batch) -> Tensor<1> {
    let [decisions] = batch.targets.decision_weight.dims();
    let x = logits.clone().clamp(-30.0, 30.0);
    let mass = Tensor::<1>::zeros([decisions], &x.device()).select_assign(
        0,
        batch.asked.decision_of.clone(),
        x.clone().exp(),
        burn::tensor::IndexingUpdateOp::Add,
    );
    let norm = mass.clamp_min(1e-20).log().mul(batch.targets.decision_weight.clone()).sum();
    norm.sub(x.mul(batch.targets.share.clone()).sum())
}

/// `r Σ u_j² − 1` for the channels' shares u of all use: 0 when all are used alike.
fn balance(share: &Tensor<2>) -> Tensor<1> {
    let [turns, r] = share.dims();
    if turns == 0 {
        return Tensor::zeros([1], &share.device());
    }
    let used: Tensor<1> = share.clone().mean_dim(0).squeeze_dim(0);
    let total = used.clone().sum().add_scalar(1e-9);
    used.div(total).square().sum().mul_scalar(r as f32).sub_scalar(1.0)
}
