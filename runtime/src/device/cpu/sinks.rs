//! The usual sinks, concrete here so that a user's debug build has them fast.

use super::{BLOCK, Simd, Sink, Sink2};

/// Where results go: `to + row · sample + (block · pixels + pixel) · 16`.
#[derive(Clone, Copy)]
pub struct Place {
    pub to: *mut f32,
    pub sample: usize,
    pub pixels: usize,
}

impl Place {
    #[inline(always)]
    fn at(self, row: usize, block: usize, pixel: usize) -> usize {
        row * self.sample + (block * self.pixels + pixel) * BLOCK
    }
}

/// Nothing but the store.
#[derive(Clone, Copy)]
pub struct Store(pub Place);

impl Sink for Store {
    #[inline(always)]
    unsafe fn put<S: Simd>(self, s: S, acc: S::V, row: usize, block: usize, pixel: usize) {
        // SAFETY: `put` is called for vectors of the task only, and whoever made this sink vouched for their places.
        unsafe { s.store(self.0.to.add(self.0.at(row, block, pixel)), acc) }
    }
}

/// `acc + bias`.
#[derive(Clone, Copy)]
pub struct Bias {
    pub place: Place,
    pub bias: *const f32,
}

impl Sink for Bias {
    #[inline(always)]
    unsafe fn put<S: Simd>(self, s: S, acc: S::V, row: usize, block: usize, pixel: usize) {
        // SAFETY: `put` is called for vectors of the task only, and whoever made this sink vouched for their places and
        // for a bias of each block.
        unsafe {
            let y = s.add(acc, s.load(self.bias.add(block * BLOCK)));
            s.store(self.place.to.add(self.place.at(row, block, pixel)), y)
        }
    }
}

/// `relu(acc + bias)`.
#[derive(Clone, Copy)]
pub struct BiasRelu {
    pub place: Place,
    pub bias: *const f32,
}

impl Sink for BiasRelu {
    #[inline(always)]
    unsafe fn put<S: Simd>(self, s: S, acc: S::V, row: usize, block: usize, pixel: usize) {
        // SAFETY: `put` is called for vectors of the task only, and whoever made this sink vouched for their places and
        // for a bias of each block.
        unsafe {
            let y = s.relu(s.add(acc, s.load(self.bias.add(block * BLOCK))));
            s.store(self.place.to.add(self.place.at(row, block, pixel)), y)
        }
    }
}

/// Maximum and its position, as integers.
#[derive(Clone, Copy)]
pub struct StoreMax {
    pub max: Place,
    pub arg: *mut i32,
    pub arg_sample: usize,
}

impl Sink2 for StoreMax {
    #[inline(always)]
    unsafe fn put<S: Simd>(self, s: S, max: S::V, arg: S::V, row: usize, block: usize, pixel: usize) {
        // SAFETY: `put` is called for vectors of the task only, and whoever made this sink vouched for their places,
        // those of the integers too.
        unsafe {
            s.store(self.max.to.add(self.max.at(row, block, pixel)), max);
            let place = Place { sample: self.arg_sample, ..self.max };
            s.store_i32(self.arg.add(place.at(row, block, pixel)), arg)
        }
    }
}
