//! What one home takes on, with the defaults of a single machine.

use serde::{Deserialize, Serialize};

/// Bounds of a home and of its daemon. Each is enforced where the thing enters, and its refusal names the value
/// and the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Largest content of one artifact, in bytes; also the most that all members of one `commit_all` have together.
    pub content_bytes_max: u64,
    /// Most sections of one artifact.
    pub sections_max: usize,
    /// Most members of one `commit_all`. A backend may take fewer in one transaction, and then says so: etcd takes 128
    /// operations, which are 42 members whose contents lie in it or 127 whose contents lie elsewhere.
    pub members_max: usize,
    /// Most sessions at a time.
    pub sessions_max: usize,
    /// Most requests of one session that wait, or whose answers it has not taken.
    pub pending_max: usize,
    /// Most frames that wait to be sent to one session; a session that reads more slowly is ended.
    pub outbox_max: usize,
    /// Most watched prefixes of one session.
    pub watches_max: usize,
    /// Most rows of one listing; the rest is asked for with the last name.
    pub list_max: usize,
    /// A session that is silent for longer is taken for lost, in milliseconds.
    pub silence_ms_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            content_bytes_max: 16 << 20,
            sections_max: 1024,
            members_max: 64,
            sessions_max: 1024,
            pending_max: 64,
            outbox_max: 4096,
            watches_max: 16,
            list_max: 1000,
            silence_ms_max: 15_000,
        }
    }
}

impl Limits {
    /// Longest frame on the wire, in bytes: one content and what is said around it.
    #[must_use]
    pub fn frame_bytes_max(&self) -> usize {
        usize::try_from(self.content_bytes_max).unwrap_or(usize::MAX).saturating_add(1 << 20)
    }
}
