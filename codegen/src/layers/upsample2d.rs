//! `Upsample2d<scale_factor = 2>` or `Upsample2d<size = [56, 56]>`, with `mode = nearest` or `bilinear` and
//! `align_corners = false`: an image with more (or fewer) rows and columns.

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "Upsample2d",
    doc: "The image in another size, by the nearest element or by bilinear interpolation.",
    usage: "Upsample2d<scale_factor = 2>",
    operands: Operands::One,
    arguments: &[named("size"), named("scale_factor"), named("mode"), named("align_corners")],
    surplus: Surplus::Named(&["size", "scale_factor"]),
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let (output, factors) = output(site)?;
    let linear = site.args.word_or("mode", &["nearest", "bilinear"], "nearest")? == "bilinear";
    let align = site.args.bool_or("align_corners", false)?;
    if align && !linear {
        let message = "`align_corners` of `Upsample2d` has a meaning with `mode = bilinear` only";
        return Err(Mistake::new(site.args.source("align_corners"), message).help("leave it out"));
    }
    let [channels, height, width] = site.image()?;
    let input = [height, width];
    let mut x = site.inputs[0];
    let whole = (0..2).all(|i| output[i].is_multiple_of(input[i]) && factors[i] == output[i] as f64 / input[i] as f64);
    if !linear && whole {
        if input == output {
            return Ok(x);
        }
        // Every element fills a window of the result.
        let axis = |i: usize| {
            let factor = output[i] / input[i];
            WindowAxis { input: output[i], output: input[i], kernel: factor, stride: factor, dilation: 1, padding: 0 }
        };
        return Ok(site.b.window(WindowOp::Spread, &[WindowAxis::trivial(channels), axis(0), axis(1)], &[x]));
    }
    for i in 0..2 {
        if input[i] == output[i] && factors[i] == 1.0 {
            continue;
        }
        let rows = match (linear, align) {
            (false, _) => nearest(input[i], output[i], factors[i]),
            (true, false) => interpolated(input[i], output[i], |at| ((at + 0.5) / factors[i] - 0.5).max(0.0)),
            (true, true) => {
                let step = if output[i] > 1 { (input[i] - 1) as f64 / (output[i] - 1) as f64 } else { 0.0 };
                interpolated(input[i], output[i], |at| at * step)
            }
        };
        x = site.b.op(Op::Table { axis: i + 1, rows }, &[x]);
    }
    Ok(x)
}

/// The result's extents, and how many of its rows and columns stand for one.
fn output(site: &Site) -> Result<([usize; 2], [f64; 2])> {
    let args = &site.args;
    let source = |name: &str| args.source(name);
    let [_, height, width] = site.image()?;
    let input = [height, width];
    match (args.has("size"), args.float_pair("scale_factor")?) {
        (true, None) => {
            let output = args.pair("size")?;
            Ok((output, [0, 1].map(|i| output[i] as f64 / input[i] as f64)))
        }
        (false, Some(factors)) => {
            let mut output = [0; 2];
            for i in 0..2 {
                let extent = (input[i] as f64 * factors[i]).floor();
                if !(1.0..=f64::from(i32::MAX)).contains(&extent) {
                    let message = format!("`scale_factor` {} makes {extent} of extent {}", factors[i], input[i]);
                    let help = "a factor of 2 doubles height and width: `scale_factor = 2`";
                    return Err(Mistake::new(source("scale_factor"), message).trail(site.trail.clone()).help(help));
                }
                output[i] = extent as usize;
            }
            Ok((output, factors))
        }
        (both, _) => {
            let found = if both { "found both" } else { "found neither" };
            let message = format!("`Upsample2d` takes `size` or `scale_factor`, {found}");
            let help = format!("for example `{}`", LAYER.usage);
            Err(Mistake::new(source("scale_factor"), message).help(help))
        }
    }
}

/// PyTorch's source of each output, in its single precision.
fn nearest(input: usize, output: usize, factor: f64) -> Vec<TableRow> {
    let step = (1.0 / factor) as f32;
    let source = |i: usize| ((i as f32 * step).floor() as usize).min(input - 1);
    (0..output).map(|i| vec![(source(i), 1f64.to_bits())]).collect()
}

/// Each output between the two elements around its position.
fn interpolated(input: usize, output: usize, position: impl Fn(f64) -> f64) -> Vec<TableRow> {
    let row = |i: usize| {
        let at = position(i as f64);
        let first = (at.floor() as usize).min(input - 1);
        let share = at - first as f64;
        if share == 0.0 || first + 1 >= input {
            return vec![(first, 1f64.to_bits())];
        }
        vec![(first, (1.0 - share).to_bits()), (first + 1, share.to_bits())]
    };
    (0..output).map(row).collect()
}
