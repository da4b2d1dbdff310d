//! `Gelu<approximate = none>`: x·Φ(x), with the normal distribution's Φ, or its approximation by tanh (Hendrycks and
//! Gimpel, 2016).

use super::prelude::*;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

pub const LAYER: Layer = Layer {
    name: "Gelu",
    doc: "x times the probability that a normal variable lies below x.",
    usage: "Gelu<approximate = tanh>",
    operands: Operands::One,
    arguments: &[named("approximate")],
    surplus: Surplus::Named(&["approximate"]),
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let by_tanh = site.args.word_or("approximate", &["none", "tanh"], "none")? == "tanh";
    Ok(site.map1(|p, x| {
        let inner = if by_tanh {
            // √(2/π)·(x + 0.044715 x³)
            let square = p.mul(x, x);
            let cube = p.mul(square, x);
            let small = p.scale(0.044715, cube);
            let sum = p.add(x, small);
            let scaled = p.scale(FRAC_2_SQRT_PI * FRAC_1_SQRT_2, sum);
            p.unary(Unary::Tanh, scaled)
        } else {
            let scaled = p.scale(FRAC_1_SQRT_2, x);
            p.unary(Unary::Erf, scaled)
        };
        let one = p.constant(1.0);
        let (half, sum) = (p.scale(0.5, x), p.add(one, inner));
        p.mul(half, sum)
    }))
}
