//! `GlobalMaxPool`: the maximum of each channel over all positions; [C, H, W] or [C, L] becomes [C]. The gradient goes to
//! the first of equal maxima, as in PyTorch's `AdaptiveMaxPool2d(1)`.

use super::global_avg_pool::positions;
use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "GlobalMaxPool",
    doc: "The maximum of each channel over all positions.",
    usage: "GlobalMaxPool",
    operands: Operands::One,
    arguments: &[],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let dims = positions(site)?;
    let (channels, width) = (dims[0], dims[dims.len() - 1]);
    let height: usize = dims[1..dims.len() - 1].iter().product();
    let x = site.b.reshape(site.inputs[0], &[channels, height, width]);
    let whole = |extent: usize| WindowAxis {
        input: extent,
        output: 1,
        kernel: extent,
        stride: extent,
        dilation: 1,
        padding: 0,
    };
    let axes = [WindowAxis::trivial(channels), whole(height), whole(width)];
    let y = site.b.window(WindowOp::Max, &axes, &[x]);
    Ok(site.b.reshape(y, &[channels]))
}
