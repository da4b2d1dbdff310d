//! The one-cycle policy.

use super::{Every, Moment, Rate, Schedule, factor};
use crate::error::{Error, Result};
use std::f64::consts::PI;

/// How a phase goes from its first to its last value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anneal {
    Cos,
    Linear,
}

/// The one-cycle policy (Smith and Topin, 2018), after each step of the optimizer: up from `max_lr / div_factor` to `max_lr`
/// within the first `pct_start` of training, then down to `max_lr / div_factor / final_div_factor`. The momentum (for Adam
/// and its kin β₁) goes the other way, between `max_momentum` and `base_momentum`.
///
/// A parameter group whose learning rate is k times the optimizer's has k times these rates.
#[derive(Clone, Debug, PartialEq)]
pub struct OneCycle {
    pub max_lr: f64,
    /// Steps of the cycle; `None` is all of the training that a [`Trainer`](crate::train::Trainer) does.
    pub total_steps: Option<usize>,
    pub pct_start: f64,
    pub anneal_strategy: Anneal,
    pub cycle_momentum: bool,
    pub base_momentum: f64,
    pub max_momentum: f64,
    pub div_factor: f64,
    pub final_div_factor: f64,
    /// Down to `max_lr / div_factor` as fast as up, and then to the end's rate.
    pub three_phase: bool,
}

impl Default for OneCycle {
    /// PyTorch has no default `max_lr`; here it is 1e-2.
    fn default() -> Self {
        OneCycle {
            max_lr: 1e-2,
            total_steps: None,
            pct_start: 0.3,
            anneal_strategy: Anneal::Cos,
            cycle_momentum: true,
            base_momentum: 0.85,
            max_momentum: 0.95,
            div_factor: 25.0,
            final_div_factor: 1e4,
            three_phase: false,
        }
    }
}

impl OneCycle {
    /// Between the values of a phase's ends; `ends` are those before the first phase, and after each.
    fn at(&self, moment: &Moment, ends: [f64; 4]) -> f64 {
        let (step, total) = (moment.period as f64, self.total(moment).unwrap_or(1) as f64);
        let rise = self.pct_start * total;
        // Ends of the phases; the last one counts for all that lies behind it.
        let (phases, last, ends) = if self.three_phase {
            ([rise - 1.0, 2.0 * rise - 2.0, total - 1.0], 2, ends)
        } else {
            ([rise - 1.0, total - 1.0, total - 1.0], 1, [ends[0], ends[1], ends[3], ends[3]])
        };
        let phase = phases.iter().position(|end| step <= *end).unwrap_or(last).min(last);
        let begin = if phase == 0 { 0.0 } else { phases[phase - 1] };
        let width = phases[phase] - begin;
        // Where PyTorch divides by 0: a phase of no width is its end, so that the peak is where it is for all others, at step
        // `pct_start * total - 1`.
        let part = if width == 0.0 { 1.0 } else { (step - begin) / width };
        let (from, to) = (ends[phase], ends[phase + 1]);
        match self.anneal_strategy {
            Anneal::Cos => to + (from - to) / 2.0 * ((PI * part).cos() + 1.0),
            Anneal::Linear => (to - from) * part + from,
        }
    }

    fn total(&self, moment: &Moment) -> Option<usize> {
        self.total_steps.or(moment.periods)
    }
}

impl Schedule for OneCycle {
    fn every(&self) -> Every {
        Every::Step
    }

    fn check(&self) -> Result<()> {
        factor("OneCycle", "max_lr", self.max_lr)?;
        factor("OneCycle", "base_momentum", self.base_momentum)?;
        factor("OneCycle", "max_momentum", self.max_momentum)?;
        for (name, value) in [("div_factor", self.div_factor), ("final_div_factor", self.final_div_factor)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(Error::option(format!("OneCycle::{name}"), "a number above 0", value));
            }
        }
        if !(0.0..=1.0).contains(&self.pct_start) {
            return Err(Error::option("OneCycle::pct_start", "in 0..=1", self.pct_start));
        }
        if self.total_steps == Some(0) {
            return Err(Error::option("OneCycle::total_steps", "at least 1", 0));
        }
        Ok(())
    }

    fn look(&mut self, moment: &Moment) -> Result<()> {
        match self.total(moment) {
            None => Err(Error::option("OneCycle::total_steps", "given, where no `Trainer` knows it", "None")),
            Some(total) if moment.period > total => {
                Err(Error::option("OneCycle::total_steps", format!("at least {}", moment.period), total))
            }
            Some(_) => Ok(()),
        }
    }

    fn lr(&self, moment: &Moment, rate: &Rate) -> f64 {
        let part = if rate.main > 0.0 { rate.base / rate.main } else { 1.0 };
        let max = self.max_lr * part;
        let initial = max / self.div_factor;
        self.at(moment, [initial, max, initial, initial / self.final_div_factor])
    }

    fn momentum(&self, moment: &Moment) -> Option<f64> {
        let (base, max) = (self.base_momentum, self.max_momentum);
        self.cycle_momentum.then(|| self.at(moment, [max, base, max, max]))
    }

    fn needs_periods(&self) -> bool {
        self.total_steps.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `OneCycleLR._get_lr` as PyTorch has it, for the rate and the momentum; `None` where it divides by 0.
    fn pytorch(cycle: &OneCycle, total: usize, step: usize, ends: [f64; 4]) -> Option<f64> {
        let (total, step) = (total as f64, step as f64);
        let [low, high, middle, last] = ends;
        let phases = if cycle.three_phase {
            vec![
                (cycle.pct_start * total - 1.0, low, high),
                (2.0 * cycle.pct_start * total - 2.0, high, middle),
                (total - 1.0, middle, last),
            ]
        } else {
            vec![(cycle.pct_start * total - 1.0, low, high), (total - 1.0, high, last)]
        };
        let mut start = 0.0;
        for (i, (end, from, to)) in phases.iter().enumerate() {
            if step <= *end || i == phases.len() - 1 {
                let part = (step - start) / (end - start);
                return (end != &start).then(|| match cycle.anneal_strategy {
                    Anneal::Cos => to + (from - to) / 2.0 * (1.0 + (PI * part).cos()),
                    Anneal::Linear => (to - from) * part + from,
                });
            }
            start = *end;
        }
        None
    }

    #[test]
    fn short_cycles_are_pytorchs() {
        let mut without_width = 0;
        for total in 1..=12 {
            for pct_start in [0.0, 0.05, 0.1, 0.2, 0.25, 1.0 / 3.0, 0.5, 0.7, 1.0] {
                for (three_phase, anneal_strategy) in
                    [(false, Anneal::Cos), (false, Anneal::Linear), (true, Anneal::Cos), (true, Anneal::Linear)]
                {
                    let cycle = OneCycle {
                        max_lr: 0.5,
                        total_steps: Some(total),
                        pct_start,
                        three_phase,
                        anneal_strategy,
                        div_factor: 10.0,
                        final_div_factor: 100.0,
                        ..OneCycle::default()
                    };
                    for step in 0..=total {
                        let moment = Moment { period: step, periods: None, loss: None };
                        let lr = cycle.lr(&moment, &Rate { base: 0.1, main: 0.1, last: 0.1 });
                        let momentum = cycle.momentum(&moment).unwrap();
                        match pytorch(&cycle, total, step, [0.05, 0.5, 0.05, 0.0005]) {
                            Some(expected) => {
                                assert!((lr - expected).abs() < 1e-12, "{cycle:?}, {step}: {lr} {expected}")
                            }
                            None => {
                                without_width += 1;
                                let ends = [0.5, 0.05, 0.0005].iter().any(|end| (lr - end).abs() < 1e-12);
                                assert!(ends, "{cycle:?}, {step}: {lr}");
                            }
                        }
                        assert!(momentum.is_finite(), "{cycle:?}, {step}");
                    }
                }
            }
        }
        assert!(without_width > 20, "{without_width}");
    }

    #[test]
    fn a_rise_of_one_step_is_the_peak() {
        let cycle = OneCycle { max_lr: 0.5, pct_start: 0.1, total_steps: Some(10), ..OneCycle::default() };
        let at = |period| {
            let moment = Moment { period, periods: None, loss: None };
            (cycle.lr(&moment, &Rate { base: 0.1, main: 0.1, last: 0.1 }), cycle.momentum(&moment).unwrap())
        };
        assert_eq!(at(0), (0.5, 0.85));
        assert!(at(1).0 < 0.5 && (at(9).0 - 0.5 / 25.0 / 1e4).abs() < 1e-12 && at(9).1 == 0.95);
        // It ends with its last step: what is asked for behind it is the end.
        let whole = OneCycle { pct_start: 1.0, ..cycle };
        let moment = Moment { period: 10, periods: None, loss: None };
        assert_eq!(whole.lr(&moment, &Rate { base: 0.1, main: 0.1, last: 0.1 }), 0.5 / 25.0 / 1e4);
    }
}
