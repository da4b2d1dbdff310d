//! `Softplus<beta = 1, threshold = 20>`: ln(1 + e^(beta·x)) / beta, and x itself where beta·x is above the threshold.

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "Softplus",
    doc: "The smooth positive part: ln(1 + e^(beta·x)) / beta.",
    usage: "Softplus<beta = 2>",
    operands: Operands::One,
    arguments: &[named("beta"), named("threshold")],
    surplus: Surplus::Named(&["beta", "threshold"]),
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let beta = site.args.positive_or("beta", 1.0)?;
    let threshold = site.args.float_or("threshold", 20.0)?;
    Ok(site.map1(|p, x| softplus_of(p, x, beta, threshold)))
}

/// ln(1 + e^(beta·x)) / beta; beyond the threshold x, whose power might overflow.
pub(super) fn softplus_of(p: &mut Pool, x: Id, beta: f64, threshold: f64) -> Id {
    let (one, limit) = (p.constant(1.0), p.constant(threshold));
    let scaled = p.scale(beta, x);
    let linear = p.binary(Binary::Gt, scaled, limit);
    let power = p.unary(Unary::Exp, scaled);
    let sum = p.add(one, power);
    let log = p.unary(Unary::Ln, sum);
    let soft = p.scale(1.0 / beta, log);
    p.select(linear, x, soft)
}
