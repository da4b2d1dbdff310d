//! Derived forms of parameters for the input gradient, and the transposition of blocks.
//!
//! A 16 × 16 block goes through registers where the processor has AVX2, whatever level the rest runs at: nothing is computed, so the bits are the same.

use super::{BLOCK, Conv};

/// Floats that [`flip_weights`] writes.
pub const fn flip_size(d: &Conv, dy_planar: bool) -> usize {
    let parts = if dy_planar { d.outputs } else { d.output_blocks() * BLOCK };
    d.channels.div_ceil(BLOCK) * parts * d.kernel[0] * d.kernel[1] * BLOCK
}

/// Number of tasks of [`flip_weights`].
pub const fn flip_tasks(d: &Conv) -> usize {
    d.channels.div_ceil(BLOCK) * d.output_blocks()
}

/// Weights of the forward convolution `d` for its input gradient: `[c/16][o/16][kh flipped][kw flipped][16 o][16 c]`, or `[c/16][o][kh][kw][16 c]` where dy is planar. What no weight reaches is 0.
///
/// # Safety
/// `src` holds the master form (its padding is 0), `dst` [`flip_size`] floats, and `task` is below [`flip_tasks`].
pub unsafe fn flip_weights(d: &Conv, dy_planar: bool, src: *const f32, dst: *mut f32, task: usize) {
    let taps = d.kernel[0] * d.kernel[1];
    let blocks = d.output_blocks();
    let (c_block, o_block) = (task / blocks, task % blocks);
    let channels = (d.channels - c_block * BLOCK).min(BLOCK);
    let outputs = (d.outputs - o_block * BLOCK).min(BLOCK);
    for tap in 0..taps {
        let turned = taps - 1 - tap;
        // SAFETY: the blocks lie in both forms.
        unsafe {
            let (from, row) = if d.planar {
                (src.add((o_block * d.channels * taps + turned) * BLOCK), taps * BLOCK)
            } else {
                (src.add(((o_block * d.parts() + c_block) * taps + turned) * BLOCK * BLOCK), BLOCK)
            };
            if dy_planar {
                for o in 0..outputs {
                    let to = dst.add(((c_block * d.outputs + o_block * BLOCK + o) * taps + tap) * BLOCK);
                    transpose(from.add(o), channels, row, to, 1);
                }
            } else {
                let to = dst.add(((c_block * blocks + o_block) * taps + tap) * BLOCK * BLOCK);
                transpose(from, channels, row, to, BLOCK);
            }
        }
    }
}

/// `to[i][j] = from[j][i]` for i < rows; 0 for j from `lanes` on. Rows of `from` are `row` floats apart, those of `to` 16.
///
/// # Safety
/// Those elements are readable and writable; with 16 lanes and 16 rows, all of both blocks.
#[inline]
pub(super) unsafe fn transpose(from: *const f32, lanes: usize, row: usize, to: *mut f32, rows: usize) {
    #[cfg(target_arch = "x86_64")]
    if lanes == BLOCK && rows == BLOCK && is_x86_feature_detected!("avx2") {
        for (i, j) in [(0, 0), (0, 8), (8, 0), (8, 8)] {
            // SAFETY: detected, and a quarter of the block.
            unsafe { eight(from.add(j * row + i), row, to.add(i * BLOCK + j)) }
        }
        return;
    }
    for i in 0..rows {
        for j in 0..BLOCK {
            // SAFETY: our caller vouches for `lanes` rows of `from` with `rows` elements each, and for `rows` rows of
            // 16 in `to`.
            unsafe { *to.add(i * BLOCK + j) = if j < lanes { *from.add(j * row + i) } else { 0.0 } }
        }
    }
}

/// An 8 × 8 block, from rows at distance `row` to rows at distance 16.
///
/// # Safety
/// The processor has AVX2; the blocks are readable and writable.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn eight(from: *const f32, row: usize, to: *mut f32) {
    use core::arch::x86_64::*;
    // SAFETY: our caller vouches for eight rows of eight floats.
    let r: [__m256; 8] = unsafe {
        [
            _mm256_loadu_ps(from),
            _mm256_loadu_ps(from.add(row)),
            _mm256_loadu_ps(from.add(2 * row)),
            _mm256_loadu_ps(from.add(3 * row)),
            _mm256_loadu_ps(from.add(4 * row)),
            _mm256_loadu_ps(from.add(5 * row)),
            _mm256_loadu_ps(from.add(6 * row)),
            _mm256_loadu_ps(from.add(7 * row)),
        ]
    };
    // Pairs of rows interleaved, then pairs of pairs, then the halves exchanged.
    let pairs: [__m256; 8] = [
        _mm256_unpacklo_ps(r[0], r[1]),
        _mm256_unpackhi_ps(r[0], r[1]),
        _mm256_unpacklo_ps(r[2], r[3]),
        _mm256_unpackhi_ps(r[2], r[3]),
        _mm256_unpacklo_ps(r[4], r[5]),
        _mm256_unpackhi_ps(r[4], r[5]),
        _mm256_unpacklo_ps(r[6], r[7]),
        _mm256_unpackhi_ps(r[6], r[7]),
    ];
    const LOW: i32 = 0b01_00_01_00;
    const HIGH: i32 = 0b11_10_11_10;
    let fours: [__m256; 8] = [
        _mm256_shuffle_ps::<LOW>(pairs[0], pairs[2]),
        _mm256_shuffle_ps::<HIGH>(pairs[0], pairs[2]),
        _mm256_shuffle_ps::<LOW>(pairs[1], pairs[3]),
        _mm256_shuffle_ps::<HIGH>(pairs[1], pairs[3]),
        _mm256_shuffle_ps::<LOW>(pairs[4], pairs[6]),
        _mm256_shuffle_ps::<HIGH>(pairs[4], pairs[6]),
        _mm256_shuffle_ps::<LOW>(pairs[5], pairs[7]),
        _mm256_shuffle_ps::<HIGH>(pairs[5], pairs[7]),
    ];
    for i in 0..4 {
        // SAFETY: our caller vouches for eight rows of eight floats, 16 apart.
        unsafe {
            _mm256_storeu_ps(to.add(i * BLOCK), _mm256_permute2f128_ps::<0x20>(fours[i], fours[i + 4]));
            _mm256_storeu_ps(to.add((i + 4) * BLOCK), _mm256_permute2f128_ps::<0x31>(fours[i], fours[i + 4]));
        }
    }
}
