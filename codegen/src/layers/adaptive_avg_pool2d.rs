//! `AdaptiveAvgPool2d<[h, w]>`: means of nearly equal windows, so that the output has the given size.

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "AdaptiveAvgPool2d",
    doc: "The mean of each of h × w windows that cover the image.",
    usage: "AdaptiveAvgPool2d<[6, 6]>",
    operands: Operands::One,
    arguments: &[positional("output_size")],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let output = site.args.pair("output_size")?;
    let [channels, height, width] = site.image()?;
    let input = [height, width];
    let mut x = site.inputs[0];
    if input == output {
        return Ok(x);
    }
    if (0..2).all(|i| input[i].is_multiple_of(output[i])) {
        let axis = |i: usize| WindowAxis {
            input: input[i],
            output: output[i],
            kernel: input[i] / output[i],
            stride: input[i] / output[i],
            dilation: 1,
            padding: 0,
        };
        let count = (input[0] / output[0] * (input[1] / output[1])) as f64;
        let sum = site.b.window(WindowOp::Sum, &[WindowAxis::trivial(channels), axis(0), axis(1)], &[x]);
        return Ok(site.b.map1(sum, |p, sum| p.scale(1.0 / count, sum)));
    }
    for i in 0..2 {
        if input[i] != output[i] {
            x = site.b.op(Op::Table { axis: i + 1, rows: rows(input[i], output[i]) }, &[x]);
        }
    }
    Ok(x)
}

/// PyTorch's windows: output i is the mean from ⌊i·n/m⌋ to ⌈(i + 1)·n/m⌉.
fn rows(input: usize, output: usize) -> Vec<TableRow> {
    (0..output)
        .map(|i| {
            let (start, end) = (i * input / output, ((i + 1) * input).div_ceil(output));
            let weight = 1.0 / (end - start) as f64;
            (start..end).map(|source| (source, weight.to_bits())).collect()
        })
        .collect()
}
