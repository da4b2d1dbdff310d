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
//!
//! That expression has all 36 inputs of the tile, of which those outside of the output's own 3 × 3 cancel. One that is NaN or infinite does
//! not: where a direct convolution gives NaN in the 9 outputs that see it, this one does in the whole of each tile that reads it, 16 to 64
//! outputs. No NaN is lost by it, and none appears where all 36 inputs are finite and their sums too.

mod gradient;
mod input;
mod statistics;
mod weights;

use core::ops::Range;

use super::{
    BLOCK, Conv, PoolingSink, Simd, Sink, Source,
    conv::{max, min},
    finished::{AnySink, Finished},
    simd::levels::compiled_here,
    source::AnySource,
    tile::{Sums, Tile, Tiling, Walk, part, tile},
};
pub use gradient::*;
use input::Side;
pub use input::winograd_rows;
pub use statistics::{Statistics, winograd_moments};
use weights::{SHEET, sheets, transform_some};
pub use weights::{winograd_size, winograd_weights, winograd_weights_tasks};

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
/// Blocks of outputs that are worth transforming the inputs once more for; as many as a tile has at most. Their products are in scratch memory together.
const BLOCKS: usize = 4;
/// A task that transforms its weights takes so many tiles, for they share the work …
const MOST_OF_OWN: usize = 64;
/// … and so many blocks of inputs at a time, so that all it has of them stays in the second-level cache.
const DEPTH: usize = 4;

const fn clamp(x: usize, low: usize, high: usize) -> usize {
    max(low, min(x, high))
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

    /// Sample, and row and column of the first output, of a tile.
    #[inline(always)]
    fn tile(&self, id: usize) -> (usize, [usize; 2]) {
        let (high, wide) = (self.tiles(0), self.tiles(1));
        (id / (high * wide), [id / wide % high * EDGE, id % wide * EDGE])
    }
}

/// A convolution by Winograd's algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Winograd {
    /// One that [`has_winograd`](Conv::has_winograd).
    pub conv: Conv,
    /// Whether this is the input gradient of the convolution whose weights it is given.
    pub turned: bool,
    /// Up to this batch every task transforms the weights that it multiplies by, a few blocks at a time, so that they never leave its cache. Above it, so many tasks would do the same that
    /// [`winograd_weights`] does it for them; 0 where that is kept from run to run.
    pub own: usize,
}

/// Weights of a [`winograd`]: in master form, and as [`winograd_weights`] makes them. One of the two is read.
#[derive(Clone, Copy, Debug)]
pub struct Weights {
    pub master: *const f32,
    pub transformed: *const f32,
}

impl Winograd {
    /// Whether tasks transform their weights themselves.
    const fn is_own(&self, batch: usize) -> bool {
        self.own > 0 && batch <= self.own
    }

    /// The most tiles that a task takes.
    const fn chunk(&self, own: bool) -> usize {
        if own {
            return MOST_OF_OWN;
        }
        clamp(FLOATS / (POSITIONS * BLOCK * self.conv.parts()) / 12 * 12, FEWEST, MOST)
    }

    /// Numbers of runs of tiles and of groups of output blocks.
    const fn cuts(&self, batch: usize) -> [usize; 2] {
        let own = self.is_own(batch);
        let chunks = (batch * self.conv.tiles(0) * self.conv.tiles(1)).div_ceil(self.chunk(own));
        let most = self.conv.output_blocks().div_ceil(BLOCKS);
        let groups = if own { most } else { clamp(TASKS.div_ceil(max(chunks, 1)), 1, most) };
        [chunks, groups]
    }

    /// Steps in which the blocks of inputs are taken.
    const fn depths(&self, own: bool) -> usize {
        if own { self.conv.parts().div_ceil(DEPTH) } else { 1 }
    }

    /// Floats of scratch for inputs, products, and weights that a task transforms.
    const fn scratch(&self, own: bool) -> usize {
        let parts = self.conv.parts().div_ceil(self.depths(own));
        let weights = if own { BLOCKS * POSITIONS * sheets(parts) } else { 0 };
        (parts + BLOCKS) * POSITIONS * pitch(self.chunk(own)) * BLOCK + weights
    }
}

/// Some of the transformed weights: `[block][36][part][16][16]`, positions at this distance.
#[derive(Clone, Copy)]
struct Transformed {
    at: *const f32,
    position: usize,
}

/// Number of tasks of [`winograd`].
pub const fn winograd_tasks(d: &Winograd, batch: usize) -> usize {
    let [chunks, groups] = d.cuts(batch);
    chunks * groups
}

/// Floats of scratch that a task of [`winograd`] needs.
pub const fn winograd_scratch(d: &Winograd) -> usize {
    if d.own == 0 { d.scratch(false) } else { max(d.scratch(false), d.scratch(true)) }
}

/// Vectors from one position to the next: odd, lest the 36 positions of a tile fall into few sets of the cache.
pub(super) const fn pitch(tiles: usize) -> usize {
    tiles | 1
}

/// As [`conv`](super::conv), for a convolution that [`has_winograd`](Conv::has_winograd): hands every vector of the task's part of the result to `sink`, as (sample, output block, oy · OW + ox).
///
/// Lanes of x beyond the channels are not read into any sum.
///
/// # Safety
/// `x` has the pixels of all samples, `weights` are readable, `scratch` is this worker's and holds [`winograd_scratch`] floats, and [`winograd_rows`] more if `x` is not in memory, `task` is below
/// [`winograd_tasks`], and `sink` may store what it is given; `statistics` are of what it stores.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn winograd<S: Simd, X: Source, K: Sink>(
    s: S,
    d: &Winograd,
    x: X,
    weights: Weights,
    scratch: *mut f32,
    batch: usize,
    task: usize,
    sink: K,
    statistics: Option<Statistics>,
) {
    // SAFETY: the contract is our own, handed on; source and sink outlive the call.
    unsafe { all_tiles(s, d, AnySource::new(s, &x), weights, scratch, batch, task, AnySink::new(s, &sink), statistics) }
}

/// As [`winograd`], for a result of which only maxima are stored. Windows never reach over a tile's edge.
///
/// # Safety
/// As [`winograd`].
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn winograd_pooled<S: Simd, X: Source, K: PoolingSink>(
    s: S,
    d: &Winograd,
    x: X,
    weights: Weights,
    scratch: *mut f32,
    batch: usize,
    task: usize,
    sink: K,
) {
    // SAFETY: as in `winograd`. Tiles begin at multiples of 4 in both directions, so the 2 × 2 windows of the pooling
    // sink lie in one each.
    unsafe { all_tiles(s, d, AnySource::new(s, &x), weights, scratch, batch, task, AnySink::pooling(s, &sink), None) }
}

compiled_here! {
    /// As [`winograd`].
    ///
    /// # Safety
    /// As [`winograd`].
    unsafe fn all_tiles(
        d: &Winograd,
        x: AnySource<'_>,
        weights: Weights,
        scratch: *mut f32,
        batch: usize,
        task: usize,
        sink: AnySink<'_>,
        statistics: Option<Statistics>,
    ) = run
}

/// # Safety
/// As [`winograd`].
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn run<S: Simd>(
    s: S,
    d: &Winograd,
    x: AnySource<'_>,
    weights: Weights,
    scratch: *mut f32,
    batch: usize,
    task: usize,
    sink: AnySink<'_>,
    statistics: Option<Statistics>,
) {
    let [chunks, groups] = d.cuts(batch);
    let (conv, own) = (&d.conv, d.is_own(batch));
    let tiles = part(batch * conv.tiles(0) * conv.tiles(1), chunks, task / groups);
    let blocks = part(conv.output_blocks(), groups, task % groups);
    let depths = d.depths(own);
    let floats = POSITIONS * pitch(tiles.len()) * BLOCK;
    // SAFETY: inputs, products and own weights follow each other as `Winograd::scratch` counts them for the largest
    // task; a task has at most `MOST` tiles, and `some` at most `BLOCKS` blocks, a tiling being no wider. A task's
    // tiles and blocks are its own.
    unsafe {
        let v = scratch;
        let m = v.add(conv.parts().div_ceil(depths) * floats);
        let own_weights = m.add(BLOCKS * floats);
        let rows = scratch.add(winograd_scratch(d));
        let side = Side { source: x, extent: conv.input, padding: conv.padding, reach: REACH, rows };
        let count = if own {
            blocks.len().div_ceil(BLOCKS)
        } else {
            Tiling::new(S::LEVEL, tiles.len(), blocks.len()).block_tiles
        };
        for index in 0..count {
            let some = part(blocks.len(), count, index);
            let some = blocks.start + some.start..blocks.start + some.end;
            let tiling = Tiling::new(S::LEVEL, tiles.len(), some.len());
            for depth in 0..depths {
                let parts = part(conv.parts(), depths, depth);
                if depths > 1 || index == 0 {
                    side.transform(s, conv, parts.clone(), tiles.clone(), v);
                }
                for block_tile in 0..tiling.block_tiles {
                    let across = part(some.len(), tiling.block_tiles, block_tile);
                    let across = some.start + across.start..some.start + across.end;
                    let position = sheets(parts.len());
                    let at = if own {
                        transform_some(s, d, weights.master, across.clone(), parts.clone(), own_weights);
                        own_weights
                    } else {
                        weights.transformed.add(across.start * POSITIONS * position)
                    };
                    let u = Transformed { at, position };
                    let m = m.add((across.start - some.start) * floats);
                    multiply(s, conv, parts.clone(), v, u, m, tiles.len(), tiling.row_tiles, across.len());
                }
            }
            finish(s, conv, m, tiles.clone(), some.clone(), sink);
            if let Some(statistics) = statistics {
                statistics.leave(s, conv, task / groups, tiles.clone(), some);
            }
        }
    }
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

compiled_here! {
    /// Products of `tiles` transformed tiles with `blocks` blocks of weights, over some parts of the inputs: added to `m` unless these are the first. A tiling gave `row_tiles` and the width `blocks`.
    ///
    /// # Safety
    /// `v` is as [`Side::transform`] leaves it, `u` has these blocks and parts, `m` holds 36 vectors per tile and block.
    unsafe fn multiply(
        d: &Conv,
        parts: Range<usize>,
        v: *const f32,
        u: Transformed,
        m: *mut f32,
        tiles: usize,
        row_tiles: usize,
        blocks: usize,
    ) = multiply_body
}

/// # Safety
/// As [`multiply`].
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn multiply_body<S: Simd>(
    s: S,
    d: &Conv,
    parts: Range<usize>,
    v: *const f32,
    u: Transformed,
    m: *mut f32,
    tiles: usize,
    row_tiles: usize,
    blocks: usize,
) {
    let pitch = pitch(tiles);
    let part_distance = POSITIONS * pitch * BLOCK;
    let walk = Walk {
        count: [parts.len(), 1, 1, BLOCK],
        a: [part_distance, 0, 0, 1],
        b: [SHEET, 0, 0, BLOCK],
        tail: (d.channels - (parts.end - 1) * BLOCK).min(BLOCK),
        run: 1,
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
                    b: u.at.add(position * u.position),
                    b_block: POSITIONS * u.position,
                    walk: &walk,
                    out: m.add(at),
                    out_row: BLOCK,
                    out_block: POSITIONS * pitch * BLOCK,
                    add: parts.start > 0,
                    sums: Sums::Chain,
                };
                tile(s, rows.len(), blocks, &t);
            }
        }
    }
}

compiled_here! {
    /// Products of some tiles and blocks become outputs, which the sink gets.
    ///
    /// # Safety
    /// `m` is as [`multiply`] leaves it: 36 vectors per tile and block.
    unsafe fn finish(
        d: &Conv,
        m: *mut f32,
        tiles: Range<usize>,
        blocks: Range<usize>,
        sink: AnySink<'_>,
    ) = finish_body
}

/// # Safety
/// As [`finish`].
#[inline(always)]
unsafe fn finish_body<S: Simd>(
    s: S,
    d: &Conv,
    m: *mut f32,
    tiles: Range<usize>,
    blocks: Range<usize>,
    sink: AnySink<'_>,
) {
    let pitch = pitch(tiles.len());
    for (j, block) in blocks.enumerate() {
        for (t, id) in tiles.clone().enumerate() {
            let (sample, [ty, tx]) = d.tile(id);
            // SAFETY: `multiply` has left 36 vectors for each tile and block. The results take the place of the first
            // 16 products, all of which are read before; the sink gets the outputs that lie in the image.
            unsafe {
                let y = m.add((j * POSITIONS * pitch + t) * BLOCK);
                back(s, y, pitch * BLOCK);
                sink.put(&Finished {
                    at: y,
                    count: [EDGE.min(d.output[0] - ty), EDGE.min(d.output[1] - tx)],
                    distance: [EDGE * pitch * BLOCK, pitch * BLOCK],
                    row: sample,
                    block,
                    pixel: ty * d.output[1] + tx,
                    row_step: 0,
                    block_step: 0,
                    pixel_step: [d.output[1], 1],
                });
            }
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
            // SAFETY: our caller vouches for 36 positions.
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
            // SAFETY: our caller vouches for 36 positions, of which these are the first 16.
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
