//! `Linear<120>`: y = x·Wᵀ + b over the last axis of a vector, or of each position of a sequence [length, features].

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "Linear",
    doc: "A fully connected layer: y = x·Wᵀ + b.",
    usage: "Linear<120>",
    operands: Operands::One,
    arguments: &[positional("size"), named("bias")],
    surplus: Surplus::First,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let outputs = site.args.size("size")?;
    let bias = site.args.bool_or("bias", true)?;
    let dims = site.dims(0);
    let inputs = match dims[..] {
        [features] | [_, features] => features,
        _ => {
            let flat: usize = dims.iter().product();
            let message = format!("`Linear` takes a vector, but its input has shape {}", dims_text(&dims));
            return Err(site.shape_error(message).help(format!("put `Flatten;` before it (it gives [{flat}])")));
        }
    };
    let weight = site.param("weight", &[outputs, inputs], kaiming(), inputs, outputs)?;
    let names: (&[u8], &[u8]) = if dims.len() == 1 { (&[0, 1], &[0, 2]) } else { (&[0, 3, 1], &[0, 3, 2]) };
    let y = site.b.contract(site.inputs[0], names.0, weight, &[2, 1], names.1);
    if !bias {
        return Ok(y);
    }
    let bias = site.param("bias", &[outputs], inverse_root(inputs), inputs, outputs)?;
    let bias = if dims.len() == 1 { bias } else { site.b.reshape(bias, &[1, outputs]) };
    Ok(site.b.add(y, bias))
}
