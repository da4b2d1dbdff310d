//! `GroupNorm<4>`: the channels of each sample in groups, each to mean 0 and variance 1, then scaled and shifted channel by
//! channel (Wu and He, 2018).

use super::normalise::{Moments, eps, normalised, squared_distances};
use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "GroupNorm",
    doc: "The channels of each sample normalised in groups, then scaled and shifted.",
    usage: "GroupNorm<4>",
    operands: Operands::One,
    arguments: &[positional("num_groups"), named("eps"), named("affine")],
    surplus: Surplus::Nothing,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let groups = site.args.size("num_groups")?;
    let eps = eps(site)?;
    let affine = site.args.bool_or("affine", true)?;
    let dims = site.dims(0);
    let Some(&channels) = dims.first() else {
        let message = "`GroupNorm` takes channels, but its input is one number";
        return Err(site.shape_error(message).help("put it where the value still has channels"));
    };
    if !channels.is_multiple_of(groups) {
        let message =
            format!("`GroupNorm` makes {groups} groups, but its input {} has {channels} channels", dims_text(&dims));
        let divisors: Vec<String> =
            (1..=channels.min(64)).filter(|g| channels.is_multiple_of(*g)).map(|g| g.to_string()).collect();
        let help = format!("the number of groups divides that of channels: {}", divisors.join(", "));
        return Err(Mistake::new(site.args.source("num_groups"), message).help(help).trail(site.trail.clone()));
    }
    let mut column = vec![1; dims.len()];
    column[0] = channels;
    let parameter = |site: &mut Site, name: &str, init: Init| {
        if !affine {
            return Ok(None);
        }
        let value = site.param(name, &[channels], init, channels, channels)?;
        Ok(Some(site.b.reshape(value, &column)))
    };
    let weight = parameter(site, "weight", Init::Ones)?;
    let bias = parameter(site, "bias", Init::Zeros)?;
    let x = site.inputs[0];
    let mean = group_mean(site, x, groups, &column);
    let squares = squared_distances(site, x, mean);
    let variance = group_mean(site, squares, groups, &column);
    Ok(normalised(site, x, Moments { mean, variance }, eps, weight, bias))
}

/// The mean of each group of channels, once for each of its channels. First along the positions, where the values lie; then
/// over the few sums of a group.
fn group_mean(site: &mut Site, x: Value, groups: usize, column: &[usize]) -> Value {
    let dims = site.b.dims(x).to_vec();
    let (members, count) = (dims[0] / groups, dims.iter().product::<usize>() / groups);
    let positions: Vec<usize> = (1..dims.len()).collect();
    let sums = if positions.is_empty() { x } else { site.b.sum(x, &positions, false) };
    let table = site.b.reshape(sums, &[groups, members]);
    let sum = site.b.sum(table, &[1], false);
    let mean = site.b.map1(sum, |p, sum| p.scale(1.0 / count as f64, sum));
    let wide = site.b.op(Op::Move(MoveOp::Broadcast { dims: vec![groups, members], batch: true }), &[mean]);
    site.b.reshape(wide, column)
}
