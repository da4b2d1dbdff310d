//! What a training cannot start with is said before it starts: a batch of one sample for a BatchNorm of single values,
//! an optimizer of another network, weights that are not finite.

use kiln::Error;
use kiln::prelude::*;
use ndarray::ArrayD;

network! {
    pub Vectors { input x: [3]; target y: class<2>; Linear<4>; norm: BatchNorm; Relu; Linear<2>; loss: CrossEntropy(_, y); }

    /// As many positions as it takes for a variance.
    pub Sequence { input x: [1, 3]; target y: class<2>; norm: BatchNorm; Flatten; Linear<2>; loss: CrossEntropy(_, y); }

    /// Evaluation takes the batch's statistics too.
    pub Untracked {
        input x: [3]; target y: class<2>; Linear<4>; norm: BatchNorm<track_running_stats = false>; Linear<2>;
        loss: CrossEntropy(_, y);
    }

    pub Frozen { input x: [3]; target y: class<2>; Linear<4>; #[frozen] BatchNorm; Linear<2>; loss: CrossEntropy(_, y); }
}

/// A network of the name and size of another, whose parameters lie elsewhere.
mod other {
    kiln::network! {
        pub Vectors { input x: [16]; target y: class<2>; Linear<2>; loss: CrossEntropy(_, y); }
    }
}

fn data(samples: usize) -> Dataset<Rows<3>, Classes<2>> {
    let values = (0..3 * samples).map(|i| (i * 7 % 11) as f32 * 0.2 - 1.0).collect();
    let labels: Vec<usize> = (0..samples).map(|i| i % 2).collect();
    Dataset::new(Rows::from_vec(values).unwrap(), Classes::from_vec(labels).unwrap()).unwrap()
}

fn text<T>(result: Result<T, Error>) -> String {
    result.err().map_or("no error".into(), |error| error.to_string())
}

const ONE_VALUE: &str = "`norm` of Vectors normalises over the batch, but a batch of one sample has one value per channel; \
    help: `.drop_last(true)` leaves it out of a `Trainer`'s epoch, or another batch size";

#[test]
fn one_value_per_channel() {
    let mut model = Vectors::new(&Device::cpu(), 1).unwrap();
    let mut optimizer = Sgd::default().bind(&model).unwrap();
    let state = |model: &Model<Vectors>| -> Vec<ArrayD<f32>> {
        model.parameters().map(|p| model.parameter(p.name).unwrap()).collect()
    };
    let before = state(&model);
    assert_eq!(text(model.train_step(&data(1), &mut optimizer)), ONE_VALUE);
    assert_eq!(text(model.accumulate(&data(1))), ONE_VALUE);
    assert_eq!(text(model.gradients(&data(1))), ONE_VALUE);
    // The last batch of 65 at 64 is found before the first one.
    let fit = |model: &mut Model<Vectors>, batch: usize, drop_last: bool| {
        let trainer = Trainer::new(model, Sgd::default()).epochs(2).batch_size(batch).drop_last(drop_last).quiet();
        trainer.fit(&data(65), &data(65))
    };
    assert_eq!(text(fit(&mut model, 64, false)), ONE_VALUE);
    assert_eq!(text(fit(&mut model, 1, true)), ONE_VALUE);
    assert_eq!(state(&model), before, "nothing was trained");
    assert_eq!(fit(&mut model, 64, true).unwrap().epochs.len(), 2);
    assert_eq!(fit(&mut model, 63, false).unwrap().epochs.len(), 2);
    // Running statistics need no batch.
    assert!(model.forward(data(1).inputs()).is_ok() && model.evaluate(&data(1)).is_ok());
}

#[test]
fn where_one_sample_is_enough() {
    let x = Sequences::from_vec(vec![0.5, -1.0, 2.0]).unwrap();
    let sequence = Dataset::new(x, Classes::from_vec(vec![1]).unwrap()).unwrap();
    let mut model = Sequence::new(&Device::cpu(), 1).unwrap();
    let mut optimizer = Sgd::default().bind(&model).unwrap();
    assert!(model.train_step(&sequence, &mut optimizer).unwrap().loss.is_finite());
    let mut model = Frozen::new(&Device::cpu(), 1).unwrap();
    let mut optimizer = Sgd::default().bind(&model).unwrap();
    assert!(model.train_step(&data(1), &mut optimizer).unwrap().loss.is_finite());
}

#[test]
fn untracked_statistics_need_a_batch_in_evaluation_too() {
    let expected = ONE_VALUE.replace("Vectors", "Untracked");
    let mut model = Untracked::new(&Device::cpu(), 1).unwrap();
    assert_eq!(text(model.forward(data(1).inputs())), expected);
    assert_eq!(text(model.evaluate(&data(1))), expected);
    assert!(model.forward(data(2).inputs()).is_ok());
    assert_eq!(text(Trainer::new(&mut model, Sgd::default()).quiet().fit(&data(8), &data(1))), expected);
}

/// An epoch has whole batches only, and none is as much of an error as no data.
#[test]
fn the_last_batch_is_dropped() {
    let mut model = Vectors::new(&Device::cpu(), 1).unwrap();
    let fit = |model: &mut Model<Vectors>, batch: usize, drop_last: bool| {
        let trainer = Trainer::new(model, Sgd { lr: 0.0, ..Sgd::default() }).epochs(1).shuffle(false);
        trainer.batch_size(batch).drop_last(drop_last).quiet().fit(&data(20), &data(20))
    };
    let whole = fit(&mut model, 8, true).unwrap().epochs[0];
    // What the mean is of: the first 16 samples, batch by batch.
    let loss = |first| f64::from(model.gradients(&data(20).skip(first).take(8)).unwrap().step.loss);
    assert!((whole.train_loss - (loss(0) + loss(8)) / 2.0).abs() < 1e-6, "{whole:?}");
    assert_eq!(
        text(fit(&mut model, 21, true)),
        "Trainer::batch_size must be at most 20, the training samples, where the last batch is dropped, but it is 21"
    );
    assert!(fit(&mut model, 21, false).is_ok());
}

#[test]
fn an_optimizer_of_another_network() {
    let mut model = Vectors::new(&Device::cpu(), 1).unwrap();
    let other = other::Vectors::new(&Device::cpu(), 1).unwrap();
    assert_eq!((<Vectors as Network>::PARAMETERS, <other::Vectors as Network>::PARAMETERS), (34, 34));
    let mut optimizer = Adam::default().bind(&other).unwrap();
    for error in [text(model.train_step(&data(8), &mut optimizer)), {
        model.accumulate(&data(8)).unwrap();
        text(model.apply(&mut optimizer))
    }] {
        assert_eq!(
            error,
            "the optimizer was bound to refusals::other::Vectors, but the model is a refusals::Vectors with 34 trainable \
             values (bound: 34)"
        );
    }
    let frozen = Frozen::new(&Device::cpu(), 1).unwrap();
    let mut optimizer = Sgd::default().bind(&frozen).unwrap();
    let error = text(model.train_step(&data(8), &mut optimizer));
    assert!(error.starts_with("the optimizer was bound to Frozen, but the model is a Vectors with 34"), "{error}");
}

#[test]
fn weights_that_are_not_finite_are_named_before_training() {
    let mut model = Vectors::new(&Device::cpu(), 1).unwrap();
    let start = |model: &mut Model<Vectors>| text(Trainer::new(model, Sgd::default()).quiet().fit(&data(8), &data(8)));
    for name in ["norm.running_var", "norm.weight"] {
        let whole = model.parameter(name).unwrap();
        let mut broken = whole.clone();
        broken[[2]] = f32::NAN;
        model.set_parameter(name, broken.view()).unwrap();
        assert_eq!(
            start(&mut model),
            format!("`{name}` of Vectors is NaN at [2] before the first step; help: `load` or a new model")
        );
        model.set_parameter(name, whole.view()).unwrap();
    }
    assert_eq!(start(&mut model), "no error");
}
