//! `Huber<delta = 1>(prediction, truth)`: half of the squared difference up to delta, linear beyond (Huber, 1964); mean
//! over all elements of the batch.

use super::Truth;
use super::prelude::*;

pub const LOSS: Loss = Loss {
    name: "Huber",
    doc: "Half of the squared difference up to delta, linear beyond, mean over all elements.",
    usage: "Huber<delta = 0.5>(_, y)",
    truth: Truth::Dense,
    arguments: &[named("delta")],
    lower,
};

fn lower(site: &mut Site) -> Result<Average> {
    let delta = site.args.positive_or("delta", 1.0)?;
    let operands = site.inputs.clone();
    Ok(mean_of_elements(site, &operands, |p, v| {
        let difference = p.sub(v[0], v[1]);
        let size = p.unary(Unary::Abs, difference);
        let limit = p.constant(delta);
        let near = p.binary(Binary::Lt, size, limit);
        let square = p.mul(difference, difference);
        let square = p.scale(0.5, square);
        let half = p.constant(0.5 * delta);
        let beyond = p.sub(size, half);
        let linear = p.scale(delta, beyond);
        p.select(near, square, linear)
    }))
}
