//! `Dot(a, b)`: the sum of the products of two values of one shape, over a whole sample or along the given axes.

use super::prelude::*;
use super::reduction::{ARGUMENTS, Reduction};

pub const LAYER: Layer = Layer {
    name: "Dot",
    doc: "The sum of the products of two values, of a sample or along an axis.",
    usage: "Dot(_, other)",
    operands: Operands::Two,
    arguments: ARGUMENTS,
    surplus: Surplus::Named(&["axis", "keepdim"]),
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let (a, b) = (site.dims(0), site.dims(1));
    if a != b {
        let message = format!("operands of `Dot` have shapes {} and {}", dims_text(&a), dims_text(&b));
        return Err(site.shape_error(message).help("both must have the same shape"));
    }
    let over = Reduction::read(site)?;
    let products = site.b.mul(site.inputs[0], site.inputs[1]);
    let sum = site.b.sum(products, &over.axes, false);
    Ok(over.shaped(site, sum))
}
