//! `Dropout2d<0.5>`: in training each channel of an image is 0 with probability p, and the others grow by 1/(1 − p)
//! (Tompson and others, 2015).

use super::dropout::dropped;
use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "Dropout2d",
    doc: "In training each channel is zeroed with probability p, and the others grow by 1/(1 − p).",
    usage: "Dropout2d<0.5>",
    operands: Operands::One,
    arguments: &[positional("p")],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let p = site.args.probability_or("p", 0.5)?;
    let [channels, ..] = site.image()?;
    Ok(dropped(site, p, &[channels, 1, 1]))
}
