//! Mean and squared distances from it, one pass over memory.

use super::body::{Arg, Args, name};
use super::loops::{Split, results};
use super::templates::source;
use super::{Launch, Writer};
use crate::graph::Value;
use crate::graph::op::ReduceOp;
use crate::schedule::form::{Iter, Reduced};
use crate::schedule::fuse::column_result;
use crate::schedule::moments::reductions;
use quote::quote;

/// One launch leaves the moments of parts of the batch, a second merges them and computes what follows.
pub fn moments(w: &Writer, iter: Iter, x: Value) -> Vec<Launch> {
    let (blocks, pixels, chunks) = (iter.blocks(), iter.pixels, w.chunks);
    let descriptor = quote!(Moments = Moments { blocks: #blocks, pixels: #pixels, chunks: #chunks });
    let mut args = Args::default();
    let (item, x) = source(w, iter, x, &mut args);
    let to = args.pointer(Arg::Partials);
    let body = quote!(#item moments_partials(s, &D, #x, cx.batch, task, #to););
    let first = w.launch_with("moments_partials", args, descriptor.clone(), quote!(moments_tasks(&D)), body);

    let mut args = Args::default();
    let from = args.pointer(Arg::Partials);
    let reduced = Reduced { batch: true, channels: false, pixels: true };
    let result = column_result(iter, reduced);
    let block = if blocks > 1 { quote!(b) } else { quote!(0usize) };
    let (sum, squares) = (name("sum"), name("squares"));
    let ops = [ReduceOp::Sum; 2];
    let results = results(w, reduced, result, &reductions(w.s, w.kernel), &[sum, squares], &ops, &mut args);
    let split = Split::of(result);
    let inner = quote!(let (sum, squares) = moments_results(s, &D, cx.batch, #block, #from); #results);
    let body = split.nest(w, result, inner, &mut args);
    vec![first, w.launch_with("moments_results", args, descriptor, split.tasks(false), body)]
}
