//! `Conv1d<64, 3, stride = 1, padding = 0, dilation = 1, groups = 1, bias = true>` over a sequence [C, L].

use super::conv2d::convolution;
use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "Conv1d",
    doc: "A convolution (cross-correlation) with a learned kernel along a sequence.",
    usage: "Conv1d<64, 3>",
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
    lower: |site| convolution(site, Space::Sequence),
};
