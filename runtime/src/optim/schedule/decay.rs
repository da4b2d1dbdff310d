//! Schedules that are a function of the period alone.

use super::{Moment, Rate, Schedule, at_least_one, factor};
use crate::error::{Error, Result};
use std::f64::consts::PI;

/// `factor` times the learning rate for `total_iters` periods, then the learning rate itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    pub factor: f64,
    pub total_iters: usize,
}

impl Default for Constant {
    fn default() -> Self {
        Constant { factor: 1.0 / 3.0, total_iters: 5 }
    }
}

impl Schedule for Constant {
    fn check(&self) -> Result<()> {
        factor("Constant", "factor", self.factor)
    }

    fn lr(&self, moment: &Moment, rate: &Rate) -> f64 {
        if moment.period >= self.total_iters { rate.base } else { rate.base * self.factor }
    }
}

/// A linear warm-up: from `start_factor` to `end_factor` times the learning rate within `total_iters` periods.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    pub start_factor: f64,
    pub end_factor: f64,
    pub total_iters: usize,
}

impl Default for Linear {
    fn default() -> Self {
        Linear { start_factor: 1.0 / 3.0, end_factor: 1.0, total_iters: 5 }
    }
}

impl Schedule for Linear {
    fn check(&self) -> Result<()> {
        factor("Linear", "start_factor", self.start_factor)?;
        factor("Linear", "end_factor", self.end_factor)?;
        at_least_one("Linear", "total_iters", self.total_iters)
    }

    fn lr(&self, moment: &Moment, rate: &Rate) -> f64 {
        let done = moment.period.min(self.total_iters) as f64 / self.total_iters as f64;
        rate.base * (self.start_factor + (self.end_factor - self.start_factor) * done)
    }
}

/// `gamma` times the learning rate after each `step_size` periods.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub step_size: usize,
    pub gamma: f64,
}

impl Default for Step {
    /// PyTorch has no default `step_size`; here it is 10.
    fn default() -> Self {
        Step { step_size: 10, gamma: 0.1 }
    }
}

impl Schedule for Step {
    fn check(&self) -> Result<()> {
        factor("Step", "gamma", self.gamma)?;
        at_least_one("Step", "step_size", self.step_size)
    }

    fn lr(&self, moment: &Moment, rate: &Rate) -> f64 {
        rate.base * self.gamma.powf((moment.period / self.step_size) as f64)
    }
}

/// `gamma` times the learning rate at each of the milestones.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiStep {
    /// Periods, in order.
    pub milestones: Vec<usize>,
    pub gamma: f64,
}

impl Default for MultiStep {
    /// Without milestones, which PyTorch has no default for: the learning rate stays.
    fn default() -> Self {
        MultiStep { milestones: Vec::new(), gamma: 0.1 }
    }
}

impl Schedule for MultiStep {
    fn check(&self) -> Result<()> {
        factor("MultiStep", "gamma", self.gamma)?;
        if !self.milestones.is_sorted() {
            return Err(Error::option("MultiStep::milestones", "in order", format!("{:?}", self.milestones)));
        }
        Ok(())
    }

    fn lr(&self, moment: &Moment, rate: &Rate) -> f64 {
        let passed = self.milestones.partition_point(|milestone| *milestone <= moment.period);
        rate.base * self.gamma.powf(passed as f64)
    }
}

/// `gamma` times the learning rate after each period.
#[derive(Clone, Debug, PartialEq)]
pub struct Exponential {
    pub gamma: f64,
}

impl Schedule for Exponential {
    fn check(&self) -> Result<()> {
        factor("Exponential", "gamma", self.gamma)
    }

    fn lr(&self, moment: &Moment, rate: &Rate) -> f64 {
        rate.base * self.gamma.powf(moment.period as f64)
    }
}

/// Half a cosine wave from the learning rate to `eta_min` within `t_max` periods, without restarts (Loshchilov and
/// Hutter, 2016). Beyond them it rises again, as PyTorch's.
#[derive(Clone, Debug, PartialEq)]
pub struct CosineAnnealing {
    pub t_max: usize,
    pub eta_min: f64,
}

impl Schedule for CosineAnnealing {
    fn check(&self) -> Result<()> {
        factor("CosineAnnealing", "eta_min", self.eta_min)?;
        at_least_one("CosineAnnealing", "t_max", self.t_max)
    }

    fn lr(&self, moment: &Moment, rate: &Rate) -> f64 {
        let angle = PI * moment.period as f64 / self.t_max as f64;
        self.eta_min + (rate.base - self.eta_min) * (1.0 + angle.cos()) / 2.0
    }
}
