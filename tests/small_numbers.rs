//! Activations and losses where their numbers are tiny, huge, and hugely negative: values and slopes against formulas in double
//! precision that do not cancel, at every SIMD level and from the CUDA kernels on the emulator.
//!
//! Where PyTorch's own formula loses digits in single precision and Kiln uses the same for its gradient (1 − tanh², s·(1 − s) of
//! results), the bound is absolute; everything else is held to a few units in the last place of its own size.

#[path = "common/skip.rs"]
mod skip;

use kiln::Level;
use kiln::prelude::*;
use kiln_emulator::{Emulator, Settings};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, PI};

/// Arguments by rows of 16, as a network takes them.
const POINTS: [[f32; 16]; 4] = [
    [-3e38, -1e30, -1e10, -1e4, -103.0, -95.0, -88.0, -60.0, -30.0, -20.0, -17.0, -13.0, -9.0, -7.0, -5.0, -4.0],
    [-3.0, -2.0, -1.0, -0.5, -0.35, -0.34, -0.1, -1e-2, -1e-3, -1e-5, -1e-7, -1e-8, -1e-20, -1e-37, -1e-40, 0.0],
    [1e-40, 1e-37, 1e-20, 1e-8, 1e-7, 1e-5, 1e-3, 1e-2, 0.1, 0.34, 0.35, 0.5, 1.0, 2.0, 3.0, 4.0],
    [5.0, 7.0, 9.0, 13.0, 17.0, 20.0, 20.5, 30.0, 60.0, 88.0, 95.0, 103.0, 1e4, 1e10, 1e30, 3e38],
];

fn devices() -> Vec<(String, Device)> {
    let mut list = Vec::new();
    for level in Level::ALL {
        if EluNet::new(&Device::cpu().simd(level), 0).is_ok() {
            list.push((format!("{level:?}"), Device::cpu().simd(level)));
        }
    }
    match Emulator::available() {
        Ok(()) => list.push(("CUDA".into(), Device::Other(Emulator::leak(Settings::default())))),
        Err(why) => skip::skip(&why),
    }
    list
}

/// How far a number may be off: this much of itself, and this much.
#[derive(Clone, Copy)]
struct Bound {
    relative: f64,
    absolute: f64,
}

/// A few units in the last place; below the normal range of floats, of its smallest number.
const CLOSE: Bound = Bound { relative: 1e-6, absolute: 2e-44 };

/// What single precision leaves of a difference of numbers near 1.
const CANCELS: Bound = Bound { relative: 4e-6, absolute: 1.5e-7 };

fn near(what: &str, at: f32, found: f32, expected: f64, bound: Bound) {
    let rounded = expected as f32;
    let error = (f64::from(found) - expected).abs();
    let fits = found == rounded || error <= bound.relative * expected.abs() + bound.absolute;
    assert!(fits, "{what} at {at:e}: {found:e}, expected {expected:e}");
}

/// A network of one element-wise layer: values of all points, and its slopes as the gradient of what is added to the input.
macro_rules! activation {
    ($name:ident, $network:ident, [$($layer:tt)*], $value:expr, $slope:expr, [$close:expr, $slopes:expr]) => {
        network! { $network {
            input x: [16]; param shift: [16] = Zeros;
            Add(x, shift); $($layer)*;
            loss: Mean(_);
        } }

        #[test]
        fn $name() {
            let (value, slope): (fn(f64) -> f64, fn(f64) -> f64) = ($value, $slope);
            for (device_name, device) in devices() {
                let model = $network::new(&device, 0).unwrap();
                for row in POINTS {
                    let input = Rows::one(row);
                    let found = model.forward(&input).unwrap();
                    let gradients = model.gradients(&Dataset::new(input, ()).unwrap()).unwrap();
                    let slopes = gradients.get("shift").unwrap();
                    for i in 0..16 {
                        let x = f64::from(row[i]);
                        let what = format!("{} on {device_name}", stringify!($($layer)*));
                        near(&what, row[i], found.row(0)[i], value(x), $close);
                        near(&format!("the slope of {what}"), row[i], 16.0 * slopes[[i]], slope(x), $slopes);
                    }
                }
            }
        }
    };
}

fn sigmoid(x: f64) -> f64 {
    if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }
}

/// ln(1 + eˣ)
fn soft(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The density of the normal distribution.
fn density(x: f64) -> f64 {
    (-x * x / 2.0).exp() * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI / 2.0
}

/// Its distribution function, also where it is small: a continued fraction there, a series elsewhere.
fn distribution(x: f64) -> f64 {
    let t = x.abs() * FRAC_1_SQRT_2;
    let tail = if t < 2.5 {
        let (mut term, mut sum) = (t, t);
        for n in 1..100 {
            let n = f64::from(n);
            term *= -t * t / n;
            sum += term / (2.0 * n + 1.0);
        }
        1.0 - sum * FRAC_2_SQRT_PI
    } else {
        let fraction = (1..200).rev().fold(0.0, |fraction, n| f64::from(n) / 2.0 / (t + fraction));
        (-t * t).exp() / (PI.sqrt() * (t + fraction))
    };
    if x < 0.0 { tail / 2.0 } else { 1.0 - tail / 2.0 }
}

/// √(2/π)·(x + 0.044715 x³), and its slope. Cut where nothing is left of the difference to 0 and 1.
fn cubic(x: f64) -> (f64, f64) {
    let x = x.clamp(-1e3, 1e3);
    let factor = (2.0 / PI).sqrt();
    (factor * (x + 0.044715 * x.powi(3)), factor * (1.0 + 3.0 * 0.044715 * x * x))
}

fn gated(x: f64) -> f64 {
    let u = 2.0 * cubic(x).0;
    sigmoid(u) + x * sigmoid(u) * sigmoid(-u) * 2.0 * cubic(x).1
}

/// The slope of tanh, without cancellation.
fn tanh_slope(x: f64) -> f64 {
    4.0 * sigmoid(2.0 * x) * sigmoid(-2.0 * x)
}

/// A gate below the normal range, times a number of three digits.
const GATED: Bound = Bound { relative: 1e-6, absolute: 1e-43 };

// The power of a square: its relative error is the square's absolute one.
const SQUARED: Bound = Bound { relative: 2e-5, absolute: 2e-44 };
const SQUARED_SLOPE: Bound = Bound { relative: 2e-5, absolute: 1e-7 };

activation!(
    elu,
    EluNet,
    [Elu],
    |x| if x > 0.0 { x } else { x.exp_m1() },
    |x| if x > 0.0 { 1.0 } else { x.exp() },
    [CLOSE, CLOSE]
);
activation!(
    steep_elu,
    SteepElu,
    [Elu<2.5>],
    |x| if x > 0.0 { x } else { 2.5 * x.exp_m1() },
    |x| if x > 0.0 { 1.0 } else { 2.5 * x.exp() },
    [CLOSE, CLOSE]
);
activation!(
    softplus,
    SoftplusNet,
    [Softplus],
    |x| if x > 20.0 { x } else { soft(x) },
    |x| if x > 20.0 { 1.0 } else { sigmoid(x) },
    [CLOSE, CLOSE]
);
activation!(
    softplus_without_a_limit,
    WideSoftplus,
    [Softplus<beta = 2, threshold = 1e38>],
    |x| soft(2.0 * x) / 2.0,
    |x| sigmoid(2.0 * x),
    [CLOSE, CLOSE]
);
activation!(sigmoids, SigmoidNet, [Sigmoid], sigmoid, |x| sigmoid(x) * sigmoid(-x), [CLOSE, CANCELS]);
activation!(silu, SiluNet, [Silu], |x| x * sigmoid(x), |x| sigmoid(x) * (1.0 + x * sigmoid(-x)), [GATED, CANCELS]);
activation!(
    mish,
    MishNet,
    [Mish],
    |x| x * soft(x).tanh(),
    |x| soft(x).tanh() + if x > 50.0 { 0.0 } else { x * tanh_slope(soft(x)) * sigmoid(x) },
    [GATED, Bound { absolute: 2e-6, ..CANCELS }]
);
activation!(tanh, TanhNet, [Tanh], f64::tanh, tanh_slope, [CLOSE, CANCELS]);
activation!(
    gelu,
    GeluNet,
    [Gelu],
    |x| x * distribution(x),
    |x| distribution(x) + x * density(x),
    [SQUARED, SQUARED_SLOPE]
);
activation!(
    gelu_by_tanh,
    GeluByTanh,
    [Gelu<approximate = tanh>],
    |x| x * sigmoid(2.0 * cubic(x).0),
    gated,
    [SQUARED, SQUARED_SLOPE]
);
activation!(relu, ReluNet, [Relu], |x| x.max(0.0), |x| f64::from(x > 0.0), [CLOSE, CLOSE]);
activation!(
    leaky_relu,
    LeakyNet,
    [LeakyRelu<0.25>],
    |x| if x > 0.0 { x } else { 0.25 * x },
    |x| if x > 0.0 { 1.0 } else { 0.25 },
    [CLOSE, CLOSE]
);

network! {
    fn small(x) { expm1(x) }
    Expm1Net { input x: [16]; param shift: [16] = Zeros; Add(x, shift); small; loss: Mean(_); }
}

#[test]
fn the_issues_numbers() {
    let elu = EluNet::new(&Device::cpu(), 0).unwrap();
    let mut row = [0.0; 16];
    (row[0], row[1]) = (-1e-8, -1e-7);
    let found = elu.forward(&Rows::one(row)).unwrap();
    assert_eq!(found.row(0)[0], -1e-8);
    near("Elu", -1e-7, found.row(0)[1], -9.999_999_5e-8, CLOSE);
    let softplus = SoftplusNet::new(&Device::cpu(), 0).unwrap();
    (row[0], row[1]) = (-17.0, -20.0);
    let found = softplus.forward(&Rows::one(row)).unwrap();
    near("Softplus", -17.0, found.row(0)[0], 4.139_938e-8, CLOSE);
    near("Softplus", -20.0, found.row(0)[1], 2.061_154e-9, CLOSE);
}

/// A user's `fn` has the same functions. (`exp(x) - 1` of it would be 0 at most of these points.)
#[test]
fn functions_of_ones_own() {
    for (name, device) in devices() {
        let model = Expm1Net::new(&device, 0).unwrap();
        let row = POINTS[1];
        let found = model.forward(&Rows::one(row)).unwrap();
        let gradients = model.gradients(&Dataset::new(Rows::one(row), ()).unwrap()).unwrap();
        let slopes = gradients.get("shift").unwrap();
        for i in 0..16 {
            near(&format!("expm1 on {name}"), row[i], found.row(0)[i], f64::from(row[i]).exp_m1(), CLOSE);
            near(&format!("the slope of expm1 on {name}"), row[i], 16.0 * slopes[[i]], f64::from(row[i]).exp(), CLOSE);
        }
    }
}

/// A loss of 16 equal predictions and truths: its value, and its slope by the prediction.
macro_rules! loss {
    ($name:ident, $network:ident, [$($loss:tt)*], $points:expr, $truths:expr, $value:expr, $slope:expr, [$close:expr, $slopes:expr]) => {
        network! { $network {
            input x: [16]; target y: [16]; param shift: [16] = Zeros;
            Add(x, shift);
            loss: $($loss)*(_, y);
        } }

        #[test]
        fn $name() {
            let (value, slope): (fn(f64, f64) -> f64, fn(f64, f64) -> f64) = ($value, $slope);
            for (device_name, device) in devices() {
                let model = $network::new(&device, 0).unwrap();
                for x in $points {
                    for y in $truths {
                        let data = Dataset::new(Rows::one([x; 16]), Rows::one([y; 16])).unwrap();
                        let what = format!("{}(_, {y}) on {device_name}", stringify!($($loss)*));
                        let found = model.evaluate(&data).unwrap().loss as f32;
                        near(&what, x, found, value(f64::from(x), f64::from(y)), $close);
                        let gradients = model.gradients(&data).unwrap();
                        let found = 16.0 * gradients.get("shift").unwrap()[[5]];
                        near(&format!("the slope of {what}"), x, found, slope(f64::from(x), f64::from(y)), $slopes);
                    }
                }
            }
        }
    };
}

/// All points whose sum of 16 is finite.
fn scores() -> impl Iterator<Item = f32> {
    POINTS.into_iter().flatten().filter(|x| x.abs() < 1e31)
}

loss!(
    bce_with_logits,
    BceOfScores,
    [BceWithLogits],
    scores(),
    [0.0f32, 1.0],
    |x, y| y * soft(-x) + (1.0 - y) * soft(x),
    |x, y| -y * sigmoid(-x) + (1.0 - y) * sigmoid(x),
    [CLOSE, CLOSE]
);
loss!(
    bce_with_logits_and_weights,
    WeightedBce,
    [BceWithLogits<pos_weight = 3>],
    scores(),
    [0.0f32, 1.0, 0.25],
    |x, y| 3.0 * y * soft(-x) + (1.0 - y) * soft(x),
    |x, y| -3.0 * y * sigmoid(-x) + (1.0 - y) * sigmoid(x),
    [CLOSE, Bound { absolute: 1e-7, ..CLOSE }]
);
loss!(
    bce,
    BceOfOdds,
    [Bce],
    [1e-30f32, 1e-20, 1e-9, 1e-7, 1e-4, 0.1, 0.5, 0.75, 0.9, 0.999, 0.999_999],
    [0.0f32, 1.0],
    |x, y| -y * x.ln() - (1.0 - y) * (-x).ln_1p(),
    |x, y| -y / x + (1.0 - y) / (1.0 - x),
    [CLOSE, CLOSE]
);
loss!(
    smooth_l1,
    Smooth,
    [SmoothL1<beta = 0.5>],
    scores(),
    [0.0f32],
    |x, _| if x.abs() < 0.5 { x * x } else { x.abs() - 0.25 },
    |x, _| if x.abs() < 0.5 { 2.0 * x } else { x.signum() },
    [CLOSE, CLOSE]
);
loss!(
    smooth_l1_without_a_curve,
    Sharp,
    [SmoothL1<beta = 0>],
    scores().filter(|x| *x != 0.0),
    [0.0f32],
    |x, _| x.abs(),
    |x, _| x.signum(),
    [CLOSE, CLOSE]
);
loss!(
    huber,
    HuberNet,
    [Huber<delta = 2>],
    scores(),
    [0.0f32],
    |x, _| if x.abs() < 2.0 { x * x / 2.0 } else { 2.0 * x.abs() - 2.0 },
    |x, _| x.clamp(-2.0, 2.0),
    [CLOSE, CLOSE]
);
loss!(
    l1,
    L1Net,
    [L1],
    scores(),
    [0.0f32],
    |x, _| x.abs(),
    |x, _| if x == 0.0 { 0.0 } else { x.signum() },
    [CLOSE, CLOSE]
);

network! { TwoClasses {
    input x: [2]; target class: class<2>; param shift: [2] = Zeros;
    Add(x, shift);
    loss: CrossEntropy(_, class);
} }

/// As PyTorch's, cross-entropy takes the logarithm of a sum that has a 1 in it: below its last digit the loss is 0.
#[test]
fn cross_entropy() {
    for (device_name, device) in devices() {
        let model = TwoClasses::new(&device, 0).unwrap();
        for x in scores() {
            let data = Dataset::new(Rows::one([x, 0.0]), Classes::from_vec(vec![0]).unwrap()).unwrap();
            let found = model.evaluate(&data).unwrap().loss as f32;
            near(&format!("CrossEntropy on {device_name}"), x, found, soft(f64::from(-x)), CANCELS);
            let gradients = model.gradients(&data).unwrap();
            let found = gradients.get("shift").unwrap();
            near(&format!("its slope on {device_name}"), x, found[[0]], -sigmoid(f64::from(-x)), CANCELS);
            near(&format!("its slope on {device_name}"), x, found[[1]], sigmoid(f64::from(-x)), CANCELS);
        }
    }
}
