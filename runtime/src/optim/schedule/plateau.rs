//! A smaller learning rate where nothing improves any more.

use super::{Moment, Rate, Schedule, factor};
use crate::error::{Error, Result};

/// Which losses are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Min,
    Max,
}

/// What `threshold` is measured against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThresholdMode {
    /// A part of the best so far.
    Rel,
    /// A difference from it.
    Abs,
}

/// `factor` times the learning rate when the validation loss was not better than the best so far for more than `patience`
/// epochs.
#[derive(Clone, Debug, PartialEq)]
pub struct ReduceOnPlateau {
    pub mode: Mode,
    pub factor: f64,
    pub patience: usize,
    pub threshold: f64,
    pub threshold_mode: ThresholdMode,
    /// Epochs after a reduction in which nothing counts.
    pub cooldown: usize,
    pub min_lr: f64,
    /// A smaller change of the learning rate is not made.
    pub eps: f64,
    /// What it has seen; `Progress::default()` at the start.
    pub progress: Progress,
}

/// What [`ReduceOnPlateau`] has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    best: Option<f64>,
    bad: usize,
    cooling: usize,
    /// Whether the learning rate falls now.
    reduces: bool,
}

impl Default for ReduceOnPlateau {
    fn default() -> Self {
        ReduceOnPlateau {
            mode: Mode::Min,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            threshold_mode: ThresholdMode::Rel,
            cooldown: 0,
            min_lr: 0.0,
            eps: 1e-8,
            progress: Progress::default(),
        }
    }
}

impl ReduceOnPlateau {
    fn is_better(&self, loss: f64) -> bool {
        let worst = match self.mode {
            Mode::Min => f64::INFINITY,
            Mode::Max => f64::NEG_INFINITY,
        };
        let best = self.progress.best.unwrap_or(worst);
        match (self.mode, self.threshold_mode) {
            (Mode::Min, ThresholdMode::Rel) => loss < best * (1.0 - self.threshold),
            (Mode::Min, ThresholdMode::Abs) => loss < best - self.threshold,
            (Mode::Max, ThresholdMode::Rel) => loss > best * (self.threshold + 1.0),
            (Mode::Max, ThresholdMode::Abs) => loss > best + self.threshold,
        }
    }
}

impl Schedule for ReduceOnPlateau {
    fn check(&self) -> Result<()> {
        factor("ReduceOnPlateau", "threshold", self.threshold)?;
        factor("ReduceOnPlateau", "min_lr", self.min_lr)?;
        factor("ReduceOnPlateau", "eps", self.eps)?;
        if !(0.0..1.0).contains(&self.factor) {
            return Err(Error::option("ReduceOnPlateau::factor", "in 0..1", self.factor));
        }
        Ok(())
    }

    fn look(&mut self, moment: &Moment) -> Result<()> {
        self.progress.reduces = false;
        if moment.period == 0 {
            return Ok(());
        }
        let Some(loss) = moment.loss else {
            let found = "stepped without one; help: `step_with(loss, …)`";
            return Err(Error::option("ReduceOnPlateau", "stepped with the validation loss, after each epoch", found));
        };
        let better = self.is_better(loss);
        let Progress { best, bad, cooling, reduces } = &mut self.progress;
        if better {
            (*best, *bad) = (Some(loss), 0);
        } else {
            *bad += 1;
        }
        if *cooling > 0 {
            (*cooling, *bad) = (*cooling - 1, 0);
        }
        if *bad > self.patience {
            (*reduces, *cooling, *bad) = (true, self.cooldown, 0);
        }
        Ok(())
    }

    fn lr(&self, _moment: &Moment, rate: &Rate) -> f64 {
        let less = (rate.last * self.factor).max(self.min_lr);
        if self.progress.reduces && rate.last - less > self.eps { less } else { rate.last }
    }

    fn state(&self) -> Vec<f64> {
        let Progress { best, bad, cooling, reduces } = self.progress;
        vec![best.unwrap_or(f64::NAN), bad as f64, cooling as f64, f64::from(reduces)]
    }

    fn set_state(&mut self, state: &[f64]) {
        let &[best, bad, cooling, reduces] = state else { return };
        let best = (!best.is_nan()).then_some(best);
        // From a file: counts that no training reaches must not overflow either.
        let count = |number: f64| number as u32 as usize;
        self.progress = Progress { best, bad: count(bad), cooling: count(cooling), reduces: reduces != 0.0 };
    }
}
