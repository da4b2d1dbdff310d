//! `ZeroPad1d<1>`, `ZeroPad1d<[left, right]>`: zeros around a sequence [channels, length].

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "ZeroPad1d",
    doc: "Zeros around a sequence.",
    usage: "ZeroPad1d<1>",
    operands: Operands::One,
    arguments: &[positional("padding")],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let [left, right] = site.args.sides("padding", ["left", "right"])?;
    site.sequence()?;
    let x = site.inputs[0];
    Ok(pad(site, x, 1, left, right))
}

/// The same value where there is nothing to add.
pub(super) fn pad(site: &mut Site, x: Value, axis: usize, before: usize, behind: usize) -> Value {
    if before + behind == 0 {
        return x;
    }
    site.b.op(Op::Move(MoveOp::Pad { axis, before, behind }), &[x])
}
