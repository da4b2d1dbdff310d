//! Losses and gradients of parts of a batch, added up to those of the whole.
//!
//! A loss is a sum of means over the batch, Σₖ Sₖ / Wₖ, most often of one, over all samples. Where a class has a weight, a
//! mean is divided by the weights of the labels that are there, and parts of a batch have other weights than samples. So
//! evaluation in chunks, the mean loss of an epoch and gradients that are gathered over several batches all go by the
//! weight that a program found, mean by mean: the whole has Σₚ wₖₚ·mₖₚ / Σₚ wₖₚ, whatever the cut and its order.
//!
//! For gradients of several means with weights of their own that takes a run for each mean, in which it alone counts, and a
//! gathered gradient for each: how much a part has to do with the whole is known at the end only, and is another number
//! for each mean. Nearly all networks have one mean, and then nothing of this.
//!
//! A part of no weight adds nothing, though its own mean is 0/0; a whole of no weight is NaN, as PyTorch's.

use crate::plan::{Mean, Stored};

/// One mean of a loss over a part of the samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Part {
    pub mean: f64,
    /// What it was divided by.
    pub weight: f64,
}

impl Part {
    /// The means of a run's loss, from where its plan says that they lie. A loss without such a list is one mean over all
    /// samples.
    pub(super) fn read<E>(
        means: &[Mean],
        (loss, batch): (Option<f32>, usize),
        into: &mut Vec<Part>,
        mut scalar: impl FnMut(&Stored) -> Result<f32, E>,
    ) -> Result<(), E> {
        into.clear();
        let samples = batch as f64;
        if means.is_empty() {
            into.extend(loss.map(|loss| Part { mean: f64::from(loss), weight: samples }));
        }
        for Mean { value, weight } in means {
            let weight = weight.as_ref().map_or(Ok(samples), |weight| scalar(weight).map(f64::from))?;
            into.push(Part { mean: f64::from(scalar(value)?), weight });
        }
        Ok(())
    }
}

/// The loss over all parts so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    /// By mean of the loss: the sum and its weight.
    sums: Vec<(f64, f64)>,
}

impl Tally {
    /// As many means as the loss has, of one part.
    pub fn add(&mut self, parts: &[Part]) {
        self.sums.resize(parts.len(), (0.0, 0.0));
        for ((sum, weight), part) in self.sums.iter_mut().zip(parts) {
            if part.weight != 0.0 {
                *sum += part.mean * part.weight;
                *weight += part.weight;
            }
        }
    }

    /// By mean of the loss: the sum and its weight.
    pub fn sums(&self) -> &[(f64, f64)] {
        &self.sums
    }

    /// With these sums and weights.
    pub fn of(sums: impl Iterator<Item = (f64, f64)>) -> Self {
        Tally { sums: sums.collect() }
    }

    /// NaN where a mean has no weight.
    pub fn loss(&self) -> f64 {
        self.sums.iter().map(|(sum, weight)| sum / weight).sum()
    }
}

/// Of one mean's gradient: how much of all parts so far the latest one is. 1 where it takes the place of what was there.
pub(super) fn share(gathered: &mut f64, weight: f64) -> f32 {
    *gathered += weight;
    if *gathered == 0.0 { 1.0 } else { (weight / *gathered) as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_the_whole_in_any_order() {
        // Two means; the first has the weights 2, 0 and 6.
        let parts = [[(3.0, 2.0), (1.0, 4.0)], [(f64::NAN, 0.0), (2.0, 4.0)], [(1.0, 6.0), (6.0, 2.0)]];
        for order in [[0, 1, 2], [1, 2, 0], [2, 0, 1]] {
            let mut tally = Tally::default();
            for part in order {
                tally.add(&parts[part].map(|(mean, weight)| Part { mean, weight }));
            }
            assert_eq!(tally.loss(), 12.0 / 8.0 + 24.0 / 10.0);
        }
        let mut tally = Tally::default();
        tally.add(&[Part { mean: f64::NAN, weight: 0.0 }]);
        assert!(tally.loss().is_nan());
    }

    #[test]
    fn shares_are_those_of_weights() {
        let mut gathered = 0.0;
        let found = [0.0, 2.0, 0.0, 6.0].map(|weight| share(&mut gathered, weight));
        assert_eq!(found, [1.0, 1.0, 0.0, 0.75]);
    }

    #[test]
    fn shares_of_samples_are_quotients_of_floats() {
        for (samples, more) in [(1, 2), (24, 11), (1000, 3), (12345, 6789)] {
            let mut gathered = f64::from(samples);
            assert_eq!(share(&mut gathered, f64::from(more)), more as f32 / (samples + more) as f32);
        }
    }
}
