//! NAdam (Dozat, 2016), Adam with Nesterov's momentum: `torch.optim.NAdam`.

use super::{Optimizer, Pass, at_least, below_one, positive_eps};
use crate::error::Result;

/// NAdam, with PyTorch's defaults and arithmetic.
///
/// ```text
/// g = −g where maximize
/// p = p · (1 − lr · weight_decay) where decoupled_weight_decay, else g = g + weight_decay · p
/// μ(t) = β₁ · (1 − 0.96^(t · momentum_decay) / 2),  M = μ(1) · … · μ(t)
/// m = m + (1 − β₁) · (g − m)
/// v = β₂ · v + (1 − β₂) · g · g
/// d = √(v / (1 − β₂ᵗ)) + eps
/// p = p − lr · (1 − μ(t)) / (1 − M) · g / d − lr · μ(t + 1) / (1 − M · μ(t + 1)) · m / d
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NAdam {
    pub lr: f64,
    pub betas: (f64, f64),
    pub eps: f64,
    pub weight_decay: f64,
    pub momentum_decay: f64,
    /// Decays the weights themselves, as [`AdamW`](super::AdamW) does.
    pub decoupled_weight_decay: bool,
    /// Climbs instead of descending.
    pub maximize: bool,
}

impl Default for NAdam {
    fn default() -> Self {
        NAdam {
            lr: 2e-3,
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay: 0.0,
            momentum_decay: 4e-3,
            decoupled_weight_decay: false,
            maximize: false,
        }
    }
}

impl NAdam {
    fn mu(&self, step: u64) -> f64 {
        self.betas.0 * (1.0 - 0.5 * 0.96f64.powf(step as f64 * self.momentum_decay))
    }
}

impl Optimizer for NAdam {
    const STATES: &'static [&'static str] = &["m", "v"];

    fn lr(&self) -> f64 {
        self.lr
    }

    fn set_lr(&mut self, lr: f64) {
        self.lr = lr;
    }

    fn momentum(&self) -> Option<f64> {
        Some(self.betas.0)
    }

    fn set_momentum(&mut self, momentum: f64) {
        self.betas.0 = momentum;
    }

    fn maximize(&self) -> bool {
        self.maximize
    }

    fn check(&self) -> Result<()> {
        at_least("NAdam", "lr", self.lr, 0.0)?;
        at_least("NAdam", "weight_decay", self.weight_decay, 0.0)?;
        at_least("NAdam", "momentum_decay", self.momentum_decay, 0.0)?;
        positive_eps("NAdam", self.eps)?;
        below_one("NAdam", "betas.0", self.betas.0)?;
        below_one("NAdam", "betas.1", self.betas.1)
    }

    fn update(&self, pass: &mut Pass<'_>) {
        let NAdam { lr, betas: (beta1, beta2), eps, weight_decay, .. } = *self;
        let step = pass.step();
        let (mu, next) = (self.mu(step), self.mu(step + 1));
        let product = pass.remembered() * mu;
        pass.remember(product);
        let decoupled = f64::from(self.decoupled_weight_decay);
        pass.run(Rule { lr, beta1, beta2, eps, weight_decay, decoupled, mu, next, product }, step);
    }
}

kiln_macros::update! {
    /// PyTorch's `lerp_` counts from the other end where its weight, 1 − β₁, is 0.5 or more.
    Rule(p, g; flushed m, v; lr, beta1, beta2, eps, weight_decay, decoupled, mu, next, product) {
        p = if decoupled == 1 { p * (1 - lr * weight_decay) } else { p };
        let d = if decoupled == 1 || weight_decay == 0 { g } else { g + weight_decay * p };
        m = if beta1 > 0.5 { m + (1 - beta1) * (d - m) } else { d - (d - m) * beta1 };
        v = v * beta2 + (1 - beta2) * d * d;
        let scale = sqrt(v * (1 / (1 - pow(beta2, step)))) + eps;
        p = p - (lr * (1 - mu) / (1 - product) * d + lr * next / (1 - product * next) * m) / scale;
    }
}
