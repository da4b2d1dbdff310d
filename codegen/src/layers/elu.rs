//! `Elu<1.0>`: x where positive, alpha·(eˣ − 1) elsewhere (Clevert, Unterthiner and Hochreiter, 2016).

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "Elu",
    doc: "x where positive, alpha·(eˣ − 1) elsewhere.",
    usage: "Elu<1.0>",
    operands: Operands::One,
    arguments: &[positional("alpha")],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let alpha = site.args.float_or("alpha", 1.0)?;
    Ok(site.map1(|p, x| {
        let zero = p.constant(0.0);
        let positive = p.binary(Binary::Gt, x, zero);
        let less = p.unary(Unary::Expm1, x);
        let below = p.scale(alpha, less);
        p.select(positive, x, below)
    }))
}
