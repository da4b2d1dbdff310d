//! `MaxPool1d<2, stride = 2, padding = 0, dilation = 1, ceil_mode = false>`: the maximum of each window of a sequence.

use super::max_pool2d::maxima;
use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "MaxPool1d",
    doc: "The maximum of each window of a sequence.",
    usage: "MaxPool1d<2>",
    operands: Operands::One,
    arguments: &[positional("kernel"), named("stride"), named("padding"), named("dilation"), named("ceil_mode")],
    surplus: Surplus::Named(&["stride", "padding", "dilation"]),
    lower: |site| maxima(site, Space::Sequence),
};
