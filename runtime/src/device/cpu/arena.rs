//! Memory: one aligned buffer that only grows.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error},
    ops::{Deref, DerefMut},
    ptr::NonNull,
    slice,
};

/// A cache line, and a vector of AVX-512.
const ALIGNMENT: usize = 64;

/// Arenas of half this size and more lie in pages of it where the system has them: templates walk weights and activations in strides of many
/// kilobytes, and with pages of 4 KiB each step would miss the translation buffer.
const HUGE_PAGE: usize = 2 << 20;

/// Floats at a 64-byte boundary, zero to begin with. Memory that nobody touches is never taken from the system.
pub struct Arena {
    data: NonNull<f32>,
    len: usize,
    /// What the system gave; the data lie in it behind a gap.
    memory: Option<(NonNull<u8>, Layout)>,
}

// SAFETY: owns its memory, like a Vec.
unsafe impl Send for Arena {}
// SAFETY: shared access only reads.
unsafe impl Sync for Arena {}

impl Arena {
    pub fn new(len: usize) -> Arena {
        if len == 0 {
            return Arena { data: NonNull::<Aligned>::dangling().cast(), len: 0, memory: None };
        }
        let bytes = len.checked_mul(size_of::<f32>()).filter(|bytes| *bytes < isize::MAX as usize - 2 * HUGE_PAGE);
        let bytes = bytes.unwrap_or_else(|| panic!("an arena of {len} floats does not fit into memory"));
        if bytes < HUGE_PAGE / 2 {
            // Not a byte more: an overrun by one float is one of the allocation, for whoever watches those.
            let layout = Layout::from_size_align(bytes, ALIGNMENT).expect("checked above");
            let memory = zeroed(layout);
            return Arena { data: memory.cast(), len, memory: Some((memory, layout)) };
        }
        // The last page may be partly empty.
        let room = bytes.next_multiple_of(HUGE_PAGE);
        // With more than the usual alignment the allocator would clear, and so touch, all of it; fresh pages are zero.
        let layout = Layout::from_size_align(room + HUGE_PAGE, align_of::<u128>()).expect("checked above");
        let memory = zeroed(layout);
        // SAFETY: at most `HUGE_PAGE - 1` bytes on, so that the room follows within the allocation.
        let data = unsafe { memory.add(memory.align_offset(HUGE_PAGE)) };
        // SAFETY: whole pages of this allocation.
        unsafe { prefer_huge_pages(data, room) };
        Arena { data: data.cast(), len, memory: Some((memory, layout)) }
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

    /// The first float. Writing through it is the caller's responsibility: nobody may hold a slice of this arena then.
    pub fn first(&self) -> *mut f32 {
        self.data.as_ptr()
    }

    /// Makes reading of what nobody wrote visible in tests.
    pub fn fill_nan(&mut self) {
        self.fill(f32::NAN);
    }
}

#[repr(align(64))]
struct Aligned;

/// Memory of this layout, which is not empty.
fn zeroed(layout: Layout) -> NonNull<u8> {
    assert!(layout.size() > 0);
    // SAFETY: not empty.
    NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Asks for pages of 2 MiB. A wish: where it is not granted, all works as before.
///
/// # Safety
/// The bytes are memory of this process, from a page boundary on.
#[cfg(target_os = "linux")]
unsafe fn prefer_huge_pages(data: NonNull<u8>, bytes: usize) {
    unsafe extern "C" {
        fn madvise(address: *mut u8, length: usize, advice: i32) -> i32;
    }
    const MADV_HUGEPAGE: i32 = 14;
    // SAFETY: this advice changes no contents.
    unsafe { madvise(data.as_ptr(), bytes, MADV_HUGEPAGE) };
}

/// # Safety
/// None needed: there is nobody to ask.
#[cfg(not(target_os = "linux"))]
unsafe fn prefer_huge_pages(_: NonNull<u8>, _: usize) {}

impl Drop for Arena {
    fn drop(&mut self) {
        if let Some((memory, layout)) = self.memory {
            // SAFETY: `new` had it from `zeroed`, with this layout.
            unsafe { dealloc(memory.as_ptr(), layout) }
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
