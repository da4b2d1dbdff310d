//! How finished results of a contraction get to a sink: a tile at a time.

use core::marker::PhantomData;

use super::{Simd, Sink, erased::erased};

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

/// # Safety
/// As [`AnySink::put`].
#[inline(always)]
unsafe fn put_all<S: Simd, K: Sink>(s: S, sink: K, f: &Finished) {
    for i in 0..f.count[0] {
        for j in 0..f.count[1] {
            let pixel = f.pixel + i * f.pixel_step[0] + j * f.pixel_step[1];
            // SAFETY: the caller's promises.
            unsafe {
                let acc = s.load(f.at.add(i * f.distance[0] + j * f.distance[1]));
                sink.put(s, acc, f.row + i * f.row_step, f.block + j * f.block_step, pixel);
            }
        }
    }
}
