//! `Sigmoid`: 1 / (1 + e⁻ˣ).

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "Sigmoid",
    doc: "The logistic function 1 / (1 + e⁻ˣ).",
    usage: "Sigmoid",
    operands: Operands::One,
    arguments: &[],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    Ok(site.map1(|p, x| p.unary(Unary::Sigmoid, x)))
}
