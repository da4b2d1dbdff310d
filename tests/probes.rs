//! `#[probe]`: values inside a network are what an output would give; gradients are what differences of scores say; and the
//! emulator finds what the CPU finds.

#[path = "common/skip.rs"]
mod skip;

use kiln::prelude::*;
use kiln::{Excitation, Probe};
use kiln_emulator::{Emulator, Settings};
use skip::skip;

network! {
    #[fusion(both)]
    #[probe(classifier.0)]
    pub Looked {
        input image: [1, 8, 8];
        target digit: class<4>;
        features: { #[probe] conv: Conv2d<6, 3>; norm: BatchNorm; Tanh; MaxPool2d<2>; #[probe] second: Conv2d<5, 2>; }
        Tanh; Flatten;
        classifier: { Linear<7>; Tanh; Dropout<0.5>; }
        #[probe] scores: Linear<4>;
        loss: CrossEntropy(_, digit);
        output scores, features;
    }

    /// Lines of a block, by their paths.
    #[probe(features.3, classifier)]
    pub Digits = kiln::zoo::LeNet5;

    pub Pair<H in [3, 5]> {
        input left: [4]; input right: [2, 3];
        hidden: Linear<H>(left);
        #[probe] Tanh as first;
        from right; Flatten; other: Linear<H>;
        #[probe] both: Mul(first, other);
    }
}

fn images(samples: usize) -> Images<1, 8, 8> {
    Images::from_vec((0..samples * 64).map(|i| ((i * 37 + i / 11) % 23) as f32 / 11.5 - 1.0).collect()).unwrap()
}

fn near(a: f32, b: f32, tolerance: f32) -> bool {
    (a - b).abs() <= tolerance * (1.0 + a.abs().max(b.abs()))
}

/// A model whose running statistics are not those of the start.
fn trained<N>(device: &Device) -> Model<N>
where
    N: Network<Inputs = Images<1, 8, 8>, Targets = Classes<4>>,
{
    let mut model: Model<N> = Model::new(device, 7).unwrap();
    model.poison_scratch(true);
    let labels = Classes::from_vec((0..20).map(|i| i * 7 % 4).collect()).unwrap();
    let data = Dataset::new(images(20), labels).unwrap();
    let mut optimizer = Sgd { lr: 0.05, ..Sgd::default() }.bind(&model).unwrap();
    for _ in 0..2 {
        model.train_step(&data, &mut optimizer).unwrap();
    }
    model
}

#[test]
fn activations_are_what_an_output_gives() -> Result<(), Error> {
    let model: Model<Looked> = trained(&Device::cpu());
    for samples in [1, 3, 16, 1030] {
        let images = images(samples);
        let outputs = model.forward(&images)?;
        assert_eq!(model.activations(Looked::SCORES, &images)?, outputs.scores);
        assert_eq!(model.activations(Looked::FEATURES_SECOND, &images)?, outputs.features);
    }
    // Not one of the outputs: its size, and that weights of now are taken.
    let mut model = model;
    let conv: Images<6, 6, 6> = model.activations(Looked::FEATURES_CONV, &images(2))?;
    assert!(conv.view().iter().any(|x| *x != 0.0));
    let zero = ndarray::ArrayD::<f32>::zeros(vec![6, 1, 3, 3]);
    model.set_parameter("features.conv.weight", zero.view())?;
    let bias = model.parameter("features.conv.bias")?;
    let conv = model.activations(Looked::FEATURES_CONV, &images(2))?;
    assert!(conv.view().indexed_iter().all(|((_, c, _, _), x)| *x == bias[[c]]));
    assert_eq!(model.activations(Looked::CLASSIFIER_0, &images(2))?.row(0).len(), 7);
    Ok(())
}

fn check_gradient<A>(model: &Model<Looked>, unit: kiln::Unit<Looked>, _: Probe<Looked, A>) {
    let x = images(3);
    let Excitation { score, gradient } = model.excite(unit, &x).unwrap();
    assert_eq!((score.len(), gradient.len()), (3, 3));
    let values: Vec<f32> = x.view().iter().copied().collect();
    let gradient: Vec<f32> = gradient.view().iter().copied().collect();
    let h = 1e-2;
    let mut largest = 0f32;
    for at in (0..values.len()).step_by(5) {
        let shifted = |h: f32| {
            let mut values = values.clone();
            values[at] += h;
            model.excite(unit, &Images::from_vec(values).unwrap()).unwrap().score[at / 64]
        };
        let difference = (shifted(h) - shifted(-h)) / (2.0 * h);
        // The largest of a window may change within such a step.
        let loose = if format!("{unit:?}").contains("conv") { 1e-3 } else { 2e-2 };
        assert!(near(gradient[at], difference, loose), "{unit:?} [{at}]: {} and {difference}", gradient[at]);
        largest = largest.max(difference.abs());
    }
    assert!(largest > 1e-3, "{unit:?}: nothing to compare");
}

#[test]
fn gradients_are_what_differences_say() {
    let model: Model<Looked> = trained(&Device::cpu());
    check_gradient(&model, Looked::FEATURES_CONV.channel(3), Looked::FEATURES_CONV);
    check_gradient(&model, Looked::FEATURES_CONV.unit([2, 1, 1]), Looked::FEATURES_CONV);
    check_gradient(&model, Looked::FEATURES_SECOND.channel(0), Looked::FEATURES_SECOND);
    check_gradient(&model, Looked::CLASSIFIER_0.unit([6]), Looked::CLASSIFIER_0);
    check_gradient(&model, Looked::SCORES.class(2), Looked::SCORES);
    // A score is what it says.
    let x = images(2);
    let scores = model.activations(Looked::SCORES, &x).unwrap();
    let found = model.excite(Looked::SCORES.class(2), &x).unwrap().score;
    assert!((0..2).all(|i| near(found[i], scores.row(i)[2], 1e-5)));
    let conv = model.activations(Looked::FEATURES_CONV, &x).unwrap();
    let found = model.excite(Looked::FEATURES_CONV.channel(4), &x).unwrap().score;
    let mean = |i: usize| conv.view().index_axis(ndarray::Axis(0), i).index_axis(ndarray::Axis(0), 4).mean().unwrap();
    assert!((0..2).all(|i| near(found[i], mean(i), 1e-5)));
}

#[test]
fn the_emulator_and_one_kernel_each_agree() -> Result<(), Error> {
    let model: Model<Looked> = trained(&Device::cpu());
    let x = images(17);
    let expected = model.excite(Looked::FEATURES_SECOND.channel(1), &x)?;
    let same = |found: Excitation<Images<1, 8, 8>>, what: &str| {
        let pairs = found.score.iter().zip(&expected.score);
        assert!(pairs.into_iter().all(|(a, b)| near(*a, *b, 1e-4)), "{what}: {:?} {:?}", found.score, expected.score);
        let (a, b) = (found.gradient, &expected.gradient);
        assert!(a.view().iter().zip(b.view()).all(|(a, b)| near(*a, *b, 1e-4)), "{what}: gradient");
    };
    let unfused: Model<LookedUnfused> = trained(&Device::cpu());
    same(unfused.excite(LookedUnfused::FEATURES_SECOND.channel(1), &x)?, "unfused");
    if let Err(why) = Emulator::available() {
        skip(&why);
        return Ok(());
    }
    let emulator = Emulator::leak(Settings { checked: true, ..Settings::default() });
    let emulated: Model<Looked> = trained(&Device::Other(emulator));
    same(emulated.excite(Looked::FEATURES_SECOND.channel(1), &x)?, "the emulator");
    let (a, b) = (emulated.activations(Looked::FEATURES_CONV, &x)?, model.activations(Looked::FEATURES_CONV, &x)?);
    assert!(a.view().iter().zip(b.view()).all(|(a, b)| near(*a, *b, 1e-4)));
    Ok(())
}

#[test]
fn several_inputs_have_a_gradient_each() -> Result<(), Error> {
    let model = Pair::<5>::new(&Device::cpu(), 1)?;
    let inputs = PairInputs {
        left: Rows::from_vec((0..8).map(|i| i as f32 / 8.0).collect())?,
        right: Sequences::from_vec((0..12).map(|i| 1.0 - i as f32 / 6.0).collect())?,
    };
    let both = model.activations(Pair::<5>::BOTH, &inputs)?;
    let Excitation { score, gradient } = model.excite(Pair::<5>::BOTH.class(4), &inputs)?;
    assert_eq!(score, [both.row(0)[4], both.row(1)[4]]);
    assert_eq!(model.activations(Pair::<5>::FIRST, &inputs)?.len(), 2);
    assert!(gradient.left.view().iter().chain(gradient.right.view().iter()).all(|x| x.abs() > 0.0));
    // The second factor is linear in the right input: the gradient is the first times its weights.
    let weight = model.parameter("other.weight")?;
    let bias = model.parameter("other.bias")?;
    for (sample, score) in score.iter().enumerate() {
        let dot: f32 = (0..6).map(|i| weight[[4, i]] * inputs.right.row(sample)[i]).sum();
        let first = score / (dot + bias[[4]]);
        for i in 0..6 {
            assert!(near(gradient.right.row(sample)[i], first * weight[[4, i]], 1e-4));
        }
    }
    Ok(())
}

#[test]
fn lines_of_a_block_are_probed_by_path() -> Result<(), Error> {
    let model = Digits::new(&Device::cpu(), 1)?;
    let digits = kiln::data::mnist::embedded().valid.take(3);
    let second: Images<16, 10, 10> = model.activations(Digits::FEATURES_3, digits.inputs())?;
    assert_eq!(second.len(), 3);
    assert_eq!(model.activations(Digits::CLASSIFIER, digits.inputs())?, model.forward(digits.inputs())?);
    Ok(())
}

#[test]
fn parts_that_are_not_there_are_errors() {
    let model = Looked::new(&Device::cpu(), 1).unwrap();
    let check = |unit, expected: &str| {
        let text = model.excite(unit, &images(1)).unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
    };
    check(Looked::FEATURES_CONV.channel(6), "the channel of the probe `features.conv`");
    check(Looked::FEATURES_CONV.class(0), "a channel or a unit, since its value has shape [6, 6, 6]");
    check(Looked::FEATURES_CONV.unit([0, 6, 0]), "the unit of the probe `features.conv`");
    check(Looked::SCORES.unit([0, 1]), "1 numbers, since its value has shape [4]");
    assert_eq!(model.activations(Looked::SCORES, &images(0)).unwrap().len(), 0);
    assert_eq!(format!("{:?}", Looked::SCORES), "Probe(scores [4])");
}
