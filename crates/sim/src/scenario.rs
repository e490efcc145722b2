//! A workload with its seeds, as a TOML file that is checked before it runs.

mod text;

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::strategy::{Strategy, StrategyName};
use crate::workload::Workload;

/// Version of the file format.
const FORMAT: u32 = 1;
/// Above this, a token count is no longer exact as a double, which JSON readers use.
const TOKENS_MAX: u128 = 1 << 53;
/// Copies that one run may hold in memory.
const COPIES_MAX: u128 = 10_000_000;
/// Seeds of one scenario.
const SEEDS_MAX: u128 = 1_000_000;
/// Steps of all agents in one run.
const SLOTS_MAX: u128 = 1_000_000_000;

/// A key, its value, and the least and the most that it may be.
type Bound = (&'static str, u128, u128, u128);

/// The scenarios of the published figures.
const SHIPPED: [(&str, &str); 4] = [
    ("planning", include_str!("../../../configs/sim/planning.toml")),
    ("analysis", include_str!("../../../configs/sim/analysis.toml")),
    ("development", include_str!("../../../configs/sim/development.toml")),
    ("churn", include_str!("../../../configs/sim/churn.toml")),
];

/// A workload, the seeds to run it with, and what was published about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scenario {
    /// Version of the file format: 1.
    pub format: u32,
    /// Its name.
    pub name: String,
    /// Its letter in the published table, or nothing.
    pub label: String,
    /// Who does how much.
    pub workload: Workload,
    /// Which runs.
    pub seeds: Seeds,
    /// Bounds of the strategies that have one.
    pub strategies: Bounds,
    /// What was published, for comparison.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<Published>,
}

/// `count` seeds from `first` on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Seeds {
    /// The first seed.
    pub first: u64,
    /// How many.
    pub count: u32,
}

impl Default for Seeds {
    fn default() -> Self {
        Self { first: 1, count: 10 }
    }
}

/// Bounds of the strategies that have one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bounds {
    /// Ticks of a lease.
    pub lease_ticks: u32,
    /// Reads of a copy under `access-count`.
    pub access_count_reads: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { lease_ticks: 10, access_count_reads: 6 }
    }
}

/// Savings against broadcast as published, in per cent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Published {
    /// The mean.
    pub savings_percent: f64,
    /// The population standard deviation over the seeds.
    pub sd_percent: f64,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            format: FORMAT,
            name: String::new(),
            label: String::new(),
            workload: Workload::default(),
            seeds: Seeds::default(),
            strategies: Bounds::default(),
            published: None,
        }
    }
}

/// Why there is no scenario.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScenarioError {
    /// Neither a shipped name nor a file.
    #[error("no scenario `{name}`{}: the shipped ones are {known}; a file ends in .toml", hint.as_ref().map(|hint| format!(", did you mean `{hint}`?")).unwrap_or_default())]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest shipped name.
        hint: Option<String>,
        /// All shipped names.
        known: String,
    },
    /// The file cannot be read.
    #[error("{path}: {reason}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The text is not TOML, or a value has the wrong type.
    #[error("{place}: {message}")]
    Syntax {
        /// File and line.
        place: String,
        /// What the parser said.
        message: String,
    },
    /// A key that means nothing.
    #[error("{place}: unknown key `{key}`{}", hint.as_ref().map(|hint| format!("; did you mean `{hint}`?")).unwrap_or_default())]
    UnknownKey {
        /// File and line.
        place: String,
        /// The key with its table.
        key: String,
        /// The nearest known key.
        hint: Option<String>,
    },
    /// A value out of bounds.
    #[error("{place}: {key} = {value}: {rule}")]
    Value {
        /// The file, or the name of the scenario.
        place: String,
        /// The key with its table.
        key: &'static str,
        /// Its value.
        value: String,
        /// The bound.
        rule: String,
    },
}

impl Scenario {
    /// The four scenarios of the published figures.
    ///
    /// # Errors
    ///
    /// Never: a test reads them.
    pub fn shipped() -> Result<Vec<Self>, ScenarioError> {
        SHIPPED.iter().map(|(name, text)| Self::parse(&format!("configs/sim/{name}.toml"), text)).collect()
    }

    /// A shipped scenario by name, or one from a TOML file.
    ///
    /// # Errors
    ///
    /// [`ScenarioError`] with the place and the value at fault.
    pub fn open(name: &str) -> Result<Self, ScenarioError> {
        if let Some((_, text)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
            return Self::parse(&format!("configs/sim/{name}.toml"), text);
        }
        let path = Path::new(name);
        if path.extension().is_none_or(|end| end != "toml") {
            let names = SHIPPED.map(|(name, _)| name.to_owned());
            let (hint, known) = (text::nearest(name, &names), names.join(", "));
            return Err(ScenarioError::Unknown { name: name.to_owned(), hint, known });
        }
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(name, &text),
            Err(error) => Err(ScenarioError::Read { path: path.to_owned(), reason: error.to_string() }),
        }
    }

    /// Reads a scenario; `place` names the text in messages. What the text leaves out has the published size.
    ///
    /// # Errors
    ///
    /// [`ScenarioError`] with the place and the value at fault.
    pub fn parse(place: &str, text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = text::read(place, text)?;
        scenario.check(place).map(|()| scenario)
    }

    /// The strategy of that name with the bounds of this scenario.
    #[must_use]
    pub fn strategy(&self, name: StrategyName) -> Strategy {
        match name {
            StrategyName::Lazy => Strategy::Lazy,
            StrategyName::Eager => Strategy::Eager,
            StrategyName::Lease => Strategy::Lease { ticks: self.strategies.lease_ticks },
            StrategyName::AccessCount => Strategy::AccessCount { reads: self.strategies.access_count_reads },
            StrategyName::Broadcast => Strategy::Broadcast,
        }
    }

    /// The same scenario with another write probability; what was published does not hold for it.
    ///
    /// # Errors
    ///
    /// [`ScenarioError::Value`] if it is not a probability.
    pub fn with_write_probability(mut self, probability: f64) -> Result<Self, ScenarioError> {
        if probability != self.workload.write_probability {
            self.published = None;
            self.label.clear();
        }
        self.workload.write_probability = probability;
        self.check(&self.name).map(|()| self)
    }

    fn check(&self, place: &str) -> Result<(), ScenarioError> {
        let wrong = |key, value: String, rule: String| {
            Err(ScenarioError::Value { place: place.to_owned(), key, value, rule })
        };
        if self.format != FORMAT {
            return wrong("format", self.format.to_string(), format!("this version reads format {FORMAT}"));
        }
        if self.name.is_empty() || self.name.len() > 64 {
            return wrong("name", format!("{:?}", self.name), "1 to 64 bytes are needed".to_owned());
        }
        let work = &self.workload;
        let published = self.published.clone().unwrap_or_default();
        let shares = [
            ("workload.action_probability", work.action_probability, 1.0),
            ("workload.write_probability", work.write_probability, 1.0),
            ("published.savings_percent", published.savings_percent, 100.0),
            ("published.sd_percent", published.sd_percent, 100.0),
        ];
        if let Some((key, value, most)) =
            shares.into_iter().find(|(_, value, most)| !(0.0..=*most).contains(value))
        {
            return wrong(key, value.to_string(), format!("it lies between 0 and {most}"));
        }
        let bounds = self.counts().into_iter().chain(self.products());
        match bounds.into_iter().find(|(_, value, least, most)| value < least || value > most) {
            Some((key, value, least, most)) => {
                wrong(key, value.to_string(), format!("it lies between {least} and {most}"))
            }
            None => Ok(()),
        }
    }

    /// Each count with its bounds.
    fn counts(&self) -> [Bound; 8] {
        let (work, most) = (&self.workload, u128::from(u32::MAX));
        [
            ("workload.agents", work.agents.into(), 1, most),
            ("workload.ticks", work.ticks.into(), 1, most),
            ("workload.artifacts", work.artifacts.into(), 1, most),
            ("workload.artifact_tokens", work.artifact_tokens.into(), 1, TOKENS_MAX),
            ("workload.delay_ticks", work.delay_ticks.into(), 1, most),
            ("strategies.lease_ticks", self.strategies.lease_ticks.into(), 1, most),
            ("strategies.access_count_reads", self.strategies.access_count_reads.into(), 1, most),
            ("seeds.count", self.seeds.count.into(), 1, SEEDS_MAX),
        ]
    }

    /// What bounds memory, time, and the exactness of a count.
    fn products(&self) -> [Bound; 4] {
        let work = &self.workload;
        let copies = u128::from(work.agents) * u128::from(work.artifacts);
        let slots = u128::from(work.agents) * u128::from(work.ticks);
        let heaviest = u128::from(work.artifact_tokens.max(work.signal_tokens));
        let tokens = (copies + 1).saturating_mul(slots + 1).saturating_mul(heaviest);
        let last = u128::from(self.seeds.first) + u128::from(self.seeds.count);
        [
            ("workload.agents × workload.artifacts", copies, 1, COPIES_MAX),
            ("workload.agents × workload.ticks", slots, 1, SLOTS_MAX),
            ("tokens that one run may send", tokens, 1, TOKENS_MAX),
            ("seeds.first + seeds.count", last, 1, u64::MAX.into()),
        ]
    }
}
