//! `Max<axis = …, keepdim = false>`: the largest of a sample's values, or along the given axes, which go. Equal maxima share
//! the gradient, as those of PyTorch's `amax`.

use super::prelude::*;
use super::reduction::{ARGUMENTS, Reduction};

pub const LAYER: Layer = Layer {
    name: "Max",
    doc: "The largest of a sample's values, or along an axis.",
    usage: "Max<axis = 0>",
    operands: Operands::One,
    arguments: ARGUMENTS,
    surplus: Surplus::Named(&["axis", "keepdim"]),
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let over = Reduction::read(site)?;
    let max = site.b.max(site.inputs[0], &over.axes);
    Ok(over.shaped(site, max))
}
