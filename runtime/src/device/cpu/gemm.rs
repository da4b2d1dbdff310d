//! Contractions: `acc[row][block · 16 + lane] = Σ_k A[row, k] · B[k, block, lane]`.
//!
//! `A` is read one number at a time at any stride; `B` lies in contiguous vectors of 16. A transposed operand is a matter of strides, never of a second template.

use core::ops::Range;

use super::{
    BLOCK, Level, Simd, Sink,
    finished::{AnySink, Finished},
    simd::levels::compiled_here,
    tile::{Buffer, CHUNK, Floats, Sums, Tile, Tiling, Walk, colliding, part, tile_by_tile, tile_of_rows},
};

/// An extent that may depend on the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Fixed(usize),
    /// So many times the batch.
    Batch(usize),
}

impl Count {
    #[inline(always)]
    pub const fn of(self, batch: usize) -> usize {
        match self {
            Count::Fixed(n) => n,
            Count::Batch(n) => n * batch,
        }
    }
}

/// One loop of k: how often, and how far `A` and `B` move per iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digit {
    pub count: Count,
    pub a: usize,
    pub b: usize,
}

impl Digit {
    /// A loop that is not there.
    pub const NONE: Digit = Digit { count: Count::Fixed(1), a: 0, b: 0 };
}

/// Extents and strides, in floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gemm {
    pub rows: Count,
    /// Output columns, in blocks of 16.
    pub blocks: usize,
    pub a_row: usize,
    pub b_block: usize,
    /// Outermost first.
    pub k: [Digit; 3],
    /// If not 0: length of the innermost loop in the last iteration of the outermost.
    pub tail: usize,
    /// A task covers so many rows at most, all nearly as many …
    pub row_task: usize,
    /// … of so many blocks.
    pub block_task: usize,
    /// Neighbouring tasks, which one worker does, are of the same rows instead of the same blocks: what it makes of its samples it finds in its own cache in the next product. Each worker then reads all of `B`.
    pub by_rows: bool,
}

/// Rows and blocks of tasks, at most, whose rows are copied together.
const ROWS: usize = 96;
const BLOCKS: usize = 6;

/// Number of tasks of [`gemm`].
pub const fn gemm_tasks(d: &Gemm, batch: usize) -> usize {
    let [rows, blocks] = d.cuts(batch);
    rows * blocks
}

impl Gemm {
    /// Blocks of a task. Of few rows, a narrow tile would have too few sums to keep the multipliers busy.
    #[inline(always)]
    const fn task_blocks(&self, rows: usize) -> usize {
        if rows <= 2 && self.block_task < 4 && self.blocks >= 8 { 4 } else { self.block_task }
    }

    /// Parts of the rows and of the blocks that make the tasks.
    #[inline(always)]
    const fn cuts(&self, batch: usize) -> [usize; 2] {
        let rows = self.rows.of(batch);
        [rows.div_ceil(self.row_task), self.blocks.div_ceil(self.task_blocks(rows))]
    }

    /// Rows and blocks of a task.
    #[inline(always)]
    fn part(&self, batch: usize, task: usize) -> [Range<usize>; 2] {
        let all_rows = self.rows.of(batch);
        let width = self.task_blocks(all_rows);
        let [row_tasks, block_tasks] = self.cuts(batch);
        let (row_task, block_task) =
            if self.by_rows { (task / block_tasks, task % block_tasks) } else { (task % row_tasks, task / row_tasks) };
        [part(all_rows, row_tasks, row_task), block_task * width..((block_task + 1) * width).min(self.blocks)]
    }

    /// As [`colliding`], of tasks whose rows may be copied together.
    #[inline(always)]
    fn colliding(&self, level: Level, batch: usize) -> bool {
        let all_rows = self.rows.of(batch);
        let small = self.row_task <= ROWS && self.task_blocks(all_rows) <= BLOCKS;
        let rows = all_rows.min(self.row_task).min(Tiling::highest(level));
        small && colliding(rows, self.a_row, &self.walk(batch))
    }

    #[inline(always)]
    fn walk(&self, batch: usize) -> Walk {
        let [k0, k1, k2] = self.k;
        let inner = k2.count.of(batch);
        Walk {
            count: [k0.count.of(batch), k1.count.of(batch), 1, inner],
            a: [k0.a, k1.a, 0, k2.a],
            b: [k0.b, k1.b, 0, k2.b],
            tail: if self.tail == 0 { inner } else { self.tail },
            run: 1,
        }
    }
}

/// Hands every vector of the task's part of the result to `sink`, as (row, block, 0).
///
/// # Safety
/// `a` and `b` are readable at every index that `d` describes for this batch, `task` is below [`gemm_tasks`], and `sink` may store what it is given.
#[inline(always)]
pub unsafe fn gemm<S: Simd, K: Sink>(s: S, d: &Gemm, a: *const f32, b: *const f32, batch: usize, task: usize, sink: K) {
    let sink = AnySink::new(s, &sink);
    // SAFETY: both functions have our contract, and which is taken shows in no sum; the sink outlives the call.
    unsafe {
        if d.colliding(S::LEVEL, batch) {
            in_chunks(s, d, a, b, batch, task, sink);
        } else {
            all_tiles(s, d, a, b, batch, task, sink);
        }
    }
}

compiled_here! {
    /// As [`gemm`].
    ///
    /// # Safety
    /// As [`gemm`].
    unsafe fn all_tiles(
        d: &Gemm,
        a: *const f32,
        b: *const f32,
        batch: usize,
        task: usize,
        sink: AnySink<'_>,
    ) = run
}

/// # Safety
/// As [`gemm`].
#[inline(always)]
unsafe fn run<S: Simd>(s: S, d: &Gemm, a: *const f32, b: *const f32, batch: usize, task: usize, sink: AnySink<'_>) {
    let [rows, blocks] = d.part(batch, task);
    let walk = d.walk(batch);
    let tiling = Tiling::new(S::LEVEL, rows.len(), blocks.len());
    let (mut buffer, mut lost) = (Buffer::new(), Buffer::new());
    let out = buffer.as_mut_ptr();
    let sums = Sums::of(walk.steps(), lost.as_mut_ptr(), BLOCK);
    for block_tile in 0..tiling.block_tiles {
        let tile_blocks = part(blocks.len(), tiling.block_tiles, block_tile);
        let block = blocks.start + tile_blocks.start;
        for row_tile in 0..tiling.row_tiles {
            let tile_rows = part(rows.len(), tiling.row_tiles, row_tile);
            let row = rows.start + tile_rows.start;
            // SAFETY: rows and blocks lie within the extents; the buffer holds the largest tile.
            unsafe {
                let t = Tile {
                    a: a.add(row * d.a_row),
                    a_row: d.a_row,
                    b: b.add(block * d.b_block),
                    b_block: d.b_block,
                    walk: &walk,
                    out,
                    out_row: tile_blocks.len() * BLOCK,
                    out_block: BLOCK,
                    add: false,
                    sums,
                };
                tile_of_rows(s, tile_rows.len(), tile_blocks.len(), &t);
                sink.put(&Finished {
                    at: out,
                    count: [tile_rows.len(), tile_blocks.len()],
                    distance: [t.out_row, t.out_block],
                    row,
                    block,
                    pixel: 0,
                    row_step: 1,
                    block_step: 1,
                    pixel_step: [0, 0],
                });
            }
        }
    }
}

compiled_here! {
    /// As [`gemm`], where the rows of A are [`colliding`]: all of the task are copied side by side, a chunk of k at a time, and all of its results are added up in memory. (Within `all_tiles` it would be
    /// inlined, and every page of its large buffers touched by every task of any product.)
    ///
    /// # Safety
    /// As [`gemm`], of a product whose rows are colliding.
    unsafe fn in_chunks(
        d: &Gemm,
        a: *const f32,
        b: *const f32,
        batch: usize,
        task: usize,
        sink: AnySink<'_>,
    ) = chunks_body
}

/// # Safety
/// As [`in_chunks`].
#[inline(always)]
unsafe fn chunks_body<S: Simd>(
    s: S,
    d: &Gemm,
    a: *const f32,
    b: *const f32,
    batch: usize,
    task: usize,
    sink: AnySink<'_>,
) {
    let Walk { count: [.., k], b: [.., step], .. } = d.walk(batch);
    let [rows, blocks] = d.part(batch, task);
    let tiling = Tiling::new(S::LEVEL, rows.len(), blocks.len());
    let (mut copies, mut results) = (Floats::<{ ROWS * CHUNK }>::new(), Floats::<{ ROWS * BLOCKS * BLOCK }>::new());
    let mut lost = Floats::<{ ROWS * BLOCKS * BLOCK }>::new();
    let (copies, results) = (copies.as_mut_ptr(), results.as_mut_ptr());
    let row = blocks.len() * BLOCK;
    let sums = Sums::of(k, lost.as_mut_ptr(), BLOCK);
    // SAFETY: `colliding` let no task through with more than `ROWS` rows or `BLOCKS` blocks, so copies and results fit;
    // k and the rows are those of the product that our caller vouches for.
    unsafe {
        for start in (0..k).step_by(CHUNK) {
            let count = CHUNK.min(k - start);
            let mut walk = Walk::straight(count, 1, step);
            if let Sums::Exact { .. } = sums {
                walk = walk.in_runs();
            }
            for (i, row) in rows.clone().enumerate() {
                core::ptr::copy_nonoverlapping(a.add(row * d.a_row + start), copies.add(i * CHUNK), count);
            }
            let t = Tile {
                a: copies,
                a_row: CHUNK,
                b: b.add(blocks.start * d.b_block + start * step),
                b_block: d.b_block,
                walk: &walk,
                out: results,
                out_row: row,
                out_block: BLOCK,
                add: start > 0,
                sums,
            };
            tile_by_tile(s, tiling, rows.len(), blocks.len(), &t);
        }
        sink.put(&Finished {
            at: results,
            count: [rows.len(), blocks.len()],
            distance: [row, BLOCK],
            row: rows.start,
            block: blocks.start,
            pixel: 0,
            row_step: 1,
            block_step: 1,
            pixel_step: [0, 0],
        });
    }
}
