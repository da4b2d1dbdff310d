//! Gradient clipping: `torch.nn.utils.clip_grad_value_` and `clip_grad_norm_`.

use super::pass::Segment;
use super::table::Rows;
use crate::device::cpu::{Arena, Pool};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What happens to gradients before the update.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Clip {
    #[default]
    None,
    /// Each is clamped to ± this.
    Value(f64),
    /// All are scaled so that the norm of all together is at most this.
    Norm(f64),
}

impl Clip {
    /// What a row of the table says.
    pub fn limit(self) -> f32 {
        match self {
            Clip::Value(limit) => limit as f32,
            Clip::None | Clip::Norm(_) => f32::INFINITY,
        }
    }

    pub fn max_norm(self) -> Option<f32> {
        match self {
            Clip::Norm(max_norm) => Some(max_norm as f32),
            Clip::None | Clip::Value(_) => None,
        }
    }
}

/// The factor of all gradients of which this is the norm. A NaN stays one.
pub(crate) fn coefficient(max_norm: f32, norm: f32) -> f32 {
    let coefficient = max_norm / (norm + 1e-6);
    if coefficient > 1.0 { 1.0 } else { coefficient }
}

/// The norm of all gradients that are not frozen: a chain of sums for each segment, and one over the segments in order, so
/// that neither the number of threads nor the instruction set shows in its bits. `sums` has a place for each segment.
pub(crate) fn norm(segments: &[Segment], rows: &Rows, sums: &[AtomicU64], grads: &Arena, pool: &Pool) -> f32 {
    pool.run(segments.len(), &|_, task| {
        let segment = segments[task];
        let frozen = rows.frozen(rows.of(segment.start));
        let sum = if frozen { 0.0 } else { squares(&grads[segment.start..segment.start + segment.len]) };
        sums[task].store(sum.to_bits(), Relaxed);
    });
    let sum: f64 = sums[..segments.len()].iter().map(|sum| f64::from_bits(sum.load(Relaxed))).sum();
    sum.sqrt() as f32
}

/// Sum of squares, in eight chains that vectors can hold.
fn squares(values: &[f32]) -> f64 {
    let (eights, rest) = values.as_chunks::<8>();
    let mut sums = [0.0f64; 8];
    for eight in eights {
        for (sum, value) in sums.iter_mut().zip(eight) {
            *sum += f64::from(*value) * f64::from(*value);
        }
    }
    let rest: f64 = rest.iter().map(|value| f64::from(*value) * f64::from(*value)).sum();
    sums.iter().sum::<f64>() + rest
}
