//! Replays of recorded episodes: metrics, baselines, statistics and figures.

pub mod plot;
pub mod stats;
