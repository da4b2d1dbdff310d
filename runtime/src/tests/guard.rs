//! What `Trainer` does about numbers that are not finite, on networks without an emitter.

use super::fake::Fake;
use super::mini::{Batch, Mini, data, model};
use crate::data::Rows;
use crate::optim::schedule::OneCycle;
use crate::optim::{Adam, Groups, Optimizer, Sgd};
use crate::train::{NonFinite, NotFinite, Place, Report, Trainer};
use crate::{Device, Error, Model, Network};

/// Of 20 samples, number 13 has this at its third place.
fn spoilt(value: f32) -> Batch {
    let good = data(20);
    let mut values: Vec<f32> = good.inputs().view().iter().copied().collect();
    values[13 * 4 + 2] = value;
    Batch::new(Rows::from_vec(values).unwrap(), good.targets().clone()).unwrap()
}

fn bits(model: &Model<Mini>) -> Vec<u32> {
    model.parameters().flat_map(|p| model.parameter(p.name).unwrap()).map(f32::to_bits).collect()
}

fn devices() -> [Device; 2] {
    [Device::cpu().threads(2), Device::Other(Fake::leak())]
}

fn not_finite(result: Result<Report, Error>) -> NotFinite {
    match result.unwrap_err() {
        Error::NotFinite(found) => *found,
        other => panic!("{other}"),
    }
}

#[test]
fn a_bad_sample_is_named_and_the_step_before_it_left() {
    for device in devices() {
        let mut model = Mini::new(&device, 1).unwrap();
        let trainer = Trainer::new(&mut model, Adam::default()).epochs(3).batch_size(4).shuffle(false).quiet();
        let found = not_finite(trainer.fit(&spoilt(f32::NAN), &data(20)));
        assert_eq!(found.place, Place::Data { port: "x" });
        assert_eq!((found.epoch, found.step, found.row, found.sample), (1, 4, Some(1), Some(13)));
        assert_eq!((found.position, found.network), (vec![2], "Mini"));
        // Three steps were good.
        let mut by_hand = Mini::new(&device, 1).unwrap();
        let mut adam = Adam::default().bind(&by_hand).unwrap();
        for rows in (0..12).collect::<Vec<_>>().chunks(4) {
            by_hand.train_step(&data(20).gather(rows), &mut adam).unwrap();
        }
        assert_eq!(bits(&model), bits(&by_hand), "{device:?}");
    }
}

#[test]
fn a_bad_sample_is_found_in_any_order_and_behind_any_settings() {
    for accumulate in [1, 3] {
        let mut model = model(1);
        let cycle = OneCycle { max_lr: 0.1, ..OneCycle::default() };
        let trainer = Trainer::new(&mut model, Adam::default()).epochs(2).batch_size(3).accumulate(accumulate);
        let trainer = trainer.groups(Groups::new().lr("fc.bias", 0.5)).clip_norm(0.5).schedule(cycle).quiet();
        let found = not_finite(trainer.fit(&spoilt(f32::INFINITY), &data(20)));
        assert_eq!((found.place, found.sample), (Place::Data { port: "x" }, Some(13)));
    }
}

#[test]
fn the_kernel_is_named() {
    // Weights that are finite, and a sum that is not: 2 · 3 · 10³⁸ is beyond single precision.
    let mut model = model(1);
    let huge = ndarray::ArrayD::from_elem(vec![3, 4], 3e38f32);
    model.set_parameter("fc.weight", huge.view()).unwrap();
    let mut values = vec![0.25; 80];
    values[13 * 4 + 2] = 2.0;
    let train = Batch::new(Rows::from_vec(values).unwrap(), data(20).targets().clone()).unwrap();
    let trainer = Trainer::new(&mut model, Sgd { lr: 0.0, ..Sgd::default() }).batch_size(4).shuffle(false).quiet();
    let found = not_finite(trainer.fit(&train, &train));
    assert_eq!((found.step, found.row, found.sample, &found.position[..]), (4, Some(1), Some(13), &[0][..]));
    let text = found.to_string();
    let expected = "Mini, epoch 1, step 4 (loss NaN): the first number that is not finite is inf at [0] of contract in `fc`, \
        stored by kernel k0_fc (fc: contract), row 1 of the batch, sample 13 of the training data; help: a smaller learning \
        rate, `clip_norm`, or a formula that stays in range";
    assert_eq!(text, expected);
}

#[test]
fn an_update_that_overflows_is_told_from_a_gradient_that_does() {
    let mut model = model(1);
    let trainer = Trainer::new(&mut model, Sgd { lr: 1e38, momentum: 0.9, ..Sgd::default() });
    let train = data(20);
    let found = not_finite(trainer.batch_size(20).epochs(50).quiet().fit(&train, &train));
    // The first update leaves weights of 10³⁷, which give finite scores; the loss of these is large, and the second update's
    // sum is what does not fit, or a score.
    assert!(matches!(found.place, Place::Update { .. } | Place::Kernel { .. }), "{found}");
    assert!(found.epoch > 1, "{found}");
    let finite = |model: &Model<Mini>| bits(model).iter().all(|b| f32::from_bits(*b).is_finite());
    assert!(finite(&model));
}

#[test]
fn weights_that_are_bad_from_the_start_are_not_blamed_on_training() {
    for device in devices() {
        let mut model = Mini::new(&device, 1).unwrap();
        let mut weight = model.parameter("fc.weight").unwrap();
        weight[[2, 1]] = f32::NAN;
        model.set_parameter("fc.weight", weight.view()).unwrap();
        let text = Trainer::new(&mut model, Sgd::default()).quiet().fit(&data(20), &data(20)).unwrap_err().to_string();
        assert_eq!(text, "`fc.weight` of Mini is NaN at [2, 1] before the first step; help: `load` or a new model");
    }
}

#[test]
fn skipped_steps_leave_everything_as_it_was() {
    for (device, accumulate) in devices().into_iter().flat_map(|device| [(device, 1), (device, 2)]) {
        let train = spoilt(f32::NAN);
        let mut skipping = Mini::new(&device, 1).unwrap();
        let adam = Adam { lr: 0.05, ..Adam::default() };
        let trainer = Trainer::new(&mut skipping, adam).epochs(1).batch_size(4).shuffle(false).quiet();
        let report = trainer.accumulate(accumulate).on_non_finite(NonFinite::Skip).fit(&train, &data(20)).unwrap();
        assert_eq!(report.skipped, 1, "{device:?}");
        assert!(report.epochs[0].train_loss.is_finite());
        // By hand, without the batches that are left out: of four samples, or of twice as many in two parts.
        let mut by_hand = Mini::new(&device, 1).unwrap();
        let mut optimizer = adam.bind(&by_hand).unwrap();
        for (step, rows) in (0..20).collect::<Vec<_>>().chunks(4 * accumulate).enumerate() {
            let bad = rows.contains(&13);
            for rows in rows.chunks(4) {
                if !bad {
                    by_hand.accumulate(&train.gather(rows)).unwrap();
                }
            }
            if !bad {
                by_hand.apply(&mut optimizer).unwrap();
            }
            assert!(step < 5);
        }
        // Weights and running statistics, and through further steps what Adam remembers.
        assert_eq!(bits(&skipping), bits(&by_hand), "{device:?}, {accumulate}");
    }
}

#[test]
fn skipping_changes_nothing_where_all_is_well() {
    let run = |policy: NonFinite| {
        let mut model = model(1);
        let trainer = Trainer::new(&mut model, Adam { lr: 0.05, ..Adam::default() }).epochs(3).batch_size(7).quiet();
        let report = trainer.on_non_finite(policy).fit(&data(50), &data(20)).unwrap();
        (bits(&model), report.epochs.iter().map(|e| e.train_loss.to_bits()).collect::<Vec<_>>(), report.skipped)
    };
    assert_eq!(run(NonFinite::Skip), run(NonFinite::Stop));
}

#[test]
fn an_epoch_of_skipped_steps_is_an_error() {
    let nan = Batch::new(Rows::from_vec(vec![f32::NAN; 80]).unwrap(), data(20).targets().clone()).unwrap();
    let mut model = model(1);
    let trainer = Trainer::new(&mut model, Sgd::default()).batch_size(8).on_non_finite(NonFinite::Skip).quiet();
    let text = trainer.fit(&nan, &data(20)).unwrap_err().to_string();
    assert_eq!(text, "all 3 steps of epoch 1 were skipped, for a loss or gradient in each of them was not finite");
}
