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
    let fixture = Fixture::read("optimizers");
    let rows = |key: &str| Rows::<7>::from_values(fixture.get(key).values).unwrap();
    let data = Dataset::new(rows("x"), rows("t")).unwrap();
    let (losses, weights) = (fixture.get(&format!("{case}/loss")).values, rows(&format!("{case}/w")));

    let mut model = Chase::new(&Device::cpu().threads(1), 1).unwrap();
    model.set_parameter("w", ArrayView1::from(&fixture.get("w").values).into_dyn()).unwrap();
    let mut optimizer = optimizer.bind(&model).unwrap();
    for step in 0..data.len() {
        let loss = model.train_step(&data.gather(&[step]), &mut optimizer).unwrap().loss;
        close(&format!("{case}: loss of step {step}"), &[loss], &losses[step..=step]);
        let found = model.parameter("w").unwrap();
        close(&format!("{case}: weights after step {step}"), found.as_slice().unwrap(), weights.row(step));
    }
}

#[test]
fn sgd() {
    let with =
        |momentum, dampening, weight_decay, nesterov| Sgd { lr: 0.05, momentum, dampening, weight_decay, nesterov };
    check("sgd", Sgd { lr: 0.1, ..Sgd::default() });
    check("sgd_weight_decay", Sgd { lr: 0.1, weight_decay: 0.05, ..Sgd::default() });
    check("sgd_momentum", with(0.9, 0.0, 0.0, false));
    check("sgd_dampening", with(0.9, 0.3, 0.02, false));
    check("sgd_nesterov", with(0.8, 0.0, 0.02, true));
}

#[test]
fn adam() {
    check("adam", Adam { lr: 1e-2, ..Adam::default() });
    check("adam_weight_decay", Adam { lr: 1e-2, betas: (0.8, 0.95), eps: 1e-6, weight_decay: 0.1 });
}
