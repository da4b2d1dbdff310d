//! Learning rates that change during training: `torch.optim.lr_scheduler`, with its names without the `LR`, its defaults and
//! its arithmetic.
//!
//! A schedule is a plain struct. [`Trainer::schedule`](crate::train::Trainer::schedule) runs it; in a loop of one's own
//! [`Schedule::start`] makes a [`Scheduled`], which is stepped as PyTorch's are: after each epoch, or, where
//! [`Schedule::every`] says so, after each step of the optimizer.
//!
//! ```no_run
//! # use kiln::prelude::*;
//! # fn f<N: Network>(model: &mut Model<N>, batches: &[Dataset<N::Inputs, N::Targets>]) -> Result<(), Error> {
//! let mut optimizer = Sgd { lr: 0.1, ..Sgd::default() }.bind(model)?;
//! let warm_up = schedule::Linear { start_factor: 0.1, total_iters: 5, ..schedule::Linear::default() };
//! let mut rates = warm_up.then(5, CosineAnnealing { t_max: 95, eta_min: 0.0 }).start(&mut optimizer)?;
//! for _ in 0..100 {
//!     for batch in batches {
//!         model.train_step(batch, &mut optimizer)?;
//!     }
//!     rates.step(&mut optimizer)?;
//! }
//! # Ok(())
//! # }
//! ```

mod decay;
mod one_cycle;
mod plateau;
mod sequence;

pub use decay::{Constant, CosineAnnealing, Exponential, Linear, MultiStep, Step};
pub use one_cycle::{Anneal, OneCycle};
pub use plateau::{Mode, Progress, ReduceOnPlateau, ThresholdMode};
pub use sequence::{EveryStep, Then};

use super::{Bound, Optimizer};
use crate::error::{Error, Result};
use std::fmt::Debug;

/// How often a schedule steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// After each step of the optimizer.
    Step,
    /// After each epoch and its validation.
    Epoch,
}

/// Where training is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Steps of the schedule so far; PyTorch's `last_epoch`.
    pub period: usize,
    /// How many there will be, where that is known.
    pub periods: Option<usize>,
    /// The validation loss after the period before, where there is one.
    pub loss: Option<f64>,
}

/// One learning rate: the optimizer's, or that of a parameter group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// At the start.
    pub base: f64,
    /// The optimizer's at the start.
    pub main: f64,
    /// Until now.
    pub last: f64,
}

/// How the learning rate changes during training.
pub trait Schedule: Debug + Send + 'static {
    /// How often it steps, unless [`Schedule::every_step`] says otherwise.
    fn every(&self) -> Every {
        Every::Epoch
    }

    /// Whether all options are in range.
    fn check(&self) -> Result<()>;

    /// Takes notice of the moment, before it is asked for rates.
    ///
    /// # Errors
    /// Where it lacks something: a loss, the number of periods.
    fn look(&mut self, _moment: &Moment) -> Result<()> {
        Ok(())
    }

    /// The learning rate from this moment on.
    fn lr(&self, moment: &Moment, rate: &Rate) -> f64;

    /// The momentum (for Adam and its kin β₁) from this moment on; `None` where it stays.
    fn momentum(&self, _moment: &Moment) -> Option<f64> {
        None
    }

    /// Whether its rates depend on how long training lasts.
    fn needs_periods(&self) -> bool {
        false
    }

    /// What it remembers, for checkpoints.
    fn state(&self) -> Vec<f64> {
        Vec::new()
    }

    /// Brings back what [`Schedule::state`] gave.
    fn set_state(&mut self, _state: &[f64]) {}

    /// This schedule, stepped after each step of the optimizer: its periods are steps.
    fn every_step(self) -> EveryStep<Self>
    where
        Self: Sized,
    {
        EveryStep(self)
    }

    /// This schedule for so many periods, then another one from its own start on: `torch.optim.lr_scheduler.SequentialLR`.
    fn then<S: Schedule>(self, periods: usize, next: S) -> Then<Self, S>
    where
        Self: Sized,
    {
        Then { first: self, periods, next }
    }

    /// Sets the rates of an optimizer's first step; [`Scheduled::step`] those of later ones.
    ///
    /// # Errors
    /// Where an option is out of range, or the optimizer lacks what the schedule changes.
    fn start<O: Optimizer>(self, optimizer: &mut Bound<O>) -> Result<Scheduled>
    where
        Self: Sized,
    {
        Scheduled::new(Box::new(self), optimizer, None)
    }
}

/// A schedule under way.
#[derive(Debug)]
pub struct Scheduled {
    schedule: Box<dyn Schedule>,
    period: usize,
    periods: Option<usize>,
    /// Learning rates at the start: the optimizer's, then those of its groups.
    bases: Vec<f64>,
}

impl Scheduled {
    pub(crate) fn new<O: Optimizer>(
        schedule: Box<dyn Schedule>,
        optimizer: &mut Bound<O>,
        periods: Option<usize>,
    ) -> Result<Self> {
        schedule.check()?;
        let mut bases = Vec::new();
        optimizer.each_lr(|lr| bases.push(*lr));
        let mut scheduled = Scheduled { schedule, period: 0, periods, bases };
        scheduled.set(None, optimizer)?;
        Ok(scheduled)
    }

    /// How often it wants to be stepped.
    pub fn every(&self) -> Every {
        self.schedule.every()
    }

    /// The next period begins.
    ///
    /// # Errors
    /// Where the schedule needs a loss, or is over.
    pub fn step<O: Optimizer>(&mut self, optimizer: &mut Bound<O>) -> Result<()> {
        self.period += 1;
        self.set(None, optimizer)
    }

    /// As [`Scheduled::step`], for a schedule that looks at a measure of success, usually the validation loss.
    pub fn step_with<O: Optimizer>(&mut self, loss: f64, optimizer: &mut Bound<O>) -> Result<()> {
        self.period += 1;
        self.set(Some(loss), optimizer)
    }

    fn set<O: Optimizer>(&mut self, loss: Option<f64>, optimizer: &mut Bound<O>) -> Result<()> {
        let moment = Moment { period: self.period, periods: self.periods, loss };
        self.schedule.look(&moment)?;
        let main = self.bases[0];
        let mut bases = self.bases.iter();
        optimizer.each_lr(|lr| {
            let base = bases.next().copied().unwrap_or(main);
            *lr = self.schedule.lr(&moment, &Rate { base, main, last: *lr });
        });
        if let Some(momentum) = self.schedule.momentum(&moment) {
            if optimizer.config.momentum().is_none() {
                let found = format!("{:?}", optimizer.config);
                return Err(Error::option("the optimizer of a schedule of momentum", "one with momentum", found));
            }
            optimizer.config.set_momentum(momentum);
        }
        Ok(())
    }

    /// What a checkpoint keeps beside the optimizer's rates.
    pub(crate) fn state(&self) -> (usize, Vec<f64>, Vec<f64>) {
        (self.period, self.bases.clone(), self.schedule.state())
    }

    pub(crate) fn set_state(&mut self, (period, bases, state): (usize, Vec<f64>, Vec<f64>)) {
        (self.period, self.bases) = (period, bases);
        self.schedule.set_state(&state);
    }
}

/// A factor that is a number and not negative.
fn factor(schedule: &str, name: &str, value: f64) -> Result<()> {
    super::at_least(schedule, name, value, 0.0)
}

/// A number of periods that is not 0.
fn at_least_one(schedule: &str, name: &str, value: usize) -> Result<()> {
    if value > 0 { Ok(()) } else { Err(Error::option(format!("{schedule}::{name}"), "at least 1", value)) }
}
