//! What the machine itself can do: f32 fused multiply-add peak and memory bandwidth. The three
//! numeric columns carry the rate named in the mode column (gflops or gbps), not milliseconds.
use peers::*;
use std::hint::black_box;
use std::time::Instant;

/// Runs `f(thread)` on `n` threads at once and returns the seconds from the first start
/// to the last end, each taken on its own thread.
fn on_threads<F: Fn(usize) + Sync>(n: usize, f: F) -> f64 {
    let gate = std::sync::Barrier::new(n);
    let spans: Vec<(Instant, Instant)> = std::thread::scope(|s| {
        let hs: Vec<_> = (0..n)
            .map(|i| {
                let (f, gate) = (&f, &gate);
                s.spawn(move || {
                    gate.wait();
                    let t = Instant::now();
                    f(i);
                    (t, Instant::now())
                })
            })
            .collect();
        hs.into_iter().map(|h| h.join().unwrap()).collect()
    });
    let start = spans.iter().map(|s| s.0).min().unwrap();
    let end = spans.iter().map(|s| s.1).max().unwrap();
    (end - start).as_secs_f64()
}

fn rates(reps: usize, mut f: impl FnMut() -> f64) -> (f64, f64, f64) {
    f();
    let mut v: Vec<f64> = (0..reps).map(|_| f()).collect();
    v.sort_by(f64::total_cmp);
    (v[reps / 2], v[0], v[reps - 1])
}

#[cfg(target_arch = "x86_64")]
mod fma {
    use std::arch::x86_64::*;

    /// 24 independent chains of 16-lane multiply-adds; flops = n * 24 * 16 * 2.
    #[target_feature(enable = "avx512f")]
    pub fn avx512(n: u64) -> f32 {
        let (a, b) = (_mm512_set1_ps(0.999_999), _mm512_set1_ps(1e-6));
        let mut c: [__m512; 24] = std::hint::black_box(std::array::from_fn(|i| _mm512_set1_ps(i as f32)));
        for _ in 0..n {
            for x in c.iter_mut() {
                *x = _mm512_fmadd_ps(*x, a, b);
            }
        }
        c.iter().map(|&x| _mm512_reduce_add_ps(x)).sum()
    }

    /// 12 independent chains of 8-lane multiply-adds; flops = n * 12 * 8 * 2.
    #[target_feature(enable = "avx2,fma")]
    pub fn avx2(n: u64) -> f32 {
        let (a, b) = (_mm256_set1_ps(0.999_999), _mm256_set1_ps(1e-6));
        let mut c: [__m256; 12] = std::hint::black_box(std::array::from_fn(|i| _mm256_set1_ps(i as f32)));
        for _ in 0..n {
            for x in c.iter_mut() {
                *x = _mm256_fmadd_ps(*x, a, b);
            }
        }
        let mut s = _mm256_setzero_ps();
        for x in c {
            s = _mm256_add_ps(s, x);
        }
        let mut o = [0f32; 8];
        // SAFETY: the array has room for eight floats.
        unsafe { _mm256_storeu_ps(o.as_mut_ptr(), s) };
        o.iter().sum()
    }
}

const V: &str = "-";
fn put(peer: &str, version: &str, what: &str, unit: &str, t: (f64, f64, f64), th: usize) {
    line(peer, version, what, unit, 0, t, th);
}

fn main() {
    let only = |what: &str| std::env::args().skip(1).any(|a| a == what) || std::env::args().len() == 1;

    if only("fma") {
        for th in [1, 2] {
            let n = 40_000_000u64;
            #[cfg(target_arch = "x86_64")]
            {
                if is_x86_feature_detected!("avx512f") {
                    let r = rates(9, || {
                        let s = on_threads(th, |_| {
                            // SAFETY: the feature was detected above.
                            black_box(unsafe { fma::avx512(black_box(n)) });
                        });
                        (n * 24 * 16 * 2) as f64 * th as f64 / s / 1e9
                    });
                    put("limit", V, "fma_f32_avx512", "gflops", r, th);
                }
                let r = rates(9, || {
                    let s = on_threads(th, |_| {
                        // SAFETY: this program measures processors with AVX2 only.
                        black_box(unsafe { fma::avx2(black_box(n)) });
                    });
                    (n * 12 * 8 * 2) as f64 * th as f64 / s / 1e9
                });
                put("limit", V, "fma_f32_avx2", "gflops", r, th);
            }
        }
    }

    if only("stream") {
        // three arrays of 256 MiB, each thread on its half; bytes counted as STREAM does
        // (no write-allocate traffic)
        let n = 64 << 20;
        let mut a = vec![1f32; n];
        let b = vec![2f32; n];
        let c = vec![3f32; n];
        for th in [1usize, 2] {
            let h = n / th;
            let pa = a.as_mut_ptr() as usize;
            // SAFETY: `a` outlives the loop, each thread takes a part of its own, and `th` parts of `h` are at most `n` floats.
            let part = |i: usize| unsafe { std::slice::from_raw_parts_mut((pa as *mut f32).add(i * h), h) };
            let r = rates(9, || {
                let s = on_threads(th, |i| {
                    let (x, y, z) = (part(i), &b[i * h..][..h], &c[i * h..][..h]);
                    for ((x, y), z) in x.iter_mut().zip(y).zip(z) {
                        *x = *y + 3.0 * *z;
                    }
                    black_box(x);
                });
                (n * 12) as f64 / s / 1e9
            });
            put("limit", V, "stream_triad", "gbps", r, th);
            let r = rates(9, || {
                let s = on_threads(th, |i| {
                    part(i).copy_from_slice(&b[i * h..][..h]);
                    black_box(part(i));
                });
                (n * 8) as f64 / s / 1e9
            });
            put("limit", V, "stream_copy", "gbps", r, th);
            let r = rates(9, || {
                let s = on_threads(th, |i| {
                    let mut acc = [0f32; 64];
                    for y in b[i * h..][..h].chunks_exact(64) {
                        for (a, y) in acc.iter_mut().zip(y) {
                            *a += *y;
                        }
                    }
                    black_box(acc);
                });
                (n * 4) as f64 / s / 1e9
            });
            put("limit", V, "stream_read", "gbps", r, th);
        }
    }
}
