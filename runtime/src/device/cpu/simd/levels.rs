//! From one generic function to one entry point per instruction level.

/// Makes `[Entry; 3]` (portable, AVX2, AVX-512) of an `#[inline(always)] unsafe fn name<S: Simd>(s: S, cx: &Ctx, worker: usize, task: usize)`.
///
/// The entry points carry `#[target_feature]`; whatever is inlined into them may use the instructions.
#[macro_export]
#[doc(hidden)]
macro_rules! levels {
    ($kernel:path) => {{
        use $crate::__private::cpu::{Ctx, Entry, Portable};
        unsafe fn portable(cx: &Ctx, worker: usize, task: usize) {
            // SAFETY: the portable level needs nothing; the rest is the caller's promise.
            unsafe { $kernel(Portable::new(), cx, worker, task) }
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn avx2(cx: &Ctx, worker: usize, task: usize) {
            // SAFETY: the engine takes this entry only where the features were detected.
            unsafe { $kernel($crate::__private::cpu::Avx2::new(), cx, worker, task) }
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f")]
        unsafe fn avx512(cx: &Ctx, worker: usize, task: usize) {
            // SAFETY: the engine takes this entry only where the feature was detected.
            unsafe { $kernel($crate::__private::cpu::Avx512::new(), cx, worker, task) }
        }
        #[cfg(target_arch = "x86_64")]
        const ENTRIES: [Entry; 3] = [portable, avx2, avx512];
        #[cfg(not(target_arch = "x86_64"))]
        const ENTRIES: [Entry; 3] = [portable, portable, portable];
        ENTRIES
    }};
}

/// Inside this crate: `fn name<S: Simd>(s: S, args…)` that calls a compiled-once instance of `body` for the level of `S`.
///
/// Callers in other crates then carry a call, not a copy of the loops: no compile time for them, and full speed in their debug builds.
macro_rules! compiled_here {
    ($(#[$doc:meta])* $vis:vis unsafe fn $name:ident($($arg:ident: $t:ty),* $(,)?) = $body:path) => {
        $(#[$doc])*
        #[inline(always)]
        #[allow(clippy::too_many_arguments)]
        $vis unsafe fn $name<S: $crate::device::cpu::Simd>(_: S, $($arg: $t),*) {
            use $crate::{device::cpu::Portable, plan::Level};
            #[inline(never)]
            unsafe fn portable($($arg: $t),*) {
                // SAFETY: the portable level needs nothing; the rest is the caller's promise.
                unsafe { $body(Portable::new(), $($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[inline(never)]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2($($arg: $t),*) {
                // SAFETY: called only with a token of this level in hand.
                unsafe { $body($crate::device::cpu::Avx2::new(), $($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[inline(never)]
            #[target_feature(enable = "avx512f")]
            unsafe fn avx512($($arg: $t),*) {
                // SAFETY: called only with a token of this level in hand.
                unsafe { $body($crate::device::cpu::Avx512::new(), $($arg),*) }
            }
            // SAFETY: the token proves the level; the rest is the caller's promise.
            unsafe {
                match S::LEVEL {
                    Level::Portable => portable($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx2 => avx2($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512 => avx512($($arg),*),
                    #[cfg(not(target_arch = "x86_64"))]
                    _ => portable($($arg),*),
                }
            }
        }
    };
}
pub(crate) use compiled_here;
