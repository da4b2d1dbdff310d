//! `Perceptron(scores, truth)`: (step(s) − y)·s, summed over the outputs, mean over the batch. The truth is 0 or 1, and the
//! step is a constant for the derivative, so that a step of gradient descent with one sample is Rosenblatt's rule (1958):
//! w += lr·(y − step(s))·x.

use super::Truth;
use super::prelude::*;
use super::step::step_of;

pub const LOSS: Loss = Loss {
    name: "Perceptron",
    doc: "The score of every output on its wrong side, summed over the outputs, mean over the batch.",
    usage: "Perceptron(_, y)",
    truth: Truth::Dense,
    arguments: &[],
    lower,
};

fn lower(site: &mut Site) -> Result<Average> {
    let operands = site.inputs.clone();
    Ok(sum_of_elements(site, &operands, |p, v| {
        let answer = step_of(p, v[0]);
        let wrong = p.sub(answer, v[1]);
        p.mul(wrong, v[0])
    }))
}
