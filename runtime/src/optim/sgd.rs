//! Stochastic gradient descent with momentum: `torch.optim.SGD`.

use super::{Optimizer, Pass, at_least};
use crate::error::{Error, Result};

/// Stochastic gradient descent, with PyTorch's defaults and arithmetic.
///
/// ```text
/// g = g + weight_decay · p
/// b = g on the first step, then momentum · b + (1 − dampening) · g       where momentum ≠ 0
/// g = g + momentum · b where nesterov, else b
/// p = p − lr · g
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    pub lr: f64,
    pub momentum: f64,
    pub dampening: f64,
    pub weight_decay: f64,
    pub nesterov: bool,
}

impl Default for Sgd {
    fn default() -> Self {
        Sgd { lr: 1e-3, momentum: 0.0, dampening: 0.0, weight_decay: 0.0, nesterov: false }
    }
}

impl Optimizer for Sgd {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn check(&self) -> Result<()> {
        at_least("Sgd", "lr", self.lr, 0.0)?;
        at_least("Sgd", "momentum", self.momentum, 0.0)?;
        at_least("Sgd", "weight_decay", self.weight_decay, 0.0)?;
        if !self.dampening.is_finite() {
            return Err(Error::option("Sgd::dampening", "a number", self.dampening));
        }
        if self.nesterov && (self.momentum == 0.0 || self.dampening != 0.0) {
            let found = format!("true with momentum {} and dampening {}", self.momentum, self.dampening);
            return Err(Error::option("Sgd::nesterov", "false unless momentum is above 0 and dampening is 0", found));
        }
        Ok(())
    }

    fn update(&self, pass: &mut Pass<'_>) {
        let Sgd { lr, momentum, dampening, weight_decay, nesterov } = *self;
        if momentum == 0.0 {
            return pass.run(Plain { lr, weight_decay });
        }
        let (nesterov, first) = (f64::from(nesterov), f64::from(pass.is_new(1)));
        pass.run(Momentum { lr, momentum, dampening, weight_decay, nesterov, first });
    }
}

kiln_macros::update! {
    Plain(p, g; ; lr, weight_decay) {
        let d = if weight_decay == 0 { g } else { g + weight_decay * p };
        p = p - lr * d;
    }
}

kiln_macros::update! {
    /// `nesterov` and `first` are 0 or 1.
    Momentum(p, g; b; lr, momentum, dampening, weight_decay, nesterov, first) {
        let d = if weight_decay == 0 { g } else { g + weight_decay * p };
        b = if first > 0 { d } else { momentum * b + (1 - dampening) * d };
        p = p - lr * if nesterov > 0 { d + momentum * b } else { b };
    }
}
