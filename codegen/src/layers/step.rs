//! `Step`: 1 where x is positive, 0 elsewhere. Its slope is 0 everywhere: nothing before it learns through it.

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "Step",
    doc: "1 where positive, 0 elsewhere.",
    usage: "Step",
    operands: Operands::One,
    arguments: &[],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    Ok(site.map1(step_of))
}

pub(super) fn step_of(p: &mut Pool, x: Id) -> Id {
    let (zero, one) = (p.constant(0.0), p.constant(1.0));
    let positive = p.binary(Binary::Gt, x, zero);
    p.select(positive, one, zero)
}
