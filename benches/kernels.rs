//! How near the contraction templates come to the processor's limit: GFLOP/s of one thread, and percent of the peak of multiply-adds measured in the same run.
//!
//!     cargo bench --bench kernels                   # all
//!     cargo bench --bench kernels -- resnet18       # those whose names contain this
//!     KILN_SIMD=avx2 cargo bench --bench kernels   # at another SIMD level
//!
//! The layers are those of ResNet-18 at 32 × 32, AlexNet and VGG-16 at 224 × 224 and the MNIST network. Criterion's own output tells the spread; the table at the end takes the fastest sample, which other work on the
//! machine disturbs least. Winograd's templates are measured in the direct ones' operations, and so exceed 100 %. Zeros that a template multiplies (borders) count as work not done, so that no choice can flatter itself.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;
use kiln::__private::cpu::*;

/// What runs at one level.
trait Work {
    unsafe fn run<S: Simd>(&self, s: S);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn at_avx2(work: &impl Work) {
    // SAFETY: the features were detected.
    unsafe { work.run(Avx2::new()) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn at_avx512(work: &impl Work) {
    // SAFETY: the feature was detected.
    unsafe { work.run(Avx512::new()) }
}

fn run(level: Level, work: &impl Work) {
    // SAFETY: `level` is at most what `detect` found; the work sized its buffers.
    unsafe {
        match level {
            Level::Portable => work.run(Portable::new()),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => at_avx2(work),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => at_avx512(work),
            #[cfg(not(target_arch = "x86_64"))]
            _ => work.run(Portable::new()),
        }
    }
}

/// Independent chains of multiply-adds in registers.
struct Peak;

const CHAINS: usize = 12;
const LINKS: usize = 20_000;

impl Work for Peak {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S) {
        let (x, y) = (s.splat(black_box(0.999)), s.splat(black_box(0.001)));
        macro_rules! chains {
            ($($acc:ident)*) => {
                $( let mut $acc = y; )*
                for _ in 0..LINKS {
                    $( $acc = s.fma($acc, x, y); )*
                }
                let all = s.splat(0.0);
                $( let all = s.add(all, $acc); )*
                black_box(s.sum(all));
            };
        }
        if S::LEVEL == Level::Avx512 {
            chains!(a b c d e f g h i j k l);
        } else {
            // Two registers make a vector: half as many fit.
            chains!(a b c d e f);
            chains!(a b c d e f);
        }
    }
}

/// Numbers in [-1, 1) that are the same every time, from a 64-byte boundary on.
struct Floats {
    at: *mut f32,
    /// Owns what `at` points to.
    _arena: Arena,
}

impl Floats {
    fn new(count: usize) -> Floats {
        let mut arena = Arena::new(count);
        let mut state = 1u64;
        for x in arena.iter_mut() {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            *x = (state >> 40) as f32 / (1 << 23) as f32 - 1.0;
        }
        Floats { at: arena.as_mut_ptr(), _arena: arena }
    }
}

struct Product {
    d: &'static Gemm,
    rows: usize,
    a: Floats,
    b: Floats,
    bias: Floats,
    y: Floats,
}

impl Product {
    fn new(rows: usize, k: usize, outputs: usize) -> Product {
        let blocks = outputs / BLOCK;
        let d = Box::leak(Box::new(Gemm {
            rows: Count::Batch(1),
            blocks,
            a_row: k,
            b_block: k * BLOCK,
            k: [Digit::NONE, Digit::NONE, Digit { count: Count::Fixed(k), a: 1, b: BLOCK }],
            tail: 0,
            row_task: 96,
            block_task: blocks.div_ceil(8).clamp(2, 6),
            by_rows: false,
        }));
        let [a, b, bias, y] = [rows * k, k * outputs, outputs, rows * outputs].map(Floats::new);
        Product { d, rows, a, b, bias, y }
    }
}

impl Work for Product {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S) {
        let place = Place { to: self.y.at, sample: self.d.blocks * BLOCK, pixels: 1 };
        for task in 0..gemm_tasks(self.d, self.rows) {
            let sink = BiasRelu { place, bias: self.bias.at };
            // SAFETY: `new` sized the buffers.
            unsafe { gemm(s, self.d, self.a.at, self.b.at, self.rows, task, sink) }
        }
    }
}

/// A convolution with bias and ReLU; an input gradient where `d` spreads.
struct Image {
    d: &'static Conv,
    winograd: bool,
    batch: usize,
    x: Floats,
    w: Floats,
    bias: Floats,
    y: Floats,
    scratch: Floats,
}

/// Floats of a sample of `channels` × `extent`.
fn sample(channels: usize, extent: [usize; 2], planar: bool) -> usize {
    (if planar { channels } else { channels.next_multiple_of(BLOCK) }) * extent[0] * extent[1]
}

/// By Winograd's algorithm, weights transformed before.
fn kept(conv: Conv) -> Winograd {
    Winograd { conv, turned: false, own: 0 }
}

impl Image {
    fn new(d: Conv, batch: usize, winograd: bool) -> Image {
        let x = batch * sample(d.channels, d.input, d.planar);
        let y = batch * sample(d.outputs, d.output, false);
        let (w, scratch) = if winograd {
            let d = kept(d);
            (winograd_size(&d), winograd_scratch(&d))
        } else {
            let w = sample(d.channels, d.kernel, d.planar) * d.outputs.next_multiple_of(BLOCK);
            (w, conv_scratch(&d).max(1))
        };
        let [x, w, bias, y, scratch] = [x, w, d.outputs.next_multiple_of(BLOCK), y, scratch].map(Floats::new);
        Image { d: Box::leak(Box::new(d)), winograd, batch, x, w, bias, y, scratch }
    }
}

impl Work for Image {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S) {
        let d = self.d;
        let place =
            Place { to: self.y.at, sample: sample(d.outputs, d.output, false), pixels: d.output[0] * d.output[1] };
        let x_sample = sample(d.channels, d.input, d.planar);
        let tasks = if self.winograd { winograd_tasks(&kept(*d), self.batch) } else { conv_tasks(d, self.batch) };
        let (x, w, scratch) = (self.x.at, self.w.at, self.scratch.at);
        for task in 0..tasks {
            let sink = BiasRelu { place, bias: self.bias.at };
            // SAFETY: `new` sized the buffers.
            unsafe {
                if self.winograd {
                    let weights = Weights { master: w, transformed: w };
                    let x = Load { from: x, sample: x_sample, pixels: d.input[0] * d.input[1] };
                    winograd(s, &kept(*d), x, weights, scratch, self.batch, task, sink, None)
                } else {
                    conv(s, d, x, x_sample, w, scratch, self.batch, task, sink)
                }
            }
        }
    }
}

struct WeightGradient {
    d: ConvWeight,
    winograd: bool,
    batch: usize,
    x: Floats,
    dy: Floats,
    chunks: Floats,
    dst: Floats,
    scratch: Floats,
}

impl WeightGradient {
    fn new(conv: Conv, batch: usize, winograd: bool) -> WeightGradient {
        let one = ConvWeight { conv, dy_planar: false, chunks: 1 };
        // As the plan has it: small gradients are summed in parts.
        let d = ConvWeight { chunks: if one.floats() <= 1 << 17 { 16 } else { 1 }, ..one };
        let x = batch * sample(conv.channels, conv.input, conv.planar);
        let dy = batch * sample(conv.outputs, conv.output, false);
        let scratch = if winograd { winograd_gradient_scratch(&d) } else { conv_weight_scratch(&d).max(1) };
        let [x, dy, chunks, dst, scratch] = [x, dy, d.floats() * d.chunks, d.floats(), scratch].map(Floats::new);
        WeightGradient { d, winograd, batch, x, dy, chunks, dst, scratch }
    }
}

impl Work for WeightGradient {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S) {
        let WeightGradient { d, winograd, batch, x, dy, chunks, dst, scratch } = self;
        let x_sample = sample(d.conv.channels, d.conv.input, d.conv.planar);
        let dy_sample = sample(d.conv.outputs, d.conv.output, false);
        let to = if d.chunks > 1 { chunks.at } else { dst.at };
        let tasks = if *winograd { winograd_gradient_tasks(d) } else { conv_weight_tasks(d) };
        for task in 0..tasks {
            let (x, dy, scratch) = (x.at, dy.at, scratch.at);
            // SAFETY: `new` sized the buffers.
            unsafe {
                if *winograd {
                    let x = Load { from: x, sample: x_sample, pixels: d.conv.input[0] * d.conv.input[1] };
                    let dy = Load { from: dy, sample: dy_sample, pixels: d.conv.output[0] * d.conv.output[1] };
                    winograd_gradient(s, d, x, dy, to, scratch, *batch, task)
                } else {
                    conv_weight(s, d, x, x_sample, dy, dy_sample, to, scratch, *batch, task)
                }
            }
        }
        if d.chunks > 1 {
            for task in 0..combine_tasks(d.floats()) {
                // SAFETY: as above.
                unsafe { combine(s, d.chunks, d.floats(), chunks.at, Gradient::stored(dst.at), task) }
            }
        }
    }
}

/// A layer of a network: channels, outputs, input extent, kernel, stride, padding, batch.
fn layer(network: &str, text: [usize; 7]) -> (String, Conv, usize) {
    let [channels, outputs, input, kernel, stride, padding, batch] = text;
    let output = (input + 2 * padding - kernel) / stride + 1;
    let conv = Conv {
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
    };
    let stride = if stride > 1 { format!("/{stride}") } else { String::new() };
    (format!("{network} {channels}→{outputs} {kernel}×{kernel}{stride} @{output}"), conv, batch)
}

fn layers() -> Vec<(String, Conv, usize)> {
    let mut all = Vec::new();
    for text in [
        [3, 64, 32, 3, 1, 1, 8],
        [64, 64, 32, 3, 1, 1, 4],
        [64, 128, 32, 3, 2, 1, 8],
        [64, 128, 32, 1, 2, 0, 16],
        [128, 128, 16, 3, 1, 1, 8],
        [128, 256, 16, 3, 2, 1, 8],
        [128, 256, 16, 1, 2, 0, 16],
        [256, 256, 8, 3, 1, 1, 8],
        [256, 512, 8, 3, 2, 1, 16],
        [256, 512, 8, 1, 2, 0, 32],
        [512, 512, 4, 3, 1, 1, 16],
    ] {
        all.push(layer("resnet18", text));
    }
    for text in [
        [3, 64, 224, 11, 4, 2, 4],
        [64, 192, 27, 5, 1, 2, 2],
        [192, 384, 13, 3, 1, 1, 4],
        [384, 256, 13, 3, 1, 1, 4],
        [256, 256, 13, 3, 1, 1, 4],
    ] {
        all.push(layer("alexnet", text));
    }
    for text in [
        [3, 64, 224, 3, 1, 1, 1],
        [64, 64, 224, 3, 1, 1, 1],
        [128, 128, 112, 3, 1, 1, 1],
        [256, 256, 56, 3, 1, 1, 1],
        [512, 512, 28, 3, 1, 1, 1],
        [512, 512, 14, 3, 1, 1, 4],
    ] {
        all.push(layer("vgg16", text));
    }
    for text in [[1, 32, 28, 3, 1, 0, 16], [32, 64, 26, 3, 1, 0, 16]] {
        all.push(layer("mnist_bn_cnn", text));
    }
    all
}

/// The input gradient as the plan describes it.
fn adjoint(d: &Conv) -> Conv {
    let axes = [0, 1];
    Conv {
        channels: d.outputs,
        outputs: d.channels,
        input: d.output,
        output: d.input,
        stride: [1, 1],
        padding: axes.map(|a| (d.kernel[a] - 1) * d.dilation[a] - d.padding[a]),
        spread: d.stride,
        planar: false,
        ..*d
    }
}

/// Multiplications and additions that the layer means, borders left out.
fn flops(d: &Conv, batch: usize) -> f64 {
    let along = |axis: usize| -> usize {
        let inside = |o: usize, k: usize| {
            let at = o * d.stride[axis] + k * d.dilation[axis];
            at >= d.padding[axis] && at - d.padding[axis] < d.input[axis]
        };
        (0..d.output[axis]).map(|o| (0..d.kernel[axis]).filter(|k| inside(o, *k)).count()).sum()
    };
    2.0 * (along(0) * along(1) * d.channels * d.outputs * batch) as f64
}

struct Bench {
    criterion: Criterion,
    level: Level,
    wanted: Vec<String>,
    /// Name, and GFLOP/s of the fastest sample.
    found: Vec<(String, f64)>,
}

impl Bench {
    fn measure(&mut self, name: &str, flops: f64, make: impl FnOnce() -> Option<Box<dyn Fn(Level)>>) {
        if name != PEAK && !self.wanted.is_empty() && !self.wanted.iter().any(|w| name.contains(w.as_str())) {
            return;
        }
        let Some(work) = make() else { return };
        let mut fastest = f64::INFINITY;
        self.criterion.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let mut all = Duration::ZERO;
                for _ in 0..iterations {
                    let start = Instant::now();
                    work(self.level);
                    let took = start.elapsed();
                    fastest = fastest.min(took.as_secs_f64());
                    all += took;
                }
                all
            });
        });
        self.found.push((name.into(), flops / fastest / 1e9));
    }
}

const PEAK: &str = "peak";

fn boxed(work: impl Work + 'static) -> Option<Box<dyn Fn(Level)>> {
    Some(Box::new(move |level| run(level, &work)))
}

fn main() {
    // Cargo's own options are not names.
    let wanted = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let criterion = Criterion::default()
        .without_plots()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(50))
        .measurement_time(Duration::from_millis(400));
    let level = detect().expect("KILN_SIMD names a level of this processor");
    let mut bench = Bench { criterion, level, wanted, found: Vec::new() };
    bench.measure(PEAK, (2 * CHAINS * LINKS * BLOCK) as f64, || boxed(Peak));
    for k in [64, 256, 784, 4096] {
        let (rows, outputs) = (96, 512);
        let flops = (2 * rows * k * outputs) as f64;
        bench.measure(&format!("gemm {rows}×{k}×{outputs}"), flops, || boxed(Product::new(rows, k, outputs)));
    }
    for (name, conv, batch) in layers() {
        let flops = flops(&conv, batch);
        bench.measure(&format!("forward {name}"), flops, || boxed(Image::new(conv, batch, false)));
        if conv.has_winograd() {
            bench.measure(&format!("winograd forward {name}"), flops, || boxed(Image::new(conv, batch, true)));
        }
        // The image itself needs no gradient.
        if !conv.planar {
            bench.measure(&format!("input {name}"), flops, || boxed(Image::new(adjoint(&conv), batch, false)));
        }
        bench.measure(&format!("weight {name}"), flops, || boxed(WeightGradient::new(conv, batch, false)));
        if conv.has_winograd() {
            let name = format!("winograd weight {name}");
            bench.measure(&name, flops, || boxed(WeightGradient::new(conv, batch, true)));
        }
    }
    let peak = bench.found[0].1;
    println!("\n{:<40} {:>8} {:>6}   ({level:?}, one thread)", "template", "GFLOP/s", "%");
    for (name, found) in &bench.found {
        println!("{name:<40} {found:>8.1} {:>6.1}", 100.0 * found / peak);
    }
}
