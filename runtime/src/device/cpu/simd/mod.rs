//! Vectors of 16 floats at three instruction levels, behind one trait.
//!
//! A value of a type that implements [`Simd`] is the proof that the processor has the instructions: it can be made only by `unsafe fn new`, after detection, inside a function that carries the
//! matching `#[target_feature]` (see [`levels!`](crate::levels)). Everything between that function and an intrinsic is `#[inline(always)]`.
//!
//! AVX-512 uses `avx512f` and nothing else: rustc 1.95 miscompiles code with `avx512dq` and `avx512vl` together. AVX2 takes two registers for 16 lanes, so that both levels give the same bits:
//! same operations, same order, `fma` at both. The portable level computes `a * b + c` and so differs from them in the last bits.
//!
//! Deliberately absent: auto-vectorised code, a runtime-sized vector, integers as a lane type of their own (integers exist only as `Simd::I`, for bit work and random numbers).

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod detect;
pub(crate) mod levels;
mod maths;
mod one;
mod portable;
mod random;

#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;
pub use detect::{LevelError, best, detect, supported};
pub use one::One;
pub use portable::Portable;
pub use random::philox;

use crate::plan::Level;

/// Lanes of a vector at the vector levels, channels of a block, and what the batch is rounded up to.
pub const BLOCK: usize = 16;

/// Operations on vectors of `LANES` floats.
///
/// Comparisons are ordered (false where an operand is NaN), except `ne`. Lane counts `n` may exceed `LANES`.
pub trait Simd: Copy + 'static {
    /// Floats.
    type V: Copy;
    /// Truth values.
    type M: Copy;
    /// 32-bit integers, wrapping.
    type I: Copy;

    const LANES: usize;
    const LEVEL: Level;

    fn splat(self, x: f32) -> Self::V;
    /// 0, 1, 2, …
    fn iota(self) -> Self::V;

    /// # Safety
    /// `p` is readable for `LANES` floats.
    unsafe fn load(self, p: *const f32) -> Self::V;
    /// # Safety
    /// `p` is writable for `LANES` floats.
    unsafe fn store(self, p: *mut f32, v: Self::V);
    /// Integers, converted.
    /// # Safety
    /// `p` is readable for `LANES` integers.
    unsafe fn load_i32(self, p: *const i32) -> Self::V;
    /// Truncates.
    /// # Safety
    /// `p` is writable for `LANES` integers.
    unsafe fn store_i32(self, p: *mut i32, v: Self::V);
    /// Lanes from `n` on are 0 and their memory is not read.
    /// # Safety
    /// `p` is readable for `min(n, LANES)` floats.
    unsafe fn load_first(self, p: *const f32, n: usize) -> Self::V;
    /// Memory of lanes from `n` on is not written.
    /// # Safety
    /// `p` is writable for `min(n, LANES)` floats.
    unsafe fn store_first(self, p: *mut f32, v: Self::V, n: usize);

    /// Lanes below `n`.
    fn first(self, n: usize) -> Self::M;

    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a < b ? a : b`, and NaN where either is. Cheapest with a constant first.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a > b ? a : b`, and NaN where either is. Cheapest with a constant first.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once where the level has the instruction.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    fn sqrt(self, a: Self::V) -> Self::V;
    /// a · 2ⁿ, for a near 1 and integers n from -250 to 250.
    #[inline(always)]
    fn times_two_to(self, a: Self::V, n: Self::V) -> Self::V {
        maths::times_two_to(self, a, n)
    }
    fn floor(self, a: Self::V) -> Self::V;
    /// The product and what its rounding lost.
    fn exact_product(self, a: Self::V, b: Self::V) -> (Self::V, Self::V);

    fn lt(self, a: Self::V, b: Self::V) -> Self::M;
    fn le(self, a: Self::V, b: Self::V) -> Self::M;
    fn gt(self, a: Self::V, b: Self::V) -> Self::M;
    fn ge(self, a: Self::V, b: Self::V) -> Self::M;
    fn eq(self, a: Self::V, b: Self::V) -> Self::M;
    /// True where an operand is NaN.
    fn ne(self, a: Self::V, b: Self::V) -> Self::M;
    fn and(self, a: Self::M, b: Self::M) -> Self::M;
    fn or(self, a: Self::M, b: Self::M) -> Self::M;
    fn not(self, a: Self::M) -> Self::M;
    fn any(self, a: Self::M) -> bool;
    /// `m ? a : b`
    fn select(self, m: Self::M, a: Self::V, b: Self::V) -> Self::V;

    /// Sum of the lanes: lane i and i + 8, then i + 4, i + 2, i + 1.
    fn sum(self, v: Self::V) -> f32;
    /// Largest lane, or NaN where one is; the order of `sum`.
    fn maximum(self, v: Self::V) -> f32;

    fn bits(self, v: Self::V) -> Self::I;
    fn int_as_float(self, i: Self::I) -> Self::V;
    fn int_to_float(self, i: Self::I) -> Self::V;
    fn int_splat(self, x: u32) -> Self::I;
    fn int_add(self, a: Self::I, b: Self::I) -> Self::I;
    fn int_sub(self, a: Self::I, b: Self::I) -> Self::I;
    /// Low halves of the products.
    fn int_mul(self, a: Self::I, b: Self::I) -> Self::I;
    /// High halves of the unsigned products.
    fn int_mul_high(self, a: Self::I, b: Self::I) -> Self::I;
    fn int_and(self, a: Self::I, b: Self::I) -> Self::I;
    fn int_or(self, a: Self::I, b: Self::I) -> Self::I;
    fn int_xor(self, a: Self::I, b: Self::I) -> Self::I;
    fn int_shl(self, a: Self::I, n: u32) -> Self::I;
    /// Fills with zeros.
    fn int_shr(self, a: Self::I, n: u32) -> Self::I;
    /// 0, 1, 2, …
    fn int_iota(self) -> Self::I;

    // From here on written once, over the operations above.

    /// Lanes from `n` on become 0.
    #[inline(always)]
    fn keep_first(self, v: Self::V, n: usize) -> Self::V {
        self.fill_after(v, n, self.splat(0.0))
    }

    /// Lanes from `n` on become those of `x`.
    #[inline(always)]
    fn fill_after(self, v: Self::V, n: usize, x: Self::V) -> Self::V {
        self.select(self.first(n), v, x)
    }

    /// Lane i is `p[i * stride]` below `n` and 0 from there on.
    /// # Safety
    /// Those elements are readable.
    #[inline(always)]
    unsafe fn gather(self, p: *const f32, stride: usize, n: usize) -> Self::V {
        let mut lanes = [0.0; BLOCK];
        for (i, lane) in lanes[..Self::LANES].iter_mut().enumerate().take(n) {
            // SAFETY: i < n, which the caller vouches for.
            *lane = unsafe { *p.add(i * stride) };
        }
        // SAFETY: the array has at least LANES elements.
        unsafe { self.load(lanes.as_ptr()) }
    }

    /// `gather` of integers, converted.
    /// # Safety
    /// As `gather`.
    #[inline(always)]
    unsafe fn gather_i32(self, p: *const i32, stride: usize, n: usize) -> Self::V {
        let mut lanes = [0.0; BLOCK];
        for (i, lane) in lanes[..Self::LANES].iter_mut().enumerate().take(n) {
            // SAFETY: i < n, which the caller vouches for.
            *lane = unsafe { *p.add(i * stride) } as f32;
        }
        // SAFETY: the array has at least LANES elements.
        unsafe { self.load(lanes.as_ptr()) }
    }

    /// `p[i * stride]` becomes lane i, for i < n.
    /// # Safety
    /// Those elements are writable.
    #[inline(always)]
    unsafe fn scatter(self, p: *mut f32, stride: usize, n: usize, v: Self::V) {
        let mut lanes = [0.0; BLOCK];
        // SAFETY: the array has at least LANES elements.
        unsafe { self.store(lanes.as_mut_ptr(), v) };
        for (i, lane) in lanes[..Self::LANES].iter().enumerate().take(n) {
            // SAFETY: i < n, which the caller vouches for.
            unsafe { *p.add(i * stride) = *lane };
        }
    }

    /// `scatter` as integers, truncated.
    /// # Safety
    /// As `scatter`.
    #[inline(always)]
    unsafe fn scatter_i32(self, p: *mut i32, stride: usize, n: usize, v: Self::V) {
        let mut lanes = [0.0; BLOCK];
        // SAFETY: the array has at least LANES elements.
        unsafe { self.store(lanes.as_mut_ptr(), v) };
        for (i, lane) in lanes[..Self::LANES].iter().enumerate().take(n) {
            // SAFETY: i < n, which the caller vouches for.
            unsafe { *p.add(i * stride) = *lane as i32 };
        }
    }

    #[inline(always)]
    fn neg(self, a: Self::V) -> Self::V {
        self.int_as_float(self.int_xor(self.bits(a), self.int_splat(0x8000_0000)))
    }

    #[inline(always)]
    fn abs(self, a: Self::V) -> Self::V {
        self.int_as_float(self.int_and(self.bits(a), self.int_splat(0x7fff_ffff)))
    }

    /// `max(0, a)`, NaN stays.
    #[inline(always)]
    fn relu(self, a: Self::V) -> Self::V {
        self.max(self.splat(0.0), a)
    }

    /// 1 where true, else 0.
    #[inline(always)]
    fn float(self, m: Self::M) -> Self::V {
        self.select(m, self.splat(1.0), self.splat(0.0))
    }

    #[inline(always)]
    fn exp(self, x: Self::V) -> Self::V {
        maths::exp(self, x)
    }
    /// e^x - 1, within a few units in the last place near 0 too.
    #[inline(always)]
    fn expm1(self, x: Self::V) -> Self::V {
        maths::expm1(self, x)
    }
    #[inline(always)]
    fn ln(self, x: Self::V) -> Self::V {
        maths::ln(self, x)
    }
    /// ln(1 + x), within a few units in the last place near 0 too.
    #[inline(always)]
    fn log1p(self, x: Self::V) -> Self::V {
        maths::log1p(self, x)
    }
    #[inline(always)]
    fn sin(self, x: Self::V) -> Self::V {
        maths::sin(self, x)
    }
    #[inline(always)]
    fn cos(self, x: Self::V) -> Self::V {
        maths::cos(self, x)
    }
    #[inline(always)]
    fn tanh(self, x: Self::V) -> Self::V {
        maths::tanh(self, x)
    }
    #[inline(always)]
    fn sigmoid(self, x: Self::V) -> Self::V {
        maths::sigmoid(self, x)
    }
    #[inline(always)]
    fn erf(self, x: Self::V) -> Self::V {
        maths::erf(self, x)
    }
    /// 1 - erf(x), within a few units in the last place where that is nearly 0 too.
    #[inline(always)]
    fn erfc(self, x: Self::V) -> Self::V {
        maths::erfc(self, x)
    }
    /// C's `powf`, special cases included.
    #[inline(always)]
    fn pow(self, x: Self::V, y: Self::V) -> Self::V {
        maths::pow(self, x, y)
    }

    /// Uniform numbers in [0, 1): lane i is that of element `index + i * stride` of sample `sample`, whatever the level and whichever lane it lands in.
    #[inline(always)]
    fn random(self, seed: u64, step: u64, stream: u32, sample: u32, index: u32, stride: u32) -> Self::V {
        random::uniform(self, seed, step, stream, sample, index, stride)
    }
}
