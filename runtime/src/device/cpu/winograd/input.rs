//! Inputs on their way to Winograd's products: `Bᵀ x B` of the 6 × 6 that a tile of outputs reads. The border is read as zeros where it lies, the image is not copied; what is not in memory is computed for some rows of
//! tiles at a time, once for all tiles that read it.

use core::ops::Range;

use super::super::{
    BLOCK, Conv, Simd,
    conv::{max, min},
    source::AnySource,
};
use super::{A, A2, A2_PLUS_B2, A2_TIMES_B2, B, B2, EDGE, MOST, POSITIONS, REACH, pitch};

/// What the border is made of.
static ZERO: [f32; BLOCK] = [0.0; BLOCK];

/// An operand of a convolution's tiles: x with its border, or dy.
#[derive(Clone, Copy)]
pub(super) struct Side<'a> {
    pub source: AnySource<'a>,
    pub extent: [usize; 2],
    pub padding: [usize; 2],
    /// Edge of what a tile reads.
    pub reach: usize,
    /// Room for what is computed: [`winograd_rows`] floats.
    pub rows: *mut f32,
}

/// Floats of scratch for rows of an operand that is not in memory, which the templates find behind their own.
pub const fn winograd_rows(d: &Conv) -> usize {
    let [high, wide] = [d.tiles(0), d.tiles(1)];
    // A run of tiles begins and ends anywhere in a row of them.
    let touched = (MOST + wide - 2) / wide + 1;
    let rows = EDGE * min(touched, high) + REACH - EDGE;
    rows * max(d.input[1], d.output[1]) * BLOCK
}

impl Side<'_> {
    /// The first of these tiles that lie in one sample, and the block's image there. They are taken out of `tiles`; `None` when there are no more.
    ///
    /// (A function that took a closure for each tile would compile that without the processor's features.)
    ///
    /// # Safety
    /// The tiles lie in the batch, the block in the operand, and there are no more tiles than [`winograd_rows`] counts on. The image is to be used before the next.
    #[inline(always)]
    pub unsafe fn next_sample(
        &self,
        d: &Conv,
        tiles: &mut Range<usize>,
        block: usize,
    ) -> Option<(Range<usize>, *const f32)> {
        if tiles.start >= tiles.end {
            return None;
        }
        let [height, width] = self.extent;
        let (sample, [top, _]) = d.tile(tiles.start);
        let own = tiles.start..tiles.end.min((sample + 1) * d.tiles(0) * d.tiles(1));
        tiles.start = own.end;
        let image = match self.source.in_memory() {
            // SAFETY: the sample is below the batch and the block one of the operand's, by our caller's word.
            Some(x) => unsafe { x.from.add(sample * x.sample + block * height * width * BLOCK) },
            None => {
                let (_, [bottom, _]) = d.tile(own.end - 1);
                let first = top.saturating_sub(self.padding[0]);
                let last = (bottom + self.reach - self.padding[0]).min(height).max(first);
                // SAFETY: `first..last` are rows of the image, no more than `winograd_rows` has room for: those that at
                // most `MOST` tiles read.
                unsafe { self.source.fill(sample, block, first * width..last * width, self.rows) };
                self.rows.wrapping_sub(first * width * BLOCK)
            }
        };
        Some((own, image))
    }

    /// What a tile reads of the image that [`next_sample`](Self::next_sample) found for it.
    #[inline(always)]
    pub fn patch(&self, d: &Conv, image: *const f32, id: usize) -> Patch {
        let [height, width] = self.extent;
        let (_, [ty, tx]) = d.tile(id);
        Patch { image, height, width, top: ty.wrapping_sub(self.padding[0]), left: tx.wrapping_sub(self.padding[1]) }
    }

    /// Some blocks of the inputs of some tiles, transformed: `[block][36][tiles][16]`.
    ///
    /// # Safety
    /// As [`next_sample`](Self::next_sample), and `v` holds the result.
    #[inline(always)]
    pub unsafe fn transform<S: Simd>(&self, s: S, d: &Conv, blocks: Range<usize>, tiles: Range<usize>, v: *mut f32) {
        let pitch = pitch(tiles.len());
        for (i, block) in blocks.enumerate() {
            let mut left = tiles.clone();
            // SAFETY: our caller vouches for tiles and blocks; `v` has 36 vectors for each of them.
            unsafe {
                while let Some((own, image)) = self.next_sample(d, &mut left, block) {
                    for id in own {
                        let to = v.add((i * POSITIONS * pitch + id - tiles.start) * BLOCK);
                        self.patch(d, image, id).transform(s, to, pitch * BLOCK);
                    }
                }
            }
        }
    }
}

/// The 6 × 6 inputs of a tile; the first row and column may lie before the image (wrapped).
#[derive(Clone, Copy)]
pub(super) struct Patch {
    pub image: *const f32,
    pub height: usize,
    pub width: usize,
    pub top: usize,
    pub left: usize,
}

impl Patch {
    /// Bᵀ x B
    ///
    /// # Safety
    /// The image is readable; `to` is writable at 36 positions of this distance.
    #[inline(always)]
    pub unsafe fn transform<S: Simd>(self, s: S, to: *mut f32, position: usize) {
        // SAFETY: the image is our caller's, and what lies outside of it is asked for in the second case.
        unsafe {
            if self.is_inside(REACH) {
                self.transform_where::<S, true>(s, to, position);
            } else {
                self.transform_where::<S, false>(s, to, position);
            }
        }
    }

    /// Whether all of a window of this edge lies in the image: an index below zero has wrapped to a large one.
    #[inline(always)]
    pub fn is_inside(self, edge: usize) -> bool {
        let Patch { height, width, top, left, .. } = self;
        top < height && top + edge <= height && left < width && left + edge <= width
    }

    /// # Safety
    /// As `transform`; if `INSIDE`, the window lies in the image.
    #[inline(always)]
    unsafe fn transform_where<S: Simd, const INSIDE: bool>(self, s: S, to: *mut f32, position: usize) {
        // SAFETY: as in `transform`: six rows of six, and 36 places.
        unsafe {
            let w = [
                self.row::<S, INSIDE>(s, 0),
                self.row::<S, INSIDE>(s, 1),
                self.row::<S, INSIDE>(s, 2),
                self.row::<S, INSIDE>(s, 3),
                self.row::<S, INSIDE>(s, 4),
                self.row::<S, INSIDE>(s, 5),
            ];
            macro_rules! column {
                ($($j:literal)*) => { $(
                    let v = input(s, [w[0][$j], w[1][$j], w[2][$j], w[3][$j], w[4][$j], w[5][$j]]);
                    s.store(to.add($j * position), v[0]);
                    s.store(to.add((REACH + $j) * position), v[1]);
                    s.store(to.add((2 * REACH + $j) * position), v[2]);
                    s.store(to.add((3 * REACH + $j) * position), v[3]);
                    s.store(to.add((4 * REACH + $j) * position), v[4]);
                    s.store(to.add((5 * REACH + $j) * position), v[5]);
                )* };
            }
            column!(0 1 2 3 4 5);
        }
    }

    /// Row `i`, transformed.
    ///
    /// # Safety
    /// As `transform`.
    #[inline(always)]
    unsafe fn row<S: Simd, const INSIDE: bool>(self, s: S, i: usize) -> [S::V; REACH] {
        // SAFETY: as `transform`.
        unsafe {
            input(
                s,
                [
                    self.load::<S, INSIDE>(s, i, 0),
                    self.load::<S, INSIDE>(s, i, 1),
                    self.load::<S, INSIDE>(s, i, 2),
                    self.load::<S, INSIDE>(s, i, 3),
                    self.load::<S, INSIDE>(s, i, 4),
                    self.load::<S, INSIDE>(s, i, 5),
                ],
            )
        }
    }

    /// A pixel, or the border's zeros.
    ///
    /// # Safety
    /// The image is readable, and the pixel lies in it if `INSIDE`.
    #[inline(always)]
    pub unsafe fn load<S: Simd, const INSIDE: bool>(self, s: S, i: usize, j: usize) -> S::V {
        let (y, x) = (self.top.wrapping_add(i), self.left.wrapping_add(j));
        let at = self.image.wrapping_add(y.wrapping_mul(self.width).wrapping_add(x).wrapping_mul(BLOCK));
        // A choice of addresses, not a jump.
        let at = if INSIDE || (y < self.height && x < self.width) { at } else { ZERO.as_ptr() };
        // SAFETY: the pixel lies in the image, or is the border's.
        unsafe { s.load(at) }
    }
}

/// Bᵀ d
#[inline(always)]
fn input<S: Simd>(s: S, d: [S::V; REACH]) -> [S::V; REACH] {
    let even_a = s.fma(s.splat(-B2), d[2], d[4]);
    let odd_a = s.fma(s.splat(-B2), d[1], d[3]);
    let even_b = s.fma(s.splat(-A2), d[2], d[4]);
    let odd_b = s.fma(s.splat(-A2), d[1], d[3]);
    [
        s.fma(s.splat(A2_TIMES_B2), d[0], s.fma(s.splat(-A2_PLUS_B2), d[2], d[4])),
        s.fma(s.splat(A), odd_a, even_a),
        s.fma(s.splat(-A), odd_a, even_a),
        s.fma(s.splat(B), odd_b, even_b),
        s.fma(s.splat(-B), odd_b, even_b),
        s.fma(s.splat(A2_TIMES_B2), d[1], s.fma(s.splat(-A2_PLUS_B2), d[3], d[5])),
    ]
}
