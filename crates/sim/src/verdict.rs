//! What a run of the world found.

use std::fmt;

use serde::Serialize;

/// A law that a run broke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "law")]
pub enum Broken {
    /// A law of the protocol, as [`lrrc_coherence`] checks it after each step of the home.
    #[error("a law of the protocol: {what}")]
    Protocol {
        /// What the check says.
        what: String,
    },
    /// A write that was acknowledged is not there.
    #[error("an acknowledged write is lost: {what}")]
    AcknowledgedLost {
        /// Which write, and what is there in its place.
        what: String,
    },
    /// A write landed on a version that its writer had not read.
    #[error("a lost update: {what}")]
    LostUpdate {
        /// Which version, and what it was made from.
        what: String,
    },
    /// A read returned what it must not: bytes of no version, or of another than it says.
    #[error("a false read: {what}")]
    FalseRead {
        /// Which read.
        what: String,
    },
    /// A read was older than it says, or older than its bound.
    #[error("a stale read: {what}")]
    StaleRead {
        /// Which read, and what was newer since when.
        what: String,
    },
    /// A later read of one session returned an earlier version.
    #[error("a read went back: {what}")]
    WentBack {
        /// Which read.
        what: String,
    },
    /// An agent that watches was not told of a change.
    #[error("a watch missed a change: {what}")]
    Unnoticed {
        /// Who knows what, and what is there.
        what: String,
    },
    /// When the faults had ended, an agent could still not read or write.
    #[error("no progress: {what}")]
    Stuck {
        /// Who waits for what.
        what: String,
    },
}

/// What one seed came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The seed.
    pub seed: u64,
    /// The law that was broken first, and nothing after it was looked at.
    pub broken: Option<Broken>,
    /// What happened.
    pub tally: Tally,
    /// The last lines before the end, where the run was traced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trace: Vec<String>,
}

/// How much of what a run has seen: a law that nothing tried is not tested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Steps of the world.
    pub steps: u64,
    /// Reads that were answered.
    pub reads: u64,
    /// Those served from the agent's own copy.
    pub cached_reads: u64,
    /// Those that returned a version that was not the newest any more.
    pub stale_reads: u64,
    /// Writes that were acknowledged.
    pub commits: u64,
    /// What was refused: writes, and asks that a lost connection ended.
    pub refusals: u64,
    /// Ends of gathering: what was asked until then has one sync, if any.
    pub flushes: u64,
    /// Changes that watches told of.
    pub notices: u64,
    /// Contents that collections removed.
    pub collected: u64,
    /// Verifications of all contents.
    pub verifications: u64,
    /// Frames that were lost.
    pub lost_frames: u64,
    /// Agents that crashed.
    pub agent_crashes: u64,
    /// Homes that crashed.
    pub home_crashes: u64,
    /// Homes that stopped because their storage had failed in a commit.
    pub home_failures: u64,
    /// Faults of the storage.
    pub storage_faults: u64,
}

impl Tally {
    /// The counts of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            steps: self.steps + other.steps,
            reads: self.reads + other.reads,
            cached_reads: self.cached_reads + other.cached_reads,
            stale_reads: self.stale_reads + other.stale_reads,
            commits: self.commits + other.commits,
            refusals: self.refusals + other.refusals,
            flushes: self.flushes + other.flushes,
            notices: self.notices + other.notices,
            collected: self.collected + other.collected,
            verifications: self.verifications + other.verifications,
            lost_frames: self.lost_frames + other.lost_frames,
            agent_crashes: self.agent_crashes + other.agent_crashes,
            home_crashes: self.home_crashes + other.home_crashes,
            home_failures: self.home_failures + other.home_failures,
            storage_faults: self.storage_faults + other.storage_faults,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} steps, {} reads ({} from a copy, {} of those of an older version), {} writes, {} refusals, \
             {} flushes, {} changes told to watches, {} contents collected, {} verifications, {} frames lost, \
             {} agents and {} homes crashed, {} homes stopped, {} storage faults",
            self.steps,
            self.reads,
            self.cached_reads,
            self.stale_reads,
            self.commits,
            self.refusals,
            self.flushes,
            self.notices,
            self.collected,
            self.verifications,
            self.lost_frames,
            self.agent_crashes,
            self.home_crashes,
            self.home_failures,
            self.storage_faults,
        )
    }
}
