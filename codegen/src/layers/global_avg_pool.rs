//! `GlobalAvgPool`: the mean of each channel over all positions; [C, H, W] or [C, L] becomes [C].

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "GlobalAvgPool",
    doc: "The mean of each channel over all positions.",
    usage: "GlobalAvgPool",
    operands: Operands::One,
    arguments: &[],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let dims = positions(site)?;
    let axes: Vec<usize> = (1..dims.len()).collect();
    let count: usize = dims[1..].iter().product();
    let x = site.inputs[0];
    let sum = site.b.sum(x, &axes, false);
    let mean = site.b.map1(sum, |p, sum| p.scale(1.0 / count as f64, sum));
    Ok(site.b.reshape(mean, &dims[..1]))
}

/// Extents of an operand that has positions: an image or a sequence.
pub(super) fn positions(site: &Site) -> Result<Vec<usize>> {
    let dims = site.dims(0);
    if dims.len() < 2 {
        let message = format!(
            "`{}` takes an image [channels, height, width] or a sequence [channels, length], but its input has shape {}",
            site.args.layer,
            dims_text(&dims)
        );
        return Err(site
            .shape_error(message)
            .help("put it before `Flatten`, or remove it: a vector has nothing to pool"));
    }
    Ok(dims)
}
