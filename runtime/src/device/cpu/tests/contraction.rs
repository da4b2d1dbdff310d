use super::*;

struct Case<'a> {
    d: &'static Gemm,
    a: &'a [f32],
    b: &'a [f32],
    batch: usize,
    place: Place,
}

impl Run for Case<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&mut self, s: S) {
        for task in 0..gemm_tasks(self.d, self.batch) {
            // SAFETY: the test sized the buffers.
            unsafe { gemm(s, self.d, self.a.as_ptr(), self.b.as_ptr(), self.batch, task, Store(self.place)) }
        }
    }
}

/// Rows × k times k × columns, with tasks in both orders.
fn linear(
    rows: usize,
    inputs: usize,
    outputs: usize,
    row_task: usize,
    block_task: usize,
    batch_rows: bool,
) -> Vec<(Level, Vec<f32>)> {
    let mut numbers = Numbers((rows * 1000 + inputs * 10 + outputs) as u64);
    let (x, w) = (numbers.vec(rows * inputs), numbers.vec(outputs * inputs));
    let blocks = outputs.div_ceil(BLOCK);
    let weight = packed(&w, 1, outputs, inputs);
    let mut results = Vec::new();
    for by_rows in [false, true] {
        let d: &'static Gemm = Box::leak(Box::new(Gemm {
            rows: if batch_rows { Count::Batch(1) } else { Count::Fixed(rows) },
            blocks,
            a_row: inputs,
            b_block: inputs * BLOCK,
            k: [Digit::NONE, Digit::NONE, Digit { count: Count::Fixed(inputs), a: 1, b: BLOCK }],
            tail: 0,
            row_task,
            block_task,
            by_rows,
        }));
        for level in all_levels() {
            let mut y = vec![f32::NAN; rows * blocks * BLOCK];
            let place = Place { to: y.as_mut_ptr(), sample: blocks * BLOCK, pixels: 1 };
            run_at(level, &mut Case { d, a: &x, b: &weight, batch: rows, place });
            for r in 0..rows {
                for o in 0..outputs {
                    let terms = || (0..inputs).map(|i| f64::from(x[r * inputs + i]) * f64::from(w[o * inputs + i]));
                    let got = y[r * blocks * BLOCK + o];
                    close(got, terms().sum(), terms().map(f64::abs).sum(), &(level, rows, inputs, outputs, r, o));
                }
            }
            results.push((level, y));
        }
    }
    same_bits(&results);
    results
}

/// Rows whole pages apart are copied side by side, those of a task together or of a tile alone; a task of few rows reads them as they lie. None of it shows in the bits.
#[test]
fn rows_whole_pages_apart() {
    for (rows, inputs, outputs) in [(100, 1024, 100), (7, 2048, 40), (25, 3072, 17)] {
        let one = linear(rows, inputs, outputs, 1, 2, true);
        for (row_task, block_task) in [(96, 6), (96, 2), (100, 6), (24, 8)] {
            for ((level, one), (_, other)) in one.iter().zip(linear(rows, inputs, outputs, row_task, block_task, true))
            {
                let same = one.iter().zip(&other).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan());
                assert!(same, "{level:?} {rows} {inputs} {outputs}, tasks of {row_task} × {block_task}");
            }
        }
    }
}

/// Products of one sign: the worst that rounding can do to a long sum.
#[test]
fn a_long_product_is_as_exact_as_a_short_one() {
    const X: f32 = 1.1;
    const W: f32 = 0.7;
    for (rows, inputs) in [(5, 20_000), (9, 20 * 1024)] {
        let d: &'static Gemm = Box::leak(Box::new(Gemm {
            rows: Count::Batch(1),
            blocks: 3,
            a_row: inputs,
            b_block: inputs * BLOCK,
            k: [Digit::NONE, Digit::NONE, Digit { count: Count::Fixed(inputs), a: 1, b: BLOCK }],
            tail: 0,
            row_task: 96,
            block_task: 6,
            by_rows: false,
        }));
        let (x, w) = (vec![X; rows * inputs], vec![W; 3 * inputs * BLOCK]);
        let mut results = Vec::new();
        for level in all_levels() {
            let mut y = vec![f32::NAN; rows * 3 * BLOCK];
            let place = Place { to: y.as_mut_ptr(), sample: 3 * BLOCK, pixels: 1 };
            run_at(level, &mut Case { d, a: &x, b: &w, batch: rows, place });
            let expected = f64::from(X) * f64::from(W) * inputs as f64;
            for found in &y {
                let error = (f64::from(*found) - expected).abs() / expected;
                assert!(error <= 1e-6, "{level:?}, {inputs}: {found} instead of {expected}, off by {error:e}");
            }
            results.push((level, y));
        }
        same_bits(&results);
    }
}

#[test]
fn every_tile_edge() {
    for rows in 1..=27 {
        for blocks in [1, 2, 3, 4, 5, 7] {
            linear(rows, 19, blocks * BLOCK - 3, 64, 64, true);
        }
    }
    linear(37, 1, 5, 12, 1, false);
    linear(37, 784, 40, 12, 2, false);
    linear(64, 257, 130, 24, 4, true);
    linear(1, 300, 1000, 1, 8, true);
}

#[test]
fn digits_and_tail() {
    // k = (block, pixel, channel lane) of a blocked image with 21 channels and 6 pixels; NaN in its last lanes.
    let (batch, channels, pixels, outputs) = (13, 21, 6, 18);
    let mut numbers = Numbers(7);
    let (x, w) = (numbers.vec(batch * channels * pixels), numbers.vec(outputs * channels * pixels));
    let image = blocked(&x, batch, channels, pixels);
    let parts = channels.div_ceil(BLOCK);
    let mut weight = vec![0.0; 2 * parts * pixels * BLOCK * BLOCK];
    for o in 0..outputs {
        for c in 0..channels {
            for p in 0..pixels {
                let at = ((o / BLOCK * parts + c / BLOCK) * pixels + p) * BLOCK + c % BLOCK;
                weight[at * BLOCK + o % BLOCK] = w[(o * channels + c) * pixels + p];
            }
        }
    }
    let d: &'static Gemm = Box::leak(Box::new(Gemm {
        rows: Count::Batch(1),
        blocks: 2,
        a_row: parts * pixels * BLOCK,
        b_block: parts * pixels * BLOCK * BLOCK,
        k: [
            Digit { count: Count::Fixed(parts), a: pixels * BLOCK, b: pixels * BLOCK * BLOCK },
            Digit { count: Count::Fixed(pixels), a: BLOCK, b: BLOCK * BLOCK },
            Digit { count: Count::Fixed(BLOCK), a: 1, b: BLOCK },
        ],
        tail: channels - BLOCK,
        row_task: 5,
        block_task: 1,
        by_rows: false,
    }));
    for level in all_levels() {
        let mut y = vec![f32::NAN; batch * 2 * BLOCK];
        let place = Place { to: y.as_mut_ptr(), sample: 2 * BLOCK, pixels: 1 };
        run_at(level, &mut Case { d, a: &image, b: &weight, batch, place });
        let inner = channels * pixels;
        for n in 0..batch {
            for o in 0..outputs {
                let terms = || (0..inner).map(|i| f64::from(x[n * inner + i]) * f64::from(w[o * inner + i]));
                close(y[n * 2 * BLOCK + o], terms().sum(), terms().map(f64::abs).sum(), &(level, n, o));
            }
        }
    }
}
