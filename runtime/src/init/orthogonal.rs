//! Orthogonal initial weights (Saxe, McClelland and Ganguli, 2013), as `torch.nn.init.orthogonal_`: the Q of a normal matrix
//! whose R has a positive diagonal.

use super::normal;
use crate::plan::Tensor;

/// All values in canonical order. Axes from the second on are one: the rows, or where there are more of them than columns the
/// columns, are orthogonal and of length `gain`.
pub(super) fn values(tensor: &Tensor, seed: u64, gain: f64) -> Vec<f32> {
    let rows = tensor.dims.first().copied().unwrap_or(1);
    let columns = tensor.dims.iter().skip(1).product::<usize>();
    let mut out = vec![0.0; rows * columns];
    normal(tensor.name, seed, 0.0, 1.0, 0, &mut out);
    // So many vectors of such a length, each contiguous.
    let (count, length) = (rows.min(columns), rows.max(columns));
    let transposed = rows > columns;
    let place = |vector: usize, i: usize| if transposed { i * columns + vector } else { vector * columns + i };
    let mut vectors: Vec<Vec<f64>> =
        (0..count).map(|vector| (0..length).map(|i| f64::from(out[place(vector, i)])).collect()).collect();
    for number in 0..count {
        let (done, rest) = vectors.split_at_mut(number);
        let vector = &mut rest[0];
        // Twice is enough: what rounding leaves of the others after the first time is small.
        for _ in 0..2 {
            for other in done.iter() {
                let along = dot(vector, other);
                vector.iter_mut().zip(other).for_each(|(value, other)| *value -= along * other);
            }
        }
        let norm = dot(vector, vector).sqrt();
        vector.iter_mut().for_each(|value| *value /= norm);
    }
    for (number, vector) in vectors.iter().enumerate() {
        for (i, value) in vector.iter().enumerate() {
            out[place(number, i)] = (gain * value) as f32;
        }
    }
    out
}

/// In eight chains that vectors can hold.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a_eights, a_rest) = a.as_chunks::<8>();
    let (b_eights, b_rest) = b.as_chunks::<8>();
    for (a, b) in a_eights.iter().zip(b_eights) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}
