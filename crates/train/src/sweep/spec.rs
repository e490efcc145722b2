//! The file of a sweep → its list of trials.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::config::Config;
use crate::error::{ConfigError, TrainError};
use crate::run::configuration_text;

/// A sweep as its file has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepSpec {
    /// Name of the sweep.
    pub name: String,
    /// Training configuration that every model arm starts from: a preset or a file.
    #[serde(default = "base")]
    pub base: String,
    /// Seeds of the weights, 1 to this number; in the diagonal design at least as many as there are folds.
    #[serde(default = "five")]
    pub seeds: u64,
    /// Folds of the group k-fold.
    #[serde(default = "five_folds")]
    pub folds: usize,
    /// Which seeds meet which folds.
    #[serde(default)]
    pub design: Design,
    /// Shares of the history to keep.
    #[serde(default = "budgets")]
    pub budgets: Vec<f64>,
    /// Data sets whose held-out folds are replayed.
    pub datasets: Vec<String>,
    /// The arm that the others are held against; its trials also measure prices, calls and failures.
    #[serde(default)]
    pub main: Option<String>,
    /// `table.key=value`, laid over the base for every model arm.
    #[serde(default)]
    pub set: Vec<String>,
    /// Keys and values: one arm for each combination.
    #[serde(default)]
    pub grid: BTreeMap<String, Vec<toml::Value>>,
    /// Further arms.
    #[serde(default)]
    pub arm: Vec<Arm>,
}

/// Which seeds meet which folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Design {
    /// Seed s holds out fold s − 1, round and round: every group is held out once, under one seed.
    #[default]
    Diagonal,
    /// Every seed holds out every fold in turn.
    Crossed,
}

/// One thing to compare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// Its name, in tables and folders.
    pub name: String,
    /// What it is.
    #[serde(default)]
    pub kind: ArmKind,
    /// `table.key=value`, laid over the base and the sweep's own.
    #[serde(default)]
    pub set: Vec<String>,
}

/// What an arm is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArmKind {
    /// A coordinator that is trained and then replayed in all its modes.
    #[default]
    Model,
    /// Every method that learns nothing, and the oracles. One seed is enough.
    Rules,
    /// Boosted trees on the coordinator's features.
    Trees,
}

/// One trial.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Arm, seed and fold in one.
    pub name: String,
    /// Name of the arm.
    pub arm: String,
    /// What the arm is.
    pub kind: ArmKind,
    /// The training configuration with seed and fold; for the other kinds only its data section counts.
    pub config: Config,
    /// Whether it is a trial of the main arm.
    pub is_main: bool,
    /// Hash of everything that the outcome depends on.
    pub fingerprint: String,
}

fn base() -> String {
    "quickstart".to_owned()
}

fn five() -> u64 {
    5
}

fn five_folds() -> usize {
    5
}

fn budgets() -> Vec<f64> {
    lrrc_eval::BUDGETS.to_vec()
}

impl SweepSpec {
    /// Reads the text of a sweep; `place` names it in messages.
    ///
    /// # Errors
    /// What is wrong, with its line.
    pub fn parse(place: &str, text: &str) -> Result<Self, ConfigError> {
        let spec: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            ConfigError::Syntax { place: format!("{place}:{line}"), message: error.message().to_owned() }
        })?;
        spec.check()?;
        Ok(spec)
    }

    /// The whole sweep as TOML.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).unwrap_or_default()
    }

    fn check(&self) -> Result<(), ConfigError> {
        let bad = |key: &str, value: String, rule: &str| {
            Err(ConfigError::Value { key: key.to_owned(), value, rule: rule.to_owned() })
        };
        if self.seeds == 0 {
            return bad("seeds", "0".to_owned(), "must be at least 1");
        }
        if self.folds < 3 {
            return bad("folds", self.folds.to_string(), "must be at least 3");
        }
        if self.datasets.is_empty() {
            return bad("datasets", "[]".to_owned(), "must name at least one data set");
        }
        if self.grid.is_empty() && self.arm.is_empty() {
            return bad("arm", "[]".to_owned(), "a sweep needs a [grid] or at least one [[arm]]");
        }
        if let Some(main) = self.main.iter().find(|main| !self.arms().iter().any(|arm| arm.name == **main)) {
            return bad("main", main.clone(), "no arm has this name");
        }
        let share = |keep: &&f64| !(0.0 < **keep && **keep < 1.0);
        if let Some(keep) = self.budgets.iter().find(share) {
            return bad("budgets", keep.to_string(), "must lie between 0 and 1");
        }
        Ok(())
    }

    /// The arms: those of the grid in its order, then the further ones.
    #[must_use]
    pub fn arms(&self) -> Vec<Arm> {
        let mut combinations: Vec<(Vec<String>, Vec<String>)> =
            if self.grid.is_empty() { Vec::new() } else { vec![Default::default()] };
        for (key, values) in &self.grid {
            let extend = |(names, set): (Vec<String>, Vec<String>)| {
                values.iter().map(move |value| {
                    let short = key.rsplit('.').next().unwrap_or(key);
                    let text = value.to_string();
                    let name = format!("{short}-{}", text.trim_matches('"'));
                    let names = names.iter().cloned().chain([name]).collect();
                    (names, set.iter().cloned().chain([format!("{key}={text}")]).collect())
                })
            };
            combinations = combinations.into_iter().flat_map(extend).collect();
        }
        let grid = combinations.into_iter().map(|(names, set)| Arm {
            name: names.join("-"),
            kind: ArmKind::Model,
            set,
        });
        grid.chain(self.arm.iter().cloned()).collect()
    }

    /// The trials in order.
    ///
    /// # Errors
    /// An arm whose configuration is not sound, or two arms of one name.
    pub fn trials(&self) -> Result<Vec<Trial>, TrainError> {
        let (place, text) = configuration_text(&self.base)?;
        let mut trials: Vec<Trial> = Vec::new();
        for (seed, fold) in self.pairs() {
            for arm in self.arms() {
                // What learns nothing has no seed: one pass over the folds.
                if arm.kind != ArmKind::Model && self.design == Design::Crossed && seed > 1 {
                    continue;
                }
                let trial = self.trial(&place, &text, &arm, seed, fold)?;
                if trials.iter().any(|known| known.name == trial.name) {
                    let rule = "two arms have this name".to_owned();
                    let fault = ConfigError::Value { key: "arm.name".into(), value: arm.name, rule };
                    return Err(fault.into());
                }
                trials.push(trial);
            }
        }
        Ok(trials)
    }

    /// The same sweep with every seed on every fold.
    #[must_use]
    pub fn crossed(self) -> Self {
        Self { design: Design::Crossed, ..self }
    }

    /// The same sweep with one short epoch and two budgets, to see that it runs.
    #[must_use]
    pub fn smoke(mut self) -> Self {
        self.set.extend(["optim.epochs=1".to_owned(), "data.decisions=2".to_owned()]);
        self.budgets = vec![0.20, 0.40];
        self
    }

    /// The list for schedulers: a line of JSON a trial, with the command that runs it into `dir`.
    ///
    /// # Errors
    /// As [`SweepSpec::trials`].
    pub fn list(&self, dir: &Path) -> Result<Vec<String>, TrainError> {
        Ok(self.trials()?.iter().map(|trial| trial.line(dir)).collect())
    }

    fn pairs(&self) -> Vec<(u64, usize)> {
        let folds = self.folds;
        match self.design {
            Design::Diagonal => {
                (1..=self.seeds.max(folds as u64)).map(|seed| (seed, (seed as usize - 1) % folds)).collect()
            }
            Design::Crossed => {
                (1..=self.seeds).flat_map(|seed| (0..folds).map(move |fold| (seed, fold))).collect()
            }
        }
    }

    fn trial(&self, place: &str, text: &str, arm: &Arm, seed: u64, fold: usize) -> Result<Trial, TrainError> {
        let own = [
            format!("data.folds={}", self.folds),
            format!("data.fold={fold}"),
            format!("run.seed={seed}"),
            "run.workers=1".to_owned(),
            "run.control=false".to_owned(),
        ];
        let set: Vec<String> = self.set.iter().chain(&arm.set).cloned().chain(own).collect();
        let mut config = Config::resolve(place, text, &set)?;
        let name = format!("{}-s{seed}-f{fold}", arm.name);
        config.run.name.clone_from(&name);
        let is_main = self.main.as_ref() == Some(&arm.name);
        let data = (&self.budgets, &self.datasets);
        let depends = format!("{}{:?}{data:?}{is_main}", config.to_toml(), arm.kind);
        let fingerprint = blake3::hash(depends.as_bytes()).to_hex().to_string();
        Ok(Trial { name, arm: arm.name.clone(), kind: arm.kind, is_main, config, fingerprint })
    }
}

impl Trial {
    /// A line of the list for schedulers: what the trial is, and the command that runs it.
    #[must_use]
    pub(super) fn line(&self, dir: &Path) -> String {
        let dir = dir.display();
        let line = json!({
            "name": self.name, "arm": self.arm, "seed": self.config.run.seed, "fold": self.config.data.fold,
            "command": format!("lrrc sweep --config {dir}/sweep.toml --out {dir} --trial {}", self.name),
        });
        line.to_string()
    }
}
