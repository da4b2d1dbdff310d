//! Backward of dense layers, over the weight in its master form: no copy of the weight in another order, and no gradient that reaches memory where a step updates the weight.

use core::ops::Range;

use super::{
    BLOCK, Gradient, Simd, Sink, Total,
    simd::levels::compiled_here,
    tile::{CHUNK, Floats, LONGEST, Sums, Tile, Tiling, WIDEST_TILE, Walk, part, tile_of_rows},
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

    /// Samples of a task of [`dense_input`], inputs of one of [`dense_weight`].
    const ROWS: usize = 96;
    /// Blocks of a task, at most.
    const BLOCKS: usize = 6;
    /// Outputs whose weights are turned at a time; with the sums of a task they stay in the second-level cache.
    const CHUNK: usize = 256;
    /// Floats of a task's sums.
    const SUMS: usize = Self::ROWS * Self::BLOCKS * BLOCK;
    /// Blocks of inputs of a task of [`dense_backward`]: what is read of a sheet at a time is a page of 4 KiB.
    const STREAMED: usize = 4;

    /// Blocks of a task of [`dense_input`].
    const fn input_task(&self) -> usize {
        part_of(self.input_blocks())
    }

    /// Blocks of a task of [`dense_weight`].
    const fn weight_task(&self) -> usize {
        part_of(self.blocks())
    }
}

/// Enough tasks for several threads, each wide enough for a few tiles.
const fn part_of(blocks: usize) -> usize {
    match blocks {
        0..=2 => 1,
        3..=16 => 2,
        17..=32 => 4,
        _ => Dense::BLOCKS,
    }
}

/// Number of tasks of [`dense_input`].
pub const fn dense_input_tasks(d: &Dense, batch: usize) -> usize {
    batch.div_ceil(Dense::ROWS) * d.input_blocks().div_ceil(d.input_task())
}

/// Number of tasks of [`dense_weight`].
pub const fn dense_weight_tasks(d: &Dense) -> usize {
    d.rows().div_ceil(Dense::ROWS) * d.blocks().div_ceil(d.weight_task())
}

/// Floats of scratch that a task of [`dense_input`] or [`dense_backward`] needs: sums, what they have lost, and a chunk of turned weights.
pub const fn dense_scratch() -> usize {
    2 * Dense::SUMS + Dense::CHUNK * Dense::BLOCKS * BLOCK
}

/// The operand of a product that is read one number at a time: `A[i, k]` lies at `at + i · row + k · step`.
#[derive(Clone, Copy)]
struct Left {
    at: *const f32,
    row: usize,
    step: usize,
}

/// The operand of a product that is read in vectors: `B[k, j]` lies at `at + j · block + k · step`.
#[derive(Clone, Copy)]
struct Right {
    at: *const f32,
    block: usize,
    step: usize,
}

/// Says where the sums of a tile go, and does something with them when all tiles of the same blocks are made.
trait Tiles {
    /// Where they are wanted: the first of them, the distance of rows, and that of blocks.
    fn place(&mut self, rows: &Range<usize>, blocks: &Range<usize>) -> (*mut f32, [usize; 2]);

    /// Where what long sums lose is kept: the first of them, and the distance of blocks; that of rows is the same.
    fn lost(&mut self, rows: &Range<usize>, blocks: &Range<usize>) -> (*mut f32, usize);

    /// # Safety
    /// Those of all rows, of these blocks, are where they were wanted.
    unsafe fn done<S: Simd>(&mut self, s: S, rows: Range<usize>, blocks: Range<usize>);
}

/// `Σ_k A[i, k] · B[k, j]` over these k, tile by tile; on top of what is there where `add`, up to `whole` steps in all: one chain
/// per element if these are not many, whatever the chunks of k and the tiles.
///
/// # Safety
/// Both operands are readable at these extents, and the tiles' places are writable.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn product<S: Simd>(
    s: S,
    left: Left,
    right: Right,
    rows: usize,
    blocks: Range<usize>,
    (k, whole): (usize, usize),
    add: bool,
    tiles: &mut impl Tiles,
) {
    let tiling = Tiling::new(S::LEVEL, rows, blocks.len());
    // Of a long sum the operands of a chunk stay in the cache from tile to tile.
    let chunk = if whole > LONGEST { CHUNK } else { k.max(1) };
    for block_tile in 0..tiling.block_tiles {
        let columns = part(blocks.len(), tiling.block_tiles, block_tile);
        let columns = blocks.start + columns.start..blocks.start + columns.end;
        for start in (0..k.max(1)).step_by(chunk) {
            let walk = Walk::straight(chunk.min(k - start), left.step, right.step);
            for row_tile in 0..tiling.row_tiles {
                let tile_rows = part(rows, tiling.row_tiles, row_tile);
                let (out, [out_row, out_block]) = tiles.place(&tile_rows, &columns);
                let (lost, lost_block) = tiles.lost(&tile_rows, &columns);
                // SAFETY: the tile's rows and columns are parts of those that our caller vouches for, and `place` is where
                // these sums may lie.
                unsafe {
                    let t = Tile {
                        a: left.at.add(tile_rows.start * left.row + start * left.step),
                        a_row: left.row,
                        b: right.at.add((columns.start - blocks.start) * right.block + start * right.step),
                        b_block: right.block,
                        walk: &walk,
                        out,
                        out_row,
                        out_block,
                        add: add || start > 0,
                        sums: Sums::of(whole, lost, lost_block),
                    };
                    tile_of_rows(s, tile_rows.len(), columns.len(), &t);
                }
            }
        }
        // SAFETY: these tiles have just been made.
        unsafe { tiles.done(s, 0..rows, columns) }
    }
}

/// Sums that stay where they are until all of k has been seen: `[row][block]`, `width` blocks wide. What they lose lies [`Dense::SUMS`] behind them.
struct Kept {
    at: *mut f32,
    width: usize,
}

impl Tiles for Kept {
    #[inline(always)]
    fn place(&mut self, rows: &Range<usize>, blocks: &Range<usize>) -> (*mut f32, [usize; 2]) {
        let at = self.at.wrapping_add((rows.start * self.width + blocks.start) * BLOCK);
        (at, [self.width * BLOCK, BLOCK])
    }

    #[inline(always)]
    fn lost(&mut self, rows: &Range<usize>, blocks: &Range<usize>) -> (*mut f32, usize) {
        (self.place(rows, blocks).0.wrapping_add(Dense::SUMS), BLOCK)
    }

    #[inline(always)]
    unsafe fn done<S: Simd>(&mut self, _: S, _: Range<usize>, _: Range<usize>) {}
}

/// The input gradient: hands `Σ_o dy[n, o] · W[o, block, lane]` to `sink` as (n, block, 0), where a block is a channel block and a pixel.
///
/// # Safety
/// `dy` and `weight` are readable in their layouts, `scratch` is this worker's and holds [`dense_scratch`] floats, `task` is below [`dense_input_tasks`], and `sink` may store what it is given.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn dense_input<S: Simd, K: Sink>(
    s: S,
    d: &Dense,
    dy: *const f32,
    dy_sample: usize,
    weight: *const f32,
    scratch: *mut f32,
    batch: usize,
    task: usize,
    sink: K,
) {
    let row_tasks = batch.div_ceil(Dense::ROWS);
    let (row_task, block_task) = (task % row_tasks, task / row_tasks);
    let rows = row_task * Dense::ROWS..((row_task + 1) * Dense::ROWS).min(batch);
    let blocks = block_task * d.input_task()..((block_task + 1) * d.input_task()).min(d.input_blocks());
    // SAFETY: rows and blocks lie within the extents and are at most a task's.
    unsafe {
        input_sums(s, d, dy, dy_sample, weight, scratch, rows.clone(), blocks.clone());
        put_all(s, scratch, rows, blocks, sink);
    }
}

/// Hands the sums of a task, `[row][block]`, to the sink.
///
/// # Safety
/// As [`dense_input`]; the sums are there.
#[inline(always)]
unsafe fn put_all<S: Simd, K: Sink>(s: S, sums: *const f32, rows: Range<usize>, blocks: Range<usize>, sink: K) {
    for (i, row) in rows.enumerate() {
        for (j, block) in blocks.clone().enumerate() {
            // SAFETY: `input_sums` has left a vector for each of these rows and blocks, which are the task's own
            // (*tasks*).
            unsafe { sink.put(s, s.load(sums.add((i * blocks.len() + j) * BLOCK)), row, block, 0) }
        }
    }
}

compiled_here! {
    /// `scratch[n][j] = Σ_o dy[rows.start + n, o] · W[o, blocks.start + j]`.
    ///
    /// # Safety
    /// As [`dense_input`]; rows and blocks are at most a task's.
    unsafe fn input_sums(
        d: &Dense,
        dy: *const f32,
        dy_sample: usize,
        weight: *const f32,
        scratch: *mut f32,
        rows: Range<usize>,
        blocks: Range<usize>,
    ) = run_input_sums
}

/// # Safety
/// As [`input_sums`].
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn run_input_sums<S: Simd>(
    s: S,
    d: &Dense,
    dy: *const f32,
    dy_sample: usize,
    weight: *const f32,
    scratch: *mut f32,
    rows: Range<usize>,
    blocks: Range<usize>,
) {
    let job = Input { d, dy, dy_sample, weight, scratch };
    for start in (0..d.outputs).step_by(Dense::CHUNK) {
        // SAFETY: these outputs are some of the layer's; rows and blocks are our caller's.
        unsafe { job.chunk(s, rows.clone(), blocks.clone(), start..(start + Dense::CHUNK).min(d.outputs)) }
    }
}

/// The input gradient of a dense layer.
#[derive(Clone, Copy)]
struct Input<'a> {
    d: &'a Dense,
    dy: *const f32,
    dy_sample: usize,
    weight: *const f32,
    scratch: *mut f32,
}

impl Input<'_> {
    /// Adds what these outputs contribute to the sums at the beginning of the scratch memory; the first outputs begin them.
    ///
    /// # Safety
    /// As [`input_sums`].
    #[inline(always)]
    unsafe fn chunk<S: Simd>(&self, s: S, rows: Range<usize>, blocks: Range<usize>, outputs: Range<usize>) {
        let Input { d, dy, dy_sample, weight, scratch } = *self;
        let (k, width) = (outputs.len(), blocks.len());
        // SAFETY: `SUMS` floats hold the sums of a task's rows and blocks, and `CHUNK · BLOCKS` vectors behind them the
        // turned weights of at most `CHUNK` outputs: together `dense_scratch`.
        unsafe {
            let turned = scratch.add(2 * Dense::SUMS);
            turn(d, weight, blocks, outputs.clone(), turned);
            let left = Left { at: dy.add(rows.start * dy_sample + outputs.start), row: dy_sample, step: 1 };
            let right = Right { at: turned, block: k * BLOCK, step: BLOCK };
            let mut sums = Kept { at: scratch, width };
            product(s, left, right, rows.len(), 0..width, (k, d.outputs), outputs.start > 0, &mut sums);
        }
    }
}

/// `to[block][o][lane] = W[o, block, lane]` for these outputs, from a block's first on; lanes beyond the channels become 0.
///
/// # Safety
/// `weight` is readable in its layout, `to` writable for as many vectors.
#[inline(always)]
unsafe fn turn(d: &Dense, weight: *const f32, blocks: Range<usize>, outputs: Range<usize>, to: *mut f32) {
    for o in outputs.clone().step_by(BLOCK) {
        // Neighbours lie side by side in a sheet.
        for (j, block) in blocks.clone().enumerate() {
            let (c_block, pixel) = (block / d.pixels, block % d.pixels);
            let lanes = (d.channels - c_block * BLOCK).min(BLOCK);
            // Distance of channels, and of the first of this block from its sheet's start.
            let (step, first) = if d.planar {
                (d.pixels * BLOCK, (c_block * BLOCK * d.pixels + pixel) * BLOCK)
            } else {
                (BLOCK, block * BLOCK * BLOCK)
            };
            // SAFETY: every index lies in the extents that the layout was made from.
            unsafe {
                let from = weight.add(o / BLOCK * d.sheet() + first);
                let to = to.add((j * outputs.len() + o - outputs.start) * BLOCK);
                transpose(from, lanes, step, to, (outputs.end - o).min(BLOCK));
            }
        }
    }
}

/// What the gradient of a dense layer's weight is made of, and where it goes. Distances count floats.
#[derive(Clone, Copy)]
pub struct DenseWeight {
    pub x: *const f32,
    pub x_sample: usize,
    pub dy: *const f32,
    pub dy_sample: usize,
    pub weight: Gradient,
    /// The sum of `dy` over the batch, where this kernel takes it.
    pub bias: Option<Gradient>,
    pub batch: usize,
}

compiled_here! {
    /// The gradient of the weight, `Σ_n x[n, row] · dy[n, o]`, and of the bias, `Σ_n dy[n, o]`. What lies beyond the extents becomes 0, whatever x and dy hold there.
    ///
    /// # Safety
    /// `x` and `dy` are readable at these distances of samples, and `task` is below [`dense_weight_tasks`].
    pub unsafe fn dense_weight(d: &Dense, w: DenseWeight, task: usize) = run_weight
}

/// # Safety
/// As [`dense_weight`].
#[inline(always)]
unsafe fn run_weight<S: Simd>(s: S, d: &Dense, w: DenseWeight, task: usize) {
    let row_tasks = d.rows().div_ceil(Dense::ROWS);
    let (row, block) = (task % row_tasks * Dense::ROWS, task / row_tasks * d.weight_task());
    let rows = row..(row + Dense::ROWS).min(d.rows());
    let blocks = block..(block + d.weight_task()).min(d.blocks());
    // SAFETY: rows and blocks of a task below `dense_weight_tasks` are within the weight, and no other task's.
    unsafe { w.run(s, d, rows, blocks) }
}

impl DenseWeight {
    /// The gradient of these rows and blocks of the weight; with the first row, of the bias of these blocks.
    ///
    /// # Safety
    /// As [`dense_weight`]; nobody else works on them.
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S, d: &Dense, rows: Range<usize>, blocks: Range<usize>) {
        let DenseWeight { x, x_sample, dy, dy_sample, batch, bias, .. } = *self;
        // SAFETY: `rows` and `blocks` are within the weight, so x has these inputs and dy these outputs at each of the
        // `batch` samples; with the first rows come each block's bias, which is thus finished once.
        unsafe {
            if let Some(bias) = bias
                && rows.start == 0
            {
                for block in blocks.clone() {
                    self.bias(s, d, block, bias);
                }
            }
            let left = Left { at: x.add(rows.start), row: 1, step: x_sample };
            let right = Right { at: dy.add(blocks.start * BLOCK), block: BLOCK, step: dy_sample };
            let count = rows.len();
            let (buffer, lost) = (Floats::new(), Floats::new());
            let mut pieces = Pieces { d, to: self.weight, first: rows.start, buffer, lost };
            product(s, left, right, count, blocks, (batch, batch), false, &mut pieces);
        }
    }

    /// # Safety
    /// As [`dense_weight`]; the block is one of the outputs'.
    #[inline(always)]
    unsafe fn bias<S: Simd>(&self, s: S, d: &Dense, block: usize, bias: Gradient) {
        let mut sum = Total::new(s);
        for n in 0..self.batch {
            // SAFETY: dy has a vector for each block of outputs at each sample, by our caller's word.
            sum.add(s, unsafe { s.load(self.dy.add(n * self.dy_sample + block * BLOCK)) });
        }
        let sum = s.keep_first(sum.value(s), d.outputs - block * BLOCK);
        // SAFETY: the vector of this block, which no other task finishes.
        unsafe { bias.put_vector(s, block * BLOCK, sum) }
    }
}

/// Finished pieces of a weight's gradient.
struct Pieces<'a> {
    d: &'a Dense,
    to: Gradient,
    /// The product's first row in the weight's order.
    first: usize,
    /// All of a task's rows: the larger the pieces, the less often a rule is made ready.
    buffer: Floats<{ WIDEST_TILE * Dense::ROWS * BLOCK }>,
    /// What their sums lose.
    lost: Floats<{ WIDEST_TILE * Dense::ROWS * BLOCK }>,
}

impl Pieces<'_> {
    fn at(&self, rows: &Range<usize>, block: usize) -> usize {
        block * self.d.sheet() + (self.first + rows.start) * BLOCK
    }

    /// Zeros in lanes beyond the outputs and in rows beyond the channels.
    ///
    /// # Safety
    /// `piece` holds these rows.
    #[inline(always)]
    unsafe fn clean<S: Simd>(&self, s: S, rows: &Range<usize>, block: usize, piece: *mut f32) {
        let d = self.d;
        let lanes = d.outputs - block * BLOCK;
        let tail = !d.planar && !d.channels.is_multiple_of(BLOCK);
        if lanes >= BLOCK && !tail {
            return;
        }
        for (i, row) in rows.clone().enumerate() {
            let row = self.first + row;
            let beyond = tail && row / (BLOCK * d.pixels) * BLOCK + row % BLOCK >= d.channels;
            // SAFETY: row `i` of the piece, which our caller vouches for.
            unsafe {
                let p = piece.add(i * BLOCK);
                s.store(p, s.load_first(p, if beyond { 0 } else { lanes }));
            }
        }
    }
}

impl Tiles for Pieces<'_> {
    #[inline(always)]
    fn place(&mut self, rows: &Range<usize>, blocks: &Range<usize>) -> (*mut f32, [usize; 2]) {
        match self.to.memory() {
            Some(to) => (to.wrapping_add(self.at(rows, blocks.start)), [BLOCK, self.d.sheet()]),
            None => (self.buffer.as_mut_ptr().wrapping_add(rows.start * BLOCK), [BLOCK, Dense::ROWS * BLOCK]),
        }
    }

    #[inline(always)]
    fn lost(&mut self, rows: &Range<usize>, _: &Range<usize>) -> (*mut f32, usize) {
        (self.lost.as_mut_ptr().wrapping_add(rows.start * BLOCK), Dense::ROWS * BLOCK)
    }

    #[inline(always)]
    unsafe fn done<S: Simd>(&mut self, s: S, rows: Range<usize>, blocks: Range<usize>) {
        let (out, [_, out_block]) = self.place(&rows, &blocks);
        for (j, block) in blocks.enumerate() {
            // SAFETY: `product` has just stored the sums of these rows and blocks where `place` wanted them; pieces of
            // a task are its own.
            unsafe {
                let piece = out.add(j * out_block);
                self.clean(s, &rows, block, piece);
                if self.to.memory().is_none() {
                    self.to.put(self.at(&rows, block), piece, rows.len() * BLOCK);
                }
            }
        }
    }
}

/// Number of tasks of [`dense_backward`].
pub const fn dense_backward_tasks(d: &Dense) -> usize {
    d.input_blocks().div_ceil(Dense::STREAMED)
}

/// Both gradients of a layer whose weight no cache holds, in one pass over it: a task owns some inputs, and while a piece of
/// their weights is in the cache, it is turned for the input gradient, and then its own gradient is made, which may update it.
/// Rows of such a weight are blocks of inputs: it is not planar, or a vector's.
///
/// # Safety
/// As [`dense_input`] and [`dense_weight`]; `task` is below [`dense_backward_tasks`].
#[inline(always)]
pub unsafe fn dense_backward<S: Simd, K: Sink>(
    s: S,
    d: &Dense,
    w: DenseWeight,
    weight: *const f32,
    scratch: *mut f32,
    task: usize,
    sink: K,
) {
    let blocks = task * Dense::STREAMED..((task + 1) * Dense::STREAMED).min(d.input_blocks());
    for start in (0..w.batch).step_by(Dense::ROWS) {
        let samples = start..(start + Dense::ROWS).min(w.batch);
        // SAFETY: these samples are within the batch and at most `ROWS`, the blocks at most `STREAMED`, which is less
        // than `BLOCKS`: they fit into `dense_scratch`.
        unsafe {
            backward_sums(s, d, w, weight, scratch, samples.clone(), blocks.clone());
            put_all(s, scratch, samples, blocks.clone(), sink);
        }
    }
}

compiled_here! {
    /// The input gradient of these samples at the beginning of the scratch memory. With the last of them, when nobody needs the
    /// old weight any more, the weight's gradient is made too.
    ///
    /// # Safety
    /// As [`dense_backward`].
    unsafe fn backward_sums(
        d: &Dense,
        w: DenseWeight,
        weight: *const f32,
        scratch: *mut f32,
        samples: Range<usize>,
        blocks: Range<usize>,
    ) = run_backward_sums
}

/// # Safety
/// As [`backward_sums`].
#[inline(always)]
unsafe fn run_backward_sums<S: Simd>(
    s: S,
    d: &Dense,
    w: DenseWeight,
    weight: *const f32,
    scratch: *mut f32,
    samples: Range<usize>,
    blocks: Range<usize>,
) {
    let job = Input { d, dy: w.dy, dy_sample: w.dy_sample, weight, scratch };
    let rows = blocks.start * BLOCK..(blocks.end * BLOCK).min(d.rows());
    for start in (0..d.outputs).step_by(Dense::CHUNK) {
        let outputs = start..(start + Dense::CHUNK).min(d.outputs);
        // SAFETY: rows end with the weight's. `put` changes the weight of sheets that `chunk` has turned before, for
        // the last samples; no other task reads these rows.
        unsafe {
            for sheet in outputs.end.div_ceil(BLOCK)..(outputs.end + Dense::CHUNK).min(d.outputs).div_ceil(BLOCK) {
                w.weight.ahead(weight, sheet * d.sheet() + rows.start * BLOCK, rows.len() * BLOCK);
            }
            job.chunk(s, samples.clone(), blocks.clone(), outputs.clone());
            if samples.end == w.batch {
                w.run(s, d, rows.clone(), outputs.start / BLOCK..outputs.end.div_ceil(BLOCK));
            }
        }
    }
}
