//! Chains of layers of few channels, which larger batches run with samples in the lanes: the same results as the layers one by
//! one, which small batches run, beyond as many groups as there are partial sums; and the same bits for any number of threads.

use kiln::Level;
use kiln::prelude::*;

network! {
    Few {
        input image: [1, 12, 12];
        target class: class<5>;
        Conv2d<6, 5, padding = 2>; Relu; MaxPool2d<2>;
        Conv2d<16, 3, bias = false>; Tanh; MaxPool2d<2>;
        Conv2d<4, [2, 1], stride = [1, 2]>; Sigmoid;
        Flatten; Linear<5>;
        loss: CrossEntropy(_, class);
    }
}

/// Around the edges of groups; the last leaves several groups to a partial sum.
const BATCHES: [usize; 4] = [16, 31, 33, 330];
/// What is run layer by layer.
const SMALL: usize = 15;

fn data(samples: usize) -> Dataset<Images<1, 12, 12>, Classes<5>> {
    let value = |i: usize| (i.wrapping_mul(2_654_435_761) >> 7) as u8 as f32 / 255.0 - 0.5;
    let labels = (0..samples).map(|i| i * 3 % 5).collect();
    let images = Images::from_vec((0..samples * 144).map(value).collect()).unwrap();
    Dataset::new(images, Classes::from_vec(labels).unwrap()).unwrap()
}

fn levels() -> impl Iterator<Item = Level> {
    Level::ALL.into_iter().filter(|level| Few::new(&Device::cpu().simd(*level), 0).is_ok())
}

#[test]
fn chains_compute_what_single_layers_do() {
    for level in levels() {
        let mut model = Few::new(&Device::cpu().threads(2).simd(level), 3).unwrap();
        model.poison_scratch(true);
        for samples in BATCHES {
            let all = data(samples);
            let whole = model.gradients(&all).unwrap();
            let outputs = model.forward(all.inputs()).unwrap().into_vec();
            let mut single = Vec::new();
            let mut sums: Vec<Vec<f64>> = whole.iter().map(|(_, g)| vec![0.0; g.len()]).collect();
            for first in (0..samples).step_by(SMALL) {
                let some = all.skip(first).take(SMALL);
                single.extend(model.forward(some.inputs()).unwrap().into_vec());
                let share = some.len() as f64 / samples as f64;
                for (sum, (_, gradient)) in sums.iter_mut().zip(model.gradients(&some).unwrap().iter()) {
                    sum.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += f64::from(*g) * share);
                }
            }
            for (i, (a, b)) in outputs.iter().zip(&single).enumerate() {
                assert!((a - b).abs() < 1e-5, "{level:?}, batch {samples}, output {i}: {a} in a chain, {b} alone");
            }
            for (sum, (name, gradient)) in sums.iter().zip(whole.iter()) {
                let scale = sum.iter().fold(0.0, |most: f64, g| most.max(g.abs()));
                for (i, (b, a)) in sum.iter().zip(gradient).enumerate() {
                    let close = (f64::from(*a) - b).abs() < 1e-4 * scale + 1e-7;
                    assert!(close, "{level:?}, batch {samples}, {name}[{i}]: {a} in a chain, {b} alone");
                }
            }
        }
    }
}

/// The bits of all parameters after a few steps.
fn trained(device: Device) -> Vec<u32> {
    let mut model = Few::new(&device, 5).unwrap();
    model.poison_scratch(true);
    let mut optimizer = Adam { lr: 1e-2, ..Adam::default() }.bind(&model).unwrap();
    for samples in BATCHES {
        model.train_step(&data(samples), &mut optimizer).unwrap();
    }
    let names: Vec<_> = model.parameters().map(|p| p.name).collect();
    names.iter().flat_map(|name| model.parameter(name).unwrap()).map(f32::to_bits).collect()
}

#[test]
fn same_bits_for_any_number_of_threads_and_both_vector_levels() {
    let one = trained(Device::cpu().threads(1));
    assert!(one.iter().all(|bits| f32::from_bits(*bits).is_finite()));
    for threads in [2, 3, 5] {
        assert_eq!(trained(Device::cpu().threads(threads)), one, "{threads} threads");
    }
    if levels().any(|level| level == Level::Avx512) {
        assert_eq!(trained(Device::cpu().simd(Level::Avx2)), trained(Device::cpu().simd(Level::Avx512)));
    }
}
