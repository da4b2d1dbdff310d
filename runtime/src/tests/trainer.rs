use super::checkpoints::numbers;
use super::fake::Fake;
use super::mini::{Batch, Mini, data, model};
use crate::Model;
use crate::data::{Classes, Rows};
use crate::optim::schedule::{OneCycle, ReduceOnPlateau};
use crate::optim::{Adam, AdamW, Groups, NAdam, Optimizer, RmsProp, Sgd};
use crate::train::{EpochRecord, Flow, Trainer};
use crate::{Device, Network};
use std::cell::RefCell;

fn weights(model: &Model<Mini>) -> ndarray::ArrayD<f32> {
    model.parameter("fc.weight").unwrap()
}

#[test]
fn learns_separable_clusters() {
    let mut model = model(1);
    let adam = Adam { lr: 0.05, ..Adam::default() };
    let report = Trainer::new(&mut model, adam).epochs(8).batch_size(16).quiet().fit(&data(250), &data(30)).unwrap();
    assert_eq!(report.epochs.len(), 8);
    assert!(report.epochs[7].train_loss < 0.5 * report.epochs[0].train_loss, "{report:?}");
    assert_eq!(report.best().valid_accuracy, 1.0, "{report}");
    assert_eq!(report.epochs[0].lr, 0.05);
    let evaluation = model.evaluate(&data(30)).unwrap();
    assert_eq!(evaluation.loss, report.best().valid_loss);
}

#[test]
fn the_seed_decides_the_order_and_the_order_the_weights() {
    let run = |seed: u64, shuffle: bool| {
        let mut model = model(1);
        let trainer = Trainer::new(&mut model, Sgd { lr: 0.1, ..Sgd::default() }).seed(seed).shuffle(shuffle);
        trainer.epochs(2).batch_size(8).quiet().fit(&data(50), &data(20)).unwrap();
        weights(&model)
    };
    assert_eq!(run(1, true), run(1, true));
    assert_ne!(run(1, true), run(2, true));
    assert_eq!(run(1, false), run(2, false));
}

#[test]
fn the_last_batch_counts_too() {
    // One epoch without shuffling is the loop by hand, with batches of 8, 8 and 4.
    let (mut by_trainer, mut by_hand, data) = (model(1), model(1), data(20));
    let sgd = Sgd { lr: 0.1, momentum: 0.9, ..Sgd::default() };
    let trainer = Trainer::new(&mut by_trainer, sgd).epochs(1).batch_size(8).shuffle(false).quiet();
    trainer.fit(&data, &data).unwrap();
    let mut optimizer = crate::optim::Optimizer::bind(sgd, &by_hand).unwrap();
    for rows in (0..20).collect::<Vec<_>>().chunks(8) {
        by_hand.train_step(&data.gather(rows), &mut optimizer).unwrap();
    }
    assert_eq!(weights(&by_trainer), weights(&by_hand));
}

#[test]
fn the_best_epoch_is_left_in_the_model_and_patience_ends_training() {
    let (mut model, train) = (model(1), data(60));
    // The validation labels are wrong, so that learning makes the validation loss worse.
    let wrong = Classes::from_vec(data(60).targets().iter().map(|label| (label + 1) % 3).collect()).unwrap();
    let valid = Batch::new(train.inputs().clone(), wrong).unwrap();
    let seen = RefCell::new(Vec::new());
    let report = Trainer::new(&mut model, Sgd { lr: 0.5, ..Sgd::default() })
        .epochs(20)
        .early_stopping(3)
        .quiet()
        .on_epoch(|epoch, model| {
            seen.borrow_mut().push((epoch.epoch, weights(model)));
            Flow::Continue
        })
        .fit(&train, &valid)
        .unwrap();
    assert!(report.stopped_early);
    assert_eq!((report.best().epoch, report.epochs.len()), (1, 4));
    let seen = seen.into_inner();
    assert_eq!(seen.len(), 4);
    assert_eq!(weights(&model), seen[0].1);
    assert_ne!(weights(&model), seen[3].1);
}

#[test]
fn a_callback_can_stop() {
    let mut model = model(1);
    let trainer = Trainer::new(&mut model, Sgd::default()).epochs(9).quiet();
    let stop = |epoch: &crate::train::EpochRecord, _: &Model<Mini>| match epoch.epoch {
        2 => Flow::Stop,
        _ => Flow::Continue,
    };
    let report = trainer.on_epoch(stop).fit(&data(20), &data(20)).unwrap();
    assert_eq!((report.epochs.len(), report.stopped_early), (2, false));
}

#[test]
fn mistakes_are_errors() {
    let (train, empty) = (data(20), data(0));
    let text = |batch_size: usize, epochs: usize, patience: usize, train: &Batch, valid: &Batch| {
        let mut model = model(1);
        let trainer = Trainer::new(&mut model, Sgd::default()).batch_size(batch_size).epochs(epochs);
        trainer.early_stopping(patience).quiet().fit(train, valid).unwrap_err().to_string()
    };
    assert_eq!(text(0, 1, 1, &train, &train), "Trainer::batch_size must be at least 1, but it is 0");
    assert_eq!(text(8, 0, 1, &train, &train), "Trainer::epochs must be at least 1, but it is 0");
    assert_eq!(text(8, 1, 0, &train, &train), "Trainer::early_stopping must be at least 1 epoch, but it is 0");
    assert_eq!(text(8, 1, 1, &empty, &train), "the training data set is empty");
    assert_eq!(text(8, 1, 1, &train, &empty), "the validation data set is empty");
    let nan = Batch::new(Rows::from_vec(vec![f32::NAN; 80]).unwrap(), train.targets().clone()).unwrap();
    let found = text(8, 1, 1, &nan, &train);
    let message = "Mini, epoch 1, step 1 (loss NaN): the data holds NaN at [0] of `x`, row 0 of the batch, sample ";
    assert!(found.starts_with(message), "{found}");
    let message = "Mini, validation after epoch 1 (loss NaN): the data holds NaN at [0] of `x`, row 0 of the batch, \
        sample 0 of the validation data; help: drop or mend this sample";
    assert_eq!(text(8, 1, 1, &train, &nan), message);
}

/// A training as it is resumed: everything that has state.
fn full<'m>(model: &'m mut Model<Mini>, folder: &std::path::Path, epochs: usize) -> Trainer<'m, Mini, NAdam> {
    let nadam = NAdam { lr: 0.05, weight_decay: 0.01, ..NAdam::default() };
    let plateau = ReduceOnPlateau { factor: 0.5, patience: 0, threshold: 0.5, ..ReduceOnPlateau::default() };
    let groups = Groups::new().lr("fc.bias", 0.5);
    let trainer = Trainer::new(model, nadam).epochs(epochs).batch_size(8).accumulate(3).clip_norm(0.5).quiet();
    trainer.groups(groups).schedule(plateau).early_stopping(50).checkpoints(folder)
}

pub(super) fn bits(model: &Model<Mini>) -> Vec<u32> {
    model.parameters().flat_map(|p| model.parameter(p.name).unwrap()).map(f32::to_bits).collect()
}

/// What does not depend on the clock.
pub(super) fn history(report: &crate::train::Report) -> Vec<(usize, u64, u64, u64, bool)> {
    let record = |e: &EpochRecord| (e.epoch, e.train_loss.to_bits(), e.valid_loss.to_bits(), e.lr.to_bits(), e.best);
    report.epochs.iter().map(record).collect()
}

#[test]
fn a_training_resumes_bit_for_bit() {
    let (train, valid) = (data(90), data(31));
    let at_once = tempfile::tempdir().unwrap();
    let mut whole = model(1);
    let expected = full(&mut whole, at_once.path(), 7).fit(&train, &valid).unwrap();
    assert!(expected.epochs[6].lr < 0.05, "the schedule has something to remember: {expected:?}");

    for device in [Device::cpu().threads(3), Device::Other(Fake::leak())] {
        let folder = tempfile::tempdir().unwrap();
        for epochs in [1, 4, 5, 7] {
            // Each time another process would have a new model.
            let mut model = Mini::new(&device, 1).unwrap();
            let report = full(&mut model, folder.path(), epochs).fit(&train, &valid).unwrap();
            if device == Device::cpu().threads(3) {
                assert_eq!(history(&report), history(&expected)[..epochs]);
                assert!(epochs < 7 || bits(&model) == bits(&whole));
            } else {
                assert_eq!(report.epochs.len(), epochs);
            }
        }
        // There is nothing left to do.
        let mut model = Mini::new(&device, 1).unwrap();
        let again = full(&mut model, folder.path(), 7).fit(&train, &valid).unwrap();
        assert_eq!(again.epochs.len(), 7);
    }
}

#[test]
fn a_cycle_resumes_bit_for_bit() {
    let (train, valid) = (data(50), data(20));
    let run = |folder: &std::path::Path, stop: usize| {
        let mut model = model(1);
        let cycle = OneCycle { max_lr: 0.1, ..OneCycle::default() };
        let adam = AdamW { amsgrad: true, ..AdamW::default() };
        let trainer = Trainer::new(&mut model, adam).epochs(6).batch_size(8).schedule(cycle).quiet();
        let trainer = trainer.checkpoints(folder).on_epoch(move |epoch, _| match epoch.epoch == stop {
            true => Flow::Stop,
            false => Flow::Continue,
        });
        let report = trainer.fit(&train, &valid).unwrap();
        (history(&report), bits(&model))
    };
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let expected = run(one.path(), 0);
    assert_eq!(run(two.path(), 2).0.len(), 2);
    assert_eq!(run(two.path(), 0), expected);
    let rates: Vec<f64> = expected.0.iter().map(|epoch| f64::from_bits(epoch.3)).collect();
    assert!(rates[0] < rates[1] && rates[5] < 1e-3 * rates[1], "{rates:?}");
}

#[test]
fn a_checkpoint_of_another_set_up_is_an_error_that_names_what_differs() {
    let (train, folder) = (data(40), tempfile::tempdir().unwrap());
    let fit = |batch_size: usize, lr: f64, seed: u64, fresh: bool| {
        let mut model = model(seed);
        let trainer = Trainer::new(&mut model, Sgd { lr, ..Sgd::default() }).epochs(2).batch_size(batch_size).quiet();
        let trainer = if fresh { trainer.fresh() } else { trainer };
        trainer.checkpoints(folder.path()).fit(&train, &train).map(|report| report.epochs.len())
    };
    assert_eq!(fit(8, 0.1, 1, false).unwrap(), 2);
    let text = fit(16, 0.2, 1, false).unwrap_err().to_string();
    let sgd = |lr: f64| format!("{:?}", Sgd { lr, ..Sgd::default() });
    let expected = format!(
        "{} is the checkpoint of another training; help: `.fresh()` begins anew
  batch size: 8 in the checkpoint, 16 now
  optimizer: {} in the checkpoint, {} now",
        folder.path().join("checkpoint-000002.safetensors").display(),
        sgd(0.1),
        sgd(0.2)
    );
    assert_eq!(text, expected);
    assert!(fit(8, 0.1, 2, false).unwrap_err().to_string().contains("seed of the model: 1 in the checkpoint, 2 now"));
    // A schedule belongs to the set-up, and where it depends on the number of epochs, so does that.
    let mut other = model(1);
    let trainer = Trainer::new(&mut other, Sgd { lr: 0.1, ..Sgd::default() }).epochs(2).batch_size(8).quiet();
    let cycle = OneCycle { max_lr: 0.1, ..OneCycle::default() };
    let text = trainer.schedule(cycle).checkpoints(folder.path()).fit(&train, &train).unwrap_err().to_string();
    assert!(text.contains("\n  schedule: none in the checkpoint, OneCycle { max_lr: 0.1,"), "{text}");
    assert!(text.contains("\n  epochs: any in the checkpoint, 2 now"), "{text}");
    assert_eq!(fit(16, 0.2, 1, true).unwrap(), 2);
    assert_eq!(numbers(folder.path()), [3, 4], "those of the other training are gone");
}

#[test]
fn accumulated_batches_are_one_large_one() {
    let data = data(48);
    let run = |batch_size: usize, accumulate: usize| {
        let mut model = model(1);
        let trainer = Trainer::new(&mut model, Sgd { lr: 0.5, momentum: 0.9, ..Sgd::default() });
        let trainer = trainer.epochs(2).batch_size(batch_size).accumulate(accumulate).shuffle(false).quiet();
        trainer.fit(&data, &data).unwrap();
        weights(&model)
    };
    let apart = (run(12, 4) - run(48, 1)).mapv(f32::abs).fold(0.0, |a: f32, b| a.max(*b));
    assert!(apart < 1e-5, "{apart}");
    // What is left at the end of an epoch is applied too.
    let apart = (run(12, 7) - run(48, 1)).mapv(f32::abs).fold(0.0, |a: f32, b| a.max(*b));
    assert!(apart < 1e-5, "{apart}");
}

#[test]
fn a_conflict_of_what_is_remembered() {
    let (mut model, data) = (model(1), data(20));
    let mut optimizer = RmsProp { centered: true, ..RmsProp::default() }.bind(&model).unwrap();
    model.train_step(&data, &mut optimizer).unwrap();
    optimizer.config = RmsProp { momentum: 0.9, ..RmsProp::default() };
    let text = model.train_step(&data, &mut optimizer).unwrap_err().to_string();
    assert!(text.contains("`buffer` would take the place of `average`"), "{text}");
    optimizer.config = RmsProp { centered: true, momentum: 0.9, ..RmsProp::default() };
    model.train_step(&data, &mut optimizer).unwrap();
    assert_eq!(optimizer.steps(), 2);
}

/// The rise of a cycle may be one step long, and its end the last step.
#[test]
fn a_cycle_over_few_steps() {
    for pct_start in [0.0, 0.1, 0.2, 1.0] {
        let mut model = model(3);
        let cycle = OneCycle { max_lr: 0.1, pct_start, ..OneCycle::default() };
        let trainer = Trainer::new(&mut model, Sgd { lr: 0.01, momentum: 0.9, ..Sgd::default() });
        let trainer = trainer.epochs(1).batch_size(4).schedule(cycle).quiet();
        let last = trainer.fit(&data(40), &data(40)).unwrap().epochs[0];
        assert!((0.0..=0.1).contains(&last.lr) && last.valid_loss.is_finite(), "{pct_start}: {last:?}");
    }
}

/// What was gathered before a training, or by one that ended with an error, is no part of its first step.
#[test]
fn a_training_starts_without_gathered_gradients() {
    let run = |gathered: usize| {
        let mut model = model(5);
        for _ in 0..gathered {
            model.accumulate(&data(7)).unwrap();
        }
        // `accumulate` has moved the running mean, and the counter of random numbers that this network does not use.
        let trainer = Trainer::new(&mut model, Sgd { lr: 0.1, ..Sgd::default() });
        trainer.epochs(1).batch_size(8).accumulate(2).quiet().fit(&data(16), &data(16)).unwrap();
        weights(&model)
    };
    assert_eq!(run(2), run(0));
}
