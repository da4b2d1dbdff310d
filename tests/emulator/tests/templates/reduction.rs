//! `random.cuh` and `reduce.cuh`.

use crate::bench::{Bench, Order, bits, numbers, orders, skipped, unit};
use kiln::__private::cpu::{One, philox};
use kiln::__private::cuda::Unit;

const IN_ORDER: Order = Order { blocks: 1, schedule: 0 };

/// All kernels of these tests.
pub fn units() -> Vec<Unit> {
    [vec![random_unit(), warps_unit()], columns_units()].concat()
}

fn random_unit() -> Unit {
    let phase = "const u32* n = reinterpret_cast<const u32*>(launch.arg[0]);
        if (cta == 0 && kiln_thread() < launch.batch) {
          n += 7 * kiln_thread();
          u64 seed = static_cast<u64>(n[1]) << 32 | n[0], step = static_cast<u64>(n[3]) << 32 | n[2];
          launch.arg[1][kiln_thread()] = kiln_random(seed, step, n[4], n[5], n[6]);
        }";
    unit("random_numbers", 2, 0, "", phase)
}

/// The numbers that dropout draws are the CPU's.
#[test]
fn random() {
    if skipped() {
        return;
    }
    // (seed low, seed high, step low, step high, stream, sample, element)
    let counters: [[u32; 7]; 4] = [
        [0, 0, 0, 0, 0, 0, 0],
        [0xA409_3822, 0x299F_31D0, 0x1319_8A2E, 0, 0x0370_7344, 0x85A3_08D3, 0x243F_6A88],
        [42, 0, 7, 1, 3, 63, 511],
        [u32::MAX; 7],
    ];
    let bench = Bench::new(true, &[random_unit()]);
    let found = bench.run(0, &[&counters.concat()], counters.len(), counters.len(), IN_ORDER);
    // SAFETY: it has no conditions.
    let one = unsafe { One::new() };
    for ([seed0, seed1, step, _, stream, sample, element], found) in counters.into_iter().zip(found) {
        let [word, ..] = philox(one, [element, sample, step, stream], [seed0, seed1]);
        assert_eq!(found, (word >> 8) as f32 / 16_777_216.0, "element {element}, sample {sample}, step {step}");
    }
    // Random123's known answers, to be sure of the CPU's.
    assert_eq!(philox(one, [0; 4], [0; 2])[0], 0x6627_E8D5);
    assert_eq!(
        philox(one, [0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344], [0xA409_3822, 0x299F_31D0])[0],
        0xD16C_FE09
    );
}

fn warps_unit() -> Unit {
    let phase = "if (cta == 0) {
          u32 t = kiln_thread();
          float v = launch.arg[0][t], best = v;
          u32 index = t % 32;
          kiln_warp_argmax(best, index);
          launch.arg[1][t] = kiln_warp_sum(v);
          launch.arg[1][256 + t] = kiln_warp_max(v);
          launch.arg[1][512 + t] = best;
          launch.arg[1][768 + t] = static_cast<float>(index);
        }";
    unit("warps", 2, 0, "", phase)
}

#[test]
fn warps() {
    if skipped() {
        return;
    }
    let bench = Bench::new(true, &[warps_unit()]);
    let mut x = numbers(256, 3);
    x[32..64].fill(0.5); // all equal: the first
    x[64..96].fill(-2.0);
    (x[64 + 9], x[64 + 30]) = (1.5, 1.5); // the first of two
    (x[96 + 4], x[96 + 20]) = (f32::NAN, f32::NAN); // the first NaN
    x[128..160].fill(f32::NEG_INFINITY);
    x[160..192].fill(-0.0);
    x[160 + 17] = 0.0;
    for schedule in 0..4 {
        let found = bench.run(0, &[&bits(&x)], 1024, 1, Order { blocks: 1, schedule });
        for (w, values) in x.chunks(32).enumerate() {
            let lanes = |i: usize| &found[256 * i + 32 * w..][..32];
            for i in 0..4 {
                assert!(lanes(i).iter().all(|v| v.to_bits() == lanes(i)[0].to_bits()), "lanes of warp {w} differ");
            }
            let first = |better: fn(f32, f32) -> bool| {
                (1..32).fold(0, |best, i| if better(values[i], values[best]) { i } else { best })
            };
            let best = first(|v, best| v > best || (v.is_nan() && !best.is_nan()));
            assert_eq!(lanes(3)[0], best as f32, "warp {w}: the place of the maximum");
            let same = |found: f32| found == values[best] || (found.is_nan() && values[best].is_nan());
            assert!(same(lanes(1)[0]) && same(lanes(2)[0]), "warp {w}: maxima {} and {}", lanes(1)[0], lanes(2)[0]);
            let sum: f64 = values.iter().map(|&v| f64::from(v)).sum();
            let close = f64::from(lanes(0)[0]) == sum || (f64::from(lanes(0)[0]) - sum).abs() < 1e-5;
            assert!(close || sum.is_nan() && lanes(0)[0].is_nan(), "warp {w}: sum {}, expected {sum}", lanes(0)[0]);
        }
    }
    assert_eq!(bench.run(0, &[&bits(&x)], 1024, 1, IN_ORDER)[256 + 160].to_bits(), 0, "the larger of two zeros");
}

/// Two values per element, their sum and their maximum: the element itself, and its negative.
const BODY: &str = "
struct Body {
  const float* x;
  float* out;
  u32 cols;
  KILN_DEV static constexpr bool maximum(int i) { return i == 1; }
  KILN_DEV void load(u32 row, u32 col, float (&v)[2]) {
    v[0] = x[row * cols + col];
    v[1] = -v[0];
  }
  KILN_DEV void store(u32 chunk, u32 col, const float (&v)[2]) {
    out[(chunk * cols + col) * 2] = v[0];
    out[(chunk * cols + col) * 2 + 1] = v[1];
  }
};";

const WIDTHS: [usize; 6] = [1, 2, 4, 8, 16, 32];

fn columns_units() -> Vec<Unit> {
    WIDTHS
        .iter()
        .map(|width| {
            let phase = format!(
                "const u32* n = reinterpret_cast<const u32*>(launch.arg[0]);
                 Body body{{launch.arg[1], launch.arg[2], n[1]}};
                 kiln_columns<{width}, 2>(body, n[0], n[1], n[2], cta, ctas, shared);"
            );
            unit(&format!("columns_{width}"), 3, 2 * 256 * 4, BODY, &phase)
        })
        .collect()
}

#[test]
fn columns() {
    if skipped() {
        return;
    }
    let bench = Bench::new(true, &columns_units());
    // (rows, columns, chunks)
    let sizes = [(1, 1, 1), (1, 33, 1), (255, 3, 1), (257, 17, 2), (37, 31, 5), (1100, 5, 3), (3, 65, 4), (16, 32, 1)];
    for (kernel, width) in WIDTHS.into_iter().enumerate() {
        for (rows, cols, chunks) in sizes {
            let mut x = numbers(rows * cols, (rows + cols) as u32);
            if rows > 30 {
                x[29 * cols] = f32::NAN; // wins in the first column
            }
            let extents = [rows as u32, cols as u32, chunks as u32];
            let results: Vec<Vec<f32>> = orders()
                .take(4)
                .map(|order| bench.run(kernel, &[&extents, &bits(&x)], 2 * chunks * cols, 1, order))
                .collect();
            let case = format!("width {width}, {rows} rows, {cols} columns, {chunks} chunks");
            assert!(results.iter().all(|result| bits(result) == bits(&results[0])), "{case}: blocks matter");
            let run = rows.div_ceil(chunks);
            for (i, found) in results[0].chunks(2).enumerate() {
                let (chunk, col) = (i / cols, i % cols);
                let column = || (chunk * run..((chunk + 1) * run).min(rows)).map(|row| x[row * cols + col]);
                let sum: f64 = column().map(f64::from).sum();
                let largest = column()
                    .fold(f32::NEG_INFINITY, |m, v| if m.is_nan() || v.is_nan() { f32::NAN } else { m.max(-v) });
                let right = if sum.is_nan() {
                    found[0].is_nan() && found[1].is_nan()
                } else {
                    (f64::from(found[0]) - sum).abs() < 1e-5 * (run as f64) && found[1] == largest
                };
                assert!(right, "{case}: chunk {chunk}, column {col}: {found:?}, expected {sum} and {largest}");
            }
        }
    }
}
