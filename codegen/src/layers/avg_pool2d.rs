//! `AvgPool2d<2, stride = 2, padding = 0, ceil_mode = false, count_include_pad = true, divisor_override = …>`: the mean of
//! each window, or its sum divided by another number.

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "AvgPool2d",
    doc: "The mean of each window.",
    usage: "AvgPool2d<2>",
    operands: Operands::One,
    arguments: &[
        positional("kernel"),
        named("stride"),
        named("padding"),
        named("ceil_mode"),
        named("count_include_pad"),
        named("divisor_override"),
    ],
    surplus: Surplus::Named(&["stride", "padding"]),
    lower: |site| means(site, Space::Image),
};

pub(super) fn means(site: &mut Site, space: Space) -> Result<Value> {
    let windows = Windows::of_pool(site, space)?;
    let ceil = site.args.bool_or("ceil_mode", false)?;
    let include = site.args.bool_or("count_include_pad", true)?;
    let fixed = if site.args.has("divisor_override") { Some(site.args.size("divisor_override")?) } else { None };
    let (x, extents) = space.operand(site)?;
    let axes = windows.axes(site, extents, ceil)?;
    let sum = site.b.window(WindowOp::Sum, &axes, &[x]);
    let y = site.b.map1(sum, |p, sum| {
        let count = match fixed {
            Some(count) => p.constant(count as f64),
            None => {
                let rows = divisor(p, 1, &axes[1], include);
                let columns = divisor(p, 2, &axes[2], include);
                p.mul(rows, columns)
            }
        };
        match p.value(count) {
            Some(count) => p.scale(1.0 / count, sum),
            None => p.div(sum, count),
        }
    });
    Ok(space.result(site, y))
}

/// How many positions of a window along `axis` count: those inside the input, and with `include` those in the padding.
/// A window that hangs over the padded end (ceil mode) never counts what lies beyond.
fn divisor(p: &mut Pool, axis: usize, a: &WindowAxis, include: bool) -> Id {
    let (low, high) = if include { (-(a.padding as i64), a.input + a.padding) } else { (0, a.input) };
    let count = |i: usize| {
        let start = (i * a.stride) as i64 - a.padding as i64;
        (start + a.kernel as i64).min(high as i64) - start.max(low)
    };
    if (0..a.output).all(|i| count(i) == count(0)) {
        return p.constant(count(0) as f64);
    }
    let index = p.index(axis);
    let scaled = p.scale(a.stride as f64, index);
    let padding = p.constant(a.padding as f64);
    let start = p.sub(scaled, padding);
    let kernel = p.constant(a.kernel as f64);
    let end = p.add(start, kernel);
    let (low, high) = (p.constant(low as f64), p.constant(high as f64));
    let end = p.binary(Binary::Min, end, high);
    let start = p.binary(Binary::Max, start, low);
    p.sub(end, start)
}
