//! Pooling over two axes of blocked layouts, forward and backward. A task is some images, one block of one sample each.
//!
//! Backward passes gather: every input pixel adds up what its windows send it, in the windows' order. Nothing is scattered, so nothing needs an atomic. Windows that tile the image are the
//! exception, and the usual case: every pixel belongs to one window at most, so that a window hands its pixels theirs.

use core::ops::Range;

use super::{BLOCK, Simd, Sink, Sink2, Source, Total};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowAxis {
    pub input: usize,
    pub output: usize,
    pub kernel: usize,
    pub stride: usize,
    pub dilation: usize,
    pub padding: usize,
}

/// Windows over `[block][H][W][16]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub blocks: usize,
    pub axes: [WindowAxis; 2],
}

impl WindowAxis {
    /// Window positions of output `o` that lie in the input.
    #[inline(always)]
    fn taps(&self, o: usize) -> Range<usize> {
        let at = o * self.stride;
        let end = (self.input + self.padding).saturating_sub(at).div_ceil(self.dilation).min(self.kernel);
        self.padding.saturating_sub(at).div_ceil(self.dilation).min(end)..end
    }

    /// Input position of `tap` in the window of `o`.
    #[inline(always)]
    fn position(&self, o: usize, tap: usize) -> usize {
        o * self.stride + tap * self.dilation - self.padding
    }

    /// Outputs whose windows may hold input `i`: all that reach it, some of which dilation makes skip it.
    #[inline(always)]
    fn outputs(&self, i: usize) -> Range<usize> {
        let reach = (self.kernel - 1) * self.dilation;
        let at = i + self.padding;
        let end = (at / self.stride + 1).min(self.output);
        at.saturating_sub(reach).div_ceil(self.stride).min(end)..end
    }

    /// Where in the window of `o` input `i` lies.
    #[inline(always)]
    fn tap(&self, i: usize, o: usize) -> Option<usize> {
        let distance = i + self.padding - o * self.stride;
        if self.dilation == 1 {
            return Some(distance);
        }
        distance.is_multiple_of(self.dilation).then(|| distance / self.dilation)
    }
}

impl Window {
    const fn input_pixels(&self) -> usize {
        self.axes[0].input * self.axes[1].input
    }

    #[inline(always)]
    fn output_pixels(&self) -> usize {
        self.axes[0].output * self.axes[1].output
    }

    /// Images of a task: handing it out should cost little beside it.
    const fn group(&self) -> usize {
        match TASK_PIXELS / self.input_pixels() {
            0 => 1,
            images => images,
        }
    }

    #[inline(always)]
    fn images(&self, batch: usize, task: usize) -> Range<usize> {
        let group = self.group();
        task * group..(task * group + group).min(batch * self.blocks)
    }

    /// Whether all windows lie in the image, without holes.
    #[inline(always)]
    fn is_inside(&self) -> bool {
        self.axes.iter().all(|a| a.padding == 0 && a.dilation == 1 && (a.output - 1) * a.stride + a.kernel <= a.input)
    }

    /// Whether windows meet without overlapping.
    #[inline(always)]
    fn is_tiling(&self) -> bool {
        self.is_inside() && self.axes.iter().all(|a| a.stride == a.kernel)
    }

    #[inline(always)]
    fn kernel(&self) -> [usize; 2] {
        self.axes.map(|a| a.kernel)
    }
}

/// Input pixels that a task should at least see.
const TASK_PIXELS: usize = 512;

/// Number of tasks of every function here.
pub const fn window_tasks(d: &Window, batch: usize) -> usize {
    (batch * d.blocks).div_ceil(d.group())
}

/// Maximum and its position in the window (row-major over the kernel), as (sample, block, output pixel). The first maximum wins, and NaN over everything, as in PyTorch.
///
/// # Safety
/// `x` has the pixels of `batch` samples, `task` is below [`window_tasks`], and `sink` may store what it is given.
#[inline(always)]
pub unsafe fn window_max<S: Simd, X: Source, K: Sink2>(s: S, d: &Window, x: X, batch: usize, task: usize, sink: K) {
    for image in d.images(batch, task) {
        // SAFETY: `images` are those of a task below `window_tasks`: samples below the batch, blocks of the tensor.
        unsafe { image_max(s, d, x, image / d.blocks, image % d.blocks, sink) }
    }
}

/// One image of [`window_max`].
///
/// # Safety
/// `x` has its pixels, and `sink` may store what it is given.
#[inline(always)]
pub unsafe fn image_max<S: Simd, X: Source, K: Sink2>(s: S, d: &Window, x: X, sample: usize, block: usize, sink: K) {
    // SAFETY: windows of these sizes are inside where the first pattern says so; the last asks each tap whether it lies
    // in the image.
    unsafe {
        match (d.is_inside(), d.kernel()) {
            (true, [2, 2]) => max_of_whole::<S, X, K, 2, 2>(s, d, x, sample, block, sink),
            (true, [3, 3]) => max_of_whole::<S, X, K, 3, 3>(s, d, x, sample, block, sink),
            _ => max_of_any(s, d, x, sample, block, sink),
        }
    }
}

/// One step of the search: NaN, or what is greater, wins.
#[inline(always)]
pub(super) fn challenge<S: Simd>(s: S, (max, arg): (S::V, S::V), v: S::V, tap: usize) -> (S::V, S::V) {
    let wins = s.or(s.gt(v, max), s.ne(v, v));
    (s.select(wins, v, max), s.select(wins, s.splat(tap as f32), arg))
}

/// Windows that lie in the image whole; the extents of the kernel are constants, so that its loops are unrolled.
///
/// # Safety
/// As [`window_max`]; windows are inside, and of this size.
#[inline(always)]
unsafe fn max_of_whole<S: Simd, X: Source, K: Sink2, const H: usize, const W: usize>(
    s: S,
    d: &Window,
    x: X,
    sample: usize,
    block: usize,
    sink: K,
) {
    let [vertical, horizontal] = d.axes;
    for oy in 0..vertical.output {
        for ox in 0..horizontal.output {
            let first = oy * vertical.stride * horizontal.input + ox * horizontal.stride;
            // SAFETY: the window lies in the image.
            unsafe {
                let mut best = (x.at(s, sample, block, first), s.splat(0.0));
                for ky in 0..H {
                    for kx in usize::from(ky == 0)..W {
                        let v = x.at(s, sample, block, first + ky * horizontal.input + kx);
                        best = challenge(s, best, v, ky * W + kx);
                    }
                }
                sink.put(s, best.0, best.1, sample, block, oy * horizontal.output + ox);
            }
        }
    }
}

/// # Safety
/// As [`window_max`].
#[inline(always)]
unsafe fn max_of_any<S: Simd, X: Source, K: Sink2>(s: S, d: &Window, x: X, sample: usize, block: usize, sink: K) {
    let [vertical, horizontal] = d.axes;
    for oy in 0..vertical.output {
        let rows = vertical.taps(oy);
        for ox in 0..horizontal.output {
            let columns = horizontal.taps(ox);
            let first = rows.start * horizontal.kernel + columns.start;
            let mut best = (s.splat(f32::NEG_INFINITY), s.splat(first as f32));
            for ky in rows.clone() {
                let row = vertical.position(oy, ky) * horizontal.input;
                for kx in columns.clone() {
                    // SAFETY: the taps lie in the image.
                    let v = unsafe { x.at(s, sample, block, row + horizontal.position(ox, kx)) };
                    best = challenge(s, best, v, ky * horizontal.kernel + kx);
                }
            }
            // SAFETY: each output pixel of the image is given once.
            unsafe { sink.put(s, best.0, best.1, sample, block, oy * horizontal.output + ox) }
        }
    }
}

/// Sum of each window, the border counting as 0, as (sample, block, output pixel).
///
/// # Safety
/// As [`window_max`].
#[inline(always)]
pub unsafe fn window_sum<S: Simd, X: Source, K: Sink>(s: S, d: &Window, x: X, batch: usize, task: usize, sink: K) {
    for image in d.images(batch, task) {
        // SAFETY: as in `window_max`.
        unsafe { image_sum(s, d, x, image / d.blocks, image % d.blocks, sink) }
    }
}

/// One image of [`window_sum`].
///
/// # Safety
/// As [`image_max`].
#[inline(always)]
pub unsafe fn image_sum<S: Simd, X: Source, K: Sink>(s: S, d: &Window, x: X, sample: usize, block: usize, sink: K) {
    let [vertical, horizontal] = d.axes;
    for oy in 0..vertical.output {
        let rows = vertical.taps(oy);
        for ox in 0..horizontal.output {
            let columns = horizontal.taps(ox);
            let mut sum = Total::new(s);
            for ky in rows.clone() {
                let row = vertical.position(oy, ky) * horizontal.input;
                for kx in columns.clone() {
                    // SAFETY: the taps lie in the image.
                    let v = unsafe { x.at(s, sample, block, row + horizontal.position(ox, kx)) };
                    sum.add(s, v);
                }
            }
            // SAFETY: each output pixel of the image is given once.
            unsafe { sink.put(s, sum.value(s), sample, block, oy * horizontal.output + ox) }
        }
    }
}

/// Adjoint of [`window_sum`]: what each input pixel gets from dy, as (sample, block, input pixel).
///
/// # Safety
/// As [`window_max`], with `dy` in the outputs' extents.
#[inline(always)]
pub unsafe fn window_spread<S: Simd, X: Source, K: Sink>(s: S, d: &Window, dy: X, batch: usize, task: usize, sink: K) {
    for image in d.images(batch, task) {
        // SAFETY: as in `window_max`.
        unsafe { image_spread(s, d, dy, image / d.blocks, image % d.blocks, sink) }
    }
}

/// One image of [`window_spread`].
///
/// # Safety
/// As [`image_max`], with `dy` in the outputs' extents.
#[inline(always)]
pub unsafe fn image_spread<S: Simd, X: Source, K: Sink>(s: S, d: &Window, dy: X, sample: usize, block: usize, sink: K) {
    // SAFETY: `dy` is good for every output pixel by our caller's word, and `sink` for every pixel of the image.
    unsafe { send(s, d, sample, block, sink, Spread { dy }) }
}

/// Adjoint of [`window_max`]: dy goes where `arg` (positions in the window, samples at a distance of `arg_sample` integers) says, as (sample, block, input pixel).
///
/// # Safety
/// As [`window_spread`], and `arg` is readable like `dy`.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn window_route<S: Simd, X: Source, K: Sink>(
    s: S,
    d: &Window,
    dy: X,
    arg: *const i32,
    arg_sample: usize,
    batch: usize,
    task: usize,
    sink: K,
) {
    for image in d.images(batch, task) {
        // SAFETY: as in `window_max`.
        unsafe { image_route(s, d, dy, arg, arg_sample, image / d.blocks, image % d.blocks, sink) }
    }
}

/// One image of [`window_route`].
///
/// # Safety
/// As [`image_spread`], and `arg` is readable like `dy`.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn image_route<S: Simd, X: Source, K: Sink>(
    s: S,
    d: &Window,
    dy: X,
    arg: *const i32,
    arg_sample: usize,
    sample: usize,
    block: usize,
    sink: K,
) {
    // SAFETY: the integers of a sample and block lie as dy's vectors do, by our caller's word.
    unsafe {
        let arg = arg.add(sample * arg_sample + block * d.output_pixels() * BLOCK);
        send(s, d, sample, block, sink, Route { dy, arg });
    }
}

/// What an output pixel sends to the input pixels of its window. A trait, because a closure would stay a call.
trait Term: Copy {
    /// What is read once per window.
    type Sent<S: Simd>: Copy;

    /// # Safety
    /// The output has this vector.
    unsafe fn sent<S: Simd>(self, s: S, sample: usize, block: usize, pixel: usize) -> Self::Sent<S>;

    /// The part of position `tap`.
    fn part<S: Simd>(self, s: S, sent: Self::Sent<S>, tap: usize) -> S::V;
}

#[derive(Clone, Copy)]
struct Spread<X> {
    dy: X,
}

impl<X: Source> Term for Spread<X> {
    type Sent<S: Simd> = S::V;

    #[inline(always)]
    unsafe fn sent<S: Simd>(self, s: S, sample: usize, block: usize, pixel: usize) -> S::V {
        // SAFETY: the pixel is one of the output's, and so dy's.
        unsafe { self.dy.at(s, sample, block, pixel) }
    }

    #[inline(always)]
    fn part<S: Simd>(self, _: S, sent: S::V, _: usize) -> S::V {
        sent
    }
}

#[derive(Clone, Copy)]
struct Route<X> {
    dy: X,
    /// Of the image.
    arg: *const i32,
}

impl<X: Source> Term for Route<X> {
    type Sent<S: Simd> = (S::V, S::V);

    #[inline(always)]
    unsafe fn sent<S: Simd>(self, s: S, sample: usize, block: usize, pixel: usize) -> (S::V, S::V) {
        // SAFETY: the pixel is one of the output's, for which dy and `arg` have a vector each.
        unsafe { (self.dy.at(s, sample, block, pixel), s.load_i32(self.arg.add(pixel * BLOCK))) }
    }

    #[inline(always)]
    fn part<S: Simd>(self, s: S, (dy, arg): (S::V, S::V), tap: usize) -> S::V {
        s.select(s.eq(arg, s.splat(tap as f32)), dy, s.splat(0.0))
    }
}

/// # Safety
/// `sink` may store what it is given, and `term` is good for every output pixel.
#[inline(always)]
unsafe fn send<S: Simd, K: Sink>(s: S, d: &Window, sample: usize, block: usize, sink: K, term: impl Term) {
    // SAFETY: the sizes are those of a tiling where the first pattern says so; otherwise our contract is handed on.
    unsafe {
        match (d.is_tiling(), d.kernel()) {
            (true, [2, 2]) => hand_out::<S, K, 2, 2>(s, d, sample, block, sink, term),
            (true, [3, 3]) => hand_out::<S, K, 3, 3>(s, d, sample, block, sink, term),
            _ => gather(s, d, sample, block, sink, term),
        }
    }
}

/// Windows that tile the image, of constant extents: reads each output once. Pixels behind the last window get nothing.
///
/// # Safety
/// As [`send`]; windows tile the image, and are of this size.
#[inline(always)]
unsafe fn hand_out<S: Simd, K: Sink, const H: usize, const W: usize>(
    s: S,
    d: &Window,
    sample: usize,
    block: usize,
    sink: K,
    term: impl Term,
) {
    let [vertical, horizontal] = d.axes;
    // SAFETY: windows that tile lie in the image, so each of their pixels is one of it; behind them, `reached` counts
    // on. Every pixel is given once.
    unsafe {
        for oy in 0..vertical.output {
            for ox in 0..horizontal.output {
                let sent = term.sent(s, sample, block, oy * horizontal.output + ox);
                let first = oy * H * horizontal.input + ox * W;
                for ky in 0..H {
                    for kx in 0..W {
                        let part = term.part(s, sent, ky * W + kx);
                        sink.put(s, part, sample, block, first + ky * horizontal.input + kx);
                    }
                }
            }
        }
        for y in 0..vertical.input {
            let reached = if y < vertical.output * H { horizontal.output * W } else { 0 };
            for x in reached..horizontal.input {
                sink.put(s, s.splat(0.0), sample, block, y * horizontal.input + x);
            }
        }
    }
}

/// Adds up the terms of the windows over each input pixel.
///
/// # Safety
/// `sink` may store what it is given, and `term` is good for every output pixel.
#[inline(always)]
unsafe fn gather<S: Simd, K: Sink>(s: S, d: &Window, sample: usize, block: usize, sink: K, term: impl Term) {
    let [vertical, horizontal] = d.axes;
    for y in 0..vertical.input {
        for x in 0..horizontal.input {
            let mut sum = Total::new(s);
            for oy in vertical.outputs(y) {
                let Some(ky) = vertical.tap(y, oy) else { continue };
                for ox in horizontal.outputs(x) {
                    let Some(kx) = horizontal.tap(x, ox) else { continue };
                    // SAFETY: oy and ox lie in the output.
                    let sent = unsafe { term.sent(s, sample, block, oy * horizontal.output + ox) };
                    sum.add(s, term.part(s, sent, ky * horizontal.kernel + kx));
                }
            }
            // SAFETY: each pixel of the image is given once.
            unsafe { sink.put(s, sum.value(s), sample, block, y * horizontal.input + x) }
        }
    }
}
