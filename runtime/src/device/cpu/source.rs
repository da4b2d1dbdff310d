//! Where templates read an operand: from memory, or from what an emitted kernel computes of other values, so that it is never in memory.

use core::{marker::PhantomData, ops::Range};

use super::{BLOCK, Simd, erased::erased};

/// An operand in channel blocks.
pub trait Source: Copy {
    /// # Safety
    /// The operand has this vector.
    unsafe fn at<S: Simd>(self, s: S, row: usize, block: usize, pixel: usize) -> S::V;

    /// Where it lies, if it does.
    fn in_memory(self) -> Option<Load> {
        None
    }
}

/// An operand in memory: samples at a distance of `sample` floats, in blocks of `pixels` vectors.
#[derive(Clone, Copy)]
pub struct Load {
    pub from: *const f32,
    pub sample: usize,
    pub pixels: usize,
}

impl Source for Load {
    #[inline(always)]
    unsafe fn at<S: Simd>(self, s: S, row: usize, block: usize, pixel: usize) -> S::V {
        // SAFETY: whoever made this `Load` vouched for the operand, which has this vector by our caller's word.
        unsafe { s.load(self.from.add(row * self.sample + (block * self.pixels + pixel) * BLOCK)) }
    }

    #[inline(always)]
    fn in_memory(self) -> Option<Load> {
        Some(self)
    }
}

/// A source of any type, at one level: how templates whose loops are compiled in this crate know it.
#[derive(Clone, Copy)]
pub(super) struct AnySource<'a> {
    memory: Option<Load>,
    source: *const (),
    fill: unsafe fn(*const (), usize, usize, Range<usize>, *mut f32),
    lives: PhantomData<&'a ()>,
}

impl<'a> AnySource<'a> {
    #[inline(always)]
    pub fn new<S: Simd, X: Source>(s: S, source: &'a X) -> Self {
        AnySource {
            memory: source.in_memory(),
            source: (&raw const *source).cast(),
            fill: fill(s, source),
            lives: PhantomData,
        }
    }

    #[inline(always)]
    pub fn in_memory(self) -> Option<Load> {
        self.memory
    }

    /// Computes some pixels of a block of a sample.
    ///
    /// # Safety
    /// The operand has them, and `to` is writable for as many vectors.
    #[inline(always)]
    pub unsafe fn fill(self, row: usize, block: usize, pixels: Range<usize>, to: *mut f32) {
        // SAFETY: `fill` was made for the type of `source`, with a token of its level in hand; the rest is the caller's promise.
        unsafe { (self.fill)(self.source, row, block, pixels, to) }
    }
}

erased! {
    /// As [`AnySource::fill`].
    fn fill<X: Source>(row: usize, block: usize, pixels: Range<usize>, to: *mut f32) = fill_all
}

/// # Safety
/// As [`AnySource::fill`].
#[inline(always)]
unsafe fn fill_all<S: Simd, X: Source>(s: S, x: X, row: usize, block: usize, pixels: Range<usize>, mut to: *mut f32) {
    for pixel in pixels {
        // SAFETY: x has these pixels, and `to` a vector for each, by our caller's word.
        unsafe {
            s.store(to, x.at(s, row, block, pixel));
            to = to.add(BLOCK);
        }
    }
}
