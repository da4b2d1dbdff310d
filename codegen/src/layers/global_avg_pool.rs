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
    let dims = site.dims(0);
    if dims.len() < 2 {
        let message = format!(
            "`GlobalAvgPool` takes an image [channels, height, width] or a sequence [channels, length], but its input has shape {}",
            dims_text(&dims)
        );
        return Err(site.shape_error(message));
    }
    let axes: Vec<usize> = (1..dims.len()).collect();
    let count: usize = dims[1..].iter().product();
    let x = site.inputs[0];
    let sum = site.b.sum(x, &axes, false);
    let mean = site.b.map1(sum, |p, sum| p.scale(1.0 / count as f64, sum));
    Ok(site.b.reshape(mean, &dims[..1]))
}
