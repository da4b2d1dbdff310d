//! `LeakyRelu<0.01>`: x where positive, slope·x elsewhere.

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "LeakyRelu",
    doc: "x where positive, slope·x elsewhere.",
    usage: "LeakyRelu<0.01>",
    operands: Operands::One,
    arguments: &[positional("slope")],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let slope = site.args.float_or("slope", 0.01)?;
    Ok(site.map1(|p, x| {
        let zero = p.constant(0.0);
        let positive = p.binary(Binary::Gt, x, zero);
        let leak = p.scale(slope, x);
        p.select(positive, x, leak)
    }))
}
