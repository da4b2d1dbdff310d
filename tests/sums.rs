//! Long sums: whatever is added up, and however many of it, the error stays below 1e-6 of the sum of magnitudes. Values of one sign
//! are the worst case, for no rounding makes up for another. On the CPU at each level, and from the CUDA kernels on the
//! emulator.

#[path = "common/skip.rs"]
mod skip;

use kiln::Level;
use kiln::prelude::*;
use kiln_emulator::{Emulator, Settings};
use ndarray::ArrayD;
use skip::skip;
use std::borrow::Borrow;

/// What single precision makes of the number.
const X: f32 = 1.1;

/// The CPU at each level, and the emulator.
fn devices() -> Vec<(String, Device)> {
    let levels = Level::ALL.into_iter().filter(|level| kiln::__private::cpu::supported(*level).is_ok());
    let mut list: Vec<_> = levels.map(|level| (format!("{level:?}"), Device::cpu().threads(2).simd(level))).collect();
    match Emulator::available() {
        Ok(()) => list.push(("the emulator".into(), Device::Other(Emulator::leak(Settings::default())))),
        Err(why) => skip(&why),
    }
    list
}

/// On each of them, a model that finds NaN where no kernel wrote.
fn on_each<N: Network>(mut check: impl FnMut(&mut Model<N>, &str)) {
    for (name, device) in devices() {
        let mut model: Model<N> = Model::new(&device, 1).unwrap();
        model.poison_scratch(true);
        check(&mut model, &format!("{} on {name}", N::NAME));
    }
}

fn fill<N: Network>(model: &mut Model<N>, name: &str, value: f32) {
    let shape = model.parameter(name).unwrap().raw_dim();
    model.set_parameter(name, ArrayD::from_elem(shape, value).view()).unwrap();
}

/// All of these are `expected`, a sum of numbers of one sign or one sum over another: to a millionth.
#[track_caller]
fn near(found: impl IntoIterator<Item: Borrow<f32>>, expected: f64, what: &str) {
    let wrong = |x: &f32| x.is_nan() || (f64::from(*x) - expected).abs() > 1e-6 * expected.abs();
    if let Some(found) = found.into_iter().map(|x| *x.borrow()).find(wrong) {
        let error = (f64::from(found) - expected) / expected;
        panic!("{what}: expected {expected}, found {found}, which is off by {error:e}");
    }
}

fn x() -> f64 {
    f64::from(X)
}

network! { pub Photographs { input x: [3, 224, 224]; BatchNorm<affine = false, track_running_stats = false>; } }
network! { pub Pictures { input x: [3, 60, 61]; BatchNorm<affine = false, track_running_stats = false>; } }
network! { pub Blocks { input x: [16, 60, 61]; BatchNorm<affine = false, track_running_stats = false>; } }
network! { pub Vectors { input x: [5]; BatchNorm<affine = false, track_running_stats = false>; } }

/// Of equal numbers nothing remains, and of 100 ± 0.01 the signs: mean and variance are right.
#[track_caller]
fn check_normalised(equal: &[f32], signs: &[f32], what: &str) {
    let largest = equal.iter().fold(0f32, |largest, x| if x.is_nan() { f32::NAN } else { largest.max(x.abs()) });
    // A mean that is off by a unit in its last place is 1.2e-7 off, which √1e-5 divides.
    assert!(largest <= 4e-5, "{what}: {largest} of equal numbers");
    // Both are 9.99e-3 from 100 in single precision.
    let distance = f64::from(100.01f32) - 100.0;
    let expected = distance / (distance * distance + 1e-5).sqrt();
    for (i, x) in signs.iter().enumerate() {
        let expected = if i % 2 == 0 { expected } else { -expected };
        assert!((f64::from(*x) - expected).abs() <= 1e-3, "{what}: {x} instead of {expected} at {i}");
    }
}

fn signs(count: usize) -> Vec<f32> {
    (0..count).map(|i| if i % 2 == 0 { 100.01 } else { 199.99 - 100.0 }).collect()
}

#[test]
fn statistics_of_a_batch() {
    let model = Photographs::new(&Device::cpu(), 1).unwrap();
    let size = 3 * 224 * 224;
    let equal = model.forward(&Images::from_vec(vec![X; 8 * size]).unwrap()).unwrap();
    let other = model.forward(&Images::from_vec(signs(32 * size)).unwrap()).unwrap();
    assert!(equal.as_slice().iter().all(|x| x.abs() <= 1e-5), "the mean of photographs is exact");
    check_normalised(equal.as_slice(), other.as_slice(), "photographs");
    on_each::<Pictures>(|model, at| {
        let size = 3 * 60 * 61;
        let equal = model.forward(&Images::from_vec(vec![X; 20 * size]).unwrap()).unwrap();
        let other = model.forward(&Images::from_vec(signs(20 * size)).unwrap()).unwrap();
        check_normalised(equal.as_slice(), other.as_slice(), at);
    });
    on_each::<Blocks>(|model, at| {
        let size = 16 * 60 * 61;
        let equal = model.forward(&Images::from_vec(vec![X; 9 * size]).unwrap()).unwrap();
        let other = model.forward(&Images::from_vec(signs(9 * size)).unwrap()).unwrap();
        check_normalised(equal.as_slice(), other.as_slice(), at);
    });
    on_each::<Vectors>(|model, at| {
        let equal = model.forward(&Rows::from_vec(vec![X; 5 << 15]).unwrap()).unwrap();
        let other: Vec<f32> = signs(1 << 15).into_iter().flat_map(|x| [x; 5]).collect();
        let other = model.forward(&Rows::from_vec(other).unwrap()).unwrap();
        let other: Vec<f32> = other.as_slice().chunks(5).map(|row| row[3]).collect();
        check_normalised(equal.as_slice(), &other, at);
    });
}

network! { pub Row { input x: [262144]; Average; } }
network! { pub Flat { input x: [4, 65536]; Average; } }
network! { pub Along { input x: [4, 65536]; Average<axis = 1>; } }
network! { pub Wide { input x: [16, 16384]; Average; } }
network! { pub WideAlong { input x: [16, 16384]; Average<axis = 1>; } }
network! { pub Tall { input x: [16384, 16]; Average<axis = 0>; } }
network! { pub Pool { input x: [20, 120, 130]; GlobalAvgPool; } }
network! { pub Windows { input x: [3, 128, 64]; AvgPool2d<64>; } }
network! { pub BlockWindows { input x: [16, 128, 64]; AvgPool2d<64>; } }
network! { pub Adaptive { input x: [2, 250, 250]; AdaptiveAvgPool2d<1>; } }

#[test]
fn averages() {
    on_each::<Row>(|model, at| {
        near(model.forward(&Rows::from_vec(vec![X; 1 << 18]).unwrap()).unwrap().view(), x(), at)
    });
    macro_rules! sequences {
        ($($name:ident),*) => { $(
            on_each::<$name>(|model, at| {
                let all = Sequences::from_vec(vec![X; 2 << 18]).unwrap();
                near(model.forward(&all).unwrap().view(), x(), at);
            });
        )* };
    }
    sequences!(Flat, Along, Wide, WideAlong, Tall);
    macro_rules! images {
        ($($name:ident: $size:expr),*) => { $(
            on_each::<$name>(|model, at| {
                let all = Images::from_vec(vec![X; 2 * $size]).unwrap();
                near(model.forward(&all).unwrap().view(), x(), at);
            });
        )* };
    }
    images!(Pool: 20 * 120 * 130, Windows: 3 * 128 * 64, BlockWindows: 16 * 128 * 64, Adaptive: 2 * 250 * 250);
}

network! { pub Normal { input x: [65536]; LayerNorm<elementwise_affine = false>; } }
network! { pub Groups2 { input x: [4, 128, 128]; GroupNorm<2, affine = false>; } }

#[test]
fn statistics_of_a_sample() {
    on_each::<Normal>(|model, at| {
        let equal = model.forward(&Rows::from_vec(vec![X; 65536]).unwrap()).unwrap();
        let other = model.forward(&Rows::from_vec(signs(65536)).unwrap()).unwrap();
        check_normalised(equal.as_slice(), other.as_slice(), at);
    });
    on_each::<Groups2>(|model, at| {
        let equal = model.forward(&Images::from_vec(vec![X; 65536]).unwrap()).unwrap();
        let other = model.forward(&Images::from_vec(signs(65536)).unwrap()).unwrap();
        check_normalised(equal.as_slice(), other.as_slice(), at);
    });
}

network! {
    #[fusion(both)]
    pub Dense { input x: [24]; target t: [3]; fc: Linear<3>; loss: Mse(_, t); }
}

fn dense<N: Network<Inputs = Rows<24>, Targets = Rows<3>>>() {
    on_each::<N>(|model, at| {
        let batch = 20_000;
        fill(model, "fc.weight", 0.0);
        fill(model, "fc.bias", 1.7);
        let (inputs, targets) = (Rows::from_vec(vec![X; 24 * batch]), Rows::from_vec(vec![0.0; 3 * batch]));
        let found = model.gradients(&Dataset::new(inputs.unwrap(), targets.unwrap()).unwrap()).unwrap();
        let bias = f64::from(1.7f32);
        near([found.step.loss], bias * bias, &format!("loss of {at}"));
        near(found.get("fc.bias").unwrap(), 2.0 * bias / 3.0, &format!("bias of {at}"));
        near(found.get("fc.weight").unwrap(), 2.0 * bias * x() / 3.0, &format!("weight of {at}"));
    });
}

#[test]
fn a_large_batch() {
    dense::<Dense>();
    dense::<DenseUnfused>();
}

network! { pub Deep { input x: [65536]; fc: Linear<2, bias = false>; } }
network! { pub DeepImage { input x: [16, 64, 64]; Flatten; fc: Linear<20, bias = false>; } }
network! {
    pub Fan {
        input x: [2]; target t: [4096];
        first: Linear<20>; second: Linear<4096>;
        loss: Mse(_, t);
    }
}

#[test]
fn deep_products() {
    on_each::<Deep>(|model, at| {
        fill(model, "fc.weight", 0.7);
        let found = model.forward(&Rows::from_vec(vec![X; 3 * 65536]).unwrap()).unwrap();
        near(found.view(), 65536.0 * f64::from(0.7f32) * x(), at);
    });
    on_each::<DeepImage>(|model, at| {
        fill(model, "fc.weight", 0.7);
        let found = model.forward(&Images::from_vec(vec![X; 3 * 65536]).unwrap()).unwrap();
        near(found.view(), 65536.0 * f64::from(0.7f32) * x(), at);
    });
    on_each::<Fan>(|model, at| {
        fill(model, "first.weight", 0.0);
        fill(model, "first.bias", 1.0);
        fill(model, "second.weight", X);
        fill(model, "second.bias", 0.0);
        let (inputs, targets) = (Rows::from_vec(vec![0.0; 6]), Rows::from_vec(vec![0.0; 3 * 4096]));
        let found = model.gradients(&Dataset::new(inputs.unwrap(), targets.unwrap()).unwrap()).unwrap();
        near([found.step.loss], 400.0 * x() * x(), &format!("loss of {at}"));
        near(found.get("first.bias").unwrap(), 40.0 * x() * x(), &format!("first bias of {at}"));
    });
}

network! { pub Few { input x: [3, 66, 70]; target t: [4, 64, 68]; conv: Conv2d<4, 3>; loss: Mse(_, t); } }
network! { pub Many { input x: [17, 20, 142]; target t: [20, 16, 138]; conv: Conv2d<20, 5>; loss: Mse(_, t); } }
network! { pub Depthwise { input x: [4, 50, 50]; target t: [4, 48, 48]; conv: Conv2d<4, 3, groups = 4>; loss: Mse(_, t); } }
network! { pub Three { input x: [32, 42, 42]; target t: [32, 40, 40]; conv: Conv2d<32, 3>; loss: Mse(_, t); } }

fn convolution<N, const C: usize, const H: usize, const W: usize, const O: usize, const OH: usize, const OW: usize>(
    batch: usize,
) where
    N: Network<Inputs = Images<C, H, W>, Targets = Images<O, OH, OW>>,
{
    on_each::<N>(|model, at| {
        fill(model, "conv.weight", 0.0);
        fill(model, "conv.bias", 1.7);
        let (inputs, targets) =
            (Images::from_vec(vec![X; batch * C * H * W]), Images::from_vec(vec![0.0; batch * O * OH * OW]));
        let found = model.gradients(&Dataset::new(inputs.unwrap(), targets.unwrap()).unwrap()).unwrap();
        let bias = f64::from(1.7f32);
        near([found.step.loss], bias * bias, &format!("loss of {at}"));
        near(found.get("conv.bias").unwrap(), 2.0 * bias / O as f64, &format!("bias of {at}"));
        near(found.get("conv.weight").unwrap(), 2.0 * bias * x() / O as f64, &format!("weight of {at}"));
    });
}

#[test]
fn gradients_of_convolutions() {
    convolution::<Few, 3, 66, 70, 4, 64, 68>(3);
    convolution::<Few, 3, 66, 70, 4, 64, 68>(40);
    convolution::<Many, 17, 20, 142, 20, 16, 138>(2);
    convolution::<Depthwise, 4, 50, 50, 4, 48, 48>(3);
    convolution::<Three, 32, 42, 42, 32, 40, 40>(4);
}

network! {
    pub Words {
        input words: ids<[32], 7>; target t: [32, 20];
        table: Embedding<20>;
        loss: Mse(_, t);
    }
}

#[test]
fn a_row_that_all_indices_name() {
    on_each::<Words>(|model, at| {
        let batch = 1000;
        fill(model, "table.weight", 1.7);
        let (inputs, targets) = (Ids::from_vec(vec![3; 32 * batch]), Sequences::from_vec(vec![0.0; 32 * 20 * batch]));
        let found = model.gradients(&Dataset::new(inputs.unwrap(), targets.unwrap()).unwrap()).unwrap();
        let bias = f64::from(1.7f32);
        near([found.step.loss], bias * bias, &format!("loss of {at}"));
        let rows = found.get("table.weight").unwrap();
        near(rows.iter().copied().skip(60).take(20), 2.0 * bias / 20.0, &format!("table of {at}"));
    });
}
