//! AVX2 with FMA: two registers make 16 lanes.

use core::arch::x86_64::*;

use super::Simd;
use crate::plan::Level;

#[derive(Clone, Copy)]
pub struct Avx2(());

impl Avx2 {
    /// # Safety
    /// The processor has `avx2` and `fma`, and the calling function is compiled for them.
    #[inline(always)]
    pub unsafe fn new() -> Self {
        Avx2(())
    }
}

#[derive(Clone, Copy)]
pub struct V(__m256, __m256);
#[derive(Clone, Copy)]
pub struct I(__m256i, __m256i);
/// All bits of a lane, or none.
type M = V;

/// A method that does the same to both halves.
macro_rules! halves {
    ($($name:ident($($arg:ident: $t:ident),*) -> $out:ident = $body:expr;)*) => { $(
        #[inline(always)]
        #[allow(clippy::redundant_closure_call)]
        fn $name(self, $($arg: $t),*) -> $out {
            // SAFETY: the token proves that the processor has AVX2 and FMA.
            unsafe {
                $out({ $(let $arg = half!($t, $arg, 0);)* $body }, { $(let $arg = half!($t, $arg, 1);)* $body })
            }
        }
    )* };
}
macro_rules! half {
    (f32, $x:ident, $half:tt) => {
        $x
    };
    (u32, $x:ident, $half:tt) => {
        $x
    };
    ($t:ident, $x:ident, $half:tt) => {
        $x.$half
    };
}

impl Simd for Avx2 {
    type V = V;
    type M = M;
    type I = I;
    const LANES: usize = 16;
    const LEVEL: Level = Level::Avx2;

    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> V {
        // SAFETY: our caller vouches for 16 readable floats at `p`, and the token for AVX2; any alignment will do.
        unsafe { V(_mm256_loadu_ps(p), _mm256_loadu_ps(p.add(8))) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: V) {
        // SAFETY: our caller vouches for 16 writable floats at `p`, and the token for AVX2; any alignment will do.
        unsafe {
            _mm256_storeu_ps(p, v.0);
            _mm256_storeu_ps(p.add(8), v.1);
        }
    }
    #[inline(always)]
    unsafe fn load_i32(self, p: *const i32) -> V {
        // SAFETY: our caller vouches for 16 readable integers at `p`, and the token for AVX2; any alignment will do.
        unsafe {
            let (low, high) = (_mm256_loadu_si256(p.cast()), _mm256_loadu_si256(p.add(8).cast()));
            V(_mm256_cvtepi32_ps(low), _mm256_cvtepi32_ps(high))
        }
    }
    #[inline(always)]
    unsafe fn store_i32(self, p: *mut i32, v: V) {
        // SAFETY: our caller vouches for 16 writable integers at `p`, and the token for AVX2; any alignment will do.
        unsafe {
            _mm256_storeu_si256(p.cast(), _mm256_cvttps_epi32(v.0));
            _mm256_storeu_si256(p.add(8).cast(), _mm256_cvttps_epi32(v.1));
        }
    }
    #[inline(always)]
    unsafe fn load_first(self, p: *const f32, n: usize) -> V {
        let m = self.first(n);
        // SAFETY: masked lanes are not read; `wrapping_add` because the second half may lie beyond the buffer.
        unsafe {
            V(
                _mm256_maskload_ps(p, _mm256_castps_si256(m.0)),
                _mm256_maskload_ps(p.wrapping_add(8), _mm256_castps_si256(m.1)),
            )
        }
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, v: V, n: usize) {
        let m = self.first(n);
        // SAFETY: masked lanes are not written; `wrapping_add` because the second half may lie beyond the buffer.
        unsafe {
            _mm256_maskstore_ps(p, _mm256_castps_si256(m.0), v.0);
            _mm256_maskstore_ps(p.wrapping_add(8), _mm256_castps_si256(m.1), v.1);
        }
    }
    #[inline(always)]
    fn first(self, n: usize) -> M {
        self.lt(self.iota(), self.splat(n.min(16) as f32))
    }

    halves! {
        splat(x: f32) -> V = _mm256_set1_ps(x);
        add(a: V, b: V) -> V = _mm256_add_ps(a, b);
        sub(a: V, b: V) -> V = _mm256_sub_ps(a, b);
        mul(a: V, b: V) -> V = _mm256_mul_ps(a, b);
        div(a: V, b: V) -> V = _mm256_div_ps(a, b);
        // The instructions return the second operand where either is NaN.
        min(a: V, b: V) -> V = _mm256_blendv_ps(_mm256_min_ps(a, b), a, _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a));
        max(a: V, b: V) -> V = _mm256_blendv_ps(_mm256_max_ps(a, b), a, _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a));
        fma(a: V, b: V, c: V) -> V = _mm256_fmadd_ps(a, b, c);
        sqrt(a: V) -> V = _mm256_sqrt_ps(a);
        floor(a: V) -> V = _mm256_floor_ps(a);
        lt(a: V, b: V) -> V = _mm256_cmp_ps::<_CMP_LT_OQ>(a, b);
        le(a: V, b: V) -> V = _mm256_cmp_ps::<_CMP_LE_OQ>(a, b);
        gt(a: V, b: V) -> V = _mm256_cmp_ps::<_CMP_GT_OQ>(a, b);
        ge(a: V, b: V) -> V = _mm256_cmp_ps::<_CMP_GE_OQ>(a, b);
        eq(a: V, b: V) -> V = _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b);
        ne(a: V, b: V) -> V = _mm256_cmp_ps::<_CMP_NEQ_UQ>(a, b);
        and(a: M, b: M) -> V = _mm256_and_ps(a, b);
        or(a: M, b: M) -> V = _mm256_or_ps(a, b);
        not(a: M) -> V = _mm256_xor_ps(a, _mm256_castsi256_ps(_mm256_set1_epi32(-1)));
        select(m: M, a: V, b: V) -> V = _mm256_blendv_ps(b, a, m);
        bits(v: V) -> I = _mm256_castps_si256(v);
        int_as_float(i: I) -> V = _mm256_castsi256_ps(i);
        int_to_float(i: I) -> V = _mm256_cvtepi32_ps(i);
        int_splat(x: u32) -> I = _mm256_set1_epi32(x as i32);
        int_add(a: I, b: I) -> I = _mm256_add_epi32(a, b);
        int_sub(a: I, b: I) -> I = _mm256_sub_epi32(a, b);
        int_mul(a: I, b: I) -> I = _mm256_mullo_epi32(a, b);
        int_and(a: I, b: I) -> I = _mm256_and_si256(a, b);
        int_or(a: I, b: I) -> I = _mm256_or_si256(a, b);
        int_xor(a: I, b: I) -> I = _mm256_xor_si256(a, b);
        int_shl(a: I, n: u32) -> I = _mm256_sllv_epi32(a, _mm256_set1_epi32(n as i32));
        int_shr(a: I, n: u32) -> I = _mm256_srlv_epi32(a, _mm256_set1_epi32(n as i32));
        int_mul_high(a: I, b: I) -> I = {
            let even = _mm256_srli_epi64::<32>(_mm256_mul_epu32(a, b));
            let odd = _mm256_mul_epu32(_mm256_srli_epi64::<32>(a), _mm256_srli_epi64::<32>(b));
            _mm256_blend_epi32::<0xAA>(even, odd)
        };
    }

    #[inline(always)]
    fn iota(self) -> V {
        // SAFETY: the token proves AVX2.
        unsafe {
            V(
                _mm256_setr_ps(0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0),
                _mm256_setr_ps(8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0),
            )
        }
    }
    #[inline(always)]
    fn int_iota(self) -> I {
        // SAFETY: the token proves AVX2.
        unsafe { I(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15)) }
    }
    #[inline(always)]
    fn exact_product(self, a: V, b: V) -> (V, V) {
        let product = self.mul(a, b);
        (product, self.fma(a, b, self.neg(product)))
    }
    #[inline(always)]
    fn any(self, a: M) -> bool {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_movemask_ps(_mm256_or_ps(a.0, a.1)) != 0 }
    }
    #[inline(always)]
    fn sum(self, v: V) -> f32 {
        // SAFETY: the token proves AVX2.
        unsafe { sum(v.0, v.1) }
    }
    #[inline(always)]
    fn maximum(self, v: V) -> f32 {
        // SAFETY: the token proves AVX2.
        unsafe { maximum(v.0, v.1) }
    }
}

/// # Safety
/// The processor has AVX2.
#[inline(always)]
pub(super) unsafe fn sum(low: __m256, high: __m256) -> f32 {
    // SAFETY: our caller vouches for AVX2; only registers are touched.
    unsafe {
        let eight = _mm256_add_ps(low, high);
        let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
        let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
    }
}

/// # Safety
/// The processor has AVX2.
#[inline(always)]
pub(super) unsafe fn maximum(low: __m256, high: __m256) -> f32 {
    // SAFETY: our caller vouches for AVX2; only registers are touched.
    unsafe {
        let eight = _mm256_blendv_ps(_mm256_max_ps(low, high), low, _mm256_cmp_ps::<_CMP_UNORD_Q>(low, low));
        let four = larger(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
        let two = larger(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(larger(two, _mm_movehdup_ps(two)))
    }
}

/// `max` of four lanes; not a closure, which would stay a call.
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
unsafe fn larger(a: __m128, b: __m128) -> __m128 {
    // SAFETY: our caller vouches for AVX2; only registers are touched.
    unsafe { _mm_blendv_ps(_mm_max_ps(a, b), a, _mm_cmp_ps::<_CMP_UNORD_Q>(a, a)) }
}
