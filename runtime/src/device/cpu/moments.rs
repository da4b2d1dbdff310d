//! Mean of many values and squared distances from it, in one pass over memory.
//!
//! Values are taken in groups that stay in the first-level cache: of each its mean, and then the squared distances from that, so that nothing is lost to cancellation. Groups are merged in order
//! (Chan, Golub and LeVeque, 1983), and so are the parts of the batch, of which each is a task.

use core::ops::Range;

use super::{BLOCK, Simd, Source, tile::part, total::add_exactly};

/// Vectors of a group: half of a first-level cache of 32 KiB.
const GROUP: usize = 256;

/// A tensor in channel blocks, `chunks` parts of whose batch have partial results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moments {
    pub blocks: usize,
    pub pixels: usize,
    pub chunks: usize,
}

impl Moments {
    /// Where the partial mean of a chunk lies; the squares are `blocks` vectors on.
    const fn at(&self, chunk: usize, block: usize) -> usize {
        (chunk * 2 * self.blocks + block) * BLOCK
    }
}

/// Number of tasks of [`moments_partials`].
pub const fn moments_tasks(d: &Moments) -> usize {
    d.chunks * d.blocks
}

/// Of so many values in every lane: their mean and the sum of squared distances from it.
#[derive(Clone, Copy)]
pub(super) struct Part<V> {
    pub count: f32,
    pub mean: V,
    pub squares: V,
    /// By how much the two are too large: many parts are merged into one.
    lost: [V; 2],
}

impl<V: Copy> Part<V> {
    #[inline(always)]
    pub fn none<S: Simd<V = V>>(s: S) -> Self {
        Part::new(s, 0.0, s.splat(0.0), s.splat(0.0))
    }

    #[inline(always)]
    pub fn new<S: Simd<V = V>>(s: S, count: f32, mean: V, squares: V) -> Self {
        Part { count, mean, squares, lost: [s.splat(0.0); 2] }
    }

    /// Of both together; `other` is one that nothing was merged into.
    #[inline(always)]
    pub fn with<S: Simd<V = V>>(self, s: S, other: Self) -> Self {
        if other.count == 0.0 {
            return self;
        }
        if self.count == 0.0 {
            return other;
        }
        let count = self.count + other.count;
        let share = s.splat(other.count / count);
        let apart = s.add(s.sub(other.mean, self.mean), self.lost[0]);
        let between = s.mul(s.mul(apart, apart), s.mul(s.splat(self.count), share));
        let (mean, mean_lost) = add_exactly(s, self.mean, self.lost[0], s.mul(apart, share));
        let (squares, squares_lost) = add_exactly(s, self.squares, self.lost[1], s.add(other.squares, between));
        Part { count, mean, squares, lost: [mean_lost, squares_lost] }
    }
}

/// Partial results of one block in one chunk of the batch, into `to`.
///
/// # Safety
/// `x` has the pixels of `batch` samples, `to` holds two vectors per block and chunk, and `task` is below [`moments_tasks`].
#[inline(always)]
pub unsafe fn moments_partials<S: Simd, X: Source>(s: S, d: &Moments, x: X, batch: usize, task: usize, to: *mut f32) {
    let (chunk, block) = (task / d.blocks, task % d.blocks);
    let samples = part(batch, d.chunks, chunk);
    let (rows, run) = if d.pixels > GROUP { (1, GROUP) } else { (GROUP / d.pixels, d.pixels) };
    let mut all = Part::none(s);
    let mut row = samples.start;
    // SAFETY: a task's samples are a part of the batch and its block one of the tensor's, of which x has all pixels;
    // chunk and block have their own place in `to`.
    unsafe {
        while row < samples.end {
            let last = (row + rows).min(samples.end);
            let mut pixel = 0;
            while pixel < d.pixels {
                let end = (pixel + run).min(d.pixels);
                all = all.with(s, group(s, x, row..last, pixel..end, block));
                pixel = end;
            }
            row = last;
        }
        s.store(to.add(d.at(chunk, block)), all.mean);
        s.store(to.add(d.at(chunk, block) + d.blocks * BLOCK), all.squares);
    }
}

/// Sum of all values of a block, and the sum of squared distances from their mean, from what [`moments_partials`] left.
///
/// # Safety
/// `from` is what all tasks have written, and `block` is one of the tensor's.
#[inline(always)]
pub unsafe fn moments_results<S: Simd>(
    s: S,
    d: &Moments,
    batch: usize,
    block: usize,
    from: *const f32,
) -> (S::V, S::V) {
    let mut all = Part::none(s);
    for chunk in 0..d.chunks {
        let count = (part(batch, d.chunks, chunk).len() * d.pixels) as f32;
        // SAFETY: every chunk has left both vectors of this block, by our caller's word.
        let partial = unsafe {
            let mean = s.load(from.add(d.at(chunk, block)));
            Part::new(s, count, mean, s.load(from.add(d.at(chunk, block) + d.blocks * BLOCK)))
        };
        all = all.with(s, partial);
    }
    (s.mul(all.mean, s.splat(all.count)), all.squares)
}

/// # Safety
/// `x` has those vectors.
#[inline(always)]
unsafe fn group<S: Simd, X: Source>(s: S, x: X, rows: Range<usize>, pixels: Range<usize>, block: usize) -> Part<S::V> {
    let count = (rows.len() * pixels.len()) as f32;
    // SAFETY: the vectors are our caller's.
    unsafe {
        let sum = add_up::<S, X, false>(s, x, rows.clone(), pixels.clone(), block, s.splat(0.0));
        let mean = s.div(sum, s.splat(count));
        Part::new(s, count, mean, add_up::<S, X, true>(s, x, rows, pixels, block, mean))
    }
}

/// Additions to each of the sums that run beside each other.
const RUN: usize = 16;

/// Sum of the values, or of the squares of their distances from `mean`. Four sums run beside each other, because an addition takes several cycles,
/// and are put together when they have become long.
///
/// # Safety
/// `x` has those vectors.
#[inline(always)]
unsafe fn add_up<S: Simd, X: Source, const SQUARES: bool>(
    s: S,
    x: X,
    rows: Range<usize>,
    pixels: Range<usize>,
    block: usize,
    mean: S::V,
) -> S::V {
    let zero = s.splat(0.0);
    let (mut a, mut b, mut c, mut d) = (zero, zero, zero, zero);
    let (mut all, mut left) = (zero, RUN);
    for row in rows {
        let mut pixel = pixels.start;
        // SAFETY: four pixels are read where four are left, and single ones below the end: all are our caller's.
        unsafe {
            while pixel + 4 <= pixels.end {
                a = step::<S, SQUARES>(s, a, x.at(s, row, block, pixel), mean);
                b = step::<S, SQUARES>(s, b, x.at(s, row, block, pixel + 1), mean);
                c = step::<S, SQUARES>(s, c, x.at(s, row, block, pixel + 2), mean);
                d = step::<S, SQUARES>(s, d, x.at(s, row, block, pixel + 3), mean);
                pixel += 4;
                left -= 1;
                if left == 0 {
                    all = s.add(all, s.add(s.add(a, b), s.add(c, d)));
                    (a, b, c, d, left) = (zero, zero, zero, zero, RUN);
                }
            }
            while pixel < pixels.end {
                a = step::<S, SQUARES>(s, a, x.at(s, row, block, pixel), mean);
                pixel += 1;
                left -= 1;
                if left == 0 {
                    all = s.add(all, s.add(s.add(a, b), s.add(c, d)));
                    (a, b, c, d, left) = (zero, zero, zero, zero, RUN);
                }
            }
        }
    }
    s.add(all, s.add(s.add(a, b), s.add(c, d)))
}

#[inline(always)]
pub(super) fn step<S: Simd, const SQUARES: bool>(s: S, sum: S::V, value: S::V, mean: S::V) -> S::V {
    if SQUARES {
        let apart = s.sub(value, mean);
        s.fma(apart, apart, sum)
    } else {
        s.add(sum, value)
    }
}
