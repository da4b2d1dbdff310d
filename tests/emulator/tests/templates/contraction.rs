//! `gemm.cuh`.

use crate::bench::{Bench, Order, Precision, Tile, bits, numbers, orders, skipped, unit};
use kiln::__private::cuda::Unit;

/// Operands with strides that are given when the kernel runs, and sinks that store every split. The first argument holds
/// rows, columns, depth, splits, and the strides (row, k) of both operands.
const OPERANDS: &str = "
template <int VECTOR_, bool ALONG> struct Operand {
  static constexpr int VECTOR = VECTOR_;
  static constexpr bool K_CONTIGUOUS = ALONG;
  const float* p;
  u32 row_stride, k_stride;
  KILN_DEV const float* at(u32 row, u32 k, bool&) const { return p + (row * row_stride + k * k_stride); }
};
struct Elements {
  static constexpr bool WHOLE_TILE = false;
  float* d;
  u32 rows, cols;
  KILN_DEV void element(u32 split, u32 row, u32 col, float sum) { d[(split * rows + row) * cols + col] = sum; }
};
struct Tiles {
  static constexpr bool WHOLE_TILE = true;
  float* d;
  u32 rows, cols, split;
  KILN_DEV float element(u32 s, u32, u32, float sum) { split = s; return sum; }
  KILN_DEV void tile(u32 row0, u32 rows_, u32 col0, u32 cols_, const float* values, u32 pitch) {
    for (u32 i = kiln_thread(); i < rows_ * cols_; i += KILN_THREADS) {
      u32 r = i / cols_, c = i % cols_;
      d[(row0 + r) * cols + col0 + c] = values[r * pitch + c];
    }
  }
};";

/// One instantiation.
#[derive(Clone, Copy, Debug)]
struct Form {
    tile: Tile,
    precision: Precision,
    /// Contiguous along k.
    along: [bool; 2],
    vector: [usize; 2],
    whole: bool,
}

impl Form {
    fn unit(&self, name: &str) -> Unit {
        let operand = |i: usize| format!("Operand<{}, {}>", self.vector[i], self.along[i]);
        let phase = format!(
            "const u32* n = reinterpret_cast<const u32*>(launch.arg[0]);
             {} sink{{launch.arg[3], n[0], n[1]}};
             kiln_gemm<{}, {}>({}{{launch.arg[1], n[4], n[5]}}, {}{{launch.arg[2], n[6], n[7]}}, sink, n[0], n[1], n[2], \
             n[3], cta, ctas, shared);",
            if self.whole { "Tiles" } else { "Elements" },
            self.tile.name(),
            self.precision.name(),
            operand(0),
            operand(1),
        );
        unit(name, 4, self.tile.shared(self.along[0], self.along[1], self.whole), OPERANDS, &phase)
    }

    /// The strides (row, k) of an operand of so many rows, and its elements.
    fn operand(&self, i: usize, rows: usize, depth: usize) -> ([usize; 2], Vec<f32>) {
        let strides = if self.along[i] { [depth, 1] } else { [1, rows] };
        (strides, numbers(rows * depth, (rows * 31 + depth * 7 + i) as u32))
    }

    /// Compares the product of one size with its definition.
    fn check(&self, bench: &Bench, kernel: usize, mut size: [usize; 3], splits: usize, order: Order) {
        // Extents along which four are read at a time are multiples of four.
        for i in 0..2 {
            let axis = if self.along[i] { 2 } else { i };
            size[axis] = size[axis].next_multiple_of(self.vector[i]);
        }
        let [rows, cols, depth] = size;
        let splits = if self.whole { 1 } else { splits };
        let (a_strides, a) = self.operand(0, rows, depth);
        let (b_strides, b) = self.operand(1, cols, depth);
        let extents: Vec<u32> =
            [rows, cols, depth, splits].iter().chain(&a_strides).chain(&b_strides).map(|&n| n as u32).collect();
        let found = bench.run(kernel, &[&extents, &bits(&a), &bits(&b)], splits * rows * cols, 1, order);
        let at = |x: &[f32], strides: [usize; 2], row: usize, k: usize| {
            self.precision.round(x[row * strides[0] + k * strides[1]])
        };
        let range = depth.div_ceil(self.tile.bk).div_ceil(splits) * self.tile.bk;
        for (i, &found) in found.iter().enumerate() {
            let (split, row, col) = (i / (rows * cols), i / cols % rows, i % cols);
            let (mut chain, mut sum, mut size_of_terms) = (0.0f32, 0.0f64, 0.0f64);
            for k in (split * range).min(depth)..((split + 1) * range).min(depth) {
                let (x, y) = (at(&a, a_strides, row, k), at(&b, b_strides, col, k));
                chain = x.mul_add(y, chain);
                sum += f64::from(x) * f64::from(y);
                size_of_terms += (f64::from(x) * f64::from(y)).abs();
            }
            let exact = self.precision == Precision::F32 && self.tile.warps[2] == 1;
            let right = if exact { found == chain } else { (f64::from(found) - sum).abs() <= 1e-6 * size_of_terms };
            assert!(
                right,
                "{self:?}, {size:?} in {splits} splits, {order:?}: ({split}, {row}, {col}) is {found}, expected {sum}"
            );
        }
    }
}

const SMALL: [Tile; 5] = [
    Tile::new(16, 16, 128, [1, 1, 8], 1),
    Tile::new(16, 32, 64, [1, 1, 8], 2),
    Tile::new(32, 32, 64, [2, 1, 4], 2),
    Tile::new(16, 64, 32, [1, 8, 1], 3),
    Tile::new(16, 64, 64, [1, 4, 2], 3),
];

const LARGE: [Tile; 5] = [
    Tile::new(64, 64, 16, [2, 4, 1], 4),
    Tile::new(64, 64, 32, [2, 4, 1], 3),
    Tile::new(128, 16, 16, [8, 1, 1], 3),
    Tile::new(128, 64, 32, [4, 2, 1], 3),
    Tile::new(128, 128, 16, [2, 4, 1], 3),
];

/// All orders of both operands for a tile and all precisions; vectors and sinks take turns.
fn forms(tiles: &[Tile]) -> Vec<Form> {
    let mut forms = Vec::new();
    for (t, &tile) in tiles.iter().enumerate() {
        for precision in Precision::ALL {
            for (i, along) in [[true, true], [true, false], [false, true], [false, false]].into_iter().enumerate() {
                let four = |j: usize| if (i >> j ^ i ^ t) & 1 == 0 { 4 } else { 1 };
                forms.push(Form { tile, precision, along, vector: [four(0), four(1)], whole: (i + t) % 2 == 1 });
            }
        }
    }
    forms
}

fn units_of(forms: &[Form]) -> Vec<Unit> {
    forms.iter().enumerate().map(|(i, form)| form.unit(&format!("gemm_{i}"))).collect()
}

/// Every tile in every form.
pub fn units() -> Vec<Unit> {
    units_of(&forms(&[SMALL, LARGE].concat()))
}

/// (rows, columns, depth) and splits, around the tile's edges.
fn sizes(tile: Tile) -> [([usize; 3], usize); 8] {
    let Tile { bm, bn, bk, .. } = tile;
    [
        ([1, 1, 1], 1),
        ([15, 17, 16], 1),
        ([16, 33, 15], 2),
        ([33, 16, 17], 1),
        ([bm - 1, bn + 1, bk - 1], 1),
        ([bm + 1, bn - 1, bk + 1], 2),
        ([bm, bn, 3 * bk], 5),
        ([37, 101, 2 * bk + 5], 3),
    ]
}

#[test]
fn small_tiles() {
    every_form(&SMALL);
}

#[test]
fn large_tiles() {
    every_form(&LARGE);
}

fn every_form(tiles: &[Tile]) {
    if skipped() {
        return;
    }
    let forms = forms(tiles);
    let bench = Bench::new(false, &units_of(&forms));
    let mut orders = orders();
    for (i, form) in forms.iter().enumerate() {
        for (size, splits) in sizes(form.tile) {
            form.check(&bench, i, size, splits, orders.next().expect("there are always more"));
        }
    }
}

#[test]
fn checked() {
    if skipped() {
        return;
    }
    let forms = forms(&[SMALL[0], SMALL[2], LARGE[0]]);
    let bench = Bench::new(true, &units_of(&forms));
    let mut orders = orders();
    for (i, form) in forms.iter().enumerate() {
        for (size, splits) in [([37, 17, 131], 2), ([17, 65, 33], 1)] {
            form.check(&bench, i, size, splits, orders.next().expect("there are always more"));
        }
    }
}

/// The same bits for any number of blocks and any order of threads.
#[test]
fn blocks_and_schedules() {
    if skipped() {
        return;
    }
    let forms = forms(&[SMALL[1]]);
    let bench = Bench::new(false, &units_of(&forms));
    let extents = [68u32, 36, 132, 1];
    for (i, form) in forms.iter().enumerate() {
        let (a_strides, a) = form.operand(0, 68, 132);
        let (b_strides, b) = form.operand(1, 36, 132);
        let extents: Vec<u32> =
            extents.iter().copied().chain(a_strides.iter().chain(&b_strides).map(|&n| n as u32)).collect();
        let results: Vec<Vec<u32>> = orders()
            .take(12)
            .map(|order| bits(&bench.run(i, &[&extents, &bits(&a), &bits(&b)], 68 * 36, 1, order)))
            .collect();
        assert!(results.iter().all(|result| *result == results[0]), "{form:?} depends on blocks or schedule");
    }
}
