//! A sample that is a function of names and seed alone.

/// Places of at most `count` names, in their order: those with the least hash of seed and name.
///
/// The same name is drawn before another whatever else stands in the list, so a larger sample holds the smaller one.
pub(crate) fn sample(names: &[String], count: usize, seed: u64) -> Vec<usize> {
    let hash = |name: &String| {
        *blake3::Hasher::new().update(&seed.to_le_bytes()).update(name.as_bytes()).finalize().as_bytes()
    };
    let mut drawn: Vec<([u8; 32], usize)> = names.iter().map(hash).zip(0..).collect();
    drawn.sort_unstable();
    let mut places: Vec<usize> = drawn.into_iter().take(count).map(|(_, at)| at).collect();
    places.sort_unstable();
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_sample_holds_the_smaller_one() {
        let names: Vec<String> = (0..50).map(|at| format!("episode {at}")).collect();
        let (few, more) = (sample(&names, 10, 3), sample(&names, 20, 3));
        assert_eq!((few.len(), more.len(), sample(&names, 99, 3).len()), (10, 20, 50));
        assert!(few.is_sorted() && few.iter().all(|at| more.contains(at)));
        assert_ne!(few, sample(&names, 10, 4));
    }
}
