//! The order of what a home says: repeated frames are dropped, early ones wait, and a gap that stays is a lost feed.

use std::collections::BTreeMap;

use crate::wire::FromHome;

/// Early frames that wait for one that is missing.
const EARLY_MAX: usize = 64;

/// Where the agent stands in the frames of its session.
#[derive(Debug, Default)]
pub(super) struct Link {
    taken: u64,
    early: BTreeMap<u64, FromHome>,
}

/// Too many frames came before one that is missing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gap;

impl Link {
    /// Frames that are due, in order.
    pub(super) fn take(&mut self, frame: FromHome) -> Result<Vec<FromHome>, Gap> {
        if frame.seq > self.taken {
            self.early.insert(frame.seq, frame);
        }
        let mut due = Vec::new();
        while let Some(frame) = self.early.remove(&(self.taken + 1)) {
            self.taken += 1;
            due.push(frame);
        }
        if self.early.len() > EARLY_MAX { Err(Gap) } else { Ok(due) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Refusal;
    use crate::wire::Says;

    #[test]
    fn frames_come_out_once_and_in_order() {
        let frame =
            |seq| FromHome { seq, says: Says::Goodbye { why: Refusal::SessionOver { why: String::new() } } };
        let mut link = Link::default();
        let due: Vec<Vec<u64>> = [2, 1, 1, 4, 2, 3]
            .map(|seq| {
                link.take(frame(seq)).map_or_else(|Gap| vec![0], |due| due.iter().map(|f| f.seq).collect())
            })
            .to_vec();
        assert_eq!(due, [vec![], vec![1, 2], vec![], vec![], vec![], vec![3, 4]]);
        let mut gap = (6..).map(|seq| link.take(frame(seq)));
        assert_eq!(gap.position(|taken| taken == Err(Gap)), Some(EARLY_MAX));
    }
}
