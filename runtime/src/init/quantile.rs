//! The standard normal distribution: its function and the inverse of it.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// The part of the distribution below `x`: Hart's approximation (West, 2005), to about 1e-15.
pub(super) fn normal_cdf(x: f64) -> f64 {
    const P: [f64; 7] = [
        0.035_262_496_599_891_1,
        0.700_383_064_443_688,
        6.373_962_203_531_65,
        33.912_866_078_383,
        112.079_291_497_871,
        221.213_596_169_931,
        220.206_867_912_376,
    ];
    const Q: [f64; 8] = [
        0.088_388_347_648_318_4,
        1.755_667_163_182_64,
        16.064_177_579_207,
        86.780_732_202_946_1,
        296.564_248_779_674,
        637.333_633_378_831,
        793.826_512_519_948,
        440.413_735_824_752,
    ];
    let y = x.abs();
    if y > 37.0 {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let density = (-y * y / 2.0).exp();
    let tail = if y < 10.0 * FRAC_1_SQRT_2 {
        let polynomial = |terms: &[f64]| terms.iter().fold(0.0, |sum, term| sum * y + term);
        density * polynomial(&P) / polynomial(&Q)
    } else {
        let fraction = y + 1.0 / (y + 2.0 / (y + 3.0 / (y + 4.0 / (y + 0.65))));
        density / fraction / (2.0 * PI).sqrt()
    };
    if x > 0.0 { 1.0 - tail } else { tail }
}

/// The `x` below which this part of the distribution lies: Acklam's approximation (2003) and one step of Halley's method.
pub(super) fn normal_quantile(part: f64) -> f64 {
    const A: [f64; 6] = [
        -39.696_830_286_653_76,
        220.946_098_424_520_5,
        -275.928_510_446_968_7,
        138.357_751_867_269,
        -30.664_798_066_147_16,
        2.506_628_277_459_239,
    ];
    const B: [f64; 5] = [
        -54.476_098_798_224_06,
        161.585_836_858_040_9,
        -155.698_979_859_886_6,
        66.801_311_887_719_72,
        -13.280_681_552_885_72,
    ];
    const C: [f64; 6] = [
        -0.007_784_894_002_430_293,
        -0.322_396_458_041_136_5,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 4] =
        [0.007_784_695_709_041_462, 0.322_467_129_070_039_8, 2.445_134_137_142_996, 3.754_408_661_907_416];
    const LOW: f64 = 0.024_25;
    let polynomial = |terms: &[f64], x: f64| terms.iter().fold(0.0, |sum, term| sum * x + term);
    let tail = |part: f64| {
        let q = (-2.0 * part.ln()).sqrt();
        polynomial(&C, q) / (polynomial(&D, q) * q + 1.0)
    };
    let x = if part < LOW {
        tail(part)
    } else if part > 1.0 - LOW {
        -tail(1.0 - part)
    } else {
        let q = part - 0.5;
        let r = q * q;
        polynomial(&A, r) * q / (polynomial(&B, r) * r + 1.0)
    };
    let error = normal_cdf(x) - part;
    let step = error * (2.0 * PI).sqrt() * (x * x / 2.0).exp();
    if step.is_finite() { x - step / (1.0 + x * step / 2.0) } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By `scipy.stats.norm`.
    #[test]
    fn known_values() {
        for (x, part) in [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_542_9),
            (-2.0, 0.022_750_131_948_179_21),
            (3.5, 0.999_767_370_920_964_5),
            (-6.0, 9.865_876_450_376_98e-10),
            (-8.0, 6.220_960_574_271_785e-16),
        ] {
            // Its error is absolute, so that it shows in the tails.
            assert!((normal_cdf(x) / part - 1.0).abs() < 1e-7, "{x}: {}", normal_cdf(x));
            assert!((normal_quantile(part) - x).abs() < 1e-8, "{part}: {}", normal_quantile(part));
        }
    }
}
