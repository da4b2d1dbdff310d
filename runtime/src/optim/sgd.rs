//! Stochastic gradient descent with momentum: `torch.optim.SGD`.

use super::{Optimizer, Pass, UpdateRule, at_least};
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
        let (lr, weight_decay) = (self.lr as f32, self.weight_decay as f32);
        if self.momentum == 0.0 {
            return pass.run(Plain { lr, weight_decay });
        }
        pass.run(Momentum {
            lr,
            weight_decay,
            momentum: self.momentum as f32,
            keep: (1.0 - self.dampening) as f32,
            first: pass.is_new(1),
            nesterov: self.nesterov,
        });
    }
}

#[derive(Clone, Copy)]
struct Plain {
    lr: f32,
    weight_decay: f32,
}

impl UpdateRule for Plain {
    const BUFFERS: usize = 0;

    fn without_decay(self) -> Self {
        Plain { weight_decay: 0.0, ..self }
    }

    #[inline(always)]
    fn at(&self, p: f32, g: f32, _: &mut [f32; 2]) -> f32 {
        let g = decayed(p, g, self.weight_decay);
        p - self.lr * g
    }
}

#[derive(Clone, Copy)]
struct Momentum {
    lr: f32,
    weight_decay: f32,
    momentum: f32,
    keep: f32,
    first: bool,
    nesterov: bool,
}

impl UpdateRule for Momentum {
    const BUFFERS: usize = 1;

    fn without_decay(self) -> Self {
        Momentum { weight_decay: 0.0, ..self }
    }

    #[inline(always)]
    fn at(&self, p: f32, g: f32, [b, _]: &mut [f32; 2]) -> f32 {
        let g = decayed(p, g, self.weight_decay);
        *b = if self.first { g } else { *b * self.momentum + self.keep * g };
        let g = if self.nesterov { g + self.momentum * *b } else { *b };
        p - self.lr * g
    }
}

/// The gradient with weight decay as part of it.
#[inline(always)]
pub(super) fn decayed(p: f32, g: f32, weight_decay: f32) -> f32 {
    if weight_decay == 0.0 { g } else { g + weight_decay * p }
}
