//! Gradient of a convolution's weight: a contraction over samples and pixels for every kernel position.
//!
//! Where the weights are too few to keep all threads busy, samples are cut into a fixed number of chunks, each with a buffer of its own, and [`combine`] adds those in order. The border is left out of the sums where x is
//! blocked, and its columns copied as zeros where it is planar (there the rows of a tile are the kernel positions of one row).

use core::ops::Range;

use super::{
    BLOCK, Conv, Gradient, Simd,
    conv::border,
    simd::levels::compiled_here,
    tile::{Buffer, RUN, Sums, Tile, Tiling, Walk, part, tile_by_tile},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvWeight {
    /// The forward pass; `spread` is 1.
    pub conv: Conv,
    /// dy is `[O][H][W]` instead of `[O/16][H][W][16]`.
    pub dy_planar: bool,
    /// Number of parts of the batch with a buffer each. With 1, tasks are parts of the weight instead.
    pub chunks: usize,
}

/// Samples are taken in groups of about so many floats of x and dy, to stay in the second-level cache.
const GROUP: usize = 1 << 17;
/// Enough tasks for the threads of today, few enough buffers.
const CHUNKS: usize = 16;
/// Output blocks of a task where tasks are parts of the weight.
const BLOCKS: usize = 6;

impl ConvWeight {
    /// As many chunks as are worth having: one where the weight alone gives enough tasks.
    pub const fn best_chunks(conv: &Conv) -> usize {
        let one = ConvWeight { conv: *conv, dy_planar: false, chunks: 1 };
        if conv_weight_tasks(&one) >= CHUNKS { 1 } else { CHUNKS }
    }

    /// Floats of the weight in its master form, and of one chunk's buffer.
    pub const fn floats(&self) -> usize {
        self.conv.weight_block() * self.conv.output_blocks()
    }

    /// Samples of a group.
    const fn group(&self) -> usize {
        let d = &self.conv;
        let x = if d.planar { self.copy() } else { d.input[0] * d.input[1] * BLOCK };
        let samples = GROUP / (x + 3 * d.output[0] * d.output[1] * BLOCK);
        if samples == 0 { 1 } else { samples }
    }

    /// A bordered sample of planar x.
    const fn copy(&self) -> usize {
        let d = &self.conv;
        d.channels * d.input[0] * d.columns()[1]
    }

    const fn copies(&self) -> bool {
        self.conv.planar && self.conv.bordered()
    }

    /// Groups of input blocks, of rows of the kernel and of output blocks that make the tasks, with one chunk. Planar x is not cut: every task would make its copies.
    const fn split(&self) -> [usize; 3] {
        let blocks = self.conv.output_blocks().div_ceil(BLOCKS);
        if self.conv.planar { [1, 1, blocks] } else { [self.conv.parts(), self.conv.kernel[0], blocks] }
    }
}

impl ConvWeight {
    /// Floats of the weight that a task makes, at most.
    const fn task_floats(&self) -> usize {
        if self.chunks > 1 {
            return self.floats();
        }
        let [parts, rows, blocks] = self.split();
        let d = &self.conv;
        let (parts, rows) = (d.parts().div_ceil(parts), d.kernel[0].div_ceil(rows));
        d.output_blocks().div_ceil(blocks) * parts * rows * d.kernel[1] * d.lanes() * BLOCK
    }
}

/// Number of tasks of [`conv_weight`].
pub const fn conv_weight_tasks(d: &ConvWeight) -> usize {
    if d.chunks > 1 {
        d.chunks
    } else {
        let [parts, rows, blocks] = d.split();
        parts * rows * blocks
    }
}

/// Floats of scratch that a task of [`conv_weight`] needs.
pub const fn conv_weight_scratch(d: &ConvWeight) -> usize {
    let x = if d.copies() { d.copy() } else { 0 };
    let dy = if d.dy_planar { d.conv.output[0] * d.conv.output[1] * BLOCK } else { 0 };
    d.group() * (x.next_multiple_of(BLOCK) + dy) + d.task_floats()
}

compiled_here! {
    /// The gradient in master form. With several chunks, chunk c goes to `dst + c · floats()`. Lanes and rows beyond the extents are written as 0, whatever x and dy hold there.
    ///
    /// # Safety
    /// `x` and `dy` are readable at these distances of samples, `dst` is writable, `scratch` is this worker's and holds [`conv_weight_scratch`] floats, and `task` is below [`conv_weight_tasks`].
    pub unsafe fn conv_weight(
        d: &ConvWeight,
        x: *const f32,
        x_sample: usize,
        dy: *const f32,
        dy_sample: usize,
        dst: *mut f32,
        scratch: *mut f32,
        batch: usize,
        task: usize,
    ) = run
}

/// # Safety
/// As [`conv_weight`].
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn run<S: Simd>(
    s: S,
    d: &ConvWeight,
    x: *const f32,
    x_sample: usize,
    dy: *const f32,
    dy_sample: usize,
    dst: *mut f32,
    scratch: *mut f32,
    batch: usize,
    task: usize,
) {
    let conv = &d.conv;
    // SAFETY: the scratch holds what the sums lose, behind a group's copies.
    let lost = unsafe { scratch.add(conv_weight_scratch(d) - d.task_floats()) };
    let mut job = Job {
        conv,
        x,
        x_sample,
        dy,
        dy_sample,
        dst,
        lost,
        parts: 0..conv.parts(),
        rows: 0..conv.kernel[0],
        blocks: 0..conv.output_blocks(),
    };
    let mut samples = 0..batch;
    if d.chunks > 1 {
        samples = part(batch, d.chunks, task);
        // SAFETY: one buffer per chunk.
        job.dst = unsafe { dst.add(task * d.floats()) };
    } else {
        let [part_groups, row_groups, block_groups] = d.split();
        job.parts = part(conv.parts(), part_groups, task % part_groups);
        job.rows = part(conv.kernel[0], row_groups, task / part_groups % row_groups);
        job.blocks = part(conv.output_blocks(), block_groups, task / (part_groups * row_groups));
    }
    let (x_copy, dy_copy) = (d.copy().next_multiple_of(BLOCK), conv.output[0] * conv.output[1] * BLOCK);
    let mut sample = samples.start;
    // SAFETY: a group has at most `d.group()` samples, whose copies of x and dy are what `conv_weight_scratch` counts;
    // the last sample of a group is below the batch.
    unsafe {
        loop {
            let group = (samples.end - sample).min(d.group());
            let mut free = scratch;
            if d.copies() {
                for i in 0..group {
                    border(conv, x.add((sample + i) * x_sample), free.add(i * x_copy), 0..conv.input[0]);
                }
                (job.x, job.x_sample) = (free, x_copy);
                free = free.add(d.group() * x_copy);
            } else {
                job.x = x.add(sample * x_sample);
            }
            if d.dy_planar {
                for i in 0..group {
                    interleave(s, conv, dy.add((sample + i) * dy_sample), free.add(i * dy_copy));
                }
                (job.dy, job.dy_sample) = (free, dy_copy);
            } else {
                job.dy = dy.add(sample * dy_sample);
            }
            let add = sample > samples.start;
            if conv.planar {
                job.planar(s, group, add);
            } else {
                job.blocked(s, group, add);
            }
            sample += group;
            if sample >= samples.end {
                break;
            }
        }
        job.clean(s);
    }
}

/// `[O][pixels]` → `[pixels][16]`, with zeros beyond O.
///
/// # Safety
/// `dy` is a planar sample, and `dst` holds one vector per pixel.
#[inline(always)]
unsafe fn interleave<S: Simd>(s: S, conv: &Conv, dy: *const f32, dst: *mut f32) {
    let pixels = conv.output[0] * conv.output[1];
    for pixel in 0..pixels {
        // SAFETY: lane `o` of a pixel is plane `o` at this pixel, of which our caller's sample has `conv.outputs`;
        // there is a vector in `dst` for each pixel.
        unsafe { s.store(dst.add(pixel * BLOCK), s.gather(dy.add(pixel), pixels, conv.outputs)) }
    }
}

/// Pixels of a row in pieces of nearly equal length, none longer than a run of a sum.
fn pieces(pixels: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let count = pixels.len().div_ceil(RUN).max(1);
    (0..count).map(move |i| {
        let piece = part(pixels.len(), count, i);
        pixels.start + piece.start..pixels.start + piece.end
    })
}

/// A task of [`conv_weight`].
struct Job<'a> {
    conv: &'a Conv,
    x: *const f32,
    x_sample: usize,
    dy: *const f32,
    dy_sample: usize,
    dst: *mut f32,
    /// What the sums of this task lose: `[block][part][tap][lane][16]` of its blocks, parts and rows.
    lost: *mut f32,
    parts: Range<usize>,
    /// Of the kernel.
    rows: Range<usize>,
    blocks: Range<usize>,
}

impl Job<'_> {
    /// Floats of a block in `lost`.
    #[inline(always)]
    fn lost_block(&self) -> usize {
        self.parts.len() * self.lost_part()
    }

    #[inline(always)]
    fn lost_part(&self) -> usize {
        self.rows.len() * self.conv.kernel[1] * self.conv.lanes() * BLOCK
    }

    /// How the sums of these kernel positions are made.
    #[inline(always)]
    fn sums(&self, block: usize, part: usize, tap: usize) -> Sums {
        let taps = tap - self.rows.start * self.conv.kernel[1];
        let at = (block - self.blocks.start) * self.lost_block()
            + (part - self.parts.start) * self.lost_part()
            + taps * self.conv.lanes() * BLOCK;
        Sums::Exact { lost: self.lost.wrapping_add(at), block: self.lost_block() }
    }

    /// Rows of a tile are the channels of a block.
    ///
    /// # Safety
    /// As [`conv_weight`].
    #[inline(always)]
    unsafe fn blocked<S: Simd>(&self, s: S, samples: usize, add: bool) {
        let d = self.conv;
        let [height, width] = d.input;
        let [out_h, out_w] = d.output;
        let tap_size = BLOCK * BLOCK;
        for block_tile in 0..self.blocks.len().div_ceil(3) {
            let block_tile = part(self.blocks.len(), self.blocks.len().div_ceil(3), block_tile);
            let first = self.blocks.start + block_tile.start;
            for channel_block in self.parts.clone() {
                let channels = (d.channels - channel_block * BLOCK).min(BLOCK);
                let tiling = Tiling::new(S::LEVEL, channels, block_tile.len());
                for tap in self.rows.start * d.kernel[1]..self.rows.end * d.kernel[1] {
                    let [ky, kx] = [tap / d.kernel[1], tap % d.kernel[1]];
                    let (oy, all_ox) = (d.outputs_at(0, ky), d.outputs_at(1, kx));
                    for (piece, ox) in pieces(all_ox).enumerate() {
                        let walk = Walk {
                            count: [samples, oy.len(), 1, ox.len()],
                            a: [self.x_sample, d.stride[0] * width * BLOCK, 0, d.stride[1] * BLOCK],
                            b: [self.dy_sample, out_w * BLOCK, 0, BLOCK],
                            tail: ox.len(),
                            run: (RUN / ox.len().max(1)).max(1),
                        };
                        // SAFETY: those outputs read pixels of the image; where there are none, nothing is read.
                        unsafe {
                            let (mut a, mut b) = (self.x, self.dy);
                            if !oy.is_empty() && !ox.is_empty() {
                                let y = oy.start * d.stride[0] + ky * d.dilation[0] - d.padding[0];
                                let x = ox.start * d.stride[1] + kx * d.dilation[1] - d.padding[1];
                                a = a.add(((channel_block * height + y) * width + x) * BLOCK);
                                b = b.add(((first * out_h + oy.start) * out_w + ox.start) * BLOCK);
                            }
                            let at =
                                first * d.weight_block() + (channel_block * d.kernel[0] * d.kernel[1] + tap) * tap_size;
                            let t = Tile {
                                a,
                                a_row: 1,
                                b,
                                b_block: out_h * out_w * BLOCK,
                                walk: &walk,
                                out: self.dst.add(at),
                                out_row: BLOCK,
                                out_block: d.weight_block(),
                                add: add || piece > 0,
                                sums: self.sums(first, channel_block, tap),
                            };
                            tile_by_tile(s, tiling, channels, block_tile.len(), &t);
                        }
                    }
                }
            }
        }
    }

    /// Rows of a tile are the kernel positions of a row; x has its border.
    ///
    /// # Safety
    /// As [`conv_weight`].
    #[inline(always)]
    unsafe fn planar<S: Simd>(&self, s: S, samples: usize, add: bool) {
        let d = self.conv;
        let [out_h, out_w] = d.output;
        let (height, [_, wide]) = (d.input[0], d.columns());
        // Without a border the image is read where it lies, all of its columns.
        let width = if d.bordered() { wide } else { d.input[1] };
        let tiling = Tiling::new(S::LEVEL, d.kernel[1], self.blocks.len());
        for channel in self.parts.clone() {
            for ky in self.rows.clone() {
                let oy = d.outputs_at(0, ky);
                for (piece, ox) in pieces(0..out_w).enumerate() {
                    let walk = Walk {
                        count: [samples, oy.len(), 1, ox.len()],
                        a: [self.x_sample, d.stride[0] * width, 0, d.stride[1]],
                        b: [self.dy_sample, out_w * BLOCK, 0, BLOCK],
                        tail: ox.len(),
                        run: (RUN / ox.len().max(1)).max(1),
                    };
                    // SAFETY: x has its border, so that every kernel position can be read for every output of these rows; where there are none, nothing is read.
                    unsafe {
                        let at =
                            self.blocks.start * d.weight_block() + (channel * d.kernel[0] + ky) * d.kernel[1] * BLOCK;
                        let (mut a, mut b) = (self.x, self.dy);
                        if !oy.is_empty() {
                            let y = oy.start * d.stride[0] + ky * d.dilation[0] - d.padding[0];
                            a = a.add((channel * height + y) * width + ox.start * d.stride[1]);
                            b = b.add(((self.blocks.start * out_h + oy.start) * out_w + ox.start) * BLOCK);
                        }
                        let t = Tile {
                            a,
                            a_row: d.dilation[1],
                            b,
                            b_block: out_h * out_w * BLOCK,
                            walk: &walk,
                            out: self.dst.add(at),
                            out_row: BLOCK,
                            out_block: d.weight_block(),
                            add: add || piece > 0,
                            sums: self.sums(self.blocks.start, channel, ky * d.kernel[1]),
                        };
                        tile_by_tile(s, tiling, d.kernel[1], self.blocks.len(), &t);
                    }
                }
            }
        }
    }

    /// Zeros in the lanes and rows beyond the extents.
    ///
    /// # Safety
    /// As [`conv_weight`].
    #[inline(always)]
    unsafe fn clean<S: Simd>(&self, s: S) {
        let d = self.conv;
        let taps = d.kernel[0] * d.kernel[1];
        let rows = d.lanes();
        let (channels, outputs) = (d.channels - (d.parts() - 1) * rows, d.outputs - (d.output_blocks() - 1) * BLOCK);
        for block in self.blocks.clone() {
            for channel_part in self.parts.clone() {
                let real_rows = if channel_part + 1 == d.parts() { channels } else { rows };
                let real_lanes = if block + 1 == d.output_blocks() { outputs } else { BLOCK };
                if real_rows == rows && real_lanes == BLOCK {
                    continue;
                }
                for tap in self.rows.start * d.kernel[1]..self.rows.end * d.kernel[1] {
                    for row in 0..rows {
                        // SAFETY: within the weight.
                        unsafe {
                            let at = block * d.weight_block() + ((channel_part * taps + tap) * rows + row) * BLOCK;
                            let p = self.dst.add(at);
                            let lanes = if row < real_rows { real_lanes } else { 0 };
                            s.store(p, s.load_first(p, lanes));
                        }
                    }
                }
            }
        }
    }
}

/// Floats of a task of [`combine`].
const RANGE: usize = 1 << 12;

/// Number of tasks of [`combine`].
pub const fn combine_tasks(floats: usize) -> usize {
    floats.div_ceil(RANGE)
}

/// Floats that [`combine`] hands over at a time.
const PIECE: usize = 256;

compiled_here! {
    /// Element i becomes `Σ src[c · floats + i]` over chunks in order. `floats` is a multiple of 16.
    ///
    /// # Safety
    /// `src` is readable for all chunks, and `task` is below [`combine_tasks`].
    pub unsafe fn combine(chunks: usize, floats: usize, src: *const f32, gradient: Gradient, task: usize) = add_chunks
}

/// # Safety
/// As [`combine`].
#[inline(always)]
unsafe fn add_chunks<S: Simd>(s: S, chunks: usize, floats: usize, src: *const f32, gradient: Gradient, task: usize) {
    let mut buffer = Buffer::new();
    for start in (task * RANGE..((task + 1) * RANGE).min(floats)).step_by(PIECE) {
        let length = PIECE.min(floats - start);
        // SAFETY: `floats` is a multiple of the block, and the buffer holds a piece.
        unsafe {
            let to = gradient.memory().map_or(buffer.as_mut_ptr(), |memory| memory.add(start));
            for i in (0..length).step_by(BLOCK) {
                let mut sum = s.load(src.add(start + i));
                for chunk in 1..chunks {
                    sum = s.add(sum, s.load(src.add(chunk * floats + start + i)));
                }
                s.store(to.add(i), sum);
            }
            if gradient.memory().is_none() {
                gradient.put(start, to, length);
            }
        }
    }
}
