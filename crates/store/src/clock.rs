//! The clock that the daemon and the client hand to the pure parts as an argument.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use lrrc_coherence::Millis;

/// Milliseconds since the Unix epoch that never go back within a process: the wall clock is read once, at the
/// start, and a monotone clock counts on from there. Expiries of claims are compared between machines, so the
/// start has to be the wall clock's; a step of the wall clock while the process runs is not followed.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
    start_ms: u64,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), start_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX) }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Millis {
        let elapsed_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        Millis(self.start_ms.saturating_add(elapsed_ms))
    }
}
