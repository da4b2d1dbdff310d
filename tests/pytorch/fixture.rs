//! Reading the fixtures, making the numbers that both sides make, and comparing.

use std::path::Path;

use safetensors::{Dtype, SafeTensors};

/// The largest accepted norm of a difference, in norms of the expected tensor.
const TOLERANCE: f64 = 1e-4;
/// Accepted per element where the expected tensor is (nearly) zero.
const ZERO: f64 = 1e-6;
/// Tensors with more elements than this are stored as every 97th one.
const WHOLE: usize = 4096;
const STRIDE: usize = 97;

/// One fixture file.
pub struct Fixture {
    name: String,
    bytes: Vec<u8>,
}

/// A tensor of a fixture.
pub struct Stored {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

impl Fixture {
    pub fn read(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        Self::at(&folder.join(format!("{name}.safetensors")))
    }

    pub fn at(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        Self { name: path.display().to_string(), bytes }
    }

    fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).expect("a sound fixture")
    }

    /// Integers become `f32`.
    pub fn get(&self, key: &str) -> Stored {
        let file = self.file();
        let tensor = file.tensor(key).unwrap_or_else(|_| panic!("{} has no `{key}`", self.name));
        let words = tensor.data().as_chunks::<4>().0.iter();
        let values = match tensor.dtype() {
            Dtype::F32 => words.map(|word| f32::from_le_bytes(*word)).collect(),
            Dtype::I32 => words.map(|word| i32::from_le_bytes(*word) as f32).collect(),
            other => panic!("{key} is {other:?}"),
        };
        Stored { shape: tensor.shape().to_vec(), values }
    }

    /// In double precision.
    pub fn doubles(&self, key: &str) -> Vec<f64> {
        let file = self.file();
        let tensor = file.tensor(key).unwrap_or_else(|_| panic!("{} has no `{key}`", self.name));
        assert_eq!(tensor.dtype(), Dtype::F64, "{key}");
        tensor.data().as_chunks::<8>().0.iter().map(|word| f64::from_le_bytes(*word)).collect()
    }

    /// What follows `prefix` in the keys that begin with it.
    pub fn after(&self, prefix: &str) -> Vec<String> {
        let file = self.file();
        let mut names: Vec<String> =
            file.names().into_iter().filter_map(|key| key.strip_prefix(prefix).map(str::to_owned)).collect();
        names.sort();
        names
    }
}

/// Element after element of `uniform(name)`.
pub fn uniform(name: &str) -> impl Iterator<Item = f32> {
    let seed = name.bytes().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (0u32..).map(move |i| {
        let mut x = i.wrapping_mul(0x9e37_79b9).wrapping_add(seed);
        x ^= x >> 16;
        x = x.wrapping_mul(0x85eb_ca6b);
        x ^= x >> 13;
        x = x.wrapping_mul(0xc2b2_ae35);
        x ^= x >> 16;
        (x >> 8) as f32 * 2f32.powi(-23) - 1.0
    })
}

/// The part of a tensor that a fixture stores.
pub fn sampled(values: impl ExactSizeIterator<Item = f32>) -> Vec<f32> {
    let step = if values.len() > WHOLE { STRIDE } else { 1 };
    values.step_by(step).collect()
}

/// Panics where the values are not PyTorch's.
pub fn close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}: number of values");
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(expected).map(|(&a, &b)| f64::from(a) - f64::from(b)));
    let size = norm(&mut expected.iter().map(|&x| f64::from(x)));
    let accepted = TOLERANCE * size + ZERO * (expected.len() as f64).sqrt();
    // A NaN is not near.
    let near = difference <= accepted;
    if !near {
        let worst = (0..found.len()).max_by(|&i, &j| {
            let error = |i: usize| (found[i] - expected[i]).abs();
            error(i).total_cmp(&error(j))
        });
        let worst = worst.map(|i| format!("; worst at {i}: {} instead of {}", found[i], expected[i]));
        panic!("{what}: differs from PyTorch by {difference:.3e} of {size:.3e}{}", worst.unwrap_or_default());
    }
}

#[test]
fn uniform_is_the_scripts() {
    // The weights that every optimizer case starts from are stored.
    let stored = Fixture::read("optimizers").get("w");
    assert_eq!(uniform("optimizer.w").take(stored.values.len()).collect::<Vec<_>>(), stored.values);
}
