//! One optimizer step, and one look at held-out episodes.
//!
//! A batch is cut into parts of a fixed number of episodes. Threads share the parts, each on its own copy of the
//! model's leaves; gradients are added in the order of the parts. So the result depends on the cut, which is in the
//! configuration, and not on the number of threads or on their luck.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Device;
use lrrc_episode::observe::EpisodeObservation;
use lrrc_model::{Batch, Coordinator, LossConfig, LossValues, PolicyError, floats};
use serde::{Deserialize, Serialize};

use crate::adamw::{AdamW, Gradients};
use crate::config::Config;
use crate::parallel::in_parallel;

/// Shares of the candidates at which [`Scores::recall`] is taken.
pub const RECALL_BUDGETS: [f64; 4] = [0.1, 0.2, 0.3, 0.5];

/// The model on its way.
#[derive(Debug)]
pub struct Learner {
    /// Weights.
    pub model: Coordinator,
    /// Moments.
    pub optimizer: AdamW,
    device: Device,
    workers: usize,
}

/// What one step saw, before the weights moved.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// Loss over the batch.
    pub loss: LossValues,
    gradients: Gradients,
}

impl Measured {
    /// Norm of the gradient.
    #[must_use]
    pub fn norm(&self) -> f64 {
        self.gradients.norm()
    }
}

/// Figures on held-out episodes.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Scores {
    /// Loss.
    pub loss: LossValues,
    /// Essential weight among the best-scored candidates of a decision, at each of [`RECALL_BUDGETS`].
    pub recall: [f64; RECALL_BUDGETS.len()],
}

impl Scores {
    /// Mean over the budgets.
    #[must_use]
    pub fn mean_recall(&self) -> f64 {
        self.recall.iter().sum::<f64>() / self.recall.len() as f64
    }
}

impl Learner {
    /// A learner on `device` (without autodiff), with `workers` threads.
    #[must_use]
    pub fn new(model: Coordinator, optimizer: AdamW, device: &Device, workers: usize) -> Self {
        Self { model, optimizer, device: device.clone().autodiff(), workers: workers.max(1) }
    }

    /// Loss and gradient over a batch; the weights stay.
    ///
    /// # Errors
    /// An episode that contradicts itself.
    pub fn measure(
        &self,
        episodes: &[&EpisodeObservation],
        config: &Config,
    ) -> Result<Measured, PolicyError> {
        let parts: Vec<&[&EpisodeObservation]> = episodes.chunks(config.optim.micro_batch).collect();
        let results = in_parallel(self.workers, parts.len(), |part| {
            let share = parts[part].len() as f32 / episodes.len() as f32;
            // New leaves for each part: graphs that share none run side by side.
            let model = self.model.clone().train();
            let batch = Batch::new(parts[part], &self.device)?;
            let loss = config.loss.compute(&model.forward(&batch), &batch);
            let values = loss.values();
            let grads = GradientsParams::from_grads(loss.total.mul_scalar(share).backward(), &model);
            Ok((share, values, Gradients::read(&model, &grads)))
        });
        let mut measured = Measured::default();
        for result in results {
            let (share, values, gradients) = result?;
            measured.loss.add(&values, share);
            measured.gradients.add(gradients);
        }
        Ok(measured)
    }

    /// Moves the weights along a measured gradient.
    pub fn step(&mut self, measured: &Measured, config: &Config, rate: f64) {
        let (norm, limit) = (measured.norm(), config.optim.clip_norm);
        let scale = if limit > 0.0 && norm > limit { limit / norm } else { 1.0 };
        let model = self.model.clone();
        self.model = self.optimizer.step(model, &measured.gradients, &config.optim, rate, scale);
    }

    /// The model that is judged and kept: the running mean of the weights if there is one.
    #[must_use]
    pub fn averaged(&self) -> Coordinator {
        self.optimizer.averaged(&self.model)
    }

    /// Figures of [`Self::averaged`] on held-out episodes.
    ///
    /// # Errors
    /// An episode that contradicts itself.
    pub fn evaluate(
        &self,
        episodes: &[impl AsRef<EpisodeObservation> + Sync],
        loss: &LossConfig,
    ) -> Result<Scores, PolicyError> {
        let model = self.averaged().valid();
        let device = self.device.clone().without_autodiff();
        let results = in_parallel(self.workers, episodes.len(), |index| {
            let episode = episodes[index].as_ref();
            let batch = Batch::new(&[episode], &device)?;
            let output = model.forward(&batch);
            let values = loss.compute(&output, &batch).values();
            let logits = floats(output.logits);
            Ok((values, kept(episode, &logits)))
        });
        let (mut scores, mut counted) = (Scores::default(), 0.0_f64);
        for result in results {
            let (values, recall) = result?;
            scores.loss.add(&values, 1.0 / episodes.len() as f32);
            if let Some(recall) = recall {
                scores.recall.iter_mut().zip(recall).for_each(|(sum, recall)| *sum += recall);
                counted += 1.0;
            }
        }
        scores.recall.iter_mut().for_each(|sum| *sum /= counted.max(1.0));
        Ok(scores)
    }
}

/// Share of the essential weight among the best-scored candidates, a mean over the decisions that have any.
fn kept(episode: &EpisodeObservation, logits: &[f32]) -> Option<[f64; RECALL_BUDGETS.len()]> {
    let (mut sums, mut counted, mut first) = ([0.0; RECALL_BUDGETS.len()], 0.0_f64, 0);
    for decision in &episode.decisions {
        let candidates = &decision.candidates;
        let logits = &logits[first..first + candidates.len()];
        first += candidates.len();
        let weight = |index: usize| f64::from(candidates[index].weight * candidates[index].label);
        let total: f64 = (0..candidates.len()).map(weight).sum();
        if total <= 0.0 {
            continue;
        }
        let mut order: Vec<usize> = (0..candidates.len()).collect();
        order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
        for (sum, budget) in sums.iter_mut().zip(RECALL_BUDGETS) {
            let count = (budget * candidates.len() as f64).ceil() as usize;
            *sum += order[..count].iter().map(|&index| weight(index)).sum::<f64>() / total;
        }
        counted += 1.0;
    }
    (counted > 0.0).then(|| sums.map(|sum| sum / counted))
}
