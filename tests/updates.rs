//! An update where the gradient is made gives the bits of one by a pass over stored gradients, for every rule, fused and
//! unfused, for any number of threads, at every level of this machine.

use kiln::Level;
use kiln::optim::Optimizer;
use kiln::prelude::*;

network! {
    #[fusion(both)]
    Net {
        input image: [3, 11, 9];
        target class: class<5>;
        Conv2d<18, 3, padding = 1>; BatchNorm; Relu; MaxPool2d<2>;
        Conv2d<7, 3>; Relu; Flatten; Linear<37>; Relu; Linear<5>;
        loss: CrossEntropy(_, class);
    }
}

network! {
    /// The same, each dense layer's backward in one pass over its weight.
    #[cpu(dense = streamed)]
    Streamed {
        input image: [3, 11, 9];
        target class: class<5>;
        Conv2d<18, 3, padding = 1>; BatchNorm; Relu; MaxPool2d<2>;
        Conv2d<7, 3>; Relu; Flatten; Linear<37>; Relu; Linear<5>;
        loss: CrossEntropy(_, class);
    }
}

network! {
    /// Two layers whose weights have the same gradient, which the second one has to find in memory.
    #[fusion(both)]
    TwoSides {
        input image: [3, 11, 9];
        target class: class<5>;
        Flatten as x;
        Linear<20> as a;
        Linear<20>(x) as b;
        Add(a, b); Relu; Linear<5>;
        loss: CrossEntropy(_, class);
    }
}

fn data() -> Dataset<Images<3, 11, 9>, Classes<5>> {
    let values = (0..297 * 18).map(|i: usize| (i.wrapping_mul(2_654_435_761) >> 7) as u8 as f32 / 255.0).collect();
    let labels = (0..18).map(|i| i * 3 % 5).collect();
    Dataset::new(Images::from_vec(values).unwrap(), Classes::from_vec(labels).unwrap()).unwrap()
}

/// The bits of all parameters and statistics after a few steps; `apart` takes gradients and update one after the other.
fn run<N, O>(config: &O, threads: usize, level: Level, apart: bool) -> Vec<u32>
where
    N: Network<Inputs = Images<3, 11, 9>, Targets = Classes<5>>,
    O: Optimizer,
{
    let mut model = N::new(&Device::cpu().threads(threads).simd(level), 5).unwrap();
    model.poison_scratch(true);
    let (data, mut optimizer) = (data(), config.clone().bind(&model).unwrap());
    for step in 0..4 {
        // Programs for small batches are others.
        let batch = if step == 1 { data.take(3) } else { data.take(18) };
        if apart {
            model.accumulate(&batch).unwrap();
            model.apply(&mut optimizer).unwrap();
        } else {
            model.train_step(&batch, &mut optimizer).unwrap();
        }
    }
    assert_eq!(optimizer.steps(), 4);
    let names: Vec<_> = model.parameters().map(|p| p.name).collect();
    let values = names.iter().flat_map(|name| model.parameter(name).unwrap());
    values.map(f32::to_bits).collect()
}

fn compare<O: Optimizer>(config: O) {
    for level in Level::ALL {
        if Net::new(&Device::cpu().simd(level), 0).is_err() {
            continue;
        }
        let apart = run::<Net, _>(&config, 1, level, true);
        assert!(apart.iter().all(|bits| f32::from_bits(*bits).is_finite()));
        for threads in [1, 2, 3] {
            assert_eq!(
                run::<Net, _>(&config, threads, level, false),
                apart,
                "{config:?}, {threads} threads, {level:?}"
            );
        }
        assert_eq!(run::<Streamed, _>(&config, 1, level, true), apart, "{config:?}, in one pass, {level:?}");
        assert_eq!(run::<Streamed, _>(&config, 2, level, false), apart, "{config:?}, in one pass, updated, {level:?}");
        let sides = run::<TwoSides, _>(&config, 1, level, true);
        assert_eq!(run::<TwoSides, _>(&config, 2, level, false), sides, "{config:?}, two sides, {level:?}");
        let sides = run::<TwoSidesUnfused, _>(&config, 1, level, true);
        assert_eq!(
            run::<TwoSidesUnfused, _>(&config, 2, level, false),
            sides,
            "{config:?}, two sides, unfused, {level:?}"
        );
        let apart = run::<NetUnfused, _>(&config, 2, level, true);
        assert_eq!(run::<NetUnfused, _>(&config, 2, level, false), apart, "{config:?}, unfused, {level:?}");
    }
}

#[test]
fn sgd() {
    let plain = Sgd { lr: 0.1, ..Sgd::default() };
    compare(plain);
    compare(Sgd { weight_decay: 0.1, ..plain });
    compare(Sgd { momentum: 0.9, dampening: 0.5, ..plain });
    compare(Sgd { momentum: 0.9, weight_decay: 0.01, nesterov: true, ..plain });
}

#[test]
fn adagrad_and_rms_prop() {
    compare(Adagrad { lr_decay: 0.1, initial_accumulator_value: 0.1, weight_decay: 0.1, ..Adagrad::default() });
    compare(RmsProp { lr: 1e-3, weight_decay: 0.1, ..RmsProp::default() });
    compare(RmsProp { lr: 1e-3, momentum: 0.9, ..RmsProp::default() });
    compare(RmsProp { lr: 1e-3, eps: 1e-3, centered: true, ..RmsProp::default() });
    compare(RmsProp { lr: 1e-3, eps: 1e-3, centered: true, momentum: 0.9, ..RmsProp::default() });
}

#[test]
fn adam() {
    compare(AdamW { lr: 0.01, weight_decay: 0.1, amsgrad: true, ..AdamW::default() });
    compare(Adam { lr: 0.01, amsgrad: true, maximize: true, ..Adam::default() });
    compare(NAdam { lr: 0.01, weight_decay: 0.1, decoupled_weight_decay: true, ..NAdam::default() });
    compare(Adam { lr: 0.01, ..Adam::default() });
    compare(Adam { lr: 0.01, weight_decay: 0.1, betas: (0.3, 0.9), ..Adam::default() });
}
