//! `HalfSquare(prediction, truth)`: (y − p)²/2, summed over the outputs, mean over the batch.

use super::Truth;
use super::mse::square;
use super::prelude::*;

pub const LOSS: Loss = Loss {
    name: "HalfSquare",
    doc: "Half of the squared difference, summed over the outputs, mean over the batch.",
    usage: "HalfSquare(_, y)",
    truth: Truth::Dense,
    arguments: &[],
    lower,
};

fn lower(site: &mut Site) -> Result<Average> {
    let operands = site.inputs.clone();
    Ok(sum_of_elements(site, &operands, |p, v| {
        let square = square(p, v);
        p.scale(0.5, square)
    }))
}
