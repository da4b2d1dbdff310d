//! `Permute<[1, 0]>`: the axes of a sample in another order; axis i of the result is axis `dims[i]` of the input.

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "Permute",
    doc: "The axes of a sample in another order.",
    usage: "Permute<[1, 0]>",
    operands: Operands::One,
    arguments: &[positional("dims")],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let x = site.inputs[0];
    let rank = site.dims(0).len();
    let Some(dims) = site.args.indices("dims")? else { return Err(site.args.missing("dims")) };
    let counts_batch = dims.len() == rank + 1 && dims[0] == 0 && dims[1..].iter().all(|axis| *axis > 0);
    if counts_batch {
        let message = format!(
            "`dims` of `Permute` lists {} axes, but its input {} has {rank}",
            dims.len(),
            dims_text(&site.dims(0))
        );
        let own: Vec<usize> = dims[1..].iter().map(|axis| axis - 1).collect();
        let help = format!("the batch is none of them: write `{}`", dims_text(&own));
        return Err(Mistake::new(site.args.source("dims"), message).help(help).trail(site.trail.clone()));
    }
    let dims = if dims.len() == rank { site.axes("dims")?.unwrap_or_default() } else { dims };
    if dims.len() != rank {
        let message = format!(
            "`dims` of `Permute` has {} numbers, but its input {} has {rank} axes",
            dims.len(),
            dims_text(&site.dims(0))
        );
        let reversed: Vec<usize> = (0..rank).rev().collect();
        let help = format!("all of them, in their new order: `Permute<{}>` reverses them", dims_text(&reversed));
        return Err(Mistake::new(site.args.source("dims"), message).help(help).trail(site.trail.clone()));
    }
    if dims.is_sorted() {
        return Ok(x);
    }
    Ok(site.b.op(Op::Move(MoveOp::Transpose(dims)), &[x]))
}
