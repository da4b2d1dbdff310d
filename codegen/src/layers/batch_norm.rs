//! `BatchNorm<eps = 1e-5, momentum = 0.1>`: each channel of a vector, sequence or image to mean 0 and variance 1, then
//! scaled and shifted. Training takes the batch's statistics and moves the running ones; evaluation takes the running ones.

use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "BatchNorm",
    doc: "Each channel normalised over the batch, then scaled and shifted.",
    usage: "BatchNorm<eps = 1e-5, momentum = 0.1>",
    operands: Operands::One,
    arguments: &[named("eps"), named("momentum")],
    surplus: Surplus::First,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let eps = site.args.float_or("eps", 1e-5)?;
    let momentum = site.args.float_or("momentum", 0.1)?;
    for (name, value, most) in [("eps", eps, f64::MAX), ("momentum", momentum, 1.0)] {
        if !(0.0..=most).contains(&value) {
            let range = if most == 1.0 { "in [0, 1]" } else { "not negative" };
            let message = format!("`{name}` of `BatchNorm` is {range}, found {value}");
            return Err(Diagnostic::new(site.args.source(name), message));
        }
    }
    let dims = site.dims(0);
    let Some(&channels) = dims.first().filter(|_| dims.len() <= 3) else {
        let message =
            format!("`BatchNorm` takes a vector, a sequence or an image, but its input has shape {}", dims_text(&dims));
        return Err(site.shape_error(message));
    };
    // One value per channel, beside the positions.
    let mut column = vec![1; dims.len()];
    column[0] = channels;
    let weight = site.param("weight", &[channels], Init::Ones, channels, channels)?;
    let bias = site.param("bias", &[channels], Init::Zeros, channels, channels)?;
    let (mean_state, running_mean) = site.state("running_mean", &[channels], Init::Zeros);
    let (var_state, running_var) = site.state("running_var", &[channels], Init::Ones);
    let x = site.inputs[0];
    let (mean, var) = if site.training {
        let positions: usize = dims[1..].iter().product();
        let (mean, var) = statistics(site, x, positions);
        let moved = [(mean_state, running_mean, mean, false), (var_state, running_var, var, true)];
        for (state, running, batch, unbiased) in moved {
            let batch = site.b.reshape(batch, &[channels]);
            let next = site.b.map2(running, batch, |p, running, batch| {
                let batch = if unbiased { unbias(p, batch, positions) } else { batch };
                let (old, new) = (p.scale(1.0 - momentum, running), p.scale(momentum, batch));
                p.add(old, new)
            });
            site.assign(state, next);
        }
        (mean, var)
    } else {
        (site.b.reshape(running_mean, &column), site.b.reshape(running_var, &column))
    };
    let weight = site.b.reshape(weight, &column);
    let bias = site.b.reshape(bias, &column);
    // One map, so that nothing but x is kept for the backward pass.
    Ok(site.b.map(&[x, mean, var, weight, bias], |p, v| {
        let eps = p.constant(eps);
        let var = p.add(v[2], eps);
        let deviation = p.unary(Unary::Sqrt, var);
        let scale = p.div(v[3], deviation);
        let centred = p.sub(v[0], v[1]);
        let scaled = p.mul(centred, scale);
        p.add(scaled, v[4])
    }))
}

/// Mean and biased variance of each channel over the batch and all positions, in two passes.
fn statistics(site: &mut Site, x: Value, positions: usize) -> (Value, Value) {
    let axes: Vec<usize> = (1..site.dims(0).len()).collect();
    let sum = site.b.sum(x, &axes, true);
    let mean = site.b.map1(sum, |p, sum| {
        let count = samples(p, positions);
        p.div(sum, count)
    });
    // The derivative of the variance by the mean is zero: centred values sum to nothing.
    let fixed = site.b.detach(mean);
    let squares = site.b.map2(x, fixed, |p, x, mean| {
        let centred = p.sub(x, mean);
        p.mul(centred, centred)
    });
    let sum = site.b.sum(squares, &axes, true);
    let var = site.b.map1(sum, |p, sum| {
        let count = samples(p, positions);
        p.div(sum, count)
    });
    (mean, var)
}

/// Values per channel in the batch.
fn samples(p: &mut Pool, positions: usize) -> Id {
    let batch = p.uniform(Uniform::Batch);
    p.scale(positions as f64, batch)
}

/// PyTorch keeps the unbiased variance, n/(n − 1) times the biased one. One lone value per channel leaves it biased.
fn unbias(p: &mut Pool, var: Id, positions: usize) -> Id {
    let n = samples(p, positions);
    let one = p.constant(1.0);
    let less = p.sub(n, one);
    let less = p.binary(Binary::Max, less, one);
    let factor = p.div(n, less);
    p.mul(var, factor)
}
