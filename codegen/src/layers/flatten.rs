//! `Flatten`: all values of a sample as one vector, the last axis fastest.

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "Flatten",
    doc: "All values of a sample as one vector.",
    usage: "Flatten",
    operands: Operands::One,
    arguments: &[],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let count = site.dims(0).iter().product();
    let x = site.inputs[0];
    Ok(site.b.reshape(x, &[count]))
}
