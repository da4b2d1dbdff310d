use super::*;

/// A value of a group: `[C · pixels][16]`, from channels-first samples.
fn grouped(canonical: &[f32], elements: usize) -> Vec<f32> {
    (0..elements * BLOCK).map(|i| canonical[i % BLOCK * elements + i / BLOCK]).collect()
}

/// The convolutions of the tests: around the edges of tiles of outputs and pixels, with borders, strides and holes.
fn geometries() -> Vec<LaneConv> {
    let weight = LaneWeight { output: 1, channel: BLOCK, tap: BLOCK * BLOCK };
    let plain = |channels, outputs, input, output, kernel| LaneConv {
        channels,
        outputs,
        input,
        output,
        kernel,
        stride: [1, 1],
        padding: [0, 0],
        dilation: [1, 1],
        weight,
        turned: false,
    };
    let mut list = vec![
        plain(1, 1, [1, 1], [1, 1], [1, 1]),
        plain(6, 16, [8, 8], [4, 4], [5, 5]),
        plain(3, 7, [4, 9], [2, 7], [3, 3]),
        LaneConv { padding: [2, 2], ..plain(1, 6, [6, 8], [6, 8], [5, 5]) },
        // Wider than a tile of a weight's gradient, and a tile that reads nothing but border.
        LaneConv { padding: [0, 6], ..plain(2, 5, [2, 2], [2, 7], [1, 8]) },
        LaneConv { stride: [2, 3], padding: [1, 0], ..plain(4, 3, [5, 7], [3, 2], [3, 4]) },
        LaneConv { dilation: [2, 3], padding: [2, 3], ..plain(5, 13, [5, 6], [5, 6], [3, 3]) },
    ];
    // Input gradients: outputs and channels exchanged, the kernel turned.
    let turned = LaneWeight { output: BLOCK, channel: 1, tap: BLOCK * BLOCK };
    list.push(LaneConv { padding: [4, 4], weight: turned, turned: true, ..plain(16, 6, [4, 4], [8, 8], [5, 5]) });
    list.push(LaneConv { padding: [1, 0], weight: turned, turned: true, ..plain(2, 3, [3, 5], [3, 5], [3, 1]) });
    list
}

/// Master form `[tap][16 c][16 o]` of a weight, zero where there is none.
fn weights(d: &LaneConv, numbers: &mut Numbers) -> Vec<f32> {
    let taps = d.kernel[0] * d.kernel[1];
    let mut w = vec![0.0; taps * BLOCK * BLOCK];
    for o in 0..d.outputs {
        for c in 0..d.channels {
            for tap in 0..taps {
                w[o * d.weight.output + c * d.weight.channel + tap * d.weight.tap] = numbers.next();
            }
        }
    }
    w
}

/// Every product of sample `n`: (output pixel, input pixel, output, channel, kernel position in the master form).
fn each_product(d: &LaneConv, mut f: impl FnMut(usize, usize, usize, usize, usize)) {
    let source = |axis: usize, o: usize, k: usize| {
        let at = (o * d.stride[axis] + k * d.dilation[axis]).checked_sub(d.padding[axis])?;
        (at < d.input[axis]).then_some(at)
    };
    let taps = d.kernel[0] * d.kernel[1];
    for o in 0..d.outputs {
        for pixel in 0..d.output[0] * d.output[1] {
            for c in 0..d.channels {
                for tap in 0..taps {
                    let (y, x) = (pixel / d.output[1], pixel % d.output[1]);
                    let from = (source(0, y, tap / d.kernel[1]), source(1, x, tap % d.kernel[1]));
                    if let (Some(iy), Some(ix)) = from {
                        let tap = if d.turned { taps - 1 - tap } else { tap };
                        f(pixel, iy * d.input[1] + ix, o, c, tap);
                    }
                }
            }
        }
    }
}

fn leak(d: LaneConv) -> &'static LaneConv {
    Box::leak(Box::new(d))
}

struct Forward {
    d: &'static LaneConv,
    x: Vec<f32>,
    w: Vec<f32>,
    y: Vec<f32>,
}

impl Run for Forward {
    unsafe fn run<S: Simd>(&mut self, s: S) {
        let mut scratch = vec![f32::NAN; lane_border_floats(self.d)];
        let pixels = self.d.output[0] * self.d.output[1];
        let place = Place { to: self.y.as_mut_ptr(), sample: pixels * BLOCK, pixels };
        // SAFETY: everything has the extents of `d`.
        unsafe { lane_conv(s, self.d, self.x.as_ptr(), self.w.as_ptr(), scratch.as_mut_ptr(), Store(place)) }
    }
}

#[test]
fn convolutions_with_samples_in_the_lanes() {
    for d in geometries() {
        let mut numbers = Numbers(3);
        let (inputs, pixels) = (d.channels * d.input[0] * d.input[1], d.output[0] * d.output[1]);
        let (x, w) = (numbers.vec(inputs * BLOCK), weights(&d, &mut numbers));
        let mut want = vec![(0.0, 0.0); d.outputs * pixels * BLOCK];
        each_product(&d, |to, from, o, c, tap| {
            let b = w[o * d.weight.output + c * d.weight.channel + tap * d.weight.tap];
            for n in 0..BLOCK {
                let a = x[n * inputs + c * d.input[0] * d.input[1] + from];
                let sum: &mut (f64, f64) = &mut want[(o * pixels + to) * BLOCK + n];
                let term = f64::from(a) * f64::from(b);
                *sum = (sum.0 + term, sum.1 + term.abs());
            }
        });
        let mut results = Vec::new();
        for level in all_levels() {
            let y = vec![f32::NAN; want.len()];
            let mut run = Forward { d: leak(d), x: grouped(&x, inputs), w: w.clone(), y };
            run_at(level, &mut run);
            for (i, (got, want)) in run.y.iter().zip(&want).enumerate() {
                close(*got, want.0, want.1, &(level, d, i));
            }
            results.push((level, run.y));
        }
        same_bits(&results);
    }
}

/// Adds a bias that differs by channel, so that the sink's arguments show.
#[derive(Clone, Copy)]
struct Pooled {
    max: *mut f32,
    arg: *mut f32,
    pixels: usize,
}

impl LanePool for Pooled {
    unsafe fn each<S: Simd>(self, s: S, acc: S::V, channel: usize, _: usize) -> S::V {
        s.add(acc, s.splat(channel as f32 * 0.25))
    }
    unsafe fn put<S: Simd>(self, s: S, max: S::V, arg: S::V, channel: usize, pixel: usize) {
        // SAFETY: the buffers hold a vector for each channel and window.
        unsafe {
            s.store(self.max.add((channel * self.pixels + pixel) * BLOCK), max);
            s.store(self.arg.add((channel * self.pixels + pixel) * BLOCK), arg);
        }
    }
}

struct Pool {
    forward: Forward,
    max: Vec<f32>,
    arg: Vec<f32>,
}

impl Run for Pool {
    unsafe fn run<S: Simd>(&mut self, s: S) {
        let d = self.forward.d;
        let mut scratch = vec![f32::NAN; lane_border_floats(d)];
        let pixels = d.output[0] / 2 * (d.output[1] / 2);
        let sink = Pooled { max: self.max.as_mut_ptr(), arg: self.arg.as_mut_ptr(), pixels };
        let (x, w) = (self.forward.x.as_ptr(), self.forward.w.as_ptr());
        // SAFETY: everything has the extents of `d`.
        unsafe {
            self.forward.run(s);
            lane_conv_pool(s, d, x, w, scratch.as_mut_ptr(), sink)
        }
    }
}

#[test]
fn pooling_in_the_tile_is_pooling_of_the_result() {
    let even = |d: &LaneConv| d.output.iter().all(|o| o % 2 == 0);
    for d in geometries().into_iter().filter(even) {
        let mut numbers = Numbers(5);
        let inputs = d.channels * d.input[0] * d.input[1];
        let (width, windows) = (d.output[1] / 2, d.output[0] * d.output[1] / 4);
        let x = grouped(&numbers.vec(inputs * BLOCK), inputs);
        let w = weights(&d, &mut numbers);
        for level in all_levels() {
            let y = vec![f32::NAN; d.outputs * 4 * windows * BLOCK];
            let results = vec![f32::NAN; d.outputs * windows * BLOCK];
            let forward = Forward { d: leak(d), x: x.clone(), w: w.clone(), y };
            let mut run = Pool { forward, max: results.clone(), arg: results };
            run_at(level, &mut run);
            for i in 0..run.max.len() {
                let (channel, window, n) = (i / BLOCK / windows, i / BLOCK % windows, i % BLOCK);
                let (mut max, mut arg) = (f32::NEG_INFINITY, 0);
                for j in 0..4 {
                    let (y, x) = (window / width * 2 + j / 2, window % width * 2 + j % 2);
                    let at = (channel * 4 * windows + y * d.output[1] + x) * BLOCK + n;
                    let v = run.forward.y[at] + channel as f32 * 0.25;
                    if v > max {
                        (max, arg) = (v, j);
                    }
                }
                assert_eq!((run.max[i], run.arg[i]), (max, arg as f32), "{level:?} {d:?} {i}");
            }
        }
    }
}

struct Weight {
    d: &'static LaneConv,
    x: Vec<f32>,
    dy: Vec<f32>,
    dw: Vec<f32>,
}

impl Run for Weight {
    unsafe fn run<S: Simd>(&mut self, s: S) {
        let (mut scratch, mut lost) = (vec![f32::NAN; lane_border_floats(self.d)], vec![0.0; self.dw.len()]);
        let (x, dy, dw) = (self.x.as_ptr(), self.dy.as_ptr(), self.dw.as_mut_ptr());
        // SAFETY: everything has the extents of `d`.
        unsafe { lane_conv_weight(s, self.d, x, dy, scratch.as_mut_ptr(), dw, lost.as_mut_ptr()) }
    }
}

#[test]
fn weight_gradients_with_samples_in_the_lanes() {
    for d in geometries().into_iter().filter(|d| !d.turned) {
        let mut numbers = Numbers(7);
        let (inputs, pixels) = (d.channels * d.input[0] * d.input[1], d.output[0] * d.output[1]);
        let (x, dy) = (numbers.vec(inputs * BLOCK), numbers.vec(d.outputs * pixels * BLOCK));
        // What was there stays: padding too.
        let start = weights(&d, &mut numbers);
        let mut want: Vec<(f64, f64)> = start.iter().map(|w| (f64::from(*w), f64::from(w.abs()))).collect();
        each_product(&d, |to, from, o, c, tap| {
            let sum = &mut want[o * d.weight.output + c * d.weight.channel + tap * d.weight.tap];
            for n in 0..BLOCK {
                let a = x[n * inputs + c * d.input[0] * d.input[1] + from];
                let term = f64::from(a) * f64::from(dy[(n * d.outputs + o) * pixels + to]);
                *sum = (sum.0 + term, sum.1 + term.abs());
            }
        });
        let mut results = Vec::new();
        for level in all_levels() {
            let dy = grouped(&dy, d.outputs * pixels);
            let mut run = Weight { d: leak(d), x: grouped(&x, inputs), dy, dw: start.clone() };
            run_at(level, &mut run);
            for (i, (got, want)) in run.dw.iter().zip(&want).enumerate() {
                close(*got, want.0, want.1, &(level, d, i));
            }
            results.push((level, run.dw));
        }
        same_bits(&results);
    }
}

struct Edges {
    d: LaneValue,
    live: usize,
    sample: usize,
    from: Vec<f32>,
    group: Vec<f32>,
    to: Vec<f32>,
    sums: Vec<f32>,
    lost: Vec<f32>,
}

impl Run for Edges {
    unsafe fn run<S: Simd>(&mut self, s: S) {
        let (from, group, to) = (self.from.as_ptr(), self.group.as_mut_ptr(), self.to.as_mut_ptr());
        // SAFETY: all buffers have the extents of `d`.
        unsafe {
            lane_import(s, &self.d, from, self.sample, self.live, group);
            lane_export(s, &self.d, group, to, self.sample, self.live);
            // Anything may be where no sample is.
            for i in (0..self.group.len()).filter(|i| i % BLOCK >= self.live) {
                *group.add(i) = f32::NAN;
            }
            lane_mask(s, self.d.channels * self.d.pixels, self.live, group);
            lane_sum(s, self.d.channels, self.d.pixels, group, self.sums.as_mut_ptr(), self.lost.as_mut_ptr());
        }
    }
}

#[test]
fn edges_of_a_chain() {
    for (channels, pixels, blocked) in
        [(1, 1, false), (1, 25, false), (4, 9, false), (5, 7, true), (16, 6, true), (2, 16, false)]
    {
        for live in [1, 7, 15, 16] {
            let mut numbers = Numbers(11);
            let elements = channels * pixels;
            let canonical = numbers.vec(live * elements);
            let from = if blocked { packed(&canonical, live, channels, pixels) } else { canonical.clone() };
            let size = from.len() / live;
            // Row-major samples need not follow each other closely, and are not written beyond whole vectors; single numbers do,
            // and are written alone.
            let sample = if blocked || elements == 1 { size } else { size.div_ceil(BLOCK) * BLOCK };
            let mut spread = vec![f32::NAN; live * sample];
            for n in 0..live {
                spread[n * sample..n * sample + size].copy_from_slice(&from[n * size..(n + 1) * size]);
            }
            for level in all_levels() {
                let mut run = Edges {
                    d: LaneValue { channels, pixels, blocked },
                    live,
                    sample,
                    from: spread.clone(),
                    group: vec![f32::NAN; elements * BLOCK],
                    to: vec![f32::NAN; live * sample + BLOCK],
                    sums: vec![1.0; channels],
                    lost: vec![0.0; channels],
                };
                run_at(level, &mut run);
                let what = (level, channels, pixels, live);
                for (i, got) in run.group.iter().enumerate() {
                    let n = i % BLOCK;
                    let want = if n < live { canonical[n * elements + i / BLOCK] } else { 0.0 };
                    assert_eq!(*got, want, "{what:?} {i}");
                }
                let (samples, behind) = run.to.split_at(live * sample);
                assert!(behind.iter().all(|x| x.is_nan()), "{what:?}: written behind the last sample");
                for (i, got) in samples.iter().enumerate() {
                    let want = if spread[i].is_nan() { 0.0 } else { spread[i] };
                    assert_eq!(*got, want, "{what:?} {i}");
                }
                for (c, got) in run.sums.iter().enumerate() {
                    let own = run.group[c * pixels * BLOCK..(c + 1) * pixels * BLOCK].iter();
                    let (sum, scale) = own.fold((1.0, 1.0), |(a, b), x| (a + f64::from(*x), b + f64::from(x.abs())));
                    close(*got, sum, scale, &what);
                }
            }
        }
    }
}

struct Routed<'a> {
    d: &'static Window,
    channels: usize,
    dy: &'a [f32],
    arg: &'a [i32],
    lanes: Vec<f32>,
    windows: Vec<f32>,
}

impl Run for Routed<'_> {
    unsafe fn run<S: Simd>(&mut self, s: S) {
        let [v, h] = self.d.axes;
        let (from, pixels) = (v.output * h.output * BLOCK, v.input * h.input);
        let place = |to: &mut Vec<f32>| Store(Place { to: to.as_mut_ptr(), sample: pixels * BLOCK, pixels });
        let (dy, arg) = (self.dy.as_ptr(), self.arg.as_ptr());
        // SAFETY: all buffers have the extents of the window.
        unsafe {
            lane_route(s, self.d, self.channels, dy, arg, place(&mut self.lanes));
            for c in 0..self.channels {
                let dy = Load { from: dy, sample: from, pixels: from / BLOCK };
                image_route(s, self.d, dy, arg, from, c, 0, place(&mut self.windows));
            }
        }
    }
}

#[test]
fn routes_are_those_of_windows() {
    let axis = |input, output, kernel, stride| WindowAxis { input, output, kernel, stride, dilation: 1, padding: 0 };
    for axes in [
        [axis(4, 2, 2, 2), axis(6, 2, 3, 3)],
        [axis(5, 2, 2, 2), axis(6, 3, 2, 2)],
        [axis(5, 3, 3, 1), axis(5, 2, 3, 2)],
    ] {
        let d: &'static Window = Box::leak(Box::new(Window { blocks: 1, axes }));
        let channels = 3;
        let (from, to) = (axes[0].output * axes[1].output, axes[0].input * axes[1].input);
        let dy = Numbers(13).vec(channels * from * BLOCK);
        let taps = axes[0].kernel * axes[1].kernel;
        let arg: Vec<i32> = (0..dy.len()).map(|i| (i * 7 % taps) as i32).collect();
        for level in all_levels() {
            let empty = vec![f32::NAN; channels * to * BLOCK];
            let mut run = Routed { d, channels, dy: &dy, arg: &arg, lanes: empty.clone(), windows: empty };
            run_at(level, &mut run);
            assert_eq!(run.lanes, run.windows, "{level:?} {axes:?}");
        }
    }
}

struct Combined {
    src: Vec<f32>,
    dst: Vec<f32>,
}

impl Run for Combined {
    unsafe fn run<S: Simd>(&mut self, s: S) {
        // SAFETY: three chunks of 64 floats, of which 32 are added.
        unsafe { lane_combine(s, 3, 64, 32, self.src.as_ptr(), self.dst.as_mut_ptr()) }
    }
}

#[test]
fn chunks_are_added_in_order() {
    let src = Numbers(17).vec(3 * 64);
    for level in all_levels() {
        let mut run = Combined { src: src.clone(), dst: vec![f32::NAN; 32] };
        run_at(level, &mut run);
        let want: Vec<f32> = (0..32).map(|i| (src[i] + src[64 + i]) + src[128 + i]).collect();
        assert_eq!(run.dst, want, "{level:?}");
    }
    assert_eq!([0, 1, 16, 17, 64, 300].map(|batch| lane_chunks(batch, 16)), [0, 1, 1, 2, 4, 16]);
    let tasks: Vec<_> = (0..4).flat_map(|task| lane_task(100, 4, task)).collect();
    assert_eq!(tasks, (0..lane_groups(100)).collect::<Vec<_>>());
}
