//! `L1(prediction, truth)`: the mean of |y − p| over all elements of the batch. Its slope where they are equal is 0.

use super::Truth;
use super::prelude::*;

pub const LOSS: Loss = Loss {
    name: "L1",
    doc: "The absolute difference, mean over all elements.",
    usage: "L1(_, y)",
    truth: Truth::Dense,
    arguments: &[],
    lower,
};

fn lower(site: &mut Site) -> Result<Average> {
    let operands = site.inputs.clone();
    Ok(mean_of_elements(site, &operands, |p, v| {
        let difference = p.sub(v[0], v[1]);
        p.unary(Unary::Abs, difference)
    }))
}
