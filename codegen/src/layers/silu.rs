//! `Silu`: x·sigmoid(x), also called swish.

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "Silu",
    doc: "x times its logistic function, also called swish.",
    usage: "Silu",
    operands: Operands::One,
    arguments: &[],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    Ok(site.map1(|p, x| {
        let gate = p.unary(Unary::Sigmoid, x);
        p.mul(x, gate)
    }))
}
