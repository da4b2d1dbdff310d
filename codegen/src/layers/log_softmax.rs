//! `LogSoftmax`: the logarithm of softmax along the first axis (PyTorch's dim = 1).

use super::prelude::*;
use super::softmax::running_max;

pub const LAYER: Layer = Layer {
    name: "LogSoftmax",
    doc: "Values to logarithms of probabilities along the channels.",
    usage: "LogSoftmax",
    operands: Operands::One,
    arguments: &[],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let (x, max) = (site.inputs[0], running_max(site)?);
    let powers = site.b.map2(x, max, |p, x, max| {
        let shifted = p.sub(x, max);
        p.unary(Unary::Exp, shifted)
    });
    let sum = site.b.sum(powers, &[0], false);
    Ok(site.b.map(&[x, max, sum], |p, v| {
        let shifted = p.sub(v[0], v[1]);
        let log = p.unary(Unary::Ln, v[2]);
        p.sub(shifted, log)
    }))
}
