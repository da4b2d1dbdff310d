//! `Model` on the emulator: all that a model can do gives what it gives on the CPU.

#[path = "../../common/skip.rs"]
mod skip;

use kiln::prelude::*;
use kiln_emulator::{Emulator, Settings};
use skip::skip;

network! {
    Net {
        input image: [6];
        target class: class<5>;
        fc1: Linear<12>; BatchNorm; Relu; fc2: Linear<5>;
        loss: CrossEntropy(_, class);
    }
}

type Batch = Dataset<Rows<6>, Classes<5>>;

fn data(samples: usize) -> Batch {
    let values = (0..samples * 6).map(|i| ((i * 37 + i / 11) % 23) as f32 / 11.5 - 1.0).collect();
    let labels: Vec<usize> = (0..samples).map(|i| i * 7 % 5).collect();
    Dataset::new(Rows::from_vec(values).unwrap(), Classes::from_vec(labels).unwrap()).unwrap()
}

/// On the CPU, and on an emulator that looks at every access.
fn pair(seed: u64) -> Option<[Model<Net>; 2]> {
    if let Err(problem) = Emulator::available() {
        skip(&problem);
        return None;
    }
    let emulator = Emulator::leak(Settings { checked: true, ..Settings::default() });
    let mut models = [Device::cpu(), Device::Other(emulator)].map(|device| Net::new(&device, seed).unwrap());
    models.iter_mut().for_each(|model| model.poison_scratch(true));
    Some(models)
}

fn near(a: f32, b: f32) -> bool {
    (a - b).abs() <= 1e-5 * (1.0 + a.abs().max(b.abs()))
}

fn same_weights(a: &Model<Net>, b: &Model<Net>, what: &str) {
    for info in a.parameters() {
        let (x, y) = (a.parameter(info.name).unwrap(), b.parameter(info.name).unwrap());
        assert_eq!(x.shape(), y.shape());
        for (i, (x, y)) in x.iter().zip(&y).enumerate() {
            assert!(near(*x, *y), "{what}: {}[{i}] is {x} on the CPU, {y} there", info.name);
        }
    }
}

#[test]
fn evaluation_and_gradients() {
    let Some([cpu, other]) = pair(3) else { return };
    same_weights(&cpu, &other, "start");
    let batch = data(21);
    let (a, b) = (cpu.forward(batch.inputs()).unwrap(), other.forward(batch.inputs()).unwrap());
    assert!(a.as_slice().iter().zip(b.as_slice()).all(|(a, b)| near(*a, *b)), "{a:?}\n{b:?}");
    let (a, b) = (cpu.evaluate(&batch).unwrap(), other.evaluate(&batch).unwrap());
    assert!(near(a.loss as f32, b.loss as f32) && a.accuracy == b.accuracy, "{a} {b}");
    let (a, b) = (cpu.gradients(&batch).unwrap(), other.gradients(&batch).unwrap());
    assert!(near(a.step.loss, b.step.loss) && a.step.correct == b.step.correct);
    for ((name, a), (other, b)) in a.iter().zip(b.iter()) {
        assert_eq!(name, other);
        assert!(a.iter().zip(b).all(|(a, b)| near(*a, *b)), "{name}: {a} {b}");
    }
    same_weights(&cpu, &other, "gradients change nothing");
}

fn train<O: Optimizer>(optimizer: O, what: &str) {
    let Some([mut cpu, mut other]) = pair(5) else { return };
    let mut bound = [optimizer.clone().bind(&cpu).unwrap(), optimizer.bind(&other).unwrap()];
    for step in 0..4 {
        let batch = data(if step == 2 { 9 } else { 16 });
        let a = cpu.train_step(&batch, &mut bound[0]).unwrap();
        let b = other.train_step(&batch, &mut bound[1]).unwrap();
        assert!(near(a.loss, b.loss) && a.correct == b.correct, "{what}, step {step}: {a:?} {b:?}");
    }
    same_weights(&cpu, &other, what);
}

#[test]
fn training() {
    train(Sgd { lr: 0.1, ..Sgd::default() }, "sgd");
    train(Sgd { lr: 0.1, momentum: 0.9, weight_decay: 0.01, nesterov: true, ..Sgd::default() }, "momentum");
    train(Adam { lr: 1e-2, weight_decay: 0.01, ..Adam::default() }, "adam");
}

#[test]
fn accumulated_batches() {
    let Some([mut cpu, mut other]) = pair(7) else { return };
    let sgd = Sgd { lr: 0.1, momentum: 0.9, ..Sgd::default() };
    let mut bound = [sgd.bind(&cpu).unwrap(), sgd.bind(&other).unwrap()];
    for _ in 0..2 {
        for (model, bound) in [&mut cpu, &mut other].into_iter().zip(&mut bound) {
            model.accumulate(&data(16)).unwrap();
            model.accumulate(&data(5)).unwrap();
            model.apply(bound).unwrap();
        }
    }
    same_weights(&cpu, &other, "accumulated");
}

#[test]
fn files_and_trainer() {
    let Some([mut cpu, mut other]) = pair(9) else { return };
    let folder = std::env::temp_dir().join(format!("kiln-emulator-{}", std::process::id()));
    let report = |model: &mut Model<Net>| {
        let trainer = Trainer::new(model, Sgd { lr: 0.05, ..Sgd::default() }).epochs(2).batch_size(16).quiet();
        trainer.fit(&data(40), &data(20)).unwrap()
    };
    let (a, b) = (report(&mut cpu), report(&mut other));
    assert_eq!(a.best().epoch, b.best().epoch);
    same_weights(&cpu, &other, "trained");
    let file = folder.join("net.safetensors");
    other.save(&file).unwrap();
    let emulator = Emulator::leak(Settings::default());
    let opened = Net::open(&file, &Device::Other(emulator)).unwrap();
    for info in other.parameters() {
        assert_eq!(other.parameter(info.name).unwrap(), opened.parameter(info.name).unwrap(), "{}", info.name);
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// Every optimizer, its groups and clipping, by the kernels of gradients and by the pass.
#[test]
fn optimizers_groups_and_clipping() {
    fn steps<O: Optimizer>(config: O, with: impl Fn(Bound<O>) -> Result<Bound<O>, Error>) {
        let Some(models) = pair(7) else { return };
        let what = format!("{config:?}");
        let [cpu, other] = models.map(|mut model| {
            let mut optimizer = with(config.clone().bind(&model).unwrap()).unwrap();
            for step in 0..3 {
                model.train_step(&data(16), &mut optimizer).unwrap();
                if step == 1 {
                    model.accumulate(&data(5)).unwrap();
                    model.apply(&mut optimizer).unwrap();
                }
            }
            model
        });
        same_weights(&cpu, &other, &what);
    }
    // What stands before a BatchNorm has no gradient but rounding, of which adaptive optimizers make steps of any size.
    let plain = || Groups::new().frozen("fc1.bias");
    let groups = || plain().lr("fc1.*", 0.02).frozen("fc2.bias").weight_decay("*.weight", 0.1);
    steps(AdamW { amsgrad: true, maximize: true, ..AdamW::default() }, |o| o.groups(groups()));
    steps(NAdam { weight_decay: 0.1, ..NAdam::default() }, |o| o.groups(plain())?.clip_value(1e-2));
    steps(Adagrad { initial_accumulator_value: 0.1, ..Adagrad::default() }, |o| o.groups(plain())?.clip_norm(1e-2));
    steps(Sgd { lr: 0.1, momentum: 0.9, nesterov: true, ..Sgd::default() }, |o| o.groups(groups())?.clip_norm(0.1));
    let rms_prop = RmsProp { eps: 1e-2, centered: true, momentum: 0.9, ..RmsProp::default() };
    steps(rms_prop, |o| o.groups(plain()));
    steps(RmsProp { momentum: 0.0, maximize: true, ..rms_prop }, |o| o.groups(plain()));
    steps(RmsProp { centered: false, ..rms_prop }, |o| o.groups(plain()));
}
