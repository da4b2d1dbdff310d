use super::*;

/// Adds up what `of` says of so many places, in every lane.
struct Sum {
    count: usize,
    of: fn(usize) -> f32,
    found: Vec<f32>,
}

impl Run for Sum {
    #[inline(always)]
    unsafe fn run<S: Simd>(&mut self, s: S) {
        let mut total = Total::new(s);
        for i in 0..self.count {
            total.add(s, s.splat((self.of)(i)));
        }
        self.found = vec![f32::NAN; S::LANES];
        // SAFETY: there is room for a vector.
        unsafe { s.store(self.found.as_mut_ptr(), total.value(s)) }
    }
}

fn sums(count: usize, of: fn(usize) -> f32) -> Vec<f32> {
    let mut all = Vec::new();
    for level in all_levels() {
        let mut sum = Sum { count, of, found: Vec::new() };
        run_at(level, &mut sum);
        assert!(sum.found.iter().all(|x| x.to_bits() == sum.found[0].to_bits()), "{level:?}: {:?}", sum.found);
        all.push(sum.found[0]);
    }
    all
}

#[test]
fn their_error_does_not_grow() {
    for (count, of) in [
        (100_000, (|_| 1.1) as fn(usize) -> f32),
        (100_000, |i| 1.0 + (i % 7) as f32 * 0.1),
        (100_000, |i| if i == 0 { 1e6 } else { 0.01 }),
        (65_537, |i| if i % 2 == 0 { 3.3 } else { -1.1 }),
    ] {
        let (mut sum, mut magnitudes) = (0.0, 0.0);
        for x in (0..count).map(|i| f64::from(of(i))) {
            (sum, magnitudes) = (sum + x, magnitudes + x.abs());
        }
        for found in sums(count, of) {
            let error = (f64::from(found) - sum).abs() / magnitudes;
            assert!(error <= 2e-7, "{count}: {found} instead of {sum}, off by {error:e}");
        }
    }
}

#[test]
fn short_ones_are_plain_sums() {
    let of = |i: usize| 1.0 / (i + 3) as f32;
    for count in 0..=16 {
        let plain = (0..count).fold(0.0f32, |sum, i| sum + of(i));
        assert!(sums(count, of).iter().all(|found| found.to_bits() == plain.to_bits()), "{count}");
    }
}

#[test]
fn what_is_not_finite_stays_so() {
    let infinite = |i: usize| if i == 20 { f32::INFINITY } else { 1.0 };
    assert!(sums(100, infinite).iter().all(|x| *x == f32::INFINITY));
    let both = |i: usize| match i {
        20 => f32::INFINITY,
        60 => f32::NEG_INFINITY,
        _ => 1.0,
    };
    assert!(sums(100, both).iter().all(|x| x.is_nan()));
    assert!(sums(100, |i| if i == 3 { f32::NAN } else { 1.0 }).iter().all(|x| x.is_nan()));
    let beyond = |_: usize| 1e37;
    assert!(sums(100, beyond).iter().all(|x| *x == f32::INFINITY));
}
