//! Adam (Kingma and Ba, 2014) and AdamW (Loshchilov and Hutter, 2017), with AMSGrad (Reddi, Kale and Kumar, 2018):
//! `torch.optim.Adam` and `torch.optim.AdamW`.

use super::{Optimizer, Pass, at_least, below_one, positive_eps};
use crate::error::Result;

/// Adam, with PyTorch's defaults and arithmetic.
///
/// ```text
/// g = −g where maximize
/// g = g + weight_decay · p
/// m = m + (1 − β₁) · (g − m)
/// v = β₂ · v + (1 − β₂) · g · g
/// n = max(n, v) where amsgrad, else v
/// p = p − lr / (1 − β₁ᵗ) · m / (√n / √(1 − β₂ᵗ) + eps)
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    pub lr: f64,
    pub betas: (f64, f64),
    pub eps: f64,
    /// Added to the gradient; [`AdamW`] decays the weights themselves.
    pub weight_decay: f64,
    /// Divides by the largest second moment so far.
    pub amsgrad: bool,
    /// Climbs instead of descending.
    pub maximize: bool,
}

/// AdamW, with PyTorch's defaults and arithmetic: [`Adam`] whose weight decay is `p = p · (1 − lr · weight_decay)` before the
/// step, and does not go through the gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    pub lr: f64,
    pub betas: (f64, f64),
    pub eps: f64,
    pub weight_decay: f64,
    /// Divides by the largest second moment so far.
    pub amsgrad: bool,
    /// Climbs instead of descending.
    pub maximize: bool,
}

impl Default for Adam {
    fn default() -> Self {
        Adam { lr: 1e-3, betas: (0.9, 0.999), eps: 1e-8, weight_decay: 0.0, amsgrad: false, maximize: false }
    }
}

impl Default for AdamW {
    fn default() -> Self {
        AdamW { lr: 1e-3, betas: (0.9, 0.999), eps: 1e-8, weight_decay: 1e-2, amsgrad: false, maximize: false }
    }
}

macro_rules! adam {
    ($Name:ident, $decoupled:literal) => {
        impl Optimizer for $Name {
            const STATES: &'static [&'static str] = &["m", "v", "largest"];

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
                const NAME: &str = stringify!($Name);
                at_least(NAME, "lr", self.lr, 0.0)?;
                at_least(NAME, "weight_decay", self.weight_decay, 0.0)?;
                positive_eps(NAME, self.eps)?;
                below_one(NAME, "betas.0", self.betas.0)?;
                below_one(NAME, "betas.1", self.betas.1)
            }

            fn update(&self, pass: &mut Pass<'_>) {
                let $Name { lr, betas: (beta1, beta2), eps, weight_decay, amsgrad, maximize: _ } = *self;
                let decoupled = $decoupled;
                if amsgrad {
                    pass.run(Amsgrad { lr, beta1, beta2, eps, weight_decay, decoupled }, pass.step());
                } else {
                    pass.run(Rule { lr, beta1, beta2, eps, weight_decay, decoupled }, pass.step());
                }
            }
        }
    };
}

adam!(Adam, 0.0);
adam!(AdamW, 1.0);

kiln_macros::update! {
    /// PyTorch's `lerp_` counts from the other end where its weight, 1 − β₁, is 0.5 or more.
    Rule(p, g; flushed m, v; lr, beta1, beta2, eps, weight_decay, decoupled) {
        p = if decoupled == 1 { p * (1 - lr * weight_decay) } else { p };
        let d = if decoupled == 1 || weight_decay == 0 { g } else { g + weight_decay * p };
        m = if beta1 > 0.5 { m + (1 - beta1) * (d - m) } else { d - (d - m) * beta1 };
        v = v * beta2 + (1 - beta2) * d * d;
        p = p - lr / (1 - pow(beta1, step)) * m / (sqrt(v) * (1 / sqrt(1 - pow(beta2, step))) + eps);
    }
}

kiln_macros::update! {
    /// As `Rule`, over the largest second moment so far.
    Amsgrad(p, g; flushed m, v, largest; lr, beta1, beta2, eps, weight_decay, decoupled) {
        p = if decoupled == 1 { p * (1 - lr * weight_decay) } else { p };
        let d = if decoupled == 1 || weight_decay == 0 { g } else { g + weight_decay * p };
        m = if beta1 > 0.5 { m + (1 - beta1) * (d - m) } else { d - (d - m) * beta1 };
        v = v * beta2 + (1 - beta2) * d * d;
        largest = max(largest, v);
        p = p - lr / (1 - pow(beta1, step)) * m / (sqrt(largest) * (1 / sqrt(1 - pow(beta2, step))) + eps);
    }
}

#[cfg(test)]
mod tests {
    use super::Rule;
    use crate::device::cpu::{BLOCK, Portable, Simd};
    use crate::optim::UpdateRule;

    /// Of a weight whose gradient is zero from some step on.
    #[test]
    fn a_first_moment_goes_to_zero_and_is_never_subnormal() {
        let (lr, beta1, beta2, eps, weight_decay, decoupled) = (1e-3, 0.9, 0.999, 1e-8, 0.0, 0.0);
        let rule = Rule { lr, beta1, beta2, eps, weight_decay, decoupled };
        // SAFETY: every machine has this level.
        let s = unsafe { Portable::new() };
        let (mut p, mut states) = (s.splat(0.5), [s.splat(1e-3), s.splat(1e-6)]);
        let mut steps = 0;
        let last = loop {
            steps += 1;
            p = Rule::at(s, &rule.uniforms(steps), p, s.splat(0.0), &mut states);
            let mut m = [0.0; BLOCK];
            // SAFETY: room for a vector.
            unsafe { s.store(m.as_mut_ptr(), states[0]) }
            assert!(!m[0].is_subnormal(), "{} in step {steps}", m[0]);
            if m[0] == 0.0 || steps == 2000 {
                break m[0];
            }
        };
        assert_eq!(last, 0.0);
        // 1e-3 · 0.9ⁿ is the least normal number after so many.
        assert!((740..780).contains(&steps), "{steps}");
    }
}
