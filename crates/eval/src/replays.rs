//! The raw outcome of an evaluation: counts of every method at every budget, episode by episode.
//!
//! Everything published is computed from these counts, so folds, seeds and machines can be put together afterwards.

use serde::{Deserialize, Serialize};

use crate::{
    calibration::Kind,
    error::EvalError,
    metric::Counts,
    report::{BudgetRow, MethodRow, Report},
    stats::{RESAMPLES, cluster_bootstrap},
};

/// Version of the file format.
const VERSION: u32 = 1;

/// Counts of all methods on one data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replays {
    /// Version of the format.
    pub version: u32,
    /// Name of the data set.
    pub dataset: String,
    /// What its calls are.
    pub kind: Kind,
    /// Calls replayed.
    pub calls: usize,
    /// The episodes, in the order of every list of counts.
    pub episodes: Vec<Played>,
    /// One entry a method.
    pub methods: Vec<MethodReplays>,
}

/// An episode that was replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Played {
    /// Its id.
    pub id: String,
    /// Its group: what it shares with the episodes of the same task, meeting or prompt.
    pub group: String,
}

/// Counts of one method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MethodReplays {
    /// Name of the method.
    pub name: String,
    /// Milliseconds on one core for 1,000 tokens of history shown to calls.
    pub ms_per_1k_tokens: f64,
    /// One entry a budget.
    pub budgets: Vec<BudgetReplays>,
}

/// Counts at one budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BudgetReplays {
    /// Share of the history that was to be kept.
    pub keep: f64,
    /// One entry an episode.
    pub counts: Vec<Counts>,
}

impl Replays {
    /// An outcome to which methods are added.
    #[must_use]
    pub fn new(dataset: &str, kind: Kind, calls: usize, episodes: Vec<Played>) -> Self {
        let dataset = dataset.to_owned();
        Self { version: VERSION, dataset, kind, calls, episodes, methods: Vec::new() }
    }

    /// Reads an outcome.
    ///
    /// # Errors
    /// JSON of another form or version.
    pub fn from_json(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let replays: Self = serde_json::from_slice(bytes)?;
        if replays.version == VERSION {
            Ok(replays)
        } else {
            let found = replays.version;
            Err(serde::de::Error::custom(format!("replays of version {found}, this program reads {VERSION}")))
        }
    }

    /// Number of each episode's group, in order of first appearance.
    #[must_use]
    pub fn clusters(&self) -> Vec<usize> {
        numbered(self.episodes.iter().map(|played| played.group.as_str()))
    }

    /// Figures with intervals, resampling groups with `seed`.
    ///
    /// # Errors
    /// Counts that cannot be resampled.
    pub fn report(&self, seed: u64) -> Result<Report, EvalError> {
        let clusters = self.clusters();
        let row = |method: &MethodReplays| -> Result<MethodRow, EvalError> {
            let mut budgets: Vec<BudgetRow> = Vec::new();
            for (at, budget) in method.budgets.iter().enumerate() {
                let same = at > 0 && method.budgets[at - 1].counts == budget.counts;
                let row = match budgets.last() {
                    Some(last) if same => BudgetRow { keep: budget.keep, ..last.clone() },
                    _ => figures(budget, &clusters, seed)?,
                };
                budgets.push(row);
            }
            let MethodReplays { name, ms_per_1k_tokens, .. } = method;
            Ok(MethodRow { name: name.clone(), ms_per_1k_tokens: *ms_per_1k_tokens, budgets })
        };
        let first = self.methods.first().and_then(|method| method.budgets.first());
        let full_tokens: f64 = first.map_or(0.0, |b| b.counts.iter().map(|counts| counts.full_tokens).sum());
        Ok(Report {
            dataset: self.dataset.clone(),
            episodes: self.episodes.len(),
            groups: clusters.iter().max().map_or(0, |most| most + 1),
            calls: self.calls,
            full_tokens: full_tokens as u64,
            methods: self.methods.iter().map(row).collect::<Result<_, _>>()?,
            winner: None,
        })
    }
}

/// A number for each name, in order of first appearance.
pub(crate) fn numbered<'a>(names: impl Iterator<Item = &'a str>) -> Vec<usize> {
    let mut known: Vec<&str> = Vec::new();
    let number = |name: &'a str| {
        known.iter().position(|known| *known == name).unwrap_or_else(|| {
            known.push(name);
            known.len() - 1
        })
    };
    names.map(number).collect()
}

fn figures(budget: &BudgetReplays, clusters: &[usize], seed: u64) -> Result<BudgetRow, EvalError> {
    let counts = &budget.counts;
    let units = |of: fn(&Counts) -> (f64, f64)| {
        let pairs = clusters.iter().zip(counts.iter().map(of));
        pairs
            .map(|(cluster, (numerator, denominator))| (*cluster, numerator, denominator))
            .collect::<Vec<_>>()
    };
    let saved = units(|counts| (counts.full_tokens - counts.sent_tokens, counts.full_tokens));
    let saved = cluster_bootstrap(&saved, RESAMPLES, seed)?;
    let args = units(|counts| (counts.args.kept, counts.args.all));
    let has_args = args.iter().any(|(_, _, all)| *all > 0.0);
    let args = has_args.then(|| cluster_bootstrap(&args, RESAMPLES, seed)).transpose()?;
    let mut total = Counts::default();
    counts.iter().for_each(|counts| total.merge(counts));
    Ok(BudgetRow::new(budget.keep, &total, saved, args))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Share;

    #[test]
    fn counts_survive_their_file() {
        let counts = Counts {
            full_tokens: 9.0,
            sent_tokens: 4.5,
            history: Share { kept: 1.0, all: 2.0 },
            replayable: Share { kept: 0.25, all: 1.0 },
            ..Counts::default()
        };
        let episode = |id: &str, group: &str| Played { id: id.into(), group: group.into() };
        let episodes = vec![episode("a", "g"), episode("b", "h"), episode("c", "g")];
        let mut replays = Replays::new("set", Kind::Calls, 3, episodes);
        let budgets = vec![BudgetReplays { keep: 0.5, counts: vec![counts; 3] }];
        replays.methods.push(MethodReplays { name: "full".into(), ms_per_1k_tokens: 0.5, budgets });
        let text = serde_json::to_vec(&replays).expect("it is JSON");
        assert_eq!(Replays::from_json(&text).expect("of this version"), replays);
        assert_eq!(replays.clusters(), [0, 1, 0]);
        let row = replays.report(1).expect("there are counts").row("full", 0.5).cloned().expect("one row");
        assert_eq!((row.tokens_saved, row.history_removed, row.replayable), (0.5, 0.5, Some(0.25)));
        let newer = String::from_utf8(text).expect("UTF-8").replace("\"version\":1", "\"version\":2");
        let error = Replays::from_json(newer.as_bytes()).expect_err("of another version");
        assert!(error.to_string().contains("version 2"), "{error}");
    }
}
