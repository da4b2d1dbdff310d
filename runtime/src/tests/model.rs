use super::fake::Fake;
use super::mini::{Batch, Greedy, Mini, data, model};
use crate::data::{Classes, Rows};
use crate::optim::{Adam, Optimizer, Sgd};
use crate::{Device, Error, Level, Network};
use ndarray::{Array, ArrayD, arr1};

fn all(model: &crate::Model<Mini>) -> Vec<ArrayD<f32>> {
    model.parameters().map(|p| model.parameter(p.name).unwrap()).collect()
}

#[test]
fn the_seed_decides_the_weights() {
    assert_eq!(all(&model(1)), all(&model(1)));
    assert_ne!(all(&model(1)), all(&model(2)));
    let names: Vec<_> = model(1).parameters().map(|p| (p.name, p.dims.to_vec(), p.trainable)).collect();
    assert_eq!(
        names,
        [("fc.weight", vec![3, 4], true), ("fc.bias", vec![3], true), ("norm.running_mean", vec![4], false)]
    );
}

#[test]
fn forward_is_w_x_plus_b_in_canonical_order() {
    let mut model = model(1);
    let w = Array::from_shape_fn((3, 4), |(o, i)| (o * 4 + i) as f32);
    model.set_parameter("fc.weight", w.view().into_dyn()).unwrap();
    model.set_parameter("fc.bias", arr1(&[0.5, 1.5, 2.5]).view().into_dyn()).unwrap();
    assert_eq!(model.parameter("fc.weight").unwrap(), w.clone().into_dyn());
    let logits = model.forward(&Rows::from_vec(vec![1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0]).unwrap()).unwrap();
    assert_eq!(logits.into_vec(), [0.5, 5.5, 10.5, 6.5, 15.5, 24.5]);
    assert_eq!(model.forward(&Rows::from_vec(vec![]).unwrap()).unwrap().len(), 0);
}

#[test]
fn profiles_name_every_launch_and_change_nothing() {
    let (mut model, mut other, data) = (model(5), model(5), data(16));
    let mut optimizers = [&model, &other].map(|m| Sgd::default().bind(m).unwrap());
    let launches = model.profile_train_step(&data, &mut optimizers[0], 3).unwrap();
    let names: Vec<&str> = launches.iter().map(|launch| launch.name).collect();
    assert_eq!(names, ["k0_fc", "k1_loss", "k2_grad", "k3_running", "update"]);
    assert!(launches.iter().all(|launch| launch.seconds > 0.0));
    for _ in 0..3 {
        other.train_step(&data, &mut optimizers[1]).unwrap();
    }
    assert_eq!(model.parameter("fc.weight").unwrap(), other.parameter("fc.weight").unwrap());
    let launches = model.profile_forward(&data, 1).unwrap();
    assert_eq!(launches.len(), 1);
}

#[test]
fn large_inputs_are_cut_and_give_the_same() {
    let (model, data) = (model(3), data(2500));
    let together = model.forward(data.inputs()).unwrap().into_vec();
    for (row, expected) in together.chunks(3).enumerate().step_by(97) {
        let one = model.forward(data.gather(&[row]).inputs()).unwrap();
        assert_eq!(one.as_slice(), expected);
    }
    let evaluation = model.evaluate(&data).unwrap();
    assert_eq!(evaluation.confusion().total(), 2500);
    assert!((evaluation.accuracy - evaluation.confusion().accuracy()).abs() < 1e-12);
    let first = model.evaluate(&data.take(100)).unwrap();
    let by_hand: f64 = (0..100).map(|i| model.evaluate(&data.gather(&[i])).unwrap().loss).sum();
    assert!((first.loss - by_hand / 100.0).abs() < 1e-6, "{} {}", first.loss, by_hand / 100.0);
}

#[test]
fn gradients_are_finite_differences_and_change_nothing() {
    let (mut model, data) = (model(5), data(7));
    let before = all(&model);
    let gradients = model.gradients(&data).unwrap();
    assert_eq!(all(&model), before);
    assert_eq!(gradients.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["fc.weight", "fc.bias"]);
    for (name, gradient) in gradients.iter() {
        let values = model.parameter(name).unwrap();
        for i in 0..values.len() {
            let mut at = |change: f32| {
                let mut moved = values.clone();
                moved.as_slice_mut().unwrap()[i] += change;
                model.set_parameter(name, moved.view()).unwrap();
                model.evaluate(&data).unwrap().loss
            };
            let slope = (at(1e-2) - at(-1e-2)) / 2e-2;
            let found = f64::from(gradient.as_slice().unwrap()[i]);
            assert!((slope - found).abs() < 1e-4, "{name}[{i}]: {found}, by differences {slope}");
        }
        model.set_parameter(name, values.view()).unwrap();
    }
    let text = gradients.get("fc.wieght").unwrap_err().to_string();
    assert_eq!(text, "Mini has no parameter `fc.wieght`; did you mean `fc.weight`?");
}

#[test]
fn a_step_is_the_gradient_times_the_rate_and_updates_states() {
    let (mut model, data) = (model(5), data(20));
    let mut optimizer = Sgd { lr: 0.5, ..Sgd::default() }.bind(&model).unwrap();
    let (w, gradients) = (model.parameter("fc.weight").unwrap(), model.gradients(&data).unwrap());
    let report = model.train_step(&data, &mut optimizer).unwrap();
    assert_eq!(report, gradients.step);
    assert_eq!(model.parameter("fc.weight").unwrap(), w - 0.5 * gradients.get("fc.weight").unwrap());
    let mean = data.inputs().view().mean_axis(ndarray::Axis(0)).unwrap();
    let running = model.parameter("norm.running_mean").unwrap();
    assert!(running.iter().zip(&mean).all(|(r, m)| (r - 0.1 * m).abs() < 1e-6), "{running} {mean}");

    let w = model.parameter("fc.weight").unwrap();
    optimizer.config.lr = 0.0;
    model.train_step(&data, &mut optimizer).unwrap();
    assert_eq!(model.parameter("fc.weight").unwrap(), w, "a rate of 0 takes effect at once");
}

#[test]
fn accumulated_batches_are_one_batch() {
    let data = data(40);
    let parts = [data.take(24), data.skip(24)];
    let (mut whole, mut cut) = (model(9), model(9));
    let mut optimizers = [Adam::default().bind(&whole).unwrap(), Adam::default().bind(&cut).unwrap()];
    assert!(matches!(cut.apply(&mut optimizers[1]), Err(Error::NothingAccumulated)));
    for _ in 0..3 {
        whole.train_step(&data, &mut optimizers[0]).unwrap();
        for part in &parts {
            cut.accumulate(part).unwrap();
        }
        cut.apply(&mut optimizers[1]).unwrap();
    }
    let difference = whole.parameter("fc.weight").unwrap() - cut.parameter("fc.weight").unwrap();
    assert!(difference.iter().all(|d| d.abs() < 1e-5), "{difference}");

    let (mut direct, mut split) = (model(9), model(9));
    direct.train_step(&data, &mut Sgd::default().bind(&direct).unwrap()).unwrap();
    split.accumulate(&data).unwrap();
    split.apply(&mut Sgd::default().bind(&split).unwrap()).unwrap();
    assert_eq!(all(&direct), all(&split));
}

#[test]
fn same_bits_for_any_threads_and_level() {
    let data = data(50);
    let run = |device: Device| {
        let mut model = Mini::new(&device, 4).unwrap();
        let mut optimizer = Adam { weight_decay: 0.01, ..Adam::default() }.bind(&model).unwrap();
        for _ in 0..5 {
            model.train_step(&data, &mut optimizer).unwrap();
        }
        all(&model)
    };
    let expected = run(Device::cpu().threads(1));
    assert_eq!(run(Device::cpu().threads(3)), expected);
    for level in [Level::Portable, Level::Avx2, Level::Avx512] {
        if level <= crate::device::cpu::best() {
            assert_eq!(run(Device::cpu().simd(level)), expected, "{level:?}");
        }
    }
}

#[test]
fn padding_stays_zero() {
    let mut model = model(2);
    let mut optimizer = Adam { weight_decay: 0.1, ..Adam::default() }.bind(&model).unwrap();
    for _ in 0..3 {
        model.train_step(&data(10), &mut optimizer).unwrap();
    }
    let (mut params, mut states) = (Vec::new(), Vec::new());
    model.engine.snapshot(&mut params, &mut states).unwrap();
    assert_eq!((params.len(), states.len()), (80, 16));
    assert!((0..80).filter(|i| i % 16 >= 3).all(|i| params[i] == 0.0));
}

#[test]
fn mistakes_are_errors() {
    let mut model = model(1);
    let text = |e: Error| e.to_string();
    let wrong = ArrayD::<f32>::zeros(vec![4, 3]);
    let error = model.set_parameter("fc.weight", wrong.view()).unwrap_err();
    assert_eq!(text(error), "`fc.weight` has shape [3, 4], but the given array has shape [4, 3]");
    assert_eq!(text(model.parameter("classifier.weight").unwrap_err()), "Mini has no parameter `classifier.weight`");
    let nothing = Batch::new(Rows::from_vec(vec![]).unwrap(), Classes::from_vec(Vec::<u8>::new()).unwrap()).unwrap();
    assert_eq!(text(model.evaluate(&nothing).unwrap_err()), "the data set to evaluate is empty");
    let mut optimizer = Sgd::default().bind(&model).unwrap();
    assert_eq!(text(model.train_step(&nothing, &mut optimizer).unwrap_err()), "the batch for Mini is empty");
    assert!(Mini::new(&Device::Cuda(0), 1).is_err());
}

#[test]
fn a_summary_is_a_table() {
    let expected = "\
Mini
layer             output  parameters  FLOPs  kernels
────────────────────────────────────────────────────
fc     Linear<3>  [3]             15     24  k0_fc
────────────────────────────────────────────────────
15 parameters, 24 FLOPs a sample";
    assert_eq!(Mini::summary().to_string(), expected);
}

#[test]
fn a_predictor_serves_many_threads() {
    for device in [Device::cpu().threads(1), Device::cpu().threads(3), Device::Other(Fake::leak())] {
        let mut model = Mini::new(&device, 1).unwrap();
        let mut optimizer = Adam::default().bind(&model).unwrap();
        model.train_step(&data(30), &mut optimizer).unwrap();
        let expected: Vec<_> = (1..40).map(|n| model.forward(data(n).inputs()).unwrap()).collect();
        let predictor = model.into_predictor();
        std::thread::scope(|scope| {
            for thread in 0..6 {
                let (predictor, expected) = (predictor.clone(), &expected);
                scope.spawn(move || {
                    let mut outputs = predictor.forward(data(3).inputs()).unwrap();
                    for round in 0..60 {
                        let n = 1 + (round * 7 + thread * 11) % 39;
                        let expected = expected[n - 1].as_slice();
                        assert_eq!(predictor.forward(data(n).inputs()).unwrap().as_slice(), expected);
                        predictor.forward_into(data(n).inputs(), &mut outputs).unwrap();
                        assert_eq!(outputs.as_slice(), expected);
                    }
                });
            }
        });
    }
}

#[test]
fn large_inputs_into_outputs_of_an_earlier_call() {
    let (model, data) = (model(2), data(2500));
    let mut outputs = model.forward(data.take(7).inputs()).unwrap();
    model.forward_into(data.inputs(), &mut outputs).unwrap();
    assert_eq!(outputs.as_slice(), model.forward(data.inputs()).unwrap().as_slice());
    model.forward_into(data.take(0).inputs(), &mut outputs).unwrap();
    assert!(outputs.is_empty());
}

#[test]
fn a_kernel_that_takes_more_scratch_memory_than_planned_is_found() {
    let mut model = Greedy::new(&Device::cpu().threads(1), 1).unwrap();
    model.poison_scratch(true);
    let batch = data(4);
    let forward = std::panic::AssertUnwindSafe(|| model.forward(batch.inputs()).map(drop));
    let panic = std::panic::catch_unwind(forward).expect_err("the mark is gone");
    let text = panic.downcast_ref::<String>().expect("a message");
    assert_eq!(text, "kernel `k0_fc` of Greedy (layers fc) wrote float 0 of a worker's scratch, which has 0");
}
