//! `Nll<weight = […]>(log probabilities, class)`: minus the value at the class, mean over the batch.

use super::Truth;
use super::prelude::*;

pub const LOSS: Loss = Loss {
    name: "Nll",
    doc: "Minus the log probability of the right class, mean over the batch.",
    usage: "Nll(_, digit)",
    truth: Truth::Class,
    arguments: &[named("weight")],
    lower,
};

fn lower(site: &mut Site) -> Result<Average> {
    let classes = site.dims(0)[0];
    let (x, label) = (site.inputs[0], site.inputs[1]);
    let surprise = site.b.map1(x, |p, x| p.neg(x));
    let weights = weights(site, classes)?;
    Ok(weighted_mean(site, surprise, label, weights, 0.0))
}

/// `value` where the element's index is the class, 0 elsewhere.
pub(super) fn at_class(p: &mut Pool, label: Id, value: Id) -> Id {
    let index = p.index(0);
    let hit = p.binary(Binary::Eq, index, label);
    let zero = p.constant(0.0);
    p.select(hit, value, zero)
}

/// `weight = […]`, one number per class, as a constant vector.
pub(super) fn weights(site: &mut Site, classes: usize) -> Result<Option<Value>> {
    let Some(weights) = site.args.weights("weight")? else { return Ok(None) };
    if weights.len() != classes {
        let message =
            format!("`weight` of `{}` has {} numbers, but there are {classes} classes", site.args.layer, weights.len());
        let help = format!("write {classes} numbers, one for each class");
        return Err(Mistake::new(site.args.source("weight"), message).help(help));
    }
    if weights.iter().all(|x| *x == 0.0) {
        let message = format!("`weight` of `{}` is 0 for every class, so there is nothing to learn", site.args.layer);
        return Err(Mistake::new(site.args.source("weight"), message).help("one number above 0 at least"));
    }
    Ok(Some(site.b.constants(&weights)))
}

/// The mean of `surprise` at the class (with smoothing, partly of all classes). With weights it is divided by the sum of
/// the weights of the batch's classes, as PyTorch does.
pub(super) fn weighted_mean(
    site: &mut Site,
    surprise: Value,
    label: Value,
    weights: Option<Value>,
    smoothing: f64,
) -> Average {
    let classes = site.dims(0)[0] as f64;
    let mut operands = vec![surprise, label];
    operands.extend(weights);
    let terms = site.b.map(&operands, |p, v| {
        let value = if v.len() == 3 { p.mul(v[0], v[2]) } else { v[0] };
        let picked = at_class(p, v[1], value);
        let (picked, all) = (p.scale(1.0 - smoothing, picked), p.scale(smoothing / classes, value));
        p.add(picked, all)
    });
    let loss = site.b.sum(terms, &[0], false);
    let Some(weights) = weights else { return mean_over_batch(site, loss) };
    let weight = site.b.map2(weights, label, |p, weight, label| at_class(p, label, weight));
    let weight = site.b.sum(weight, &[0], false);
    let (loss, weight) = (site.b.sum(loss, &[], true), site.b.sum(weight, &[], true));
    Average::Weighted { sum: site.b.reshape(loss, &[]), weight: site.b.reshape(weight, &[]) }
}
