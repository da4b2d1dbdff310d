//! `Mse(prediction, truth)`: the mean of (y − p)² over all elements of the batch.

use super::Truth;
use super::prelude::*;

pub const LOSS: Loss = Loss {
    name: "Mse",
    doc: "The squared difference, mean over all elements.",
    usage: "Mse(_, y)",
    truth: Truth::Dense,
    arguments: &[],
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let count: usize = site.dims(0).iter().product();
    let sum = squares(site, 1.0 / count as f64);
    Ok(mean_over_batch(site, sum))
}

/// Σ factor·(y − p)² of each sample.
pub(super) fn squares(site: &mut Site, factor: f64) -> Value {
    let axes: Vec<usize> = (0..site.dims(0).len()).collect();
    let squares = site.b.map2(site.inputs[0], site.inputs[1], |p, prediction, truth| {
        let difference = p.sub(truth, prediction);
        let square = p.mul(difference, difference);
        p.scale(factor, square)
    });
    site.b.sum(squares, &axes, false)
}
