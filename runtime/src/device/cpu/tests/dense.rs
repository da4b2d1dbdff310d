//! Input and weight gradients of dense layers: extents around blocks, tiles and tasks; stored, and handed to a rule.

use super::*;

/// A layer with its operands, NaN where nothing belongs.
struct Layer {
    d: &'static Dense,
    batch: usize,
    /// Canonical.
    w: Vec<f32>,
    x: Vec<f32>,
    dy: Vec<f32>,
}

impl Layer {
    fn new(outputs: usize, channels: usize, pixels: usize, planar: bool, batch: usize) -> Layer {
        let d = Box::leak(Box::new(Dense { outputs, channels, pixels, planar }));
        let mut numbers = Numbers((outputs * 31 + channels * 7 + batch) as u64);
        let inputs = channels * pixels;
        let w = numbers.vec(outputs * inputs);
        Layer { d, batch, w, x: numbers.vec(batch * inputs), dy: numbers.vec(batch * outputs) }
    }

    fn blocks(&self) -> usize {
        self.d.outputs.div_ceil(BLOCK)
    }

    /// Inputs in the weight's order, padding included.
    fn rows(&self) -> usize {
        if self.d.planar {
            self.d.channels * self.d.pixels
        } else {
            self.d.channels.next_multiple_of(BLOCK) * self.d.pixels
        }
    }

    /// The row of an input in the weight's order.
    fn row(&self, c: usize, p: usize) -> usize {
        if self.d.planar { c * self.d.pixels + p } else { (c / BLOCK * self.d.pixels + p) * BLOCK + c % BLOCK }
    }

    fn at(&self, o: usize, row: usize) -> usize {
        (o / BLOCK * self.rows() + row) * BLOCK + o % BLOCK
    }

    fn each(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let Dense { outputs, channels, pixels, .. } = *self.d;
        (0..outputs).flat_map(move |o| (0..channels).flat_map(move |c| (0..pixels).map(move |p| (o, c, p))))
    }

    fn inputs(&self) -> usize {
        self.d.channels * self.d.pixels
    }

    /// dy with its lanes beyond the outputs NaN.
    fn dy(&self) -> Vec<f32> {
        blocked(&self.dy, self.batch, self.d.outputs, 1)
    }
}

struct Input<'a> {
    layer: &'a Layer,
    weight: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Run for Input<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&mut self, s: S) {
        let Layer { d, batch, .. } = *self.layer;
        let blocks = d.channels.div_ceil(BLOCK) * d.pixels;
        let mut scratch = vec![f32::NAN; dense_scratch()];
        let sink = Store(Place { to: self.dx.as_mut_ptr(), sample: blocks * BLOCK, pixels: 1 });
        for task in 0..dense_input_tasks(d, batch) {
            // SAFETY: the test sized the buffers.
            unsafe {
                let (dy, sample, weight) = (self.dy.as_ptr(), self.layer.blocks() * BLOCK, self.weight.as_ptr());
                dense_input(s, d, dy, sample, weight, scratch.as_mut_ptr(), batch, task, sink);
            }
        }
    }
}

fn input(layer: &Layer) {
    let Dense { outputs, channels, pixels, .. } = *layer.d;
    let mut weight = vec![0.0; layer.blocks() * layer.rows() * BLOCK];
    for (o, c, p) in layer.each() {
        weight[layer.at(o, layer.row(c, p))] = layer.w[(o * channels + c) * pixels + p];
    }
    let dy = layer.dy();
    let blocks = channels.div_ceil(BLOCK) * pixels;
    let mut results = Vec::new();
    for level in all_levels() {
        let mut dx = vec![f32::NAN; layer.batch * blocks * BLOCK];
        run_at(level, &mut Input { layer, weight: &weight, dy: &dy, dx: &mut dx });
        for n in 0..layer.batch {
            for c in 0..channels.next_multiple_of(BLOCK) {
                for p in 0..pixels {
                    let got = dx[n * blocks * BLOCK + (c / BLOCK * pixels + p) * BLOCK + c % BLOCK];
                    let term = |o: usize| {
                        f64::from(layer.dy[n * outputs + o]) * f64::from(layer.w[(o * channels + c) * pixels + p])
                    };
                    let terms = || (0..if c < channels { outputs } else { 0 }).map(term);
                    close(got, terms().sum(), terms().map(f64::abs).sum(), &(level, layer.d, n, c, p));
                }
            }
        }
        results.push((level, dx));
    }
    same_bits(&results);
}

/// Input-gradient tasks and tiles end at blocks of inputs, the turned chunk at 256 outputs, a task at 96 samples.
#[test]
fn input_gradient() {
    for batch in [1, 2, 7, 13, 24, 97] {
        input(&Layer::new(33, 50, 1, true, batch));
    }
    for outputs in [1, 15, 16, 17, 255, 256, 257, 530] {
        input(&Layer::new(outputs, 35, 1, true, 9));
    }
    for channels in [1, 16, 17, 80, 300, 545] {
        input(&Layer::new(20, channels, 1, true, 5));
    }
    for (channels, pixels, planar) in [(3, 5, true), (17, 3, false), (64, 4, false), (37, 2, false)] {
        input(&Layer::new(18, channels, pixels, planar, 11));
    }
}

/// Stands for an optimizer: `p ← p + gradient`, and twice that without decay. Pieces are finished once.
unsafe fn add(_: *const (), decay: bool, to: *mut f32, gradient: *const f32, floats: usize) {
    for i in 0..floats {
        // SAFETY: the template's promise.
        unsafe { *to.add(i) += if decay { 1.0 } else { 2.0 } * *gradient.add(i) }
    }
}

/// Nothing is read ahead.
unsafe fn nothing_ahead(_: *const (), _: *const f32, _: usize) {}

/// A context for nothing but [`Gradient::new`].
fn context(update: Option<Update>) -> Ctx {
    let nothing = std::ptr::null_mut();
    Ctx {
        params: nothing,
        grads: nothing,
        states: nothing,
        batch_arena: nothing,
        fixed: nothing,
        derived: nothing,
        worker: nothing,
        worker_stride: 0,
        ports: std::ptr::null(),
        args: std::ptr::null(),
        numbers: std::ptr::null(),
        batch: 0,
        padded: 0,
        seed: 0,
        step: 0,
        only: None,
        update,
    }
}

struct WeightCase<'a> {
    layer: &'a Layer,
    x: &'a [f32],
    dy: &'a [f32],
    weight: &'a mut [f32],
    bias: Option<&'a mut [f32]>,
    update: bool,
}

impl Run for WeightCase<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&mut self, s: S) {
        let Layer { d, batch, .. } = *self.layer;
        // SAFETY: the rule needs no data.
        let cx = context(self.update.then(|| unsafe { Update::new(add, nothing_ahead, std::ptr::null()) }));
        let weight = Gradient::new(&cx, self.weight.as_mut_ptr(), true);
        let bias = self.bias.as_mut().map(|bias| Gradient::new(&cx, bias.as_mut_ptr(), false));
        let w = DenseWeight {
            x: self.x.as_ptr(),
            x_sample: self.layer.rows(),
            dy: self.dy.as_ptr(),
            dy_sample: self.layer.blocks() * BLOCK,
            weight,
            bias,
            batch,
        };
        for task in 0..dense_weight_tasks(d) {
            // SAFETY: the test sized the buffers.
            unsafe { dense_weight(s, d, w, task) }
        }
    }
}

/// x in the weight's order, NaN where nothing belongs.
fn blocked_inputs(layer: &Layer) -> Vec<f32> {
    let Dense { channels, pixels, .. } = *layer.d;
    let mut x = vec![f32::NAN; layer.batch * layer.rows()];
    for n in 0..layer.batch {
        for (c, p) in (0..channels).flat_map(|c| (0..pixels).map(move |p| (c, p))) {
            x[n * layer.rows() + layer.row(c, p)] = layer.x[n * layer.inputs() + c * pixels + p];
        }
    }
    x
}

fn weight(layer: &Layer, with_bias: bool) {
    let Dense { outputs, pixels, .. } = *layer.d;
    let x = blocked_inputs(layer);
    let dy = layer.dy();
    let mut results = Vec::new();
    for level in all_levels() {
        let run = |update: bool, fill: f32| {
            let mut weight = vec![fill; layer.blocks() * layer.rows() * BLOCK];
            let mut bias = vec![fill; layer.blocks() * BLOCK];
            let b = with_bias.then_some(&mut bias[..]);
            run_at(level, &mut WeightCase { layer, x: &x, dy: &dy, weight: &mut weight, bias: b, update });
            (weight, bias)
        };
        let (stored, stored_bias) = run(false, f32::NAN);
        let mut inside = vec![false; stored.len()];
        for (o, c, p) in layer.each() {
            let at = layer.at(o, layer.row(c, p));
            inside[at] = true;
            let term = |n: usize| {
                f64::from(layer.x[n * layer.inputs() + c * pixels + p]) * f64::from(layer.dy[n * outputs + o])
            };
            let terms = || (0..layer.batch).map(term);
            close(stored[at], terms().sum(), terms().map(f64::abs).sum(), &(level, layer.d, o, c, p));
        }
        assert!(stored.iter().zip(&inside).all(|(x, inside)| *inside || *x == 0.0), "padding");
        for (o, got) in stored_bias.iter().enumerate().filter(|_| with_bias) {
            let terms = || (0..layer.batch).filter(|_| o < outputs).map(|n| f64::from(layer.dy[n * outputs + o]));
            close(*got, terms().sum(), terms().map(f64::abs).sum(), &(level, o));
        }
        // Every element exactly once, with its own flag.
        let (updated, updated_bias) = run(true, 1.0);
        assert!(updated.iter().zip(&stored).all(|(p, g)| *p == 1.0 + g), "{level:?}");
        assert!(!with_bias || updated_bias.iter().zip(&stored_bias).all(|(p, g)| *p == 1.0 + 2.0 * g), "{level:?}");
        results.push((level, stored));
    }
    same_bits(&results);
}

#[test]
fn weight_gradient() {
    for batch in [1, 3, 16, 67] {
        weight(&Layer::new(33, 50, 1, true, batch), true);
    }
    for outputs in [1, 15, 16, 40, 64, 97, 530] {
        weight(&Layer::new(outputs, 35, 1, true, 5), true);
    }
    for inputs in [1, 12, 13, 95, 96, 97, 200] {
        weight(&Layer::new(70, inputs, 1, true, 5), false);
    }
    for (channels, pixels, planar) in [(3, 5, true), (17, 3, false), (64, 4, false), (37, 2, false)] {
        weight(&Layer::new(18, channels, pixels, planar, 7), true);
    }
}

/// Both gradients in one pass; the weight updated, or its gradient stored.
struct Both<'a> {
    layer: &'a Layer,
    x: &'a [f32],
    dy: &'a [f32],
    weight: &'a mut [f32],
    gradient: Option<&'a mut [f32]>,
    dx: &'a mut [f32],
}

impl Run for Both<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&mut self, s: S) {
        let Layer { d, batch, .. } = *self.layer;
        let update = self.gradient.is_none();
        // SAFETY: the rule needs no data.
        let cx = context(update.then(|| unsafe { Update::new(add, nothing_ahead, std::ptr::null()) }));
        let weight = self.weight.as_mut_ptr();
        let to = self.gradient.as_mut().map_or(weight, |gradient| gradient.as_mut_ptr());
        let w = DenseWeight {
            x: self.x.as_ptr(),
            x_sample: self.layer.rows(),
            dy: self.dy.as_ptr(),
            dy_sample: self.layer.blocks() * BLOCK,
            weight: Gradient::new(&cx, to, true),
            bias: None,
            batch,
        };
        let blocks = d.channels.div_ceil(BLOCK) * d.pixels;
        let sink = Store(Place { to: self.dx.as_mut_ptr(), sample: blocks * BLOCK, pixels: 1 });
        let mut scratch = vec![f32::NAN; dense_scratch()];
        for task in 0..dense_backward_tasks(d) {
            // SAFETY: the test sized the buffers.
            unsafe { dense_backward(s, d, w, weight, scratch.as_mut_ptr(), task, sink) }
        }
    }
}

/// One pass has the bits of two, whether it updates the weight or not.
#[test]
fn both_gradients_in_one_pass() {
    for (outputs, channels, pixels, planar, batch) in [
        (33, 50, 1, true, 1),
        (257, 64, 1, true, 7),
        (256, 65, 1, true, 16),
        (530, 200, 1, true, 97),
        (18, 17, 3, false, 11),
        (40, 64, 4, false, 193),
    ] {
        let layer = Layer::new(outputs, channels, pixels, planar, batch);
        let (x, dy) = (blocked_inputs(&layer), layer.dy());
        let mut old = vec![0.0; layer.blocks() * layer.rows() * BLOCK];
        for (o, c, p) in layer.each() {
            old[layer.at(o, layer.row(c, p))] = layer.w[(o * channels + c) * pixels + p];
        }
        for level in all_levels() {
            let nothing = || vec![f32::NAN; batch * channels.div_ceil(BLOCK) * pixels * BLOCK];
            let (mut dx, mut apart) = (nothing(), vec![f32::NAN; old.len()]);
            run_at(level, &mut Input { layer: &layer, weight: &old, dy: &dy, dx: &mut dx });
            let (x, dy) = (&x[..], &dy[..]);
            let weight = &mut apart[..];
            run_at(level, &mut WeightCase { layer: &layer, x, dy, weight, bias: None, update: false });
            let (mut stored, mut found, mut kept) = (vec![f32::NAN; old.len()], nothing(), old.clone());
            let gradient = Some(&mut stored[..]);
            run_at(level, &mut Both { layer: &layer, x, dy, weight: &mut kept, gradient, dx: &mut found });
            assert!(kept == old && stored == apart && found == dx, "{level:?}, {:?}, {batch}", layer.d);
            let (mut found, mut updated) = (nothing(), old.clone());
            run_at(level, &mut Both { layer: &layer, x, dy, weight: &mut updated, gradient: None, dx: &mut found });
            let expected: Vec<f32> = old.iter().zip(&apart).map(|(p, g)| p + g).collect();
            assert!(updated == expected && found == dx, "{level:?}, {:?}, {batch}", layer.d);
        }
    }
}
