//! Optimizers: plain structs with PyTorch's names, defaults and order of arithmetic (`torch.optim`'s single-tensor path).
//!
//! A configuration is bound to a model, which gives it state: [`Optimizer::bind`]. The configuration stays public in
//! [`Bound::config`], and what is written there takes effect on the next step. [`Groups`] give parameters settings of
//! their own by name; a bound optimizer clips gradients by their norm or their value.
//! A [`schedule`] changes the learning rate during training.
//!
//! An update is element-wise, so it is one pass over the flat arena of trainable parameters, whose padding is zero and
//! stays zero.
//!
//! Momenta and other running means of gradients are zero where they would be subnormal, below 1.2 · 10⁻³⁸, as after
//! `torch.set_flush_denormal(True)`: those of a weight whose gradient has become zero would stay there, and slow every step.

mod adagrad;
mod adam;
mod bound;
mod clip;
mod groups;
mod nadam;
mod pass;
mod rms_prop;
pub mod schedule;
mod sgd;
mod table;

pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub use bound::Bound;
pub use groups::Groups;
pub use nadam::NAdam;
#[doc(hidden)]
pub use pass::{Pass, UpdateRule};
pub use rms_prop::RmsProp;
pub use schedule::{Schedule, Scheduled};
pub use sgd::Sgd;

use crate::error::{Error, Result};
use crate::model::Model;
use crate::network::Network;
pub(crate) use bound::{BoundState, Kept, Recorded, Update};
pub(crate) use clip::Clip;
#[cfg(test)]
pub(crate) use clip::coefficient;
pub(crate) use groups::matches;
pub(crate) use pass::{MOST_STATES, Prepared, Rule};
use std::fmt::Debug;
#[cfg(test)]
pub(crate) use table::{FROZEN, LIMIT, SCALE};
pub(crate) use table::{ROW, Rows, Span};

/// How gradients change parameters.
pub trait Optimizer: Clone + Debug + Send + 'static {
    /// The learning rate of the next step.
    fn lr(&self) -> f64;

    /// Another one, for schedules.
    fn set_lr(&mut self, lr: f64);

    /// The momentum, or the first of the betas; `None` in an optimizer without.
    fn momentum(&self) -> Option<f64> {
        None
    }

    /// Another one, for schedules. Nothing happens in an optimizer without.
    fn set_momentum(&mut self, _momentum: f64) {}

    /// Whether it climbs instead of descending: the rule sees the gradient with the other sign.
    fn maximize(&self) -> bool {
        false
    }

    /// Whether all options are in range; asked before each step.
    fn check(&self) -> Result<()>;

    /// Names of all that any of its rules remembers.
    #[doc(hidden)]
    const STATES: &'static [&'static str];

    /// The update as one pass over the parameters.
    #[doc(hidden)]
    fn update(&self, pass: &mut Pass<'_>);

    /// This configuration with state for the model's parameters.
    fn bind<N: Network>(self, model: &Model<N>) -> Result<Bound<Self>> {
        Bound::new(self, model)
    }
}

/// `value` in `low..`, and finite.
fn at_least(optimizer: &str, name: &str, value: f64, low: f64) -> Result<()> {
    if value.is_finite() && value >= low {
        return Ok(());
    }
    Err(Error::option(format!("{optimizer}::{name}"), format!("a number, at least {low}"), value))
}

/// `value` in 0..1.
fn below_one(optimizer: &str, name: &str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::option(format!("{optimizer}::{name}"), "in 0..1", value))
}

/// Not 0 in single precision, which would turn an element that never had a gradient, and all padding, into 0 / 0.
fn positive_eps(optimizer: &str, eps: f64) -> Result<()> {
    if eps.is_finite() && eps as f32 > 0.0 {
        return Ok(());
    }
    Err(Error::option(format!("{optimizer}::eps"), "a number above 0", eps))
}
