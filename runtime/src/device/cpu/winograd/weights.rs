//! Weights on their way to Winograd's products: `G g Gᵀ`, 36 numbers for every 3 × 3.

use core::ops::Range;

use super::super::{BLOCK, Simd, simd::levels::compiled_here, tile::Floats, transpose::transpose};
use super::{A, A2, A2_TIMES_B2, B, B2, KERNEL, N_A, N_B, POSITIONS, REACH, Winograd};

const TAPS: usize = KERNEL * KERNEL;
/// Weights of 16 inputs and 16 outputs at one position of the kernel, and at all of them.
pub(super) const SHEET: usize = BLOCK * BLOCK;
const MASTER: usize = TAPS * SHEET;

/// Floats from one position to the next, with so many sheets at each: one vector more than they take, lest the 36 positions of a weight fall into few sets of the cache.
pub(super) const fn sheets(rows: usize) -> usize {
    rows * SHEET + BLOCK
}

/// G g: one row per point, over the product of its distances from the others.
#[inline(always)]
fn weight<S: Simd>(s: S, g: [S::V; KERNEL]) -> [S::V; REACH] {
    let even_a = s.fma(s.splat((A2 as f64 / N_A) as f32), g[2], s.mul(s.splat((1.0 / N_A) as f32), g[0]));
    let even_b = s.fma(s.splat((B2 as f64 / N_B) as f32), g[2], s.mul(s.splat((1.0 / N_B) as f32), g[0]));
    let (odd_a, odd_b) = (s.splat((A as f64 / N_A) as f32), s.splat((B as f64 / N_B) as f32));
    [
        s.mul(s.splat((1.0 / A2_TIMES_B2 as f64) as f32), g[0]),
        s.fma(odd_a, g[1], even_a),
        s.fma(s.neg(odd_a), g[1], even_a),
        s.fma(odd_b, g[1], even_b),
        s.fma(s.neg(odd_b), g[1], even_b),
        g[2],
    ]
}

/// Floats that [`winograd_weights`] writes.
pub const fn winograd_size(d: &Winograd) -> usize {
    d.conv.output_blocks() * POSITIONS * sheets(d.conv.parts())
}

/// Number of tasks of [`winograd_weights`]: none where those of [`winograd`](super::winograd()) do its work.
pub const fn winograd_weights_tasks(d: &Winograd, batch: usize) -> usize {
    if d.is_own(batch) { 0 } else { d.conv.output_blocks() * d.conv.parts() }
}

/// Weights of `d` transformed, from the master form: `[o/16][36][c/16][16 c][16 o]`, one vector left out behind each of the 36.
///
/// # Safety
/// `master` holds the weights (their padding is 0), `to` [`winograd_size`] floats, and `task` is below [`winograd_weights_tasks`].
#[inline(always)]
pub unsafe fn winograd_weights<S: Simd>(s: S, d: &Winograd, master: *const f32, to: *mut f32, task: usize) {
    let parts = d.conv.parts();
    let (block, part) = (task / parts, task % parts);
    // SAFETY: the blocks lie in both forms.
    unsafe {
        let to = to.add(block * POSITIONS * sheets(parts) + part * SHEET);
        transform(s, d.turned, d.pair(master, block, part), to, sheets(parts));
    }
}

/// What output `blocks` have for `parts` of the inputs: `[block][36][part][16 c][16 o]`.
///
/// # Safety
/// `master` holds the weights of `d`, which has these blocks and parts; `to` holds the result.
#[inline(always)]
pub(super) unsafe fn transform_some<S: Simd>(
    s: S,
    d: &Winograd,
    master: *const f32,
    blocks: Range<usize>,
    parts: Range<usize>,
    to: *mut f32,
) {
    let position = sheets(parts.len());
    for (j, block) in blocks.enumerate() {
        for (i, part) in parts.clone().enumerate() {
            // SAFETY: `to` has 36 sheets for each of the blocks and parts, which are those of the weights.
            unsafe {
                let to = to.add(j * POSITIONS * position + i * SHEET);
                transform(s, d.turned, d.pair(master, block, part), to, position);
            }
        }
    }
}

impl Winograd {
    /// Where an output block's weights for a block of inputs begin. The forward convolution's outputs are the inputs of its gradient.
    fn pair(&self, master: *const f32, block: usize, part: usize) -> *const f32 {
        let (blocks, parts) = (self.conv.output_blocks(), self.conv.parts());
        let pair = if self.turned { part * blocks + block } else { block * parts + part };
        master.wrapping_add(pair * MASTER)
    }
}

compiled_here! {
    /// Of a pair of blocks: 9 sheets become 36, at this distance; `turned`, those of the input gradient, whose kernel is flipped, and channels and outputs exchanged.
    ///
    /// # Safety
    /// Those are readable and writable.
    unsafe fn transform(
        turned: bool,
        from: *const f32,
        to: *mut f32,
        position: usize,
    ) = transform_body
}

/// # Safety
/// As [`transform`].
#[inline(always)]
unsafe fn transform_body<S: Simd>(s: S, turned: bool, mut from: *const f32, to: *mut f32, position: usize) {
    let mut buffer = Floats::<MASTER>::new();
    // SAFETY: 9 sheets are read from the master form and 36 written, by our caller's word; of the buffer each sheet is
    // written before the loop below reads it.
    unsafe {
        if turned {
            for tap in 0..TAPS {
                let to = buffer.as_mut_ptr().add(tap * SHEET);
                transpose(from.add((TAPS - 1 - tap) * SHEET), BLOCK, BLOCK, to, BLOCK);
            }
            from = buffer.as_mut_ptr();
        }
        for at in (0..SHEET).step_by(BLOCK) {
            macro_rules! row {
                ($($i:literal)*) => { [$(
                    weight(s, [
                        s.load(from.add(at + (KERNEL * $i) * SHEET)),
                        s.load(from.add(at + (KERNEL * $i + 1) * SHEET)),
                        s.load(from.add(at + (KERNEL * $i + 2) * SHEET)),
                    ])
                ),*] };
            }
            let w = row!(0 1 2);
            macro_rules! column {
                ($($j:literal)*) => { $(
                    let u = weight(s, [w[0][$j], w[1][$j], w[2][$j]]);
                    for (i, u) in u.into_iter().enumerate() {
                        s.store(to.add((i * REACH + $j) * position + at), u);
                    }
                )* };
            }
            column!(0 1 2 3 4 5);
        }
    }
}
