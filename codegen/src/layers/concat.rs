//! `Concat(a, b, …)`: joined along the channels. `Concat { … }` joins branches by the same rule.

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "Concat",
    doc: "Values joined along the channels.",
    usage: "Concat(_, skip)",
    operands: Operands::AtLeastTwo,
    arguments: &[],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let first = site.dims(0);
    if site.inputs.iter().any(|v| !site.b.graph.shape(*v).batch) {
        let message = "`Concat` joins values that depend on an input, but one operand does not";
        return Err(site.shape_error(message).help("`Add` and `Mul` take parameters as operands"));
    }
    for i in 1..site.inputs.len() {
        let dims = site.dims(i);
        if dims.is_empty() || dims.len() != first.len() || dims[1..] != first[1..] {
            let message = format!(
                "`Concat` joins along the channels, but its operands have shapes {} and {}",
                dims_text(&first),
                dims_text(&dims)
            );
            return Err(site.shape_error(message).help("all axes behind the first must be equal"));
        }
    }
    let inputs = site.inputs.clone();
    Ok(site.b.op(Op::Move(MoveOp::Concat { axis: 0 }), &inputs))
}
