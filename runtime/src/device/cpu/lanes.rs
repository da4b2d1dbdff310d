//! Layers of few channels over groups of 16 samples: the lanes of a vector are samples.
//!
//! Channel blocks of 16 leave ten of sixteen lanes empty where there are six channels. Here a value of a group lies as `[C][H][W][16 samples]`: all lanes work, a weight is one number for all of them, and a tile holds
//! outputs × pixels. A task takes a group through a whole chain of layers while it is in the second-level cache; [`lane_import`] and [`lane_export`] stand at the chain's edges. Lanes beyond the batch are imported as 0, and
//! made 0 again before sums over samples.
//! Gradients of weights are summed over the lanes, and left as one partial result for each chunk of groups; [`lane_combine`] adds those in order.

use core::ops::Range;

use super::{
    BLOCK, Load, Simd, Sink, Window,
    lane_tile::{Outer, PIXELS, Products, outer, outer_shape, products, products_shape},
    simd::levels::compiled_here,
    tile::{Buffer, part},
    total::{add_exactly, add_to},
    transpose::transpose,
    window::image_route,
};

/// A convolution, or an input gradient as the convolution it is (`turned`). At most 16 channels and outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneConv {
    pub channels: usize,
    pub outputs: usize,
    pub input: [usize; 2],
    pub output: [usize; 2],
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    /// Zeros before the first pixel; after the last there are as many as `output` needs.
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
    pub weight: LaneWeight,
    /// The kernel is read backwards.
    pub turned: bool,
}

/// Distances in a weight's master form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneWeight {
    pub output: usize,
    pub channel: usize,
    /// Of kernel positions.
    pub tap: usize,
}

/// A value of the standard layout: `[C/16][pixels][16]`, or row-major.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneValue {
    pub channels: usize,
    pub pixels: usize,
    pub blocked: bool,
}

/// Outputs that a tile takes at most.
const OUTPUTS: usize = 6;

impl LaneConv {
    const fn reach(&self, axis: usize) -> usize {
        (self.output[axis] - 1) * self.stride[axis] + (self.kernel[axis] - 1) * self.dilation[axis] + 1
    }

    const fn bordered(&self) -> bool {
        self.padding[0] + self.padding[1] > 0 || self.reach(0) > self.input[0] || self.reach(1) > self.input[1]
    }

    /// Rows and columns of what the loops read: the input, or its bordered copy.
    const fn extent(&self) -> [usize; 2] {
        if self.bordered() { [self.reach(0), self.reach(1)] } else { self.input }
    }

    /// Kernel positions at which some output of `first..=last` reads the input proper.
    fn taps(&self, axis: usize, first: usize, last: usize) -> Range<usize> {
        let (stride, dilation, padding) = (self.stride[axis], self.dilation[axis], self.padding[axis]);
        let end = (self.input[axis] + padding).saturating_sub(first * stride).div_ceil(dilation).min(self.kernel[axis]);
        let start = padding.saturating_sub(last * stride).div_ceil(dilation);
        start.min(end)..end
    }

    /// First weight that is read, and the distance of kernel positions.
    fn walk(&self, tap: usize) -> (usize, isize) {
        let step = self.weight.tap as isize;
        let last = self.kernel[0] * self.kernel[1] - 1;
        if self.turned { ((last - tap) * self.weight.tap, -step) } else { (tap * self.weight.tap, step) }
    }
}

/// Floats of scratch for the bordered copy.
pub const fn lane_border_floats(d: &LaneConv) -> usize {
    if d.bordered() { d.channels * d.reach(0) * d.reach(1) * BLOCK } else { 0 }
}

/// Groups of a batch.
pub const fn lane_groups(batch: usize) -> usize {
    batch.div_ceil(BLOCK)
}

/// Partial results of sums over a batch, at most `most`.
pub const fn lane_chunks(batch: usize, most: usize) -> usize {
    let groups = lane_groups(batch);
    if groups < most { groups } else { most }
}

/// The groups of a task of so many.
#[inline(always)]
pub fn lane_task(batch: usize, tasks: usize, task: usize) -> Range<usize> {
    part(lane_groups(batch), tasks, task)
}

/// What is done with the results of a convolution that are a pooling window.
pub trait LanePool: Copy {
    /// The value that is pooled, of a convolution's sum.
    ///
    /// # Safety
    /// Called once for each channel and pixel of the windows.
    unsafe fn each<S: Simd>(self, s: S, acc: S::V, channel: usize, pixel: usize) -> S::V;

    /// Takes a window's maximum, and its position in the window.
    ///
    /// # Safety
    /// Called once for each channel and window; where the result goes must be writable.
    unsafe fn put<S: Simd>(self, s: S, max: S::V, arg: S::V, channel: usize, pixel: usize);
}

/// Hands every vector to `sink`, as (channel, 0, pixel).
///
/// # Safety
/// `x` is a group's value and `w` a weight of these extents, `scratch` holds [`lane_border_floats`], and `sink` may store what it is given.
#[inline(always)]
pub unsafe fn lane_conv<S: Simd, K: Sink>(
    s: S,
    d: &LaneConv,
    x: *const f32,
    w: *const f32,
    scratch: *mut f32,
    sink: K,
) {
    let mut buffer = Buffer::new();
    let out = buffer.as_mut_ptr();
    let tiles = d.outputs.div_ceil(OUTPUTS);
    // SAFETY: the pixels lie in the output, the buffer holds the largest tile.
    unsafe {
        let image = border(d, x, scratch);
        for oy in 0..d.output[0] {
            for ox in (0..d.output[1]).step_by(PIXELS) {
                let pixels = PIXELS.min(d.output[1] - ox);
                for tile in 0..tiles {
                    let outputs = part(d.outputs, tiles, tile);
                    lane_pixels(s, d, image, w, [oy, ox], [1, pixels], outputs.start, outputs.len(), out);
                    for i in 0..outputs.len() {
                        for j in 0..pixels {
                            let acc = s.load(out.add((i * PIXELS + j) * BLOCK));
                            sink.put(s, acc, outputs.start + i, 0, oy * d.output[1] + ox + j);
                        }
                    }
                }
            }
        }
    }
}

/// As [`lane_conv`], and the windows of 2 × 2 of what `sink` makes of it are pooled. The first maximum wins, and NaN over everything.
///
/// # Safety
/// As [`lane_conv`].
#[inline(always)]
pub unsafe fn lane_conv_pool<S: Simd, K: LanePool>(
    s: S,
    d: &LaneConv,
    x: *const f32,
    w: *const f32,
    scratch: *mut f32,
    sink: K,
) {
    let mut buffer = Buffer::new();
    let out = buffer.as_mut_ptr();
    let tiles = d.outputs.div_ceil(OUTPUTS);
    let width = d.output[1] / 2;
    // SAFETY: the pixels lie in the output, the buffer holds the largest tile.
    unsafe {
        let image = border(d, x, scratch);
        for oy in 0..d.output[0] / 2 {
            for ox in 0..width {
                for tile in 0..tiles {
                    let outputs = part(d.outputs, tiles, tile);
                    lane_pixels(s, d, image, w, [2 * oy, 2 * ox], [2, 2], outputs.start, outputs.len(), out);
                    for i in 0..outputs.len() {
                        let channel = outputs.start + i;
                        let first = 2 * oy * d.output[1] + 2 * ox;
                        let acc = s.load(out.add(i * PIXELS * BLOCK));
                        let mut max = sink.each(s, acc, channel, first);
                        let mut arg = s.splat(0.0);
                        for j in 1..PIXELS {
                            let acc = s.load(out.add((i * PIXELS + j) * BLOCK));
                            let v = sink.each(s, acc, channel, first + j / 2 * d.output[1] + j % 2);
                            let wins = s.or(s.gt(v, max), s.ne(v, v));
                            max = s.select(wins, v, max);
                            arg = s.select(wins, s.splat(j as f32), arg);
                        }
                        sink.put(s, max, arg, channel, oy * width + ox);
                    }
                }
            }
        }
    }
}

/// Adjoint of pooling: dy goes where `arg` says, as (channel, 0, input pixel).
///
/// # Safety
/// `dy` and `arg` are values of a group in the outputs' extents, and `sink` may store what it is given.
#[inline(always)]
pub unsafe fn lane_route<S: Simd, K: Sink>(
    s: S,
    d: &Window,
    channels: usize,
    dy: *const f32,
    arg: *const i32,
    sink: K,
) {
    let [v, h] = d.axes;
    let whole = d.axes.iter().all(|a| a.kernel == a.stride && a.dilation == 1 && a.padding == 0);
    let covered = d.axes.iter().all(|a| a.output * a.kernel == a.input);
    let pixels = v.output * h.output;
    for channel in 0..channels {
        // SAFETY: every index lies in the values.
        unsafe {
            if !(whole && covered) {
                // A channel of a group is to the window what a block of a sample is.
                let dy = Load { from: dy, sample: pixels * BLOCK, pixels };
                image_route(s, d, dy, arg, pixels * BLOCK, channel, 0, sink);
                continue;
            }
            // Windows that tile the input: each pixel hears from one.
            for oy in 0..v.output {
                for ox in 0..h.output {
                    let at = (channel * pixels + oy * h.output + ox) * BLOCK;
                    let (dy, arg) = (s.load(dy.add(at)), s.load_i32(arg.add(at)));
                    for ky in 0..v.kernel {
                        for kx in 0..h.kernel {
                            let here = s.eq(arg, s.splat((ky * h.kernel + kx) as f32));
                            let pixel = (oy * v.kernel + ky) * h.input + ox * h.kernel + kx;
                            sink.put(s, s.select(here, dy, s.splat(0.0)), channel, 0, pixel);
                        }
                    }
                }
            }
        }
    }
}

compiled_here! {
    /// `out[output][pixel]` (4 pixels apart) of some outputs, for the pixels of a small rectangle.
    ///
    /// # Safety
    /// `image` is what [`border`] gave, the rectangle of at most 4 pixels lies in the output, and there are at most 6 outputs.
    unsafe fn lane_pixels(
        d: &LaneConv,
        image: *const f32,
        w: *const f32,
        first: [usize; 2],
        size: [usize; 2],
        output: usize,
        outputs: usize,
        out: *mut f32,
    ) = pixels
}

/// # Safety
/// As [`lane_pixels`].
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn pixels<S: Simd>(
    s: S,
    d: &LaneConv,
    image: *const f32,
    w: *const f32,
    [y, x]: [usize; 2],
    [rows, columns]: [usize; 2],
    output: usize,
    outputs: usize,
    out: *mut f32,
) {
    let [height, width] = d.extent();
    let (ty, tx) = (d.taps(0, y, y + rows - 1), d.taps(1, x, x + columns - 1));
    let row = width * BLOCK;
    // Without a border all taps read the input, so that `taps` leaves none out.
    let (top, left) = (y * d.stride[0] + ty.start * d.dilation[0], x * d.stride[1] + tx.start * d.dilation[1]);
    let (tap, tap_step) = d.walk(ty.start * d.kernel[1] + tx.start);
    let [most_outputs, most_pixels] = products_shape(S::LEVEL);
    let empty = ty.is_empty() || tx.is_empty();
    for first in (0..outputs).step_by(most_outputs) {
        for pixel in (0..rows * columns).step_by(most_pixels) {
            let mut at = [0; PIXELS];
            for (j, at) in at.iter_mut().enumerate() {
                let p = (pixel + j).min(rows * columns - 1);
                *at = p / columns * d.stride[0] * row + p % columns * d.stride[1] * BLOCK;
            }
            // SAFETY: taps and pixels lie in the image; where there are none, nothing is read.
            unsafe {
                let t = Products {
                    x: image.wrapping_add(top * row + left * BLOCK),
                    at,
                    w: w.wrapping_add((output + first) * d.weight.output + tap),
                    w_output: d.weight.output,
                    count: [if empty { 0 } else { d.channels }, ty.len(), tx.len()],
                    x_step: [height * row, d.dilation[0] * row, d.dilation[1] * BLOCK],
                    w_step: [d.weight.channel as isize, tap_step * d.kernel[1] as isize, tap_step],
                    out: out.add((first * PIXELS + pixel) * BLOCK),
                    out_output: PIXELS * BLOCK,
                };
                let outputs = most_outputs.min(outputs - first);
                products(s, outputs, most_pixels.min(rows * columns - pixel), &t);
            }
        }
    }
}

/// What the loops over kernel positions read: `x` itself, or a copy with a border of zeros in `scratch`.
///
/// # Safety
/// `x` is a group's value, and `scratch` holds [`lane_border_floats`].
unsafe fn border(d: &LaneConv, x: *const f32, scratch: *mut f32) -> *const f32 {
    if !d.bordered() {
        return x;
    }
    let ([height, width], [high, wide]) = (d.input, d.extent());
    let left = d.padding[1].min(wide);
    let used = width.min(wide - left);
    let mut to = scratch;
    for channel in 0..d.channels {
        for y in 0..high {
            // SAFETY: rows of the image and of its copy.
            unsafe {
                if y < d.padding[0] || y - d.padding[0] >= height {
                    to.write_bytes(0, wide * BLOCK);
                } else {
                    let row = x.add((channel * height + y - d.padding[0]) * width * BLOCK);
                    to.write_bytes(0, left * BLOCK);
                    to.add(left * BLOCK).copy_from_nonoverlapping(row, used * BLOCK);
                    to.add((left + used) * BLOCK).write_bytes(0, (wide - left - used) * BLOCK);
                }
                to = to.add(wide * BLOCK);
            }
        }
    }
    scratch
}

compiled_here! {
    /// Adds a group's part of the gradient of a weight of the convolution `d` to `dst`, in the weight's master form; `lost` is what the
    /// rounding of `dst` has lost so far.
    ///
    /// # Safety
    /// `x` and `dy` are values of a group, `scratch` holds [`lane_border_floats`], and `dst` and `lost` are weights.
    pub unsafe fn lane_conv_weight(
        d: &LaneConv,
        x: *const f32,
        dy: *const f32,
        scratch: *mut f32,
        dst: *mut f32,
        lost: *mut f32,
    ) = weight
}

/// # Safety
/// As [`lane_conv_weight`].
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn weight<S: Simd>(
    s: S,
    d: &LaneConv,
    x: *const f32,
    dy: *const f32,
    scratch: *mut f32,
    dst: *mut f32,
    lost: *mut f32,
) {
    let (mut buffer, mut sums) = (Buffer::new(), Buffer::new());
    let (out, sums) = (buffer.as_mut_ptr(), sums.as_mut_ptr());
    let pieces = Pieces::of(d.output);
    let [height, width] = d.extent();
    let [out_h, out_w] = d.output;
    let row = width * BLOCK;
    let [most_rows, most_columns] = outer_shape(S::LEVEL);
    let (row_tiles, column_tiles) = (d.outputs.div_ceil(most_rows), d.kernel[1].div_ceil(most_columns));
    // SAFETY: x has its border, so that every kernel position can be read for every output.
    unsafe {
        let image = border(d, x, scratch);
        for row_tile in 0..row_tiles {
            let outputs = part(d.outputs, row_tiles, row_tile);
            for channel in 0..d.channels {
                for ky in 0..d.kernel[0] {
                    for column_tile in 0..column_tiles {
                        let columns = part(d.kernel[1], column_tiles, column_tile);
                        let a = dy.add(outputs.start * out_h * out_w * BLOCK);
                        let b = image
                            .add((channel * height + ky * d.dilation[0]) * row + columns.start * d.dilation[1] * BLOCK);
                        let b_step = [d.stride[0] * row, d.stride[1] * BLOCK];
                        for piece in 0..pieces.count() {
                            let [rows, pixels] = pieces.part(piece);
                            let t = Outer {
                                a: a.add((rows.start * out_w + pixels.start) * BLOCK),
                                a_row: out_h * out_w * BLOCK,
                                b: b.add(rows.start * b_step[0] + pixels.start * b_step[1]),
                                b_column: d.dilation[1] * BLOCK,
                                count: [rows.len(), pixels.len()],
                                a_step: [out_w * BLOCK, BLOCK],
                                b_step,
                                out,
                                out_row: columns.len() * BLOCK,
                            };
                            outer(s, outputs.len(), columns.len(), &t);
                            let (first, last) = pieces.ends(piece);
                            for i in 0..outputs.len() {
                                for j in 0..columns.len() {
                                    let at = (i * columns.len() + j) * BLOCK;
                                    let mut sum = s.load(out.add(at));
                                    if !first {
                                        sum = s.add(s.load(sums.add(at)), sum);
                                    }
                                    if !last {
                                        s.store(sums.add(at), sum);
                                        continue;
                                    }
                                    let tap = ky * d.kernel[1] + columns.start + j;
                                    let at = (outputs.start + i) * d.weight.output
                                        + channel * d.weight.channel
                                        + tap * d.weight.tap;
                                    add_to(dst.add(at), lost.add(at), s.sum(sum));
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Pieces of an image that are added up one by one, each of them so small that its chain of additions is short.
struct Pieces {
    output: [usize; 2],
    /// Pieces of a row.
    across: usize,
    /// Rows of a piece.
    rows: usize,
}

impl Pieces {
    /// Pixels of a piece.
    const PIXELS: usize = 64;
    /// Pieces that are added up before their lanes are.
    const TOGETHER: usize = 16;

    fn of(output: [usize; 2]) -> Self {
        let across = output[1].div_ceil(Self::PIXELS);
        Pieces { output, across, rows: (Self::PIXELS / output[1]).max(1) }
    }

    fn count(&self) -> usize {
        self.across * self.output[0].div_ceil(self.rows)
    }

    /// Rows and columns of a piece.
    fn part(&self, piece: usize) -> [Range<usize>; 2] {
        let row = piece / self.across * self.rows;
        [row..(row + self.rows).min(self.output[0]), part(self.output[1], self.across, piece % self.across)]
    }

    /// Whether a piece is the first and whether it is the last of those that are added up together.
    fn ends(&self, piece: usize) -> (bool, bool) {
        (piece.is_multiple_of(Self::TOGETHER), (piece + 1).is_multiple_of(Self::TOGETHER) || piece + 1 == self.count())
    }
}

compiled_here! {
    /// Adds the sum over samples and pixels of each channel to `dst`; `lost` is what the rounding of `dst` has lost so far.
    ///
    /// # Safety
    /// `x` is a group's value, and `dst` and `lost` hold a number for each channel.
    pub unsafe fn lane_sum(channels: usize, pixels: usize, x: *const f32, dst: *mut f32, lost: *mut f32) = sum
}

/// # Safety
/// As [`lane_sum`].
#[inline(always)]
unsafe fn sum<S: Simd>(s: S, channels: usize, pixels: usize, x: *const f32, dst: *mut f32, lost: *mut f32) {
    for channel in 0..channels {
        let (mut all, mut all_lost) = (s.splat(0.0), s.splat(0.0));
        for first in (0..pixels).step_by(Pieces::PIXELS) {
            let run = Pieces::PIXELS.min(pixels - first);
            // Four chains, so that an addition need not wait for the one before.
            let mut acc = [s.splat(0.0); 4];
            // SAFETY: the pixels of the channel.
            unsafe {
                let x = x.add((channel * pixels + first) * BLOCK);
                for pixel in (0..run / 4 * 4).step_by(4) {
                    acc[0] = s.add(acc[0], s.load(x.add(pixel * BLOCK)));
                    acc[1] = s.add(acc[1], s.load(x.add((pixel + 1) * BLOCK)));
                    acc[2] = s.add(acc[2], s.load(x.add((pixel + 2) * BLOCK)));
                    acc[3] = s.add(acc[3], s.load(x.add((pixel + 3) * BLOCK)));
                }
                for pixel in run / 4 * 4..run {
                    acc[0] = s.add(acc[0], s.load(x.add(pixel * BLOCK)));
                }
            }
            let run = s.add(s.add(acc[0], acc[1]), s.add(acc[2], acc[3]));
            (all, all_lost) = add_exactly(s, all, all_lost, run);
        }
        // SAFETY: the caller's promise.
        unsafe { add_to(dst.add(channel), lost.add(channel), s.sum(all)) }
    }
}

compiled_here! {
    /// Zeros in the lanes from `live` on: what is computed there is no sample's, and may be anything, so it must not reach
    /// a sum over samples.
    ///
    /// # Safety
    /// `x` is writable for so many vectors.
    pub unsafe fn lane_mask(vectors: usize, live: usize, x: *mut f32) = mask
}

/// # Safety
/// As [`lane_mask`].
#[inline(always)]
unsafe fn mask<S: Simd>(s: S, vectors: usize, live: usize, x: *mut f32) {
    if live >= BLOCK {
        return;
    }
    for i in 0..vectors {
        // SAFETY: vector `i` is one of `vectors`, for which our caller vouches.
        unsafe {
            let x = x.add(i * BLOCK);
            s.store(x, s.keep_first(s.load(x), live));
        }
    }
}

/// A block of 16 elements of 16 samples.
#[repr(align(64))]
struct Square([f32; BLOCK * BLOCK]);

compiled_here! {
    /// `[C][pixels][16]` from `live` samples at a distance of `sample` floats; 0 in the other lanes.
    ///
    /// # Safety
    /// The samples are readable in the layout of `d`, and `dst` is writable.
    pub unsafe fn lane_import(d: &LaneValue, src: *const f32, sample: usize, live: usize, dst: *mut f32) = import
}

/// # Safety
/// As [`lane_import`].
#[inline(always)]
unsafe fn import<S: Simd>(s: S, d: &LaneValue, src: *const f32, sample: usize, live: usize, dst: *mut f32) {
    if !d.blocked {
        let elements = d.channels * d.pixels;
        for first in (0..elements).step_by(BLOCK) {
            let rows = BLOCK.min(elements - first);
            // SAFETY: elements of the samples, each a vector of the result.
            unsafe { transpose(src.add(first), live, sample, dst.add(first * BLOCK), rows) }
        }
        return;
    }
    let mut square = Square([0.0; BLOCK * BLOCK]);
    let buffer = square.0.as_mut_ptr();
    for block in 0..d.channels.div_ceil(BLOCK) {
        let channels = BLOCK.min(d.channels - block * BLOCK);
        for pixel in 0..d.pixels {
            // SAFETY: `live` samples have these channels of the pixel, the square has room for 16 of 16, and `dst` a
            // vector for each.
            unsafe {
                transpose(src.add((block * d.pixels + pixel) * BLOCK), live, sample, buffer, channels);
                for i in 0..channels {
                    let to = dst.add(((block * BLOCK + i) * d.pixels + pixel) * BLOCK);
                    s.store(to, s.load(buffer.add(i * BLOCK)));
                }
            }
        }
    }
}

compiled_here! {
    /// `[C][pixels][16]` to `live` samples at a distance of `sample` floats; 0 in their padding, which single numbers have not.
    ///
    /// # Safety
    /// The samples are writable in the layout of `d`, and `src` is readable.
    pub unsafe fn lane_export(d: &LaneValue, src: *const f32, dst: *mut f32, sample: usize, live: usize) = export
}

/// # Safety
/// As [`lane_export`].
#[inline(always)]
unsafe fn export<S: Simd>(s: S, d: &LaneValue, src: *const f32, dst: *mut f32, sample: usize, live: usize) {
    let (mut from, mut turned) = (Square([0.0; BLOCK * BLOCK]), Square([0.0; BLOCK * BLOCK]));
    let (from, turned) = (from.0.as_mut_ptr(), turned.0.as_mut_ptr());
    let elements = d.channels * d.pixels;
    // Vectors of a sample, and elements that follow each other in one.
    let (vectors, distance) =
        if d.blocked { (d.channels.div_ceil(BLOCK) * d.pixels, d.pixels) } else { (elements.div_ceil(BLOCK), 1) };
    for vector in 0..vectors {
        let (first, used) = if d.blocked {
            let block = vector / d.pixels;
            (block * BLOCK * d.pixels + vector % d.pixels, BLOCK.min(d.channels - block * BLOCK))
        } else {
            (vector * BLOCK, BLOCK.min(elements - vector * BLOCK))
        };
        // SAFETY: elements of the value, and vectors of the samples.
        unsafe {
            for i in 0..used {
                s.store(from.add(i * BLOCK), s.load(src.add((first + i * distance) * BLOCK)));
            }
            transpose(from, used, BLOCK, turned, BLOCK);
            for n in 0..live {
                let to = dst.add(n * sample + vector * BLOCK);
                // Samples of one number each are not padded: behind it lies the next one, which may be another task's.
                if elements == 1 && !d.blocked {
                    *to = *turned.add(n * BLOCK);
                } else {
                    s.store(to, s.load(turned.add(n * BLOCK)));
                }
            }
        }
    }
}

compiled_here! {
    /// `dst[i] = Σ src[c · stride + i]` over chunks in order. `floats` is a multiple of 16.
    ///
    /// # Safety
    /// `src` is readable for all chunks, and `dst` writable.
    pub unsafe fn lane_combine(chunks: usize, stride: usize, floats: usize, src: *const f32, dst: *mut f32) = add_up
}

/// # Safety
/// As [`lane_combine`].
#[inline(always)]
unsafe fn add_up<S: Simd>(s: S, chunks: usize, stride: usize, floats: usize, src: *const f32, dst: *mut f32) {
    for i in (0..floats).step_by(BLOCK) {
        // SAFETY: `floats` is a multiple of the block.
        unsafe {
            let mut sum = s.load(src.add(i));
            for chunk in 1..chunks {
                sum = s.add(sum, s.load(src.add(chunk * stride + i)));
            }
            s.store(dst.add(i), sum);
        }
    }
}
