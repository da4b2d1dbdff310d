//! Which class was taken for which.

use std::fmt;

use super::Classes;
use crate::error::Error;

/// Counts of (true class, predicted class). Displays as a table with the recall of each class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    /// `[true][predicted]`
    counts: Vec<u64>,
}

impl Confusion {
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes] }
    }

    /// Counts whole prediction and label sets.
    ///
    /// # Errors
    /// Where they have different lengths.
    pub fn of<const N: usize>(labels: &Classes<N>, predictions: &Classes<N>) -> Result<Self, Error> {
        if labels.len() != predictions.len() {
            return Err(Error::data("predictions", format!("{}, as many as labels", labels.len()), predictions.len()));
        }
        let mut confusion = Self::new(N);
        labels.iter().zip(predictions.iter()).for_each(|(label, prediction)| confusion.add(label, prediction));
        Ok(confusion)
    }

    /// Counts one sample.
    ///
    /// # Panics
    /// Where a class is `classes()` or above.
    pub fn add(&mut self, label: usize, prediction: usize) {
        assert!(prediction < self.classes, "class {prediction} of {}", self.classes);
        self.counts[label * self.classes + prediction] += 1;
    }

    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Samples of class `label` that were taken for class `prediction`.
    pub fn count(&self, label: usize, prediction: usize) -> u64 {
        self.counts[label * self.classes + prediction]
    }

    /// Samples counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Samples taken for what they are.
    pub fn correct(&self) -> u64 {
        (0..self.classes).map(|class| self.count(class, class)).sum()
    }

    /// Share of samples taken for what they are; NaN without samples.
    pub fn accuracy(&self) -> f64 {
        self.correct() as f64 / self.total() as f64
    }

    /// Share of the class's samples that were found; NaN where it has none.
    pub fn recall(&self, class: usize) -> f64 {
        let samples: u64 = (0..self.classes).map(|prediction| self.count(class, prediction)).sum();
        self.count(class, class) as f64 / samples as f64
    }

    /// Share of the predictions of the class that were right; NaN where there is none.
    pub fn precision(&self, class: usize) -> f64 {
        let predictions: u64 = (0..self.classes).map(|label| self.count(label, class)).sum();
        self.count(class, class) as f64 / predictions as f64
    }

    /// `(true, predicted, count)` of the mistakes, the most frequent first; equal counts in order of class.
    pub fn mistakes(&self) -> Vec<(usize, usize, u64)> {
        let pairs = (0..self.classes).flat_map(|label| (0..self.classes).map(move |prediction| (label, prediction)));
        let mut mistakes: Vec<_> = pairs
            .filter(|(label, prediction)| label != prediction)
            .map(|(label, prediction)| (label, prediction, self.count(label, prediction)))
            .filter(|&(_, _, count)| count > 0)
            .collect();
        mistakes.sort_by_key(|&(_, _, count)| std::cmp::Reverse(count));
        mistakes
    }
}

/// A share as `98.1%`, or a dash where nothing was counted.
fn percent(share: f64) -> String {
    if share.is_nan() { "–".into() } else { format!("{:.1}%", 100.0 * share) }
}

impl fmt::Display for Confusion {
    /// A row for each true class, a column for each predicted one; zeros are dots.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let largest = self.counts.iter().copied().max().unwrap_or(0);
        let width = (largest.to_string().len()).max(self.classes.to_string().len()).max(2) + 1;
        write!(f, "{:>6}", "true")?;
        (0..self.classes).try_for_each(|class| write!(f, "{class:>width$}"))?;
        writeln!(f, "  {:>7} {:>9}", "recall", "precision")?;
        for label in 0..self.classes {
            write!(f, "{label:>6}")?;
            for prediction in 0..self.classes {
                match self.count(label, prediction) {
                    0 => write!(f, "{:>width$}", "·")?,
                    count => write!(f, "{count:>width$}")?,
                }
            }
            writeln!(f, "  {:>7} {:>9}", percent(self.recall(label)), percent(self.precision(label)))?;
        }
        write!(f, "{} of {} right ({})", self.correct(), self.total(), percent(self.accuracy()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        let labels = Classes::<3>::from_vec(vec![0, 0, 0, 1, 1, 1, 1]).unwrap();
        let predictions = Classes::from_vec(vec![0, 0, 1, 1, 1, 1, 0]).unwrap();
        let confusion = Confusion::of(&labels, &predictions).unwrap();
        assert_eq!((confusion.total(), confusion.correct()), (7, 5));
        assert_eq!(confusion.mistakes(), [(0, 1, 1), (1, 0, 1)]);
        assert_eq!(confusion.recall(1), 0.75);
        let expected = "  \
          true  0  1  2   recall precision
     0  2  1  ·    66.7%     66.7%
     1  1  3  ·    75.0%     75.0%
     2  ·  ·  ·        –         –
5 of 7 right (71.4%)";
        assert_eq!(confusion.to_string(), expected);
        assert!(Confusion::of(&labels, &Classes::one(0).unwrap()).is_err());
    }
}
