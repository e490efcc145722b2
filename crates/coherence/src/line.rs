//! The four states of a copy, and the moves between them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The state of one agent's copy of one artifact, as in the MESI protocol of shared-memory processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Line {
    /// The agent wrote the newest version and may write the next.
    #[serde(rename = "M")]
    Modified,
    /// The agent holds the only copy and may write.
    #[serde(rename = "E")]
    Exclusive,
    /// The agent may read; others may too.
    #[serde(rename = "S")]
    Shared,
    /// The agent must fetch before it reads.
    #[serde(rename = "I")]
    Invalid,
}

/// What can happen to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Move {
    /// The agent fetches the content while nobody else holds a copy.
    ReadAlone,
    /// The agent fetches the content while others hold copies.
    ReadShared,
    /// Another agent fetches the content.
    PeerReads,
    /// The agent takes the write claim.
    Acquire,
    /// The agent writes under its claim.
    Commit,
    /// The agent writes by comparing versions.
    CommitCas,
    /// Another agent takes the claim or writes; or the artifact is deleted.
    Revoke,
    /// The claim ends: released, timed out, or its agent lost.
    EndClaim,
}

/// A move that the line does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("a line in state {line} allows no {forbidden:?}")]
pub struct IllegalMove {
    /// The state of the line.
    pub line: Line,
    /// What it does not allow.
    pub forbidden: Move,
}

impl Line {
    /// Every state, strongest first.
    pub const ALL: [Self; 4] = [Self::Modified, Self::Exclusive, Self::Shared, Self::Invalid];

    /// Whether the agent may read its copy.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        !matches!(self, Self::Invalid)
    }

    /// Whether the agent may write: M or E.
    #[must_use]
    pub const fn may_write(self) -> bool {
        matches!(self, Self::Modified | Self::Exclusive)
    }

    /// The letter of the state.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Modified => 'M',
            Self::Exclusive => 'E',
            Self::Shared => 'S',
            Self::Invalid => 'I',
        }
    }

    /// The state after a move: the table of the protocol, and the only place that changes a line.
    ///
    /// # Errors
    /// The pair is not in the table: a commit without M or E, or the end of a claim that gave no M or E.
    pub const fn after(self, happened: Move) -> Result<Self, IllegalMove> {
        match (self, happened) {
            // A copy that is valid keeps its strength when its own agent reads it again.
            (Self::Modified | Self::Exclusive, Move::ReadAlone | Move::ReadShared) => Ok(self),
            (Self::Shared | Self::Invalid, Move::ReadAlone) => Ok(Self::Exclusive),
            (Self::Shared | Self::Invalid, Move::ReadShared) => Ok(Self::Shared),
            (Self::Invalid, Move::PeerReads | Move::Revoke) => Ok(Self::Invalid),
            (_, Move::PeerReads) => Ok(Self::Shared),
            (Self::Modified, Move::Acquire) => Ok(Self::Modified),
            (_, Move::Acquire) => Ok(Self::Exclusive),
            (Self::Modified | Self::Exclusive, Move::Commit) => Ok(Self::Modified),
            (_, Move::CommitCas) => Ok(Self::Shared),
            (_, Move::Revoke) => Ok(Self::Invalid),
            (Self::Modified | Self::Exclusive, Move::EndClaim) => Ok(Self::Invalid),
            (Self::Shared | Self::Invalid, Move::Commit | Move::EndClaim) => {
                Err(IllegalMove { line: self, forbidden: happened })
            }
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.letter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row a move: the states after it from M, E, S and I; `-` where the pair is illegal.
    const TABLE: [(Move, &str); 8] = [
        (Move::ReadAlone, "MEEE"),
        (Move::ReadShared, "MESS"),
        (Move::PeerReads, "SSSI"),
        (Move::Acquire, "MEEE"),
        (Move::Commit, "MM--"),
        (Move::CommitCas, "SSSS"),
        (Move::Revoke, "IIII"),
        (Move::EndClaim, "II--"),
    ];

    #[test]
    fn each_pair_of_state_and_move_is_a_row_of_the_table() {
        for (happened, row) in TABLE {
            let after = |line: Line| line.after(happened).map_or('-', Line::letter);
            let found: String = Line::ALL.into_iter().map(after).collect();
            assert_eq!(found, row, "{happened:?}");
        }
    }
}
