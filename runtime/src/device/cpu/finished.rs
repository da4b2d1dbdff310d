//! How finished results of a contraction get to a sink: a tile at a time.

use core::marker::PhantomData;

use super::{PoolingSink, Simd, Sink, erased::erased, window::challenge};

/// Finished vectors in memory, in two nested loops (outer, inner), and the place of each in the result.
pub(super) struct Finished {
    pub at: *const f32,
    pub count: [usize; 2],
    /// Floats from one vector to the next.
    pub distance: [usize; 2],
    /// Place of the first.
    pub row: usize,
    pub block: usize,
    pub pixel: usize,
    /// The outer loop's.
    pub row_step: usize,
    /// The inner loop's.
    pub block_step: usize,
    pub pixel_step: [usize; 2],
}

/// A sink of any type, at one level.
#[derive(Clone, Copy)]
pub(super) struct AnySink<'a> {
    sink: *const (),
    put: unsafe fn(*const (), &Finished),
    lives: PhantomData<&'a ()>,
}

impl<'a> AnySink<'a> {
    #[inline(always)]
    pub fn new<S: Simd, K: Sink>(s: S, sink: &'a K) -> Self {
        AnySink { sink: (&raw const *sink).cast(), put: put(s, sink), lives: PhantomData }
    }

    /// For finished vectors that are pixels of an image: the first lies in an even row and column, and neighbours beside and below it as far as they were counted.
    #[inline(always)]
    pub fn pooling<S: Simd, K: PoolingSink>(s: S, sink: &'a K) -> Self {
        AnySink { sink: (&raw const *sink).cast(), put: put_maxima(s, sink), lives: PhantomData }
    }

    /// # Safety
    /// The vectors are readable, and the sink may store them at their places.
    #[inline(always)]
    pub unsafe fn put(self, finished: &Finished) {
        // SAFETY: `put` was made for the type of `sink`, with a token of its level in hand; the rest is the caller's promise.
        unsafe { (self.put)(self.sink, finished) }
    }
}

erased! {
    /// As [`AnySink::put`].
    fn put<K: Sink>(finished: &Finished) = put_all
}

erased! {
    /// As [`AnySink::put`], of a pooling sink.
    fn put_maxima<K: PoolingSink>(finished: &Finished) = put_all_maxima
}

/// # Safety
/// As [`AnySink::put`].
#[inline(always)]
unsafe fn put_all<S: Simd, K: Sink>(s: S, sink: K, f: &Finished) {
    for i in 0..f.count[0] {
        for j in 0..f.count[1] {
            let pixel = f.pixel + i * f.pixel_step[0] + j * f.pixel_step[1];
            // SAFETY: `at` has `count` vectors at these distances, and the sink a place for each, by our caller's word.
            unsafe {
                let acc = s.load(f.at.add(i * f.distance[0] + j * f.distance[1]));
                sink.put(s, acc, f.row + i * f.row_step, f.block + j * f.block_step, pixel);
            }
        }
    }
}

/// # Safety
/// As [`AnySink::put`]; the vectors are pixels.
#[inline(always)]
unsafe fn put_all_maxima<S: Simd, K: PoolingSink>(s: S, sink: K, f: &Finished) {
    let width = f.pixel_step[0];
    let (top, left) = (f.pixel / width, f.pixel % width);
    for y in 0..f.count[0] / 2 {
        for x in 0..f.count[1] / 2 {
            let first = f.at.wrapping_add(2 * (y * f.distance[0] + x * f.distance[1]));
            let pixel = f.pixel + 2 * (y * width + x);
            // SAFETY: x and y are below half of the counts, so the four vectors of each window are among those that our
            // caller vouches for; no other call has this window.
            unsafe {
                let at = |i: usize, j: usize| first.add(i * f.distance[0] + j * f.distance[1]);
                let mut best = (sink.at(s, s.load(at(0, 0)), f.row, f.block, pixel), s.splat(0.0));
                best = challenge(s, best, sink.at(s, s.load(at(0, 1)), f.row, f.block, pixel + 1), 1);
                best = challenge(s, best, sink.at(s, s.load(at(1, 0)), f.row, f.block, pixel + width), 2);
                best = challenge(s, best, sink.at(s, s.load(at(1, 1)), f.row, f.block, pixel + width + 1), 3);
                sink.put(s, best.0, best.1, f.row, f.block, (top / 2 + y) * (width / 2) + left / 2 + x);
            }
        }
    }
}
