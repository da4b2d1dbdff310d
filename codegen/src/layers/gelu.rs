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
        if by_tanh {
            // (1 + tanh u)/2 = sigmoid(2u), which keeps its digits where it is small, with u = √(2/π)·(x + 0.044715 x³). Beyond ±30 it
            // is 0 or 1, and the cube of what a float holds might be infinite.
            let (low, high) = (p.constant(-30.0), p.constant(30.0));
            let within = p.binary(Binary::Max, low, x);
            let within = p.binary(Binary::Min, high, within);
            let square = p.mul(within, within);
            let cube = p.mul(square, within);
            let small = p.scale(0.044715, cube);
            let sum = p.add(within, small);
            let scaled = p.scale(2.0 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2, sum);
            let gate = p.unary(Unary::Sigmoid, scaled);
            return p.mul(x, gate);
        }
        // Φ(x) = erfc(−x/√2)/2, which keeps its digits where 1 + erf(x/√2) has none left.
        let scaled = p.scale(-FRAC_1_SQRT_2, x);
        let share = p.unary(Unary::Erfc, scaled);
        let half = p.scale(0.5, x);
        p.mul(half, share)
    }))
}
