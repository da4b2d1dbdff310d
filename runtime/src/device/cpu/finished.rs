//! How finished results of a contraction get to a sink: a tile at a time, through a pointer to a function.
//!
//! The loops of the big templates are compiled in this crate, once per level, and know their sink as [`AnySink`]; an emitted kernel
//! brings no more than the sink's own loop over a tile. A call per tile is nothing beside its products, and a network has dozens of sinks.

use core::marker::PhantomData;

#[cfg(target_arch = "x86_64")]
use super::{Avx2, Avx512};
use super::{Portable, Simd, Sink};
use crate::plan::Level;

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

type Put = unsafe fn(sink: *const (), finished: &Finished);

/// A sink of any type, at one level.
#[derive(Clone, Copy)]
pub(super) struct AnySink<'a> {
    sink: *const (),
    put: Put,
    lives: PhantomData<&'a ()>,
}

impl<'a> AnySink<'a> {
    #[inline(always)]
    pub fn new<S: Simd, K: Sink>(_: S, sink: &'a K) -> Self {
        let put: Put = match S::LEVEL {
            Level::Portable => portable::<K>,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => avx2::<K>,
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => avx512::<K>,
            #[cfg(not(target_arch = "x86_64"))]
            _ => portable::<K>,
        };
        AnySink { sink: (&raw const *sink).cast(), put, lives: PhantomData }
    }

    /// # Safety
    /// The vectors are readable, and the sink may store them at their places.
    #[inline(always)]
    pub unsafe fn put(self, finished: &Finished) {
        // SAFETY: `put` was made for the type of `sink`, with a token of its level in hand; the rest is the caller's promise.
        unsafe { (self.put)(self.sink, finished) }
    }
}

/// # Safety
/// `sink` points to a `K`; as [`AnySink::put`].
unsafe fn portable<K: Sink>(sink: *const (), finished: &Finished) {
    // SAFETY: the caller's promises.
    unsafe { put_all(Portable::new(), *sink.cast::<K>(), finished) }
}

/// # Safety
/// As [`portable`]; the processor has the features.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<K: Sink>(sink: *const (), finished: &Finished) {
    // SAFETY: the caller's promises.
    unsafe { put_all(Avx2::new(), *sink.cast::<K>(), finished) }
}

/// # Safety
/// As [`portable`]; the processor has the feature.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512<K: Sink>(sink: *const (), finished: &Finished) {
    // SAFETY: the caller's promises.
    unsafe { put_all(Avx512::new(), *sink.cast::<K>(), finished) }
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
