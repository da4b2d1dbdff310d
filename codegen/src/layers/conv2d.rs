//! `Conv2d<64, 3, stride = 1, padding = 0, dilation = 1, groups = 1, bias = true>` over an image [C, H, W].

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "Conv2d",
    doc: "A two-dimensional convolution (cross-correlation) with a learned kernel.",
    usage: "Conv2d<64, 3>",
    operands: Operands::One,
    arguments: &[
        positional("channels"),
        positional("kernel"),
        named("stride"),
        named("padding"),
        named("dilation"),
        named("groups"),
        named("bias"),
    ],
    surplus: Surplus::First,
    lower: |site| convolution(site, Space::Image),
};

/// A convolution over an image, or over a sequence, whose kernels are one row high.
pub(super) fn convolution(site: &mut Site, space: Space) -> Result<Value> {
    let outputs = site.args.size("channels")?;
    let windows = Windows::of_convolution(site, space)?;
    let groups = site.args.size_or("groups", 1)?;
    let bias = site.args.bool_or("bias", true)?;
    let (x, [channels, height, width]) = space.operand(site)?;
    check_groups(site, groups, channels, outputs)?;
    windows.check_padding(site)?;
    let output = windows.outputs(site, [height, width], false)?;
    let Windows { kernel, stride, padding, dilation, .. } = windows;
    let geometry =
        ConvGeometry { channels, outputs, input: [height, width], output, kernel, stride, padding, dilation, groups };
    let taps = kernel[0] * kernel[1];
    let (fan_in, fan_out) = ((channels / groups).saturating_mul(taps), outputs.saturating_mul(taps));
    let dims = [outputs, channels / groups, kernel[0], kernel[1]];
    let weight = match space {
        Space::Image => site.param("weight", &dims, kaiming(), fan_in, fan_out)?,
        Space::Sequence => {
            let weight = site.param("weight", &[dims[0], dims[1], kernel[1]], kaiming(), fan_in, fan_out)?;
            site.b.reshape(weight, &dims)
        }
    };
    let mut y = site.b.conv(ConvRole::Forward, geometry, x, weight);
    if bias {
        let bias = site.param("bias", &[outputs], inverse_root(fan_in), fan_in, fan_out)?;
        let bias = site.b.reshape(bias, &[outputs, 1, 1]);
        y = site.b.add(y, bias);
    }
    Ok(space.result(site, y))
}
