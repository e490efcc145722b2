//! Raw episodes → token counts.

use lrrc_episode::{Episode, TokenCounter};

/// Counts the turns that have no count; `recount` counts all of them. Returns how many were counted.
pub fn annotate(episode: &mut Episode, counter: &TokenCounter, recount: bool) -> usize {
    let turns = episode.turns.iter_mut().filter(|turn| recount || turn.tokens.is_none());
    turns.map(|turn| turn.tokens = Some(counter.count_turn(turn))).count()
}

#[cfg(test)]
mod tests {
    use lrrc_episode::Encoding;

    use super::*;

    #[test]
    fn counts_what_is_missing_and_recounts_when_asked() {
        let counter = TokenCounter::new(Encoding::Cl100kBase);
        let mut episode = crate::test_episode(1, 1);
        episode.turns[0].content = "hello world".to_owned();
        episode.turns[0].tokens = Some(99);
        episode.turns[1].tokens = None;
        assert_eq!(annotate(&mut episode, &counter, false), 1);
        assert_eq!(episode.turns[0].tokens, Some(99));
        assert!(episode.turns[1].tokens.is_some());
        assert_eq!(annotate(&mut episode, &counter, true), episode.turns.len());
        assert_eq!(episode.turns[0].tokens, Some(2));
    }
}
