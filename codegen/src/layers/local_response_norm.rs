//! `LocalResponseNorm<5, alpha = 1e-4, beta = 0.75, k = 1>`: x / (k + α · mean of x² over `size` channels around it)^β
//! (Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", 2012).

use super::global_avg_pool::positions;
use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "LocalResponseNorm",
    doc: "Divides by a power of the mean square of neighbouring channels.",
    usage: "LocalResponseNorm<5>",
    operands: Operands::One,
    arguments: &[positional("size"), named("alpha"), named("beta"), named("k")],
    surplus: Surplus::Named(&["alpha", "beta", "k"]),
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let size = site.args.size("size")?;
    let alpha = site.args.float_or("alpha", 1e-4)?;
    let beta = site.args.float_or("beta", 0.75)?;
    let k = site.args.float_or("k", 1.0)?;
    let dims = positions(site)?;
    // Channels that are not there count as zeros.
    let channels =
        WindowAxis { input: dims[0], output: dims[0], kernel: size, stride: 1, dilation: 1, padding: size / 2 };
    let mut axes = vec![channels];
    axes.extend(dims[1..].iter().map(|extent| WindowAxis::trivial(*extent)));
    let x = site.inputs[0];
    let squares = site.map1(|p, x| p.mul(x, x));
    let sum = site.b.window(WindowOp::Sum, &axes, &[squares]);
    Ok(site.b.map2(x, sum, |p, x, sum| {
        let scaled = p.scale(alpha / size as f64, sum);
        let k = p.constant(k);
        let base = p.add(k, scaled);
        let exponent = p.constant(-beta);
        let factor = p.binary(Binary::Pow, base, exponent);
        p.mul(x, factor)
    }))
}
