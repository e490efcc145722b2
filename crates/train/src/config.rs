//! What to train on, with what, and how: one TOML file an experiment.
//!
//! A file may leave anything out; what it says and what `--set table.key=value` says is laid over the defaults, and
//! every key must be known. [`Config::resolve`] is the only way to a [`Config`], so whatever holds one holds values
//! that were checked.

mod raw;

use std::fmt::Display;

use lrrc_model::{CoordinatorConfig, LossConfig};
use serde::{Deserialize, Serialize};

use crate::error::ConfigError;

/// A checked experiment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Sizes and bounds of the model.
    pub model: CoordinatorConfig,
    /// What to learn from.
    pub data: DataConfig,
    /// How to step.
    pub optim: OptimConfig,
    /// What to minimise.
    pub loss: LossConfig,
    /// Where and how to run.
    pub run: RunConfig,
}

/// What to learn from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Shipped names, Parquet shards, data set folders or JSONL files.
    pub datasets: Vec<String>,
    /// Folds of a group k-fold, at least 3; 0 takes each data set's own split.
    pub folds: usize,
    /// The fold that is held out; the next one is for choosing, the others are to learn from.
    pub fold: usize,
    /// Decisions of an episode used in one epoch, drawn anew each epoch; 0 takes all.
    pub decisions: usize,
    /// After choosing the number of epochs on the validation side, learn anew from both sides for that many.
    pub refit: bool,
    /// Share of the numbers of two rivals that are hidden in each epoch, drawn anew, in [0, 1).
    pub rival_dropout: f32,
    /// Learn from one digest of each two-model episode besides its full text.
    pub rival_digests: bool,
    /// How far the labels of data sets of recorded calls are moved towards what boosted trees, grown on the other groups,
    /// say of them; 0 leaves them as recorded, 1 takes the trees' word alone.
    pub teacher: f32,
    /// How far the modes of an episode weigh the same, in [0, 1]; at 0 each candidate weighs by itself, and the mode that
    /// looks at the whole history has most of them.
    pub even_modes: f32,
    /// Pass over faulty rows instead of stopping at the first.
    pub skip_bad: bool,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            datasets: vec!["taubench-airline".into()],
            folds: 0,
            fold: 0,
            decisions: 0,
            refit: false,
            rival_dropout: 0.0,
            rival_digests: false,
            teacher: 0.0,
            even_modes: 0.0,
            skip_bad: false,
        }
    }
}

/// Course of the learning rate after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Stays.
    Constant,
    /// Falls in a straight line.
    Linear,
    /// Falls along half a cosine.
    Cosine,
}

/// What early stopping and the best checkpoint look at, on the validation episodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Monitor {
    /// The loss of the scores; lower is better.
    Loss,
    /// The mean over budgets of the essential weight kept; higher is better.
    Recall,
    /// The loss of the winners of two-model episodes; lower is better.
    Winner,
}

/// How to step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimConfig {
    /// Largest learning rate.
    pub learning_rate: f64,
    /// Episodes of a step.
    pub batch: usize,
    /// Episodes of a part of a batch. Parts are what threads share; results depend on it, but not on the threads.
    pub micro_batch: usize,
    /// Most epochs.
    pub epochs: usize,
    /// Course of the learning rate after the warm-up.
    pub schedule: Schedule,
    /// Steps over which the learning rate rises from 0.
    pub warmup_steps: u64,
    /// Share of the learning rate left at the end of a linear or cosine schedule.
    pub final_share: f64,
    /// Decoupled weight decay of matrices.
    pub weight_decay: f64,
    /// Decay of the first moment.
    pub beta_1: f64,
    /// Decay of the second moment.
    pub beta_2: f64,
    /// Guard of the division.
    pub epsilon: f64,
    /// Decay of the running mean of the weights, in [0, 1): what is looked at, chosen and kept is the mean (Polyak and
    /// Juditsky 1992, with the decay of a moving average); 0 keeps the weights of the step itself.
    pub average: f64,
    /// Largest norm of the gradient; 0 does not clip.
    pub clip_norm: f64,
    /// Epochs without progress after which training stops; 0 never stops.
    pub patience: usize,
    /// What progress is.
    pub monitor: Monitor,
}

impl Default for OptimConfig {
    fn default() -> Self {
        Self {
            learning_rate: 2e-3,
            batch: 8,
            micro_batch: 2,
            epochs: 30,
            schedule: Schedule::Cosine,
            warmup_steps: 20,
            final_share: 0.05,
            weight_decay: 0.01,
            beta_1: 0.9,
            beta_2: 0.99,
            epsilon: 1e-8,
            average: 0.0,
            clip_norm: 1.0,
            patience: 6,
            monitor: Monitor::Loss,
        }
    }
}

/// Where and how to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunConfig {
    /// Name of the run; its folder is `dir/name-seed`.
    pub name: String,
    /// Folder of all runs.
    pub dir: String,
    /// Seed of the weights, of the order of the episodes and of what is drawn from them.
    pub seed: u64,
    /// `cpu`, `wgpu` or `cuda`.
    pub device: String,
    /// Threads; 0 takes as many as there are cores. The weights do not depend on it.
    pub workers: usize,
    /// Steps between checkpoints within an epoch; 0 saves at the end of each epoch only.
    pub checkpoint_steps: u64,
    /// Whether to train the no-state control after the model.
    pub control: bool,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            name: "train".into(),
            dir: "runs".into(),
            seed: 7,
            device: "cpu".into(),
            workers: 0,
            checkpoint_steps: 0,
            control: false,
        }
    }
}

impl Config {
    /// Lays `text` (called `place` in messages) and then `overrides` over the defaults, and checks the result.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line, the value and the bound.
    pub fn resolve(place: &str, text: &str, overrides: &[String]) -> Result<Self, ConfigError> {
        let config = raw::resolve(place, text, overrides)?;
        config.check()?;
        Ok(config)
    }

    /// The whole experiment as TOML, nothing left out.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).unwrap_or_default()
    }

    /// Keys whose values differ, apart from those that cannot change the weights.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        raw::differences(self, other)
    }

    fn check(&self) -> Result<(), ConfigError> {
        self.model.validate()?;
        if let Some((key, value, rule)) = self.loss.fault() {
            return Err(fault(&format!("loss.{key}"), value, rule));
        }
        self.check_data()?;
        self.check_optim()?;
        let named = !self.run.name.is_empty() && !self.run.name.contains(['/', '\\']);
        require(named, "run.name", &self.run.name, "must be a plain folder name")
    }

    fn check_data(&self) -> Result<(), ConfigError> {
        let data = &self.data;
        require(!data.datasets.is_empty(), "data.datasets", "[]", "must name at least one data set")?;
        let rule = "must be 0 (the data set's split) or at least 3";
        require(data.folds == 0 || data.folds >= 3, "data.folds", data.folds, rule)?;
        let hidden = (0.0..1.0).contains(&data.rival_dropout);
        require(hidden, "data.rival_dropout", data.rival_dropout, "must lie in [0, 1)")?;
        let teacher = (0.0..=1.0).contains(&data.teacher);
        require(teacher, "data.teacher", data.teacher, "must lie in [0, 1]")?;
        let even = (0.0..=1.0).contains(&data.even_modes);
        require(even, "data.even_modes", data.even_modes, "must lie in [0, 1]")?;
        let inside = data.folds == 0 || data.fold < data.folds;
        require(inside, "data.fold", data.fold, &format!("must be below data.folds = {}", data.folds))
    }

    fn check_optim(&self) -> Result<(), ConfigError> {
        let optim = &self.optim;
        let positive = |value: f64| value > 0.0 && value.is_finite();
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let rate = optim.learning_rate;
        require(positive(rate), "optim.learning_rate", rate, "must be above 0")?;
        require(optim.batch >= 1, "optim.batch", optim.batch, "must be at least 1")?;
        let parts = (1..=optim.batch).contains(&optim.micro_batch);
        let rule = format!("must lie in 1..=optim.batch = {}", optim.batch);
        require(parts, "optim.micro_batch", optim.micro_batch, &rule)?;
        require(optim.epochs >= 1, "optim.epochs", optim.epochs, "must be at least 1")?;
        require(share(optim.final_share), "optim.final_share", optim.final_share, "must lie in [0, 1]")?;
        let decay = optim.weight_decay;
        require(decay >= 0.0 && decay.is_finite(), "optim.weight_decay", decay, "must be at least 0")?;
        for (key, beta) in
            [("optim.beta_1", optim.beta_1), ("optim.beta_2", optim.beta_2), ("optim.average", optim.average)]
        {
            require((0.0..1.0).contains(&beta), key, beta, "must lie in [0, 1)")?;
        }
        require(positive(optim.epsilon), "optim.epsilon", optim.epsilon, "must be above 0")?;
        let clip = optim.clip_norm;
        require(
            clip >= 0.0 && clip.is_finite(),
            "optim.clip_norm",
            clip,
            "must be at least 0 (0 does not clip)",
        )
    }
}

fn fault(key: &str, value: impl Display + Copy, rule: &str) -> ConfigError {
    ConfigError::Value { key: key.to_owned(), value: value.to_string(), rule: rule.to_owned() }
}

fn require(holds: bool, key: &str, value: impl Display + Copy, rule: &str) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(fault(key, value, rule)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str, overrides: &[&str]) -> String {
        let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
        Config::resolve("a.toml", text, &overrides).unwrap_err().to_string()
    }

    #[test]
    fn a_file_and_overrides_are_laid_over_the_defaults() {
        let overrides =
            ["model.top_k=2".to_owned(), "run.name=trial".to_owned(), "data.datasets=[\"a\"]".into()];
        let config = Config::resolve("a.toml", "[model]\nrank = 4\n", &overrides).unwrap();
        assert_eq!((config.model.rank, config.model.top_k()), (4, 2));
        assert_eq!(
            (config.run.name.as_str(), config.data.datasets.as_slice()),
            ("trial", &["a".to_owned()][..])
        );
        assert_eq!(config, Config::resolve("again", &config.to_toml(), &[]).unwrap());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let check = |text, overrides: &[&str], expect| assert_eq!(error(text, overrides), expect);
        let hint = "a.toml:3: unknown key `model.rnak`; did you mean `model.rank`?";
        check("\n[model]\nrnak = 4\n", &[], hint);
        check("[modle]\nrank = 4\n", &[], "a.toml:1: unknown key `modle`; did you mean `model`?");
        check(
            "",
            &["optim.lerning_rate=1"],
            "--set optim.lerning_rate=1: unknown key `optim.lerning_rate`; did you mean `optim.learning_rate`?",
        );
        check("", &["rank"], "--set rank: expected table.key=value, for example model.rank=8");
        check("", &["model.rank=300"], "model.rank = 300: must not exceed the width d = 256");
        check("[model]\nrank = 4\ntop_k = 5\n", &[], "model.top_k = 5: must not exceed the rank r = 4");
        check("", &["optim.learning_rate=0"], "optim.learning_rate = 0: must be above 0");
        check("", &["data.folds=5", "data.fold=5"], "data.fold = 5: must be below data.folds = 5");
        check("", &["data.rival_dropout=1"], "data.rival_dropout = 1: must lie in [0, 1)");
        check("", &["data.teacher=1.5"], "data.teacher = 1.5: must lie in [0, 1]");
        check("", &["data.even_modes=-1"], "data.even_modes = -1: must lie in [0, 1]");
        check("", &["optim.micro_batch=9"], "optim.micro_batch = 9: must lie in 1..=optim.batch = 8");
        check("", &["loss.items=-1"], "loss.items = -1: must lie in [0, 1e6]");
        assert!(error("[model]\nrank = \"x\"\n", &[]).starts_with("a.toml:2: "));
        assert!(error("[model\n", &[]).starts_with("a.toml:1: "));
        assert!(error("", &["model.rank=x"]).starts_with("--set model.rank=x: "));
        assert!(error("", &["optim.schedule=sine"]).contains("cosine"));
    }

    #[test]
    fn only_differences_that_change_the_weights_count() {
        let base = Config::default();
        let other = Config::resolve("", "", &["run.workers=3".into(), "optim.batch=4".into()]).unwrap();
        assert_eq!(base.differences(&other), ["optim.batch: 8 → 4"]);
    }
}
