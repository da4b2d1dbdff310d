//! `Bce(prediction, truth)`: binary cross-entropy of probabilities, −(y·ln p + (1 − y)·ln(1 − p)), mean over all elements
//! of the batch. As in PyTorch no logarithm is below −100, so that a certain and wrong prediction costs 100, not infinity.

use super::Truth;
use super::prelude::*;

pub const LOSS: Loss = Loss {
    name: "Bce",
    doc: "Binary cross-entropy of probabilities, mean over all elements.",
    usage: "Bce(_, y)",
    truth: Truth::Dense,
    arguments: &[],
    lower,
};

fn lower(site: &mut Site) -> Result<Value> {
    let operands = site.inputs.clone();
    Ok(mean_of_elements(site, &operands, |p, v| {
        let (one, least) = (p.constant(1.0), p.constant(-100.0));
        let (no, wrong) = (p.sub(one, v[1]), p.sub(one, v[0]));
        let mut term = |truth: Id, probability: Id| {
            let log = p.unary(Unary::Ln, probability);
            let log = p.binary(Binary::Max, log, least);
            p.mul(truth, log)
        };
        let (yes, no) = (term(v[1], v[0]), term(no, wrong));
        let sum = p.add(yes, no);
        p.neg(sum)
    }))
}
