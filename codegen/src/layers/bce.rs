//! `Bce(prediction, truth)`: binary cross-entropy of probabilities, −(y·ln p + (1 − y)·ln(1 − p)), mean over all elements
//! of the batch. As in PyTorch no logarithm is below −100, so that a certain and wrong prediction costs 100, not infinity.
//! Where a logarithm is cut its slope is 0.

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

fn lower(site: &mut Site) -> Result<Average> {
    let operands = site.inputs.clone();
    Ok(mean_of_elements(site, &operands, |p, v| {
        let (one, least) = (p.constant(1.0), p.constant(-100.0));
        let (no, minus) = (p.sub(one, v[1]), p.neg(v[0]));
        let mut term = |truth: Id, function: Unary, x: Id| {
            let log = p.unary(function, x);
            let log = p.binary(Binary::Max, log, least);
            p.mul(truth, log)
        };
        let (yes, no) = (term(v[1], Unary::Ln, v[0]), term(no, Unary::Log1p, minus));
        let sum = p.add(yes, no);
        p.neg(sum)
    }))
}
