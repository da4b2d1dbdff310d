//! Adam (Kingma and Ba, 2014): `torch.optim.Adam`.

use super::{Optimizer, Pass, at_least};
use crate::error::{Error, Result};

/// Adam, with PyTorch's defaults and arithmetic.
///
/// ```text
/// g = g + weight_decay · p
/// m = m + (1 − β₁) · (g − m)
/// v = β₂ · v + (1 − β₂) · g · g
/// p = p − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + eps)
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    pub lr: f64,
    pub betas: (f64, f64),
    pub eps: f64,
    /// Added to the gradient; AdamW's decay of the weights themselves is another optimizer.
    pub weight_decay: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Adam { lr: 1e-3, betas: (0.9, 0.999), eps: 1e-8, weight_decay: 0.0 }
    }
}

impl Optimizer for Adam {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn check(&self) -> Result<()> {
        at_least("Adam", "lr", self.lr, 0.0)?;
        at_least("Adam", "weight_decay", self.weight_decay, 0.0)?;
        // 0 would turn an element that never had a gradient, and all padding, into 0 / 0.
        if !(self.eps.is_finite() && self.eps as f32 > 0.0) {
            return Err(Error::option("Adam::eps", "a number above 0", self.eps));
        }
        for (name, beta) in [("betas.0", self.betas.0), ("betas.1", self.betas.1)] {
            if !(0.0..1.0).contains(&beta) {
                return Err(Error::option(format!("Adam::{name}"), "in 0..1", beta));
            }
        }
        Ok(())
    }

    fn update(&self, pass: &mut Pass<'_>) {
        let Adam { lr, betas: (beta1, beta2), eps, weight_decay } = *self;
        pass.run(Rule { lr, beta1, beta2, eps, weight_decay }, pass.step());
    }
}

kiln_macros::update! {
    /// PyTorch's `lerp_` counts from the other end where its weight, 1 − β₁, is 0.5 or more.
    Rule(p, g; m, v; lr, beta1, beta2, eps, weight_decay) {
        let d = if weight_decay == 0 { g } else { g + weight_decay * p };
        m = if beta1 > 0.5 { m + (1 - beta1) * (d - m) } else { d - (d - m) * beta1 };
        v = v * beta2 + (1 - beta2) * d * d;
        p = p - lr / (1 - pow(beta1, step)) * m / (sqrt(v) / sqrt(1 - pow(beta2, step)) + eps);
    }
}
