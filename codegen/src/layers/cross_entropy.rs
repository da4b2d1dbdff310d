//! `CrossEntropy<label_smoothing = 0, weight = […]>(logits, class)`: −log of the softmax at the class, mean over the batch.

use super::args::named;
use super::prelude::*;
use super::softmax::running_max;
use super::{Truth, nll};

pub const LOSS: Loss = Loss {
    name: "CrossEntropy",
    doc: "Minus the logarithm of the probability that softmax gives the right class, mean over the batch.",
    usage: "CrossEntropy(_, digit)",
    truth: Truth::Class,
    arguments: &[named("label_smoothing"), named("weight")],
    lower,
};

fn lower(site: &mut Site) -> Result<Average> {
    let smoothing = site.args.float_or("label_smoothing", 0.0)?;
    if !(0.0..=1.0).contains(&smoothing) {
        let message = format!("`label_smoothing` of `CrossEntropy` is in [0, 1], found {smoothing}");
        return Err(Mistake::new(site.args.source("label_smoothing"), message)
            .help("write a share such as `label_smoothing = 0.1`"));
    }
    let classes = site.dims(0)[0];
    let (x, label, max) = (site.inputs[0], site.inputs[1], running_max(site)?);
    let powers = site.b.map2(x, max, |p, x, max| {
        let shifted = p.sub(x, max);
        p.unary(Unary::Exp, shifted)
    });
    let sum = site.b.sum(powers, &[0], false);
    let weights = nll::weights(site, classes)?;
    if weights.is_none() && smoothing == 0.0 {
        // The one term of the sum that is not zero.
        let picked = site.b.map(&[x, max, label], |p, v| {
            let shifted = p.sub(v[0], v[1]);
            nll::at_class(p, v[2], shifted)
        });
        let picked = site.b.sum(picked, &[0], false);
        let loss = site.b.map2(sum, picked, |p, sum, picked| {
            let log = p.unary(Unary::Ln, sum);
            p.sub(log, picked)
        });
        return Ok(mean_over_batch(site, loss));
    }
    // Minus the logarithm of each class's probability.
    let surprise = site.b.map(&[x, max, sum], |p, v| {
        let shifted = p.sub(v[0], v[1]);
        let log = p.unary(Unary::Ln, v[2]);
        p.sub(log, shifted)
    });
    Ok(nll::weighted_mean(site, surprise, label, weights, smoothing))
}
