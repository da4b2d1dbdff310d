//! 3 × 3 convolution at stride 1 by Winograd's minimal filtering F(4 × 4, 3 × 3): 36 products per channel for 16 outputs instead of 144.
//!
//! `y = Aᵀ [ Σ_c (G g Gᵀ) ∘ (Bᵀ x B) ] A` (Lavin & Gray 2016) for output tiles of 4 × 4, which read 6 × 6 inputs. A task takes a run of tiles, of one sample or of several, and some blocks of outputs:
//! it transforms the inputs into scratch memory, multiplies them for each of the 36 positions with the transformed weights of [`winograd_weights`] (a matrix product: rows are tiles, depth is channels),
//! and transforms the products back. The border is read as zeros where it lies, the image is not copied.
//!
//! The polynomials are interpolated at 0, ±3/4, ±3/2 and ∞ instead of the usual 0, ±1, ±2, ∞. Both sets cost the same with fused multiply-adds; at 256 channels the largest error of this one is a third
//! (3 · 10⁻⁶ of the largest output against 10⁻⁵, direct convolution 2 · 10⁻⁶), because powers up to the fourth stay closer to 1. All constants of the data transforms are exact in f32.
//!
//! Every output is one fixed expression of its inputs: how tiles are cut into tasks never shows.

use super::{
    BLOCK, Conv, Simd, Sink,
    finished::{AnySink, Finished},
    simd::levels::compiled_here,
    tile::{Tile, Tiling, Walk, part, tile},
    transpose::transpose,
};

/// Edge of an output tile, of the kernel, and of the inputs that a tile reads.
pub(super) const EDGE: usize = 4;
pub(super) const KERNEL: usize = 3;
pub(super) const REACH: usize = EDGE + KERNEL - 1;
/// Positions of the transformed tile: so many independent products.
pub(super) const POSITIONS: usize = REACH * REACH;

/// The points ±A and ±B, their powers, and the coefficients of (x² - A²)(x² - B²).
pub(super) const A: f32 = 0.75;
pub(super) const B: f32 = 1.5;
pub(super) const A2: f32 = A * A;
pub(super) const B2: f32 = B * B;
const A2_PLUS_B2: f32 = A2 + B2;
pub(super) const A2_TIMES_B2: f32 = A2 * B2;
/// Products of a point's distances from the other points. Coefficients made of them are rounded once: their errors do not average out over the channels.
pub(super) const N_A: f64 = 2.0 * (A2 * (A2 - B2)) as f64;
pub(super) const N_B: f64 = 2.0 * (B2 * (B2 - A2)) as f64;

/// Transformed inputs of a task are about so many floats, so that they stay in the second-level cache …
const FLOATS: usize = 1 << 17;
/// … but so many tiles at least, for every row of a product reads all of its weights …
const FEWEST: usize = 24;
/// … and no more than these.
const MOST: usize = 96;
/// As many tasks as are worth having.
const TASKS: usize = 16;
/// Blocks of outputs that are worth transforming the inputs once more for.
const BLOCKS: usize = 4;
/// Blocks of outputs whose products are in scratch memory together: as many as a tile has at most.
const TOGETHER: usize = 4;

/// What the border is made of.
static ZERO: [f32; BLOCK] = [0.0; BLOCK];

const fn clamp(x: usize, low: usize, high: usize) -> usize {
    if x < low {
        low
    } else if x > high {
        high
    } else {
        x
    }
}

impl Conv {
    /// Whether [`winograd`] computes it.
    pub const fn has_winograd(&self) -> bool {
        self.kernel[0] == KERNEL
            && self.kernel[1] == KERNEL
            && self.stride[0] * self.stride[1] == 1
            && self.dilation[0] * self.dilation[1] == 1
            && self.spread[0] * self.spread[1] == 1
            && !self.planar
    }

    /// Tiles of output along an axis.
    pub(super) const fn tiles(&self, axis: usize) -> usize {
        self.output[axis].div_ceil(EDGE)
    }

    /// The most tiles that a task takes.
    const fn chunk(&self) -> usize {
        clamp(FLOATS / (POSITIONS * BLOCK * self.parts()) / 12 * 12, FEWEST, MOST)
    }

    /// Numbers of runs of tiles and of groups of output blocks.
    const fn cuts(&self, batch: usize) -> [usize; 2] {
        let tiles = batch * self.tiles(0) * self.tiles(1);
        let chunks = tiles.div_ceil(self.chunk());
        let most = self.output_blocks().div_ceil(BLOCKS);
        [chunks, if chunks == 0 { 1 } else { clamp(TASKS.div_ceil(chunks), 1, most) }]
    }

    /// Transformed weights of one output block.
    const fn transformed_block(&self) -> usize {
        POSITIONS * self.parts() * BLOCK * BLOCK
    }
}

/// Number of tasks of [`winograd`].
pub const fn winograd_tasks(d: &Conv, batch: usize) -> usize {
    let [chunks, groups] = d.cuts(batch);
    chunks * groups
}

/// Floats of scratch that a task of [`winograd`] needs.
pub const fn winograd_scratch(d: &Conv) -> usize {
    (d.parts() + TOGETHER) * POSITIONS * pitch(d.chunk()) * BLOCK
}

/// Vectors from one position to the next: odd, lest the 36 positions of a tile fall into few sets of the cache.
pub(super) const fn pitch(tiles: usize) -> usize {
    tiles | 1
}

/// As [`conv`](super::conv), for a convolution that [`has_winograd`](Conv::has_winograd): hands every vector of the task's part of the result to `sink`, as (sample, output block, oy · OW + ox).
///
/// `u` are the weights as [`winograd_weights`] makes them. Lanes of x beyond the channels are not read into any sum.
///
/// # Safety
/// `x` (samples at a distance of `x_sample` floats) and `u` are readable in those layouts, `scratch` is this worker's and holds [`winograd_scratch`] floats, `task` is below [`winograd_tasks`], and `sink`
/// may store what it is given.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn winograd<S: Simd, K: Sink>(
    s: S,
    d: &Conv,
    x: *const f32,
    x_sample: usize,
    u: *const f32,
    scratch: *mut f32,
    batch: usize,
    task: usize,
    sink: K,
) {
    // SAFETY: the caller's promises.
    unsafe { all_tiles(s, d, x, x_sample, u, scratch, batch, task, AnySink::new(s, &sink)) }
}

compiled_here! {
    /// As [`winograd`].
    ///
    /// # Safety
    /// As [`winograd`].
    unsafe fn all_tiles(
        d: &Conv,
        x: *const f32,
        x_sample: usize,
        u: *const f32,
        scratch: *mut f32,
        batch: usize,
        task: usize,
        sink: AnySink<'_>,
    ) = run
}

/// # Safety
/// As [`winograd`].
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn run<S: Simd>(
    s: S,
    d: &Conv,
    x: *const f32,
    x_sample: usize,
    u: *const f32,
    scratch: *mut f32,
    batch: usize,
    task: usize,
    sink: AnySink<'_>,
) {
    let [chunks, groups] = d.cuts(batch);
    let (high, wide) = (d.tiles(0), d.tiles(1));
    let tiles = part(batch * high * wide, chunks, task / groups);
    let blocks = part(d.output_blocks(), groups, task % groups);
    let pitch = pitch(tiles.len());
    let tiling = Tiling::new(S::LEVEL, tiles.len(), blocks.len());
    // SAFETY: the caller's promises; a tiling's width is TOGETHER at most.
    unsafe {
        let m = scratch.add(d.parts() * POSITIONS * pitch * BLOCK);
        transform_inputs(s, d, x, x_sample, scratch, tiles.start, tiles.len());
        for block_tile in 0..tiling.block_tiles {
            let own = part(blocks.len(), tiling.block_tiles, block_tile);
            let block = blocks.start + own.start;
            multiply(s, d, scratch, u.add(block * d.transformed_block()), m, tiles.len(), tiling.row_tiles, own.len());
            for j in 0..own.len() {
                for (t, id) in tiles.clone().enumerate() {
                    let (sample, ty, tx) = (id / (high * wide), id / wide % high * EDGE, id % wide * EDGE);
                    let y = m.add((j * POSITIONS * pitch + t) * BLOCK);
                    sink.put(&Finished {
                        at: y,
                        count: [EDGE.min(d.output[0] - ty), EDGE.min(d.output[1] - tx)],
                        distance: [EDGE * pitch * BLOCK, pitch * BLOCK],
                        row: sample,
                        block: block + j,
                        pixel: ty * d.output[1] + tx,
                        row_step: 0,
                        block_step: 0,
                        pixel_step: [d.output[1], 1],
                    });
                }
            }
        }
    }
}

compiled_here! {
    /// Tiles from `first` on, transformed: `[c/16][36][tiles][16]`.
    ///
    /// # Safety
    /// As [`winograd`]; `v` holds the result.
    unsafe fn transform_inputs(
        d: &Conv,
        x: *const f32,
        x_sample: usize,
        v: *mut f32,
        first: usize,
        tiles: usize,
    ) = inputs_body
}

#[inline(always)]
unsafe fn inputs_body<S: Simd>(
    s: S,
    d: &Conv,
    x: *const f32,
    x_sample: usize,
    v: *mut f32,
    first: usize,
    tiles: usize,
) {
    let [height, width] = d.input;
    let (high, wide) = (d.tiles(0), d.tiles(1));
    let pitch = pitch(tiles);
    for part in 0..d.parts() {
        for t in 0..tiles {
            let id = first + t;
            let (sample, ty, tx) = (id / (high * wide), id / wide % high * EDGE, id % wide * EDGE);
            // SAFETY: tiles lie in the batch; what they read outside of the image is taken from ZERO.
            unsafe {
                let image = x.add(sample * x_sample + part * height * width * BLOCK);
                let to = v.add((part * POSITIONS * pitch + t) * BLOCK);
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

/// Aᵀ m
#[inline(always)]
fn output<S: Simd>(s: S, m: [S::V; REACH]) -> [S::V; EDGE] {
    let (even_a, odd_a) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
    let (even_b, odd_b) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
    [
        s.add(s.add(m[0], even_a), even_b),
        s.fma(s.splat(A), odd_a, s.mul(s.splat(B), odd_b)),
        s.fma(s.splat(A2), even_a, s.mul(s.splat(B2), even_b)),
        s.fma(s.splat(A * A2), odd_a, s.fma(s.splat(B * B2), odd_b, m[5])),
    ]
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

compiled_here! {
    /// Products of `tiles` transformed tiles with `blocks` blocks of weights, transformed back: `[block][16 of 36][tiles][16]`. A tiling gave `row_tiles` and the width `blocks`.
    ///
    /// # Safety
    /// `v` is as [`transform_inputs`] leaves it, `u` points to the first block's weights, `m` holds 36 vectors per tile and block.
    unsafe fn multiply(
        d: &Conv,
        v: *const f32,
        u: *const f32,
        m: *mut f32,
        tiles: usize,
        row_tiles: usize,
        blocks: usize,
    ) = multiply_body
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn multiply_body<S: Simd>(
    s: S,
    d: &Conv,
    v: *const f32,
    u: *const f32,
    m: *mut f32,
    tiles: usize,
    row_tiles: usize,
    blocks: usize,
) {
    let (parts, pitch) = (d.parts(), pitch(tiles));
    let walk = Walk {
        count: [parts, 1, 1, BLOCK],
        a: [POSITIONS * pitch * BLOCK, 0, 0, 1],
        b: [BLOCK * BLOCK, 0, 0, BLOCK],
        tail: d.channels - (parts - 1) * BLOCK,
    };
    for position in 0..POSITIONS {
        for row_tile in 0..row_tiles {
            let rows = part(tiles, row_tiles, row_tile);
            let at = (position * pitch + rows.start) * BLOCK;
            // SAFETY: rows and blocks lie in the buffers that the caller vouches for.
            unsafe {
                let t = Tile {
                    a: v.add(at),
                    a_row: BLOCK,
                    b: u.add(position * parts * BLOCK * BLOCK),
                    b_block: d.transformed_block(),
                    walk: &walk,
                    out: m.add(at),
                    out_row: BLOCK,
                    out_block: POSITIONS * pitch * BLOCK,
                    add: false,
                };
                tile(s, rows.len(), blocks, &t);
            }
        }
    }
    for block in 0..blocks {
        for t in 0..tiles {
            // SAFETY: as above; the results take the place of the first 16 products, all of which are read before.
            unsafe { back(s, m.add((block * POSITIONS * pitch + t) * BLOCK), pitch * BLOCK) }
        }
    }
}

/// The products of one tile become its outputs.
///
/// # Safety
/// `m` is readable and writable at 36 positions of this distance.
#[inline(always)]
unsafe fn back<S: Simd>(s: S, m: *mut f32, position: usize) {
    macro_rules! row {
        ($($i:literal)*) => { [$(
            // SAFETY: the caller's promise.
            unsafe {
                output(s, [
                    s.load(m.add((REACH * $i) * position)),
                    s.load(m.add((REACH * $i + 1) * position)),
                    s.load(m.add((REACH * $i + 2) * position)),
                    s.load(m.add((REACH * $i + 3) * position)),
                    s.load(m.add((REACH * $i + 4) * position)),
                    s.load(m.add((REACH * $i + 5) * position)),
                ])
            }
        ),*] };
    }
    let w = row!(0 1 2 3 4 5);
    macro_rules! column {
        ($($j:literal)*) => { $(
            let y = output(s, [w[0][$j], w[1][$j], w[2][$j], w[3][$j], w[4][$j], w[5][$j]]);
            // SAFETY: the caller's promise.
            unsafe {
                s.store(m.add($j * position), y[0]);
                s.store(m.add((EDGE + $j) * position), y[1]);
                s.store(m.add((2 * EDGE + $j) * position), y[2]);
                s.store(m.add((3 * EDGE + $j) * position), y[3]);
            }
        )* };
    }
    column!(0 1 2 3);
}

/// Floats that [`winograd_weights`] writes.
pub const fn winograd_size(d: &Conv, turned: bool) -> usize {
    let (rows, blocks) = if turned { (d.output_blocks(), d.parts()) } else { (d.parts(), d.output_blocks()) };
    blocks * rows * POSITIONS * BLOCK * BLOCK
}

/// Number of tasks of [`winograd_weights`].
pub const fn winograd_weights_tasks(d: &Conv) -> usize {
    d.output_blocks() * d.parts()
}

compiled_here! {
    /// Weights of the forward convolution `d`, transformed: `[o/16][36][c/16][16 c][16 o]`; or, `turned`, for its input gradient: kernel flipped, channels and outputs exchanged.
    ///
    /// # Safety
    /// `src` holds the master form (its padding is 0), `dst` [`winograd_size`] floats, and `task` is below [`winograd_weights_tasks`].
    pub unsafe fn winograd_weights(
        d: &Conv,
        turned: bool,
        src: *const f32,
        dst: *mut f32,
        task: usize,
    ) = weights_body
}

#[inline(always)]
unsafe fn weights_body<S: Simd>(s: S, d: &Conv, turned: bool, src: *const f32, dst: *mut f32, task: usize) {
    const TAPS: usize = KERNEL * KERNEL;
    const SHEET: usize = BLOCK * BLOCK;
    let parts = d.parts();
    let (o_block, c_block) = (task / parts, task % parts);
    let mut buffer = [[0.0f32; SHEET]; TAPS];
    // SAFETY: the blocks lie in both forms.
    unsafe {
        let mut from = src.add((o_block * parts + c_block) * TAPS * SHEET);
        let (row, rows, block) = if turned { (o_block, d.output_blocks(), c_block) } else { (c_block, parts, o_block) };
        if turned {
            for (tap, sheet) in buffer.iter_mut().enumerate() {
                transpose(from.add((TAPS - 1 - tap) * SHEET), BLOCK, BLOCK, sheet.as_mut_ptr(), BLOCK);
            }
            from = buffer.as_ptr().cast();
        }
        let to = dst.add((block * POSITIONS * rows + row) * SHEET);
        for at in (0..SHEET).step_by(BLOCK) {
            let w = [
                weight(s, [s.load(from.add(at)), s.load(from.add(at + SHEET)), s.load(from.add(at + 2 * SHEET))]),
                weight(
                    s,
                    [
                        s.load(from.add(at + 3 * SHEET)),
                        s.load(from.add(at + 4 * SHEET)),
                        s.load(from.add(at + 5 * SHEET)),
                    ],
                ),
                weight(
                    s,
                    [
                        s.load(from.add(at + 6 * SHEET)),
                        s.load(from.add(at + 7 * SHEET)),
                        s.load(from.add(at + 8 * SHEET)),
                    ],
                ),
            ];
            macro_rules! column {
                ($($j:literal)*) => { $(
                    let u = weight(s, [w[0][$j], w[1][$j], w[2][$j]]);
                    for (i, u) in u.into_iter().enumerate() {
                        s.store(to.add((i * REACH + $j) * rows * SHEET + at), u);
                    }
                )* };
            }
            column!(0 1 2 3 4 5);
        }
    }
}
