//! Seeded permutations of sample numbers. The same seed gives the same order on every machine.
//!
//! Not the networks' random numbers: those are a function of logical indices, and this is a plain sequence.

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `0..bound`. The bias of the multiplication is below 2⁻³² for any data set that fits into memory.
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

/// Shuffles in place (Fisher and Yates); allocates nothing.
pub(crate) fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut random = SplitMix(seed);
    for end in (1..items.len()).rev() {
        items.swap(end, random.below(end + 1));
    }
}

/// A permutation of `0..len`.
pub(crate) fn permutation(len: usize, seed: u64) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..len).collect();
    shuffle(&mut rows, seed);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permutes_everything_once_and_by_seed_alone() {
        for len in [0, 1, 2, 17, 1000] {
            let mut rows = permutation(len, 7);
            assert_eq!(rows, permutation(len, 7));
            rows.sort_unstable();
            assert!(rows.into_iter().eq(0..len));
        }
        assert_ne!(permutation(100, 1), permutation(100, 2));
    }

    #[test]
    fn first_places_are_uniform() {
        let mut counts = [0; 5];
        for seed in 0..5000 {
            counts[permutation(5, seed)[0]] += 1;
        }
        assert!(counts.iter().all(|&count| (900..1100).contains(&count)), "{counts:?}");
    }
}
