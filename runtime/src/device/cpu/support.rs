//! Small pieces that emitted kernels call beside the templates.

use super::Simd;

/// Asks for the cache line of an address, where there need be no memory, in the second-level cache.
#[inline(always)]
pub(super) fn fetch(from: *const f32) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a hint, which never faults; every processor of this architecture has it.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(from.cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = from;
}

/// Largest of some constants: the scratch that a program's workers need.
pub const fn largest(list: &[usize]) -> usize {
    let (mut most, mut i) = (0, 0);
    while i < list.len() {
        if list[i] > most {
            most = list[i];
        }
        i += 1;
    }
    most
}

/// The smallest index among the lanes that hold the maximum, where `arg` has each lane's index of its own. Where lanes hold NaN, the smallest
/// among those, as PyTorch's `argmax`.
#[inline(always)]
pub fn first_maximum<S: Simd>(s: S, max: S::V, arg: S::V) -> f32 {
    let whole = s.splat(s.maximum(max));
    // With a NaN among the lanes the whole maximum is NaN, and no lane equals it.
    let holds = s.or(s.eq(max, whole), s.ne(max, max));
    -s.maximum(s.neg(s.select(holds, arg, s.splat(f32::INFINITY))))
}
