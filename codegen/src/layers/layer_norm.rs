//! `LayerNorm`, `LayerNorm<64>`: the last axes of each sample to mean 0 and variance 1, then scaled and shifted (Ba, Kiros
//! and Hinton, 2016). Without `normalized_shape` these are all axes.

use super::normalise::{eps, moments, normalised};
use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "LayerNorm",
    doc: "Each sample, or its last axes, normalised, then scaled and shifted.",
    usage: "LayerNorm<eps = 1e-5>",
    operands: Operands::One,
    arguments: &[positional("normalized_shape"), named("eps"), named("elementwise_affine"), named("bias")],
    surplus: Surplus::Named(&["eps", "elementwise_affine", "bias"]),
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let eps = eps(site)?;
    let affine = site.args.bool_or("elementwise_affine", true)?;
    let shifted = site.args.bool_or("bias", true)?;
    let dims = site.dims(0);
    let shape = match site.args.has("normalized_shape") {
        false => dims.clone(),
        true if site.args.is_list("normalized_shape") => site.args.sizes("normalized_shape")?,
        true => vec![site.args.size("normalized_shape")?],
    };
    if shape.is_empty() || !dims.ends_with(&shape) {
        let message =
            format!("`LayerNorm` normalises {}, but its input has shape {}", dims_text(&shape), dims_text(&dims));
        let last = dims.last().copied().unwrap_or(1);
        let help = format!("the last axes of the input, `LayerNorm<{last}>`, or `LayerNorm` for all of them");
        return Err(Mistake::new(site.args.source("normalized_shape"), message).help(help).trail(site.trail.clone()));
    }
    let count: usize = shape.iter().product();
    let first = dims.len() - shape.len();
    let mut spread = vec![1; first];
    spread.extend(&shape);
    let parameter = |site: &mut Site, name: &str, init: Init, there: bool| {
        if !there {
            return Ok(None);
        }
        let value = site.param(name, &shape, init, count, count)?;
        Ok(Some(site.b.reshape(value, &spread)))
    };
    let weight = parameter(site, "weight", Init::Ones, affine)?;
    let bias = parameter(site, "bias", Init::Zeros, affine && shifted)?;
    let axes: Vec<usize> = (first..dims.len()).collect();
    let x = site.inputs[0];
    let by = moments(site, x, &axes, false);
    Ok(normalised(site, x, by, eps, weight, bias))
}
