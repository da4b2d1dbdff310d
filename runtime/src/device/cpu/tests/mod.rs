//! Every template and function against a plain loop in f64, at all levels of the machine, on dirty memory.

mod contraction;
mod convolution;
mod dense;
mod lanes;
mod levels;
mod maths;
mod moments;
mod totals;
mod windows;
mod winograd;

use super::*;

/// What a test does at one level.
trait Run {
    unsafe fn run<S: Simd>(&mut self, s: S);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn run_avx2(r: &mut impl Run) {
    // SAFETY: `run_at` has checked the level.
    unsafe { r.run(Avx2::new()) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn run_avx512(r: &mut impl Run) {
    // SAFETY: `run_at` has checked the level.
    unsafe { r.run(Avx512::new()) }
}

fn run_at(level: Level, r: &mut impl Run) {
    assert!(level <= best());
    // SAFETY: the processor has the level.
    unsafe {
        match level {
            Level::Portable => r.run(Portable::new()),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => run_avx2(r),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => run_avx512(r),
            #[cfg(not(target_arch = "x86_64"))]
            _ => unreachable!(),
        }
    }
}

fn all_levels() -> impl Iterator<Item = Level> {
    Level::ALL.into_iter().filter(|level| *level <= best())
}

/// Numbers in [-1, 1) that are the same every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn vec(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.next()).collect()
    }
}

/// Channels-first tensor per sample → blocks of 16, NaN in the lanes beyond.
fn blocked(canonical: &[f32], samples: usize, channels: usize, pixels: usize) -> Vec<f32> {
    let blocks = channels.div_ceil(BLOCK);
    let mut out = vec![f32::NAN; samples * blocks * pixels * BLOCK];
    for n in 0..samples {
        for c in 0..channels {
            for p in 0..pixels {
                out[((n * blocks + c / BLOCK) * pixels + p) * BLOCK + c % BLOCK] =
                    canonical[(n * channels + c) * pixels + p];
            }
        }
    }
    out
}

/// As `blocked`, with zeros in the lanes beyond.
fn packed(canonical: &[f32], samples: usize, channels: usize, pixels: usize) -> Vec<f32> {
    blocked(canonical, samples, channels, pixels).into_iter().map(|x| if x.is_nan() { 0.0 } else { x }).collect()
}

/// `|got - want|` against `scale`, the sum of the absolute terms.
fn close(got: f32, want: f64, scale: f64, what: &dyn std::fmt::Debug) {
    assert!((f64::from(got) - want).abs() <= 1e-6 * scale + 1e-30, "{what:?}: got {got}, want {want}");
}

/// AVX2 and AVX-512 must agree to the bit.
fn same_bits(results: &[(Level, Vec<f32>)]) {
    let vectors: Vec<_> = results.iter().filter(|(level, _)| *level != Level::Portable).collect();
    for pair in vectors.windows(2) {
        for (i, (a, b)) in pair[0].1.iter().zip(&pair[1].1).enumerate() {
            assert!(a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()), "element {i}: {a:?} and {b:?}");
        }
    }
}
