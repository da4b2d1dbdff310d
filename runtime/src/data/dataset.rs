//! Inputs and targets, sample by sample.

use super::feed::{Feed, PortValues};
use super::{Classes, permutation};
use crate::error::Error;

/// Inputs bound to targets: sample `i` of both belongs together. A network without targets has `T = ()`.
///
/// It is a [`Feed`] itself, of the inputs' ports and then the targets', so a batch is a data set too.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset<I, T = ()> {
    inputs: I,
    targets: T,
}

impl<I: Feed, T: Feed> Dataset<I, T> {
    /// # Errors
    /// Where inputs and targets have different lengths, or a label is out of range.
    pub fn new(inputs: I, targets: T) -> Result<Self, Error> {
        let data = Self { inputs, targets };
        data.check()?;
        Ok(data)
    }

    pub fn inputs(&self) -> &I {
        &self.inputs
    }

    pub fn targets(&self) -> &T {
        &self.targets
    }

    pub fn into_parts(self) -> (I, T) {
        (self.inputs, self.targets)
    }

    /// Samples.
    pub fn len(&self) -> usize {
        self.inputs.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// These samples in this order.
    ///
    /// # Panics
    /// Where a row is `len()` or above, as slices do.
    pub fn gather(&self, rows: &[usize]) -> Self {
        let mut out = Self::empty();
        self.gather_into(rows, &mut out);
        out
    }

    /// A random part with `fraction` of the samples (rounded; clamped to 0..=1), and the rest. Every sample is in one of them.
    pub fn split(&self, fraction: f64, seed: u64) -> (Self, Self) {
        let rows = permutation(self.len(), seed);
        let first = (self.len() as f64 * fraction.clamp(0.0, 1.0)).round() as usize;
        let (first, rest) = rows.split_at(first.min(rows.len()));
        (self.gather(first), self.gather(rest))
    }

    /// The first `n` samples, in order; all where there are fewer.
    pub fn take(&self, n: usize) -> Self {
        self.range(0, n)
    }

    /// All but the first `n` samples, in order; none where there are fewer.
    pub fn skip(&self, n: usize) -> Self {
        self.range(n, self.len())
    }

    fn range(&self, start: usize, end: usize) -> Self {
        let rows: Vec<usize> = (start..end.min(self.len())).collect();
        self.gather(&rows)
    }

    /// The same targets with other inputs: `data.map(Images::flatten)`.
    ///
    /// # Errors
    /// Where the new inputs have another number of samples.
    pub fn map<J: Feed>(self, f: impl FnOnce(I) -> J) -> Result<Dataset<J, T>, Error> {
        Dataset::new(f(self.inputs), self.targets)
    }

    /// Gives every sample the target of another one, each target once. What a network still learns from it, it has
    /// learnt by heart.
    pub fn shuffle_labels(self, seed: u64) -> Self {
        let mut targets = T::empty();
        self.targets.gather_into(&permutation(self.len(), seed), &mut targets);
        Self { inputs: self.inputs, targets }
    }

    /// Without targets, for a network whose loss needs none (an autoencoder).
    pub fn inputs_only(self) -> Dataset<I> {
        Dataset { inputs: self.inputs, targets: () }
    }

    pub(super) fn inputs_mut(&mut self) -> &mut I {
        &mut self.inputs
    }
}

impl<I: Feed, const N: usize> Dataset<I, Classes<N>> {
    /// The samples of these classes, in order. The labels stay as they are.
    pub fn only(&self, classes: impl IntoIterator<Item = usize>) -> Self {
        let mut wanted = [false; N];
        classes.into_iter().filter(|&class| class < N).for_each(|class| wanted[class] = true);
        let rows: Vec<usize> = (0..self.len()).filter(|&row| wanted[self.targets.row(row)]).collect();
        self.gather(&rows)
    }
}

fn ports<F: Feed>(feed: &F) -> usize {
    let mut ports = 0;
    feed.each_port(&mut |_| ports += 1);
    ports
}

impl<I: Feed, T: Feed> Feed for Dataset<I, T> {
    fn empty() -> Self {
        Self { inputs: I::empty(), targets: T::empty() }
    }

    fn len(&self) -> usize {
        self.inputs.len()
    }

    fn gather_into(&self, rows: &[usize], out: &mut Self) {
        self.inputs.gather_into(rows, &mut out.inputs);
        self.targets.gather_into(rows, &mut out.targets);
    }

    fn each_port<'a>(&'a self, f: &mut dyn FnMut(PortValues<'a>)) {
        self.inputs.each_port(f);
        self.targets.each_port(f);
    }

    fn check(&self) -> Result<(), Error> {
        self.inputs.check()?;
        self.targets.check()?;
        if ports(&self.targets) > 0 && self.targets.len() != self.inputs.len() {
            let expected = format!("{} samples, as many as inputs", self.inputs.len());
            return Err(Error::data("targets", expected, self.targets.len()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Images, Rows};
    use super::*;

    /// Ten samples whose value tells the sample and whose label is the sample modulo 3.
    fn numbered() -> Dataset<Rows<2>, Classes<3>> {
        let values = (0..20).map(|i| i as f32).collect();
        let labels = (0..10).map(|i| i % 3).collect();
        Dataset::new(Rows::from_vec(values).unwrap(), Classes::from_vec::<i32>(labels).unwrap()).unwrap()
    }

    fn samples(data: &Dataset<Rows<2>, Classes<3>>) -> Vec<usize> {
        (0..data.len())
            .map(|row| {
                let sample = data.inputs().row(row)[0] as usize / 2;
                assert_eq!(data.targets().row(row), sample % 3, "input and target moved together");
                sample
            })
            .collect()
    }

    #[test]
    fn unequal_lengths() {
        let error = Dataset::new(Rows::one([1.0]), Classes::<2>::from_vec(vec![0, 1]).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "targets: expected 1 samples, as many as inputs, found 2");
        assert_eq!(Dataset::new(Rows::one([1.0]), ()).unwrap().len(), 1);
    }

    #[test]
    fn split_parts_the_samples_by_seed() {
        let (train, valid) = numbered().split(0.8, 3);
        let (mut a, b) = (samples(&train), samples(&valid));
        assert_eq!((a.len(), b.len()), (8, 2));
        assert_eq!(samples(&numbered().split(0.8, 3).0), a);
        a.extend(b);
        a.sort_unstable();
        assert!(a.into_iter().eq(0..10));
        for (fraction, first) in [(0.0, 0), (1.0, 10), (7.0, 10), (-1.0, 0), (f64::NAN, 0)] {
            assert_eq!(numbered().split(fraction, 1).0.len(), first);
        }
    }

    #[test]
    fn parts_by_place_and_by_class() {
        assert_eq!(samples(&numbered().take(3)), [0, 1, 2]);
        assert_eq!(samples(&numbered().take(30)).len(), 10);
        assert_eq!(samples(&numbered().skip(7)), [7, 8, 9]);
        assert_eq!(samples(&numbered().skip(70)).len(), 0);
        assert_eq!(samples(&numbered().only([2, 0, 9])), [0, 2, 3, 5, 6, 8, 9]);
    }

    #[test]
    fn shuffled_labels_keep_their_counts() {
        let shuffled = numbered().shuffle_labels(1);
        assert_eq!(shuffled.inputs(), numbered().inputs());
        assert_eq!(shuffled.targets().counts(), numbered().targets().counts());
        assert_ne!(shuffled.targets(), numbered().targets());
    }

    #[test]
    fn map_must_keep_the_samples() {
        let images = Images::<1, 1, 2>::from_vec(vec![0.0; 20]).unwrap();
        let data = Dataset::new(images, numbered().targets().clone()).unwrap();
        assert_eq!(data.clone().map(Images::flatten::<2>).unwrap().len(), 10);
        assert!(data.map(|_| Rows::one([0.0])).is_err());
        assert_eq!(numbered().inputs_only().targets(), &());
    }
}
