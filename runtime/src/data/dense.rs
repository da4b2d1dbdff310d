//! Dense sample sets: `Rows<N>`, `Sequences<C, L>`, `Images<C, H, W>`.
//!
//! Three distinct structs over the same storage, so that a data set of another shape than a network's input is a type
//! error that names both shapes. They come from one macro: they differ in their extents and in nothing else.

use ndarray::{Array, ArrayView, Ix2, Ix3, Ix4};

use super::feed::{Feed, PortValues, Receive};
use super::{Classes, idx};
use crate::error::Error;

/// Samples of dense `f32` values, all of one static shape.
pub trait Dense: Feed {
    /// Shape of one sample.
    const SHAPE: &'static [usize];
    /// Values of one sample.
    const SIZE: usize;

    /// All values, batch first, row-major.
    fn values(&self) -> &[f32];

    /// All values, batch first, row-major.
    fn values_mut(&mut self) -> &mut [f32];

    /// From the values of whole samples; an error where `values.len()` is no multiple of [`SIZE`](Dense::SIZE).
    fn from_values(values: Vec<f32>) -> Result<Self, Error>;

    /// The type as written, `Images<1, 28, 28>`.
    fn type_name() -> String;

    /// Whether a file with this shape a sample holds such samples.
    #[doc(hidden)]
    fn fits(shape: &[usize]) -> bool;
}

macro_rules! dense {
    (
        $(#[$doc:meta])* $Name:ident<$($d:ident),+>, $nested:ty, $Ix:ty, shape = $shape:literal,
        fits($found:ident) = $fits:expr
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $Name<$(const $d: usize),+> {
            values: Vec<f32>,
        }

        impl<$(const $d: usize),+> $Name<$($d),+> {
            const SIZE: usize = {
                let size = 1 $(* $d)+;
                assert!(size > 0, "a sample needs at least one value");
                size
            };

            #[doc = concat!("From the values of whole samples in row-major order, ", $shape, ".")]
            ///
            /// # Errors
            /// Where the length is no multiple of a sample's size.
            pub fn from_vec(values: Vec<f32>) -> Result<Self, Error> {
                if values.len() % Self::SIZE != 0 {
                    let expected = format!("a multiple of {} values", Self::SIZE);
                    return Err(Error::data(<Self as Dense>::type_name(), expected, values.len()));
                }
                Ok(Self { values })
            }

            /// One sample.
            pub fn one(sample: $nested) -> Self {
                let mut values = Vec::with_capacity(Self::SIZE);
                Flat::flatten_into(&sample, &mut values);
                Self { values }
            }

            /// Samples.
            pub fn len(&self) -> usize {
                self.values.len() / Self::SIZE
            }

            pub fn is_empty(&self) -> bool {
                self.values.is_empty()
            }

            /// The values of one sample in row-major order.
            ///
            /// # Panics
            /// Where `index` is `len()` or above, as slices do.
            pub fn row(&self, index: usize) -> &[f32] {
                &self.values[index * Self::SIZE..][..Self::SIZE]
            }

            /// All samples in order.
            pub fn rows(&self) -> std::slice::ChunksExact<'_, f32> {
                self.values.chunks_exact(Self::SIZE)
            }

            /// All values, batch first.
            pub fn as_slice(&self) -> &[f32] {
                &self.values
            }

            /// All values, batch first.
            pub fn into_vec(self) -> Vec<f32> {
                self.values
            }

            #[doc = concat!("As an array of shape ", $shape, ".")]
            pub fn view(&self) -> ArrayView<'_, f32, $Ix> {
                let shape: $Ix = ndarray::Dim([self.len(), $($d),+]);
                ArrayView::from_shape(shape, &self.values).expect("the storage holds whole samples")
            }
        }

        impl<$(const $d: usize),+> Dense for $Name<$($d),+> {
            const SHAPE: &'static [usize] = &[$($d),+];
            const SIZE: usize = Self::SIZE;

            fn values(&self) -> &[f32] {
                &self.values
            }

            fn values_mut(&mut self) -> &mut [f32] {
                &mut self.values
            }

            fn from_values(values: Vec<f32>) -> Result<Self, Error> {
                Self::from_vec(values)
            }

            fn type_name() -> String {
                let extents: Vec<String> = Self::SHAPE.iter().map(usize::to_string).collect();
                format!("{}<{}>", stringify!($Name), extents.join(", "))
            }

            fn fits($found: &[usize]) -> bool {
                $fits
            }
        }

        impl<$(const $d: usize),+> TryFrom<Array<f32, $Ix>> for $Name<$($d),+> {
            type Error = Error;

            #[doc = concat!("From an array of shape ", $shape, ".")]
            fn try_from(array: Array<f32, $Ix>) -> Result<Self, Error> {
                if array.shape()[1..] != *Self::SHAPE {
                    let expected = format!("an array of shape {}", idx::shape_text(Self::SHAPE));
                    return Err(Error::data(<Self as Dense>::type_name(), expected, format!("{:?}", array.shape())));
                }
                let values = if array.is_standard_layout() {
                    let samples = array.len();
                    let (mut values, offset) = array.into_raw_vec_and_offset();
                    values.drain(..offset.unwrap_or(0));
                    values.truncate(samples);
                    values
                } else {
                    array.iter().copied().collect()
                };
                Ok(Self { values })
            }
        }

        impl<$(const $d: usize),+> Feed for $Name<$($d),+> {
            fn empty() -> Self {
                Self { values: Vec::new() }
            }

            fn len(&self) -> usize {
                self.len()
            }

            fn gather_into(&self, rows: &[usize], out: &mut Self) {
                out.values.clear();
                out.values.reserve(rows.len() * Self::SIZE);
                for &row in rows {
                    out.values.extend_from_slice(self.row(row));
                }
            }

            fn each_port<'a>(&'a self, f: &mut dyn FnMut(PortValues<'a>)) {
                f(PortValues::Floats(&self.values));
            }

            /// Always well: the constructors let whole samples through only.
            fn check(&self) -> Result<(), Error> {
                Ok(())
            }
        }

        impl<$(const $d: usize),+> Receive for $Name<$($d),+> {
            fn from_buffers(samples: usize, mut buffers: Vec<Vec<f32>>) -> Self {
                assert_eq!(buffers.len(), 1, "one output, one buffer");
                let values = buffers.pop().expect("one buffer");
                assert_eq!(values.len(), samples * Self::SIZE, "whole samples");
                Self { values }
            }

            fn buffers(&mut self, f: &mut dyn FnMut(&mut Vec<f32>)) {
                f(&mut self.values);
                assert_eq!(self.values.len() % Self::SIZE, 0, "whole samples");
            }
        }
    };
}

dense! {
    /// Vectors of `N` values: `[N]` per sample.
    Rows<N>, [f32; N], Ix2, shape = "`[samples, N]`",
    fits(found) = found.iter().try_fold(1usize, |size, &extent| size.checked_mul(extent)) == Some(N)
}

dense! {
    /// Sequences of `L` steps in `C` channels: `[C, L]` per sample.
    Sequences<C, L>, [[f32; L]; C], Ix3, shape = "`[samples, C, L]`",
    fits(found) = found == [C, L] || (C == 1 && found == [L])
}

dense! {
    /// Images of `C` channels, `H` rows and `W` columns: `[C, H, W]` per sample.
    Images<C, H, W>, [[[f32; W]; H]; C], Ix4, shape = "`[samples, C, H, W]`",
    fits(found) = found == [C, H, W] || (C == 1 && found == [H, W])
}

/// Nested arrays of `f32`, whatever their depth.
trait Flat {
    fn flatten_into(&self, out: &mut Vec<f32>);
}

impl Flat for f32 {
    fn flatten_into(&self, out: &mut Vec<f32>) {
        out.push(*self);
    }
}

impl<T: Flat, const K: usize> Flat for [T; K] {
    fn flatten_into(&self, out: &mut Vec<f32>) {
        self.iter().for_each(|item| item.flatten_into(out));
    }
}

/// The index of the largest value. Equal values: the first. NaN counts as largest, as in PyTorch. Kernels that count right
/// answers decide the same.
pub(crate) fn argmax(row: &[f32]) -> usize {
    let better = |best: f32, x: f32| x > best || (x.is_nan() && !best.is_nan());
    row.iter().enumerate().fold(0, |best, (i, &x)| if better(row[best], x) { i } else { best })
}

impl<const N: usize> Rows<N> {
    /// The index of each sample's largest value. Equal values: the first. NaN counts as largest, as in PyTorch.
    pub fn argmax(&self) -> Classes<N> {
        Classes::from_checked(self.rows().map(|row| argmax(row) as i32).collect())
    }

    /// `exp(x) / Σ exp(x)` of each sample, computed against its maximum.
    pub fn softmax(&self) -> Rows<N> {
        let mut values = self.values.clone();
        for row in values.chunks_exact_mut(N) {
            let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            row.iter_mut().for_each(|x| *x = (*x - max).exp());
            let sum = row.iter().map(|x| f64::from(*x)).sum::<f64>() as f32;
            row.iter_mut().for_each(|x| *x /= sum);
        }
        Rows { values }
    }
}

impl<const C: usize, const H: usize, const W: usize> Images<C, H, W> {
    /// The same values as vectors; `N` must be `C * H * W`, which is checked while compiling.
    pub fn flatten<const N: usize>(self) -> Rows<N> {
        const { assert!(N == C * H * W, "`flatten` gives rows of C * H * W values") };
        Rows { values: self.values }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Array4};

    use super::*;

    fn digits() -> Rows<3> {
        Rows::from_vec(vec![1.0, 2.0, 3.0, 6.0, 5.0, 4.0]).unwrap()
    }

    #[test]
    fn whole_samples_only() {
        assert_eq!(digits().len(), 2);
        assert_eq!(digits().row(1), [6.0, 5.0, 4.0]);
        let error = Images::<1, 2, 2>::from_vec(vec![0.0; 7]).unwrap_err().to_string();
        assert_eq!(error, "Images<1, 2, 2>: expected a multiple of 4 values, found 7");
        assert!(Rows::<3>::from_vec(Vec::new()).unwrap().is_empty());
    }

    #[test]
    fn one_flattens_row_major() {
        let image = Images::one([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]);
        assert_eq!(image.as_slice(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        assert_eq!(image.view()[[0, 1, 0, 1]], 6.0);
        assert_eq!(image.flatten::<8>().row(0)[5], 6.0);
        assert_eq!(Sequences::one([[1.0, 2.0]]).view().shape(), [1, 1, 2]);
        assert_eq!(Rows::one([4.0]).len(), 1);
    }

    #[test]
    fn arrays_of_any_memory_order() {
        let array = Array2::from_shape_fn((4, 3), |(i, j)| (10 * i + j) as f32);
        let rows = Rows::<3>::try_from(array.clone()).unwrap();
        assert_eq!(rows.view(), array);
        let sliced = array.clone().slice_move(ndarray::s![1..3, ..]);
        assert_eq!(Rows::<3>::try_from(sliced).unwrap().as_slice(), [10.0, 11.0, 12.0, 20.0, 21.0, 22.0]);
        let transposed = array.reversed_axes();
        assert_eq!(Rows::<4>::try_from(transposed).unwrap().row(1), [1.0, 11.0, 21.0, 31.0]);
        let error = Images::<1, 2, 2>::try_from(Array4::zeros((5, 1, 2, 3))).unwrap_err().to_string();
        assert_eq!(error, "Images<1, 2, 2>: expected an array of shape [_, 1, 2, 2], found [5, 1, 2, 3]");
    }

    #[test]
    fn argmax_takes_the_first_maximum_and_softmax_survives_large_logits() {
        assert_eq!(digits().argmax(), Classes::from_vec(vec![2, 0]).unwrap());
        assert_eq!(Rows::one([1.0, 3.0, 3.0]).argmax().row(0), 1);
        assert_eq!(Rows::one([1.0, f32::NAN, 3.0]).argmax().row(0), 1);
        assert_eq!(Rows::one([f32::NAN, 1.0, f32::NAN]).argmax().row(0), 0);
        let even = Rows::one([1000.0, 1000.0]).softmax();
        assert_eq!(even.row(0), [0.5, 0.5]);
        let sum: f32 = digits().softmax().row(0).iter().sum();
        assert!((sum - 1.0).abs() < 1e-6);
    }

    #[test]
    fn gathers_in_the_asked_order_without_growing() {
        let mut out = Rows::empty();
        digits().gather_into(&[1, 0, 1], &mut out);
        assert_eq!(out.as_slice(), [6.0, 5.0, 4.0, 1.0, 2.0, 3.0, 6.0, 5.0, 4.0]);
        let before = out.as_slice().as_ptr();
        digits().gather_into(&[0], &mut out);
        assert_eq!((out.len(), out.as_slice().as_ptr()), (1, before));
        let mut ports = 0;
        out.each_port(&mut |port| {
            assert_eq!(port, PortValues::Floats(&[1.0, 2.0, 3.0]));
            ports += 1;
        });
        assert_eq!(ports, 1);
    }
}
