//! `Mish`: x·tanh(softplus(x)) (Misra, 2020).

use super::prelude::*;
use super::softplus::softplus_of;

pub const LAYER: Layer = Layer {
    name: "Mish",
    doc: "x times the hyperbolic tangent of its softplus.",
    usage: "Mish",
    operands: Operands::One,
    arguments: &[],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    Ok(site.map1(|p, x| {
        let soft = softplus_of(p, x, 1.0, 20.0);
        let gate = p.unary(Unary::Tanh, soft);
        p.mul(x, gate)
    }))
}
