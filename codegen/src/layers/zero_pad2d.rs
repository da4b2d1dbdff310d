//! `ZeroPad2d<1>`, `ZeroPad2d<[left, right, top, bottom]>`: zeros around an image.

use super::prelude::*;
use super::zero_pad1d::pad;

pub const LAYER: Layer = Layer {
    name: "ZeroPad2d",
    doc: "Zeros around an image.",
    usage: "ZeroPad2d<1>",
    operands: Operands::One,
    arguments: &[positional("padding")],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let [left, right, top, bottom] = site.args.sides("padding", ["left", "right", "top", "bottom"])?;
    site.image()?;
    let x = site.inputs[0];
    let x = pad(site, x, 1, top, bottom);
    Ok(pad(site, x, 2, left, right))
}
