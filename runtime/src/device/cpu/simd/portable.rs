//! Arrays of 16: every processor, no promise of speed. Each lane does what [`One`] does.

use core::array::from_fn;

use super::{One, Simd};
use crate::plan::Level;

#[derive(Clone, Copy)]
pub struct Portable(());

impl Portable {
    /// # Safety
    /// None: `unsafe` only because the other levels are.
    #[inline(always)]
    pub unsafe fn new() -> Self {
        Portable(())
    }
}

type V = [f32; 16];
type M = [bool; 16];
type I = [u32; 16];

/// The operation of [`One`] in every lane.
macro_rules! lanes {
    ($($name:ident($($arg:ident: $t:ty),*) -> $out:ty;)*) => { $(
        #[inline(always)]
        fn $name(self, $($arg: $t),*) -> $out {
            from_fn(|i| ONE.$name($($arg[i]),*))
        }
    )* };
}

// SAFETY: one lane needs no feature.
const ONE: One = unsafe { One::new() };

impl Simd for Portable {
    type V = V;
    type M = M;
    type I = I;
    const LANES: usize = 16;
    const LEVEL: Level = Level::Portable;

    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> V {
        // SAFETY: our caller vouches for 16 readable floats at `p`; any alignment will do.
        unsafe { p.cast::<V>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: V) {
        // SAFETY: our caller vouches for 16 writable floats at `p`; any alignment will do.
        unsafe { p.cast::<V>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn load_i32(self, p: *const i32) -> V {
        // SAFETY: our caller vouches for 16 readable integers at `p`; any alignment will do.
        unsafe { p.cast::<[i32; 16]>().read_unaligned() }.map(|x| x as f32)
    }
    #[inline(always)]
    unsafe fn store_i32(self, p: *mut i32, v: V) {
        // SAFETY: our caller vouches for 16 writable integers at `p`; any alignment will do.
        unsafe { p.cast::<[i32; 16]>().write_unaligned(v.map(|x| x as i32)) }
    }
    #[inline(always)]
    unsafe fn load_first(self, p: *const f32, n: usize) -> V {
        // SAFETY: lanes from n on are not read.
        from_fn(|i| if i < n { unsafe { *p.add(i) } } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, v: V, n: usize) {
        for (i, x) in v.into_iter().enumerate().take(n) {
            // SAFETY: i < n.
            unsafe { *p.add(i) = x }
        }
    }
    #[inline(always)]
    fn first(self, n: usize) -> M {
        from_fn(|i| i < n)
    }
    #[inline(always)]
    fn splat(self, x: f32) -> V {
        [x; 16]
    }
    #[inline(always)]
    fn iota(self) -> V {
        from_fn(|i| i as f32)
    }
    #[inline(always)]
    fn int_splat(self, x: u32) -> I {
        [x; 16]
    }
    #[inline(always)]
    fn int_iota(self) -> I {
        from_fn(|i| i as u32)
    }
    #[inline(always)]
    fn int_shl(self, a: I, n: u32) -> I {
        a.map(|x| x << n)
    }
    #[inline(always)]
    fn int_shr(self, a: I, n: u32) -> I {
        a.map(|x| x >> n)
    }
    #[inline(always)]
    fn any(self, a: M) -> bool {
        a.contains(&true)
    }
    #[inline(always)]
    fn exact_product(self, a: V, b: V) -> (V, V) {
        (from_fn(|i| ONE.exact_product(a[i], b[i]).0), from_fn(|i| ONE.exact_product(a[i], b[i]).1))
    }
    #[inline(always)]
    fn sum(self, v: V) -> f32 {
        tree(v, |a, b| a + b)
    }
    #[inline(always)]
    fn maximum(self, v: V) -> f32 {
        tree(v, |a, b| ONE.max(a, b))
    }

    lanes! {
        add(a: V, b: V) -> V;
        sub(a: V, b: V) -> V;
        mul(a: V, b: V) -> V;
        div(a: V, b: V) -> V;
        min(a: V, b: V) -> V;
        max(a: V, b: V) -> V;
        fma(a: V, b: V, c: V) -> V;
        sqrt(a: V) -> V;
        floor(a: V) -> V;
        lt(a: V, b: V) -> M;
        le(a: V, b: V) -> M;
        gt(a: V, b: V) -> M;
        ge(a: V, b: V) -> M;
        eq(a: V, b: V) -> M;
        ne(a: V, b: V) -> M;
        and(a: M, b: M) -> M;
        or(a: M, b: M) -> M;
        not(a: M) -> M;
        select(m: M, a: V, b: V) -> V;
        bits(v: V) -> I;
        int_as_float(i: I) -> V;
        int_to_float(i: I) -> V;
        int_add(a: I, b: I) -> I;
        int_sub(a: I, b: I) -> I;
        int_mul(a: I, b: I) -> I;
        int_mul_high(a: I, b: I) -> I;
        int_and(a: I, b: I) -> I;
        int_or(a: I, b: I) -> I;
        int_xor(a: I, b: I) -> I;
    }
}

#[inline(always)]
fn tree(mut v: V, f: impl Fn(f32, f32) -> f32) -> f32 {
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            v[i] = f(v[i], v[i + half]);
        }
    }
    v[0]
}
