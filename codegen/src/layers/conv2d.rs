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
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let outputs = site.args.size("channels")?;
    let kernel = site.args.pair("kernel")?;
    let stride = site.args.pair_or("stride", [1, 1])?;
    let padding = site.args.padding("padding")?;
    let dilation = site.args.pair_or("dilation", [1, 1])?;
    let groups = site.args.size_or("groups", 1)?;
    let bias = site.args.bool_or("bias", true)?;
    let [channels, height, width] = site.image()?;
    for (what, count) in [("input", channels), ("output", outputs)] {
        if !count.is_multiple_of(groups) {
            let message = format!("`groups` = {groups} does not divide the {count} {what} channels");
            let diagnostic = Diagnostic::new(site.args.source("groups"), message);
            return Err(diagnostic.help(divisors(channels, outputs)).trail(site.trail.clone()));
        }
    }
    check_padding(site, kernel, padding, dilation)?;
    let mut output = [0; 2];
    for (i, extent) in [height, width].into_iter().enumerate() {
        output[i] = Span { extent, kernel: kernel[i], stride: stride[i], padding: padding[i], dilation: dilation[i] }
            .output(false)
            .ok_or_else(|| too_large(site, kernel, padding, dilation, [height, width]))?;
    }
    let geometry =
        ConvGeometry { channels, outputs, input: [height, width], output, kernel, stride, padding, dilation, groups };
    let taps = kernel[0] * kernel[1];
    let (fan_in, fan_out) = ((channels / groups).saturating_mul(taps), outputs.saturating_mul(taps));
    let dims = [outputs, channels / groups, kernel[0], kernel[1]];
    let weight = site.param("weight", &dims, kaiming(), fan_in, fan_out)?;
    let y = site.b.conv(ConvRole::Forward, geometry, site.inputs[0], weight);
    if !bias {
        return Ok(y);
    }
    let bias = site.param("bias", &[outputs], inverse_root(fan_in), fan_in, fan_out)?;
    let bias = site.b.reshape(bias, &[outputs, 1, 1]);
    Ok(site.b.add(y, bias))
}

fn divisors(a: usize, b: usize) -> String {
    let common: Vec<String> =
        (1..=a.min(b)).filter(|g| a.is_multiple_of(*g) && b.is_multiple_of(*g)).map(|g| g.to_string()).collect();
    format!("`groups` may be {}", common.join(", "))
}
