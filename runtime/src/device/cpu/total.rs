//! Sums of any length that owe to rounding what a few dozen additions owe.
//!
//! Added one after the other, n numbers of one sign lose up to n / 4 units in the last place: a mean over an image is off in its
//! fourth digit. Here a short run is added up plainly, and runs are added with what the rounding of the sum loses (Kahan, 1965),
//! so that the bound does not depend on n, and the work hardly grows. Up to a run's length the bits are those of a plain sum.

use super::{One, Simd};

/// Additions of a run.
const RUN: u32 = 16;

/// A sum under way.
#[derive(Clone, Copy, Debug)]
pub struct Total<V> {
    run: V,
    /// Additions until the run ends.
    left: u32,
    sum: V,
    lost: V,
}

impl<V: Copy> Total<V> {
    #[inline(always)]
    pub fn new<S: Simd<V = V>>(s: S) -> Self {
        Total { run: s.splat(0.0), left: RUN, sum: s.splat(0.0), lost: s.splat(0.0) }
    }

    #[inline(always)]
    pub fn add<S: Simd<V = V>>(&mut self, s: S, x: V) {
        self.run = s.add(self.run, x);
        self.end_step(s);
    }

    /// Adds `a · b`.
    #[inline(always)]
    pub fn add_product<S: Simd<V = V>>(&mut self, s: S, a: V, b: V) {
        self.run = s.fma(a, b, self.run);
        self.end_step(s);
    }

    #[inline(always)]
    fn end_step<S: Simd<V = V>>(&mut self, s: S) {
        self.left -= 1;
        if self.left == 0 {
            (self.sum, self.lost) = add_exactly(s, self.sum, self.lost, self.run);
            (self.run, self.left) = (s.splat(0.0), RUN);
        }
    }

    #[inline(always)]
    pub fn value<S: Simd<V = V>>(self, s: S) -> V {
        add_exactly(s, self.sum, self.lost, self.run).0
    }
}

/// Adds a number to one in memory, `lost` being kept beside it.
///
/// # Safety
/// Both are writable.
#[inline(always)]
pub(super) unsafe fn add_to(sum: *mut f32, lost: *mut f32, x: f32) {
    // SAFETY: one lane needs no instructions; the rest is the caller's promise.
    unsafe { (*sum, *lost) = add_exactly(One::new(), *sum, *lost, x) }
}

/// `sum + x`, where `sum` is too large by `lost`, and by how much the new sum is too large.
#[inline(always)]
pub(super) fn add_exactly<S: Simd>(s: S, sum: S::V, lost: S::V, x: S::V) -> (S::V, S::V) {
    let x = s.sub(x, lost);
    let new = s.add(sum, x);
    let lost = s.sub(s.sub(new, sum), x);
    // An infinite sum stays infinite: what it has lost is not a number.
    let finite = s.lt(s.abs(lost), s.splat(f32::INFINITY));
    (new, s.select(finite, lost, s.splat(0.0)))
}
