use super::mini::{Batch, Mini, data, model};
use crate::Model;
use crate::data::{Classes, Rows};
use crate::optim::{Adam, Sgd};
use crate::train::{Flow, Trainer};
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
    let message =
        "the training loss is NaN in epoch 1, step 1; help: a smaller learning rate, or look for NaN in the data";
    assert_eq!(text(8, 1, 1, &nan, &train), message);
    let message =
        "the validation loss is NaN in epoch 1, step 3; help: a smaller learning rate, or look for NaN in the data";
    assert_eq!(text(8, 1, 1, &train, &nan), message);
}
