//! AVX-512F: one register of 16 lanes. Nothing here may need `avx512dq`, `avx512vl` or `avx512bw`.

use core::arch::x86_64::*;

use super::Simd;
use crate::plan::Level;

#[derive(Clone, Copy)]
pub struct Avx512(());

impl Avx512 {
    /// # Safety
    /// The processor has `avx512f`, and the calling function is compiled for it.
    #[inline(always)]
    pub unsafe fn new() -> Self {
        Avx512(())
    }
}

/// A method that is one intrinsic.
macro_rules! direct {
    ($($name:ident($($arg:ident: $t:ty),*) -> $out:ty = $body:expr;)*) => { $(
        #[inline(always)]
        fn $name(self, $($arg: $t),*) -> $out {
            // SAFETY: the token proves that the processor has AVX-512F.
            unsafe { $body }
        }
    )* };
}

type V = __m512;
type I = __m512i;
type M = __mmask16;

impl Simd for Avx512 {
    type V = V;
    type M = M;
    type I = I;
    const LANES: usize = 16;
    const LEVEL: Level = Level::Avx512;

    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> V {
        // SAFETY: our caller vouches for 16 readable floats at `p`, and the token for AVX-512F; any alignment will do.
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: V) {
        // SAFETY: our caller vouches for 16 writable floats at `p`, and the token for AVX-512F; any alignment will do.
        unsafe { _mm512_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn load_i32(self, p: *const i32) -> V {
        // SAFETY: our caller vouches for 16 readable integers at `p`, and the token for AVX-512F; any alignment will
        // do.
        unsafe { _mm512_cvtepi32_ps(_mm512_loadu_epi32(p)) }
    }
    #[inline(always)]
    unsafe fn store_i32(self, p: *mut i32, v: V) {
        // SAFETY: our caller vouches for 16 writable integers at `p`, and the token for AVX-512F; any alignment will
        // do.
        unsafe { _mm512_storeu_epi32(p, _mm512_cvttps_epi32(v)) }
    }
    #[inline(always)]
    unsafe fn load_first(self, p: *const f32, n: usize) -> V {
        // SAFETY: masked lanes are not read.
        unsafe { _mm512_maskz_loadu_ps(self.first(n), p) }
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, v: V, n: usize) {
        // SAFETY: masked lanes are not written.
        unsafe { _mm512_mask_storeu_ps(p, self.first(n), v) }
    }
    #[inline(always)]
    fn first(self, n: usize) -> M {
        if n >= 16 { !0 } else { (1u16 << n) - 1 }
    }

    direct! {
        splat(x: f32) -> V = _mm512_set1_ps(x);
        iota() -> V = _mm512_setr_ps(0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0);
        add(a: V, b: V) -> V = _mm512_add_ps(a, b);
        sub(a: V, b: V) -> V = _mm512_sub_ps(a, b);
        mul(a: V, b: V) -> V = _mm512_mul_ps(a, b);
        div(a: V, b: V) -> V = _mm512_div_ps(a, b);
        // The instructions return the second operand where either is NaN.
        min(a: V, b: V) -> V = _mm512_mask_mov_ps(_mm512_min_ps(a, b), _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a), a);
        max(a: V, b: V) -> V = _mm512_mask_mov_ps(_mm512_max_ps(a, b), _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a), a);
        fma(a: V, b: V, c: V) -> V = _mm512_fmadd_ps(a, b, c);
        sqrt(a: V) -> V = _mm512_sqrt_ps(a);
        times_two_to(a: V, n: V) -> V = _mm512_scalef_ps(a, n);
        floor(a: V) -> V = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(a);
        lt(a: V, b: V) -> M = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b);
        le(a: V, b: V) -> M = _mm512_cmp_ps_mask::<_CMP_LE_OQ>(a, b);
        gt(a: V, b: V) -> M = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b);
        ge(a: V, b: V) -> M = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(a, b);
        eq(a: V, b: V) -> M = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b);
        ne(a: V, b: V) -> M = _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(a, b);
        select(m: M, a: V, b: V) -> V = _mm512_mask_blend_ps(m, b, a);
        sum(v: V) -> f32 = super::avx2::sum(_mm512_castps512_ps256(v), high(v));
        maximum(v: V) -> f32 = super::avx2::maximum(_mm512_castps512_ps256(v), high(v));
        bits(v: V) -> I = _mm512_castps_si512(v);
        int_as_float(i: I) -> V = _mm512_castsi512_ps(i);
        int_to_float(i: I) -> V = _mm512_cvtepi32_ps(i);
        int_splat(x: u32) -> I = _mm512_set1_epi32(x as i32);
        int_add(a: I, b: I) -> I = _mm512_add_epi32(a, b);
        int_sub(a: I, b: I) -> I = _mm512_sub_epi32(a, b);
        int_mul(a: I, b: I) -> I = _mm512_mullo_epi32(a, b);
        int_and(a: I, b: I) -> I = _mm512_and_si512(a, b);
        int_or(a: I, b: I) -> I = _mm512_or_si512(a, b);
        int_xor(a: I, b: I) -> I = _mm512_xor_si512(a, b);
        int_shl(a: I, n: u32) -> I = _mm512_sllv_epi32(a, _mm512_set1_epi32(n as i32));
        int_shr(a: I, n: u32) -> I = _mm512_srlv_epi32(a, _mm512_set1_epi32(n as i32));
        int_iota() -> I = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        int_mul_high(a: I, b: I) -> I = {
            let even = _mm512_srli_epi64::<32>(_mm512_mul_epu32(a, b));
            let odd = _mm512_mul_epu32(_mm512_srli_epi64::<32>(a), _mm512_srli_epi64::<32>(b));
            _mm512_mask_blend_epi32(0xAAAA, even, odd)
        };
    }

    #[inline(always)]
    fn exact_product(self, a: V, b: V) -> (V, V) {
        let product = self.mul(a, b);
        (product, self.fma(a, b, self.neg(product)))
    }
    #[inline(always)]
    fn and(self, a: M, b: M) -> M {
        a & b
    }
    #[inline(always)]
    fn or(self, a: M, b: M) -> M {
        a | b
    }
    #[inline(always)]
    fn not(self, a: M) -> M {
        !a
    }
    #[inline(always)]
    fn any(self, a: M) -> bool {
        a != 0
    }
}

/// Lanes 8 to 15.
/// # Safety
/// The processor has AVX-512F.
#[inline(always)]
unsafe fn high(v: V) -> __m256 {
    // SAFETY: our caller vouches for AVX-512F; only registers are touched.
    unsafe { _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(v))) }
}
