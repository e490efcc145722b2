//! Statistics of a data set, computed while the episodes stream by.

use std::collections::{BTreeMap, BTreeSet};

use lrrc_episode::{Episode, Role};
use serde::Serialize;

/// Counts of tokens per turn, exact, in memory that grows with the distinct lengths only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Lengths {
    counts: BTreeMap<u32, u64>,
    turns: u64,
    tokens: u64,
}

impl Lengths {
    fn add(&mut self, tokens: u32) {
        *self.counts.entry(tokens).or_default() += 1;
        self.turns += 1;
        self.tokens += u64::from(tokens);
    }

    /// Nearest-rank quantile.
    fn quantile(&self, share: f64) -> u32 {
        let rank = ((share * self.turns as f64).ceil() as u64).max(1);
        let mut seen = 0;
        let reached = self.counts.iter().find(|(_, count)| {
            seen += **count;
            seen >= rank
        });
        reached.map_or(0, |(tokens, _)| *tokens)
    }

    fn summary(&self) -> LengthStats {
        LengthStats {
            turns: self.turns,
            tokens: self.tokens,
            mean: if self.turns == 0 { 0.0 } else { self.tokens as f64 / self.turns as f64 },
            median: self.quantile(0.5),
            p90: self.quantile(0.9),
            max: self.counts.last_key_value().map_or(0, |(tokens, _)| *tokens),
        }
    }

    /// Bins that double in width: 0, 1, 2–3, 4–7, …
    fn histogram(&self) -> Vec<Bin> {
        let mut bins: BTreeMap<u32, u64> = BTreeMap::new();
        for (tokens, count) in &self.counts {
            *bins.entry(32 - tokens.leading_zeros()).or_default() += count;
        }
        let bin = |(power, turns): (u32, u64)| {
            let first = if power == 0 { 0 } else { 1 << (power - 1) };
            Bin { first, last: if power == 0 { 0 } else { first + (first - 1) }, turns }
        };
        bins.into_iter().map(bin).collect()
    }
}

/// Tokens per turn.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct LengthStats {
    /// Number of turns.
    pub turns: u64,
    /// Tokens of all of them.
    pub tokens: u64,
    /// Mean tokens of a turn.
    pub mean: f64,
    /// Median tokens of a turn.
    pub median: u32,
    /// Nine turns in ten are no longer, in tokens.
    pub p90: u32,
    /// Tokens of the longest turn.
    pub max: u32,
}

/// Turns whose tokens lie in an inclusive range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bin {
    /// Fewest tokens.
    pub first: u32,
    /// Most tokens.
    pub last: u32,
    /// Number of turns.
    pub turns: u64,
}

/// What a table of data sets says of one of them.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Stats {
    /// Episodes.
    pub episodes: u64,
    /// Distinct groups, the unit of splitting.
    pub groups: u64,
    /// Speakers summed over episodes.
    pub agents: u64,
    /// Tool calls.
    pub calls: u64,
    /// Queries about episodes.
    pub queries: u64,
    /// Tokens of all turns.
    pub all: LengthStats,
    /// Tokens of the turns of each role that occurs.
    pub roles: BTreeMap<&'static str, LengthStats>,
    /// Distribution of tokens per turn.
    pub histogram: Vec<Bin>,
}

/// Adds episodes up.
#[derive(Debug, Clone, Default)]
pub struct StatsBuilder {
    stats: Stats,
    groups: BTreeSet<String>,
    all: Lengths,
    roles: BTreeMap<usize, Lengths>,
}

impl StatsBuilder {
    /// Adds an annotated episode; a turn without a count counts 0.
    pub fn add(&mut self, episode: &Episode) {
        self.stats.episodes += 1;
        self.stats.agents += episode.agents.len() as u64;
        self.stats.queries += episode.queries.len() as u64;
        if !self.groups.contains(&episode.group) {
            self.groups.insert(episode.group.clone());
        }
        for turn in &episode.turns {
            let tokens = turn.tokens.unwrap_or(0);
            self.stats.calls += turn.tool_calls.len() as u64;
            self.all.add(tokens);
            self.roles.entry(turn.role.index()).or_default().add(tokens);
        }
    }

    /// The sums.
    #[must_use]
    pub fn finish(self) -> Stats {
        Stats {
            groups: self.groups.len() as u64,
            all: self.all.summary(),
            roles: self
                .roles
                .iter()
                .map(|(role, lengths)| (Role::ALL[*role].name(), lengths.summary()))
                .collect(),
            histogram: self.all.histogram(),
            ..self.stats
        }
    }

    /// The groups seen so far.
    #[must_use]
    pub fn groups(&self) -> &BTreeSet<String> {
        &self.groups
    }
}

impl Stats {
    /// Statistics of episodes in memory.
    #[must_use]
    pub fn of<'a>(episodes: impl IntoIterator<Item = &'a Episode>) -> Self {
        let mut builder = StatsBuilder::default();
        episodes.into_iter().for_each(|episode| builder.add(episode));
        builder.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(tokens: &[u32]) -> Lengths {
        let mut lengths = Lengths::default();
        tokens.iter().for_each(|tokens| lengths.add(*tokens));
        lengths
    }

    #[test]
    fn quantiles_are_of_nearest_rank() {
        let summary = lengths(&[10, 1, 2, 3, 4, 5, 6, 7, 8, 9]).summary();
        assert_eq!((summary.median, summary.p90, summary.max), (5, 9, 10));
        assert_eq!((summary.mean, summary.tokens), (5.5, 55));
        assert_eq!(lengths(&[]).summary(), LengthStats::default());
    }

    #[test]
    fn bins_double() {
        let bins: Vec<_> = lengths(&[0, 1, 2, 3, 4, 7, 8, u32::MAX])
            .histogram()
            .iter()
            .map(|bin| (bin.first, bin.last, bin.turns))
            .collect();
        assert_eq!(bins, [(0, 0, 1), (1, 1, 1), (2, 3, 2), (4, 7, 2), (8, 15, 1), (1 << 31, u32::MAX, 1)]);
    }

    #[test]
    fn groups_are_counted_once_and_roles_apart() {
        let episodes = [crate::test_episode(1, 1), crate::test_episode(2, 1), crate::test_episode(3, 2)];
        let stats = Stats::of(&episodes);
        assert_eq!((stats.episodes, stats.groups, stats.agents, stats.calls), (3, 2, 9, 3));
        let of_roles: u64 = stats.roles.values().map(|role| role.tokens).sum();
        assert_eq!(of_roles, stats.all.tokens);
        assert_eq!(stats.roles.keys().copied().collect::<Vec<_>>(), ["assistant", "tool", "user"]);
    }
}
