//! Memory: one aligned buffer that only grows.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error},
    ops::{Deref, DerefMut},
    ptr::NonNull,
    slice,
};

/// A cache line, and a vector of AVX-512.
const ALIGNMENT: usize = 64;

/// Floats at a 64-byte boundary, zero to begin with.
pub struct Arena {
    data: NonNull<f32>,
    len: usize,
}

// SAFETY: owns its memory, like a Vec.
unsafe impl Send for Arena {}
// SAFETY: shared access only reads.
unsafe impl Sync for Arena {}

impl Arena {
    pub fn new(len: usize) -> Arena {
        if len == 0 {
            return Arena { data: NonNull::<Aligned>::dangling().cast(), len: 0 };
        }
        let layout = layout(len);
        // SAFETY: the layout is not empty.
        let data = unsafe { alloc_zeroed(layout) };
        let data = NonNull::new(data.cast()).unwrap_or_else(|| handle_alloc_error(layout));
        Arena { data, len }
    }

    /// At least `len` floats. What it held is lost where it had to grow: all zero then.
    pub fn reserve(&mut self, len: usize) {
        if len > self.len {
            // The old buffer goes first: they need not both fit.
            *self = Arena::new(0);
            *self = Arena::new(len);
        }
    }

    pub fn as_mut_ptr(&mut self) -> *mut f32 {
        self.data.as_ptr()
    }

    /// Makes reading of what nobody wrote visible in tests.
    pub fn fill_nan(&mut self) {
        self.fill(f32::NAN);
    }
}

#[repr(align(64))]
struct Aligned;

fn layout(len: usize) -> Layout {
    let bytes = len.checked_mul(size_of::<f32>()).filter(|bytes| *bytes < isize::MAX as usize - ALIGNMENT);
    let bytes = bytes.unwrap_or_else(|| panic!("an arena of {len} floats does not fit into memory"));
    Layout::from_size_align(bytes, ALIGNMENT).expect("checked above")
}

impl Drop for Arena {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: allocated in `new` with this layout.
            unsafe { dealloc(self.data.as_ptr().cast(), layout(self.len)) }
        }
    }
}

impl Clone for Arena {
    fn clone(&self) -> Arena {
        let mut copy = Arena::new(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl Deref for Arena {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: `len` initialised floats, or none at an aligned address.
        unsafe { slice::from_raw_parts(self.data.as_ptr(), self.len) }
    }
}

impl DerefMut for Arena {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`, and borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.data.as_ptr(), self.len) }
    }
}
