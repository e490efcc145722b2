//! What a seed draws before its world begins, and the rules that a test may break.

use lrrc_coherence::{Bound, Rules, Strategy};
use lrrc_store::{AgentConfig, ContentRules, HomeConfig, Limits};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::network::Weather;
use super::storage::Wear;

/// How the worlds of many seeds are made.
#[derive(Clone, Copy, Debug)]
pub struct WorldConfig {
    /// Virtual time with faults, in milliseconds; then the faults end and all must go on.
    pub duration_ms: u64,
    /// A rule that is broken on purpose.
    pub mutant: Option<Mutant>,
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self { duration_ms: 20_000, mutant: None }
    }
}

/// A rule that is broken on purpose, to see that the checks find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// The storage says that a write is durable when it is not.
    ForgetfulStorage,
    /// The home tells nobody that a copy is old.
    SilentHome,
    /// The home writes whatever it is given, whichever version it was made from.
    BlindHome,
    /// The agents' clocks run at half the speed of time.
    SlowClocks,
    /// What the home says goes out before the writes that it tells of are durable.
    EagerAnswers,
    /// The home tells watches of nothing.
    MuteWatches,
    /// The home tells watches of no deletion.
    MuteDeletions,
    /// A collection removes every content that is old, whoever names it.
    BlindCollector,
}

/// What one seed draws.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) actors: usize,
    pub(super) artifacts: usize,
    pub(super) weather: Weather,
    pub(super) wear: Wear,
    /// Mean time between crashes of one agent, and of the home, in milliseconds.
    pub(super) agent_crash_ms: Option<u64>,
    pub(super) home_crash_ms: Option<u64>,
    /// Longest pause between two deeds of an agent, in milliseconds.
    pub(super) pause_ms_max: u64,
    /// Longest time from a read to the write that is made from it, in milliseconds.
    pub(super) think_ms_max: u64,
    /// Longest time for which writes are gathered for one sync, in milliseconds; `None` where each has its own.
    pub(super) gather_ms_max: Option<u64>,
    pub(super) contents: ContentRules,
    pub(super) home: HomeConfig,
    pub(super) agent: AgentConfig,
}

impl Settings {
    pub(super) fn draw(random: &mut ChaCha8Rng, config: &WorldConfig) -> Self {
        let strategy = match random.random_range(0..8) {
            0 => Strategy::Eager,
            1 => Strategy::Broadcast,
            2 => Strategy::Lease { ttl_ms: random.random_range(100..5_000) },
            3 => Strategy::AccessCount { reads: random.random_range(1..6) },
            _ => Strategy::Lazy,
        };
        let lease_ms = random.random_range(200..8_000);
        let history_max = random.random_range(1..20);
        let waiting_max = random.random_range(1..4);
        let rules = Rules { strategy, lease_ms, history_max, waiting_max, ..Rules::default() };
        let limits = Limits { silence_ms_max: random.random_range(2_000..8_000), ..Limits::default() };
        let bound = Bound { versions: 0, age_ms: random.random_range(200..8_000) };
        let patience_ms = random.random_range(1_000..6_000);
        let storage_fails = random.random_bool(0.3);
        let wear = if storage_fails {
            Wear { refuse: 0.03, uncertain: 0.03, forgets: false }
        } else {
            Wear::default()
        };
        let gather_ms_max = random.random_bool(0.5).then(|| random.random_range(0..40));
        // Contents of several sizes, so that some lie in the backend and some beside it.
        let inline_bytes_max = if random.random() { 64 << 10 } else { 600 };
        let contents = ContentRules {
            inline_bytes_max,
            grace_ms: random.random_range(100..8_000),
            ..ContentRules::default()
        };
        let mut crashes = |mean_ms: u64| random.random_bool(0.5).then_some(mean_ms);
        Self {
            agent_crash_ms: crashes(6_000),
            home_crash_ms: crashes(8_000),
            actors: random.random_range(2..6),
            artifacts: random.random_range(1..4),
            weather: Weather::draw(random),
            wear: Wear { forgets: config.mutant == Some(Mutant::ForgetfulStorage), ..wear },
            pause_ms_max: random.random_range(50..1_500),
            think_ms_max: random.random_range(1..2_000),
            gather_ms_max,
            contents,
            home: HomeConfig { rules, limits },
            agent: AgentConfig { bound, patience_ms, ..AgentConfig::default() },
        }
    }
}
