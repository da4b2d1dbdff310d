//! `Slice<axis = 0, start = 0, end = …>`: the elements from `start` up to but not `end` along one axis.

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "Slice",
    doc: "A range of elements along one axis.",
    usage: "Slice<axis = 0, start = 0, end = 3>",
    operands: Operands::One,
    arguments: &[named("axis"), named("start"), named("end")],
    surplus: Surplus::Named(&["axis", "start", "end"]),
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let x = site.inputs[0];
    let dims = site.dims(0);
    let axis = match site.axes("axis")?.as_deref() {
        None => 0,
        Some([axis]) => *axis,
        Some(axes) => {
            let message = format!("`axis` of `Slice` is one axis, found {}", axes.len());
            return Err(Mistake::new(site.args.source("axis"), message).help("cut one axis after the other"));
        }
    };
    let extent = dims[axis];
    let start = site.args.count_or("start", 0)?;
    let end = site.args.count_or("end", extent)?;
    let wrong = |name: &str, message: String, help: String| {
        Err(Mistake::new(site.args.source(name), message).help(help).trail(site.trail.clone()))
    };
    if end > extent {
        let (text, of) = (dims_text(&dims), site.args.layer.as_str());
        let message = format!("`end` of `{of}` is {end}, but axis {axis} of its input {text} has {extent}");
        return wrong("end", message, format!("write `end = {extent}` or less; without `end` it goes to the last"));
    }
    if start >= end {
        let name = if site.args.has("start") { "start" } else { "end" };
        let message = format!("`Slice` from {start} to {end} is empty: `start` must be below `end`");
        return wrong(
            name,
            message,
            format!("write `start = {}, end = {end}`, or another range", end.saturating_sub(1)),
        );
    }
    if (start, end) == (0, extent) {
        return Ok(x);
    }
    Ok(site.b.op(Op::Move(MoveOp::Slice { axis, start, len: end - start }), &[x]))
}
