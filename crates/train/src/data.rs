//! Data sets → observed episodes on two sides of a split.

use std::sync::Arc;

use lrrc_dataset::{Dataset, ReadOptions, Side, Split, k_folds};
use lrrc_episode::observe::{Decision, EpisodeObservation, Mode, ObserveOptions, anonymous, observe_episode};
use lrrc_episode::{Encoding, Episode, TokenCounter};
use lrrc_eval::digest_answers;
use serde::{Deserialize, Serialize};

use crate::config::DataConfig;
use crate::error::TrainError;
use crate::parallel::in_parallel;
use crate::teacher::teach;

/// Most ingest decisions for each decision of another mode.
const INGEST_SHARE: usize = 3;

/// Shares of each answer that digests to learn from keep.
const DIGEST_SHARES: [f64; 3] = [0.25, 0.5, 0.75];

/// Observed episodes.
#[derive(Debug, Clone, Default)]
pub struct Data {
    /// To learn from.
    pub train: Vec<EpisodeObservation>,
    /// To choose with.
    pub validation: Vec<EpisodeObservation>,
    /// Hash of the content of all data sets, in order.
    pub hash: String,
    /// What was read.
    pub sources: Vec<Source>,
}

/// What was read of one data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Name or path as configured.
    pub name: String,
    /// Hash of its files.
    pub hash: String,
    /// Episodes to learn from.
    pub train: usize,
    /// Episodes to choose with.
    pub validation: usize,
    /// Faulty rows passed over.
    pub skipped: u64,
}

impl Data {
    /// Reads, splits and observes what the configuration names.
    ///
    /// # Errors
    /// A data set that cannot be read or split, or a side without any decision.
    pub fn load(config: &DataConfig, workers: usize) -> Result<Self, TrainError> {
        let counter = Arc::new(TokenCounter::new(Encoding::Cl100kBase));
        let mut data = Self::default();
        let mut hash = blake3::Hasher::new();
        for name in &config.datasets {
            let options = ReadOptions {
                skip_bad: config.skip_bad,
                counter: Some(Arc::clone(&counter)),
                ..ReadOptions::default()
            };
            let dataset = Dataset::open(name, &options)?;
            let Sides { train, validation, skipped, .. } = sides(&dataset, config)?;
            let source = Source {
                name: name.clone(),
                hash: dataset.data_hash()?,
                train: train.len(),
                validation: validation.len(),
                skipped,
            };
            hash.update(source.hash.as_bytes());
            data.sources.push(source);
            let mut pupils = observe(&train, &counter, workers);
            // Gold evidence is what people marked, not a draw: it needs no softening.
            let recorded = train.iter().all(|episode| episode.queries.is_empty());
            if config.teacher > 0.0 && recorded {
                let groups: Vec<String> = train.iter().map(|episode| episode.group.clone()).collect();
                teach(&mut pupils, &groups, config.teacher)?;
            }
            pupils.iter_mut().for_each(|pupil| even_out(&mut pupil.decisions, config.even_modes));
            data.train.extend(pupils);
            if config.rival_digests {
                data.train.extend(observe(&digests(&train, &counter, workers), &counter, workers));
            }
            data.validation.extend(observe(&validation, &counter, workers));
        }
        data.hash = hash.finalize().to_hex().to_string();
        data.check()?;
        Ok(data)
    }

    /// Observes episodes that are already on their sides. `hash` names their content.
    ///
    /// # Errors
    /// [`TrainError::Empty`] with the side that has no decision and no verdict.
    pub fn of(
        train: &[Episode],
        validation: &[Episode],
        hash: String,
        config: &DataConfig,
        workers: usize,
    ) -> Result<Self, TrainError> {
        let counter = TokenCounter::new(Encoding::Cl100kBase);
        let digests = if config.rival_digests { digests(train, &counter, workers) } else { Vec::new() };
        let [mut train, validation, digests] =
            [train, validation, &digests].map(|side| observe(side, &counter, workers));
        train.iter_mut().for_each(|pupil| even_out(&mut pupil.decisions, config.even_modes));
        train.extend(digests);
        let data = Self { train, validation, hash, sources: Vec::new() };
        data.check()?;
        Ok(data)
    }

    /// Both sides must have a decision to learn from or to choose with.
    ///
    /// # Errors
    /// [`TrainError::Empty`] with the side.
    pub fn check(&self) -> Result<(), TrainError> {
        for (side, episodes) in [("train", &self.train), ("validation", &self.validation)] {
            let total = episodes.len();
            if !episodes.iter().any(|episode| !episode.decisions.is_empty() || episode.winner.is_some()) {
                let read: Vec<String> = self
                    .sources
                    .iter()
                    .map(|s| format!("{}: {} train, {} validation", s.name, s.train, s.validation))
                    .collect();
                let reason = format!("{total} episodes, none with a decision ({})", read.join("; "));
                return Err(TrainError::Empty { side, reason });
            }
        }
        Ok(())
    }
}

/// The episodes of a data set by what they are for.
#[derive(Debug, Clone, Default)]
pub struct Sides {
    /// To learn from.
    pub train: Vec<Episode>,
    /// To choose with.
    pub validation: Vec<Episode>,
    /// Held out.
    pub test: Vec<Episode>,
    /// Faulty rows passed over.
    pub skipped: u64,
}

/// Divides a data set: by its own split, or by group folds, of which `data.fold` is held out and the next one is for
/// choosing.
///
/// # Errors
/// A data set that cannot be read or split.
pub fn sides(dataset: &Dataset, config: &DataConfig) -> Result<Sides, TrainError> {
    let (episodes, report) = dataset.read_all()?;
    let mut sides = Sides { skipped: report.skipped, ..Sides::default() };
    if config.folds == 0 {
        let split = Split::of(&episodes, dataset.split_spec())?;
        sides.train = split.select(&episodes, Side::Train);
        sides.validation = split.select(&episodes, Side::Validation);
        sides.test = split.select(&episodes, Side::Test);
        return Ok(sides);
    }
    let folds = k_folds(&episodes, config.folds, dataset.split_spec().seed)?;
    let chooser = (config.fold + 1) % config.folds;
    for (episode, fold) in episodes.into_iter().zip(folds) {
        match fold {
            fold if fold == config.fold => sides.test.push(episode),
            fold if fold == chooser => sides.validation.push(episode),
            _ => sides.train.push(episode),
        }
    }
    Ok(sides)
}

fn observe(episodes: &[Episode], counter: &TokenCounter, workers: usize) -> Vec<EpisodeObservation> {
    let options = ObserveOptions::default();
    in_parallel(workers, episodes.len(), |index| {
        let mut observation = observe_episode(&anonymous(&episodes[index]), counter, &options).observation;
        thin(&mut observation.decisions);
        observation
    })
}

/// One digest of each two-model episode, at the shares of [`DIGEST_SHARES`] in turn.
fn digests(episodes: &[Episode], counter: &TokenCounter, workers: usize) -> Vec<Episode> {
    let judged: Vec<&Episode> = episodes.iter().filter(|one| one.outcome.winner.is_some()).collect();
    in_parallel(workers, judged.len(), |at| {
        digest_answers(judged[at], counter, DIGEST_SHARES[at % DIGEST_SHARES.len()])
    })
}

/// Brings the total weights of the modes of an episode nearer to each other, by their ratio to the mean to the power of
/// `part`: a mode that looks at the whole history has more candidates by far than one that sees a turn arrive.
fn even_out(decisions: &mut [Decision], part: f32) {
    let mut totals = [0.0f32; Mode::ALL.len()];
    for decision in &*decisions {
        totals[decision.mode.index()] += decision.candidates.iter().map(|one| one.weight).sum::<f32>();
    }
    let present = totals.iter().filter(|total| **total > 0.0).count().max(1);
    let mean = totals.iter().sum::<f32>() / present as f32;
    for decision in decisions {
        let total = totals[decision.mode.index()];
        let factor = if total > 0.0 { (mean / total).powf(part) } else { 1.0 };
        decision.candidates.iter_mut().for_each(|one| one.weight *= factor);
    }
}

/// Leaves at most [`INGEST_SHARE`] ingest decisions for each other decision, evenly spaced: a meeting has hundreds
/// of turns and a handful of queries, and the queries would hardly ever be drawn.
fn thin(decisions: &mut Vec<Decision>) {
    let ingest = decisions.iter().filter(|decision| decision.mode == Mode::Ingest).count();
    let most = INGEST_SHARE * (decisions.len() - ingest).max(1);
    let stride = ingest.div_ceil(most).max(1);
    let mut seen = 0;
    decisions.retain(|decision| {
        let is_ingest = decision.mode == Mode::Ingest;
        seen += usize::from(is_ingest);
        !is_ingest || seen % stride == 0
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use lrrc_episode::observe::{Candidate, FEATURES};

    fn decision(mode: Mode, weights: &[f32]) -> Decision {
        let candidate =
            |(segment, weight)| Candidate { segment, features: [0.0; FEATURES], label: 0.0, weight };
        Decision {
            mode,
            turns_seen: 1,
            agent: 0,
            query: Vec::new(),
            candidates: weights.iter().copied().enumerate().map(candidate).collect(),
            essential: Vec::new(),
        }
    }

    /// Weights of all candidates after evening out an episode in which one mode has eighteen times the weight of another.
    #[track_caller]
    fn check(part: f32, expect: &[f32]) {
        let mut decisions = [
            decision(Mode::Rerank, &[4.0, 8.0]),
            decision(Mode::Ingest, &[1.0]),
            decision(Mode::Rerank, &[6.0, 0.0]),
            decision(Mode::Once, &[0.0]),
        ];
        even_out(&mut decisions, part);
        let weights = decisions.iter().flat_map(|one| &one.candidates).map(|one| one.weight);
        let gap = weights.zip(expect).map(|(weight, expect)| (weight - expect).abs()).fold(0.0, f32::max);
        assert!(gap < 1e-5, "part {part}: {decisions:?}, not {expect:?}");
    }

    #[test]
    fn modes_weigh_what_their_candidates_do_or_the_same() {
        check(0.0, &[4.0, 8.0, 1.0, 6.0, 0.0, 0.0]);
        check(1.0, &[4.0 * 9.5 / 18.0, 8.0 * 9.5 / 18.0, 9.5, 6.0 * 9.5 / 18.0, 0.0, 0.0]);
        let (many, few) = ((9.5f32 / 18.0).sqrt(), 9.5f32.sqrt());
        check(0.5, &[4.0 * many, 8.0 * many, few, 6.0 * many, 0.0, 0.0]);
    }
}
