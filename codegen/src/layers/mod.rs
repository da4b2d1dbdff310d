//! The layers and losses: one file each, [`ALL`] and [`LOSSES`] list them.
//!
//! A layer reads its arguments, checks its operands' shapes and lowers to primitives. To add one, copy a file that is
//! close, and enter it here: the parser's word, suggestions, gradient, fusion and emitters follow.
//! Deliberately absent: anything that knows a device, and backward code.

pub mod args;
pub mod foreign;
pub mod misfit;
mod normalise;
mod reduction;
pub mod site;
mod spatial;

mod adaptive_avg_pool2d;
mod add;
mod affine_sample;
mod average;
mod avg_pool1d;
mod avg_pool2d;
mod batch_norm;
mod bce;
mod bce_with_logits;
mod concat;
mod conv1d;
mod conv2d;
mod conv_transpose2d;
mod cross_entropy;
mod dot;
mod dropout;
mod dropout2d;
mod elu;
mod embedding;
mod flatten;
mod gaussian_noise;
mod gelu;
mod global_avg_pool;
mod global_max_pool;
mod group_norm;
mod half_square;
mod huber;
mod l1;
mod layer_norm;
mod leaky_relu;
mod linear;
mod local_response_norm;
mod log_softmax;
mod max;
mod max_pool1d;
mod max_pool2d;
mod mean;
mod mish;
mod mse;
mod mul;
mod nll;
mod perceptron;
mod permute;
mod relu;
mod reshape;
mod sigmoid;
mod silu;
mod slice;
mod smooth_l1;
mod softmax;
mod softplus;
mod standardize;
mod step;
mod sum;
mod tanh;
mod upsample2d;
mod zero_pad1d;
mod zero_pad2d;

use crate::graph::expr::{Id, Pool};
use crate::graph::{Init, Value};
use args::{Result, Slot, Surplus};
use site::Site;

/// What a layer or loss file needs.
mod prelude {
    pub use super::args::{Result, Surplus, named, positional};
    pub use super::site::Site;
    pub use super::spatial::{Space, Windows, check_groups};
    pub use super::{
        Average, Layer, Loss, Operands, inverse_root, kaiming, mean_of_elements, mean_over_batch, sum_of_elements,
    };
    pub use crate::diagnostics::Mistake;
    pub use crate::graph::expr::{Binary, Id, Pool, Unary, Uniform};
    pub use crate::graph::op::*;
    pub use crate::graph::{Init, Value, dims_text};
}

/// How many values a layer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operands {
    One,
    Two,
    AtLeastTwo,
    /// One input of ids.
    Ids,
}

/// A layer's record in [`ALL`].
pub struct Layer {
    pub name: &'static str,
    /// First sentence of its documentation.
    pub doc: &'static str,
    /// An example, for messages.
    pub usage: &'static str,
    pub operands: Operands,
    pub arguments: &'static [Slot],
    pub surplus: Surplus,
    pub lower: fn(&mut Site) -> Result<Value>,
}

/// What a loss compares with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    Class,
    Dense,
    /// The loss takes one value, and compares it with nothing.
    Nothing,
}

/// A loss's record in [`LOSSES`]. `lower` gets (prediction, truth), or one value.
pub struct Loss {
    pub name: &'static str,
    pub doc: &'static str,
    pub usage: &'static str,
    pub truth: Truth,
    pub arguments: &'static [Slot],
    pub lower: fn(&mut Site) -> Result<Average>,
}

/// What a loss lowers to. All values are scalars without batch.
#[derive(Clone, Copy, Debug)]
pub enum Average {
    /// The mean over all samples, or a value that is the same for any batch.
    OverSamples(Value),
    /// A sum over all samples, to be divided by the sum of their weights.
    Weighted { sum: Value, weight: Value },
}

pub const ALL: &[Layer] = &[
    linear::LAYER,
    conv2d::LAYER,
    conv1d::LAYER,
    conv_transpose2d::LAYER,
    max_pool2d::LAYER,
    max_pool1d::LAYER,
    avg_pool2d::LAYER,
    avg_pool1d::LAYER,
    global_avg_pool::LAYER,
    global_max_pool::LAYER,
    adaptive_avg_pool2d::LAYER,
    upsample2d::LAYER,
    local_response_norm::LAYER,
    embedding::LAYER,
    affine_sample::LAYER,
    flatten::LAYER,
    reshape::LAYER,
    permute::LAYER,
    slice::LAYER,
    zero_pad1d::LAYER,
    zero_pad2d::LAYER,
    batch_norm::LAYER,
    layer_norm::LAYER,
    group_norm::LAYER,
    standardize::LAYER,
    dropout::LAYER,
    dropout2d::LAYER,
    gaussian_noise::LAYER,
    relu::LAYER,
    leaky_relu::LAYER,
    sigmoid::LAYER,
    tanh::LAYER,
    elu::LAYER,
    gelu::LAYER,
    silu::LAYER,
    mish::LAYER,
    softplus::LAYER,
    step::LAYER,
    softmax::LAYER,
    log_softmax::LAYER,
    add::LAYER,
    mul::LAYER,
    dot::LAYER,
    sum::LAYER,
    average::LAYER,
    max::LAYER,
    concat::LAYER,
];

pub const LOSSES: &[Loss] = &[
    cross_entropy::LOSS,
    nll::LOSS,
    mse::LOSS,
    l1::LOSS,
    huber::LOSS,
    smooth_l1::LOSS,
    bce::LOSS,
    bce_with_logits::LOSS,
    half_square::LOSS,
    perceptron::LOSS,
    mean::LOSS,
];

pub fn find(name: &str) -> Option<&'static Layer> {
    ALL.iter().find(|l| l.name == name)
}

pub fn find_loss(name: &str) -> Option<&'static Loss> {
    LOSSES.iter().find(|l| l.name == name)
}

/// PyTorch's `kaiming_uniform_(a = √5)`, which is U(±1/√fan_in).
pub fn kaiming() -> Init {
    Init::KaimingUniform { gain: (1.0f64 / 3.0).sqrt(), fan_out: false }
}

/// PyTorch's start of a bias: U(±1/√fan_in).
pub fn inverse_root(fan_in: usize) -> Init {
    let bound = 1.0 / (fan_in.max(1) as f64).sqrt();
    Init::Uniform { low: -bound, high: bound }
}

/// A loss per sample, of shape `[1]`, as the scalar mean over the batch.
pub fn mean_over_batch(site: &mut Site, per_sample: Value) -> Average {
    let sum = site.b.sum(per_sample, &[], true);
    let sum = site.b.reshape(sum, &[]);
    Average::OverSamples(site.b.over_batch(sum))
}

/// `each` of the operands' elements, summed over a sample, mean over the batch.
pub fn sum_of_elements(site: &mut Site, operands: &[Value], each: impl FnOnce(&mut Pool, &[Id]) -> Id) -> Average {
    let axes: Vec<usize> = (0..site.dims(0).len()).collect();
    let terms = site.b.map(operands, each);
    let sum = site.b.sum(terms, &axes, false);
    mean_over_batch(site, sum)
}

/// `each` of the operands' elements, mean over all of the batch.
pub fn mean_of_elements(site: &mut Site, operands: &[Value], each: impl FnOnce(&mut Pool, &[Id]) -> Id) -> Average {
    let count: usize = site.dims(0).iter().product();
    sum_of_elements(site, operands, |p, v| {
        let term = each(p, v);
        p.scale(1.0 / count as f64, term)
    })
}

/// A class as dense values: 1 at its index, 0 elsewhere.
pub fn one_hot_of(b: &mut crate::graph::builder::Builder, label: Value, classes: usize) -> Value {
    use crate::graph::op::{MoveOp, Op};
    let one = b.reshape(label, &[1]);
    let wide = b.op(Op::Move(MoveOp::Broadcast { dims: vec![classes], batch: true }), &[one]);
    b.map1(wide, |p, label| {
        let index = p.index(0);
        let hit = p.binary(crate::graph::expr::Binary::Eq, index, label);
        let (one, zero) = (p.constant(1.0), p.constant(0.0));
        p.select(hit, one, zero)
    })
}

/// Operands of an element-wise layer: equal rank, extents equal or 1.
pub fn check_broadcast(site: &Site) -> Result<()> {
    let first = site.dims(0);
    let mut common = first.clone();
    for i in 1..site.inputs.len() {
        let dims = site.dims(i);
        let fits = dims.is_empty()
            || dims.len() == common.len() && dims.iter().zip(&common).all(|(a, b)| a == b || *a == 1 || *b == 1);
        if !fits {
            let (a, b) = (crate::graph::dims_text(&first), crate::graph::dims_text(&dims));
            let message = format!("operands of `{}` have shapes {a} and {b}", site.args.layer);
            return Err(site.shape_error(message).help("extents must be equal, or 1 on one side"));
        }
        for (c, d) in common.iter_mut().zip(&dims) {
            *c = (*c).max(*d);
        }
    }
    Ok(())
}
