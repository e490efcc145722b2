//! What an agent writes down: each ask before it is sent, each answer after it came, a line of JSON each.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use lrrc_coherence::{Digest, Mark, Stamp};
use serde::{Deserialize, Serialize};

/// Microseconds since the Unix epoch: all processes are on one machine, so their times compare.
pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// One line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) at_us: u64,
    /// Which agent of its process.
    pub(crate) agent: u32,
    /// Which ask of the agent; the answer has the same number.
    pub(crate) op: u64,
    pub(crate) said: Said,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Said {
    Ask(Ask),
    Told(Told),
}

/// One artifact that a write would move from `base`, or make where there is none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Move {
    pub(crate) name: String,
    pub(crate) base: Option<Stamp>,
    pub(crate) digest: Digest,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Ask {
    Read {
        name: String,
        fresh: bool,
    },
    /// A creation, a commit by comparison, or several of them as one.
    Write {
        moves: Vec<Move>,
    },
    Acquire {
        name: String,
    },
    /// A commit under the claim that the ask `claim` was given.
    CommitUnder {
        claim: u64,
        write: Move,
    },
    Release {
        claim: u64,
    },
    Delete {
        name: String,
        expected: Stamp,
    },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Told {
    Read {
        stamp: Stamp,
        digest: Digest,
        confirmed_revision: u64,
        age_ms: u64,
        from_copy: bool,
    },
    Written {
        marks: Vec<Mark>,
    },
    Acquired {
        who: u32,
        stamp: Stamp,
        expires_ms: u64,
    },
    Done,
    /// Nothing changed.
    Refused {
        why: String,
    },
    /// Nobody knows.
    Uncertain {
        why: String,
    },
}

/// The file of one process.
pub(crate) struct Record(Mutex<File>);

impl Record {
    pub(crate) fn create(path: &Path) -> Self {
        Self(Mutex::new(File::create_new(path).expect("a new file")))
    }

    /// Each line is one write, so that a kill leaves whole lines or a last one without its end.
    pub(crate) fn say(&self, agent: u32, op: u64, said: Said) {
        let mut file = self.0.lock().expect("a writer that did not panic");
        let line = Line { at_us: now_us(), agent, op, said };
        let mut bytes = serde_json::to_vec(&line).expect("a line");
        bytes.push(b'\n');
        file.write_all(&bytes).expect("room on the disk");
    }
}

/// The whole lines of a file.
pub(crate) fn lines(path: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).expect("a line that was written whole")).collect()
}
