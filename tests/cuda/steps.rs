//! Ten training steps of the examples' networks from their CUDA kernels on the emulator beside the CPU: the same digits, the
//! same dropout, the same optimizer; in single precision and on (emulated) tensor cores. And the same bits for every schedule
//! and number of blocks.

use crate::networks::{LeNet5, LeNet5Unfused, Mlp, MnistBnCnn};
use crate::skip::skip;
use crate::tensor_cores::{LeNet5Bf16, LeNet5Tf32, MlpBf16, MlpTf32, MnistBnCnnBf16, MnistBnCnnTf32};
use kiln::data::mnist::embedded;
use kiln::prelude::*;
use kiln_emulator::{Emulator, Settings};

const STEPS: usize = 10;

type Digits = Dataset<Images<1, 28, 28>, Classes<10>>;
type Vectors = Dataset<Rows<784>, Classes<10>>;

/// What training leaves: each step's loss, and all parameters and running statistics.
struct Trained {
    losses: Vec<f32>,
    values: Vec<(&'static str, Vec<f32>)>,
}

fn digits(batch: usize, step: usize) -> Digits {
    embedded().train.skip(step * batch).take(batch)
}

fn vectors(batch: usize, step: usize) -> Vectors {
    let digits = digits(batch, step);
    let pixels = digits.inputs().view().iter().copied().collect();
    Dataset::new(Rows::from_vec(pixels).unwrap(), digits.targets().clone()).unwrap()
}

fn train<N: Network, O: Optimizer>(
    device: &Device,
    optimizer: O,
    steps: usize,
    batch: impl Fn(usize) -> Dataset<N::Inputs, N::Targets>,
) -> Trained {
    let mut model: Model<N> = Model::new(device, 3).unwrap();
    let mut optimizer = optimizer.bind(&model).unwrap();
    let losses = (0..steps).map(|step| {
        let report = model.train_step(&batch(step), &mut optimizer);
        report.unwrap_or_else(|why| panic!("{} on {device}, step {step}: {why}", N::NAME)).loss
    });
    let losses = losses.collect();
    let names: Vec<&'static str> = model.parameters().map(|p| p.name).collect();
    let values = names.into_iter().map(|n| (n, model.parameter(n).unwrap().iter().copied().collect())).collect();
    Trained { losses, values }
}

fn emulated(checked: bool) -> Option<(&'static Emulator, Device)> {
    if let Err(why) = Emulator::available() {
        skip(&why);
        return None;
    }
    let emulator = Emulator::leak(Settings { checked, ..Settings::default() });
    Some((emulator, Device::Other(emulator)))
}

/// The real device, where `KILN_TEST_DEVICE=cuda` asks for it.
fn gpu() -> Option<Device> {
    std::env::var("KILN_TEST_DEVICE").is_ok_and(|device| device == "cuda").then_some(Device::Cuda(0))
}

/// How far apart: the first step's losses and the largest of all, relative to the first; the worst parameter, as a distance
/// relative to its length.
fn apart(a: &Trained, b: &Trained) -> [f32; 3] {
    let losses: Vec<f32> = a.losses.iter().zip(&b.losses).map(|(x, y)| (x - y).abs() / b.losses[0].abs()).collect();
    let length = |v: &mut dyn Iterator<Item = f32>| v.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt() as f32;
    let mut values = 0.0f32;
    for ((name, a), (_, b)) in a.values.iter().zip(&b.values) {
        assert!(a.iter().all(|x| x.is_finite()), "{name} is not finite");
        let apart = length(&mut a.iter().zip(b).map(|(x, y)| x - y));
        values = values.max(apart / length(&mut b.iter().copied()).max(1e-3));
    }
    [losses[0], losses.iter().copied().fold(0.0, f32::max), values]
}

/// `F` exact, `T` and `B` the same network on tensor cores.
fn ten_steps<F, T, B, O>(
    name: &str,
    optimizer: O,
    bounds: [[f32; 3]; 3],
    batch: impl Fn(usize) -> Dataset<F::Inputs, F::Targets>,
) where
    F: Network,
    T: Network<Inputs = F::Inputs, Targets = F::Targets>,
    B: Network<Inputs = F::Inputs, Targets = F::Targets>,
    O: Optimizer,
{
    let cpu = train::<F, O>(&Device::cpu().threads(1), optimizer.clone(), STEPS, &batch);
    assert!(cpu.losses[STEPS - 1] < cpu.losses[0], "{name} learns: {:?}", cpu.losses);
    for device in emulated(false).map(|(_, device)| device).into_iter().chain(gpu()) {
        let found = [
            train::<F, O>(&device, optimizer.clone(), STEPS, &batch),
            train::<T, O>(&device, optimizer.clone(), STEPS, &batch),
            train::<B, O>(&device, optimizer.clone(), STEPS, &batch),
        ];
        for ((precision, found), bound) in ["f32", "tf32", "bf16"].iter().zip(&found).zip(bounds) {
            let apart = apart(found, &cpu);
            let at = format!("{name} {precision} on {device}");
            println!("{at}: apart by {apart:?} (first loss, losses, values)");
            assert!(apart.iter().zip(&bound).all(|(a, b)| a <= b), "{at}: {apart:?}, allowed {bound:?}");
        }
    }
}

#[test]
fn mlp() {
    let sgd = Sgd { lr: 0.05, momentum: 0.9, ..Sgd::default() };
    let bounds = [[1e-6, 1e-5, 1e-5], [1e-3, 1e-3, 1e-2], [5e-3, 1e-2, 5e-2]];
    ten_steps::<Mlp, MlpTf32, MlpBf16, _>("mlp", sgd, bounds, |step| vectors(8, step % 2));
}

#[test]
fn lenet5() {
    let adam = Adam { lr: 1e-3, ..Adam::default() };
    let bounds = [[1e-6, 1e-4, 1e-3], [1e-3, 5e-3, 5e-2], [5e-3, 2e-2, 2e-1]];
    ten_steps::<LeNet5, LeNet5Tf32, LeNet5Bf16, _>("lenet5", adam, bounds, |step| digits(16, step % 2));
}

#[test]
fn mnist_bn_cnn() {
    let sgd = Sgd { lr: 0.02, momentum: 0.9, ..Sgd::default() };
    // Four samples a batch: their normalisation magnifies every rounding from step to step.
    let bounds = [[1e-6, 5e-3, 2e-2], [1e-2, 1e-1, 2e-1], [5e-2, 3e-1, 5e-1]];
    ten_steps::<MnistBnCnn, MnistBnCnnTf32, MnistBnCnnBf16, _>("mnist_bn_cnn", sgd, bounds, |_| digits(4, 0));
}

#[test]
fn same_bits_for_every_schedule_and_number_of_blocks() {
    let Some((emulator, device)) = emulated(true) else { return };
    let mut first: Option<Trained> = None;
    for (schedule, blocks) in [(0, None), (1, Some(1)), (2, Some(3)), (3, Some(5))] {
        emulator.set_schedule(schedule);
        emulator.set_blocks(blocks);
        let found = train::<LeNet5, Adam>(&device, Adam::default(), 2, |step| digits(5, step));
        if let Some(first) = &first {
            assert_eq!(found.losses, first.losses, "schedule {schedule}, blocks {blocks:?}");
            assert_eq!(found.values, first.values, "schedule {schedule}, blocks {blocks:?}");
        }
        first.get_or_insert(found);
    }
}

#[test]
fn fusion_changes_launches_and_not_what_is_learnt() {
    let launches = |plan: &kiln::__private::plan::Plan| plan.cuda.step.unwrap().variants[0].launches.len();
    assert_eq!([launches(LeNet5::plan()), launches(Mlp::plan())], [10, 6]);
    assert!(launches(LeNet5Unfused::plan()) > 3 * launches(LeNet5::plan()));
    let Some((_, device)) = emulated(false) else { return };
    let fused = train::<LeNet5, Adam>(&device, Adam::default(), 3, |step| digits(4, step));
    let unfused = train::<LeNet5Unfused, Adam>(&device, Adam::default(), 3, |step| digits(4, step));
    let [first, losses, values] = apart(&unfused, &fused);
    assert!(first <= 1e-6 && losses <= 1e-4 && values <= 1e-3, "{first}, {losses} and {values}");
}

/// On a GPU only: LeNet-5 reaches the CPU's accuracy on the embedded digits, twice with the same bits.
#[test]
fn a_gpu_learns_digits_and_repeats_itself() {
    let Some(device) = gpu() else {
        println!("not run: KILN_TEST_DEVICE is not `cuda`");
        return;
    };
    let data = embedded();
    let run = || {
        let mut model = LeNet5::new(&device, 42).unwrap();
        Trainer::new(&mut model, Adam::default()).epochs(8).batch_size(64).fit(&data.train, &data.valid).unwrap();
        let accuracy = model.evaluate(&data.valid).unwrap().accuracy;
        let names: Vec<&str> = model.parameters().map(|p| p.name).collect();
        (accuracy, names.into_iter().map(|name| model.parameter(name).unwrap()).collect::<Vec<_>>())
    };
    let (first, again) = (run(), run());
    assert!(first.0 >= 0.97, "accuracy {}", first.0);
    assert_eq!(first, again);
}
