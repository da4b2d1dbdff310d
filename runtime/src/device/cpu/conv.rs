//! Convolution over two axes in blocked layouts: `acc[sample][block][pixel] = Σ x · w`.
//!
//! One template serves the forward pass and the input gradient (weights turned by [`flip_weights`](super::flip_weights), zeros between the pixels by `spread`). Nothing is unrolled into columns: the tile walks the image itself. Rows of a
//! tile are neighbouring pixels, or, where rows of pixels are short, the same pixel of several samples; the sums are the same either way.

use core::ops::Range;

use super::{
    BLOCK, Simd, Sink,
    tile::{Buffer, Tile, Tiling, Walk, part, tile},
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
/// Bordered copies are made in bands of rows of about so many floats, to stay in the second-level cache.
const BAND: usize = 1 << 16;
/// As many tasks as are worth having.
const TASKS: usize = 32;
/// Rows of output that are not worth cutting.
const ROWS: usize = 4;

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

const fn min(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
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

    /// Input extent that `outputs` neighbouring outputs read, border included.
    pub(super) const fn reach(&self, axis: usize, outputs: usize) -> usize {
        (outputs - 1) * self.stride[axis] + (self.kernel[axis] - 1) * self.dilation[axis] + 1
    }

    /// Whether some output reads beyond the input, or between its pixels.
    pub(super) const fn bordered(&self) -> bool {
        self.padding[0] + self.padding[1] > 0
            || self.spread[0] * self.spread[1] > 1
            || self.reach(0, self.output[0]) > self.input[0]
            || self.reach(1, self.output[1]) > self.input[1]
    }

    /// Rows of output for which one bordered copy is made.
    const fn band(&self) -> usize {
        if !self.bordered() {
            return self.output[0];
        }
        // Every band reads all the weights: large ones deserve large bands.
        let floats = max(BAND, self.weight_block() * self.output_blocks());
        let rows = floats / (self.parts() * self.reach(1, self.output[1]) * self.lanes());
        let first = self.reach(0, 1);
        if rows <= first { 1 } else { min((rows - first) / self.stride[0] + 1, self.output[0]) }
    }

    /// Whether the rows of a tile are samples.
    const fn by_samples(&self, batch: usize) -> bool {
        self.output[1] <= SHORT && batch >= ENOUGH && self.spread[0] * self.spread[1] == 1
    }

    /// Kernel positions at which output `o` reads the input proper.
    const fn taps(&self, axis: usize, o: usize) -> Range<usize> {
        let (at, dilation) = (o * self.stride[axis], self.dilation[axis]);
        let first = self.padding[axis].saturating_sub(at).div_ceil(dilation);
        let end = (self.input[axis] + self.padding[axis]).saturating_sub(at).div_ceil(dilation);
        let end = min(end, self.kernel[axis]);
        min(first, end)..end
    }

    /// Outputs that read the input proper at kernel position `k`.
    pub(super) const fn outputs_at(&self, axis: usize, k: usize) -> Range<usize> {
        let (at, stride) = (k * self.dilation[axis], self.stride[axis]);
        let first = self.padding[axis].saturating_sub(at).div_ceil(stride);
        let end = (self.input[axis] + self.padding[axis]).saturating_sub(at).div_ceil(stride);
        let end = min(end, self.output[axis]);
        min(first, end)..end
    }

    /// The loops over k for kernel positions `taps`, in an image of these strides.
    #[inline(always)]
    fn walk(&self, taps: [usize; 2], part: usize, row: usize) -> Walk {
        let [dy, dx] = self.dilation;
        let [kernel_y, kernel_x] = self.kernel;
        if self.planar {
            return Walk {
                count: [self.channels, taps[0], 1, taps[1]],
                a: [part, dy * row, 0, dx],
                b: [kernel_y * kernel_x * BLOCK, kernel_x * BLOCK, 0, BLOCK],
                tail: taps[1],
            };
        }
        const BLOCK2: usize = BLOCK * BLOCK;
        let tail = self.channels - (self.parts() - 1) * BLOCK;
        let mut walk = Walk {
            count: [self.parts(), taps[0], taps[1], BLOCK],
            a: [part, dy * row, dx * BLOCK, 1],
            b: [kernel_y * kernel_x * BLOCK2, kernel_x * BLOCK2, BLOCK2, BLOCK],
            tail,
        };
        if dx == 1 && tail == BLOCK {
            // Neighbouring kernel positions follow each other in x and in w: one loop.
            (walk.count[2], walk.count[3], walk.tail) = (1, taps[1] * BLOCK, taps[1] * BLOCK);
        }
        walk
    }

    /// Numbers of groups of samples, of output blocks and of output rows: no finer than gives enough tasks.
    const fn groups(&self, batch: usize) -> [usize; 3] {
        let by_samples = self.by_samples(batch);
        let samples = if by_samples { batch.div_ceil(SAMPLES) } else { batch };
        let blocks = min(TASKS.div_ceil(max(samples, 1)), self.output_blocks().div_ceil(2));
        let rows = min(TASKS.div_ceil(max(samples * blocks, 1)), self.output[0].div_ceil(ROWS));
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
    if d.bordered() { d.parts() * d.reach(0, d.band()) * d.reach(1, d.output[1]) * d.lanes() } else { 0 }
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
    d: &'static Conv,
    x: *const f32,
    x_sample: usize,
    w: *const f32,
    scratch: *mut f32,
    batch: usize,
    task: usize,
    sink: K,
) {
    let [sample_groups, block_groups, row_groups] = d.groups(batch);
    let samples = part(batch, sample_groups, task / (block_groups * row_groups));
    let blocks = part(d.output_blocks(), block_groups, task / row_groups % block_groups);
    let rows = part(d.output[0], row_groups, task % row_groups);
    let job = Job { d, x, x_sample, w, blocks };
    // SAFETY: the caller's promises.
    unsafe {
        if d.by_samples(batch) {
            job.along_samples(s, samples, sink);
        } else {
            job.along_pixels(s, samples.start, rows, scratch, sink);
        }
    }
}

/// A task of [`conv`].
struct Job {
    d: &'static Conv,
    x: *const f32,
    x_sample: usize,
    w: *const f32,
    blocks: Range<usize>,
}

impl Job {
    /// Rows of one sample; rows of a tile are pixels.
    ///
    /// # Safety
    /// As [`conv`].
    #[inline(always)]
    unsafe fn along_pixels<S: Simd, K: Sink>(
        &self,
        s: S,
        sample: usize,
        rows: Range<usize>,
        scratch: *mut f32,
        sink: K,
    ) {
        let d = self.d;
        let out_w = d.output[1];
        let bordered = d.bordered();
        let tiling = Tiling::new(S::LEVEL, out_w, self.blocks.len());
        let (band, lanes) = (d.band(), d.lanes());
        let mut buffer = Buffer::new();
        for band_start in rows.clone().step_by(band) {
            let rows = band_start..(band_start + band).min(rows.end);
            // SAFETY: the scratch holds a band's copy, the pixels lie in the image or its copy, the buffer holds the largest tile.
            unsafe {
                let (image, row, height) = if bordered {
                    border(d, self.x.add(sample * self.x_sample), scratch, rows.start, rows.len());
                    (scratch.cast_const(), d.reach(1, out_w) * lanes, d.reach(0, rows.len()))
                } else {
                    (self.x.add(sample * self.x_sample), d.input[1] * lanes, d.input[0])
                };
                let walk = d.walk(d.kernel, height * row, row);
                let first = if bordered { band_start } else { 0 };
                for block_tile in 0..tiling.block_tiles {
                    let tile_blocks = part(self.blocks.len(), tiling.block_tiles, block_tile);
                    for oy in rows.clone() {
                        for pixel_tile in 0..tiling.row_tiles {
                            let pixels = part(out_w, tiling.row_tiles, pixel_tile);
                            let (block, ox) = (self.blocks.start + tile_blocks.start, pixels.start);
                            let t = Tile {
                                a: image.add((oy - first) * d.stride[0] * row + ox * d.stride[1] * lanes),
                                a_row: d.stride[1] * lanes,
                                b: self.w.add(block * d.weight_block()),
                                b_block: d.weight_block(),
                                walk: &walk,
                                out: buffer.as_mut_ptr(),
                                out_row: tile_blocks.len() * BLOCK,
                                out_block: BLOCK,
                                add: false,
                            };
                            tile(s, pixels.len(), tile_blocks.len(), &t);
                            for i in 0..pixels.len() {
                                for j in 0..tile_blocks.len() {
                                    let acc = s.load(t.out.add((i * tile_blocks.len() + j) * BLOCK));
                                    sink.put(s, acc, sample, block + j, oy * out_w + ox + i);
                                }
                            }
                        }
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
    unsafe fn along_samples<S: Simd, K: Sink>(&self, s: S, samples: Range<usize>, sink: K) {
        let d = self.d;
        let [out_h, out_w] = d.output;
        let tiling = Tiling::new(S::LEVEL, samples.len(), self.blocks.len());
        let lanes = d.lanes();
        let row = d.input[1] * lanes;
        let mut buffer = Buffer::new();
        for block_tile in 0..tiling.block_tiles {
            let tile_blocks = part(self.blocks.len(), tiling.block_tiles, block_tile);
            let block = self.blocks.start + tile_blocks.start;
            for oy in 0..out_h {
                for ox in 0..out_w {
                    let (taps_y, taps_x) = (d.taps(0, oy), d.taps(1, ox));
                    let walk = d.walk([taps_y.len(), taps_x.len()], d.input[0] * row, row);
                    let empty = taps_y.is_empty() || taps_x.is_empty();
                    for row_tile in 0..tiling.row_tiles {
                        let tile_rows = part(samples.len(), tiling.row_tiles, row_tile);
                        let sample = samples.start + tile_rows.start;
                        // SAFETY: the taps lie in the image (where there are none, nothing is read), the buffer holds the largest tile.
                        unsafe {
                            let (mut a, mut b) = (self.x, self.w);
                            if !empty {
                                let y = oy * d.stride[0] + taps_y.start * d.dilation[0] - d.padding[0];
                                let x = ox * d.stride[1] + taps_x.start * d.dilation[1] - d.padding[1];
                                a = a.add(sample * self.x_sample + y * row + x * lanes);
                                let tap = taps_y.start * d.kernel[1] + taps_x.start;
                                b = b.add(block * d.weight_block() + tap * lanes * BLOCK);
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
                            };
                            tile(s, tile_rows.len(), tile_blocks.len(), &t);
                            for i in 0..tile_rows.len() {
                                for j in 0..tile_blocks.len() {
                                    let acc = s.load(t.out.add((i * tile_blocks.len() + j) * BLOCK));
                                    sink.put(s, acc, sample + i, block + j, oy * out_w + ox);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Copies what `rows` rows of output from `first` on read, with its border and the zeros between pixels: `[part][reach][reach][lanes]`.
///
/// # Safety
/// `x` is a sample in the layout of `d`, and `dst` holds the copy.
pub(super) unsafe fn border(d: &Conv, x: *const f32, dst: *mut f32, first: usize, rows: usize) {
    let [height, width] = d.input;
    let (lanes, wide, high) = (d.lanes(), d.reach(1, d.output[1]), d.reach(0, rows));
    let [spread_y, spread_x] = d.spread;
    let left = d.padding[1].min(wide);
    // Pixels that fit between the left border and the right end.
    let fits = (wide - left).div_ceil(spread_x).min(width);
    let used = if fits == 0 { left } else { left + (fits - 1) * spread_x + 1 };
    let mut to = dst;
    for part in 0..d.parts() {
        for y in 0..high {
            // SAFETY: all positions lie in the sample or in the copy.
            unsafe {
                let at = first * d.stride[0] + y;
                let inside = at >= d.padding[0]
                    && (at - d.padding[0]).is_multiple_of(spread_y)
                    && (at - d.padding[0]) / spread_y < height;
                if inside && spread_x == 1 {
                    let row = x.add((part * height + (at - d.padding[0]) / spread_y) * width * lanes);
                    to.write_bytes(0, left * lanes);
                    to.add(left * lanes).copy_from_nonoverlapping(row, fits * lanes);
                    to.add(used * lanes).write_bytes(0, (wide - used) * lanes);
                } else {
                    to.write_bytes(0, wide * lanes);
                    if inside {
                        let row = x.add((part * height + (at - d.padding[0]) / spread_y) * width * lanes);
                        for i in 0..fits {
                            to.add((left + i * spread_x) * lanes).copy_from_nonoverlapping(row.add(i * lanes), lanes);
                        }
                    }
                }
                to = to.add(wide * lanes);
            }
        }
    }
}
