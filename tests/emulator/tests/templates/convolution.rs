//! `conv.cuh`: forward, input gradient and weight gradient against loops over the definition.

use crate::bench::Precision::{Bf16, F32, Tf32};
use crate::bench::{Bench, Order, Precision, Tile, bits, numbers, orders, skipped, unit};
use kiln::__private::cuda::Unit;

/// Pairs are (y, x).
#[derive(Clone, Copy, Debug)]
struct Case {
    channels: usize,
    outputs: usize,
    image: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    /// How the image lies: channels last, or planes.
    last: bool,
    tile: Tile,
    precision: Precision,
}

const SLICED: Tile = Tile::new(16, 16, 64, [1, 1, 8], 1);
const SMALL: Tile = Tile::new(32, 32, 32, [2, 2, 2], 2);
const LARGE: Tile = Tile::new(64, 64, 16, [2, 4, 1], 3);

impl Case {
    /// Stride 1, no padding, no dilation, channels last, exact.
    const fn new(channels: usize, outputs: usize, image: [usize; 2], kernel: [usize; 2]) -> Self {
        Case {
            channels,
            outputs,
            image,
            kernel,
            stride: [1, 1],
            padding: [0, 0],
            dilation: [1, 1],
            last: true,
            tile: LARGE,
            precision: Precision::F32,
        }
    }

    const fn stride(self, stride: [usize; 2]) -> Self {
        Case { stride, ..self }
    }

    const fn padding(self, padding: [usize; 2]) -> Self {
        Case { padding, ..self }
    }

    const fn dilation(self, dilation: [usize; 2]) -> Self {
        Case { dilation, ..self }
    }

    const fn planes(self) -> Self {
        Case { last: false, ..self }
    }

    const fn by(self, tile: Tile, precision: Precision) -> Self {
        Case { tile, precision, ..self }
    }

    fn output(&self, axis: usize) -> usize {
        let reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
        (self.image[axis] + 2 * self.padding[axis] - reach) / self.stride[axis] + 1
    }

    fn pixels(&self) -> usize {
        self.output(0) * self.output(1)
    }

    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.channels
    }

    /// Strides of sample, channel, row and column of the image.
    fn strides(&self) -> [usize; 4] {
        let ([h, w], c) = (self.image, self.channels);
        if self.last { [h * w * c, 1, w * c, c] } else { [h * w * c, h * w, w, 1] }
    }

    fn geometry(&self) -> String {
        let ([h, w], [kh, kw], [sh, sw]) = (self.image, self.kernel, self.stride);
        let ([ph, pw], [dh, dw]) = (self.padding, self.dilation);
        format!(
            "struct G {{ enum : u32 {{ C = {}, O = {}, H = {h}, W = {w}, OH = {}, OW = {}, KH = {kh}, KW = {kw}, SH = {sh}, \
             SW = {sw}, PH = {ph}, PW = {pw}, DH = {dh}, DW = {dw} }}; }};
             template <u32 COLS> struct Sink {{
               static constexpr bool WHOLE_TILE = false;
               float* d;
               u32 rows;
               KILN_DEV void element(u32 split, u32 row, u32 col, float sum) {{ d[(split * rows + row) * COLS + col] = sum; }}
             }};",
            self.channels,
            self.outputs,
            self.output(0),
            self.output(1),
        )
    }

    /// Forward, weight gradient in two splits, input gradient.
    fn units(&self, number: usize) -> [Unit; 3] {
        let four = |extent: usize| if extent.is_multiple_of(4) { 4 } else { 1 };
        let [sample, channel, row, column] = self.strides();
        let patches = if self.last { four(self.channels) } else { 1 };
        let image = format!("G, {sample}, {channel}, {row}, {column}, {patches}");
        let (tile, precision) = (self.tile.name(), self.precision.name());
        let (taps, pixels, outputs) = (self.taps(), self.pixels(), self.outputs);
        let unit = |role: &str, a_along_k, b_along_k, phase: String| {
            let shared = self.tile.shared(a_along_k, b_along_k, false);
            unit(&format!("conv_{role}_{number}"), 3, shared, &self.geometry(), &phase)
        };
        let forward = format!(
            "Sink<{outputs}> sink{{launch.arg[2], launch.batch * {pixels}u}};
             kiln_gemm<{tile}, {precision}>(KilnPatches<{image}>{{launch.arg[0]}}, \
             KilnMatrix<{taps}, 1, {}>{{launch.arg[1]}}, sink, sink.rows, {outputs}, {taps}, 1, cta, ctas, shared);",
            four(taps),
        );
        let weight = format!(
            "Sink<{taps}> sink{{launch.arg[2], {outputs}}};
             kiln_gemm<{tile}, {precision}>(KilnMatrix<1, {outputs}, {}>{{launch.arg[0]}}, \
             KilnPatchColumns<{image}>{{launch.arg[1]}}, sink, {outputs}, {taps}, launch.batch * {pixels}u, 2, cta, ctas, \
             shared);",
            four(outputs),
        );
        let input = format!(
            "Sink<{}> sink{{launch.arg[2], 0}};
             kiln_conv_input<{tile}, {precision}, G, {}, {}, {}>(launch.arg[0], launch.arg[1], sink, launch.batch, cta, \
             ctas, shared);",
            self.channels,
            pixels * outputs,
            four(outputs),
            four(self.channels),
        );
        [unit("forward", true, true, forward), unit("weight", false, false, weight), unit("input", true, false, input)]
    }

    /// Calls f(image element, weight, output element, input gradient's element) for every product of the convolution.
    fn products(&self, batch: usize, mut f: impl FnMut(usize, usize, usize, usize)) {
        let [sample, channel, row, column] = self.strides();
        let ([h, w], [oh, ow], c) = (self.image, [self.output(0), self.output(1)], self.channels);
        let axis = |axis: usize, o: usize, k: usize| {
            (o * self.stride[axis] + k * self.dilation[axis])
                .checked_sub(self.padding[axis])
                .filter(|&i| i < self.image[axis])
        };
        for at in 0..batch * oh * ow * self.kernel[0] * self.kernel[1] {
            let (pixel, tap) = (at / (self.kernel[0] * self.kernel[1]), at % (self.kernel[0] * self.kernel[1]));
            let (n, oy, ox) = (pixel / (oh * ow), pixel / ow % oh, pixel % ow);
            let (ky, kx) = (tap / self.kernel[1], tap % self.kernel[1]);
            let (Some(y), Some(x)) = (axis(0, oy, ky), axis(1, ox, kx)) else { continue };
            for ci in 0..c {
                for o in 0..self.outputs {
                    let image = n * sample + ci * channel + y * row + x * column;
                    let weight = (o * self.kernel[0] * self.kernel[1] + tap) * c + ci;
                    f(image, weight, pixel * self.outputs + o, ((n * h + y) * w + x) * c + ci);
                }
            }
        }
    }

    fn check(&self, bench: &Bench, number: usize, batch: usize, order: Order) {
        let image = batch * self.channels * self.image[0] * self.image[1];
        let (x, w) = (numbers(image, 1), numbers(self.outputs * self.taps(), 2));
        let dy = numbers(batch * self.pixels() * self.outputs, 3);
        let round = |x: f32| f64::from(self.precision.round(x));
        // Sums, and the sums of absolute values, which say how exact they can be.
        let mut expected = [x.len(), w.len(), dy.len()].map(|n| vec![(0.0f64, 0.0f64); n]);
        self.products(batch, |i, j, k, l| {
            for (role, at, term) in [
                (2, k, round(x[i]) * round(w[j])),
                (1, j, round(x[i]) * round(dy[k])),
                (0, l, round(w[j]) * round(dy[k])),
            ] {
                let sum = &mut expected[role][at];
                *sum = (sum.0 + term, sum.1 + term.abs());
            }
        });
        let compare = |role: &str, found: &[f32], expected: &[(f64, f64)]| {
            for (i, (&found, &(sum, size))) in found.iter().zip(expected).enumerate() {
                let right = (f64::from(found) - sum).abs() <= 2e-6 * size;
                assert!(right, "{role} of {self:?}, {order:?}: element {i} is {found}, expected {sum}");
            }
        };
        let (x, w, dy) = (bits(&x), bits(&w), bits(&dy));
        let forward = bench.run(3 * number, &[&x, &w], dy.len(), batch, order);
        compare("forward", &forward, &expected[2]);
        let halves = bench.run(3 * number + 1, &[&dy, &x], 2 * w.len(), batch, order);
        let weight: Vec<f32> = (0..w.len()).map(|i| halves[i] + halves[w.len() + i]).collect();
        compare("weight gradient", &weight, &expected[1]);
        let input = bench.run(3 * number + 2, &[&dy, &w], x.len(), batch, order);
        compare("input gradient", &input, &expected[0]);
    }
}

fn units_of(cases: &[Case]) -> Vec<Unit> {
    cases.iter().enumerate().flat_map(|(i, case)| case.units(i)).collect()
}

/// Every geometry in its three roles.
pub fn units() -> Vec<Unit> {
    units_of(&[PADDED, DILATED].concat())
}

fn run(cases: &[Case], checked: bool) {
    if skipped() {
        return;
    }
    let bench = Bench::new(checked, &units_of(cases));
    let mut orders = orders();
    for (i, case) in cases.iter().enumerate() {
        for batch in if checked { &[2][..] } else { &[1, 3] } {
            case.check(&bench, i, *batch, orders.next().expect("there are always more"));
        }
    }
}

const PADDED: &[Case] = &[
    Case::new(3, 5, [7, 6], [3, 3]).padding([1, 1]).planes().by(SLICED, F32),
    Case::new(1, 6, [9, 9], [5, 5]).padding([2, 2]).planes().by(SLICED, Tf32),
    Case::new(8, 12, [9, 7], [3, 3]).padding([1, 1]),
    Case::new(8, 12, [9, 7], [3, 3]).stride([2, 2]).padding([1, 1]).by(LARGE, Tf32),
    Case::new(8, 12, [8, 10], [3, 3]).stride([2, 2]).padding([1, 1]).by(SMALL, Bf16),
    Case::new(4, 8, [11, 10], [3, 2]).stride([3, 2]).padding([1, 0]).by(SLICED, Bf16),
    Case::new(3, 8, [17, 15], [7, 7]).stride([2, 2]).padding([3, 3]).planes().by(SMALL, Tf32),
    // No window covers the last rows and columns.
    Case::new(4, 4, [12, 11], [2, 2]).stride([5, 4]).by(SMALL, F32),
];

#[test]
fn strides_and_padding() {
    run(PADDED, false);
}

const DILATED: &[Case] = &[
    Case::new(5, 4, [12, 13], [3, 3]).stride([2, 2]).padding([0, 1]).dilation([2, 2]),
    Case::new(5, 4, [17, 13], [3, 3]).stride([3, 3]).padding([2, 4]).dilation([2, 3]).by(SLICED, F32),
    Case::new(4, 8, [21, 19], [3, 4]).stride([4, 6]).padding([1, 2]).dilation([6, 4]).by(SMALL, Tf32),
    Case::new(4, 8, [10, 10], [1, 1]).by(LARGE, Tf32),
    Case::new(4, 8, [10, 9], [1, 1]).stride([2, 3]).by(LARGE, Bf16),
    // The kernel is as large as the image.
    Case::new(4, 8, [5, 6], [5, 6]).by(SLICED, Tf32),
    Case::new(4, 8, [5, 6], [5, 6]).stride([4, 5]).by(SLICED, F32),
    Case::new(4, 4, [1, 3], [1, 1]).stride([2, 2]),
];

#[test]
fn dilation_and_edges() {
    run(DILATED, false);
}

const CHECKED: &[Case] = &[
    Case::new(1, 6, [9, 9], [5, 5]).padding([2, 2]).planes().by(SLICED, F32),
    Case::new(8, 12, [9, 7], [3, 3]).stride([2, 2]).padding([1, 1]).by(LARGE, Tf32),
    Case::new(4, 8, [9, 8], [3, 2]).stride([3, 2]).padding([1, 0]).dilation([1, 2]).by(SMALL, Bf16),
];

#[test]
fn checked() {
    run(CHECKED, true);
}
