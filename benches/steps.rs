//! Fused against unfused: one training step and one inference of the shared networks, at the batch sizes of `benches/peers`.
//!
//! `KILN_THREADS` sets the threads. `examples/step_time.rs` measures one of these by itself.

#[path = "../examples/networks/large.rs"]
mod large;
#[path = "../examples/networks/mod.rs"]
mod networks;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use kiln::optim::Optimizer;
use kiln::prelude::*;
use large::{AlexNet, AlexNetUnfused, ResNet18Cifar, ResNet18CifarUnfused, Vgg16, Vgg16Unfused};
use networks::{
    Autoencoder, AutoencoderUnfused, LeNet5, LeNet5Unfused, Mlp, MlpUnfused, MnistBnCnn, MnistBnCnnUnfused,
};

const BATCH: usize = 64;

fn rows() -> Rows<784> {
    Rows::from_vec(values(BATCH * 784)).expect("whole samples")
}

fn images() -> Images<1, 28, 28> {
    Images::from_vec(values(BATCH * 784)).expect("whole samples")
}

fn labels() -> Classes<10> {
    Classes::from_vec((0..BATCH).map(|sample| sample * 7 % 10).collect()).expect("digits")
}

/// Colour pictures of `SIDE` × `SIDE` pixels with labels.
fn pictures<const SIDE: usize, const CLASSES: usize>(
    samples: usize,
) -> Dataset<Images<3, SIDE, SIDE>, Classes<CLASSES>> {
    let images = Images::from_vec(values(samples * 3 * SIDE * SIDE)).expect("whole samples");
    let labels = Classes::from_vec((0..samples).map(|sample| sample * 7 % CLASSES).collect()).expect("classes");
    Dataset::new(images, labels).expect("equal lengths")
}

/// Values in [0, 1) that look random and are the same everywhere.
fn values(count: usize) -> Vec<f32> {
    (0..count as u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 8) as f32 / (1 << 24) as f32).collect()
}

/// Both modes of one network.
fn measure<N: Network, O: Optimizer>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    fusion: &str,
    optimizer: O,
    batch: Dataset<N::Inputs, N::Targets>,
) {
    let mut model = N::new(&Device::best(), 1).expect("a CPU");
    let mut optimizer = optimizer.bind(&model).expect("sound options");
    group.bench_function(format!("infer/{fusion}"), |bencher| bencher.iter(|| model.forward(batch.inputs())));
    let first = model.train_step(&batch, &mut optimizer).expect("a batch");
    assert!(first.loss.is_finite(), "{} learns nothing from a loss of {}", N::NAME, first.loss);
    group.bench_function(format!("train/{fusion}"), |bencher| {
        bencher.iter(|| model.train_step(&batch, &mut optimizer));
    });
}

fn steps(criterion: &mut Criterion) {
    let sgd = || Sgd { lr: 0.01, momentum: 0.9, ..Sgd::default() };
    let adam = Adam::default;
    let digits = || Dataset::new(images(), labels()).expect("equal lengths");
    let flat = || Dataset::new(rows(), labels()).expect("equal lengths");
    let alone = || Dataset::new(rows(), ()).expect("no targets");

    let mut group = criterion.benchmark_group("mlp");
    measure::<Mlp, _>(&mut group, "fused", sgd(), flat());
    measure::<MlpUnfused, _>(&mut group, "unfused", sgd(), flat());
    group.finish();

    let mut group = criterion.benchmark_group("lenet5");
    measure::<LeNet5, _>(&mut group, "fused", adam(), digits());
    measure::<LeNet5Unfused, _>(&mut group, "unfused", adam(), digits());
    group.finish();

    let mut group = criterion.benchmark_group("autoencoder");
    measure::<Autoencoder, _>(&mut group, "fused", adam(), alone());
    measure::<AutoencoderUnfused, _>(&mut group, "unfused", adam(), alone());
    group.finish();

    let mut group = criterion.benchmark_group("mnist_bn_cnn");
    group.sample_size(20);
    measure::<MnistBnCnn, _>(&mut group, "fused", adam(), digits());
    measure::<MnistBnCnnUnfused, _>(&mut group, "unfused", adam(), digits());
    group.finish();

    let mut group = criterion.benchmark_group("resnet18");
    group.sample_size(10);
    measure::<ResNet18Cifar, _>(&mut group, "fused", sgd(), pictures(32));
    measure::<ResNet18CifarUnfused, _>(&mut group, "unfused", sgd(), pictures(32));
    group.finish();

    let mut group = criterion.benchmark_group("alexnet");
    group.sample_size(10);
    measure::<AlexNet, _>(&mut group, "fused", sgd(), pictures(16));
    measure::<AlexNetUnfused, _>(&mut group, "unfused", sgd(), pictures(16));
    group.finish();

    let mut group = criterion.benchmark_group("vgg16");
    group.sample_size(10);
    measure::<Vgg16, _>(&mut group, "fused", sgd(), pictures(4));
    measure::<Vgg16Unfused, _>(&mut group, "unfused", sgd(), pictures(4));
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
