//! `AvgPool1d<2, stride = 2, padding = 0, ceil_mode = false, count_include_pad = true>`: the mean of each window of a
//! sequence.

use super::avg_pool2d::means;
use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "AvgPool1d",
    doc: "The mean of each window of a sequence.",
    usage: "AvgPool1d<2>",
    operands: Operands::One,
    arguments: &[
        positional("kernel"),
        named("stride"),
        named("padding"),
        named("ceil_mode"),
        named("count_include_pad"),
    ],
    surplus: Surplus::Named(&["stride", "padding"]),
    lower: |site| means(site, Space::Sequence),
};
