//! Inputs on their way to Winograd's products: `Bᵀ x B` of the 6 × 6 that a tile of outputs reads. The border is read as zeros where it lies, the image is not copied.

use core::ops::Range;

use super::super::{BLOCK, Conv, Simd, simd::levels::compiled_here};
use super::{A, A2, A2_PLUS_B2, A2_TIMES_B2, B, B2, EDGE, POSITIONS, REACH, pitch};

/// What the border is made of.
static ZERO: [f32; BLOCK] = [0.0; BLOCK];

compiled_here! {
    /// Some parts of the inputs of `tiles` tiles from `first` on, transformed: `[part][36][tiles][16]`.
    ///
    /// # Safety
    /// `x` is readable where tiles read it, samples at a distance of `x_sample` floats; `v` holds the result.
    pub(super) unsafe fn transform_inputs(
        d: &Conv,
        x: *const f32,
        x_sample: usize,
        v: *mut f32,
        parts: Range<usize>,
        tiles: Range<usize>,
    ) = inputs_body
}

#[inline(always)]
unsafe fn inputs_body<S: Simd>(
    s: S,
    d: &Conv,
    x: *const f32,
    x_sample: usize,
    v: *mut f32,
    parts: Range<usize>,
    tiles: Range<usize>,
) {
    let [height, width] = d.input;
    let (high, wide) = (d.tiles(0), d.tiles(1));
    let pitch = pitch(tiles.len());
    for (i, part) in parts.enumerate() {
        for (t, id) in tiles.clone().enumerate() {
            let (sample, ty, tx) = (id / (high * wide), id / wide % high * EDGE, id % wide * EDGE);
            // SAFETY: tiles lie in the batch; what they read outside of the image is taken from ZERO.
            unsafe {
                let image = x.add(sample * x_sample + part * height * width * BLOCK);
                let to = v.add((i * POSITIONS * pitch + t) * BLOCK);
                let (top, left) = (ty.wrapping_sub(d.padding[0]), tx.wrapping_sub(d.padding[1]));
                Patch { image, height, width, top, left }.transform(s, to, pitch * BLOCK);
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
        // SAFETY: the caller's promises.
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
        // SAFETY: the caller's promises.
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
