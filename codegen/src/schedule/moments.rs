//! Mean and variance of the same values are one pass: the sum of squared distances from a mean needs no second look at
//! values whose partial means are merged. Where a contraction makes the values, its tiles give the partial moments, so
//! that nothing is read again at all.

use super::form::{Form, Iter};
use super::layout::LANES;
use super::{Kernel, Schedule, Target, Uses, tile, winograd};
use crate::graph::Value;
use crate::graph::expr::{Expr, Uniform};
use crate::graph::op::{ConvRole, Op, ReduceOp};

/// Joins neighbouring column kernels that compute a sum and the squared distances from its mean.
pub fn moments(s: &mut Schedule, target: &Target) {
    if !target.fusion || !target.moments {
        return;
    }
    let mut uses = Uses::of(s);
    for k in 0..s.kernels.len() {
        let Some(sum) = averaged(s, &s.kernels[k]) else { continue };
        // Who takes the distances from a mean reads it, or what it is made of.
        let behind = uses.readers_behind(&s.kernels[k].stores, k);
        let pair = behind.into_iter().find_map(|b| Some((b, found(s, &s.kernels[k], sum, &s.kernels[b])?)));
        if let Some((second, x)) = pair
            && can_move(s, &uses, k, second)
        {
            join(s, &mut uses, k, second, x, target);
        }
    }
    uses.finish(s);
}

/// The sum and the squared distances of a moments kernel.
pub fn reductions(s: &Schedule, kernel: &Kernel) -> [Value; 2] {
    let list = kernel.reduces(s);
    [list[0], list[1]]
}

/// The kernel whose tiles give the partial moments that this moments kernel merges.
pub fn producer(uses: &Uses, kernel: &Kernel) -> Option<usize> {
    let Form::Moments { x, tiled: true, .. } = kernel.form else { return None };
    uses.maker(x)
}

/// The moments kernel that this kernel's tiles serve, and the value they are of.
pub fn served(uses: &Uses, kernel: &Kernel) -> Option<(usize, Value)> {
    kernel.stores.iter().filter_map(|x| Some((uses.moments(*x)?, *x))).min()
}

/// The one sum that a kernel takes, over all that a channel has.
fn averaged(s: &Schedule, a: &Kernel) -> Option<Value> {
    let Form::Column { iter, reduced } = &a.form else { return None };
    let whole = reduced.batch && !reduced.channels && (reduced.pixels || iter.pixels == 1) && iter.batch;
    let [sum] = a.reduces(s)[..] else { return None };
    whole.then_some(sum)
}

/// The values, if `b` sums squared distances from the mean that `a` computes of them with its only sum, `sum`. It suffices that both
/// sum the same values over the same axes, all of a channel (`averaged`), and that the map between is exactly the square of the
/// distance from sum ÷ count: merged partial moments are sum and squared distances of that and nothing else.
fn found(s: &Schedule, a: &Kernel, sum: Value, b: &Kernel) -> Option<Value> {
    let (Form::Column { iter, .. }, true) = (&a.form, a.form == b.form) else { return None };
    let [squares] = b.reduces(s)[..] else { return None };
    let graph = s.graph();
    let operand = |v: Value| match graph.node(v).op {
        Op::Reduce { op: ReduceOp::Sum, .. } => Some(s.base(graph.node(v).inputs[0])),
        _ => None,
    };
    let (x, distance) = (operand(sum)?, operand(squares)?);
    let node = graph.node(distance);
    let (Op::Map(expr), [value, mean]) = (&node.op, &node.inputs[..]) else { return None };
    let mean = s.base(*mean);
    if s.base(*value) != x || !a.nodes.contains(&mean) {
        return None;
    }
    let squared = Expr::build(2, |p, v| {
        let apart = p.sub(v[0], v[1]);
        p.mul(apart, apart)
    });
    let average = Expr::build(1, |p, v| {
        let batch = p.uniform(Uniform::Batch);
        let count = p.scale(iter.pixels as f64, batch);
        p.div(v[0], count)
    });
    let is_mean = matches!(&graph.node(mean).op, Op::Map(e) if *e == average)
        && graph.node(mean).inputs.first().map(|v| s.base(*v)) == Some(sum);
    (*expr == squared && is_mean).then_some(x)
}

/// Whether `second` can run where `first` does: it needs nothing that is made in between. Who reads its results comes behind both.
fn can_move(s: &Schedule, uses: &Uses, first: usize, second: usize) -> bool {
    s.kernels[second].reads.iter().all(|read| uses.maker(*read).is_none_or(|k| k <= first))
}

fn join(s: &mut Schedule, uses: &mut Uses, first: usize, second: usize, x: Value, target: &Target) {
    let (a, b) = (s.kernels[first].clone(), uses.remove(s, second));
    let Form::Column { iter, .. } = a.form else { unreachable!("a column kernel") };
    let maker = uses.maker(x).filter(|k| *k < first);
    let tiled = target.tiled_moments && maker.is_some_and(|k| gives_tiles(s, &s.kernels[k], x, target));
    let mut nodes = a.nodes.clone();
    nodes.extend(b.nodes.iter().filter(|v| !a.nodes.contains(v)));
    let mut reads: Vec<Value> = a.reads.iter().chain(&b.reads).copied().filter(|v| !a.stores.contains(v)).collect();
    reads.sort_unstable();
    reads.dedup();
    // A mean that only the second kernel read need not be stored any more.
    let stores = a.stores.iter().chain(&b.stores).copied().filter(|v| uses.is_needed_outside(*v, &[first])).collect();
    uses.replace(s, first, Kernel { form: Form::Moments { iter, x, tiled }, nodes, reads, stores });
}

/// Whether this kernel hands the values over tile by tile: many pixels, all of whose channels it has. It suffices that exactly one
/// value with a batch leaves its tiles, the one that the moments are of: what is merged is then what is stored.
fn gives_tiles(s: &Schedule, kernel: &Kernel, x: Value, target: &Target) -> bool {
    let forward = match kernel.form {
        Form::Conv { role, .. } => target.gathers && role == ConvRole::Forward,
        Form::Winograd { role, .. } => role == ConvRole::Forward,
        _ => false,
    };
    if !forward {
        return false;
    }
    // One value leaves a tile: the one that the moments are of.
    s.graph().shape(x).batch && kernel.stores.iter().filter(|v| s.graph().shape(**v).batch).count() == 1
}

/// Floats of partial moments per sample that tiles leave.
pub fn tile_partials(s: &Schedule, uses: &Uses, kernel: &Kernel, iter: &Iter) -> usize {
    match &s.kernels[producer(uses, kernel).expect("tiled moments have a producer")].form {
        Form::Winograd { geometry, .. } => winograd::runs(geometry) * 3 * iter.blocks() * LANES,
        _ => iter.pixels.div_ceil(tile_rows(s, uses, kernel)) * 2 * iter.channels,
    }
}

/// Rows of CUDA's tiles that leave partial moments.
pub fn tile_rows(s: &Schedule, uses: &Uses, kernel: &Kernel) -> usize {
    let producer = producer(uses, kernel).expect("tiled moments have a producer");
    tile::of(&s.kernels[producer].form, false).expect("a convolution has tiles").rows
}
