//! The generator of the published runs: MT19937, seeded and read as Python reads it.

use rand_mt::Mt;

/// `random.Random(seed)` of CPython, bit for bit: the seed goes through `init_by_array`, a real takes 53 bits
/// of two outputs, and a pick rejects until it falls into range.
///
/// ```
/// use lrrc_sim::PythonRandom;
///
/// let mut random = PythonRandom::new(20260305);
/// assert_eq!(random.real(), 0.6697506386830271);
/// ```
#[derive(Clone, Debug)]
pub struct PythonRandom(Mt);

impl PythonRandom {
    /// The generator of `random.Random(seed)`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let [b0, b1, b2, b3, b4, b5, b6, b7] = seed.to_le_bytes();
        let low = u32::from_le_bytes([b0, b1, b2, b3]);
        let high = u32::from_le_bytes([b4, b5, b6, b7]);
        let words = if high == 0 { 1 } else { 2 };
        Self(Mt::new_with_key([low, high].into_iter().take(words)))
    }

    /// `random()`: a multiple of 2⁻⁵³ in `[0, 1)`.
    pub fn real(&mut self) -> f64 {
        let high = f64::from(self.0.next_u32() >> 5);
        let low = f64::from(self.0.next_u32() >> 6);
        (high * 67_108_864.0 + low) / 9_007_199_254_740_992.0
    }

    /// `randrange(bound)`, which is also `choice` among `bound` things.
    ///
    /// # Panics
    ///
    /// If `bound` is 0: nothing can be picked.
    pub fn pick(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "a pick among nothing");
        let bits = u32::BITS - bound.leading_zeros();
        loop {
            let drawn = self.0.next_u32() >> (u32::BITS - bits);
            if drawn < bound {
                return drawn;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What CPython 3.11 draws: two reals, and twelve picks of 3.
    #[test]
    fn draws_are_those_of_cpython() {
        type Draws = (u64, [f64; 2], [u32; 12]);
        #[rustfmt::skip]
        let cases: [Draws; 6] = [
            (0, [0.8444218515250481, 0.7579544029403025], [1, 1, 0, 1, 2, 1, 1, 1, 1, 1, 2, 0]),
            (1, [0.13436424411240122, 0.8474337369372327], [0, 2, 0, 1, 0, 1, 1, 1, 2, 1, 0, 0]),
            (20_260_305, [0.6697506386830271, 0.3839022728522673], [2, 0, 1, 0, 1, 1, 1, 0, 2, 0, 0, 1]),
            (1 << 32, [0.11299430095636409, 0.41782886486292836], [0, 1, 1, 0, 0, 2, 1, 2, 1, 0, 0, 0]),
            ((1 << 40) + 7, [0.6137037779936511, 0.8149162973309487], [2, 2, 2, 2, 2, 1, 1, 2, 0, 2, 1, 2]),
            (1 << 63, [0.5534639983914199, 0.9406144709090462], [2, 1, 0, 0, 2, 0, 1, 1, 2, 1, 1, 2]),
        ];
        for (seed, reals, picks) in cases {
            let mut random = PythonRandom::new(seed);
            assert_eq!([random.real(), random.real()], reals, "reals of seed {seed}");
            let mut random = PythonRandom::new(seed);
            assert_eq!([(); 12].map(|()| random.pick(3)), picks, "picks of seed {seed}");
        }
    }

    #[test]
    fn a_pick_among_one_still_draws() {
        let mut random = PythonRandom::new(0);
        let picks: Vec<u32> =
            [3; 12].into_iter().chain([5; 6]).chain([8; 6]).chain([1]).map(|n| random.pick(n)).collect();
        assert_eq!(picks[12..], [4, 1, 2, 1, 0, 4, 4, 2, 4, 1, 1, 5, 0]);
        assert_eq!(random.real(), 0.5598136790149003);
    }
}
