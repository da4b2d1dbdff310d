//! Gradient of a 3 × 3 convolution's weight by Winograd's algorithm: 36 products for what takes 144, as in the forward pass.
//!
//! `dg = Gᵀ [ Σ (Bᵀ x B) ∘ (A dy Aᵀ) ] G`, summed over the tiles of all samples: the adjoint of [`winograd`](super::winograd()) in g, over the same points. A task transforms some channels of x and some of dy,
//! a run of tiles at a time, and adds their products up for each of the 36 positions (a matrix product: rows are channels, depth is tiles); the sums are transformed back once.
//!
//! Sums are chains over the tiles of a run, which are added up in order. Chunks of the batch are those of [`conv_weight`](super::super::conv_weight), cut between tiles instead of samples.

use core::ops::Range;

use super::super::{
    BLOCK, Conv, ConvWeight, Simd, Source,
    simd::levels::compiled_here,
    source::AnySource,
    tile::{Sums, Tile, Tiling, Walk, part, tile_by_tile},
    total::add_exactly,
};
use super::{
    A, A2, A2_TIMES_B2, B, B2, EDGE, KERNEL, N_A, N_B, POSITIONS, REACH,
    input::{Patch, Side},
    pitch,
};

/// Tiles of a run: enough that the sums are seldom read and written, few enough to stay near.
const RUN: usize = 48;
/// Runs that are added up before what rounding loses is taken care of.
const TOGETHER: usize = 16;
/// Blocks of channels and of outputs of a task, where tasks are parts of the weight.
const BLOCKS: usize = 4;

impl ConvWeight {
    /// Groups of input blocks and of output blocks that make the tasks.
    const fn winograd_split(&self) -> [usize; 2] {
        if self.chunks > 1 {
            [1, 1]
        } else {
            [self.conv.parts().div_ceil(BLOCKS), self.conv.output_blocks().div_ceil(BLOCKS)]
        }
    }

    /// The most blocks of channels and of outputs that a task has.
    const fn winograd_blocks(&self) -> [usize; 2] {
        let [parts, blocks] = self.winograd_split();
        [self.conv.parts().div_ceil(parts), self.conv.output_blocks().div_ceil(blocks)]
    }
}

/// Number of tasks of [`winograd_gradient`].
pub const fn winograd_gradient_tasks(d: &ConvWeight) -> usize {
    let [parts, blocks] = d.winograd_split();
    d.chunks * parts * blocks
}

/// Floats of scratch that a task of [`winograd_gradient`] needs.
pub const fn winograd_gradient_scratch(d: &ConvWeight) -> usize {
    let [parts, blocks] = d.winograd_blocks();
    POSITIONS * BLOCK * ((parts + blocks) * pitch(RUN) + 3 * parts * blocks * BLOCK)
}

/// As [`conv_weight`](super::super::conv_weight), for a convolution that [`has_winograd`](super::super::Conv::has_winograd) and whose dy lies in blocks.
///
/// # Safety
/// `x` and `dy` have the pixels of all samples, `dst` is writable, `scratch` is this worker's and holds [`winograd_gradient_scratch`] floats, and [`winograd_rows`](super::winograd_rows) more if one of them is
/// not in memory, and `task` is below [`winograd_gradient_tasks`].
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn winograd_gradient<S: Simd, X: Source, Y: Source>(
    s: S,
    d: &ConvWeight,
    x: X,
    dy: Y,
    dst: *mut f32,
    scratch: *mut f32,
    batch: usize,
    task: usize,
) {
    // SAFETY: the contract is our own, handed on; both operands outlive the call.
    unsafe { all_tiles(s, d, AnySource::new(s, &x), AnySource::new(s, &dy), dst, scratch, batch, task) }
}

compiled_here! {
    /// As [`winograd_gradient`].
    ///
    /// # Safety
    /// As [`winograd_gradient`].
    unsafe fn all_tiles(
        d: &ConvWeight,
        x: AnySource<'_>,
        dy: AnySource<'_>,
        dst: *mut f32,
        scratch: *mut f32,
        batch: usize,
        task: usize,
    ) = run
}

/// # Safety
/// As [`winograd_gradient`].
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn run<S: Simd>(
    s: S,
    d: &ConvWeight,
    x: AnySource<'_>,
    dy: AnySource<'_>,
    dst: *mut f32,
    scratch: *mut f32,
    batch: usize,
    task: usize,
) {
    let conv = &d.conv;
    let [part_groups, block_groups] = d.winograd_split();
    let (chunk, group) = (task / (part_groups * block_groups), task % (part_groups * block_groups));
    let parts = part(conv.parts(), part_groups, group % part_groups);
    let blocks = part(conv.output_blocks(), block_groups, group / part_groups);
    let tiles = part(batch * conv.tiles(0) * conv.tiles(1), d.chunks, chunk);
    let (rows, columns) = (parts.len() * BLOCK, blocks.len() * BLOCK);
    let tiling = Tiling::new(S::LEVEL, rows, blocks.len());
    // SAFETY: v, w and the sums are as large as `winograd_gradient_scratch` counts for the largest task, and what is
    // computed lies behind them; a run has at most `RUN` tiles. Each task has its own blocks of its own chunk's
    // gradient.
    unsafe {
        let computed = scratch.add(winograd_gradient_scratch(d));
        let x = Side { source: x, extent: conv.input, padding: conv.padding, reach: REACH, rows: computed };
        let dy = Side { source: dy, extent: conv.output, padding: [0, 0], reach: EDGE, rows: computed };
        let v = scratch;
        let w = v.add(POSITIONS * pitch(RUN) * rows);
        let sums = w.add(POSITIONS * pitch(RUN) * columns);
        let floats = POSITIONS * rows * columns;
        let [all, lost] = [1, 2].map(|i| sums.add(i * floats));
        if tiles.is_empty() {
            sums.write_bytes(0, floats);
        }
        for (i, first) in tiles.clone().step_by(RUN).enumerate() {
            if i > 0 && i.is_multiple_of(TOGETHER) {
                set_aside(s, sums, all, lost, floats, i > TOGETHER);
            }
            let own = first..(first + RUN).min(tiles.end);
            transform::<S, true>(s, conv, x, own.clone(), parts.clone(), v);
            transform::<S, false>(s, conv, dy, own.clone(), blocks.clone(), w);
            for position in 0..POSITIONS {
                let (a, b) = (v.add(position * pitch(own.len()) * rows), w.add(position * pitch(own.len()) * columns));
                let walk = Walk::straight(own.len(), rows, columns);
                let t = Tile {
                    a,
                    a_row: 1,
                    b,
                    b_block: BLOCK,
                    walk: &walk,
                    out: sums.add(position * rows * columns),
                    out_row: columns,
                    out_block: BLOCK,
                    add: !i.is_multiple_of(TOGETHER),
                    sums: Sums::Runs,
                };
                tile_by_tile(s, tiling, rows, blocks.len(), &t);
            }
        }
        if tiles.len() > TOGETHER * RUN {
            set_aside(s, sums, all, lost, floats, true);
            sums.copy_from_nonoverlapping(all, floats);
        }
        let dst = dst.add(chunk * d.floats());
        for block in 0..blocks.len() {
            for row in 0..rows {
                let (o_block, c_block) = (blocks.start + block, parts.start + row / BLOCK);
                let to =
                    dst.add((o_block * conv.parts() + c_block) * KERNEL * KERNEL * BLOCK * BLOCK + row % BLOCK * BLOCK);
                back(s, sums.add(row * columns + block * BLOCK), rows * columns, to);
            }
        }
    }
}

/// Adds the sums of some runs to those of `all` before them, if there were some; `lost` is what these have lost.
///
/// # Safety
/// All three hold so many floats, a multiple of 16.
#[inline(always)]
unsafe fn set_aside<S: Simd>(s: S, sums: *const f32, all: *mut f32, lost: *mut f32, floats: usize, add: bool) {
    for i in (0..floats).step_by(BLOCK) {
        // SAFETY: the caller's promise.
        unsafe {
            let sum = s.load(sums.add(i));
            let (new, left) =
                if add { add_exactly(s, s.load(all.add(i)), s.load(lost.add(i)), sum) } else { (sum, s.splat(0.0)) };
            s.store(all.add(i), new);
            s.store(lost.add(i), left);
        }
    }
}

/// Tiles of some channel blocks of an operand, transformed as inputs or as outputs: `[36][tiles][channels]`. Lanes beyond the channels become 0.
///
/// # Safety
/// As [`Side::next_sample`], and `to` holds the result.
#[inline(always)]
unsafe fn transform<S: Simd, const INPUTS: bool>(
    s: S,
    d: &Conv,
    side: Side,
    tiles: Range<usize>,
    blocks: Range<usize>,
    to: *mut f32,
) {
    let row = blocks.len() * BLOCK;
    let position = pitch(tiles.len()) * row;
    let channels = if INPUTS { d.channels } else { d.outputs };
    for (i, block) in blocks.enumerate() {
        let lanes = channels - block * BLOCK;
        let mut left = tiles.clone();
        // SAFETY: `next_sample` gives tiles of our caller's and the image that they read; each has a row of vectors in
        // `to`, at 36 positions.
        unsafe {
            while let Some((own, image)) = side.next_sample(d, &mut left, block) {
                for id in own {
                    let window = side.patch(d, image, id);
                    let to = to.add((id - tiles.start) * row + i * BLOCK);
                    if INPUTS {
                        window.transform(s, to, position);
                    } else if window.is_inside(EDGE) {
                        spread::<S, true>(s, window, to, position);
                    } else {
                        spread::<S, false>(s, window, to, position);
                    }
                    if lanes < BLOCK {
                        for p in 0..POSITIONS {
                            let to = to.add(p * position);
                            s.store(to, s.keep_first(s.load(to), lanes));
                        }
                    }
                }
            }
        }
    }
}

/// A dy Aᵀ of a tile.
///
/// # Safety
/// The image is readable, and the tile lies in it if `INSIDE`; `to` is writable at 36 positions of this distance.
#[inline(always)]
unsafe fn spread<S: Simd, const INSIDE: bool>(s: S, dy: Patch, to: *mut f32, position: usize) {
    macro_rules! row {
        ($($i:literal)*) => { [$(
            // SAFETY: dy's vectors are in the image, or read as the border's zeros where not `INSIDE`.
            unsafe {
                outer(s, [
                    dy.load::<S, INSIDE>(s, $i, 0),
                    dy.load::<S, INSIDE>(s, $i, 1),
                    dy.load::<S, INSIDE>(s, $i, 2),
                    dy.load::<S, INSIDE>(s, $i, 3),
                ])
            }
        ),*] };
    }
    let w = row!(0 1 2 3);
    macro_rules! column {
        ($($j:literal)*) => { $(
            let v = outer(s, [w[0][$j], w[1][$j], w[2][$j], w[3][$j]]);
            // SAFETY: our caller vouches for 36 positions.
            unsafe {
                s.store(to.add($j * position), v[0]);
                s.store(to.add((REACH + $j) * position), v[1]);
                s.store(to.add((2 * REACH + $j) * position), v[2]);
                s.store(to.add((3 * REACH + $j) * position), v[3]);
                s.store(to.add((4 * REACH + $j) * position), v[4]);
                s.store(to.add((5 * REACH + $j) * position), v[5]);
            }
        )* };
    }
    column!(0 1 2 3 4 5);
}

/// A y
#[inline(always)]
fn outer<S: Simd>(s: S, y: [S::V; EDGE]) -> [S::V; REACH] {
    let even_a = s.fma(s.splat(A2), y[2], y[0]);
    let odd_a = s.fma(s.splat(A2), y[3], y[1]);
    let even_b = s.fma(s.splat(B2), y[2], y[0]);
    let odd_b = s.fma(s.splat(B2), y[3], y[1]);
    [
        y[0],
        s.fma(s.splat(A), odd_a, even_a),
        s.fma(s.splat(-A), odd_a, even_a),
        s.fma(s.splat(B), odd_b, even_b),
        s.fma(s.splat(-B), odd_b, even_b),
        y[3],
    ]
}

/// Gᵀ m
#[inline(always)]
fn weight<S: Simd>(s: S, m: [S::V; REACH]) -> [S::V; KERNEL] {
    let (even_a, odd_a) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
    let (even_b, odd_b) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
    [
        s.fma(
            s.splat((1.0 / N_A) as f32),
            even_a,
            s.fma(s.splat((1.0 / N_B) as f32), even_b, s.mul(s.splat(1.0 / A2_TIMES_B2), m[0])),
        ),
        s.fma(s.splat((A as f64 / N_A) as f32), odd_a, s.mul(s.splat((B as f64 / N_B) as f32), odd_b)),
        s.fma(s.splat((A2 as f64 / N_A) as f32), even_a, s.fma(s.splat((B2 as f64 / N_B) as f32), even_b, m[5])),
    ]
}

/// The sums of one channel and 16 outputs become 9 vectors of the master form.
///
/// # Safety
/// `sums` is readable at 36 positions of this distance, `to` writable at 9 of 256.
#[inline(always)]
unsafe fn back<S: Simd>(s: S, sums: *const f32, position: usize, to: *mut f32) {
    macro_rules! row {
        ($($i:literal)*) => { [$(
            // SAFETY: our caller vouches for 36 positions.
            unsafe {
                weight(s, [
                    s.load(sums.add((REACH * $i) * position)),
                    s.load(sums.add((REACH * $i + 1) * position)),
                    s.load(sums.add((REACH * $i + 2) * position)),
                    s.load(sums.add((REACH * $i + 3) * position)),
                    s.load(sums.add((REACH * $i + 4) * position)),
                    s.load(sums.add((REACH * $i + 5) * position)),
                ])
            }
        ),*] };
    }
    let w = row!(0 1 2 3 4 5);
    macro_rules! column {
        ($($j:literal)*) => { $(
            let g = weight(s, [w[0][$j], w[1][$j], w[2][$j], w[3][$j], w[4][$j], w[5][$j]]);
            // SAFETY: our caller vouches for 9 vectors at this distance.
            unsafe {
                s.store(to.add($j * BLOCK * BLOCK), g[0]);
                s.store(to.add((KERNEL + $j) * BLOCK * BLOCK), g[1]);
                s.store(to.add((2 * KERNEL + $j) * BLOCK * BLOCK), g[2]);
            }
        )* };
    }
    column!(0 1 2);
}
