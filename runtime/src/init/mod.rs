//! Initial values, by `torch.nn.init`'s formulas, in canonical order.

mod orthogonal;
mod quantile;

use crate::plan::{Init, Tensor};
use crate::rng;
use quantile::{normal_cdf, normal_quantile};

/// Values made at a time: large weights never exist twice. A multiple of what one random number generator's block gives.
const PIECE: usize = 1 << 12;

/// All values of the tensor, from the seed and the tensor's name.
pub fn values(tensor: &Tensor, seed: u64) -> impl Iterator<Item = f32> {
    // Orthogonal ones exist all at once or not at all.
    let (mut piece, all) = match tensor.init {
        Init::Orthogonal { gain } => (orthogonal::values(tensor, seed, gain), true),
        _ => (vec![0.0; PIECE], false),
    };
    (0..usize::MAX).map(move |i| {
        if all {
            return piece.get(i).copied().unwrap_or(0.0);
        }
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
        Init::TruncatedNormal { mean, std, low, high } => {
            truncated(tensor.name, seed, [mean, std, low, high], first, out);
        }
        Init::Orthogonal { .. } => unreachable!("`values` makes them"),
        Init::Identity { shape } => {
            let columns = shape.map_or_else(|| tensor.dims.last().copied().unwrap_or(1), |[_, columns]| columns);
            let one = |i: usize| i / columns == i % columns;
            out.iter_mut().enumerate().for_each(|(i, value)| *value = f32::from(one(first + i)));
        }
        Init::Dirac { groups } => {
            out.iter_mut().enumerate().for_each(|(i, value)| *value = f32::from(dirac(tensor.dims, groups, first + i)));
        }
        Init::NormalBut { first: start, count } => {
            normal(tensor.name, seed, 0.0, 1.0, first, out);
            let zeros = start.max(first)..(start + count).min(first + out.len());
            if zeros.start < zeros.end {
                out[zeros.start - first..zeros.end - first].fill(0.0);
            }
        }
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

/// By the inverse of the distribution function, as PyTorch's `trunc_normal_`.
fn truncated(name: &str, seed: u64, [mean, std, low, high]: [f64; 4], first: usize, out: &mut [f32]) {
    let (hash, key) = (rng::hash(name), rng::key(seed, rng::INIT));
    let (from, to) = (normal_cdf((low - mean) / std), normal_cdf((high - mean) / std));
    for (block, chunk) in out.chunks_mut(4).enumerate() {
        for (value, word) in chunk.iter_mut().zip(words(hash, key, first / 4 + block)) {
            // (0, 1), so that no end is infinitely far.
            let u = (f64::from(word) + 0.5) / 4_294_967_296.0;
            *value = (mean + std * normal_quantile(from + u * (to - from))).clamp(low, high) as f32;
        }
    }
}

/// Whether element `i` of a convolution's weight `[o, i, …]` passes a channel on: the middle of the window, and as many input
/// channels as each group of output channels has.
fn dirac(dims: &[usize], groups: usize, i: usize) -> bool {
    let [outputs, inputs, window @ ..] = dims else { return false };
    let taps: usize = window.iter().product();
    let middle = window.iter().fold(0, |at, extent| at * extent + extent / 2);
    let (output, input) = (i / taps / inputs, i / taps % inputs);
    i % taps == middle && output % (outputs / groups) == input
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Layout;

    fn sample(init: Init, name: &'static str, seed: u64) -> Vec<f32> {
        let layout = Layout { axes: &[], size: 0 };
        let (trainable, gradient, decay) = (true, true, true);
        let (offset, fan_in, fan_out) = (0, 25, 100);
        let tensor = Tensor { name, dims: &[], layout, offset, init, fan_in, fan_out, trainable, gradient, decay };
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

    fn shaped(init: Init, dims: &'static [usize]) -> Vec<f32> {
        let layout = Layout { axes: &[], size: 0 };
        let (name, fan_in, fan_out) = ("w", 1, 1);
        let (offset, trainable, gradient, decay) = (0, true, true, true);
        let tensor = Tensor { name, dims, layout, offset, init, fan_in, fan_out, trainable, gradient, decay };
        values(&tensor, 3).take(dims.iter().product()).collect()
    }

    #[test]
    fn orthogonal_rows_or_columns() {
        for (dims, gain) in
            [(&[7usize, 7][..], 1.0), (&[5, 12], 2.0), (&[40, 3, 3, 3], 0.5), (&[6, 2, 2, 2], 1.0), (&[1, 9], 1.0)]
        {
            let dims: &'static [usize] = dims.to_vec().leak();
            let w = shaped(Init::Orthogonal { gain }, dims);
            let (rows, columns) = (dims[0], w.len() / dims[0]);
            let vectors: Vec<Vec<f64>> = if rows <= columns {
                w.chunks(columns).map(|row| row.iter().map(|v| f64::from(*v)).collect()).collect()
            } else {
                (0..columns).map(|c| (0..rows).map(|r| f64::from(w[r * columns + c])).collect()).collect()
            };
            for (i, a) in vectors.iter().enumerate() {
                for (j, b) in vectors.iter().enumerate() {
                    let dot: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                    let expected = if i == j { gain * gain } else { 0.0 };
                    assert!((dot - expected).abs() < 1e-6, "{dims:?}: {i} · {j} = {dot}");
                }
            }
        }
    }

    #[test]
    fn truncated_normal_moments() {
        for (mean, std, low, high) in [(0.0, 1.0, -2.0, 2.0), (1.0, 0.5, 0.5, 3.0), (0.0, 1.0, 1.0, 4.0)] {
            let init = Init::TruncatedNormal { mean, std, low, high };
            let found = sample(init, "w", 7);
            let (found_mean, found_std, least, most) = moments(&found);
            // The integrals of x and x² over the density, by Simpson's rule.
            let (mut mass, mut first, mut second) = (0.0, 0.0, 0.0);
            let steps = 2000;
            for i in 0..=steps {
                let x = low + (high - low) * i as f64 / steps as f64;
                let weight = if i == 0 || i == steps { 1.0 } else { [2.0, 4.0][i % 2] };
                let density = weight * (-0.5 * ((x - mean) / std).powi(2)).exp();
                (mass, first, second) = (mass + density, first + density * x, second + density * x * x);
            }
            let expected = first / mass;
            let deviation = (second / mass - expected * expected).sqrt();
            assert!((found_mean - expected).abs() < 0.02 * deviation, "{init:?}: mean {found_mean}, not {expected}");
            assert!((found_std - deviation).abs() < 0.02 * deviation, "{init:?}: {found_std}, not {deviation}");
            assert!(least >= low as f32 as f64 && most <= high as f32 as f64, "{init:?}: {least} {most}");
        }
    }

    #[test]
    fn ones_in_their_places() {
        let eye = shaped(Init::Identity { shape: None }, &[2, 3]);
        assert_eq!(eye, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        assert_eq!(shaped(Init::Identity { shape: Some([2, 3]) }, &[6]), eye);
        // torch.nn.init.dirac_(torch.empty(4, 3, 3), 2): channels 0, 1 of each group, in the middle.
        let dirac = shaped(Init::Dirac { groups: 2 }, &[4, 3, 3]);
        let ones: Vec<usize> = (0..36).filter(|i| dirac[*i] == 1.0).collect();
        assert_eq!(ones, [1, 13, 19, 31]);
        assert_eq!(dirac.iter().sum::<f32>(), 4.0);
        let dirac = shaped(Init::Dirac { groups: 1 }, &[3, 2, 2, 3]);
        assert_eq!((0..36).filter(|i| dirac[*i] == 1.0).collect::<Vec<_>>(), [4, 22]);
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

    #[test]
    fn a_row_of_zeros_among_normal_numbers() {
        let normal = sample(Init::Normal { mean: 0.0, std: 1.0 }, "a", 1);
        // Across the edge of a piece.
        let (first, count) = (PIECE - 5, 11);
        let found = sample(Init::NormalBut { first, count }, "a", 1);
        for (i, (found, normal)) in found.into_iter().zip(normal).enumerate() {
            let expected = if (first..first + count).contains(&i) { 0.0 } else { normal };
            assert_eq!(found, expected, "element {i}");
        }
    }
}
