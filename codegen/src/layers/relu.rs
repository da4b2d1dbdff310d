//! `Relu`: x where positive, 0 elsewhere. Its slope at 0 is 0, as PyTorch's.

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "Relu",
    doc: "The positive part: max(x, 0).",
    usage: "Relu",
    operands: Operands::One,
    arguments: &[],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    Ok(site.map1(|p, x| {
        let zero = p.constant(0.0);
        p.binary(Binary::Max, x, zero)
    }))
}
