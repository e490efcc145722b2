//! Which copies an agent may read: by strategy, by the bound, by section.

use lrrc_coherence::{
    AgentId, Bound, Cache, Confirmed, Delivered, Edition, Generation, Grant, Incarnation, Line, Lookup, Mark,
    Millis, Stamp, Strategy, Version, Why,
};

use crate::world::content;

fn mark(version: u64, generation: u64) -> Mark {
    let stamp = Stamp { incarnation: Incarnation(1), version: Version(version) };
    Mark { stamp, generation: Generation(generation) }
}

fn grant(mark: Mark, sections: &[&str]) -> Grant {
    let content = content(mark.version().0);
    let (digest, size_bytes, tokens) = (content.digest, content.size_bytes, content.tokens);
    let edition =
        Edition { version: mark.version(), digest, size_bytes, tokens, writer: AgentId(1), at: Millis(0) };
    let sections = sections.iter().map(|name| (*name).to_owned()).collect();
    Grant { mark, edition, line: Line::Shared, sections, delta_from: None }
}

/// A cache with a copy that was asked for at 100 ms.
fn filled(strategy: Strategy, sections: &[&str]) -> Cache<u8> {
    let mut cache = Cache::new(AgentId(2), strategy, Bound { versions: 1, age_ms: 10 });
    assert!(cache.fill(&0, &grant(mark(3, 1), sections), Millis(100)));
    cache
}

fn look(cache: &mut Cache<u8>, sections: &[&str], now: u64, at: u64, lag: u64) -> Result<u64, Why> {
    let sections: Vec<String> = sections.iter().map(|name| (*name).to_owned()).collect();
    match cache.lookup(&0, &sections, Millis(now), Confirmed { at: Millis(at), lag }) {
        Lookup::Hit { age_ms, .. } => Ok(age_ms),
        Lookup::Miss { why, .. } => Err(why),
    }
}

#[test]
fn a_copy_is_read_within_the_bound_of_its_last_confirmation() {
    let mut cache = filled(Strategy::Lazy, &[]);
    for (now, at, lag, expected) in [
        (100, 0, 0, Ok(0)),
        (110, 0, 0, Ok(10)),
        (111, 0, 0, Err(Why::Unconfirmed)),
        (111, 105, 0, Ok(6)),
        (115, 105, 1, Ok(10)),
        (115, 105, 2, Err(Why::Unconfirmed)),
    ] {
        assert_eq!(look(&mut cache, &[], now, at, lag), expected, "at {now}, confirmed {at}, {lag} behind");
    }
}

#[test]
fn a_strategy_spends_a_copy() {
    let mut lease = filled(Strategy::Lease { ttl_ms: 5 }, &[]);
    assert_eq!(look(&mut lease, &[], 104, 104, 0), Ok(0));
    assert_eq!(look(&mut lease, &[], 105, 105, 0), Err(Why::Spent));
    let mut count = filled(Strategy::AccessCount { reads: 2 }, &[]);
    let reads: Vec<bool> = (0..3).map(|_| look(&mut count, &[], 100, 100, 0).is_ok()).collect();
    assert_eq!(reads, [true, true, false]);
    count.fill(&0, &grant(mark(3, 1), &[]), Millis(100));
    assert_eq!(look(&mut count, &[], 100, 100, 0), Ok(0));
}

#[test]
fn a_copy_of_sections_covers_those_sections() {
    let mut cache = filled(Strategy::Lazy, &["a", "b"]);
    assert_eq!(look(&mut cache, &["b"], 100, 100, 0), Ok(0));
    for other in [&["a", "c"][..], &[]] {
        assert_eq!(look(&mut cache, other, 100, 100, 0), Err(Why::OtherSections));
    }
    assert_eq!(look(&mut filled(Strategy::Lazy, &[]), &["c"], 100, 100, 0), Ok(0));
}

#[test]
fn a_claim_without_the_content_is_no_copy() {
    let mut cache = filled(Strategy::Lazy, &[]);
    assert_eq!(cache.signal(&0, mark(4, 1)), Delivered::Revoked);
    assert!(cache.acquired(&0, mark(4, 2), Millis(101)));
    let confirmed = Confirmed { at: Millis(101), lag: 0 };
    let missing = Lookup::Miss { have: Some(mark(3, 1).stamp), why: Why::NoCopy };
    assert_eq!(cache.lookup(&0, &[], Millis(101), confirmed), missing);
    assert!(cache.fill(&0, &grant(mark(4, 2), &[]), Millis(102)));
    assert_eq!(look(&mut cache, &[], 102, 102, 0), Ok(0));
}

#[test]
fn what_comes_late_or_twice_does_nothing() {
    let mut cache = filled(Strategy::Eager, &[]);
    assert_eq!(cache.signal(&0, mark(3, 1)), Delivered::Zombie);
    assert_eq!(cache.signal(&0, mark(5, 1)), Delivered::Revoked);
    assert_eq!(cache.signal(&0, mark(5, 1)), Delivered::Noted);
    assert!(!cache.fill(&0, &grant(mark(4, 1), &[]), Millis(101)), "a reply that a signal overtook");
    assert!(!cache.push(&0, mark(5, 1), content(5).digest, &[]), "a push that a signal overtook");
    assert!(cache.push(&0, mark(6, 1), content(6).digest, &[]));
    cache.release(&0);
    cache.released(&0, mark(6, 1));
    assert!(!cache.push(&0, mark(6, 1), content(6).digest, &[]), "a push that came twice");
    assert!(!cache.push(&1, mark(1, 0), content(1).digest, &[]), "a push that nobody asked for");
    cache.drop_all();
    assert_eq!(look(&mut cache, &[], 101, 101, 0), Err(Why::NoCopy));
}
