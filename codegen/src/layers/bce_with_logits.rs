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

fn lower(site: &mut Site) -> Result<Average> {
    let weights = positive_weights(site)?;
    let mut operands = site.inputs.clone();
    operands.extend(weights.per_channel);
    Ok(mean_of_elements(site, &operands, |p, v| {
        let (zero, one) = (p.constant(0.0), p.constant(1.0));
        let (score, truth) = (v[0], v[1]);
        let weight = match v.get(2) {
            Some(weight) => *weight,
            None => p.constant(weights.all),
        };
        // −w·y·ln sigmoid(x) − (1 − y)·ln sigmoid(−x), with −ln sigmoid(x) = ln(1 + e⁻ˣ) = ln(1 + eˣ) − x. Of each the form whose
        // power is small is taken, and what cancels is left out, so that value and slope are exact where one of them is nearly 0:
        // (w·y + 1 − y)·ln(1 + e^−|x|), and beside it (1 − y)·x where x is positive, −w·y·x elsewhere.
        let positive = p.binary(Binary::Gt, score, zero);
        let minus = p.neg(score);
        let exponent = p.select(positive, minus, score);
        let power = p.unary(Unary::Exp, exponent);
        let soft = p.unary(Unary::Log1p, power);
        let (no, yes) = (p.sub(one, truth), p.mul(weight, truth));
        let factor = p.add(yes, no);
        let soft = p.mul(factor, soft);
        let (above, below) = (p.mul(no, score), p.mul(yes, minus));
        let hard = p.select(positive, above, below);
        p.add(soft, hard)
    }))
}

struct PositiveWeights {
    all: f64,
    per_channel: Option<Value>,
}

fn positive_weights(site: &mut Site) -> Result<PositiveWeights> {
    let list = match site.args.is_list("pos_weight") {
        true => site.args.weights("pos_weight")?.unwrap_or_default(),
        false => vec![site.args.float_or("pos_weight", 1.0)?],
    };
    if let [all] = list[..]
        && all < 0.0
    {
        let message = format!("`pos_weight` of `BceWithLogits` is not negative, found {all}");
        let help = "0 leaves out, and a cost below zero would have no minimum";
        return Err(Mistake::new(site.args.source("pos_weight"), message).help(help));
    }
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
        return Err(Mistake::new(site.args.source("pos_weight"), message).help(help));
    }
    let column = site.b.constants(&list);
    let mut extents = vec![1; dims.len()];
    extents[0] = list.len();
    Ok(PositiveWeights { all: 1.0, per_channel: Some(site.b.reshape(column, &extents)) })
}
