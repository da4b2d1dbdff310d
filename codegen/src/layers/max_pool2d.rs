//! `MaxPool2d<2, stride = 2, padding = 0, dilation = 1, ceil_mode = false>`: the maximum of each window.

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "MaxPool2d",
    doc: "The maximum of each window.",
    usage: "MaxPool2d<2>",
    operands: Operands::One,
    arguments: &[positional("kernel"), named("stride"), named("padding"), named("dilation"), named("ceil_mode")],
    surplus: Surplus::Named(&["stride", "padding", "dilation"]),
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let kernel = site.args.pair("kernel")?;
    let stride = site.args.pair_or("stride", kernel)?;
    let padding = site.args.padding("padding")?;
    let dilation = site.args.pair_or("dilation", [1, 1])?;
    let ceil = site.args.bool_or("ceil_mode", false)?;
    let axes = pool_axes(site, kernel, stride, padding, dilation, ceil)?;
    let x = site.inputs[0];
    Ok(site.b.window(WindowOp::Max, &axes, &[x]))
}

/// The window over an image, channels apart.
pub(super) fn pool_axes(
    site: &Site,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    ceil: bool,
) -> Result<[WindowAxis; 3]> {
    let [channels, height, width] = site.image()?;
    check_pool_padding(site, kernel, padding, dilation)?;
    let mut axes = [WindowAxis::trivial(channels); 3];
    for (i, extent) in [height, width].into_iter().enumerate() {
        let output = Span { extent, kernel: kernel[i], stride: stride[i], padding: padding[i], dilation: dilation[i] }
            .output(ceil)
            .ok_or_else(|| too_large(site, kernel, padding, dilation, [height, width]))?;
        axes[i + 1] = WindowAxis {
            input: extent,
            output,
            kernel: kernel[i],
            stride: stride[i],
            dilation: dilation[i],
            padding: padding[i],
        };
    }
    Ok(axes)
}
