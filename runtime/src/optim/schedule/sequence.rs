//! Schedules made of schedules.

use super::{Every, Moment, Rate, Schedule};
use crate::error::{Error, Result};

/// A schedule whose periods are steps of the optimizer: [`Schedule::every_step`].
#[derive(Clone, Debug, PartialEq)]
pub struct EveryStep<S>(pub S);

impl<S: Schedule> Schedule for EveryStep<S> {
    fn every(&self) -> Every {
        Every::Step
    }

    fn check(&self) -> Result<()> {
        self.0.check()
    }

    fn look(&mut self, moment: &Moment) -> Result<()> {
        self.0.look(moment)
    }

    fn lr(&self, moment: &Moment, rate: &Rate) -> f64 {
        self.0.lr(moment, rate)
    }

    fn momentum(&self, moment: &Moment) -> Option<f64> {
        self.0.momentum(moment)
    }

    fn needs_periods(&self) -> bool {
        self.0.needs_periods()
    }

    fn state(&self) -> Vec<f64> {
        self.0.state()
    }

    fn set_state(&mut self, state: &[f64]) {
        self.0.set_state(state);
    }
}

/// One schedule for so many periods, then another: [`Schedule::then`].
#[derive(Clone, Debug, PartialEq)]
pub struct Then<A, B> {
    pub first: A,
    pub periods: usize,
    pub next: B,
}

impl<A: Schedule, B: Schedule> Then<A, B> {
    /// The moment as the second schedule sees it, once it is its turn.
    fn later(&self, moment: &Moment) -> Option<Moment> {
        let period = moment.period.checked_sub(self.periods)?;
        Some(Moment { period, periods: moment.periods.map(|all| all.saturating_sub(self.periods)), ..*moment })
    }
}

impl<A: Schedule, B: Schedule> Schedule for Then<A, B> {
    fn every(&self) -> Every {
        self.first.every()
    }

    fn check(&self) -> Result<()> {
        if self.first.every() != self.next.every() {
            let found = format!("{:?} and {:?}", self.first.every(), self.next.every());
            let expected = "schedules that step equally often (help: `.every_step()`)";
            return Err(Error::option("Schedule::then", expected, found));
        }
        self.first.check()?;
        self.next.check()
    }

    fn look(&mut self, moment: &Moment) -> Result<()> {
        match self.later(moment) {
            None => self.first.look(&Moment { periods: Some(self.periods), ..*moment }),
            Some(moment) => self.next.look(&moment),
        }
    }

    fn lr(&self, moment: &Moment, rate: &Rate) -> f64 {
        match self.later(moment) {
            None => self.first.lr(&Moment { periods: Some(self.periods), ..*moment }, rate),
            Some(moment) if moment.period == 0 => self.next.lr(&moment, &Rate { last: rate.base, ..*rate }),
            Some(moment) => self.next.lr(&moment, rate),
        }
    }

    fn momentum(&self, moment: &Moment) -> Option<f64> {
        match self.later(moment) {
            None => self.first.momentum(&Moment { periods: Some(self.periods), ..*moment }),
            Some(moment) => self.next.momentum(&moment),
        }
    }

    fn needs_periods(&self) -> bool {
        self.next.needs_periods()
    }

    fn state(&self) -> Vec<f64> {
        let first = self.first.state();
        [vec![first.len() as f64], first, self.next.state()].concat()
    }

    fn set_state(&mut self, state: &[f64]) {
        let Some((length, rest)) = state.split_first() else { return };
        let (first, next) = rest.split_at(rest.len().min(*length as usize));
        self.first.set_state(first);
        self.next.set_state(next);
    }
}
