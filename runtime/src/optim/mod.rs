//! Optimizers: plain structs with PyTorch's names, defaults and order of arithmetic (`torch.optim`'s single-tensor path).
//!
//! A configuration is bound to a model, which gives it state: [`Optimizer::bind`]. The configuration stays public in
//! [`Bound::config`], and what is written there takes effect on the next step.
//!
//! An update is element-wise, so it is one pass over the flat arena of trainable parameters, whose padding is zero and
//! stays zero.

mod adam;
mod pass;
mod sgd;

pub use adam::Adam;
#[doc(hidden)]
pub use pass::{Pass, UpdateRule};
pub use sgd::Sgd;

use crate::device::cpu::{Arena, Pool};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::network::Network;
use crate::plan::Level;
use pass::Segment;
use std::fmt::Debug;

/// How gradients change parameters.
pub trait Optimizer: Clone + Debug + Send + 'static {
    /// The learning rate of the next step.
    fn lr(&self) -> f64;

    /// Whether all options are in range; asked before each step.
    fn check(&self) -> Result<()>;

    /// The update as passes over the parameters.
    #[doc(hidden)]
    fn update(&self, pass: &mut Pass<'_>);

    /// This configuration with state for the model's parameters.
    fn bind<N: Network>(self, model: &Model<N>) -> Result<Bound<Self>> {
        self.check()?;
        let plan = N::plan();
        Ok(Bound {
            config: self,
            state: State { buffers: Vec::new(), step: 0 },
            segments: pass::segments(plan),
            network: plan.name,
            floats: plan.trainable_floats,
            trainable: model.engine.trainable(),
        })
    }
}

/// An optimizer with its state for one model.
pub struct Bound<O> {
    /// What is written here takes effect on the next step.
    pub config: O,
    state: State,
    segments: Vec<Segment>,
    network: &'static str,
    floats: usize,
    trainable: usize,
}

/// What an optimizer remembers between steps.
pub(crate) struct State {
    /// Parallel to the trainable arena; made on first use.
    buffers: Vec<Arena>,
    /// Steps done.
    step: u64,
}

impl<O: Optimizer> Bound<O> {
    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.state.step
    }

    /// Whether this optimizer can update a model of `N`.
    pub(crate) fn check<N: Network>(&self, engine: &Engine) -> Result<()> {
        let plan = N::plan();
        if self.network != plan.name || self.floats != plan.trainable_floats {
            return Err(Error::ForeignOptimizer {
                bound: self.network,
                network: plan.name,
                expected: self.trainable,
                found: engine.trainable(),
            });
        }
        self.config.check()
    }

    /// One step over gradients that lie in the gradient arena.
    pub(crate) fn update(&mut self, params: &mut Arena, grads: &Arena, pool: &Pool, level: Level) -> Result<()> {
        self.state.step += 1;
        let mut pass = Pass::new(params, grads, &mut self.state, &self.segments, self.floats, pool, level);
        self.config.update(&mut pass);
        Ok(())
    }
}

/// `value` in `low..`, and finite.
fn at_least(optimizer: &str, name: &str, value: f64, low: f64) -> Result<()> {
    if value.is_finite() && value >= low {
        return Ok(());
    }
    Err(Error::option(format!("{optimizer}::{name}"), format!("a number, at least {low}"), value))
}
