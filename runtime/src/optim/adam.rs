//! Adam (Kingma and Ba, 2014): `torch.optim.Adam`.

use super::sgd::decayed;
use super::{Optimizer, Pass, UpdateRule, at_least};
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
        let t = pass.step() as f64;
        let (beta1, beta2) = self.betas;
        pass.run(Rule {
            weight_decay: self.weight_decay as f32,
            one_minus_beta1: (1.0 - beta1) as f32,
            beta1_small: beta1 <= 0.5,
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            one_minus_beta2: (1.0 - beta2) as f32,
            step_size: (self.lr / (1.0 - beta1.powf(t))) as f32,
            root: (1.0 - beta2.powf(t)).sqrt() as f32,
            eps: self.eps as f32,
        });
    }
}

#[derive(Clone, Copy)]
struct Rule {
    weight_decay: f32,
    one_minus_beta1: f32,
    /// `lerp` counts from the other end where its weight is 0.5 or more.
    beta1_small: bool,
    beta1: f32,
    beta2: f32,
    one_minus_beta2: f32,
    step_size: f32,
    root: f32,
    eps: f32,
}

impl UpdateRule for Rule {
    const BUFFERS: usize = 2;

    fn without_decay(self) -> Self {
        Rule { weight_decay: 0.0, ..self }
    }

    #[inline(always)]
    fn at(&self, p: f32, g: f32, [m, v]: &mut [f32; 2]) -> f32 {
        let g = decayed(p, g, self.weight_decay);
        *m = if self.beta1_small { g - (g - *m) * self.beta1 } else { *m + self.one_minus_beta1 * (g - *m) };
        *v = *v * self.beta2 + self.one_minus_beta2 * g * g;
        p - self.step_size * *m / (v.sqrt() / self.root + self.eps)
    }
}
