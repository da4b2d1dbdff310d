//! Adagrad (Duchi, Hazan and Singer, 2011): `torch.optim.Adagrad`.

use super::{Optimizer, Pass, at_least, positive_eps};
use crate::error::Result;

/// Adagrad, with PyTorch's defaults and arithmetic.
///
/// ```text
/// g = −g where maximize
/// g = g + weight_decay · p
/// s = s + g · g                                         from initial_accumulator_value on
/// p = p − lr / (1 + (t − 1) · lr_decay) · g / (√s + eps)
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adagrad {
    pub lr: f64,
    pub lr_decay: f64,
    pub weight_decay: f64,
    pub initial_accumulator_value: f64,
    pub eps: f64,
    /// Climbs instead of descending.
    pub maximize: bool,
}

impl Default for Adagrad {
    fn default() -> Self {
        Adagrad {
            lr: 1e-2,
            lr_decay: 0.0,
            weight_decay: 0.0,
            initial_accumulator_value: 0.0,
            eps: 1e-10,
            maximize: false,
        }
    }
}

impl Optimizer for Adagrad {
    const STATES: &'static [&'static str] = &["sum"];

    fn lr(&self) -> f64 {
        self.lr
    }

    fn set_lr(&mut self, lr: f64) {
        self.lr = lr;
    }

    fn maximize(&self) -> bool {
        self.maximize
    }

    fn check(&self) -> Result<()> {
        at_least("Adagrad", "lr", self.lr, 0.0)?;
        at_least("Adagrad", "lr_decay", self.lr_decay, 0.0)?;
        at_least("Adagrad", "weight_decay", self.weight_decay, 0.0)?;
        at_least("Adagrad", "initial_accumulator_value", self.initial_accumulator_value, 0.0)?;
        positive_eps("Adagrad", self.eps)
    }

    fn update(&self, pass: &mut Pass<'_>) {
        let Adagrad { lr, lr_decay, weight_decay, initial_accumulator_value: initial, eps, maximize: _ } = *self;
        pass.run(Rule { lr, lr_decay, weight_decay, initial, eps }, pass.step());
    }
}

kiln_macros::update! {
    Rule(p, g; sum; lr, lr_decay, weight_decay, initial, eps) {
        let d = if weight_decay == 0 { g } else { g + weight_decay * p };
        sum = if step == 1 { initial + d * d } else { sum + d * d };
        p = p - lr / (1 + (step - 1) * lr_decay) * d / (sqrt(sum) + eps);
    }
}
