//! `Add(a, b, …)`: element-wise sum; axes of size 1 repeat.

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "Add",
    doc: "Element-wise sum; axes of size 1 repeat.",
    usage: "Add(_, skip)",
    operands: Operands::AtLeastTwo,
    arguments: &[],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    super::check_broadcast(site)?;
    let inputs = site.inputs.clone();
    Ok(site.b.map(&inputs, |p, v| v[1..].iter().fold(v[0], |a, b| p.add(a, *b))))
}
