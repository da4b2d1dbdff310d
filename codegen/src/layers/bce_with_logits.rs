//! `BceWithLogits<pos_weight = 1>(scores, truth)`: binary cross-entropy of sigmoid(scores), from the scores themselves, so
//! that nothing overflows; mean over all elements of the batch. `pos_weight`, one number or one for each channel (first
//! axis), multiplies what the positive truths cost.

use super::Truth;
use super::prelude::*;

pub const LOSS: Loss = Loss {
    name: "BceWithLogits",
    doc: "Binary cross-entropy of the sigmoid of scores, mean over all elements.",
    usage: "BceWithLogits<pos_weight = 2.0>(_, y)",
    truth: Truth::Dense,
    arguments: &[named("pos_weight")],
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let weights = positive_weights(site)?;
    let mut operands = site.inputs.clone();
    operands.extend(weights.per_channel);
    Ok(mean_of_elements(site, &operands, |p, v| {
        let (zero, one) = (p.constant(0.0), p.constant(1.0));
        let (score, truth) = (v[0], v[1]);
        // −ln sigmoid(x) = ln(1 + e⁻ˣ) = ln(1 + eˣ) − x: each where its power is small, and with its own slope at 0.
        let positive = p.binary(Binary::Gt, score, zero);
        let minus = p.neg(score);
        let mut log = |exponent: Id| {
            let power = p.unary(Unary::Exp, exponent);
            let sum = p.add(one, power);
            p.unary(Unary::Ln, sum)
        };
        let (above, below) = (log(minus), log(score));
        let below = p.sub(below, score);
        let surprise = p.select(positive, above, below);
        let weight = match v.get(2) {
            Some(weight) => *weight,
            None => p.constant(weights.all),
        };
        // (1 − y)·x + (1 + (w − 1)·y)·surprise
        let rest = p.sub(one, truth);
        let rest = p.mul(rest, score);
        let more = p.sub(weight, one);
        let more = p.mul(more, truth);
        let factor = p.add(one, more);
        let cost = p.mul(factor, surprise);
        p.add(rest, cost)
    }))
}

struct PositiveWeights {
    all: f64,
    per_channel: Option<Value>,
}

fn positive_weights(site: &mut Site) -> Result<PositiveWeights> {
    let list = match site.args.is_list("pos_weight") {
        true => site.args.floats("pos_weight")?.unwrap_or_default(),
        false => vec![site.args.float_or("pos_weight", 1.0)?],
    };
    if let [all] = list[..] {
        return Ok(PositiveWeights { all, per_channel: None });
    }
    let dims = site.dims(0);
    if list.len() != dims.first().copied().unwrap_or(1) {
        let message = format!(
            "`pos_weight` of `BceWithLogits` has {} numbers, but the prediction has shape {}",
            list.len(),
            dims_text(&dims)
        );
        let help = "one number, or one for each channel (the first axis)";
        return Err(Diagnostic::new(site.args.source("pos_weight"), message).help(help));
    }
    let column = site.b.constants(&list);
    let mut extents = vec![1; dims.len()];
    extents[0] = list.len();
    Ok(PositiveWeights { all: 1.0, per_channel: Some(site.b.reshape(column, &extents)) })
}
