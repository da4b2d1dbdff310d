//! Optimizers against `torch.optim`'s sequences, which the loops below spell out in f64.

use super::mini::{Mini, data, model};
use crate::Model;
use crate::optim::{Adam, Bound, Optimizer, Sgd};

/// Ten steps of the model beside ten of `reference`, fed with the model's own gradients. The bias has no weight decay.
fn compare<O: Optimizer>(config: O, mut reference: impl FnMut(usize, &mut [f64], &[f64], bool, &mut [Vec<f64>; 2])) {
    let (mut model, data) = (model(3), data(24));
    let mut optimizer: Bound<O> = config.bind(&model).unwrap();
    let names = ["fc.weight", "fc.bias"];
    let read = |model: &Model<Mini>, name: &str| -> Vec<f64> {
        model.parameter(name).unwrap().iter().map(|v| f64::from(*v)).collect()
    };
    let mut expected = names.map(|name| read(&model, name));
    let mut buffers = names.map(|name| [vec![0.0; read(&model, name).len()], vec![0.0; read(&model, name).len()]]);
    for step in 1..=10 {
        let gradients = model.gradients(&data).unwrap();
        for (i, name) in names.into_iter().enumerate() {
            let gradient: Vec<f64> = gradients.get(name).unwrap().iter().map(|g| f64::from(*g)).collect();
            reference(step, &mut expected[i], &gradient, i == 0, &mut buffers[i]);
        }
        model.train_step(&data, &mut optimizer).unwrap();
        for (name, expected) in names.into_iter().zip(&expected) {
            for (found, expected) in read(&model, name).iter().zip(expected) {
                assert!(
                    (found - expected).abs() < 2e-6 * expected.abs().max(1.0),
                    "{name}, step {step}: {found} {expected}"
                );
            }
        }
    }
    assert_eq!(optimizer.steps(), 10);
}

#[test]
fn sgd() {
    let plain = Sgd { lr: 0.1, ..Sgd::default() };
    let momentum = Sgd { momentum: 0.9, ..plain };
    for config in [
        plain,
        Sgd { weight_decay: 0.1, ..plain },
        momentum,
        Sgd { dampening: 0.5, weight_decay: 0.01, ..momentum },
        Sgd { nesterov: true, weight_decay: 0.01, ..momentum },
    ] {
        compare(config, |step, p, g, decay, [buffer, _]| {
            for i in 0..p.len() {
                let mut g = g[i] + if decay { config.weight_decay * p[i] } else { 0.0 };
                if config.momentum != 0.0 {
                    let next = config.momentum * buffer[i] + (1.0 - config.dampening) * g;
                    buffer[i] = if step == 1 { g } else { next };
                    g = if config.nesterov { g + config.momentum * buffer[i] } else { buffer[i] };
                }
                p[i] -= config.lr * g;
            }
        });
    }
}

#[test]
fn adam() {
    let default = Adam::default();
    for config in [
        default,
        Adam { lr: 0.1, ..default },
        Adam { lr: 0.01, weight_decay: 0.1, ..default },
        Adam { lr: 0.01, betas: (0.3, 0.5), eps: 1e-3, ..default },
        Adam { lr: 0.01, betas: (0.0, 0.9), ..default },
    ] {
        compare(config, |step, p, g, decay, [m, v]| {
            let (beta1, beta2) = config.betas;
            for i in 0..p.len() {
                let g = g[i] + if decay { config.weight_decay * p[i] } else { 0.0 };
                m[i] = beta1 * m[i] + (1.0 - beta1) * g;
                v[i] = beta2 * v[i] + (1.0 - beta2) * g * g;
                let m_hat = m[i] / (1.0 - beta1.powi(step as i32));
                let v_hat = v[i] / (1.0 - beta2.powi(step as i32));
                p[i] -= config.lr * m_hat / (v_hat.sqrt() + config.eps);
            }
        });
    }
}

/// `torch.optim` on p = [1, -2], g = [0.5, -0.25] each step.
#[test]
fn momentum_switched_on_later_starts_with_the_gradient() {
    let (mut model, data) = (model(3), data(24));
    let mut optimizer = Sgd { lr: 0.1, ..Sgd::default() }.bind(&model).unwrap();
    model.train_step(&data, &mut optimizer).unwrap();
    optimizer.config.momentum = 0.9;
    let (before, gradients) = (model.parameter("fc.bias").unwrap(), model.gradients(&data).unwrap());
    model.train_step(&data, &mut optimizer).unwrap();
    assert_eq!(model.parameter("fc.bias").unwrap(), before - 0.1 * gradients.get("fc.bias").unwrap());
}

#[test]
fn options_out_of_range_are_errors() {
    let model = model(1);
    let sgd = |config: Sgd| config.bind(&model).err().unwrap().to_string();
    let adam = |config: Adam| config.bind(&model).err().unwrap().to_string();
    assert_eq!(sgd(Sgd { lr: -1.0, ..Sgd::default() }), "Sgd::lr must be a number, at least 0, but it is -1");
    assert_eq!(sgd(Sgd { lr: f64::NAN, ..Sgd::default() }), "Sgd::lr must be a number, at least 0, but it is NaN");
    assert!(sgd(Sgd { nesterov: true, ..Sgd::default() }).starts_with("Sgd::nesterov must be false unless momentum"));
    assert_eq!(adam(Adam { betas: (0.9, 1.0), ..Adam::default() }), "Adam::betas.1 must be in 0..1, but it is 1");
    assert_eq!(adam(Adam { eps: 0.0, ..Adam::default() }), "Adam::eps must be a number above 0, but it is 0");
}
