//! Stochastic gradient descent with momentum: `torch.optim.SGD`.

use super::{Optimizer, Pass, at_least};
use crate::error::{Error, Result};

/// Stochastic gradient descent, with PyTorch's defaults and arithmetic. With momentum it is Polyak's (1964) heavy ball as
/// Sutskever, Martens, Dahl and Hinton (2013) write it, `nesterov` their form of Nesterov's method.
///
/// ```text
/// g = −g where maximize
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
    /// Climbs instead of descending.
    pub maximize: bool,
}

impl Default for Sgd {
    fn default() -> Self {
        Sgd { lr: 1e-3, momentum: 0.0, dampening: 0.0, weight_decay: 0.0, nesterov: false, maximize: false }
    }
}

impl Optimizer for Sgd {
    const STATES: &'static [&'static str] = &["buffer"];

    fn lr(&self) -> f64 {
        self.lr
    }

    fn set_lr(&mut self, lr: f64) {
        self.lr = lr;
    }

    fn momentum(&self) -> Option<f64> {
        Some(self.momentum)
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.momentum = momentum;
    }

    fn maximize(&self) -> bool {
        self.maximize
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
        let Sgd { lr, momentum, dampening, weight_decay, nesterov, maximize: _ } = *self;
        let nesterov = f64::from(nesterov);
        if momentum == 0.0 {
            return pass.run(Plain { lr, weight_decay }, pass.step());
        }
        // Momentum may be switched on later than on the first step; then its buffer starts there.
        let first = pass.first_use(1);
        let step = if first { 1 } else { 2 };
        pass.run(Momentum { lr, weight_decay, momentum, dampening, nesterov }, step);
    }
}

kiln_macros::update! {
    /// Without momentum.
    Plain(p, g; ; lr, weight_decay) {
        let d = if weight_decay == 0 { g } else { g + weight_decay * p };
        p = p - lr * d;
    }
}

kiln_macros::update! {
    /// `step` is 1 where the buffer is new.
    Momentum(p, g; flushed buffer; lr, weight_decay, momentum, dampening, nesterov) {
        let d = if weight_decay == 0 { g } else { g + weight_decay * p };
        buffer = if step == 1 { d } else { buffer * momentum + (1 - dampening) * d };
        let d = if nesterov == 1 { d + momentum * buffer } else { buffer };
        p = p - lr * d;
    }
}
