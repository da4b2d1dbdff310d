//! Whether what a template reads and writes as it lies does lie so: images in blocks of channels or row-major, as the kernel's
//! form says, and weights in the order that the template walks.

use super::elements::ends;
use crate::graph::Value;
use crate::graph::op::{ConvRole, Op, WindowOp};
use crate::schedule::dense::{product, weight_operands};
use crate::schedule::form::{Dense, Form, dense, weight_layout};
use crate::schedule::layout::{LANES, blocks, is_blocked};
use crate::schedule::{Kernel, Order, Schedule};
use std::collections::HashMap;

/// The first node that multiplies by each value.
pub fn turned(s: &Schedule) -> HashMap<Value, Value> {
    let reads = |v: Value| Some((*s.graph().node(v).inputs.get(1)?, v));
    s.graph().values().rev().filter_map(reads).collect()
}

/// `turned` says for which node a weight was copied.
pub fn verify(s: &Schedule, kernel: &Kernel, turned: &HashMap<Value, Value>) -> Result<(), String> {
    match &kernel.form {
        Form::Dense(Dense { role: ConvRole::Forward | ConvRole::Input, .. }) => product_operands(s, kernel),
        Form::Dense(_) => gradient_operands(s, kernel),
        Form::DenseBackward(_) => gradient_operands(s, kernel).and_then(|()| product_operands(s, kernel)),
        Form::Conv { role, planar, .. } => {
            let value = kernel.anchor(s);
            let inputs = &s.graph().node(value).inputs;
            image(s, kernel, inputs[0], *planar)?;
            // The input gradient's weight is a copy in an order that is no map of elements.
            if *role == ConvRole::Forward { weight(s, value, inputs[1]) } else { Ok(()) }
        }
        Form::ConvWeight { planar, .. } => {
            let value = kernel.anchor(s);
            let inputs = &s.graph().node(value).inputs;
            image(s, kernel, inputs[0], *planar)?;
            image(s, kernel, inputs[1], !is_blocked(&s.graph().shape(inputs[1]).dims))?;
            weight(s, value, value)
        }
        Form::ConvFlipped { .. } | Form::WinogradWeights { .. } => {
            let copy = kernel.nodes[0];
            let reader = *turned.get(&copy).ok_or_else(|| format!("nobody reads {copy}"))?;
            weight(s, reader, s.graph().node(copy).inputs[0])
        }
        Form::Winograd { .. } => image(s, kernel, s.graph().node(kernel.anchor(s)).inputs[0], false),
        Form::Window { .. } => {
            let inputs = &s.graph().node(kernel.anchor(s)).inputs;
            inputs.iter().try_for_each(|v| image(s, kernel, *v, false))
        }
        Form::Map(_) | Form::Column { .. } => routed(s, kernel),
        Form::Row { .. } | Form::Rows(_) | Form::Scalar | Form::Moments { .. } | Form::Block(_) | Form::Lanes(_) => {
            Ok(())
        }
    }
}

/// What a loop over windows sends to their elements it loads from memory, and so it comes from another kernel.
fn routed(s: &Schedule, kernel: &Kernel) -> Result<(), String> {
    for route in &kernel.nodes {
        let node = s.graph().node(*route);
        if !matches!(node.op, Op::Window { op: WindowOp::Route, .. }) {
            continue;
        }
        for value in node.inputs.iter().map(|v| s.base(*v)) {
            if kernel.nodes.contains(&value) {
                return Err(format!("{route} loads {value}, which this kernel computes"));
            }
            image(s, kernel, value, false)?;
        }
    }
    Ok(())
}

/// An operand that is read as channels and pixels: in blocks of channels, or row-major (`planar`). Whole vectors of blocks are
/// read, so that memory must reach to the end of the last.
fn image(s: &Schedule, kernel: &Kernel, value: Value, planar: bool) -> Result<(), String> {
    let base = s.base(value);
    if kernel.nodes.contains(&base) {
        return Ok(());
    }
    let shape = s.graph().shape(value);
    let channels = shape.dims.first().copied().unwrap_or(1);
    let pixels = shape.numel() / channels.max(1);
    for channel in ends(channels) {
        for pixel in ends(pixels) {
            let element = channel * pixels + pixel;
            let expected = if planar { element } else { (channel / LANES * pixels + pixel) * LANES + channel % LANES };
            let found = s.layout(base).offset(element);
            if found != expected {
                return Err(format!("element {element} of {base} lies at {found}, and the template reads {expected}"));
            }
        }
    }
    let floats = if planar { shape.numel() } else { blocks(channels) * pixels * LANES };
    let memory = s.layout(base).size;
    if floats > memory { Err(format!("{base} is read to {floats}, and ends at {memory}")) } else { Ok(()) }
}

/// The weight of this node lies as its template walks it.
fn weight(s: &Schedule, node: Value, weight: Value) -> Result<(), String> {
    let wanted = weight_layout(Order::Blocked, s.graph(), node).ok_or_else(|| format!("{node} has no template"))?;
    let layout = s.layout(s.base(weight));
    if layout.same_map(&wanted) && layout.size >= wanted.size {
        Ok(())
    } else {
        Err(format!("{weight} does not lie as the template of {node} reads or writes weights"))
    }
}

/// Whether a dense layer's operand is read as a plain row of numbers.
fn is_plain(d: &Dense, value_pixels: usize) -> bool {
    d.planar || value_pixels == 1
}

fn product_operands(s: &Schedule, kernel: &Kernel) -> Result<(), String> {
    let role = if let Form::Dense(d) = &kernel.form { d.role } else { ConvRole::Input };
    let value = product(s, kernel, role).ok_or("a dense kernel has its product")?;
    let d = dense(s.graph(), value).ok_or("a dense kernel is a product")?;
    let inputs = &s.graph().node(value).inputs;
    let pixels = if role == ConvRole::Forward { d.pixels } else { 1 };
    image(s, kernel, inputs[0], is_plain(&d, pixels))?;
    weight(s, value, inputs[1])
}

fn gradient_operands(s: &Schedule, kernel: &Kernel) -> Result<(), String> {
    let gradient = product(s, kernel, ConvRole::Weight).ok_or("a kernel of a weight's gradient has it")?;
    let d = dense(s.graph(), gradient).ok_or("a dense kernel is a product")?;
    if !matches!(s.graph().node(gradient).op, Op::Contract { .. } | Op::Conv { .. }) {
        return Err(format!("{gradient} is no product"));
    }
    let (x, dy) = weight_operands(s.graph(), gradient);
    image(s, kernel, x, is_plain(&d, d.pixels))?;
    // One number an output, read in whole vectors.
    image(s, kernel, dy, true)?;
    let memory = s.layout(s.base(dy)).size;
    if memory < blocks(d.outputs) * LANES && memory > 1 {
        return Err(format!("{dy} is read in vectors, and ends at {memory}"));
    }
    weight(s, gradient, gradient)
}
