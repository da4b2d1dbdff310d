//! Philox-4x32-10 (Salmon, Moraes, Dror and Shaw 2011): random numbers as a pure function of seed, step, stream, sample and element.

use super::Simd;

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Ten rounds on one counter per lane.
#[inline(always)]
pub fn philox<S: Simd>(s: S, counter: [S::I; 4], key: [u32; 2]) -> [S::I; 4] {
    let [m0, m1] = MULTIPLIERS.map(|m| s.int_splat(m));
    let ([mut c0, mut c1, mut c2, mut c3], [mut k0, mut k1]) = (counter, key);
    for _ in 0..10 {
        let (high0, low0) = (s.int_mul_high(m0, c0), s.int_mul(m0, c0));
        let (high1, low1) = (s.int_mul_high(m1, c2), s.int_mul(m1, c2));
        c0 = s.int_xor(s.int_xor(high1, c1), s.int_splat(k0));
        c2 = s.int_xor(s.int_xor(high0, c3), s.int_splat(k1));
        (c1, c3) = (low1, low0);
        (k0, k1) = (k0.wrapping_add(WEYL[0]), k1.wrapping_add(WEYL[1]));
    }
    [c0, c1, c2, c3]
}

/// Counter (element, sample, step, stream), key = seed; the top 24 bits of the first word.
#[inline(always)]
pub fn uniform<S: Simd>(s: S, seed: u64, step: u64, stream: u32, sample: u32, index: u32, stride: u32) -> S::V {
    let element = s.int_add(s.int_splat(index), s.int_mul(s.int_iota(), s.int_splat(stride)));
    let counter = [element, s.int_splat(sample), s.int_splat(step as u32), s.int_splat(stream)];
    let [word, ..] = philox(s, counter, [seed as u32, (seed >> 32) as u32]);
    s.mul(s.int_to_float(s.int_shr(word, 8)), s.splat(1.0 / (1u32 << 24) as f32))
}
