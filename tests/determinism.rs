//! Same seed, same bits: for any number of threads, at AVX2 and AVX-512, run after run, with scratch full of NaN.

use kiln::Level;
use kiln::prelude::*;

network! {
    Net {
        input image: [3, 11, 9];
        target class: class<5>;
        Conv2d<18, 3, padding = 1>; BatchNorm; Relu; MaxPool2d<2>;
        Conv2d<7, 3>; Relu; Flatten; Dropout<0.25>; Linear<20>; Relu; Linear<5>;
        loss: CrossEntropy(_, class);
    }
}

fn data() -> Dataset<Images<3, 11, 9>, Classes<5>> {
    let values = (0..297 * 50).map(|i: usize| (i.wrapping_mul(2_654_435_761) >> 7) as u8 as f32 / 255.0).collect();
    let labels = (0..50).map(|i| i * 3 % 5).collect();
    Dataset::new(Images::from_vec(values).unwrap(), Classes::from_vec(labels).unwrap()).unwrap()
}

/// The bits of all parameters and statistics after a few epochs with a last batch of 2, and of the validation losses.
fn run(device: Device, seed: u64) -> (Vec<u32>, Vec<u64>) {
    let mut model = Net::new(&device, seed).unwrap();
    model.poison_scratch(true);
    let data = data();
    let trainer = Trainer::new(&mut model, Adam { lr: 1e-2, ..Adam::default() }).epochs(3).batch_size(16).quiet();
    let report = trainer.fit(&data, &data.take(21)).unwrap();
    let names: Vec<_> = model.parameters().map(|p| p.name).collect();
    let values = names.iter().flat_map(|name| model.parameter(name).unwrap());
    (values.map(f32::to_bits).collect(), report.epochs.iter().map(|e| e.valid_loss.to_bits()).collect())
}

#[test]
fn same_bits_for_any_number_of_threads() {
    let one = run(Device::cpu().threads(1), 3);
    assert!(one.0.iter().all(|bits| f32::from_bits(*bits).is_finite()));
    for threads in [1, 2, 3, 5] {
        assert_eq!(run(Device::cpu().threads(threads), 3), one, "{threads} threads");
    }
    assert_ne!(run(Device::cpu().threads(1), 4), one, "another seed");
}

#[test]
fn same_bits_at_both_vector_levels() {
    let run = |level| run(Device::cpu().threads(2).simd(level), 3);
    let supported = |level| Net::new(&Device::cpu().simd(level), 0).is_ok();
    if supported(Level::Avx512) {
        assert_eq!(run(Level::Avx512), run(Level::Avx2));
    }
    // The portable level has no fused multiply-add, so its bits are its own, but it learns the same.
    let (portable, best) = (run(Level::Portable), run(Level::Avx2.min(kiln::__private::cpu::best())));
    for (a, b) in portable.1.iter().zip(&best.1) {
        let (a, b) = (f64::from_bits(*a), f64::from_bits(*b));
        assert!((a - b).abs() < 1e-2 * b, "validation loss {a} portable, {b} with vectors");
    }
}

/// What inference keeps from run to run (folded statistics, transformed weights) must follow every change of a weight.
#[test]
fn what_is_kept_follows_the_weights() {
    let data = data();
    let mut model = Net::new(&Device::cpu().threads(2), 3).unwrap();
    let mut optimizer = Sgd { lr: 0.1, momentum: 0.9, ..Sgd::default() }.bind(&model).unwrap();
    let path = tempfile::tempdir().unwrap();
    let file = path.path().join("net.safetensors");
    let check = |model: &Model<Net>, what: &str| {
        let scores = model.forward(data.inputs()).unwrap().into_vec();
        let loss = model.evaluate(&data).unwrap().loss;
        // A model that has kept nothing yet.
        model.save(&file).unwrap();
        let mut fresh = Net::new(&Device::cpu().threads(2), 4).unwrap();
        fresh.load(&file).unwrap();
        assert_eq!(scores, fresh.forward(data.inputs()).unwrap().into_vec(), "{what}");
        assert_eq!(loss, fresh.evaluate(&data).unwrap().loss, "{what}");
        scores
    };
    let mut all = vec![check(&model, "at first"), check(&model, "once more")];
    assert_eq!(all[0], all[1]);
    model.train_step(&data, &mut optimizer).unwrap();
    all.push(check(&model, "after a step"));
    model.accumulate(&data).unwrap();
    all.push(check(&model, "after running statistics moved"));
    model.apply(&mut optimizer).unwrap();
    all.push(check(&model, "after an update"));
    let names: Vec<_> = model.parameters().map(|p| p.name).collect();
    let weight = model.parameter(names[0]).unwrap() * 0.5;
    model.set_parameter(names[0], weight.view()).unwrap();
    all.push(check(&model, "after a weight was set"));
    assert!(all[1..].windows(2).all(|pair| pair[0] != pair[1]), "every change shows");
}
