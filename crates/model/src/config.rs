//! The dial and what follows from it.
//!
//! `rank` is the one number meant to be turned. Widths that nobody sets follow from it (`update_rank`, `top_k`);
//! everything is checked in one place, so a [`CoordinatorConfig`] that passed [`CoordinatorConfig::validate`] always
//! builds.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use crate::error::ConfigError;

/// Where the query of the input attention comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GateMode {
    /// From the channel's slow key. Gates then depend on the inputs alone, which the contraction theorem (T4) needs,
    /// and the recurrence unrolls into one product.
    Input,
    /// From the slow key and the channel's state. The recurrence runs turn by turn: slower to train.
    State,
}

/// How the state is made: the coordinator's own way, and the two kinds of memory it is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Memory {
    /// Gated updates of low rank, `U_t = A_t B_tᵀ`.
    LowRank,
    /// Gates without the low rank, as in recurrent independent mechanisms (Goyal et al. 2021): a channel that is
    /// active writes what it read of the turn itself, `r_u = r` and B the identity.
    Rims,
    /// Pooling without a recurrence, as in context-compression forests and pooled summary tokens: the mean of all
    /// updates so far, gates `1/t`.
    Pooled,
}

/// Sizes and bounds of a [`crate::Coordinator`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CoordinatorConfig {
    /// Width d of a segment vector and of a state column.
    pub width: usize,
    /// Rank r: number of state channels, the dial.
    pub rank: usize,
    /// Rank r_u of one update; `min(rank, 8)` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_rank: Option<usize>,
    /// Channels that one turn may write; `min(rank, 4)` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
    /// How the state is made.
    pub memory: Memory,
    /// Source of the gate's query.
    pub gate: GateMode,
    /// Least gate g_min of an active channel, in (0, 1].
    pub gate_min: f32,
    /// Bound C on each entry of the update's left factor.
    pub clip: f32,
    /// Width of one of the two token tables; a token has twice as many numbers.
    pub token_width: usize,
    /// Heads of the attention pool over the tokens of a segment; divides `width`.
    pub pool_heads: usize,
    /// Width of a channel's slow key.
    pub key_width: usize,
    /// Dimension m of the latent prompt p_t, the compression head.
    pub prompt_width: usize,
    /// Hidden width of the decoder.
    pub hidden: usize,
    /// Heads that compare a candidate with the query; divides `width`.
    pub query_heads: usize,
    /// Width of the reader's embedding in the decoder.
    pub agent_width: usize,
    /// Whether the decoder sees the state and the latent prompt; `false` is the no-state control.
    pub use_state: bool,
    /// Whether the decoder sees the exact-match features that look beyond the candidate itself; `false` leaves
    /// its form, its role, its vector and the query.
    pub context_features: bool,
    /// Whether the decoder gets each feature a second time as its places on fixed steps, so that a small network can
    /// tell ranges apart (piecewise linear encoding, Gorishniy et al. 2022). Checkpoints that do not say were trained
    /// without.
    pub steps: bool,
}

impl Default for CoordinatorConfig {
    fn default() -> Self {
        Self {
            width: 256,
            rank: 8,
            update_rank: None,
            top_k: None,
            memory: Memory::LowRank,
            gate: GateMode::Input,
            gate_min: 0.05,
            clip: 3.0,
            token_width: 32,
            pool_heads: 4,
            key_width: 64,
            prompt_width: 64,
            hidden: 64,
            query_heads: 8,
            agent_width: 16,
            use_state: true,
            context_features: true,
            steps: false,
        }
    }
}

impl CoordinatorConfig {
    /// Width of the vector of one token, twice [`Self::token_width`].
    #[must_use]
    pub fn token_channels(&self) -> usize {
        2 * self.token_width
    }

    /// Rank r_u of one update.
    #[must_use]
    pub fn update_rank(&self) -> usize {
        let default = if self.memory == Memory::Rims { self.rank } else { self.rank.min(8) };
        self.update_rank.unwrap_or(default)
    }

    /// Channels that one turn may write.
    #[must_use]
    pub fn top_k(&self) -> usize {
        self.top_k.unwrap_or_else(|| self.rank.min(4))
    }

    /// Checks every bound.
    ///
    /// # Errors
    /// The first key whose value breaks its bound.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.validate_ranks()?;
        self.validate_widths()?;
        let plain = self.memory != Memory::Pooled || self.gate == GateMode::Input;
        require(plain, "gate", "state", "must be \"input\" with memory = \"pooled\"")?;
        let unit = self.gate_min > 0.0 && self.gate_min <= 1.0;
        require(unit, "gate_min", self.gate_min, "must lie in (0, 1]")?;
        let bounded = self.clip > 0.0 && self.clip <= 1_000.0;
        require(bounded, "clip", self.clip, "must lie in (0, 1000]")
    }

    fn validate_ranks(&self) -> Result<(), ConfigError> {
        let (d, r) = (self.width, self.rank);
        require(r >= 1, "rank", r, "must be at least 1")?;
        require(r <= d, "rank", r, format!("must not exceed the width d = {d}"))?;
        let r_u = self.update_rank();
        require(r_u >= 1, "update_rank", r_u, "must be at least 1")?;
        require(r_u <= r, "update_rank", r_u, format!("must not exceed the rank r = {r}"))?;
        let own = self.memory != Memory::Rims || r_u == r;
        require(own, "update_rank", r_u, format!("must be the rank r = {r} with memory = \"rims\""))?;
        let k = self.top_k();
        require(k >= 1, "top_k", k, "must be at least 1")?;
        require(k <= r, "top_k", k, format!("must not exceed the rank r = {r}"))
    }

    fn validate_widths(&self) -> Result<(), ConfigError> {
        let widths = [
            ("width", self.width),
            ("token_width", self.token_width),
            ("pool_heads", self.pool_heads),
            ("key_width", self.key_width),
            ("prompt_width", self.prompt_width),
            ("hidden", self.hidden),
            ("query_heads", self.query_heads),
            ("agent_width", self.agent_width),
        ];
        for (key, value) in widths {
            require((1..=8_192).contains(&value), key, value, "must lie in 1..=8192")?;
        }
        for (key, heads) in [("pool_heads", self.pool_heads), ("query_heads", self.query_heads)] {
            let rule = format!("must divide the width d = {}", self.width);
            require(self.width.is_multiple_of(heads), key, heads, rule)?;
        }
        Ok(())
    }
}

fn require(
    holds: bool,
    key: &'static str,
    value: impl Display + Copy,
    rule: impl Into<String>,
) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError { key, value: value.to_string(), rule: rule.into() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_values_are_named_with_their_bound() {
        let check = |edit: fn(&mut CoordinatorConfig), expect: &str| {
            let mut config = CoordinatorConfig::default();
            edit(&mut config);
            assert_eq!(config.validate().unwrap_err().to_string(), expect);
        };
        check(|c| c.rank = 0, "model.rank = 0: must be at least 1");
        check(|c| c.rank = 300, "model.rank = 300: must not exceed the width d = 256");
        check(|c| c.update_rank = Some(9), "model.update_rank = 9: must not exceed the rank r = 8");
        check(|c| c.top_k = Some(9), "model.top_k = 9: must not exceed the rank r = 8");
        check(
            |c| (c.memory, c.update_rank) = (Memory::Rims, Some(4)),
            "model.update_rank = 4: must be the rank r = 8 with memory = \"rims\"",
        );
        check(|c| c.gate_min = 0.0, "model.gate_min = 0: must lie in (0, 1]");
        check(|c| c.clip = f32::NAN, "model.clip = NaN: must lie in (0, 1000]");
        check(|c| c.query_heads = 7, "model.query_heads = 7: must divide the width d = 256");
        check(|c| c.hidden = 0, "model.hidden = 0: must lie in 1..=8192");
    }

    #[test]
    fn derived_widths_follow_the_dial() {
        for (rank, update, k) in [(1, 1, 1), (4, 4, 4), (8, 8, 4), (32, 8, 4)] {
            let config = CoordinatorConfig { rank, ..Default::default() };
            assert_eq!((config.update_rank(), config.top_k()), (update, k));
            config.validate().unwrap();
        }
    }
}
