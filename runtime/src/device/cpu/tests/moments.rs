use super::*;

const CHUNKS: usize = 16;

struct Case<'a> {
    d: &'static Moments,
    x: &'a [f32],
    batch: usize,
    partials: Vec<f32>,
    sum: Vec<f32>,
    squares: Vec<f32>,
}

impl Run for Case<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&mut self, s: S) {
        let Moments { blocks, pixels, .. } = *self.d;
        let x = Load { from: self.x.as_ptr(), sample: blocks * pixels * BLOCK, pixels };
        // SAFETY: the test sized the buffers.
        unsafe {
            for task in 0..moments_tasks(self.d) {
                moments_partials(s, self.d, x, self.batch, task, self.partials.as_mut_ptr());
            }
            for block in 0..blocks {
                let (sum, squares) = moments_results(s, self.d, self.batch, block, self.partials.as_ptr());
                s.store(self.sum.as_mut_ptr().add(block * BLOCK), sum);
                s.store(self.squares.as_mut_ptr().add(block * BLOCK), squares);
            }
        }
    }
}

/// Values around `center`: a mean far from 0 must not cost the distances their digits.
fn check(blocks: usize, pixels: usize, batch: usize, center: f32) {
    let d: &'static Moments = Box::leak(Box::new(Moments { blocks, pixels, chunks: CHUNKS }));
    let mut numbers = Numbers((pixels * 31 + batch) as u64);
    let x: Vec<f32> = numbers.vec(batch * blocks * pixels * BLOCK).into_iter().map(|x| x + center).collect();
    let mut results = Vec::new();
    for level in all_levels() {
        let nan = |vectors: usize| vec![f32::NAN; vectors * BLOCK];
        let partials = nan(CHUNKS * 2 * blocks);
        let mut case = Case { d, x: &x, batch, partials, sum: nan(blocks), squares: nan(blocks) };
        run_at(level, &mut case);
        for (block, lane, _) in (0..blocks).flat_map(|b| (0..BLOCK).map(move |l| (b, l, ()))) {
            let at = |n: usize, p: usize| f64::from(x[((n * blocks + block) * pixels + p) * BLOCK + lane]);
            let all: Vec<f64> = (0..batch).flat_map(|n| (0..pixels).map(move |p| at(n, p))).collect();
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let squares: f64 = all.iter().map(|x| (x - mean).powi(2)).sum();
            let i = block * BLOCK + lane;
            let sum = f64::from(case.sum[i]);
            assert!((sum - mean * all.len() as f64).abs() <= 1e-5 * (sum.abs() + all.len() as f64), "{level:?} {d:?}");
            let found = f64::from(case.squares[i]);
            // Of a mean that is rounded itself, a distance has this much left.
            let lost = f64::from(center.abs() * f32::EPSILON).powi(2) * all.len() as f64;
            let allowed = 1e-5 * squares + 2.0 * (squares * lost).sqrt() + 4.0 * lost;
            assert!((found - squares).abs() <= allowed, "{level:?} {d:?}: {found} {squares}");
        }
        results.push((level, [case.sum, case.squares].concat()));
    }
    same_bits(&results);
}

#[test]
fn far_from_zero_and_around_the_edges_of_groups() {
    for center in [0.0, 1000.0] {
        for pixels in [1, 3, 5, 255, 256, 257, 600] {
            for batch in [1, 2, 15, 16, 17, 37] {
                check(if pixels < 10 { 3 } else { 1 }, pixels, batch, center);
            }
        }
    }
}
