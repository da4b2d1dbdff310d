use super::convolution::*;
use super::*;

/// `1 − x`, computed: in the image, not in its border.
#[derive(Clone, Copy)]
struct Complement(Load);

impl Source for Complement {
    #[inline(always)]
    unsafe fn at<S: Simd>(self, s: S, row: usize, block: usize, pixel: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { s.sub(s.splat(1.0), self.0.at(s, row, block, pixel)) }
    }
}

/// Where the statistics of a result go: partial ones, then sum and squares of each block.
struct Moments<'a> {
    partials: Vec<f32>,
    found: &'a mut Vec<f32>,
}

struct Forward<'a> {
    d: &'a Winograd,
    x: &'a [f32],
    /// The operand is the complement of `x`.
    complement: bool,
    /// Of the forward convolution in master form.
    w: &'a [f32],
    batch: usize,
    place: Place,
    moments: Option<Moments<'a>>,
}

impl Run for Forward<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&mut self, s: S) {
        let pixels = self.d.conv.input[0] * self.d.conv.input[1];
        let x = Load { from: self.x.as_ptr(), sample: self.x.len() / self.batch, pixels };
        let mut u = vec![f32::NAN; winograd_size(self.d)];
        for task in 0..winograd_weights_tasks(self.d, self.batch) {
            // SAFETY: the test sized the buffers.
            unsafe { winograd_weights(s, self.d, self.w.as_ptr(), u.as_mut_ptr(), task) }
        }
        let weights = Weights { master: self.w.as_ptr(), transformed: u.as_ptr() };
        let Place { to, sample, pixels } = self.place;
        let statistics = self
            .moments
            .as_mut()
            .map(|m| Statistics { of: Load { from: to, sample, pixels }, to: m.partials.as_mut_ptr() });
        for task in 0..winograd_tasks(self.d, self.batch) {
            let rows = if self.complement { winograd_rows(&self.d.conv) } else { 0 };
            let mut scratch = vec![f32::NAN; winograd_scratch(self.d) + rows];
            let (scratch, sink) = (scratch.as_mut_ptr(), Store(self.place));
            // SAFETY: as above.
            unsafe {
                if self.complement {
                    winograd(s, self.d, Complement(x), weights, scratch, self.batch, task, sink, statistics)
                } else {
                    winograd(s, self.d, x, weights, scratch, self.batch, task, sink, statistics)
                }
            }
        }
        if let Some(Moments { partials, found }) = &mut self.moments {
            for block in 0..self.d.conv.output_blocks() {
                // SAFETY: as above.
                unsafe {
                    let (sum, squares) = winograd_moments(s, self.d, self.batch, block, partials.as_ptr());
                    let at = found.len();
                    found.resize(at + 2 * BLOCK, f32::NAN);
                    s.store(found.as_mut_ptr().add(at), sum);
                    s.store(found.as_mut_ptr().add(at + BLOCK), squares);
                }
            }
        }
    }
}

/// The input gradient of `d` as a convolution.
fn back(d: &Conv) -> &'static Conv {
    let (channels, outputs) = (d.outputs, d.channels);
    let padding = d.padding.map(|p| 2 - p);
    Box::leak(Box::new(Conv { channels, outputs, input: d.output, output: d.input, padding, ..*d }))
}

/// Results of a convolution whose input is `x`, canonical, at each level: the same whether its tasks transform their weights or find them transformed.
fn results(of: &'static Conv, turned: bool, x: &[f32], w: &[f32], batch: usize) -> Vec<(Level, Vec<f32>)> {
    let d = if turned { back(of) } else { of };
    let image = image(d, x, batch);
    let pixels = d.output[0] * d.output[1];
    let sample = d.output_blocks() * pixels * BLOCK;
    let mut results = Vec::new();
    for own in [0, batch] {
        for level in all_levels() {
            let mut y = vec![f32::NAN; batch * sample];
            let place = Place { to: y.as_mut_ptr(), sample, pixels };
            let d = Winograd { conv: *d, turned, own };
            run_at(level, &mut Forward { d: &d, x: &image, complement: false, w, batch, place, moments: None });
            results.push((level, y));
        }
    }
    same_bits(&results);
    let own = results.split_off(results.len() / 2);
    for ((level, kept), (_, own)) in results.iter().zip(&own) {
        let same = kept.iter().zip(own).all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(same, "{level:?} {d:?}: who transforms the weights shows in the bits");
    }
    results
}

struct Gradient<'a> {
    d: ConvWeight,
    x: &'a [f32],
    dy: &'a [f32],
    /// Both operands are the complements of these.
    complement: bool,
    dst: &'a mut [f32],
    batch: usize,
}

impl Run for Gradient<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&mut self, s: S) {
        let conv = &self.d.conv;
        let load = |from: &[f32], extent: [usize; 2]| Load {
            from: from.as_ptr(),
            sample: from.len() / self.batch,
            pixels: extent[0] * extent[1],
        };
        let (x, dy) = (load(self.x, conv.input), load(self.dy, conv.output));
        let floats = self.d.floats();
        let mut chunks = vec![f32::NAN; floats * self.d.chunks];
        for task in 0..winograd_gradient_tasks(&self.d) {
            let rows = if self.complement { winograd_rows(conv) } else { 0 };
            let mut scratch = vec![f32::NAN; winograd_gradient_scratch(&self.d) + rows];
            let (dst, scratch) = (chunks.as_mut_ptr(), scratch.as_mut_ptr());
            // SAFETY: the test sized the buffers.
            unsafe {
                if self.complement {
                    winograd_gradient(s, &self.d, Complement(x), Complement(dy), dst, scratch, self.batch, task)
                } else {
                    winograd_gradient(s, &self.d, x, dy, dst, scratch, self.batch, task)
                }
            }
        }
        for task in 0..combine_tasks(floats) {
            // SAFETY: as above.
            unsafe {
                combine(
                    s,
                    self.d.chunks,
                    floats,
                    chunks.as_ptr(),
                    crate::device::cpu::Gradient::stored(self.dst.as_mut_ptr()),
                    task,
                )
            }
        }
    }
}

/// The weight gradient, with one chunk and with several; errors are in parts of the largest element.
fn check_gradient(d: &Conv, x: &[f32], dy: &[f32], batch: usize) {
    let want = naive_weight_gradient(d, x, dy, batch);
    let largest = want.iter().map(|(value, _)| value.abs()).fold(0.0, f64::max);
    let (image, dy) = (image(d, x, batch), blocked(dy, batch, d.outputs, d.output[0] * d.output[1]));
    for chunks in [1, 3, 16] {
        let weight = ConvWeight { conv: *d, dy_planar: false, chunks };
        let mut results = Vec::new();
        for level in all_levels() {
            let mut dst = vec![f32::NAN; weight.floats()];
            run_at(level, &mut Gradient { d: weight, x: &image, dy: &dy, complement: false, dst: &mut dst, batch });
            let mut rest = dst.clone();
            for (i, (value, _)) in want.iter().enumerate() {
                let (o, c, tap) = (i / 9 / d.channels, i / 9 % d.channels, i % 9);
                let element = weight_at(d, o, c, tap);
                let error = (f64::from(dst[element]) - value).abs() / largest;
                assert!(error < 5e-6, "{level:?} {weight:?} {:?}: {}, want {value}", (o, c, tap), dst[element]);
                rest[element] = 0.0;
            }
            assert!(rest.iter().all(|x| *x == 0.0), "{level:?} {weight:?}: padding is not zero");
            results.push((level, dst));
        }
        same_bits(&results);
    }
}

/// Element of a blocked result.
fn at(d: &Conv, n: usize, o: usize, pixel: usize) -> usize {
    let pixels = d.output[0] * d.output[1];
    ((n * d.output_blocks() + o / BLOCK) * pixels + pixel) * BLOCK + o % BLOCK
}

/// The weight `[O][C][3][3]` of the input gradient's convolution: flipped, channels and outputs exchanged.
fn turned_weight(d: &Conv, w: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; w.len()];
    for o in 0..d.outputs {
        for c in 0..d.channels {
            for tap in 0..9 {
                out[(c * d.outputs + o) * 9 + 8 - tap] = w[(o * d.channels + c) * 9 + tap];
            }
        }
    }
    out
}

/// Forward pass and both gradients; errors are in parts of the largest output.
fn check(d: Conv, batch: usize) {
    assert!(d.has_winograd());
    let d: &'static Conv = Box::leak(Box::new(d));
    let mut numbers = Numbers(d.channels as u64 * 31 + batch as u64);
    let w = numbers.vec(d.outputs * d.channels * 9);
    let master = master(d, &w);
    for turned in [false, true] {
        let (conv, w) = if turned { (back(d), turned_weight(d, &w)) } else { (d, w.clone()) };
        let x = numbers.vec(batch * conv.channels * conv.input[0] * conv.input[1]);
        let want = naive(conv, &x, &w, batch);
        let largest = want.iter().map(|(value, _)| value.abs()).fold(0.0, f64::max);
        for (level, y) in results(d, turned, &x, &master, batch) {
            let mut i = 0;
            each_output(conv, batch, |n, o, oy, ox| {
                let got = f64::from(y[at(conv, n, o, oy * conv.output[1] + ox)]);
                let error = (got - want[i].0).abs() / largest;
                assert!(error < 5e-6, "{level:?} {conv:?} {:?}: {got}, want {}", (n, o, oy, ox), want[i].0);
                i += 1;
            });
        }
    }
    let x = numbers.vec(batch * d.channels * d.input[0] * d.input[1]);
    let dy = numbers.vec(batch * d.outputs * d.output[0] * d.output[1]);
    check_gradient(d, &x, &dy, batch);
}

#[test]
fn tile_edges() {
    for size in 1..=9 {
        check(square(5, 6, size, 3, 1, 1), 2);
    }
    for size in [12, 13, 14, 26] {
        check(square(16, 17, size, 3, 1, 1), 1);
    }
    for batch in [1, 2, 11, 12, 13, 25] {
        check(square(17, 40, 4, 3, 1, 1), batch);
        check(square(33, 16, 7, 3, 1, 1), batch);
    }
    for channels in [5, 15, 16, 17, 32, 33, 80, 145] {
        check(square(channels, channels, 5, 3, 1, 1), 2);
    }
}

#[test]
fn paddings_and_sides() {
    for padding in [0, 1, 2] {
        check(square(7, 18, 9, 3, 1, padding), 2);
    }
    for (input, padding) in [([3, 14], [0, 1]), ([10, 1], [1, 2]), ([5, 22], [2, 0])] {
        let output = [0, 1].map(|a: usize| input[a] + 2 * padding[a] - 2);
        check(Conv { input, output, padding, ..square(20, 9, 8, 3, 1, 1) }, 3);
    }
}

/// Operands that are computed instead of read: the same bits, whatever rows a task needs, and zeros beside the image.
#[test]
fn computed_operands() {
    for (channels, size, padding, batch) in [(20, 4, 1, 29), (17, 13, 0, 4), (33, 30, 2, 3), (5, 1, 1, 3)] {
        let outputs = 37;
        let d: &'static Conv = Box::leak(Box::new(square(channels, outputs, size, 3, 1, padding)));
        let mut numbers = Numbers(11);
        let x = image(d, &numbers.vec(batch * channels * size * size), batch);
        let w = master(d, &numbers.vec(outputs * channels * 9));
        let pixels = d.output[0] * d.output[1];
        let dy = blocked(&numbers.vec(batch * outputs * pixels), batch, outputs, pixels);
        let complement = |x: &[f32]| x.iter().map(|x| 1.0 - x).collect::<Vec<f32>>();
        let (of_x, of_dy) = (complement(&x), complement(&dy));
        for level in all_levels() {
            for own in [0, batch] {
                let d = Winograd { conv: *d, turned: false, own };
                let [computed, read] = [(&x, true), (&of_x, false)].map(|(x, complement)| {
                    let sample = d.conv.output_blocks() * pixels * BLOCK;
                    let mut y = vec![f32::NAN; batch * sample];
                    let place = Place { to: y.as_mut_ptr(), sample, pixels };
                    run_at(level, &mut Forward { d: &d, x, complement, w: &w, batch, place, moments: None });
                    y
                });
                assert!(computed.iter().zip(&read).all(|(a, b)| a.to_bits() == b.to_bits()), "{level:?} {d:?}");
            }
            for chunks in [1, 3] {
                let d = ConvWeight { conv: *d, dy_planar: false, chunks };
                let [computed, read] = [(&x, &dy, true), (&of_x, &of_dy, false)].map(|(x, dy, complement)| {
                    let mut dst = vec![f32::NAN; d.floats()];
                    run_at(level, &mut Gradient { d, x, dy, complement, dst: &mut dst, batch });
                    dst
                });
                assert!(computed.iter().zip(&read).all(|(a, b)| a.to_bits() == b.to_bits()), "{level:?} {d:?}");
            }
        }
    }
}

/// Sums and squared distances from the mean, of what was stored, for any number of runs of tiles and any border; a great mean costs nothing.
#[test]
fn statistics_of_results() {
    for (size, batch, mean) in [(1, 1, 0.0), (3, 40, 5.0), (13, 7, 0.0), (4, 70, 100.0), (30, 3, 0.0)] {
        let (channels, outputs) = (9, 21);
        let d: &'static Conv = Box::leak(Box::new(square(channels, outputs, size, 3, 1, 1)));
        let mut numbers = Numbers(13);
        let x: Vec<f32> = numbers.vec(batch * channels * size * size).iter().map(|x| x + mean).collect();
        let (image, w) = (image(d, &x, batch), master(d, &numbers.vec(outputs * channels * 9)));
        for own in [0, batch] {
            let mut all = Vec::new();
            for level in all_levels() {
                let d = Winograd { conv: *d, turned: false, own };
                let sample = d.conv.output_blocks() * size * size * BLOCK;
                let mut y = vec![f32::NAN; batch * sample];
                let place = Place { to: y.as_mut_ptr(), sample, pixels: size * size };
                let runs = size.div_ceil(4).pow(2).div_ceil(24) * batch;
                let partials = vec![f32::NAN; runs * d.conv.output_blocks() * 3 * BLOCK];
                let mut found = Vec::new();
                let moments = Some(Moments { partials, found: &mut found });
                run_at(level, &mut Forward { d: &d, x: &image, complement: false, w: &w, batch, place, moments });
                for o in 0..outputs {
                    let values =
                        (0..batch * size * size).map(|i| y[at(&d.conv, i / (size * size), o, i % (size * size))]);
                    let values: Vec<f64> = values.map(f64::from).collect();
                    let sum: f64 = values.iter().sum();
                    let mean = sum / values.len() as f64;
                    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
                    let scale: f64 = values.iter().map(|x| x.abs()).sum();
                    let place = o / BLOCK * 2 * BLOCK + o % BLOCK;
                    let (got, got_squares) = (f64::from(found[place]), f64::from(found[place + BLOCK]));
                    assert!((got - sum).abs() <= 2e-6 * scale, "{level:?} {size} {batch} {o}: {got}, want {sum}");
                    let tolerance = 1e-5 * squares + 1e-12 * scale * scale / values.len() as f64;
                    assert!(
                        (got_squares - squares).abs() <= tolerance,
                        "{level:?} {size} {batch} {o}: {got_squares}, want {squares}"
                    );
                }
                all.push((level, found));
            }
            same_bits(&all);
        }
    }
}

/// Maxima of the negated results, and their positions.
#[derive(Clone, Copy)]
struct Pool(StoreMax);

impl PoolingSink for Pool {
    #[inline(always)]
    unsafe fn at<S: Simd>(self, s: S, acc: S::V, _: usize, _: usize, _: usize) -> S::V {
        s.neg(acc)
    }

    #[inline(always)]
    unsafe fn put<S: Simd>(self, s: S, max: S::V, arg: S::V, row: usize, block: usize, pixel: usize) {
        // SAFETY: the caller's promise.
        unsafe { Sink2::put(self.0, s, max, arg, row, block, pixel) }
    }
}

struct Pooled<'a> {
    d: &'a Winograd,
    x: Load,
    w: &'a [f32],
    batch: usize,
    sink: StoreMax,
}

impl Run for Pooled<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&mut self, s: S) {
        let weights = Weights { master: self.w.as_ptr(), transformed: core::ptr::null() };
        for task in 0..winograd_tasks(self.d, self.batch) {
            let mut scratch = vec![f32::NAN; winograd_scratch(self.d)];
            let (scratch, sink) = (scratch.as_mut_ptr(), Pool(self.sink));
            // SAFETY: the test sized the buffers.
            unsafe { winograd_pooled(s, self.d, self.x, weights, scratch, self.batch, task, sink) }
        }
    }
}

/// Maxima of 2 × 2 windows are taken of the tiles: of every pair of rows and columns, whatever is left over beside them.
#[test]
fn pooled_results() {
    for (input, batch) in [([4, 4], 3), ([9, 14], 2), ([2, 3], 5), ([7, 1], 2), ([13, 22], 1)] {
        let (channels, outputs) = (6, 20);
        let conv = Conv { input, output: input, ..square(channels, outputs, 4, 3, 1, 1) };
        let d: &'static Conv = Box::leak(Box::new(conv));
        let mut numbers = Numbers(17);
        let x = numbers.vec(batch * channels * input[0] * input[1]);
        let w = master(d, &numbers.vec(outputs * channels * 9));
        let half = input.map(|n| n / 2);
        let pixels = half[0] * half[1];
        let sample = d.output_blocks() * pixels * BLOCK;
        let of_x = image(d, &x, batch);
        for (level, y) in results(d, false, &x, &w, batch) {
            let (mut max, mut arg) = (vec![f32::NAN; batch * sample], vec![-1i32; batch * sample]);
            let place = Place { to: max.as_mut_ptr(), sample, pixels };
            let sink = StoreMax { max: place, arg: arg.as_mut_ptr(), arg_sample: sample };
            let x = Load { from: of_x.as_ptr(), sample: of_x.len() / batch, pixels: input[0] * input[1] };
            let d = Winograd { conv: *d, turned: false, own: batch };
            run_at(level, &mut Pooled { d: &d, x, w: &w, batch, sink });
            for (n, o) in (0..batch).flat_map(|n| (0..outputs).map(move |o| (n, o))) {
                for (oy, ox) in (0..half[0]).flat_map(|oy| (0..half[1]).map(move |ox| (oy, ox))) {
                    let pixel = |tap: usize| (2 * oy + tap / 2) * input[1] + 2 * ox + tap % 2;
                    let values = [0, 1, 2, 3].map(|tap| -y[at(&d.conv, n, o, pixel(tap))]);
                    let best = (1..4).fold(0, |best, tap| if values[tap] > values[best] { tap } else { best });
                    let place =
                        ((n * d.conv.output_blocks() + o / BLOCK) * pixels + oy * half[1] + ox) * BLOCK + o % BLOCK;
                    assert_eq!(
                        (max[place].to_bits(), arg[place]),
                        (values[best].to_bits(), best as i32),
                        "{level:?} {input:?}"
                    );
                }
            }
        }
    }
}

/// How tiles are cut into tasks, and which samples share one, does not show in the bits.
#[test]
fn samples_do_not_know_each_other() {
    for (channels, size, batch) in [(20, 4, 29), (96, 13, 4), (300, 13, 3), (16, 30, 3)] {
        let d: &'static Conv = Box::leak(Box::new(square(channels, 37, size, 3, 1, 1)));
        let mut numbers = Numbers(1);
        let x = numbers.vec(batch * channels * size * size);
        let w = master(d, &numbers.vec(37 * channels * 9));
        let all = results(d, false, &x, &w, batch);
        for (n, x) in x.chunks(channels * size * size).enumerate() {
            for ((level, together), (_, alone)) in all.iter().zip(results(d, false, x, &w, 1)) {
                each_output(d, 1, |_, o, oy, ox| {
                    let (one, two) = (at(d, n, o, oy * size + ox), at(d, 0, o, oy * size + ox));
                    assert_eq!(together[one].to_bits(), alone[two].to_bits(), "{level:?} {d:?} {:?}", (n, o, oy, ox));
                });
            }
        }
    }
}

/// Largest errors of Winograd and of the direct template, over the largest output; then Winograd's over what a tile's inputs could add up to.
fn errors(channels: usize, mut x: impl FnMut(&mut Numbers, usize) -> f32) -> [f64; 3] {
    let (size, outputs, batch) = (8, 16, 1);
    let d: &'static Conv = Box::leak(Box::new(square(channels, outputs, size, 3, 1, 1)));
    let mut numbers = Numbers(7);
    let w = numbers.vec(outputs * channels * 9);
    let x: Vec<f32> = (0..channels * size * size).map(|i| x(&mut numbers, i)).collect();
    let want = naive(d, &x, &w, batch);
    let largest = want.iter().map(|(value, _)| value.abs()).fold(0.0, f64::max);
    let results = results(d, false, &x, &master(d, &w), batch);
    let (_, y) = results.last().unwrap();
    let direct = convolution::forward(d, &image(d, &x, batch), &master(d, &w), batch);
    let (_, direct) = direct.last().unwrap();
    let mut found = [0f64; 3];
    let mut i = 0;
    each_output(d, batch, |n, o, oy, ox| {
        let pixel = at(d, n, o, oy * size + ox);
        let error = (f64::from(y[pixel]) - want[i].0).abs();
        found[0] = found[0].max(error / largest);
        found[1] = found[1].max((f64::from(direct[pixel]) - want[i].0).abs() / largest);
        let (top, left) = (oy / 4 * 4, ox / 4 * 4);
        let mut reach = 0.0;
        for c in 0..channels {
            let seen = |iy: usize, ix: usize| f64::from(x[(c * size + iy) * size + ix].abs());
            let window = (top.saturating_sub(1)..(top + 5).min(size))
                .flat_map(|iy| (left.saturating_sub(1)..(left + 5).min(size)).map(move |ix| (iy, ix)));
            let most = window.map(|(iy, ix)| seen(iy, ix)).fold(0.0, f64::max);
            let weights = &w[(o * channels + c) * 9..][..9];
            reach += most * weights.iter().map(|w| f64::from(w.abs())).sum::<f64>();
        }
        found[2] = found[2].max(error / reach);
        i += 1;
    });
    found
}

/// A sum over many pixels: the weight gradient is as good as the direct one.
#[test]
fn weight_gradients_of_many_pixels() {
    for (channels, size, batch) in [(8, 40, 6), (80, 12, 12)] {
        let d = square(channels, 7, size, 3, 1, 1);
        let mut numbers = Numbers(3);
        let x: Vec<f32> = numbers.vec(batch * channels * size * size).into_iter().map(|x| x.max(0.0)).collect();
        let dy = numbers.vec(batch * 7 * size * size);
        check_gradient(&d, &x, &dy, batch);
    }
}

/// On data without structure the error is at most 10⁻⁵ of the largest output, and near direct convolution's as long as that adds up in one
/// chain too; deeper ones it adds up in runs.
#[test]
fn random_data() {
    for channels in [16, 64, 256, 512] {
        for signed in [true, false] {
            let [winograd, direct, _] = errors(channels, |numbers, _| {
                let x = numbers.next();
                if signed { x } else { x.max(0.0) }
            });
            println!("{channels} channels, signed {signed}: {winograd:.1e}, direct {direct:.1e}");
            let near = 9 * channels > tile::LONGEST || winograd <= 6.0 * direct;
            assert!(winograd <= 1e-5 && near, "{channels} {signed}: {winograd:e}, {direct:e}");
        }
    }
}

/// The next input, of that index.
type Case<'a> = &'a dyn Fn(&mut Numbers, usize) -> f32;

/// A large number among small ones loses the small ones of its tile: an output's error is bounded by the largest inputs of the whole 6 × 6 window of each channel, not by those that the output itself reads.
#[test]
fn large_dynamic_range() {
    let spread = |numbers: &mut Numbers, decades: f32| numbers.next() * 10f32.powf(numbers.next() * decades);
    for channels in [16, 256] {
        let cases: [(&str, Case); 3] = [
            ("twelve decades", &|numbers, _| spread(numbers, 6.0)),
            ("spikes", &|numbers, i| numbers.next() * if i % 29 == 3 { 1e6 } else { 1.0 }),
            ("a great mean", &|numbers, _| 1e4 + numbers.next()),
        ];
        for (name, x) in cases {
            let [winograd, direct, bounded] = errors(channels, x);
            println!("{channels} channels, {name}: {winograd:.1e}, direct {direct:.1e}, of the window {bounded:.1e}");
            assert!(bounded <= 2e-7, "{channels} {name}: {bounded:e}");
            assert!(winograd <= 1e-5, "{channels} {name}: {winograd:e}");
        }
    }
}
