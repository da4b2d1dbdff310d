//! `Tanh`: the hyperbolic tangent.

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "Tanh",
    doc: "The hyperbolic tangent.",
    usage: "Tanh",
    operands: Operands::One,
    arguments: &[],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    Ok(site.map1(|p, x| p.unary(Unary::Tanh, x)))
}
