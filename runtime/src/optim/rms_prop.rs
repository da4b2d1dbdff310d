//! RMSprop (Tieleman and Hinton, 2012; centred after Graves, 2013): `torch.optim.RMSprop`.

use super::{Optimizer, Pass, at_least, positive_eps};
use crate::error::Result;

/// RMSprop, with PyTorch's defaults and arithmetic.
///
/// ```text
/// g = −g where maximize
/// g = g + weight_decay · p
/// s = alpha · s + (1 − alpha) · g · g
/// a = a + (1 − alpha) · (g − a),  d = √(s − a · a) + eps       where centered, else d = √s + eps
/// b = momentum · b + g / d,  p = p − lr · b                    where momentum > 0, else p = p − lr · g / d
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsProp {
    pub lr: f64,
    pub alpha: f64,
    pub eps: f64,
    pub weight_decay: f64,
    pub momentum: f64,
    /// Divides by an estimate of the gradient's deviation instead of its size.
    pub centered: bool,
    /// Climbs instead of descending.
    pub maximize: bool,
}

impl Default for RmsProp {
    fn default() -> Self {
        RmsProp { lr: 1e-2, alpha: 0.99, eps: 1e-8, weight_decay: 0.0, momentum: 0.0, centered: false, maximize: false }
    }
}

impl Optimizer for RmsProp {
    const STATES: &'static [&'static str] = &["square", "average", "buffer"];

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
        at_least("RmsProp", "lr", self.lr, 0.0)?;
        at_least("RmsProp", "alpha", self.alpha, 0.0)?;
        at_least("RmsProp", "weight_decay", self.weight_decay, 0.0)?;
        at_least("RmsProp", "momentum", self.momentum, 0.0)?;
        positive_eps("RmsProp", self.eps)
    }

    fn update(&self, pass: &mut Pass<'_>) {
        let RmsProp { lr, alpha, eps, weight_decay, momentum, centered, maximize: _ } = *self;
        let step = pass.step();
        match (centered, momentum > 0.0) {
            (false, false) => pass.run(Plain { lr, alpha, eps, weight_decay }, step),
            (false, true) => pass.run(Momentum { lr, alpha, eps, weight_decay, momentum }, step),
            (true, false) => pass.run(Centered { lr, alpha, eps, weight_decay }, step),
            (true, true) => pass.run(CenteredMomentum { lr, alpha, eps, weight_decay, momentum }, step),
        }
    }
}

// PyTorch's `lerp_` counts from the other end where its weight, 1 − alpha, is 0.5 or more.

kiln_macros::update! {
    Plain(p, g; square; lr, alpha, eps, weight_decay) {
        let d = if weight_decay == 0 { g } else { g + weight_decay * p };
        square = square * alpha + (1 - alpha) * d * d;
        p = p - lr * d / (sqrt(square) + eps);
    }
}

kiln_macros::update! {
    Momentum(p, g; square, flushed buffer; lr, alpha, eps, weight_decay, momentum) {
        let d = if weight_decay == 0 { g } else { g + weight_decay * p };
        square = square * alpha + (1 - alpha) * d * d;
        buffer = buffer * momentum + d / (sqrt(square) + eps);
        p = p - lr * buffer;
    }
}

kiln_macros::update! {
    Centered(p, g; square, flushed average; lr, alpha, eps, weight_decay) {
        let d = if weight_decay == 0 { g } else { g + weight_decay * p };
        square = square * alpha + (1 - alpha) * d * d;
        average = if alpha > 0.5 { average + (1 - alpha) * (d - average) } else { d - (d - average) * alpha };
        p = p - lr * d / (sqrt(square - average * average) + eps);
    }
}

kiln_macros::update! {
    CenteredMomentum(p, g; square, flushed average, flushed buffer; lr, alpha, eps, weight_decay, momentum) {
        let d = if weight_decay == 0 { g } else { g + weight_decay * p };
        square = square * alpha + (1 - alpha) * d * d;
        average = if alpha > 0.5 { average + (1 - alpha) * (d - average) } else { d - (d - average) * alpha };
        buffer = buffer * momentum + d / (sqrt(square - average * average) + eps);
        p = p - lr * buffer;
    }
}
