use super::*;

/// y[n][o][oy][ox] in f64, and the sum of the absolute terms; x and w channels-first.
pub(super) fn naive(d: &Conv, x: &[f32], w: &[f32], batch: usize) -> Vec<(f64, f64)> {
    let mut y = Vec::new();
    each_output(d, batch, |n, o, oy, ox| {
        let mut sum = (0.0, 0.0);
        each_tap(d, oy, ox, |c, ky, kx, iy, ix| {
            let a = x[((n * d.channels + c) * d.input[0] + iy) * d.input[1] + ix];
            let b = w[((o * d.channels + c) * d.kernel[0] + ky) * d.kernel[1] + kx];
            let term = f64::from(a) * f64::from(b);
            sum = (sum.0 + term, sum.1 + term.abs());
        });
        y.push(sum);
    });
    y
}

pub(super) fn each_output(d: &Conv, batch: usize, mut f: impl FnMut(usize, usize, usize, usize)) {
    for n in 0..batch {
        for o in 0..d.outputs {
            for oy in 0..d.output[0] {
                for ox in 0..d.output[1] {
                    f(n, o, oy, ox);
                }
            }
        }
    }
}

pub(super) fn each_tap(d: &Conv, oy: usize, ox: usize, mut f: impl FnMut(usize, usize, usize, usize, usize)) {
    let source = |axis: usize, o: usize, k: usize| {
        let at = (o * d.stride[axis] + k * d.dilation[axis]).checked_sub(d.padding[axis])?;
        (at % d.spread[axis] == 0 && at / d.spread[axis] < d.input[axis]).then(|| at / d.spread[axis])
    };
    for c in 0..d.channels {
        for ky in 0..d.kernel[0] {
            for kx in 0..d.kernel[1] {
                if let (Some(iy), Some(ix)) = (source(0, oy, ky), source(1, ox, kx)) {
                    f(c, ky, kx, iy, ix);
                }
            }
        }
    }
}

/// Master form of a weight `[O][C][KH][KW]`.
pub(super) fn master(d: &Conv, w: &[f32]) -> Vec<f32> {
    let taps = d.kernel[0] * d.kernel[1];
    let mut out = vec![0.0; d.weight_block() * d.output_blocks()];
    for o in 0..d.outputs {
        for c in 0..d.channels {
            for tap in 0..taps {
                out[weight_at(d, o, c, tap)] = w[(o * d.channels + c) * taps + tap];
            }
        }
    }
    out
}

pub(super) fn weight_at(d: &Conv, o: usize, c: usize, tap: usize) -> usize {
    let taps = d.kernel[0] * d.kernel[1];
    let (part, lane) = (c / d.lanes(), c % d.lanes());
    let at = ((o / BLOCK * d.parts() + part) * taps + tap) * d.lanes() + lane;
    at * BLOCK + o % BLOCK
}

pub(super) fn image(d: &Conv, x: &[f32], batch: usize) -> Vec<f32> {
    if d.planar { x.to_vec() } else { blocked(x, batch, d.channels, d.input[0] * d.input[1]) }
}

struct Forward<'a> {
    d: &'static Conv,
    x: &'a [f32],
    w: &'a [f32],
    batch: usize,
    place: Place,
}

impl Run for Forward<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&mut self, s: S) {
        let sample = self.x.len() / self.batch;
        for task in 0..conv_tasks(self.d, self.batch) {
            let mut scratch = vec![f32::NAN; conv_scratch(self.d)];
            // SAFETY: the test sized the buffers.
            unsafe {
                let scratch = scratch.as_mut_ptr();
                let sink = Store(self.place);
                conv(s, self.d, self.x.as_ptr(), sample, self.w.as_ptr(), scratch, self.batch, task, sink)
            }
        }
    }
}

pub(super) fn forward(d: &'static Conv, x: &[f32], w: &[f32], batch: usize) -> Vec<(Level, Vec<f32>)> {
    let pixels = d.output[0] * d.output[1];
    let sample = d.output_blocks() * pixels * BLOCK;
    let mut results = Vec::new();
    for level in all_levels() {
        let mut y = vec![f32::NAN; batch * sample];
        let place = Place { to: y.as_mut_ptr(), sample, pixels };
        run_at(level, &mut Forward { d, x, w, batch, place });
        results.push((level, y));
    }
    same_bits(&results);
    results
}

struct Weight<'a> {
    d: ConvWeight,
    x: &'a [f32],
    dy: &'a [f32],
    dst: &'a mut [f32],
    batch: usize,
}

impl Run for Weight<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&mut self, s: S) {
        let (x_sample, dy_sample) = (self.x.len() / self.batch, self.dy.len() / self.batch);
        let floats = self.d.floats();
        let mut chunks = vec![f32::NAN; floats * self.d.chunks];
        for task in 0..conv_weight_tasks(&self.d) {
            let mut scratch = vec![f32::NAN; conv_weight_scratch(&self.d)];
            let (x, dy) = (self.x.as_ptr(), self.dy.as_ptr());
            let (dst, scratch) = (chunks.as_mut_ptr(), scratch.as_mut_ptr());
            // SAFETY: the test sized the buffers.
            unsafe { conv_weight(s, &self.d, x, x_sample, dy, dy_sample, dst, scratch, self.batch, task) }
        }
        for task in 0..combine_tasks(floats) {
            // SAFETY: as above.
            unsafe { combine(s, self.d.chunks, floats, chunks.as_ptr(), Gradient::stored(self.dst.as_mut_ptr()), task) }
        }
    }
}

/// dw[o][c][ky][kx] in f64, and the sum of the absolute terms.
pub(super) fn naive_weight_gradient(d: &Conv, x: &[f32], dy: &[f32], batch: usize) -> Vec<(f64, f64)> {
    let pixels = d.output[0] * d.output[1];
    let taps = d.kernel[0] * d.kernel[1];
    let mut want = vec![(0.0, 0.0); d.outputs * d.channels * taps];
    each_output(d, batch, |n, o, oy, ox| {
        each_tap(d, oy, ox, |c, ky, kx, iy, ix| {
            let a = x[((n * d.channels + c) * d.input[0] + iy) * d.input[1] + ix];
            let b = dy[(n * d.outputs + o) * pixels + oy * d.output[1] + ox];
            let term = f64::from(a) * f64::from(b);
            let sum = &mut want[(o * d.channels + c) * taps + ky * d.kernel[1] + kx];
            *sum = (sum.0 + term, sum.1 + term.abs());
        });
    });
    want
}

fn weight_gradient(d: &Conv, x: &[f32], dy: &[f32], batch: usize) {
    let (pixels, taps) = (d.output[0] * d.output[1], d.kernel[0] * d.kernel[1]);
    let want = naive_weight_gradient(d, x, dy, batch);
    let image = image(d, x, batch);
    for dy_planar in [false, true] {
        if dy_planar && d.outputs >= 5 {
            continue;
        }
        let dy = if dy_planar { dy.to_vec() } else { blocked(dy, batch, d.outputs, pixels) };
        for chunks in [1, 3] {
            let weight = ConvWeight { conv: *d, dy_planar, chunks };
            let mut results = Vec::new();
            for level in all_levels() {
                let mut dst = vec![f32::NAN; weight.floats()];
                run_at(level, &mut Weight { d: weight, x: &image, dy: &dy, dst: &mut dst, batch });
                let mut rest = dst.clone();
                for o in 0..d.outputs {
                    for c in 0..d.channels {
                        for tap in 0..taps {
                            let (value, scale) = want[(o * d.channels + c) * taps + tap];
                            let at = weight_at(d, o, c, tap);
                            close(dst[at], value, scale, &(level, weight, o, c, tap));
                            rest[at] = 0.0;
                        }
                    }
                }
                assert!(rest.iter().all(|x| *x == 0.0), "{level:?} {weight:?}: padding is not zero");
                results.push((level, dst));
            }
            same_bits(&results);
        }
    }
}

/// Forward pass and both gradients.
fn check(d: Conv, batch: usize) {
    let d: &'static Conv = Box::leak(Box::new(d));
    let mut numbers = Numbers(d.channels as u64 * 31 + batch as u64);
    let pixels = d.output[0] * d.output[1];
    let x = numbers.vec(batch * d.channels * d.input[0] * d.input[1]);
    let w = numbers.vec(d.outputs * d.channels * d.kernel[0] * d.kernel[1]);
    let dy = numbers.vec(batch * d.outputs * pixels);
    let weight = master(d, &w);
    let want = naive(d, &x, &w, batch);
    for (level, y) in forward(d, &image(d, &x, batch), &weight, batch) {
        let mut i = 0;
        each_output(d, batch, |n, o, oy, ox| {
            let at = ((n * d.output_blocks() + o / BLOCK) * pixels + oy * d.output[1] + ox) * BLOCK + o % BLOCK;
            close(y[at], want[i].0, want[i].1, &(level, d, batch, n, o, oy, ox));
            i += 1;
        });
    }
    if d.spread != [1, 1] {
        return;
    }
    weight_gradient(d, &x, &dy, batch);
    // The input gradient is a convolution of dy, spread by the stride, with the flipped weight.
    let axes = [0, 1];
    if axes.iter().any(|a| d.padding[*a] > (d.kernel[*a] - 1) * d.dilation[*a]) {
        return;
    }
    for dy_planar in [false, true] {
        if dy_planar && d.outputs >= 5 {
            continue;
        }
        let back: &'static Conv = Box::leak(Box::new(Conv {
            channels: d.outputs,
            outputs: d.channels,
            input: d.output,
            output: d.input,
            kernel: d.kernel,
            stride: [1, 1],
            padding: axes.map(|a| (d.kernel[a] - 1) * d.dilation[a] - d.padding[a]),
            dilation: d.dilation,
            spread: d.stride,
            planar: dy_planar,
        }));
        let mut flipped = vec![f32::NAN; flip_size(d, dy_planar)];
        for task in 0..flip_tasks(d) {
            // SAFETY: the buffers have the sizes of the forms.
            unsafe { flip_weights(d, dy_planar, weight.as_ptr(), flipped.as_mut_ptr(), task) }
        }
        let inputs = d.input[0] * d.input[1];
        let mut want = vec![(0.0, 0.0); batch * d.channels * inputs];
        each_output(d, batch, |n, o, oy, ox| {
            each_tap(d, oy, ox, |c, ky, kx, iy, ix| {
                let g = dy[(n * d.outputs + o) * pixels + oy * d.output[1] + ox];
                let b = w[((o * d.channels + c) * d.kernel[0] + ky) * d.kernel[1] + kx];
                let term = f64::from(g) * f64::from(b);
                let sum = &mut want[((n * d.channels + c) * d.input[0] + iy) * d.input[1] + ix];
                *sum = (sum.0 + term, sum.1 + term.abs());
            });
        });
        for (level, dx) in forward(back, &image(back, &dy, batch), &flipped, batch) {
            for n in 0..batch {
                for c in 0..d.channels {
                    for p in 0..inputs {
                        let at = ((n * d.channels.div_ceil(BLOCK) + c / BLOCK) * inputs + p) * BLOCK + c % BLOCK;
                        let (value, scale) = want[(n * d.channels + c) * inputs + p];
                        close(dx[at], value, scale, &(level, back, n, c, p));
                    }
                }
            }
        }
    }
}

pub(super) fn square(
    channels: usize,
    outputs: usize,
    input: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
) -> Conv {
    let output = (input + 2 * padding - kernel) / stride + 1;
    Conv {
        channels,
        outputs,
        input: [input; 2],
        output: [output; 2],
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding: [padding; 2],
        dilation: [1, 1],
        spread: [1, 1],
        planar: channels < 5,
    }
}

#[test]
fn tile_edges() {
    for size in [1, 2, 3, 4, 6, 7, 8, 12, 13, 14, 25] {
        check(square(5, 6, size, 3, 1, 1), 2);
        check(square(3, 33, size, 3, 1, 1), 1);
    }
    for batch in [1, 3, 4, 5, 12, 13, 29] {
        check(square(17, 40, 4, 3, 1, 1), batch);
        check(square(16, 48, 2, 3, 1, 1), batch);
        check(square(2, 5, 5, 2, 1, 0), batch);
    }
    for channels in [1, 4, 5, 15, 16, 17, 32, 33] {
        check(square(channels, channels, 8, 3, 1, 1), 2);
    }
}

#[test]
fn strides_paddings_dilations() {
    check(square(1, 6, 28, 5, 1, 2), 3);
    check(square(6, 16, 14, 5, 1, 0), 5);
    check(square(16, 120, 5, 5, 1, 0), 9);
    check(square(3, 20, 23, 7, 2, 3), 2);
    check(square(3, 20, 35, 11, 4, 2), 2);
    check(square(20, 35, 9, 3, 2, 1), 3);
    check(square(20, 35, 9, 1, 2, 0), 3);
    check(square(20, 3, 9, 1, 1, 0), 3);
    check(square(20, 2, 10, 3, 3, 1), 5);
    for planar in [false, true] {
        for (stride, padding, dilation) in
            [([1, 2], [0, 3], [2, 1]), ([2, 1], [1, 0], [1, 3]), ([3, 2], [2, 2], [2, 2])]
        {
            let (input, kernel) = ([11, 13], [3, 2]);
            let output =
                [0, 1].map(|a| (input[a] + 2 * padding[a] - dilation[a] * (kernel[a] - 1) - 1) / stride[a] + 1);
            let channels = if planar { 3 } else { 18 };
            let d = Conv {
                channels,
                outputs: 21,
                input,
                output,
                kernel,
                stride,
                padding,
                dilation,
                spread: [1, 1],
                planar,
            };
            check(d, 2);
            check(Conv { spread: [2, 3], output: [5, 7], ..d }, 5);
        }
    }
}

#[test]
fn several_bands() {
    let d = square(40, 20, 44, 3, 1, 1);
    assert!(conv_scratch(&d) < 46 * 46 * 48);
    check(d, 1);
}
