//! Parameter groups by name and clipped gradients: each parameter moves as its own settings say, whether its kernel updates it
//! or a pass does, for any number of threads, at every level of this machine.

use kiln::Level;
use kiln::prelude::*;
use ndarray::ArrayD;

network! {
    Net {
        input image: [3, 11, 9];
        target class: class<5>;
        features: { Conv2d<18, 3, padding = 1>; BatchNorm; Relu; MaxPool2d<2>; Conv2d<7, 3>; Relu; }
        Flatten;
        fc1: Linear<37>; Relu;
        #[no_decay] fc2: Linear<5>;
        loss: CrossEntropy(_, class);
    }
}

fn data() -> Dataset<Images<3, 11, 9>, Classes<5>> {
    let values = (0..297 * 18).map(|i: usize| (i.wrapping_mul(2_654_435_761) >> 7) as u8 as f32 / 255.0).collect();
    let labels = (0..18).map(|i| i * 3 % 5).collect();
    Dataset::new(Images::from_vec(values).unwrap(), Classes::from_vec(labels).unwrap()).unwrap()
}

fn model(threads: usize, level: Option<Level>) -> Option<Model<Net>> {
    let device = Device::cpu().threads(threads);
    let mut model = Net::new(&level.map_or(device, |level| device.simd(level)), 5).ok()?;
    model.poison_scratch(true);
    Some(model)
}

fn all(model: &Model<Net>) -> Vec<(&'static str, ArrayD<f32>)> {
    let trainable = model.parameters().filter(|p| p.trainable);
    trainable.map(|p| (p.name, model.parameter(p.name).unwrap())).collect()
}

const LR: f32 = 0.1;

/// One plain step of gradient descent beside the formula.
#[test]
fn every_group_has_its_own_settings() {
    let groups =
        Groups::new().lr("features.*", 0.5).frozen("features.4.*").weight_decay("fc*", 0.25).trained("features.4.bias");
    let mut model = model(2, None).unwrap();
    let (before, gradients) = (all(&model), model.gradients(&data()).unwrap());
    let sgd = Sgd { lr: f64::from(LR), weight_decay: 0.125, ..Sgd::default() };
    let mut optimizer = sgd.bind(&model).unwrap().groups(groups).unwrap();
    model.train_step(&data(), &mut optimizer).unwrap();
    for ((name, before), (_, after)) in before.into_iter().zip(all(&model)) {
        let (lr, decay) = match name {
            "features.4.weight" => (0.0, 0.0),
            _ if name.starts_with("features.") => (0.5, 0.125),
            // `#[no_decay]` holds.
            _ if name.starts_with("fc2") => (LR, 0.0),
            _ => (LR, 0.25),
        };
        let expected = &before - &(lr * (gradients.get(name).unwrap() + &(&before * decay)));
        let apart = (&expected - &after).mapv(f32::abs).fold(0.0, |a: f32, b| a.max(*b));
        assert!(apart <= 1e-6, "{name}: {apart}");
        assert_eq!(before == after, name == "features.4.weight", "{name}");
    }
}

/// The bits of all parameters after a few steps.
fn run(kind: usize, threads: usize, level: Level, apart: bool) -> Option<Vec<u32>> {
    let mut model = model(threads, Some(level))?;
    let bound = RmsProp { lr: 0.01, eps: 1e-3, centered: true, momentum: 0.9, ..RmsProp::default() }.bind(&model);
    let groups = Groups::new().lr("fc1.*", 0.1).frozen("features.0.*").weight_decay("fc1.weight", 0.1);
    let mut optimizer = match kind {
        0 => bound.and_then(|o| o.groups(groups)),
        1 => bound.and_then(|o| o.clip_value(1e-3)),
        2 => bound.and_then(|o| o.clip_norm(1e-2)),
        _ => bound.and_then(|o| o.groups(groups)).and_then(|o| o.clip_norm(1e-2)),
    }
    .unwrap();
    for _ in 0..3 {
        if apart {
            model.accumulate(&data()).unwrap();
            model.apply(&mut optimizer).unwrap();
        } else {
            model.train_step(&data(), &mut optimizer).unwrap();
        }
    }
    Some(all(&model).into_iter().flat_map(|(_, values)| values.into_iter().map(f32::to_bits)).collect())
}

#[test]
fn same_bits_by_any_way() {
    for kind in 0..4 {
        for level in Level::ALL {
            let Some(expected) = run(kind, 1, level, true) else { continue };
            assert!(expected.iter().all(|bits| f32::from_bits(*bits).is_finite()));
            for threads in [1, 2, 3] {
                assert_eq!(run(kind, threads, level, false).unwrap(), expected, "{kind}, {threads} threads, {level:?}");
            }
        }
    }
}

#[test]
fn clipping_by_norm_leaves_frozen_parameters_out() {
    let mut model = model(2, None).unwrap();
    let gradients = model.gradients(&data()).unwrap();
    let counts = |name: &str| !name.starts_with("fc1");
    let squares = gradients.iter().filter(|(name, _)| counts(name)).flat_map(|(_, g)| g.iter().map(|g| g * g));
    let norm = squares.map(f64::from).sum::<f64>().sqrt();
    let before = all(&model);
    let max_norm = norm / 3.0;
    let plain = Sgd { lr: 1.0, ..Sgd::default() };
    let bound = plain.bind(&model).and_then(|o| o.groups(Groups::new().frozen("fc1.*")));
    let mut optimizer = bound.and_then(|o| o.clip_norm(max_norm)).unwrap();
    model.train_step(&data(), &mut optimizer).unwrap();
    let mut moved = 0.0;
    for ((name, before), (_, after)) in before.into_iter().zip(all(&model)) {
        assert!(counts(name) || before == after, "{name}");
        moved += (before - after).iter().map(|d| f64::from(d * d)).sum::<f64>();
    }
    assert!((moved.sqrt() / max_norm - 1.0).abs() < 1e-3, "{} instead of {max_norm}", moved.sqrt());
}

#[test]
fn mistakes() {
    let model = model(1, None).unwrap();
    let bind = || Sgd::default().bind(&model).unwrap();
    let text = |result: Result<Bound<Sgd>, Error>| result.err().unwrap().to_string();
    assert_eq!(
        text(bind().groups(Groups::new().lr("fc3.*", 0.1))),
        "Groups::lr must be a pattern of trainable parameters of Net (features.0.weight, features.0.bias, \
         features.1.weight, features.1.bias, features.4.weight, features.4.bias, fc1.weight, fc1.bias, fc2.weight, \
         fc2.bias), but it is \"fc3.*\""
    );
    assert_eq!(
        text(bind().groups(Groups::new().lr("fc1.*", -0.1))),
        "Groups::lr(\"fc1.*\") must be a number, at least 0, but it is -0.1"
    );
    assert_eq!(
        text(bind().groups(Groups::new().frozen("*"))),
        "Groups::frozen must be less than all parameters, but it is \"*\""
    );
    assert_eq!(text(bind().clip_norm(0.0)), "Bound::clip_norm must be a number above 0, but it is 0");
    assert_eq!(text(bind().clip_value(f64::NAN)), "Bound::clip_value must be a number, at least 0, but it is NaN");
}
