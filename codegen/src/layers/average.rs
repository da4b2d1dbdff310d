//! `Average<axis = …, keepdim = false>`: the mean of a sample's values, or along the given axes, which go.

use super::prelude::*;
use super::reduction::{ARGUMENTS, Reduction};

pub const LAYER: Layer = Layer {
    name: "Average",
    doc: "The mean of a sample's values, or along an axis.",
    usage: "Average<axis = 0>",
    operands: Operands::One,
    arguments: ARGUMENTS,
    surplus: Surplus::Named(&["axis", "keepdim"]),
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let over = Reduction::read(site)?;
    let sum = site.b.sum(site.inputs[0], &over.axes, false);
    let mean = site.b.map1(sum, |p, sum| p.scale(1.0 / over.count as f64, sum));
    Ok(over.shaped(site, mean))
}
