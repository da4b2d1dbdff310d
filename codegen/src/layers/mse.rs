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

fn lower(site: &mut Site) -> Result<Average> {
    let operands = site.inputs.clone();
    Ok(mean_of_elements(site, &operands, square))
}

/// (y − p)²
pub(super) fn square(p: &mut Pool, v: &[Id]) -> Id {
    let difference = p.sub(v[1], v[0]);
    p.mul(difference, difference)
}
