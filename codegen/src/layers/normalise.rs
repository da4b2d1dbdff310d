//! Means, variances and what is made of them: what the normalising layers share.

use super::prelude::*;

/// Which elements share a mean and a variance.
pub struct Moments {
    pub mean: Value,
    /// Of the elements, not of what they were drawn from: divided by their number.
    pub variance: Value,
}

/// Mean and variance along `axes` of a sample and, if `batch`, over the batch, in two passes. The reduced axes stay with
/// extent 1.
pub fn moments(site: &mut Site, x: Value, axes: &[usize], batch: bool) -> Moments {
    let count: usize = axes.iter().map(|axis| site.b.dims(x)[*axis]).product();
    let sum = site.b.sum(x, axes, batch);
    let mean = over(site, sum, count, batch);
    let squares = squared_distances(site, x, mean);
    let sum = site.b.sum(squares, axes, batch);
    Moments { mean, variance: over(site, sum, count, batch) }
}

/// (x − mean)². The derivative of a variance by its mean is zero, for centred values sum to nothing.
pub fn squared_distances(site: &mut Site, x: Value, mean: Value) -> Value {
    let fixed = site.b.detach(mean);
    site.b.map2(x, fixed, |p, x, mean| {
        let centred = p.sub(x, mean);
        p.mul(centred, centred)
    })
}

/// `sum` by the number of values in it: `count` per sample.
fn over(site: &mut Site, sum: Value, count: usize, batch: bool) -> Value {
    site.b.map1(sum, |p, sum| {
        if batch {
            let count = samples(p, count);
            return p.div(sum, count);
        }
        p.scale(1.0 / count as f64, sum)
    })
}

/// Values in the whole batch.
pub fn samples(p: &mut Pool, per_sample: usize) -> Id {
    let batch = p.uniform(Uniform::Batch);
    p.scale(per_sample as f64, batch)
}

/// (x − mean) / √(variance + eps), times weight, plus bias: one map, so that nothing but x is kept for the backward pass.
pub fn normalised(
    site: &mut Site,
    x: Value,
    by: Moments,
    eps: f64,
    weight: Option<Value>,
    bias: Option<Value>,
) -> Value {
    let dims = |site: &Site, value: Value| site.b.dims(value).to_vec();
    // The quotient of what lies alike is taken once for all elements under it.
    let alike = weight.is_none_or(|weight| dims(site, weight) == dims(site, by.variance));
    let mut operands = vec![x, by.mean, by.variance];
    operands.extend(weight);
    operands.extend(bias);
    let has_weight = weight.is_some();
    site.b.map(&operands, |p, v| {
        let eps = p.constant(eps);
        let variance = p.add(v[2], eps);
        let deviation = p.unary(Unary::Sqrt, variance);
        let one = p.constant(1.0);
        let scale = p.div(if has_weight && alike { v[3] } else { one }, deviation);
        let centred = p.sub(v[0], v[1]);
        let mut y = p.mul(centred, scale);
        if has_weight && !alike {
            y = p.mul(y, v[3]);
        }
        if v.len() == 4 + usize::from(has_weight) { p.add(y, v[v.len() - 1]) } else { y }
    })
}

/// `eps`, a small number that is not negative.
pub fn eps(site: &Site) -> Result<f64> {
    let eps = site.args.float_or("eps", 1e-5)?;
    if eps >= 0.0 && eps.is_finite() {
        return Ok(eps);
    }
    let message = format!("`eps` of `{}` is not negative, found {eps}", site.args.layer);
    Err(Mistake::new(site.args.source("eps"), message).help("write a small number above 0, such as `eps = 1e-5`"))
}
