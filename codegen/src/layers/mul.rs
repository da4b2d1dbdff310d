//! `Mul(a, b, …)`: element-wise product; axes of size 1 repeat.

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "Mul",
    doc: "Element-wise product; axes of size 1 repeat.",
    usage: "Mul(_, skip)",
    operands: Operands::AtLeastTwo,
    arguments: &[],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    super::check_broadcast(site)?;
    let inputs = site.inputs.clone();
    Ok(site.b.map(&inputs, |p, v| v[1..].iter().fold(v[0], |a, b| p.mul(a, *b))))
}
