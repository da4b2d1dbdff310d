//! Each optimizer over twelve steps, with and without its options.

use kiln::data::Dense;
use kiln::optim::Optimizer;
use kiln::prelude::*;
use ndarray::ArrayView1;

use super::fixture::{Fixture, close};

network! {
    /// Weights that chase a moving target: every element has its own gradient.
    pub Chase {
        input x: [7];
        target t: [7];
        param w: [7] = Zeros;
        Add(x, w);
        loss: HalfSquare(_, t);
    }
}

fn check<O: Optimizer>(case: &str, optimizer: O) {
    check_bound(case, optimizer, Ok);
}

fn check_bound<O: Optimizer>(case: &str, optimizer: O, with: impl FnOnce(Bound<O>) -> Result<Bound<O>, Error>) {
    let fixture = Fixture::read("optimizers");
    let rows = |key: &str| Rows::<7>::from_values(fixture.get(key).values).unwrap();
    let data = Dataset::new(rows("x"), rows("t")).unwrap();
    let (losses, weights) = (fixture.get(&format!("{case}/loss")).values, rows(&format!("{case}/w")));

    let mut model = Chase::new(&Device::cpu().threads(1), 1).unwrap();
    model.set_parameter("w", ArrayView1::from(&fixture.get("w").values).into_dyn()).unwrap();
    let mut optimizer = with(optimizer.bind(&model).unwrap()).unwrap();
    for step in 0..data.len() {
        let loss = model.train_step(&data.gather(&[step]), &mut optimizer).unwrap().loss;
        close(&format!("{case}: loss of step {step}"), &[loss], &losses[step..=step]);
        let found = model.parameter("w").unwrap();
        close(&format!("{case}: weights after step {step}"), found.as_slice().unwrap(), weights.row(step));
    }
}

/// Every case of the fixture has its test: the names in this file are those of the metadata.
#[test]
fn all_cases_are_here() {
    let text = include_str!("optimizers.rs");
    for case in Fixture::read("optimizers").after("").iter().filter_map(|key| key.strip_suffix("/loss")) {
        assert!(text.contains(&format!("(\"{case}\", ")), "{case}");
    }
}

#[test]
fn sgd() {
    let with = |momentum, dampening, weight_decay, nesterov| {
        let plain = Sgd { lr: 0.05, ..Sgd::default() };
        Sgd { momentum, dampening, weight_decay, nesterov, ..plain }
    };
    check("sgd", Sgd { lr: 0.1, ..Sgd::default() });
    check("sgd_weight_decay", Sgd { lr: 0.1, weight_decay: 0.05, ..Sgd::default() });
    check("sgd_momentum", with(0.9, 0.0, 0.0, false));
    check("sgd_dampening", with(0.9, 0.3, 0.02, false));
    check("sgd_nesterov", with(0.8, 0.0, 0.02, true));
    check("sgd_maximize", Sgd { lr: 0.01, maximize: true, ..with(0.9, 0.0, 0.02, false) });
}

#[test]
fn adam() {
    check("adam", Adam { lr: 1e-2, ..Adam::default() });
    let options = Adam { lr: 1e-2, weight_decay: 0.1, ..Adam::default() };
    check("adam_weight_decay", Adam { betas: (0.8, 0.95), eps: 1e-6, ..options });
    check("adam_amsgrad", Adam { lr: 5e-2, betas: (0.7, 0.5), amsgrad: true, ..Adam::default() });
    check("adam_maximize", Adam { amsgrad: true, maximize: true, ..options });
}

#[test]
fn adamw() {
    let default = AdamW { lr: 1e-2, ..AdamW::default() };
    check("adamw", AdamW { weight_decay: 0.1, ..default });
    check("adamw_amsgrad", AdamW { lr: 5e-2, betas: (0.7, 0.5), eps: 1e-6, amsgrad: true, ..default });
    check("adamw_maximize", AdamW { maximize: true, ..default });
}

#[test]
fn nadam() {
    let default = NAdam { lr: 1e-2, ..NAdam::default() };
    let decay = NAdam { weight_decay: 0.1, ..default };
    check("nadam", default);
    check("nadam_weight_decay", NAdam { betas: (0.8, 0.95), momentum_decay: 0.05, ..decay });
    check("nadam_decoupled", NAdam { eps: 1e-6, decoupled_weight_decay: true, maximize: true, ..decay });
}

#[test]
fn rms_prop() {
    let default = RmsProp { lr: 1e-2, ..RmsProp::default() };
    let all = RmsProp { alpha: 0.9, eps: 1e-3, weight_decay: 0.05, momentum: 0.8, centered: true, ..default };
    check("rmsprop", RmsProp { momentum: 0.5, weight_decay: 0.01, ..default });
    check("rmsprop_centered", RmsProp { centered: true, ..default });
    check("rmsprop_all", RmsProp { maximize: true, ..all });
    check("rmsprop_alpha", RmsProp { alpha: 0.4, eps: 1e-2, centered: true, ..default });
}

#[test]
fn adagrad() {
    let default = Adagrad { lr: 0.1, ..Adagrad::default() };
    check("adagrad", Adagrad { lr_decay: 0.01, weight_decay: 0.01, ..default });
    check("adagrad_initial", Adagrad { initial_accumulator_value: 0.5, eps: 1e-3, maximize: true, ..default });
}

#[test]
fn clipping() {
    let momentum = Sgd { lr: 0.1, momentum: 0.9, ..Sgd::default() };
    check_bound("clip_norm", momentum, |optimizer| optimizer.clip_norm(1.0));
    check_bound("clip_value", momentum, |optimizer| optimizer.clip_value(0.3));
}
