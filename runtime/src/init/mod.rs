//! Initial values, by `torch.nn.init`'s formulas, in canonical order.

use crate::plan::{Init, Tensor};
use crate::rng;

/// Values made at a time: large weights never exist twice. A multiple of what one random number generator's block gives.
const PIECE: usize = 1 << 12;

/// All values of the tensor, from the seed and the tensor's name.
pub fn values(tensor: &Tensor, seed: u64) -> impl Iterator<Item = f32> {
    let mut piece = vec![0.0; PIECE];
    (0..usize::MAX).map(move |i| {
        if i % PIECE == 0 {
            fill(tensor, seed, i, &mut piece);
        }
        piece[i % PIECE]
    })
}

/// Fills `out` with the values from number `first` on, a multiple of four.
fn fill(tensor: &Tensor, seed: u64, first: usize, out: &mut [f32]) {
    let (fan_in, fan_out) = (tensor.fan_in.max(1) as f64, tensor.fan_out.max(1) as f64);
    let fan = |out: bool| if out { fan_out } else { fan_in };
    match tensor.init {
        Init::Zeros => out.fill(0.0),
        Init::Ones => out.fill(1.0),
        Init::Constant(value) => out.fill(value as f32),
        Init::Uniform { low, high } => uniform(tensor.name, seed, low, high, first, out),
        Init::Normal { mean, std } => normal(tensor.name, seed, mean, std, first, out),
        Init::KaimingUniform { gain, fan_out } => {
            let bound = gain * (3.0 / fan(fan_out)).sqrt();
            uniform(tensor.name, seed, -bound, bound, first, out);
        }
        Init::KaimingNormal { gain, fan_out } => {
            normal(tensor.name, seed, 0.0, gain / fan(fan_out).sqrt(), first, out);
        }
        Init::XavierUniform { gain } => {
            let bound = gain * (6.0 / (fan_in + fan_out)).sqrt();
            uniform(tensor.name, seed, -bound, bound, first, out);
        }
        Init::XavierNormal { gain } => {
            normal(tensor.name, seed, 0.0, gain * (2.0 / (fan_in + fan_out)).sqrt(), first, out);
        }
    }
}

/// Four words for elements `4 · block …` of a tensor.
fn words(name_hash: u64, key: [u32; 2], block: usize) -> [u32; 4] {
    let block = block as u64;
    rng::philox([block as u32, (block >> 32) as u32, name_hash as u32, (name_hash >> 32) as u32], key)
}

fn uniform(name: &str, seed: u64, low: f64, high: f64, first: usize, out: &mut [f32]) {
    let (hash, key) = (rng::hash(name), rng::key(seed, rng::INIT));
    for (block, chunk) in out.chunks_mut(4).enumerate() {
        for (value, word) in chunk.iter_mut().zip(words(hash, key, first / 4 + block)) {
            *value = (low + f64::from(rng::unit(word)) * (high - low)) as f32;
        }
    }
}

fn normal(name: &str, seed: u64, mean: f64, std: f64, first: usize, out: &mut [f32]) {
    let (hash, key) = (rng::hash(name), rng::key(seed, rng::INIT));
    for (block, chunk) in out.chunks_mut(4).enumerate() {
        let w = words(hash, key, first / 4 + block);
        let (a, b) = rng::normal(w[0], w[1]);
        let (c, d) = rng::normal(w[2], w[3]);
        for (value, z) in chunk.iter_mut().zip([a, b, c, d]) {
            *value = (mean + std * z) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Layout;

    fn sample(init: Init, name: &'static str, seed: u64) -> Vec<f32> {
        let layout = Layout { axes: &[], size: 0 };
        let tensor =
            Tensor { name, dims: &[], layout, offset: 0, init, fan_in: 25, fan_out: 100, trainable: true, decay: true };
        values(&tensor, seed).take(40_001).collect()
    }

    fn moments(values: &[f32]) -> (f64, f64, f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let var = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n;
        let low = values.iter().copied().fold(f32::MAX, f32::min);
        let high = values.iter().copied().fold(f32::MIN, f32::max);
        (mean, var.sqrt(), f64::from(low), f64::from(high))
    }

    #[test]
    fn uniform_bounds_and_moments() {
        let leaky = (2.0f64 / (1.0 + 5.0)).sqrt(); // kaiming_uniform_(a = sqrt(5)), Linear's default
        for (init, bound) in [
            (Init::KaimingUniform { gain: leaky, fan_out: false }, 1.0 / 5.0),
            (Init::KaimingUniform { gain: 1.0, fan_out: true }, (3.0f64 / 100.0).sqrt()),
            (Init::XavierUniform { gain: 2.0 }, 2.0 * (6.0f64 / 125.0).sqrt()),
            (Init::Uniform { low: -0.2, high: 0.2 }, 0.2),
        ] {
            let (mean, std, low, high) = moments(&sample(init, "w", 7));
            assert!(mean.abs() < 0.02 * bound, "{init:?}: mean {mean}");
            assert!((std - bound / 3f64.sqrt()).abs() < 0.02 * bound, "{init:?}: deviation {std}");
            assert!(low >= -bound * 1.000_001 && low < -0.999 * bound, "{init:?}: low {low}, bound {bound}");
            assert!(high <= bound * 1.000_001 && high > 0.999 * bound, "{init:?}: high {high}, bound {bound}");
        }
    }

    #[test]
    fn normal_moments() {
        for (init, expected_mean, expected_std) in [
            (Init::Normal { mean: 1.0, std: 0.5 }, 1.0, 0.5),
            (Init::KaimingNormal { gain: 2f64.sqrt(), fan_out: false }, 0.0, 2f64.sqrt() / 5.0),
            (Init::KaimingNormal { gain: 2f64.sqrt(), fan_out: true }, 0.0, 2f64.sqrt() / 10.0),
            (Init::XavierNormal { gain: 1.0 }, 0.0, (2.0f64 / 125.0).sqrt()),
        ] {
            let values = sample(init, "w", 7);
            let (mean, std, ..) = moments(&values);
            assert!((mean - expected_mean).abs() < 0.02 * expected_std, "{init:?}: mean {mean}");
            assert!((std - expected_std).abs() < 0.02 * expected_std, "{init:?}: deviation {std}");
            let beyond_two = values.iter().filter(|v| (f64::from(**v) - mean).abs() > 2.0 * std).count() as f64;
            assert!((beyond_two / values.len() as f64 - 0.0455).abs() < 0.005, "{init:?}: tails {beyond_two}");
        }
    }

    #[test]
    fn seed_and_name_decide() {
        let init = Init::Normal { mean: 0.0, std: 1.0 };
        assert_eq!(sample(init, "a", 1), sample(init, "a", 1));
        assert_ne!(sample(init, "a", 1), sample(init, "b", 1));
        assert_ne!(sample(init, "a", 1), sample(init, "a", 2));
        assert_ne!(sample(init, "a", 1), sample(init, "a", 1 << 32 | 1));
        assert_eq!(sample(Init::Constant(0.25), "a", 1)[40_000], 0.25);
    }
}
