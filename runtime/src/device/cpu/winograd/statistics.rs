//! Mean and squared distances from it of what a convolution stores, taken by its tasks while they have it in their cache.

use core::ops::Range;

use super::super::{
    BLOCK, Conv, Load, Simd,
    moments::{Part, step},
    simd::levels::compiled_here,
};
use super::{EDGE, Winograd};

/// Tiles of a group: 256 vectors, as of the pass that takes them from memory.
const GROUP: usize = 16;

/// Partial moments that the tasks of a [`winograd`](super::winograd()) leave for [`winograd_moments`].
#[derive(Clone, Copy)]
pub struct Statistics {
    /// The values, which its sink stores.
    pub of: Load,
    /// For every run of tiles and every block three vectors: mean, squares, and the number of values in each lane. Runs have 24 tiles or more, or there is but one of them.
    pub to: *mut f32,
}

/// Where what a run leaves of a block lies.
fn place(d: &Conv, run: usize, block: usize) -> usize {
    (run * d.output_blocks() + block) * 3 * BLOCK
}

impl Statistics {
    /// Those of a run of tiles in some blocks.
    ///
    /// # Safety
    /// The values of these tiles and blocks are stored, and `to` is writable at that run.
    #[inline(always)]
    pub(super) unsafe fn leave<S: Simd>(self, s: S, d: &Conv, run: usize, tiles: Range<usize>, blocks: Range<usize>) {
        for block in blocks {
            // SAFETY: these tiles' values are stored by this very task, and a run and block has its own three vectors.
            unsafe { leave_block(s, d, self.of, tiles.clone(), block, self.to.add(place(d, run, block))) }
        }
    }
}

/// Sum and squared distances from the mean of all values of a block.
///
/// # Safety
/// `from` is what all tasks have left, and `block` is one of the outputs'.
#[inline(always)]
pub unsafe fn winograd_moments<S: Simd>(
    s: S,
    d: &Winograd,
    batch: usize,
    block: usize,
    from: *const f32,
) -> (S::V, S::V) {
    let mut all = Part::none(s);
    for run in 0..d.cuts(batch)[0] {
        // SAFETY: every task has left the three vectors of each of its blocks, by our caller's word.
        unsafe {
            let from = from.add(place(&d.conv, run, block));
            let (mean, squares) = (s.load(from), s.load(from.add(BLOCK)));
            all = all.with(s, Part::new(s, *from.add(2 * BLOCK), mean, squares));
        }
    }
    (s.mul(all.mean, s.splat(all.count)), all.squares)
}

compiled_here! {
    /// Those of a run of tiles in one block: mean, squares, and their number.
    ///
    /// # Safety
    /// The values are stored, and `to` is writable.
    unsafe fn leave_block(
        d: &Conv,
        x: Load,
        tiles: Range<usize>,
        block: usize,
        to: *mut f32,
    ) = leave_body
}

/// # Safety
/// As [`leave_block`].
#[inline(always)]
unsafe fn leave_body<S: Simd>(s: S, d: &Conv, x: Load, tiles: Range<usize>, block: usize, to: *mut f32) {
    let mut all = Part::none(s);
    let mut first = tiles.start;
    // SAFETY: the values are stored by our caller's word, and `to` has room for three vectors.
    unsafe {
        while first < tiles.end {
            let group = first..tiles.end.min(first + GROUP);
            first = group.end;
            let (count, sum) = add_up::<S, false>(s, d, x, group.clone(), block, s.splat(0.0));
            let mean = s.div(sum, s.splat(count as f32));
            let (_, squares) = add_up::<S, true>(s, d, x, group, block, mean);
            all = all.with(s, Part::new(s, count as f32, mean, squares));
        }
        s.store(to, all.mean);
        s.store(to.add(BLOCK), all.squares);
        s.store(to.add(2 * BLOCK), s.splat(all.count));
    }
}

/// Tiles whose columns are added up one by one.
const RUN: usize = 4;

/// How many values some tiles have, and their sum, or that of the squares of their distances from `mean`. Columns of a run of tiles have a sum each, because an addition takes several cycles.
///
/// # Safety
/// The values are stored.
#[inline(always)]
unsafe fn add_up<S: Simd, const SQUARES: bool>(
    s: S,
    d: &Conv,
    x: Load,
    tiles: Range<usize>,
    block: usize,
    mean: S::V,
) -> (usize, S::V) {
    let zero = s.splat(0.0);
    let (mut a, mut b, mut c, mut e) = (zero, zero, zero, zero);
    let (mut count, mut all) = (0, zero);
    for (i, id) in tiles.enumerate() {
        if i > 0 && i.is_multiple_of(RUN) {
            all = s.add(all, s.add(s.add(a, b), s.add(c, e)));
            (a, b, c, e) = (zero, zero, zero, zero);
        }
        let (sample, [ty, tx]) = d.tile(id);
        let [rows, columns] = [EDGE.min(d.output[0] - ty), EDGE.min(d.output[1] - tx)];
        count += rows * columns;
        for y in ty..ty + rows {
            // SAFETY: `rows` and `columns` end with the image, so the vectors are outputs of these tiles, which are
            // stored.
            unsafe {
                let at = x.from.add(sample * x.sample + (block * x.pixels + y * d.output[1] + tx) * BLOCK);
                a = step::<S, SQUARES>(s, a, s.load(at), mean);
                if columns > 1 {
                    b = step::<S, SQUARES>(s, b, s.load(at.add(BLOCK)), mean);
                }
                if columns > 2 {
                    c = step::<S, SQUARES>(s, c, s.load(at.add(2 * BLOCK)), mean);
                }
                if columns > 3 {
                    e = step::<S, SQUARES>(s, e, s.load(at.add(3 * BLOCK)), mean);
                }
            }
        }
    }
    (count, s.add(all, s.add(s.add(a, b), s.add(c, e))))
}
