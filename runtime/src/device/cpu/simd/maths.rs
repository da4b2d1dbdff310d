//! Transcendental functions, written once over [`Simd`]: within a few units in the last place over the whole range.
//!
//! Polynomials are those of Cephes (Moshier) on reduced arguments; `erf` follows the known two-branch minimax form, `erfc` is interpolated.
//! Special values are C's.

use core::f32::consts::{FRAC_1_SQRT_2, LOG2_E};

use super::{BLOCK, Simd};

/// ln 2 in two parts: ten bits, so that products with an exponent are exact, and the rest.
const LN2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// 1/3 in two parts.
const THIRD: [f32; 2] = [0.333_333_34, -9.934_107e-9];
/// 1.5 · 2²³: adding it rounds to an integer, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;
/// π / 2 in parts of 11 bits (the last: the rest), so that products with a quadrant below 2¹³ are exact.
const PI_HALF: [f32; 4] = [1.570_312_5, 4.837_513e-4, 7.549_533_6e-8, 2.563_344e-12];
/// Up to here `PI_HALF` reduces; beyond, `reduce_large`.
const SMALL_ANGLE: f32 = 8192.0;

/// Coefficients from the highest power down.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(s: S, x: S::V, coefficients: [f32; N]) -> S::V {
    let mut y = s.splat(coefficients[0]);
    for c in &coefficients[1..] {
        y = s.fma(y, x, s.splat(*c));
    }
    y
}

/// exp(x + low), for |low| ≪ 1.
#[inline(always)]
fn exp_sum<S: Simd>(s: S, x: S::V, low: S::V) -> S::V {
    // Beyond these the result is 0 or inf; the constant comes first so that NaN stays.
    exp_between(s, s.max(s.splat(-104.0), s.min(s.splat(89.0), x)), low)
}

/// As [`exp_sum`], for x from -104 to 89.
#[inline(always)]
fn exp_between<S: Simd>(s: S, x: S::V, low: S::V) -> S::V {
    let (less, n) = exp_reduced(s, x, low);
    s.times_two_to(s.add(less, s.splat(1.0)), n)
}

/// (y, n) with exp(x + low) = (1 + y)·2ⁿ, for x from -104 to 89.
#[inline(always)]
fn exp_reduced<S: Simd>(s: S, x: S::V, low: S::V) -> (S::V, S::V) {
    let rounded = s.fma(x, s.splat(LOG2_E), s.splat(ROUND));
    let n = s.sub(rounded, s.splat(ROUND));
    let r = s.fma(n, s.splat(-LN2[0]), x);
    let r = s.add(s.fma(n, s.splat(-LN2[1]), r), low);
    let p = polynomial(s, r, [1.987_569_2e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5.0e-1]);
    (s.fma(p, s.mul(r, r), r), n)
}

/// y · 2ⁿ for integers n from -250 to 250 and y near 1, where there is no instruction for it: in two halves, as 2ⁿ may be too large or too
/// small. Only the second product rounds, and only where it is subnormal.
#[inline(always)]
pub fn times_two_to<S: Simd>(s: S, y: S::V, n: S::V) -> S::V {
    let whole = s.bits(s.add(n, s.splat(ROUND)));
    let half = s.bits(s.fma(n, s.splat(0.5), s.splat(ROUND)));
    let first = s.int_sub(half, s.int_splat(ROUND.to_bits()));
    s.mul(s.mul(y, power_of_two(s, first)), power_of_two(s, s.int_sub(whole, half)))
}

/// 2ⁿ for an exponent of the normal range.
#[inline(always)]
fn power_of_two<S: Simd>(s: S, n: S::I) -> S::V {
    s.int_as_float(s.int_shl(s.int_add(n, s.int_splat(127)), 23))
}

#[inline(always)]
pub fn exp<S: Simd>(s: S, x: S::V) -> S::V {
    exp_sum(s, x, s.splat(0.0))
}

#[inline(always)]
pub fn expm1<S: Simd>(s: S, x: S::V) -> S::V {
    // Below -20 the result rounds to -1; the constant comes first so that NaN stays.
    let within = s.max(s.splat(-20.0), s.min(s.splat(89.0), x));
    let (y, n) = exp_reduced(s, within, s.splat(0.0));
    // (1 + y)·2ⁿ - 1 = (y + (1 - 2⁻ⁿ))·2ⁿ, where n = 0 leaves y as it is; 2⁻ⁿ is nothing beside 1 long before it leaves the normal range.
    let n_low = s.min(s.splat(64.0), n);
    let minus = s.int_sub(s.int_splat(ROUND.to_bits()), s.bits(s.add(n_low, s.splat(ROUND))));
    let y = s.add(y, s.sub(s.splat(1.0), power_of_two(s, minus)));
    // -0 would leave the reduction as +0.
    s.select(s.eq(x, s.splat(0.0)), x, s.times_two_to(y, n))
}

/// x = m · 2ᵉ with m in [√½, √2), for x > 0; gives (m, e).
#[inline(always)]
fn split<S: Simd>(s: S, x: S::V) -> (S::V, S::V) {
    let tiny = s.lt(x, s.splat(f32::MIN_POSITIVE));
    let x = s.select(tiny, s.mul(x, s.splat(8_388_608.0)), x);
    let bits = s.bits(x);
    let e = s.int_and(s.int_sub(bits, s.int_splat(FRAC_1_SQRT_2.to_bits())), s.int_splat(0xff80_0000));
    let m = s.int_as_float(s.int_sub(bits, e));
    let correction = s.select(tiny, s.splat(-23.0), s.splat(0.0));
    (m, s.fma(s.int_to_float(e), s.splat(1.0 / 8_388_608.0), correction))
}

#[inline(always)]
pub fn ln<S: Simd>(s: S, x: S::V) -> S::V {
    let (m, e) = split(s, x);
    let y = ln_near_one(s, s.sub(m, s.splat(1.0)), e, s.splat(0.0));
    let y = s.select(s.eq(x, s.splat(f32::INFINITY)), x, y);
    let y = s.select(s.ge(x, s.splat(0.0)), y, s.splat(f32::NAN));
    s.select(s.eq(x, s.splat(0.0)), s.splat(f32::NEG_INFINITY), y)
}

/// e·ln 2 + ln(1 + f) + low, for 1 + f in [√½, √2) and |low| ≪ 1.
#[inline(always)]
fn ln_near_one<S: Simd>(s: S, f: S::V, e: S::V, low: S::V) -> S::V {
    let p = polynomial(
        s,
        f,
        [
            7.037_683_6e-2,
            -1.151_461e-1,
            1.167_699_9e-1,
            -1.242_014_1e-1,
            1.424_932_3e-1,
            -1.666_805_7e-1,
            2.000_071_5e-1,
            -2.499_999_4e-1,
            3.333_333e-1,
        ],
    );
    let square = s.mul(f, f);
    let y = s.add(s.fma(e, s.splat(LN2[1]), s.mul(s.mul(p, square), f)), low);
    let y = s.fma(square, s.splat(-0.5), y);
    s.fma(e, s.splat(LN2[0]), s.add(f, y))
}

#[inline(always)]
pub fn log1p<S: Simd>(s: S, x: S::V) -> S::V {
    let (zero, one) = (s.splat(0.0), s.splat(1.0));
    let sum = s.add(one, x);
    let (m, e) = split(s, sum);
    // Where the sum is near 1 it is not needed: f is x itself. Elsewhere what its rounding lost comes back as a quotient.
    let near = s.eq(e, zero);
    let lost = s.select(s.gt(x, one), s.sub(one, s.sub(sum, x)), s.sub(x, s.sub(sum, one)));
    let f = s.select(near, x, s.sub(m, one));
    let y = ln_near_one(s, f, e, s.select(near, zero, s.div(lost, sum)));
    let y = s.select(s.eq(x, s.splat(f32::INFINITY)), x, y);
    let y = s.select(s.ge(x, s.splat(-1.0)), y, s.splat(f32::NAN));
    let y = s.select(s.eq(x, s.splat(-1.0)), s.splat(f32::NEG_INFINITY), y);
    // -0 would come out as +0.
    s.select(s.eq(x, zero), x, y)
}

/// x = n · π/2 + r with |r| ≤ π/4; gives (r, n as an integer).
#[inline(always)]
fn reduce_angle<S: Simd>(s: S, x: S::V) -> (S::V, S::I) {
    let rounded = s.fma(x, s.splat(core::f32::consts::FRAC_2_PI), s.splat(ROUND));
    let n = s.sub(rounded, s.splat(ROUND));
    let mut r = x;
    for part in PI_HALF {
        r = s.fma(n, s.splat(-part), r);
    }
    let quadrant = s.int_sub(s.bits(rounded), s.int_splat(ROUND.to_bits()));
    let small = s.le(s.abs(x), s.splat(SMALL_ANGLE));
    if !s.any(s.not(small)) {
        return (r, quadrant);
    }
    let (mut lanes, mut turns) = ([0.0; BLOCK], [0.0; BLOCK]);
    // SAFETY: the arrays have at least LANES elements.
    unsafe { s.store(lanes.as_mut_ptr(), x) };
    for (x, n) in lanes[..S::LANES].iter_mut().zip(&mut turns) {
        (*x, *n) = reduce_large(*x);
    }
    // SAFETY: both arrays have `BLOCK` elements, and no level more lanes.
    let (large, turns) = unsafe { (s.load(lanes.as_ptr()), s.load(turns.as_ptr())) };
    let turns = s.select(small, n, turns);
    let quadrant = s.int_sub(s.bits(s.add(turns, s.splat(ROUND))), s.int_splat(ROUND.to_bits()));
    (s.select(small, r, large), quadrant)
}

/// `reduce_angle` of one number of any size: a product with the bits of 2/π that matter (Payne and Hanek). The quadrant is modulo 4.
#[cold]
#[inline(never)]
fn reduce_large(x: f32) -> (f32, f32) {
    const TWO_OVER_PI: [u64; 5] = [
        0xa2f9_836e_4e44_1529,
        0xfc27_57d1_f534_ddc0,
        0xdb62_9599_3c43_9041,
        0xfe51_63ab_debb_c561,
        0xb724_6e3a_424d_d2e0,
    ];
    let exponent = (x.to_bits() >> 23 & 255) as i32 - 150;
    if !x.is_finite() {
        return (f32::NAN, 0.0);
    }
    if exponent < -20 {
        return (x, 0.0);
    }
    let mantissa = u128::from(x.to_bits() & 0x7f_ffff | 0x80_0000);
    // Bits of 2/π from weight 2^(1 - exponent) on: higher ones contribute whole turns, which vanish in the wrapping product.
    let start = exponent - 2;
    let window = if start < 0 {
        (u128::from(TWO_OVER_PI[0]) << 64 | u128::from(TWO_OVER_PI[1])) >> -start
    } else {
        let (word, bit) = (start as usize / 64, start as u32 % 64);
        let high = u128::from(TWO_OVER_PI[word]) << 64 | u128::from(TWO_OVER_PI[word + 1]);
        if bit == 0 { high } else { high << bit | u128::from(TWO_OVER_PI[word + 2] >> (64 - bit)) }
    };
    let product = mantissa.wrapping_mul(window);
    // Two bits of quadrant, then the fraction; rounded to the nearest quadrant.
    let turns = (product >> 126) as u32 + (product >> 125 & 1) as u32;
    let fraction = (product << 2) as i128;
    let r = fraction as f64 * (core::f64::consts::FRAC_PI_2 / 2f64.powi(128));
    let (r, turns) = if x < 0.0 { (-r, (4 - turns % 4) % 4) } else { (r, turns % 4) };
    (r as f32, turns as f32)
}

#[inline(always)]
fn sin_reduced<S: Simd>(s: S, r: S::V, quadrant: S::I) -> S::V {
    let square = s.mul(r, r);
    let p = polynomial(s, square, [-1.951_529_6e-4, 8.332_161e-3, -1.666_665_5e-1]);
    let sine = s.fma(s.mul(p, square), r, r);
    let p = polynomial(s, square, [2.443_315_7e-5, -1.388_731_6e-3, 4.166_664_6e-2]);
    let cosine = s.fma(s.mul(p, square), square, s.fma(square, s.splat(-0.5), s.splat(1.0)));
    let odd = s.ne(s.int_to_float(s.int_and(quadrant, s.int_splat(1))), s.splat(0.0));
    let y = s.select(odd, cosine, sine);
    s.int_as_float(s.int_xor(s.bits(y), s.int_shl(s.int_and(quadrant, s.int_splat(2)), 30)))
}

#[inline(always)]
pub fn sin<S: Simd>(s: S, x: S::V) -> S::V {
    let (r, quadrant) = reduce_angle(s, x);
    // -0 would leave the reduction as +0.
    s.select(s.eq(x, s.splat(0.0)), x, sin_reduced(s, r, quadrant))
}

#[inline(always)]
pub fn cos<S: Simd>(s: S, x: S::V) -> S::V {
    let (r, quadrant) = reduce_angle(s, x);
    sin_reduced(s, r, s.int_add(quadrant, s.int_splat(1)))
}

#[inline(always)]
fn copy_sign<S: Simd>(s: S, magnitude: S::V, sign: S::V) -> S::V {
    let sign = s.int_and(s.bits(sign), s.int_splat(0x8000_0000));
    s.int_as_float(s.int_or(s.int_and(s.bits(magnitude), s.int_splat(0x7fff_ffff)), sign))
}

#[inline(always)]
pub fn tanh<S: Simd>(s: S, x: S::V) -> S::V {
    let t = s.abs(x);
    let square = s.mul(x, x);
    let p = polynomial(s, square, [-5.704_988_7e-3, 2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328_3e-1]);
    let small = s.fma(s.mul(p, square), x, x);
    let e = exp(s, s.add(t, t));
    let large = s.sub(s.splat(1.0), s.div(s.splat(2.0), s.add(e, s.splat(1.0))));
    s.select(s.lt(t, s.splat(0.625)), small, copy_sign(s, large, x))
}

#[inline(always)]
pub fn sigmoid<S: Simd>(s: S, x: S::V) -> S::V {
    let e = exp_between(s, s.max(s.splat(-104.0), s.neg(s.abs(x))), s.splat(0.0));
    let one = s.splat(1.0);
    s.div(s.select(s.lt(x, s.splat(0.0)), e, one), s.add(one, e))
}

#[inline(always)]
pub fn erf<S: Simd>(s: S, x: S::V) -> S::V {
    let t = s.abs(x);
    let square = s.mul(x, x);
    let p = polynomial(
        s,
        square,
        [-5.967_617e-4, 4.991_194_2e-3, -2.676_813_5e-2, 1.128_199_25e-1, -3.761_253_4e-1, 1.283_791_7e-1],
    );
    let small = s.fma(p, x, x);
    let q = s.fma(s.splat(-1.728_534_7e-5), t, s.splat(3.831_97e-4));
    let u = s.fma(s.splat(-3.883_964_4e-3), t, s.splat(2.425_462_2e-2));
    let q = s.fma(q, square, u);
    let q = s.fma(q, t, s.splat(-1.067_778_8e-1));
    let q = s.fma(q, t, s.splat(-6.348_467e-1));
    let q = s.fma(q, t, s.splat(-1.287_175_1e-1));
    // Beyond 4 the result is 1, and there the polynomial would turn round.
    let q = s.select(s.gt(t, s.splat(4.0)), s.splat(-104.0), s.fma(q, t, s.neg(t)));
    let large = copy_sign(s, s.sub(s.splat(1.0), exp(s, q)), x);
    s.select(s.gt(t, s.splat(0.927_734_4)), large, small)
}

/// e^(-t²) · P((t - 2)/(t + 2)) / (t + 2) for t = |x|: the polynomial is the interpolation of erfc(t)·e^(t²)·(t + 2) at the Chebyshev nodes of
/// t from 0 to 10.1, where erfc is no float any more but 0.
#[inline(always)]
pub fn erfc<S: Simd>(s: S, x: S::V) -> S::V {
    let two = s.splat(2.0);
    // The constant comes first so that NaN stays.
    let t = s.min(s.splat(10.1), s.abs(x));
    let r = s.div(s.splat(1.0), s.add(t, two));
    let p = polynomial(
        s,
        s.mul(s.sub(t, two), r),
        [
            6.372_179e-5,
            3.854_520_4e-5,
            -5.879_974e-4,
            -8.226_514e-4,
            3.061_688_5e-3,
            6.472_252e-3,
            -2.150_571_5e-2,
            -3.644_125e-2,
            2.794_717_8e-1,
            -6.871_607_3e-1,
            1.021_582_7,
        ],
    );
    // Rounded, the square would cost the power its last digits.
    let (square, lost) = s.exact_product(t, t);
    let y = s.mul(s.mul(p, r), exp_sum(s, s.neg(square), s.neg(lost)));
    s.select(s.lt(x, s.splat(0.0)), s.sub(two, y), y)
}

/// ln x as a sum of two floats, for x > 0 and finite.
#[inline(always)]
fn ln_exact<S: Simd>(s: S, x: S::V) -> (S::V, S::V) {
    let one = s.splat(1.0);
    let (m, e) = split(s, x);
    // q = (m - 1) / (m + 1) and what the division lost.
    let f = s.sub(m, one);
    let d = s.add(m, one);
    let d_low = s.sub(m, s.sub(d, one));
    let q = s.div(f, d);
    let (product, lost) = s.exact_product(q, d);
    let rest = s.sub(s.sub(s.sub(f, product), lost), s.mul(q, d_low));
    let q_low = s.div(rest, d);
    // 2 atanh q = 2q + 2q³ (1/3 + q²/5 + …), the cubic term as a sum too.
    let (square, square_low) = s.exact_product(q, q);
    let square_low = s.fma(s.add(q, q), q_low, square_low);
    let third = s.splat(THIRD[0]);
    let p = s.fma(polynomial(s, square, [0.092_5, 0.111_111, 0.142_857_15, 0.2]), square, s.splat(THIRD[1]));
    let c = s.add(third, p);
    let c_low = s.sub(p, s.sub(c, third));
    let (t, t_low) = s.exact_product(c, square);
    let t_low = s.fma(c, square_low, s.fma(c_low, square, t_low));
    let (double, double_low) = (s.add(q, q), s.add(q_low, q_low));
    let (u, u_low) = s.exact_product(t, double);
    let u_low = s.fma(t, double_low, s.fma(t_low, double, u_low));
    let high = s.add(double, u);
    let low = s.add(s.sub(u, s.sub(high, double)), s.add(double_low, u_low));
    // e · ln 2 is the larger summand wherever it is not 0.
    let whole = s.mul(e, s.splat(LN2[0]));
    let sum = s.add(whole, high);
    let use_whole = s.ne(e, s.splat(0.0));
    let error = s.select(use_whole, s.sub(high, s.sub(sum, whole)), s.splat(0.0));
    let low = s.add(error, s.fma(e, s.splat(LN2[1]), low));
    // Normalised, so that the caller's product is exact enough.
    let top = s.add(sum, low);
    (top, s.sub(low, s.sub(top, sum)))
}

#[inline(always)]
pub fn pow<S: Simd>(s: S, x: S::V, y: S::V) -> S::V {
    let (zero, one, inf) = (s.splat(0.0), s.splat(1.0), s.splat(f32::INFINITY));
    let base = s.abs(x);
    let (high, low) = ln_exact(s, base);
    let (product, lost) = s.exact_product(y, high);
    let lost = s.fma(y, low, lost);
    let in_range = s.and(s.gt(product, s.splat(-110.0)), s.lt(product, s.splat(95.0)));
    let result = exp_sum(s, product, s.select(in_range, lost, zero));
    // |x| of 0 or inf: the logarithm above is meaningless.
    let grows = s.gt(y, zero);
    let result = s.select(s.eq(base, zero), s.select(grows, zero, inf), result);
    let result = s.select(s.eq(base, inf), s.select(grows, inf, zero), result);
    let result = s.select(s.and(s.eq(base, one), s.eq(y, y)), one, result);
    // The sign of a negative base, -0 included: odd powers keep it, even ones lose it, others have no value.
    let negative = s.lt(copy_sign(s, one, x), zero);
    let half = s.mul(y, s.splat(0.5));
    let whole = s.eq(s.floor(y), y);
    let odd = s.and(whole, s.ne(s.floor(half), half));
    let result = s.select(s.and(negative, odd), s.neg(result), result);
    let undefined = s.and(s.lt(x, zero), s.and(s.not(whole), s.lt(base, inf)));
    let result = s.select(undefined, s.splat(f32::NAN), result);
    let result = s.select(s.or(s.ne(x, x), s.ne(y, y)), s.splat(f32::NAN), result);
    s.select(s.or(s.eq(x, one), s.eq(y, zero)), one, result)
}
