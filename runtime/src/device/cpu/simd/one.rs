//! One lane, for loops over what no vector fits.

use super::Simd;
use crate::plan::Level;

#[derive(Clone, Copy)]
pub struct One(());

impl One {
    /// # Safety
    /// None: `unsafe` only because the other levels are.
    #[inline(always)]
    pub const unsafe fn new() -> Self {
        One(())
    }
}

macro_rules! direct {
    ($($name:ident($($arg:ident: $t:ty),*) -> $out:ty = $body:expr;)*) => { $(
        #[inline(always)]
        fn $name(self, $($arg: $t),*) -> $out {
            $body
        }
    )* };
}

impl Simd for One {
    type V = f32;
    type M = bool;
    type I = u32;
    const LANES: usize = 1;
    const LEVEL: Level = Level::Portable;

    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> f32 {
        // SAFETY: a float is there, by our caller's word.
        unsafe { *p }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: f32) {
        // SAFETY: a float is there, by our caller's word.
        unsafe { *p = v }
    }
    #[inline(always)]
    unsafe fn load_i32(self, p: *const i32) -> f32 {
        // SAFETY: an integer is there, by our caller's word.
        unsafe { *p as f32 }
    }
    #[inline(always)]
    unsafe fn store_i32(self, p: *mut i32, v: f32) {
        // SAFETY: an integer is there, by our caller's word.
        unsafe { *p = v as i32 }
    }
    #[inline(always)]
    unsafe fn load_first(self, p: *const f32, n: usize) -> f32 {
        // SAFETY: read only where n > 0.
        if n > 0 { unsafe { *p } } else { 0.0 }
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, v: f32, n: usize) {
        if n > 0 {
            // SAFETY: written only where n > 0.
            unsafe { *p = v }
        }
    }

    direct! {
        first(n: usize) -> bool = n > 0;
        splat(x: f32) -> f32 = x;
        iota() -> f32 = 0.0;
        add(a: f32, b: f32) -> f32 = a + b;
        sub(a: f32, b: f32) -> f32 = a - b;
        mul(a: f32, b: f32) -> f32 = a * b;
        div(a: f32, b: f32) -> f32 = a / b;
        min(a: f32, b: f32) -> f32 = if a < b || a.is_nan() { a } else { b };
        max(a: f32, b: f32) -> f32 = if a > b || a.is_nan() { a } else { b };
        fma(a: f32, b: f32, c: f32) -> f32 = a * b + c;
        sqrt(a: f32) -> f32 = a.sqrt();
        floor(a: f32) -> f32 = a.floor();
        exact_product(a: f32, b: f32) -> (f32, f32) = {
            let exact = f64::from(a) * f64::from(b);
            (exact as f32, (exact - f64::from(exact as f32)) as f32)
        };
        lt(a: f32, b: f32) -> bool = a < b;
        le(a: f32, b: f32) -> bool = a <= b;
        gt(a: f32, b: f32) -> bool = a > b;
        ge(a: f32, b: f32) -> bool = a >= b;
        eq(a: f32, b: f32) -> bool = a == b;
        ne(a: f32, b: f32) -> bool = a != b;
        and(a: bool, b: bool) -> bool = a & b;
        or(a: bool, b: bool) -> bool = a | b;
        not(a: bool) -> bool = !a;
        any(a: bool) -> bool = a;
        select(m: bool, a: f32, b: f32) -> f32 = if m { a } else { b };
        sum(v: f32) -> f32 = v;
        maximum(v: f32) -> f32 = v;
        bits(v: f32) -> u32 = v.to_bits();
        int_as_float(i: u32) -> f32 = f32::from_bits(i);
        int_to_float(i: u32) -> f32 = i as i32 as f32;
        int_splat(x: u32) -> u32 = x;
        int_add(a: u32, b: u32) -> u32 = a.wrapping_add(b);
        int_sub(a: u32, b: u32) -> u32 = a.wrapping_sub(b);
        int_mul(a: u32, b: u32) -> u32 = a.wrapping_mul(b);
        int_mul_high(a: u32, b: u32) -> u32 = ((u64::from(a) * u64::from(b)) >> 32) as u32;
        int_and(a: u32, b: u32) -> u32 = a & b;
        int_or(a: u32, b: u32) -> u32 = a | b;
        int_xor(a: u32, b: u32) -> u32 = a ^ b;
        int_shl(a: u32, n: u32) -> u32 = a << n;
        int_shr(a: u32, n: u32) -> u32 = a >> n;
        int_iota() -> u32 = 0;
    }
}
