//! Lists of integers: `Ids<L, V>`.

use std::fmt::Display;

use ndarray::{Array2, ArrayView2};

use super::feed::{Feed, PortValues};
use crate::error::Error;

/// `L` ids in `0..V` per sample: words of a text, items of a catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids<const L: usize, const V: usize> {
    /// As the kernels read them.
    ids: Vec<i32>,
}

impl<const L: usize, const V: usize> Ids<L, V> {
    const LENGTH: usize = {
        assert!(L > 0, "a sample needs at least one id");
        L
    };

    /// From the ids of whole samples, of any integer type.
    ///
    /// # Errors
    /// Where the length is no multiple of `L`, or an id is not in `0..V`.
    pub fn from_vec<I: TryInto<i32> + Copy + Display>(ids: Vec<I>) -> Result<Self, Error> {
        if !ids.len().is_multiple_of(Self::LENGTH) {
            return Err(Error::data(format!("Ids<{L}, {V}>"), format!("a multiple of {L} ids"), ids.len()));
        }
        let checked = |(place, id): (usize, &I)| match (*id).try_into() {
            Ok(id) if Self::has(id) => Ok(id),
            _ => Err(Self::out_of_range(place, id)),
        };
        Ok(Self { ids: ids.iter().enumerate().map(checked).collect::<Result<_, _>>()? })
    }

    /// One sample.
    ///
    /// # Errors
    /// Where an id is not in `0..V`.
    pub fn one<I: TryInto<i32> + Copy + Display>(ids: [I; L]) -> Result<Self, Error> {
        Self::from_vec(ids.to_vec())
    }

    #[cold]
    fn out_of_range(place: usize, id: &dyn Display) -> Error {
        let (sample, position) = (place / Self::LENGTH, place % Self::LENGTH);
        Error::data(format!("id {position} of sample {sample}"), format!("an id in 0..{V}"), id)
    }

    fn has(id: i32) -> bool {
        usize::try_from(id).is_ok_and(|id| id < V)
    }

    /// Samples.
    pub fn len(&self) -> usize {
        self.ids.len() / Self::LENGTH
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The ids of one sample.
    ///
    /// # Panics
    /// Where `index` is `len()` or above, as slices do.
    pub fn row(&self, index: usize) -> &[i32] {
        &self.ids[index * L..][..L]
    }

    /// All samples in order.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, i32> {
        self.ids.chunks_exact(Self::LENGTH)
    }

    /// All ids, batch first.
    pub fn as_slice(&self) -> &[i32] {
        &self.ids
    }

    /// As an array of shape `[samples, L]`.
    pub fn view(&self) -> ArrayView2<'_, i32> {
        ArrayView2::from_shape((self.len(), L), &self.ids).expect("the storage holds whole samples")
    }
}

impl<const L: usize, const V: usize> TryFrom<Array2<i32>> for Ids<L, V> {
    type Error = Error;

    /// From an array of shape `[samples, L]`.
    fn try_from(array: Array2<i32>) -> Result<Self, Error> {
        if array.ncols() != L {
            let expected = format!("an array of shape [samples, {L}]");
            return Err(Error::data(format!("Ids<{L}, {V}>"), expected, format!("{:?}", array.shape())));
        }
        Self::from_vec(array.iter().copied().collect())
    }
}

impl<const L: usize, const V: usize> Feed for Ids<L, V> {
    fn empty() -> Self {
        Self { ids: Vec::new() }
    }

    fn len(&self) -> usize {
        self.len()
    }

    fn gather_into(&self, rows: &[usize], out: &mut Self) {
        out.ids.clear();
        out.ids.reserve(rows.len() * L);
        for &row in rows {
            out.ids.extend_from_slice(self.row(row));
        }
    }

    fn each_port<'a>(&'a self, f: &mut dyn FnMut(PortValues<'a>)) {
        f(PortValues::Integers(&self.ids));
    }

    fn check(&self) -> Result<(), Error> {
        match self.ids.iter().position(|&id| !Self::has(id)) {
            None => Ok(()),
            Some(place) => Err(Self::out_of_range(place, &self.ids[place])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_any_integer_type_but_in_range() {
        let ids = Ids::<2, 3>::from_vec(vec![0u8, 2, 1, 1]).unwrap();
        assert_eq!((ids.len(), ids.row(1)), (2, &[1, 1][..]));
        assert_eq!(ids.view().row(0).to_vec(), [0, 2]);
        assert_eq!(Ids::<2, 3>::one([1usize, 1]).unwrap().as_slice(), ids.row(1));
        let text = |result: Result<Ids<2, 3>, Error>| result.unwrap_err().to_string();
        assert_eq!(text(Ids::from_vec(vec![0, 1, 2, 3])), "id 1 of sample 1: expected an id in 0..3, found 3");
        assert_eq!(text(Ids::one([-1, 0])), "id 0 of sample 0: expected an id in 0..3, found -1");
        assert_eq!(text(Ids::from_vec(vec![0, 1, 2])), "Ids<2, 3>: expected a multiple of 2 ids, found 3");
        assert_eq!(
            text(ndarray::arr2(&[[1, 2, 0]]).try_into()),
            "Ids<2, 3>: expected an array of shape [samples, 2], found [1, 3]"
        );
    }

    #[test]
    fn batches_are_gathered() {
        let ids = Ids::<2, 9>::from_vec((0..8).collect()).unwrap();
        let mut batch = Ids::empty();
        ids.gather_into(&[3, 0, 3], &mut batch);
        assert_eq!(batch.as_slice(), [6, 7, 0, 1, 6, 7]);
        assert!(batch.check().is_ok());
    }
}
