//! Class indices: `Classes<N>`.

use std::fmt::Display;

use ndarray::{Array1, ArrayView1};

use super::Rows;
use super::feed::{Feed, PortValues};
use crate::error::Error;

/// One class index in `0..N` per sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes<const N: usize> {
    /// As the kernels read them.
    labels: Vec<i32>,
}

impl<const N: usize> Classes<N> {
    /// From one index a sample, of any integer type.
    ///
    /// # Errors
    /// Where an index is not in `0..N`.
    pub fn from_vec<L: TryInto<i32> + Copy + Display>(labels: Vec<L>) -> Result<Self, Error> {
        let checked = |(sample, label): (usize, &L)| match (*label).try_into() {
            Ok(index) if Self::has(index) => Ok(index),
            _ => Err(Self::out_of_range(sample, label)),
        };
        Ok(Self { labels: labels.iter().enumerate().map(checked).collect::<Result<_, _>>()? })
    }

    /// One sample.
    ///
    /// # Errors
    /// Where the index is not in `0..N`.
    pub fn one<L: TryInto<i32> + Copy + Display>(label: L) -> Result<Self, Error> {
        Self::from_vec(vec![label])
    }

    /// From indices that are in range by construction.
    pub(super) fn from_checked(labels: Vec<i32>) -> Self {
        debug_assert!(labels.iter().all(|&label| Self::has(label)));
        Self { labels }
    }

    #[cold]
    fn out_of_range(sample: usize, label: &dyn Display) -> Error {
        Error::data(format!("label of sample {sample}"), format!("a class in 0..{N}"), label)
    }

    fn has(label: i32) -> bool {
        usize::try_from(label).is_ok_and(|label| label < N)
    }

    /// Samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The class of one sample.
    ///
    /// # Panics
    /// Where `index` is `len()` or above, as slices do.
    pub fn row(&self, index: usize) -> usize {
        self.labels[index] as usize
    }

    /// The class of each sample in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = usize> + Clone + '_ {
        self.labels.iter().map(|&label| label as usize)
    }

    pub fn as_slice(&self) -> &[i32] {
        &self.labels
    }

    /// As an array of shape `[samples]`.
    pub fn view(&self) -> ArrayView1<'_, i32> {
        ArrayView1::from(&self.labels[..])
    }

    /// Samples of each class.
    pub fn counts(&self) -> [usize; N] {
        let mut counts = [0; N];
        self.iter().for_each(|class| counts[class] += 1);
        counts
    }

    /// 1 at the class, 0 elsewhere.
    pub fn one_hot(&self) -> Rows<N> {
        let mut values = vec![0.0; self.len() * N];
        self.iter().enumerate().for_each(|(sample, class)| values[sample * N + class] = 1.0);
        Rows::from_vec(values).expect("N values a sample")
    }
}

impl<const N: usize> TryFrom<Array1<i32>> for Classes<N> {
    type Error = Error;

    fn try_from(array: Array1<i32>) -> Result<Self, Error> {
        Self::from_vec(array.to_vec())
    }
}

impl<const N: usize> Feed for Classes<N> {
    fn empty() -> Self {
        Self { labels: Vec::new() }
    }

    fn len(&self) -> usize {
        self.len()
    }

    fn gather_into(&self, rows: &[usize], out: &mut Self) {
        out.labels.clear();
        out.labels.extend(rows.iter().map(|&row| self.labels[row]));
    }

    fn each_port<'a>(&'a self, f: &mut dyn FnMut(PortValues<'a>)) {
        f(PortValues::Integers(&self.labels));
    }

    fn check(&self) -> Result<(), Error> {
        match self.labels.iter().position(|&label| !Self::has(label)) {
            None => Ok(()),
            Some(sample) => Err(Self::out_of_range(sample, &self.labels[sample])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_any_integer_type_but_in_range() {
        assert_eq!(Classes::<3>::from_vec(vec![0u8, 2]).unwrap().counts(), [1, 0, 1]);
        assert_eq!(Classes::<3>::from_vec(vec![1usize]).unwrap(), Classes::one(1).unwrap());
        let text = |result: Result<Classes<3>, Error>| result.unwrap_err().to_string();
        assert_eq!(text(Classes::from_vec(vec![0, 1, 3])), "label of sample 2: expected a class in 0..3, found 3");
        assert_eq!(text(Classes::from_vec(vec![-1])), "label of sample 0: expected a class in 0..3, found -1");
        assert_eq!(
            text(Classes::one(u64::MAX)),
            format!("label of sample 0: expected a class in 0..3, found {}", u64::MAX)
        );
        assert_eq!(text(Array1::from(vec![7]).try_into()), "label of sample 0: expected a class in 0..3, found 7");
    }

    #[test]
    fn one_hot_inverts_argmax() {
        let classes = Classes::<4>::from_vec(vec![3, 0, 2]).unwrap();
        assert_eq!(classes.one_hot().argmax(), classes);
        assert_eq!(classes.view().to_vec(), [3, 0, 2]);
    }
}
