//! `GaussianNoise<0.1>`: in training a normal number of mean 0 and this deviation is added to each value.

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "GaussianNoise",
    doc: "In training a normal number of this deviation is added to each value.",
    usage: "GaussianNoise<0.1>",
    operands: Operands::One,
    arguments: &[positional("stddev")],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let deviation = site.args.float("stddev")?;
    if !(deviation >= 0.0 && deviation.is_finite()) {
        let message = format!("`stddev` of `GaussianNoise` is not negative, found {deviation}");
        return Err(Mistake::new(site.args.source("stddev"), message)
            .help("write a number from 0, such as `GaussianNoise<0.1>`"));
    }
    let x = site.inputs[0];
    if !site.training || deviation == 0.0 {
        return Ok(x);
    }
    let dims = site.dims(0);
    let (radius, angle) = (site.random(&dims), site.random(&dims));
    // Box and Muller (1958): the logarithm sees (0, 1], never 0.
    Ok(site.b.map(&[x, radius, angle], |p, v| {
        let one = p.constant(1.0);
        let rest = p.sub(one, v[1]);
        let log = p.unary(Unary::Ln, rest);
        let square = p.scale(-2.0, log);
        let radius = p.unary(Unary::Sqrt, square);
        let turn = p.scale(std::f64::consts::TAU, v[2]);
        let cos = p.unary(Unary::Cos, turn);
        let normal = p.mul(radius, cos);
        let noise = p.scale(deviation, normal);
        p.add(v[0], noise)
    }))
}
