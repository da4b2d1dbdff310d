//! What parts of a batch give, added up, is what the whole gives: gradients that are gathered, evaluation in chunks, the mean
//! loss of an epoch. With weights of classes a part counts by its labels, and each term of a loss by its own.

#[path = "common/skip.rs"]
mod skip;

use kiln::prelude::*;
use kiln_emulator::{Emulator, Settings};
use ndarray::array;
use skip::skip;

network! {
    /// The scores of zeros are the bias.
    pub Weighted { input x: [1]; target y: class<2>; fc: Linear<2>; loss: CrossEntropy<weight = [1, 9]>(_, y); }

    /// Samples of the first class are masked.
    pub Masked { input x: [2]; target y: class<3>; fc: Linear<3>; loss: CrossEntropy<weight = [0, 1, 2]>(_, y); }

    pub Smoothed {
        input x: [3]; target y: class<4>; Linear<9>; Relu; Linear<4>;
        loss: CrossEntropy<label_smoothing = 0.2, weight = [0.5, 4, 1, 7]>(_, y);
    }

    pub LogLikelihood {
        input x: [3]; target y: class<4>; Linear<9>; Relu; Linear<4>; LogSoftmax;
        loss: Nll<weight = [0.5, 4, 1, 7]>(_, y);
    }

    /// Three means: over samples, by two lists of weights. What depends on no sample counts once, and the same weights of the
    /// same labels are one mean.
    pub Several {
        input x: [3]; target y: class<4>; target z: class<2>; target t: [2];
        param p: [2] = Ones;
        Linear<9>; Relu as h;
        Linear<4>(h) as scores; Linear<2>(h) as odds; LogSoftmax(odds) as logs; Mul(odds, p) as scaled;
        output scores;
        loss: 0.5 * CrossEntropy<label_smoothing = 0.1, weight = [0.5, 4, 1, 7]>(scores, y) + 2 * Mse(scaled, t)
            + Nll<weight = [0, 3]>(logs, z) + 0.3 * CrossEntropy<weight = [0, 3]>(odds, z) + L1(odds, t) + 0.1 * Mean(p);
    }
}

/// The CPU on one thread and three, and the emulator, which looks at every access.
fn devices() -> Vec<Device> {
    let mut devices = vec![Device::cpu().threads(1), Device::cpu().threads(3)];
    match Emulator::available() {
        Ok(()) => devices.push(Device::Other(Emulator::leak(Settings { checked: true, ..Settings::default() }))),
        Err(why) => skip(&why),
    }
    devices
}

/// A number in [-1, 1).
fn number(i: usize) -> f32 {
    (i.wrapping_mul(2_654_435_761) >> 9 & 0xffff) as f32 / 32768.0 - 1.0
}

fn rows<const N: usize>(samples: usize, salt: usize) -> Rows<N> {
    Rows::from_vec((0..samples * N).map(|i| number(i + salt)).collect()).unwrap()
}

fn classes<const N: usize>(samples: usize, salt: usize) -> Classes<N> {
    let class = |i| ((number(i + salt) + 1.0) / 2.0 * N as f32) as usize;
    Classes::from_vec((0..samples).map(class).collect::<Vec<usize>>()).unwrap()
}

fn all<N: Network>(model: &Model<N>) -> Vec<(&'static str, Vec<f32>)> {
    let names: Vec<&'static str> = model.parameters().map(|p| p.name).collect();
    names.into_iter().map(|name| (name, model.parameter(name).unwrap().iter().copied().collect())).collect()
}

fn near(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() <= 2e-5 * expected.abs().max(0.1), "{what}: {found}, expected {expected}");
}

/// A step with what `cuts` of the samples have left against the gradient of all of them, twice; the mean loss of an epoch of
/// such batches, so many of them a step, and the evaluation of all samples against the loss of one batch.
fn check<N: Network>(data: &Dataset<N::Inputs, N::Targets>, cuts: &[usize], accumulates: &[usize]) {
    for device in devices() {
        let at = format!("{} on {device}", N::NAME);
        let mut model: Model<N> = Model::new(&device, 5).unwrap();
        model.poison_scratch(true);
        for round in 0..2 {
            let (gradients, before) = (model.gradients(data).unwrap(), all(&model));
            let mut optimizer = Sgd { lr: 1.0, ..Sgd::default() }.bind(&model).unwrap();
            let mut first = 0;
            for cut in cuts {
                model.accumulate(&data.skip(first).take(*cut)).unwrap();
                first += cut;
            }
            assert_eq!(first, data.len());
            model.apply(&mut optimizer).unwrap();
            for ((name, before), (_, after)) in before.iter().zip(all(&model)) {
                for ((before, after), gradient) in before.iter().zip(after).zip(gradients.get(name).unwrap().iter()) {
                    near(f64::from(before - after), f64::from(*gradient), &format!("{at}, round {round}, {name}"));
                }
            }
        }
        let expected = f64::from(model.gradients(data).unwrap().step.loss);
        near(model.evaluate(data).unwrap().loss, expected, &format!("{at}, evaluation"));
        for accumulate in accumulates {
            let still = Trainer::new(&mut model, Sgd { lr: 0.0, ..Sgd::default() });
            let still = still.epochs(1).batch_size(7).accumulate(*accumulate).quiet();
            let found = still.fit(data, data).unwrap().epochs[0];
            near(found.train_loss, expected, &format!("{at}, an epoch's mean"));
            near(found.valid_loss, expected, &format!("{at}, validation"));
        }
    }
}

#[test]
fn a_step_of_parts_is_the_step_of_the_whole() {
    check::<Smoothed>(&Dataset::new(rows(37, 0), classes(37, 7)).unwrap(), &[5, 1, 20, 11], &[1, 3]);
    check::<LogLikelihood>(&Dataset::new(rows(37, 0), classes(37, 7)).unwrap(), &[16, 21], &[1, 2]);
    let targets = SeveralTargets { y: classes(37, 7), z: classes(37, 9), t: rows(37, 3) };
    check::<Several>(&Dataset::new(rows(37, 0), targets).unwrap(), &[5, 1, 20, 11], &[3]);
}

/// ∂bias of the four is (0.4, −0.4), and so is that of two and two.
#[test]
fn a_class_of_one_part_and_the_other_of_the_next() {
    for device in devices() {
        let mut model = Weighted::new(&device, 1).unwrap();
        model.set_parameter("fc.bias", array![0.0, 0.0].into_dyn().view()).unwrap();
        let part =
            |class| Dataset::new(Rows::from_vec(vec![0.0; 2]).unwrap(), Classes::from_vec(vec![class; 2]).unwrap());
        let mut optimizer = Sgd { lr: 1.0, ..Sgd::default() }.bind(&model).unwrap();
        let reports = [0usize, 1].map(|class| model.accumulate(&part(class).unwrap()).unwrap().loss);
        assert!(reports.iter().all(|loss| (loss - std::f32::consts::LN_2).abs() < 1e-6), "{reports:?}");
        model.apply(&mut optimizer).unwrap();
        let bias = model.parameter("fc.bias").unwrap();
        assert!((bias[[0]] + 0.4).abs() < 1e-6 && (bias[[1]] - 0.4).abs() < 1e-6, "{device}: {bias}");
    }
}

#[test]
fn evaluation_in_any_order() {
    let sorted: Vec<usize> = (0..2048).map(|i| usize::from(i >= 1024)).collect();
    let mixed: Vec<usize> = (0..2048).map(|i| i % 2).collect();
    for device in devices() {
        let mut model = Weighted::new(&device, 1).unwrap();
        model.set_parameter("fc.bias", array![3f32.ln(), 0.0].into_dyn().view()).unwrap();
        for labels in [sorted.clone(), mixed.clone(), sorted.iter().rev().copied().collect()] {
            let data =
                Dataset::new(Rows::from_vec(vec![0.0; 2048]).unwrap(), Classes::from_vec(labels).unwrap()).unwrap();
            let found = model.evaluate(&data).unwrap();
            assert!((found.loss - 1.276_433).abs() < 1e-6, "{device}: {}", found.loss);
            assert_eq!(found.accuracy, 0.5);
        }
    }
}

/// A loss of several means over more samples than one run takes, against its definition in double precision.
#[test]
fn evaluation_of_several_means() {
    let samples = 2500;
    let mut labels: Vec<usize> = (0..samples).map(|i| i * 7 % 4).collect();
    labels.sort_unstable();
    let other: Vec<usize> = (0..samples).map(|i| usize::from(i * i % 11 < 4)).collect();
    let targets = SeveralTargets {
        y: Classes::from_vec(labels.clone()).unwrap(),
        z: Classes::from_vec(other.clone()).unwrap(),
        t: rows(samples, 3),
    };
    let data = Dataset::new(rows(samples, 0), targets).unwrap();
    for device in devices() {
        let model = Several::new(&device, 3).unwrap();
        let value = |name: &str| -> Vec<f64> { model.parameter(name).unwrap().iter().map(|x| f64::from(*x)).collect() };
        let layer = |number: usize, x: &[f64]| -> Vec<f64> {
            let layers: Vec<_> = model.parameters().map(|p| p.name).filter(|name| name.ends_with("weight")).collect();
            let (w, b) = (value(layers[number]), value(&layers[number].replace("weight", "bias")));
            w.chunks(x.len()).zip(b).map(|(w, b)| b + w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>()).collect()
        };
        let surprise = |scores: &[f64]| -> Vec<f64> {
            let log = scores.iter().map(|score| score.exp()).sum::<f64>().ln();
            scores.iter().map(|score| log - score).collect()
        };
        let (w, v, p) = ([0.5, 4.0, 1.0, 7.0], [0.0, 3.0], value("p"));
        let (mut first, mut second, mut dense) = ((0.0, 0.0), (0.0, 0.0), 0.0);
        for sample in 0..samples {
            let x: Vec<f64> = data.inputs().view().row(sample).iter().map(|x| f64::from(*x)).collect();
            let t: Vec<f64> = data.targets().t.view().row(sample).iter().map(|x| f64::from(*x)).collect();
            let hidden: Vec<f64> = layer(0, &x).iter().map(|x| x.max(0.0)).collect();
            let (scores, odds) = (layer(1, &hidden), layer(2, &hidden));
            let (a, b, y, z) = (surprise(&scores), surprise(&odds), labels[sample], other[sample]);
            let smooth: f64 = a.iter().zip(w).map(|(a, w)| w * a).sum::<f64>() * 0.1 / 4.0;
            first = (first.0 + 0.9 * w[y] * a[y] + smooth, first.1 + w[y]);
            second = (second.0 + 1.3 * v[z] * b[z], second.1 + v[z]);
            for i in 0..2 {
                dense += 2.0 * (odds[i] * p[i] - t[i]).powi(2) / 2.0 + (odds[i] - t[i]).abs() / 2.0;
            }
        }
        let penalty = 0.1 * (p[0] + p[1]) / 2.0;
        let expected = 0.5 * first.0 / first.1 + second.0 / second.1 + dense / samples as f64 + penalty;
        near(model.evaluate(&data).unwrap().loss, expected, &format!("{device}"));
    }
}

/// Parts of no weight add nothing, first or last; a whole of no weight has no gradient.
#[test]
fn masked_samples() {
    let labels = |labels: &[usize]| Classes::from_vec(labels.to_vec()).unwrap();
    let whole = Dataset::new(rows(9, 2), labels(&[0, 0, 0, 1, 2, 0, 2, 0, 0])).unwrap();
    check::<Masked>(&whole, &[3, 2, 2, 2], &[2]);
    for device in devices() {
        let mut model = Masked::new(&device, 1).unwrap();
        let mut optimizer = Sgd::default().bind(&model).unwrap();
        let masked = whole.take(3);
        assert!(model.accumulate(&masked).unwrap().loss.is_nan(), "0/0, as PyTorch has it");
        let before = all(&model);
        let error = model.apply(&mut optimizer).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no label that Masked has seen since the last `apply` has a weight in its loss, so the gradient is 0/0"
        );
        assert_eq!(all(&model), before);
        assert!(model.evaluate(&masked).unwrap().loss.is_nan());
        // What comes then counts.
        model.accumulate(&whole.skip(3)).unwrap();
        model.apply(&mut optimizer).unwrap();
        assert!(all(&model).iter().all(|(_, values)| values.iter().all(|x| x.is_finite())));
    }
}
