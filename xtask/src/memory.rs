//! How much memory a thread holds: an allocator that counts, for both fuzzers.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// No reader's input is worth an allocation of this many bytes; the campaign ends here, with the input's number.
const MOST: usize = 1 << 32;

thread_local! {
    static NOW: Cell<isize> = const { Cell::new(0) };
    static MOST_HELD: Cell<isize> = const { Cell::new(0) };
    static INPUT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

/// The next input begins with nothing held.
pub fn begin(input: u64) {
    INPUT.set(input);
    NOW.set(0);
    MOST_HELD.set(0);
}

/// The most bytes that this thread has held at once since `begin`, beyond what it held then.
pub fn most() -> usize {
    MOST_HELD.get().unsigned_abs()
}

fn count(bytes: isize) {
    crate::fuzz::limits::count(bytes);
    // A thread that is ending has no counters any more.
    let _ = NOW.try_with(|now| {
        now.set(now.get() + bytes);
        MOST_HELD.with(|most| most.set(most.get().max(now.get())));
    });
}

/// Whether the system is asked at all.
fn is_sane(layout: Layout) -> bool {
    if layout.size() < MOST {
        return true;
    }
    let input = INPUT.try_with(Cell::get).unwrap_or_default();
    eprintln!("an allocation of {} bytes, at input {input} if this is a fuzzer", layout.size());
    false
}

// SAFETY: all calls go to the system's allocator, or fail as an allocator may.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !is_sane(layout) {
            return std::ptr::null_mut();
        }
        count(layout.size() as isize);
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !is_sane(layout) {
            return std::ptr::null_mut();
        }
        count(layout.size() as isize);
        // SAFETY: the caller's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size >= MOST && !is_sane(Layout::from_size_align(size, 1).unwrap_or(layout)) {
            return std::ptr::null_mut();
        }
        // Old and new memory may be there at the same time.
        count(size as isize);
        count(-(layout.size() as isize));
        // SAFETY: the caller's.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's.
        unsafe { System.dealloc(pointer, layout) }
    }
}
