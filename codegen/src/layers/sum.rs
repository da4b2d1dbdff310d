//! `Sum<axis = …, keepdim = false>`: the sum of a sample's values, or along the given axes, which go.

use super::prelude::*;
use super::reduction::{ARGUMENTS, Reduction};

pub const LAYER: Layer = Layer {
    name: "Sum",
    doc: "The sum of a sample's values, or along an axis.",
    usage: "Sum<axis = 0>",
    operands: Operands::One,
    arguments: ARGUMENTS,
    surplus: Surplus::Named(&["axis", "keepdim"]),
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let over = Reduction::read(site)?;
    let sum = site.b.sum(site.inputs[0], &over.axes, false);
    Ok(over.shaped(site, sum))
}
