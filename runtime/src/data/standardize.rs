//! Standardisation of host data: `(x − mean) / deviation`, fitted on the training part.
//!
//! For data at rest. A network that shall carry its own mean and deviation does so in its weights file, with the
//! layer `Standardize` and `Model::fit_standardize`.

use super::dataset::Dataset;
use super::dense::Dense;
use super::feed::Feed;
use crate::error::Error;

/// Mean and deviation of each group of values.
pub(crate) struct Fitted {
    pub mean: Vec<f64>,
    /// 1 where a group is constant.
    pub deviation: Vec<f64>,
}

/// Of samples of `size` values, in which each `run` of neighbours shares a mean. There is at least one sample.
pub(crate) fn fit_moments(values: &[f32], size: usize, run: usize) -> Fitted {
    let groups = size / run;
    let count = (values.len() / groups) as f64;
    // Two passes in f64: a large mean over a small deviation must not cancel.
    let mut mean = vec![0.0f64; groups];
    for (i, chunk) in values.chunks_exact(run).enumerate() {
        mean[i % groups] += chunk.iter().map(|&x| f64::from(x)).sum::<f64>();
    }
    mean.iter_mut().for_each(|sum| *sum /= count);
    let mut variance = vec![0.0f64; groups];
    for (i, chunk) in values.chunks_exact(run).enumerate() {
        let mean = mean[i % groups];
        variance[i % groups] += chunk.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>();
    }
    let deviation = |(sum, mean): (f64, &f64)| {
        let variance = sum / count;
        let deviation = variance.sqrt();
        // What no `f32` divides by is as good as constant.
        let divides = (1.0 / deviation) as f32;
        if is_constant(variance, *mean, count) || divides.is_infinite() { 1.0 } else { deviation }
    };
    Fitted { deviation: variance.into_iter().zip(&mean).map(deviation).collect(), mean }
}

/// Whether a variance is nothing but what the sums of `count` values around `mean` were rounded by: scikit-learn's rule for
/// constant features (`_is_constant_feature` of its `StandardScaler`).
fn is_constant(variance: f64, mean: f64, count: f64) -> bool {
    let rounding = count * f64::EPSILON;
    variance <= rounding * variance + (rounding * mean).powi(2)
}

/// Means and deviations fitted on one data set, to be applied to all.
///
/// ```
/// # use kiln::data::{Dataset, Images, Standardizer};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let images = Images::<1, 1, 2>::from_vec(vec![1.0, 2.0, 3.0, 2.0])?;
/// # let data = Dataset::new(images, ())?;
/// let (train, valid) = data.split(0.5, 42);
/// let standardizer = Standardizer::per_channel(&train)?;
/// let (train, valid) = (standardizer.apply(train), standardizer.apply(valid));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Standardizer<I: Dense> {
    /// In double precision, so that a large mean over a small deviation is taken off exactly.
    mean: Vec<f64>,
    deviation: Vec<f64>,
    /// Neighbouring values of a sample that share a mean.
    run: usize,
    of: std::marker::PhantomData<I>,
}

impl<I: Dense> Standardizer<I> {
    /// One mean and deviation for each channel (the first axis of a sample).
    ///
    /// # Errors
    /// Where there is no sample.
    pub fn per_channel<T: Feed>(train: &Dataset<I, T>) -> Result<Self, Error> {
        Self::fit(train.inputs(), I::SIZE / I::SHAPE[0])
    }

    /// One mean and deviation for each value of a sample. What is constant in the training part is only centred.
    ///
    /// # Errors
    /// Where there is no sample.
    pub fn per_pixel<T: Feed>(train: &Dataset<I, T>) -> Result<Self, Error> {
        Self::fit(train.inputs(), 1)
    }

    fn fit(inputs: &I, run: usize) -> Result<Self, Error> {
        if inputs.is_empty() {
            return Err(Error::empty("the data set to fit a standardizer on"));
        }
        let Fitted { mean, deviation } = fit_moments(inputs.values(), I::SIZE, run);
        Ok(Self { mean, deviation, run, of: std::marker::PhantomData })
    }

    /// The data set with standardised inputs.
    pub fn apply<T: Feed>(&self, mut data: Dataset<I, T>) -> Dataset<I, T> {
        self.apply_to(data.inputs_mut());
        data
    }

    /// Standardises in place, for inputs that belong to no data set.
    pub fn apply_to(&self, inputs: &mut I) {
        for (i, chunk) in inputs.values_mut().chunks_exact_mut(self.run).enumerate() {
            let (mean, deviation) = (self.mean[i % self.mean.len()], self.deviation[i % self.mean.len()]);
            chunk.iter_mut().for_each(|x| *x = ((f64::from(*x) - mean) / deviation) as f32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Images;
    use super::*;

    fn data(values: Vec<f32>) -> Dataset<Images<2, 1, 2>> {
        Dataset::new(Images::from_vec(values).unwrap(), ()).unwrap()
    }

    #[test]
    fn per_channel() {
        let train = data(vec![1.0, 3.0, 100.0, 100.0, 5.0, 7.0, 100.0, 100.0]);
        let fitted = Standardizer::per_channel(&train).unwrap();
        let out = fitted.apply(train);
        let deviation = 5f32.sqrt();
        let expected = [-3.0, -1.0, 0.0, 0.0, 1.0, 3.0, 0.0, 0.0].map(|x| x / deviation);
        for (a, b) in out.inputs().as_slice().iter().zip(expected.map(|x| if x == 0.0 { 0.0 } else { x })) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
        let valid = fitted.apply(data(vec![4.0, 4.0, 101.0, 99.0]));
        assert_eq!(valid.inputs().as_slice(), [0.0, 0.0, 1.0, -1.0], "the training part's numbers");
    }

    #[test]
    fn per_pixel_and_constant_pixels() {
        let train = data(vec![1.0, 3.0, 0.0, 2.0, 5.0, 3.0, 0.0, 4.0]);
        let out = Standardizer::per_pixel(&train).unwrap().apply(train);
        assert_eq!(out.inputs().as_slice(), [-1.0, 0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 1.0]);
        // Small is not constant, and constant is not what rounding makes of it: 0.1 is none of the fractions that add up exactly.
        let small = data([0.0, 2e-6, 1e6, 0.1].iter().chain(&[2e-6, 0.0, 1e6 + 1.0, 0.1]).copied().collect());
        let out = Standardizer::per_pixel(&small).unwrap().apply(small);
        for (found, expected) in out.inputs().as_slice().iter().zip([-1.0, 1.0, -1.0, 0.0, 1.0, -1.0, 1.0, 0.0]) {
            assert!((found - expected).abs() < 1e-6, "{:?}", out.inputs().as_slice());
        }
        let alike = data([0.1, 1e-30, 3e38, 0.0].repeat(1001));
        let out = Standardizer::per_pixel(&alike).unwrap().apply(alike);
        assert!(out.inputs().as_slice().iter().all(|x| x.abs() < 1e-6), "constant values are only centred");
        assert_eq!(
            Standardizer::per_pixel(&data(vec![])).unwrap_err().to_string(),
            "the data set to fit a standardizer on is empty"
        );
    }
}
