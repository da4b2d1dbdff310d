//! Pooling over two axes of blocked layouts, forward and backward. A task is one block of one sample.
//!
//! Backward passes gather: every input pixel adds up what its windows send it, in the windows' order. Nothing is scattered, so nothing needs an atomic.

use core::ops::Range;

use super::{BLOCK, Simd, Sink, Sink2};

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
    #[inline(always)]
    fn input_pixels(&self) -> usize {
        self.axes[0].input * self.axes[1].input
    }

    #[inline(always)]
    fn output_pixels(&self) -> usize {
        self.axes[0].output * self.axes[1].output
    }
}

/// Number of tasks of every function here.
pub const fn window_tasks(d: &Window, batch: usize) -> usize {
    batch * d.blocks
}

/// Maximum and its position in the window (row-major over the kernel), as (sample, block, output pixel). The first maximum wins, and NaN over everything, as in PyTorch.
///
/// # Safety
/// `x` (samples at a distance of `x_sample` floats) is readable, `task` is below [`window_tasks`], and `sink` may store what it is given.
#[inline(always)]
pub unsafe fn window_max<S: Simd, K: Sink2>(
    s: S,
    d: &'static Window,
    x: *const f32,
    x_sample: usize,
    task: usize,
    sink: K,
) {
    let (sample, block) = (task / d.blocks, task % d.blocks);
    let [vertical, horizontal] = d.axes;
    // SAFETY: the taps lie in the image.
    unsafe {
        let image = x.add(sample * x_sample + block * d.input_pixels() * BLOCK);
        for oy in 0..vertical.output {
            let rows = vertical.taps(oy);
            for ox in 0..horizontal.output {
                let columns = horizontal.taps(ox);
                let mut max = s.splat(f32::NEG_INFINITY);
                let mut arg = s.splat((rows.start * horizontal.kernel + columns.start) as f32);
                for ky in rows.clone() {
                    let row = image.add(vertical.position(oy, ky) * horizontal.input * BLOCK);
                    for kx in columns.clone() {
                        let v = s.load(row.add(horizontal.position(ox, kx) * BLOCK));
                        let wins = s.or(s.gt(v, max), s.ne(v, v));
                        max = s.select(wins, v, max);
                        arg = s.select(wins, s.splat((ky * horizontal.kernel + kx) as f32), arg);
                    }
                }
                sink.put(s, max, arg, sample, block, oy * horizontal.output + ox);
            }
        }
    }
}

/// Sum of each window, the border counting as 0, as (sample, block, output pixel).
///
/// # Safety
/// As [`window_max`].
#[inline(always)]
pub unsafe fn window_sum<S: Simd, K: Sink>(
    s: S,
    d: &'static Window,
    x: *const f32,
    x_sample: usize,
    task: usize,
    sink: K,
) {
    let (sample, block) = (task / d.blocks, task % d.blocks);
    let [vertical, horizontal] = d.axes;
    // SAFETY: the taps lie in the image.
    unsafe {
        let image = x.add(sample * x_sample + block * d.input_pixels() * BLOCK);
        for oy in 0..vertical.output {
            for ox in 0..horizontal.output {
                let mut sum = s.splat(0.0);
                for ky in vertical.taps(oy) {
                    let row = image.add(vertical.position(oy, ky) * horizontal.input * BLOCK);
                    for kx in horizontal.taps(ox) {
                        sum = s.add(sum, s.load(row.add(horizontal.position(ox, kx) * BLOCK)));
                    }
                }
                sink.put(s, sum, sample, block, oy * horizontal.output + ox);
            }
        }
    }
}

/// Adjoint of [`window_sum`]: what each input pixel gets from dy, as (sample, block, input pixel).
///
/// # Safety
/// As [`window_max`], with `dy` in the outputs' extents.
#[inline(always)]
pub unsafe fn window_spread<S: Simd, K: Sink>(
    s: S,
    d: &'static Window,
    dy: *const f32,
    dy_sample: usize,
    task: usize,
    sink: K,
) {
    let (sample, block) = (task / d.blocks, task % d.blocks);
    // SAFETY: the caller's promises.
    unsafe {
        let image = dy.add(sample * dy_sample + block * d.output_pixels() * BLOCK);
        gather(s, d, sample, block, sink, Spread { dy: image });
    }
}

/// Adjoint of [`window_max`]: dy goes where `arg` (positions in the window, samples at a distance of `arg_sample` integers) says, as (sample, block, input pixel).
///
/// # Safety
/// As [`window_spread`], and `arg` is readable like `dy`.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub unsafe fn window_route<S: Simd, K: Sink>(
    s: S,
    d: &'static Window,
    dy: *const f32,
    dy_sample: usize,
    arg: *const i32,
    arg_sample: usize,
    task: usize,
    sink: K,
) {
    let (sample, block) = (task / d.blocks, task % d.blocks);
    // SAFETY: the caller's promises.
    unsafe {
        let offset = block * d.output_pixels() * BLOCK;
        let (image, arg) = (dy.add(sample * dy_sample + offset), arg.add(sample * arg_sample + offset));
        gather(s, d, sample, block, sink, Route { dy: image, arg });
    }
}

/// What an output pixel sends to the input pixel at position `tap` of its window. A trait, because a closure would stay a call.
trait Term: Copy {
    /// # Safety
    /// `pixel` lies in the output.
    unsafe fn at<S: Simd>(self, s: S, tap: usize, pixel: usize) -> S::V;
}

#[derive(Clone, Copy)]
struct Spread {
    dy: *const f32,
}

impl Term for Spread {
    #[inline(always)]
    unsafe fn at<S: Simd>(self, s: S, _: usize, pixel: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { s.load(self.dy.add(pixel * BLOCK)) }
    }
}

#[derive(Clone, Copy)]
struct Route {
    dy: *const f32,
    arg: *const i32,
}

impl Term for Route {
    #[inline(always)]
    unsafe fn at<S: Simd>(self, s: S, tap: usize, pixel: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe {
            let here = s.eq(s.load_i32(self.arg.add(pixel * BLOCK)), s.splat(tap as f32));
            s.select(here, s.load(self.dy.add(pixel * BLOCK)), s.splat(0.0))
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
            let mut sum = s.splat(0.0);
            for oy in vertical.outputs(y) {
                let Some(ky) = vertical.tap(y, oy) else { continue };
                for ox in horizontal.outputs(x) {
                    let Some(kx) = horizontal.tap(x, ox) else { continue };
                    let (tap, pixel) = (ky * horizontal.kernel + kx, oy * horizontal.output + ox);
                    // SAFETY: oy and ox lie in the output.
                    sum = s.add(sum, unsafe { term.at(s, tap, pixel) });
                }
            }
            // SAFETY: the caller's promise.
            unsafe { sink.put(s, sum, sample, block, y * horizontal.input + x) }
        }
    }
}
