//! `MaxPool2d<2, stride = 2, padding = 0, dilation = 1, ceil_mode = false>`: the maximum of each window.

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "MaxPool2d",
    doc: "The maximum of each window.",
    usage: "MaxPool2d<2>",
    operands: Operands::One,
    arguments: &[positional("kernel"), named("stride"), named("padding"), named("dilation"), named("ceil_mode")],
    surplus: Surplus::Named(&["stride", "padding", "dilation"]),
    lower: |site| maxima(site, Space::Image),
};

pub(super) fn maxima(site: &mut Site, space: Space) -> Result<Value> {
    let windows = Windows::of_pool(site, space)?;
    let ceil = site.args.bool_or("ceil_mode", false)?;
    let (x, extents) = space.operand(site)?;
    let axes = windows.axes(site, extents, ceil)?;
    let y = site.b.window(WindowOp::Max, &axes, &[x]);
    Ok(space.result(site, y))
}
