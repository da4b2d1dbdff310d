//! Convolution over two axes in blocked layouts: `acc[sample][block][pixel] = Σ x · w`.
//!
//! One template serves the forward pass and the input gradient (weights turned by [`flip_weights`](super::flip_weights), the stride as `spread`). Nothing is unrolled into columns: the tile walks the image itself. Rows of a
//! tile are neighbouring pixels, or, where rows of pixels are short, the same pixel of several samples; the sums are the same either way.
//!
//! A spread input has zeros between its pixels, which nobody multiplies: outputs fall into residue classes, and in each class every spread-th kernel position meets a pixel. A class is thus a dense convolution with a part of
//! the kernel ([`Phase`]); without spread there is one class. Rows of zeros above and below the image are left out of the sums, those beside it are read from a bordered copy.

use core::ops::Range;

use super::{
    BLOCK, Simd, Sink,
    finished::{AnySink, Finished},
    simd::levels::compiled_here,
    tile::{Buffer, RUN, Sums, Tile, Tiling, Walk, part, tile},
};

/// Geometry, per axis (vertical, horizontal). The forward pass as PyTorch has it, with `spread = [1, 1]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv {
    pub channels: usize,
    pub outputs: usize,
    pub input: [usize; 2],
    pub output: [usize; 2],
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    /// Zeros before the first pixel; after the last there are as many as `output` needs.
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
    /// Distance of the input's pixels once zeros are put between them: 1 means none.
    pub spread: [usize; 2],
    /// x is `[C][H][W]` instead of `[C/16][H][W][16]`.
    pub planar: bool,
}

/// Rows of output up to this width are too short to fill a tile: samples take their place …
const SHORT: usize = 6;
/// … if there are so many …
const ENOUGH: usize = 4;
/// … and so many make a task.
const SAMPLES: usize = 12;
/// Images are taken in bands of rows of about so many floats, to stay in the second-level cache.
const BAND: usize = 1 << 16;
/// As many tasks as are worth having.
const TASKS: usize = 32;
/// Rows of output that are not worth cutting.
const ROWS: usize = 4;

pub(super) const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

pub(super) const fn min(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
}

const fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// Along one axis, the outputs that meet the same kernel positions: output `first + q · step` sums, over j, the input at `base + q · stride + j · dilation` times the kernel at `tap + j · tap_step`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Phase {
    pub first: usize,
    pub step: usize,
    /// Number of outputs.
    pub count: usize,
    pub tap: usize,
    pub tap_step: usize,
    /// Number of kernel positions.
    pub taps: usize,
    pub base: isize,
    pub stride: usize,
    pub dilation: usize,
    /// Extent of the input.
    input: usize,
}

impl Phase {
    /// Where output `q` begins to read.
    pub const fn at(&self, q: usize) -> isize {
        self.base + (q * self.stride) as isize
    }

    /// The j at which output `q` reads the input proper.
    pub const fn inside(&self, q: usize) -> Range<usize> {
        let at = self.at(q);
        let before = if at < 0 { at.unsigned_abs() } else { 0 };
        let after = self.input as isize - at;
        let end = min(if after < 0 { 0 } else { after.unsigned_abs().div_ceil(self.dilation) }, self.taps);
        min(before.div_ceil(self.dilation), end)..end
    }

    /// From and to where outputs `q` read, the border included.
    const fn span(&self, q: Range<usize>) -> [isize; 2] {
        let end = min(q.end, self.count);
        if self.taps == 0 || q.start >= end {
            return [0, 0];
        }
        [self.at(q.start), self.at(end - 1) + ((self.taps - 1) * self.dilation) as isize + 1]
    }
}

impl Conv {
    /// Blocks of x, or channels where it is planar.
    pub(super) const fn parts(&self) -> usize {
        if self.planar { self.channels } else { self.channels.div_ceil(BLOCK) }
    }

    pub(super) const fn lanes(&self) -> usize {
        if self.planar { 1 } else { BLOCK }
    }

    pub(super) const fn output_blocks(&self) -> usize {
        self.outputs.div_ceil(BLOCK)
    }

    /// Weights of one output block.
    pub(super) const fn weight_block(&self) -> usize {
        self.parts() * self.kernel[0] * self.kernel[1] * self.lanes() * BLOCK
    }

    /// Number of classes of outputs along an axis.
    const fn classes(&self, axis: usize) -> usize {
        self.spread[axis] / common_divisor(self.spread[axis], self.stride[axis])
    }

    /// Outputs of the largest class.
    const fn class_size(&self, axis: usize) -> usize {
        self.output[axis].div_ceil(self.classes(axis))
    }

    /// Class `class` of the outputs along an axis.
    const fn phase(&self, axis: usize, class: usize) -> Phase {
        let (spread, dilation, kernel) = (self.spread[axis], self.dilation[axis], self.kernel[axis]);
        let step = self.classes(axis);
        let tap_step = spread / common_divisor(spread, dilation);
        // Kernel positions that meet a pixel are `tap_step` apart; the first is found by trial.
        let mut tap = 0;
        let mut at = (class * self.stride[axis]) as isize - self.padding[axis] as isize;
        while tap < tap_step && at % spread as isize != 0 {
            tap += 1;
            at += dilation as isize;
        }
        let none = tap == tap_step || tap >= kernel;
        Phase {
            first: class,
            step,
            count: self.output[axis].saturating_sub(class).div_ceil(step),
            tap: if none { 0 } else { tap },
            tap_step,
            taps: if none { 0 } else { (kernel - tap).div_ceil(tap_step) },
            base: if none { 0 } else { at / spread as isize },
            stride: step * self.stride[axis] / spread,
            dilation: tap_step * dilation / spread,
            input: self.input[axis],
        }
    }

    /// From and to where outputs `q` of all classes read along an axis, the border included.
    const fn span(&self, axis: usize, q: Range<usize>) -> [isize; 2] {
        let [mut low, mut high] = self.phase(axis, 0).span(q.start..q.end);
        let mut class = 1;
        while class < self.classes(axis) {
            let [l, h] = self.phase(axis, class).span(q.start..q.end);
            if l < h {
                let empty = low == high;
                low = if empty || l < low { l } else { low };
                high = if empty || h > high { h } else { high };
            }
            class += 1;
        }
        [low, high]
    }

    /// Rows of the input that `rows` outputs of each class read.
    const fn rows_read(&self, rows: Range<usize>) -> Range<usize> {
        let [low, high] = self.span(0, rows);
        let high = if high < 0 { 0 } else { min(high.unsigned_abs(), self.input[0]) };
        let low = if low < 0 { 0 } else { min(low.unsigned_abs(), high) };
        low..high
    }

    /// Columns of zeros before the image, and columns with them, that outputs read.
    pub(super) const fn columns(&self) -> [usize; 2] {
        let [low, high] = self.span(1, 0..self.output[1]);
        let left = if low < 0 { low.unsigned_abs() } else { 0 };
        [left, left + if high < 0 { 0 } else { high.unsigned_abs() }]
    }

    /// Whether some output reads beside the input.
    pub(super) const fn bordered(&self) -> bool {
        let [left, wide] = self.columns();
        left > 0 || wide > self.input[1]
    }

    /// Rows of output, of each class, that are computed for all blocks before the next: what they read stays in the cache, and
    /// is copied once if it has a border.
    const fn band(&self) -> usize {
        let rows = self.class_size(0);
        // Every band reads all the weights: large ones deserve large bands.
        let floats = max(BAND, self.weight_block() * self.output_blocks());
        let mut most = rows;
        while most > 1 && self.copy(most) > floats {
            most = most.div_ceil(2);
        }
        most
    }

    /// Floats that so many rows of output read, with their borders.
    const fn copy(&self, rows: usize) -> usize {
        // All bands read at most as many rows as one that touches no edge.
        let [low, high] = self.span(0, 0..rows);
        self.parts() * min((high - low).unsigned_abs(), self.input[0]) * self.columns()[1] * self.lanes()
    }

    /// Whether the rows of a tile are samples.
    const fn by_samples(&self, batch: usize) -> bool {
        self.class_size(1) <= SHORT && batch >= ENOUGH
    }

    /// Outputs that read the input proper at kernel position `k`. Without spread.
    pub(super) const fn outputs_at(&self, axis: usize, k: usize) -> Range<usize> {
        let (at, stride) = (k * self.dilation[axis], self.stride[axis]);
        let first = self.padding[axis].saturating_sub(at).div_ceil(stride);
        let end = (self.input[axis] + self.padding[axis]).saturating_sub(at).div_ceil(stride);
        let end = min(end, self.output[axis]);
        min(first, end)..end
    }

    /// The loops over k for so many kernel positions of a class, in an image of these distances.
    fn walk(&self, class: &[Phase; 2], taps: [usize; 2], part: usize, row: usize) -> Walk {
        let [y, x] = class;
        let [kernel_y, kernel_x] = self.kernel;
        if self.planar {
            return Walk {
                count: [self.channels, taps[0], 1, taps[1]],
                a: [part, y.dilation * row, 0, x.dilation],
                b: [kernel_y * kernel_x * BLOCK, y.tap_step * kernel_x * BLOCK, 0, x.tap_step * BLOCK],
                tail: taps[1],
                run: (RUN / x.taps.max(1)).max(1),
            };
        }
        const BLOCK2: usize = BLOCK * BLOCK;
        let tail = self.channels - (self.parts() - 1) * BLOCK;
        let mut walk = Walk {
            count: [self.parts(), taps[0], taps[1], BLOCK],
            a: [part, y.dilation * row, x.dilation * BLOCK, 1],
            b: [kernel_y * kernel_x * BLOCK2, y.tap_step * kernel_x * BLOCK2, x.tap_step * BLOCK2, BLOCK],
            tail,
            // Whole rows of the kernel, whether or not all of it is there.
            run: (RUN / (x.taps * BLOCK).max(1)).max(1),
        };
        if x.dilation == 1 && x.tap_step == 1 && tail == BLOCK {
            // Neighbouring kernel positions follow each other in x and in w: one loop.
            (walk.count[2], walk.count[3], walk.tail) = (1, taps[1] * BLOCK, taps[1] * BLOCK);
        }
        walk
    }

    /// Products of a sum, at most.
    const fn depth(&self) -> usize {
        self.channels * self.kernel[0] * self.kernel[1]
    }

    /// Numbers of groups of samples, of output blocks and of output rows: no finer than gives enough tasks.
    const fn groups(&self, batch: usize) -> [usize; 3] {
        let by_samples = self.by_samples(batch);
        let samples = if by_samples { batch.div_ceil(SAMPLES) } else { batch };
        let blocks = min(TASKS.div_ceil(max(samples, 1)), self.output_blocks().div_ceil(2));
        let rows = min(TASKS.div_ceil(max(samples * blocks, 1)), self.class_size(0).div_ceil(ROWS));
        [samples, blocks, if by_samples { 1 } else { rows }]
    }
}

/// Number of tasks of [`conv`].
pub const fn conv_tasks(d: &Conv, batch: usize) -> usize {
    let [samples, blocks, rows] = d.groups(batch);
    samples * blocks * rows
}

/// Floats of scratch that a task of [`conv`] needs.
pub const fn conv_scratch(d: &Conv) -> usize {
    if d.bordered() { d.copy(d.band()) } else { 0 }
}

/// Hands every vector of the task's part of the result to `sink`, as (sample, output block, oy · OW + ox).
///
/// Weights are `[o/16][c/16][kh][kw][16 c][16 o]`, or `[o/16][c][kh][kw][16 o]` for planar x. Lanes of x beyond the channels are not read.
///
/// # Safety
/// `x` (samples at a distance of `x_sample` floats) and `w` are readable in those layouts, `scratch` is this worker's and holds [`conv_scratch`] floats, `task` is below [`conv_tasks`], and `sink` may store what it is given.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn conv<S: Simd, K: Sink>(
    s: S,
    d: &Conv,
    x: *const f32,
    x_sample: usize,
    w: *const f32,
    scratch: *mut f32,
    batch: usize,
    task: usize,
    sink: K,
) {
    // SAFETY: the contract is our own, handed on; the sink outlives the call.
    unsafe { all_tiles(s, d, x, x_sample, w, scratch, batch, task, AnySink::new(s, &sink)) }
}

compiled_here! {
    /// As [`conv`].
    ///
    /// # Safety
    /// As [`conv`].
    unsafe fn all_tiles(
        d: &Conv,
        x: *const f32,
        x_sample: usize,
        w: *const f32,
        scratch: *mut f32,
        batch: usize,
        task: usize,
        sink: AnySink<'_>,
    ) = run
}

/// # Safety
/// As [`conv`].
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn run<S: Simd>(
    s: S,
    d: &Conv,
    x: *const f32,
    x_sample: usize,
    w: *const f32,
    scratch: *mut f32,
    batch: usize,
    task: usize,
    sink: AnySink<'_>,
) {
    let [sample_groups, block_groups, row_groups] = d.groups(batch);
    let samples = part(batch, sample_groups, task / (block_groups * row_groups));
    let blocks = part(d.output_blocks(), block_groups, task / row_groups % block_groups);
    let rows = part(d.class_size(0), row_groups, task % row_groups);
    let job = Job { d, x, x_sample, w, blocks };
    // SAFETY: the groups of a task below `conv_tasks` are parts of the samples, blocks and rows that our caller vouches
    // for.
    unsafe {
        if d.by_samples(batch) {
            job.along_samples(s, samples, sink);
        } else {
            job.along_pixels(s, samples.start, rows, scratch, sink);
        }
    }
}

/// A task of [`conv`].
struct Job<'a> {
    d: &'a Conv,
    x: *const f32,
    x_sample: usize,
    w: *const f32,
    blocks: Range<usize>,
}

/// The image that tiles of [`Job::along_pixels`] walk, distances in floats.
struct Image {
    /// The first pixel that is there.
    at: *const f32,
    row: usize,
    part: usize,
    /// The input's row that comes first, and zeros before each row.
    first: usize,
    left: usize,
}

impl Job<'_> {
    /// Rows of one sample; rows of a tile are pixels.
    ///
    /// # Safety
    /// As [`conv`].
    #[inline(always)]
    unsafe fn along_pixels<S: Simd>(
        &self,
        s: S,
        sample: usize,
        rows: Range<usize>,
        scratch: *mut f32,
        sink: AnySink<'_>,
    ) {
        let d = self.d;
        let (band, lanes) = (d.band(), d.lanes());
        for start in rows.clone().step_by(band) {
            let rows = start..(start + band).min(rows.end);
            // SAFETY: the scratch holds a band's copy.
            unsafe {
                let at = self.x.add(sample * self.x_sample);
                let mut image =
                    Image { at, row: d.input[1] * lanes, part: d.input[0] * d.input[1] * lanes, first: 0, left: 0 };
                if d.bordered() {
                    let ([left, wide], read) = (d.columns(), d.rows_read(rows.clone()));
                    let row = wide * lanes;
                    border(d, at, scratch, read.clone());
                    image = Image { at: scratch, row, part: read.len() * row, first: read.start, left };
                }
                for class in 0..d.classes(0) * d.classes(1) {
                    let class = [d.phase(0, class / d.classes(1)), d.phase(1, class % d.classes(1))];
                    self.class(s, sample, rows.clone(), &class, &image, sink);
                }
            }
        }
    }

    /// The outputs of one class.
    ///
    /// # Safety
    /// As [`conv`]; `image` has the rows that these outputs read, with their borders.
    #[inline(always)]
    unsafe fn class<S: Simd>(
        &self,
        s: S,
        sample: usize,
        rows: Range<usize>,
        class: &[Phase; 2],
        image: &Image,
        sink: AnySink<'_>,
    ) {
        let d = self.d;
        let [y, x] = class;
        let (lanes, out_w) = (d.lanes(), d.output[1]);
        let tiling = Tiling::new(S::LEVEL, x.count, self.blocks.len());
        let (mut buffer, mut lost) = (Buffer::new(), Buffer::new());
        let sums = Sums::of(d.depth(), lost.as_mut_ptr(), BLOCK);
        for block_tile in 0..tiling.block_tiles {
            let tile_blocks = part(self.blocks.len(), tiling.block_tiles, block_tile);
            let block = self.blocks.start + tile_blocks.start;
            for qy in rows.start..rows.end.min(y.count) {
                let taps = y.inside(qy);
                let walk = d.walk(class, [taps.len(), x.taps], image.part, image.row);
                for pixel_tile in 0..tiling.row_tiles {
                    let pixels = part(x.count, tiling.row_tiles, pixel_tile);
                    // SAFETY: the taps lie in the image (where there are none, nothing is read), the buffer holds the largest tile.
                    unsafe {
                        let (mut a, mut b) = (image.at, self.w);
                        if !taps.is_empty() && x.taps > 0 {
                            let row = (y.at(qy) + (taps.start * y.dilation) as isize) as usize - image.first;
                            let column = (x.at(pixels.start) + image.left as isize) as usize;
                            a = a.add(row * image.row + column * lanes);
                            let tap = (y.tap + taps.start * y.tap_step) * d.kernel[1] + x.tap;
                            b = b.add(block * d.weight_block() + tap * lanes * BLOCK);
                        }
                        let t = Tile {
                            a,
                            a_row: x.stride * lanes,
                            b,
                            b_block: d.weight_block(),
                            walk: &walk,
                            out: buffer.as_mut_ptr(),
                            out_row: tile_blocks.len() * BLOCK,
                            out_block: BLOCK,
                            add: false,
                            sums,
                        };
                        tile(s, pixels.len(), tile_blocks.len(), &t);
                        let pixel = (y.first + qy * y.step) * out_w + x.first + pixels.start * x.step;
                        sink.put(&Finished {
                            at: t.out,
                            count: [pixels.len(), tile_blocks.len()],
                            distance: [t.out_row, t.out_block],
                            row: sample,
                            block,
                            pixel,
                            row_step: 0,
                            block_step: 1,
                            pixel_step: [x.step, 0],
                        });
                    }
                }
            }
        }
    }

    /// Several samples; rows of a tile are the same pixel of each. The border is left out of the sums instead of being read as zeros.
    ///
    /// # Safety
    /// As [`conv`].
    #[inline(always)]
    unsafe fn along_samples<S: Simd>(&self, s: S, samples: Range<usize>, sink: AnySink<'_>) {
        let d = self.d;
        let [out_h, out_w] = d.output;
        let tiling = Tiling::new(S::LEVEL, samples.len(), self.blocks.len());
        let lanes = d.lanes();
        let row = d.input[1] * lanes;
        let (mut buffer, mut lost) = (Buffer::new(), Buffer::new());
        let sums = Sums::of(d.depth(), lost.as_mut_ptr(), BLOCK);
        for block_tile in 0..tiling.block_tiles {
            let tile_blocks = part(self.blocks.len(), tiling.block_tiles, block_tile);
            let block = self.blocks.start + tile_blocks.start;
            for oy in 0..out_h {
                for ox in 0..out_w {
                    let (y, x) = (d.phase(0, oy % d.classes(0)), d.phase(1, ox % d.classes(1)));
                    let (qy, qx) = (oy / y.step, ox / x.step);
                    let (taps_y, taps_x) = (y.inside(qy), x.inside(qx));
                    let walk = d.walk(&[y, x], [taps_y.len(), taps_x.len()], d.input[0] * row, row);
                    let empty = taps_y.is_empty() || taps_x.is_empty();
                    for row_tile in 0..tiling.row_tiles {
                        let tile_rows = part(samples.len(), tiling.row_tiles, row_tile);
                        let sample = samples.start + tile_rows.start;
                        // SAFETY: the taps lie in the image (where there are none, nothing is read), the buffer holds the largest tile.
                        unsafe {
                            let (mut a, mut b) = (self.x, self.w);
                            if !empty {
                                let row_at = (y.at(qy) + (taps_y.start * y.dilation) as isize) as usize;
                                let column = (x.at(qx) + (taps_x.start * x.dilation) as isize) as usize;
                                a = a.add(sample * self.x_sample + row_at * row + column * lanes);
                                let (ky, kx) = (y.tap + taps_y.start * y.tap_step, x.tap + taps_x.start * x.tap_step);
                                b = b.add(block * d.weight_block() + (ky * d.kernel[1] + kx) * lanes * BLOCK);
                            }
                            let t = Tile {
                                a,
                                a_row: self.x_sample,
                                b,
                                b_block: d.weight_block(),
                                walk: &walk,
                                out: buffer.as_mut_ptr(),
                                out_row: tile_blocks.len() * BLOCK,
                                out_block: BLOCK,
                                add: false,
                                sums,
                            };
                            tile(s, tile_rows.len(), tile_blocks.len(), &t);
                            sink.put(&Finished {
                                at: t.out,
                                count: [tile_rows.len(), tile_blocks.len()],
                                distance: [t.out_row, t.out_block],
                                row: sample,
                                block,
                                pixel: oy * out_w + ox,
                                row_step: 1,
                                block_step: 1,
                                pixel_step: [0, 0],
                            });
                        }
                    }
                }
            }
        }
    }
}

/// Copies rows of the input with the columns of zeros that outputs read beside them: `[part][rows][columns][lanes]`.
///
/// # Safety
/// `x` is a sample in the layout of `d`, `rows` lie in it, and `dst` holds the copy.
pub(super) unsafe fn border(d: &Conv, x: *const f32, dst: *mut f32, rows: Range<usize>) {
    let [height, width] = d.input;
    let (lanes, [left, wide]) = (d.lanes(), d.columns());
    let copied = (wide - left).min(width);
    let mut to = dst;
    for part in 0..d.parts() {
        for y in rows.clone() {
            // SAFETY: all positions lie in the sample or in the copy.
            unsafe {
                to.write_bytes(0, left * lanes);
                let row = x.add((part * height + y) * width * lanes);
                to.add(left * lanes).copy_from_nonoverlapping(row, copied * lanes);
                to.add((left + copied) * lanes).write_bytes(0, (wide - left - copied) * lanes);
                to = to.add(wide * lanes);
            }
        }
    }
}
