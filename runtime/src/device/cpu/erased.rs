//! Functors of emitted kernels behind pointers to functions.
//!
//! The loops of the big templates are compiled in this crate, once per level, and know a functor as an address and a function that was compiled with it, for the same level, where the kernel was emitted. A call per
//! tile or row is nothing beside its products, and a network has dozens of functors.

/// Makes `fn name<S: Simd, T: Bound>(s: S, _: &T) -> unsafe fn(*const (), args…)`: the instance of `body::<_, T>(s, t, args…)` for the level of `S`, which finds its `t` at an address.
macro_rules! erased {
    ($(#[$doc:meta])* fn $name:ident<$t:ident: $bound:ident>($($arg:ident: $of:ty),* $(,)?) = $body:path) => {
        $(#[$doc])*
        fn $name<S: $crate::device::cpu::Simd, $t: $bound>(_: S, _: &$t) -> unsafe fn(*const (), $($of),*) {
            /// # Safety
            /// The address is a `T`'s, and the body's promises hold.
            unsafe fn portable<$t: $bound>(at: *const (), $($arg: $of),*) {
                // SAFETY: the address is that of a `T` by our caller's word; this level needs no feature.
                unsafe { $body($crate::device::cpu::Portable::new(), *at.cast::<$t>(), $($arg),*) }
            }
            /// # Safety
            /// As [`portable`]; the processor has the features.
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2<$t: $bound>(at: *const (), $($arg: $of),*) {
                // SAFETY: the address is that of a `T`, and the processor has AVX2 and FMA, by our caller's word.
                unsafe { $body($crate::device::cpu::Avx2::new(), *at.cast::<$t>(), $($arg),*) }
            }
            /// # Safety
            /// As [`portable`]; the processor has the feature.
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f")]
            unsafe fn avx512<$t: $bound>(at: *const (), $($arg: $of),*) {
                // SAFETY: the address is that of a `T`, and the processor has AVX-512F, by our caller's word.
                unsafe { $body($crate::device::cpu::Avx512::new(), *at.cast::<$t>(), $($arg),*) }
            }
            match S::LEVEL {
                $crate::plan::Level::Portable => portable::<$t>,
                #[cfg(target_arch = "x86_64")]
                $crate::plan::Level::Avx2 => avx2::<$t>,
                #[cfg(target_arch = "x86_64")]
                $crate::plan::Level::Avx512 => avx512::<$t>,
                #[cfg(not(target_arch = "x86_64"))]
                _ => portable::<$t>,
            }
        }
    };
}

pub(super) use erased;
