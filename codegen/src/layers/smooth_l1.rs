//! `SmoothL1<beta = 1>(prediction, truth)`: half of the squared difference by beta up to beta, the difference less beta/2
//! beyond; mean over all elements of the batch. It is Huber's loss by delta (Girshick, "Fast R-CNN", 2015), and with beta = 0
//! the absolute difference.

use super::Truth;
use super::prelude::*;

pub const LOSS: Loss = Loss {
    name: "SmoothL1",
    doc: "The squared difference by twice beta up to beta, the absolute difference less beta/2 beyond, mean over all elements.",
    usage: "SmoothL1<beta = 0.5>(_, y)",
    truth: Truth::Dense,
    arguments: &[named("beta")],
    lower,
};

fn lower(site: &mut Site) -> Result<Average> {
    let beta = site.args.float_or("beta", 1.0)?;
    if beta < 0.0 {
        let message = format!("`beta` of `SmoothL1` is not negative, found {beta}");
        return Err(Mistake::new(site.args.source("beta"), message).help("0 makes it the absolute difference"));
    }
    let operands = site.inputs.clone();
    Ok(mean_of_elements(site, &operands, |p, v| {
        let difference = p.sub(v[0], v[1]);
        let size = p.unary(Unary::Abs, difference);
        if beta == 0.0 {
            return size;
        }
        let limit = p.constant(beta);
        let near = p.binary(Binary::Lt, size, limit);
        let square = p.mul(difference, difference);
        let square = p.scale(0.5 / beta, square);
        let half = p.constant(0.5 * beta);
        let linear = p.sub(size, half);
        p.select(near, square, linear)
    }))
}
