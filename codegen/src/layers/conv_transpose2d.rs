//! `ConvTranspose2d<64, 3, stride = 1, padding = 0, output_padding = 0, groups = 1, bias = true, dilation = 1>` over an
//! image [C, H, W]: the adjoint of the convolution that turns its output into its input, so the role `Input` of `conv`.
//! The weight is [in, out / groups, kh, kw], in PyTorch's order and with its start.

use super::prelude::*;
use super::spatial::pair_text;

pub const LAYER: Layer = Layer {
    name: "ConvTranspose2d",
    doc: "A transposed convolution: each element spreads a learned kernel.",
    usage: "ConvTranspose2d<64, 3, stride = 2>",
    operands: Operands::One,
    arguments: &[
        positional("channels"),
        positional("kernel"),
        named("stride"),
        named("padding"),
        named("output_padding"),
        named("groups"),
        named("bias"),
        named("dilation"),
    ],
    surplus: Surplus::First,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let outputs = site.args.size("channels")?;
    let windows = Windows::of_convolution(site, Space::Image)?;
    let behind = site.args.padding("output_padding")?;
    let groups = site.args.size_or("groups", 1)?;
    let bias = site.args.bool_or("bias", true)?;
    let [channels, height, width] = site.image()?;
    check_groups(site, groups, channels, outputs)?;
    let Windows { kernel, stride, padding, dilation, .. } = windows;
    let mut image = [0; 2];
    for (i, extent) in [height, width].into_iter().enumerate() {
        if behind[i] >= stride[i].max(dilation[i]) {
            let message = format!(
                "`output_padding` of `ConvTranspose2d` is {}, but with stride {} and dilation {} it is at most {}",
                behind[i],
                stride[i],
                dilation[i],
                stride[i].max(dilation[i]) - 1
            );
            let help = format!("write `output_padding = {}` or less", stride[i].max(dilation[i]) - 1);
            return Err(Mistake::new(site.args.source("output_padding"), message).trail(site.trail.clone()).help(help));
        }
        let whole = (extent - 1) * stride[i] + windows.reach(i) + 1 + behind[i];
        image[i] = whole.saturating_sub(2 * padding[i]);
        if image[i] == 0 {
            let message = format!(
                "nothing is left of {whole} with padding {} on both sides: input {height}×{width}, kernel {}, stride {}",
                padding[i],
                pair_text(kernel),
                pair_text(stride)
            );
            let help = format!("at most `padding = {}`", (whole - 1) / 2);
            return Err(Mistake::new(site.args.source("padding"), message).help(help).trail(site.trail.clone()));
        }
    }
    // The convolution it is the adjoint of reads the result and gives the operand. Of padding beyond the kernel's reach that
    // result has more than is asked for, which is cut off.
    let (Windows { padding, .. }, cut) = windows.within_reach();
    let geometry = ConvGeometry {
        channels: outputs,
        outputs: channels,
        input: [image[0] + 2 * cut[0], image[1] + 2 * cut[1]],
        output: [height, width],
        kernel,
        stride,
        padding,
        dilation,
        groups,
    };
    let taps = kernel[0] * kernel[1];
    let (fan_in, fan_out) = ((outputs / groups).saturating_mul(taps), channels.saturating_mul(taps));
    let dims = [channels, outputs / groups, kernel[0], kernel[1]];
    let weight = site.param("weight", &dims, kaiming(), fan_in, fan_out)?;
    let mut y = site.b.conv(ConvRole::Input, geometry, site.inputs[0], weight);
    for i in 0..2 {
        if cut[i] > 0 {
            y = site.b.op(Op::Move(MoveOp::Slice { axis: i + 1, start: cut[i], len: image[i] }), &[y]);
        }
    }
    if !bias {
        return Ok(y);
    }
    let bias = site.param("bias", &[outputs], inverse_root(fan_in), fan_in, fan_out)?;
    let bias = site.b.reshape(bias, &[outputs, 1, 1]);
    Ok(site.b.add(y, bias))
}
