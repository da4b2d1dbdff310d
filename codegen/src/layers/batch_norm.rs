//! `BatchNorm<eps = 1e-5, momentum = 0.1, affine = true, track_running_stats = true>`: each channel of a vector, sequence or
//! image to mean 0 and variance 1, then scaled and shifted (Ioffe and Szegedy, 2015). Training takes the batch's statistics
//! and moves the running ones: by the momentum, or with `momentum = none` to the mean over all batches so far. Evaluation
//! takes the running ones, or the batch's where none are tracked.

use super::normalise::{Moments, eps, moments, normalised, samples};
use super::prelude::*;

pub const LAYER: Layer = Layer {
    name: "BatchNorm",
    doc: "Each channel normalised over the batch, then scaled and shifted.",
    usage: "BatchNorm<eps = 1e-5, momentum = 0.1>",
    operands: Operands::One,
    arguments: &[named("eps"), named("momentum"), named("affine"), named("track_running_stats")],
    surplus: Surplus::First,
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let eps = eps(site)?;
    let momentum = site.args.float_or_none("momentum", 0.1)?;
    if let Some(momentum) = momentum
        && !(0.0..=1.0).contains(&momentum)
    {
        let message = format!("`momentum` of `BatchNorm` is in [0, 1], found {momentum}");
        let help = "PyTorch's default is `momentum = 0.1`; Keras counts it from the other side: its 0.99 is 0.01";
        return Err(Mistake::new(site.args.source("momentum"), message).help(help));
    }
    let affine = site.args.bool_or("affine", true)?;
    let tracked = site.args.bool_or("track_running_stats", true)?;
    let dims = site.dims(0);
    let Some(&channels) = dims.first().filter(|_| dims.len() <= 3) else {
        let message =
            format!("`BatchNorm` takes a vector, a sequence or an image, but its input has shape {}", dims_text(&dims));
        return Err(site.shape_error(message).help("put it where the value has at most 3 axes"));
    };
    // One value per channel, beside the positions.
    let mut column = vec![1; dims.len()];
    column[0] = channels;
    let (weight, bias) = if affine {
        let weight = site.param("weight", &[channels], Init::Ones, channels, channels)?;
        (Some(weight), Some(site.param("bias", &[channels], Init::Zeros, channels, channels)?))
    } else {
        (None, None)
    };
    let running = tracked.then(|| Running::declare(site, channels, momentum));
    let x = site.inputs[0];
    let by = match &running {
        Some(running) if !site.training => Moments {
            mean: site.b.reshape(running.mean.1, &column),
            variance: site.b.reshape(running.variance.1, &column),
        },
        _ => {
            let axes: Vec<usize> = (1..dims.len()).collect();
            let by = moments(site, x, &axes, true);
            if dims[1..].iter().product::<usize>() == 1 {
                let layer = site.b.layer.clone();
                site.tables.single.push((by.variance, layer));
            }
            if let Some(running) = running
                && site.training
            {
                running.moved(site, &by, dims[1..].iter().product());
            }
            by
        }
    };
    let weight = weight.map(|weight| site.b.reshape(weight, &column));
    let bias = bias.map(|bias| site.b.reshape(bias, &column));
    Ok(normalised(site, x, by, eps, weight, bias))
}

/// Running statistics: the number and the leaf of each state.
struct Running {
    channels: usize,
    mean: (usize, Value),
    variance: (usize, Value),
    rate: Rate,
}

/// How far a batch moves them.
enum Rate {
    Momentum(f64),
    /// 1/n at the nth batch: the state that counts.
    Cumulative((usize, Value)),
}

impl Running {
    fn declare(site: &mut Site, channels: usize, momentum: Option<f64>) -> Running {
        let mean = site.state("running_mean", &[channels], Init::Zeros);
        let variance = site.state("running_var", &[channels], Init::Ones);
        let rate = match momentum {
            Some(momentum) => Rate::Momentum(momentum),
            None => Rate::Cumulative(site.state("num_batches_tracked", &[], Init::Zeros)),
        };
        Running { channels, mean, variance, rate }
    }

    fn moved(self, site: &mut Site, batch: &Moments, positions: usize) {
        let count = match &self.rate {
            Rate::Momentum(_) => None,
            Rate::Cumulative((state, before)) => {
                let count = site.b.map1(*before, |p, before| {
                    let one = p.constant(1.0);
                    p.add(before, one)
                });
                site.assign(*state, count);
                Some(count)
            }
        };
        for ((state, running), batch, unbiased) in
            [(self.mean, batch.mean, false), (self.variance, batch.variance, true)]
        {
            let batch = site.b.reshape(batch, &[self.channels]);
            let mut operands = vec![running, batch];
            operands.extend(count);
            let next = site.b.map(&operands, |p, v| {
                let batch = if unbiased { unbias(p, v[1], positions) } else { v[1] };
                let (old, new) = match self.rate {
                    Rate::Momentum(momentum) => (p.scale(1.0 - momentum, v[0]), p.scale(momentum, batch)),
                    Rate::Cumulative(_) => {
                        let one = p.constant(1.0);
                        let rate = p.div(one, v[2]);
                        let rest = p.sub(one, rate);
                        (p.mul(rest, v[0]), p.mul(rate, batch))
                    }
                };
                p.add(old, new)
            });
            site.assign(state, next);
        }
    }
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
