//! Backward of dense layers, over the weight in its master form: no copy of the weight in another order, and no gradient that reaches memory where a step updates the weight.

use core::ops::Range;

use super::{
    BLOCK, Gradient, Simd, Sink,
    simd::levels::compiled_here,
    tile::{Buffer, Tile, Tiling, Walk, part, tile},
    transpose::transpose,
};

/// Extents of a dense layer's weight: `[o/16][c/16][pixels][16 c][16 o]`, or `[o/16][c · pixels][16 o]` where planar. A sheet is all of one block of outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dense {
    pub outputs: usize,
    pub channels: usize,
    pub pixels: usize,
    pub planar: bool,
}

impl Dense {
    const fn blocks(&self) -> usize {
        self.outputs.div_ceil(BLOCK)
    }

    /// Rows of a sheet: inputs in the weight's order, padding included.
    const fn rows(&self) -> usize {
        if self.planar { self.channels * self.pixels } else { self.channels.div_ceil(BLOCK) * BLOCK * self.pixels }
    }

    const fn sheet(&self) -> usize {
        self.rows() * BLOCK
    }

    /// Blocks of the input gradient: channel block, pixel.
    const fn input_blocks(&self) -> usize {
        self.channels.div_ceil(BLOCK) * self.pixels
    }

    /// Samples of a task of [`dense_input`]: each piece of the weight is turned once for them.
    const SAMPLES: usize = 96;
    /// Outputs that are turned at a time; with the accumulators of a task they stay in the second-level cache.
    const CHUNK: usize = 256;
    /// Blocks of the widest tile.
    const WIDEST: usize = 4;

    /// Blocks of a task of [`dense_input`].
    const fn input_task(&self) -> usize {
        part_of(self.input_blocks())
    }

    /// Rows and blocks of a task of [`dense_weight`].
    const fn weight_task(&self) -> [usize; 2] {
        [96, part_of(self.blocks())]
    }
}

/// Enough tasks for several threads, each wide enough for a few tiles.
const fn part_of(blocks: usize) -> usize {
    match blocks {
        0..=2 => 1,
        3..=16 => 2,
        17..=32 => 4,
        _ => 6,
    }
}

/// Number of tasks of [`dense_input`].
pub const fn dense_input_tasks(d: &Dense, batch: usize) -> usize {
    batch.div_ceil(Dense::SAMPLES) * d.input_blocks().div_ceil(d.input_task())
}

/// Floats of scratch that a task of [`dense_input`] needs.
pub const fn dense_input_scratch() -> usize {
    (Dense::CHUNK + Dense::SAMPLES) * Dense::WIDEST * BLOCK
}

/// The input gradient: hands `Σ_o dy[n, o] · W[o, block, lane]` to `sink` as (n, block, 0), where a block is a channel block and a pixel.
///
/// # Safety
/// `dy` and `weight` are readable in their layouts, `scratch` is this worker's and holds [`dense_input_scratch`] floats, `task` is below [`dense_input_tasks`], and `sink` may store what it is given.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn dense_input<S: Simd, K: Sink>(
    s: S,
    d: &'static Dense,
    dy: *const f32,
    dy_sample: usize,
    weight: *const f32,
    scratch: *mut f32,
    batch: usize,
    task: usize,
    sink: K,
) {
    let row_tasks = batch.div_ceil(Dense::SAMPLES);
    let (row_task, block_task) = (task % row_tasks, task / row_tasks);
    let rows = row_task * Dense::SAMPLES..((row_task + 1) * Dense::SAMPLES).min(batch);
    let blocks = block_task * d.input_task()..((block_task + 1) * d.input_task()).min(d.input_blocks());
    let tiling = Tiling::new(S::LEVEL, rows.len(), blocks.len());
    for block_tile in 0..tiling.block_tiles {
        let tile_blocks = part(blocks.len(), tiling.block_tiles, block_tile);
        let (first, width) = (blocks.start + tile_blocks.start, tile_blocks.len());
        // SAFETY: rows and blocks lie within the extents; the scratch holds the largest tile's accumulators and its part of the weight.
        unsafe {
            let sums = scratch.add(Dense::CHUNK * Dense::WIDEST * BLOCK);
            input_tiles(
                s,
                d,
                dy.add(rows.start * dy_sample),
                dy_sample,
                weight,
                scratch,
                sums,
                rows.len(),
                first,
                width,
            );
            for i in 0..rows.len() {
                for j in 0..width {
                    sink.put(s, s.load(sums.add((i * width + j) * BLOCK)), rows.start + i, first + j, 0);
                }
            }
        }
    }
}

compiled_here! {
    /// `sums[n][j] = Σ_o dy[n, o] · W[o, first + j]` for j below `width`.
    ///
    /// # Safety
    /// As [`dense_input`].
    unsafe fn input_tiles(
        d: &Dense,
        dy: *const f32,
        dy_sample: usize,
        weight: *const f32,
        turned: *mut f32,
        sums: *mut f32,
        rows: usize,
        first: usize,
        width: usize,
    ) = run_input_tiles
}

/// # Safety
/// As [`input_tiles`].
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn run_input_tiles<S: Simd>(
    s: S,
    d: &Dense,
    dy: *const f32,
    dy_sample: usize,
    weight: *const f32,
    turned: *mut f32,
    sums: *mut f32,
    rows: usize,
    first: usize,
    width: usize,
) {
    let tiling = Tiling::new(S::LEVEL, rows, width);
    for start in (0..d.outputs).step_by(Dense::CHUNK) {
        let chunk = (d.outputs - start).min(Dense::CHUNK);
        let walk = Walk { count: [1, 1, 1, chunk], a: [0, 0, 0, 1], b: [0, 0, 0, BLOCK], tail: chunk };
        for j in 0..width {
            // SAFETY: a block within the extents.
            unsafe { turn(d, weight, first + j, start..start + chunk, turned.add(j * chunk * BLOCK)) }
        }
        for row_tile in 0..tiling.row_tiles {
            let tile_rows = part(rows, tiling.row_tiles, row_tile);
            // SAFETY: the caller's promises.
            unsafe {
                let t = Tile {
                    a: dy.add(tile_rows.start * dy_sample + start),
                    a_row: dy_sample,
                    b: turned,
                    b_block: chunk * BLOCK,
                    walk: &walk,
                    out: sums.add(tile_rows.start * width * BLOCK),
                    out_row: width * BLOCK,
                    out_block: BLOCK,
                    add: start > 0,
                };
                tile(s, tile_rows.len(), width, &t);
            }
        }
    }
}

/// `to[o][lane] = W[o, block, lane]` for these outputs, from a block's first on; lanes beyond the channels become 0.
///
/// # Safety
/// `weight` is readable in its layout, `to` writable for as many vectors.
#[inline(always)]
unsafe fn turn(d: &Dense, weight: *const f32, block: usize, outputs: Range<usize>, to: *mut f32) {
    let (c_block, pixel) = (block / d.pixels, block % d.pixels);
    let lanes = (d.channels - c_block * BLOCK).min(BLOCK);
    // Distance of channels, and of the first of this block from its sheet's start.
    let (step, first) = if d.planar {
        (d.pixels * BLOCK, (c_block * BLOCK * d.pixels + pixel) * BLOCK)
    } else {
        (BLOCK, block * BLOCK * BLOCK)
    };
    for o in outputs.clone().step_by(BLOCK) {
        // SAFETY: every index lies in the extents that the layout was made from.
        unsafe {
            let from = weight.add(o / BLOCK * d.sheet() + first);
            transpose(from, lanes, step, to.add((o - outputs.start) * BLOCK), (outputs.end - o).min(BLOCK));
        }
    }
}

/// Number of tasks of [`dense_weight`].
pub const fn dense_weight_tasks(d: &Dense) -> usize {
    let [rows, blocks] = d.weight_task();
    d.rows().div_ceil(rows) * d.blocks().div_ceil(blocks)
}

compiled_here! {
    /// The gradient of the weight, `Σ_n x[n, row] · dy[n, o]`, and of the bias, `Σ_n dy[n, o]`. What lies beyond the extents becomes 0, whatever x and dy hold there.
    ///
    /// # Safety
    /// `x` and `dy` are readable at these distances of samples, and `task` is below [`dense_weight_tasks`].
    pub unsafe fn dense_weight(
        d: &'static Dense,
        x: *const f32,
        x_sample: usize,
        dy: *const f32,
        dy_sample: usize,
        weight: Gradient,
        bias: Option<Gradient>,
        batch: usize,
        task: usize,
    ) = run_weight
}

/// # Safety
/// As [`dense_weight`].
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn run_weight<S: Simd>(
    s: S,
    d: &'static Dense,
    x: *const f32,
    x_sample: usize,
    dy: *const f32,
    dy_sample: usize,
    weight: Gradient,
    bias: Option<Gradient>,
    batch: usize,
    task: usize,
) {
    let [row_task, block_task] = d.weight_task();
    let row_tasks = d.rows().div_ceil(row_task);
    let (rows, blocks) = (task % row_tasks * row_task, task / row_tasks * block_task);
    let rows = rows..(rows + row_task).min(d.rows());
    let blocks = blocks..(blocks + block_task).min(d.blocks());
    let job = Weight { d, x, x_sample, dy, dy_sample, weight, batch };
    // SAFETY: the caller's promises.
    unsafe {
        if let Some(bias) = bias
            && rows.start == 0
        {
            for block in blocks.clone() {
                job.bias(s, block, bias);
            }
        }
        job.run(s, rows, blocks);
    }
}

/// The weight gradient of a dense layer.
#[derive(Clone, Copy)]
struct Weight {
    d: &'static Dense,
    x: *const f32,
    x_sample: usize,
    dy: *const f32,
    dy_sample: usize,
    weight: Gradient,
    batch: usize,
}

impl Weight {
    /// # Safety
    /// As [`dense_weight`]; the block is one of the outputs'.
    #[inline(always)]
    unsafe fn bias<S: Simd>(&self, s: S, block: usize, bias: Gradient) {
        let mut sum = s.splat(0.0);
        for n in 0..self.batch {
            // SAFETY: the caller's promise.
            sum = s.add(sum, unsafe { s.load(self.dy.add(n * self.dy_sample + block * BLOCK)) });
        }
        let sum = s.keep_first(sum, self.d.outputs - block * BLOCK);
        // SAFETY: the caller's promise.
        unsafe { bias.put_vector(s, block * BLOCK, sum) }
    }

    /// # Safety
    /// As [`dense_weight`]; nobody else works on these rows and blocks.
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S, rows: Range<usize>, blocks: Range<usize>) {
        let Weight { d, x_sample, dy_sample, batch, .. } = *self;
        let walk = Walk { count: [1, 1, 1, batch], a: [0, 0, 0, x_sample], b: [0, 0, 0, dy_sample], tail: batch };
        let tiling = Tiling::new(S::LEVEL, rows.len(), blocks.len());
        let mut buffer = Buffer::new();
        let pieces = buffer.as_mut_ptr();
        for block_tile in 0..tiling.block_tiles {
            let tile_blocks = part(blocks.len(), tiling.block_tiles, block_tile);
            let (block, width) = (blocks.start + tile_blocks.start, tile_blocks.len());
            for row_tile in 0..tiling.row_tiles {
                let tile_rows = part(rows.len(), tiling.row_tiles, row_tile);
                let (row, height) = (rows.start + tile_rows.start, tile_rows.len());
                // SAFETY: rows and blocks lie within the extents; the buffer holds the largest tile.
                unsafe {
                    let at = block * d.sheet() + row * BLOCK;
                    let (out, out_block) = match self.weight.memory() {
                        Some(to) => (to.add(at), d.sheet()),
                        None => (pieces, height * BLOCK),
                    };
                    let t = Tile {
                        a: self.x.add(row),
                        a_row: 1,
                        b: self.dy.add(block * BLOCK),
                        b_block: BLOCK,
                        walk: &walk,
                        out,
                        out_row: BLOCK,
                        out_block,
                        add: false,
                    };
                    tile(s, height, width, &t);
                    for j in 0..width {
                        let piece = out.add(j * out_block);
                        self.clean(s, row..row + height, block + j, piece);
                        if self.weight.memory().is_none() {
                            self.weight.put(at + j * d.sheet(), piece, height * BLOCK);
                        }
                    }
                }
            }
        }
    }

    /// Zeros in lanes beyond the outputs and in rows beyond the channels.
    ///
    /// # Safety
    /// `piece` holds these rows.
    #[inline(always)]
    unsafe fn clean<S: Simd>(&self, s: S, rows: Range<usize>, block: usize, piece: *mut f32) {
        let d = self.d;
        let lanes = d.outputs - block * BLOCK;
        let tail = !d.planar && !d.channels.is_multiple_of(BLOCK);
        if lanes >= BLOCK && !tail {
            return;
        }
        for (i, row) in rows.enumerate() {
            let beyond = tail && row / (BLOCK * d.pixels) * BLOCK + row % BLOCK >= d.channels;
            // SAFETY: the caller's promise.
            unsafe {
                let p = piece.add(i * BLOCK);
                s.store(p, s.load_first(p, if beyond { 0 } else { lanes }));
            }
        }
    }
}
