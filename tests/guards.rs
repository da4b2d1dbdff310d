//! Numbers that are not finite are found in real networks: the step, the kernel and its layers, the row of the batch.

#[path = "common/skip.rs"]
mod skip;

use kiln::__private::cpu::supported;
use kiln::prelude::*;
use kiln::train::{NotFinite, Place};
use kiln::{Level, Network};
use kiln_emulator::{Emulator, Settings};
use skip::skip;

network! {
    fn logarithm(x) { ln(x) }
    fn inverse(x) { 1.0 / x }
    fn growth(x) { exp(x) }
    fn root(x, p) { sqrt(x * p) }

    pub Logarithm { input x: [4]; target y: [2]; log: logarithm; fc: Linear<2>; loss: Mse(_, y); }

    pub Inverse { input x: [4]; target y: [2]; by: inverse; fc: Linear<2>; loss: Mse(_, y); }

    // Within a convolutional network, whose chain of small layers is one kernel for large batches.
    pub Growth {
        input x: [1, 8, 8];
        target y: class<3>;
        conv: Conv2d<4, 3, padding = 1>; Relu; grow: growth; MaxPool2d<2>; Dropout<0.2>; Flatten; fc: Linear<3>;
        loss: CrossEntropy(_, y);
    }

    // A finite loss and a gradient that is not: the derivative of a root at 0.
    pub Root { input x: [4]; target y: [4]; param p: [4] = Ones; root(x, p) as r; loss: Mse(r, y); }

    pub Normed { input x: [4]; target y: [2]; fc1: Linear<8>; norm: BatchNorm; Relu; fc2: Linear<2>; loss: Mse(_, y); }
}

const SAMPLES: usize = 70;
/// The sample that is not like the others.
const BAD: usize = 41;

/// Numbers from 0.5 to 1.5, but others for one sample.
fn numbers(length: usize, bad: impl Fn(usize) -> f32) -> Vec<f32> {
    let number = |i: usize| if i / length == BAD { bad(i % length) } else { 0.5 + (i * 37 % 64) as f32 / 64.0 };
    (0..SAMPLES * length).map(number).collect()
}

fn rows(bad: [f32; 4]) -> Rows<4> {
    Rows::from_vec(numbers(4, |i| bad[i])).unwrap()
}

fn values<const N: usize>() -> Rows<N> {
    Rows::from_vec((0..SAMPLES * N).map(|i| (i % 5) as f32).collect()).unwrap()
}

fn cpus() -> Vec<Device> {
    let levels = Level::ALL.into_iter().filter(|level| supported(*level).is_ok());
    levels.flat_map(|level| [1, 3].map(|threads| Device::cpu().threads(threads).simd(level))).collect()
}

/// Where training over these data ends, with batches of this size.
fn ends<N: Network>(device: &Device, data: &Dataset<N::Inputs, N::Targets>, batch_size: usize) -> NotFinite {
    let mut model = N::new(device, 3).unwrap();
    model.poison_scratch(true);
    let sgd = Sgd { lr: 1e-3, momentum: 0.9, ..Sgd::default() };
    let found = match Trainer::new(&mut model, sgd).epochs(2).batch_size(batch_size).quiet().fit(data, data) {
        Err(Error::NotFinite(found)) => *found,
        other => panic!("{}: {other:?}", N::NAME),
    };
    assert_eq!(
        (found.network, found.epoch, found.sample),
        (N::NAME, 1, Some(BAD)),
        "{device:?}, {batch_size}: {found}"
    );
    assert!(found.row.is_some_and(|row| row < batch_size) && (1..=SAMPLES).contains(&found.step), "{found}");
    // The weights are those from before the step.
    for parameter in model.parameters() {
        assert!(model.parameter(parameter.name).unwrap().iter().all(|x| x.is_finite()), "{} {found}", parameter.name);
    }
    found
}

/// The kernel that is named, by its layers and by what it stored.
fn kernel(found: &NotFinite) -> (&'static str, &str) {
    match &found.place {
        Place::Kernel { layers, what, .. } => (layers, what),
        other => panic!("{other:?} in {found}"),
    }
}

fn all(device: &Device, batch_size: usize) {
    let data = Dataset::new(rows([1.0, 1.0, -1.0, 1.0]), values::<2>()).unwrap();
    let found = ends::<Logarithm>(device, &data, batch_size);
    assert!(kernel(&found).0.contains("log"), "{found}");

    let data = Dataset::new(rows([0.0, 1.0, 1.0, 1.0]), values::<2>()).unwrap();
    let found = ends::<Inverse>(device, &data, batch_size);
    assert!(kernel(&found).0.contains("by"), "{found}");

    let data = Dataset::new(rows([1.0, 0.0, 1.0, 1.0]), values::<4>()).unwrap();
    let found = ends::<Root>(device, &data, batch_size);
    assert!(found.loss.is_finite(), "{found}");
    assert_eq!((kernel(&found).1, &found.position[..]), ("the gradient of p", &[1][..]), "{found}");

    let images = numbers(64, |i| if i % 3 == 0 { 1e4 } else { -1e4 });
    let digits = Classes::from_vec((0..SAMPLES).map(|i| i % 3).collect()).unwrap();
    let data = Dataset::new(Images::from_vec(images).unwrap(), digits).unwrap();
    let found = ends::<Growth>(device, &data, batch_size);
    assert!(kernel(&found).0.contains("grow"), "{found}");
}

#[test]
fn on_the_cpu_at_every_level() {
    for (number, device) in cpus().iter().enumerate() {
        all(device, [7, 16, 33][number % 3]);
        all(device, [20, 5, 64][number % 3]);
    }
}

#[test]
fn on_the_emulator() {
    if let Err(why) = Emulator::available() {
        return skip(&why.to_string());
    }
    all(&Device::Other(Emulator::leak(Settings { checked: true, ..Settings::default() })), 17);
}

#[test]
fn skipped_steps_leave_the_statistics_of_a_batch_norm() {
    let (bad, batch_size) = (rows([f32::NAN; 4]), 10);
    let data = Dataset::new(bad, values::<2>()).unwrap();
    let good = Dataset::new(rows([1.0; 4]), values::<2>()).unwrap();
    for device in cpus() {
        let (mut skipping, mut by_hand) = (Normed::new(&device, 3).unwrap(), Normed::new(&device, 3).unwrap());
        let trainer = Trainer::new(&mut skipping, Adam::default()).epochs(1).batch_size(batch_size).shuffle(false);
        let report = trainer.on_non_finite(NonFinite::Skip).quiet().fit(&data, &good).unwrap();
        assert_eq!(report.skipped, 1);
        let mut adam = Adam::default().bind(&by_hand).unwrap();
        for rows in (0..SAMPLES).collect::<Vec<_>>().chunks(batch_size).filter(|rows| !rows.contains(&BAD)) {
            by_hand.train_step(&data.gather(rows), &mut adam).unwrap();
        }
        for parameter in by_hand.parameters() {
            let bits = |model: &Model<Normed>| -> Vec<u32> {
                model.parameter(parameter.name).unwrap().iter().map(|x| x.to_bits()).collect()
            };
            assert_eq!(bits(&skipping), bits(&by_hand), "{} on {device:?}", parameter.name);
        }
    }
}

#[test]
fn a_bad_validation_sample_is_named() {
    let good = Dataset::new(rows([1.0; 4]), values::<2>()).unwrap();
    let bad = Dataset::new(rows([1.0, 1.0, -1.0, 1.0]), values::<2>()).unwrap();
    let mut model = Logarithm::new(&Device::cpu(), 3).unwrap();
    let error = Trainer::new(&mut model, Sgd::default()).epochs(2).quiet().fit(&good, &bad).unwrap_err();
    let Error::NotFinite(found) = error else { panic!("{error}") };
    assert!(found.validation && kernel(&found).0.contains("log"), "{found}");
    assert_eq!((found.epoch, found.sample), (1, Some(BAD)));
}
