//! `Dropout<0.5>`: in training each value is 0 with probability p, and the others grow by 1/(1 − p).

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "Dropout",
    doc: "In training each value is zeroed with probability p, and the others grow by 1/(1 − p).",
    usage: "Dropout<0.5>",
    operands: Operands::One,
    arguments: &[positional("p")],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let p = site.args.probability_or("p", 0.5)?;
    let dims = site.dims(0);
    Ok(dropped(site, p, &dims))
}

/// The operand, in training with one decision for each element of `dims`, broadcast.
pub(super) fn dropped(site: &mut Site, p: f64, dims: &[usize]) -> Value {
    let x = site.inputs[0];
    if !site.training || p == 0.0 {
        return x;
    }
    let noise = site.random(dims);
    site.b.map2(x, noise, |pool, x, noise| {
        let (rate, zero) = (pool.constant(p), pool.constant(0.0));
        let keep = pool.binary(Binary::Ge, noise, rate);
        let grown = pool.scale(1.0 / (1.0 - p), x);
        pool.select(keep, grown, zero)
    })
}
