//! `Mean(value)`: the mean of all elements over the batch, of whatever the network computes: for losses that are no pair of
//! prediction and truth.

use super::Truth;
use super::prelude::*;

pub const LOSS: Loss = Loss {
    name: "Mean",
    doc: "The value itself, mean over all elements.",
    usage: "Mean(penalty)",
    truth: Truth::Nothing,
    arguments: &[],
    lower,
};

fn lower(site: &mut Site) -> Result<Average> {
    let value = site.inputs[0];
    let dims = site.dims(0);
    let axes: Vec<usize> = (0..dims.len()).collect();
    let count = dims.iter().product::<usize>() as f64;
    let parts = site.b.map1(value, |p, x| p.scale(1.0 / count, x));
    let sum = site.b.sum(parts, &axes, false);
    // What comes from parameters alone is there once, not once a sample.
    if site.b.graph.shape(sum).batch {
        Ok(mean_over_batch(site, sum))
    } else {
        Ok(Average::OverSamples(site.b.reshape(sum, &[])))
    }
}
