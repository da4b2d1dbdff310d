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

/// ln(1 + e^(beta·x)) / beta, and x beyond the threshold, as PyTorch's. With |beta·x| in the power no threshold makes it overflow.
pub(super) fn softplus_of(p: &mut Pool, x: Id, beta: f64, threshold: f64) -> Id {
    let (zero, limit) = (p.constant(0.0), p.constant(threshold));
    let scaled = p.scale(beta, x);
    let linear = p.binary(Binary::Gt, scaled, limit);
    // ln(1 + eˣ) = x + ln(1 + e⁻ˣ). A choice and no |x|, whose slope at 0 is 0.
    let positive = p.binary(Binary::Gt, scaled, zero);
    let minus = p.neg(scaled);
    let exponent = p.select(positive, minus, scaled);
    let power = p.unary(Unary::Exp, exponent);
    let log = p.unary(Unary::Log1p, power);
    let log = p.scale(1.0 / beta, log);
    let above = p.select(positive, x, zero);
    let soft = p.add(above, log);
    p.select(linear, x, soft)
}
