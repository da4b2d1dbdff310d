//! `Conv2d<64, 3, stride = 1, padding = 0, dilation = 1, groups = 1, bias = true>` over an image [C, H, W].

use super::prelude::*;
use super::zero_pad1d::pad;

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
    let output = windows.outputs(site, [height, width], false)?;
    let (windows, zeros) = windows.within_reach();
    let input = [height + 2 * zeros[0], width + 2 * zeros[1]];
    if zeros != [0, 0] && channels.saturating_mul(input[0]).saturating_mul(input[1]) >= 1 << 31 {
        let message = format!(
            "with its padding the input has shape {}, which is too large",
            dims_text(&[channels, input[0], input[1]])
        );
        return Err(Mistake::new(site.args.source("padding"), message).help("a smaller `padding`"));
    }
    let x = pad(site, x, 1, zeros[0], zeros[0]);
    let x = pad(site, x, 2, zeros[1], zeros[1]);
    let Windows { kernel, stride, padding, dilation, .. } = windows;
    let geometry = ConvGeometry { channels, outputs, input, output, kernel, stride, padding, dilation, groups };
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
