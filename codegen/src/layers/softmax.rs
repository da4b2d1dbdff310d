//! `Softmax`: eˣ over its sum along the first axis (PyTorch's dim = 1).

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "Softmax",
    doc: "Values to probabilities along the channels.",
    usage: "Softmax",
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
    Ok(site.b.map2(powers, sum, |p, power, sum| p.div(power, sum)))
}

/// The maximum along the first axis, as a constant: taking it off changes no result, only keeps `exp` from overflow.
pub(super) fn running_max(site: &mut Site) -> Result<Value> {
    if site.dims(0).is_empty() {
        let message = format!("`{}` takes a vector, but its input is one number", site.args.layer);
        return Err(site.shape_error(message).help("put it where the value is a vector still"));
    }
    let max = site.b.max(site.inputs[0], &[0]);
    Ok(site.b.detach(max))
}
