//! Mean and squared distances from it, one pass over memory.

use super::body::{Arg, Args};
use super::loops::{Split, results};
use super::templates::source;
use super::{Launch, Writer, winograd};
use crate::graph::Value;
use crate::graph::op::ReduceOp;
use crate::schedule::Form;
use crate::schedule::form::{Iter, Reduced};
use crate::schedule::fuse::column_result;
use crate::schedule::moments::{producer, reductions};
use proc_macro2::TokenStream;
use quote::quote;

/// One launch leaves the moments of parts of the batch, unless the tiles of a convolution have; another merges them and
/// computes what follows.
pub fn moments(w: &Writer, iter: Iter, x: Value) -> Vec<Launch> {
    if let Some(producer) = producer(w.uses, w.kernel) {
        let Form::Winograd { role, geometry, own } = &w.s.kernels[producer].form else {
            unreachable!("{} leaves no moments", w.s.kernels[producer].form.name())
        };
        let (descriptor, merge) = (winograd::text(*role, geometry, *own), quote!(winograd_moments));
        return vec![merged(w, iter, quote!(Winograd = #descriptor), merge)];
    }
    let (blocks, pixels, chunks) = (iter.blocks(), iter.pixels, w.chunks);
    let descriptor = quote!(Moments = Moments { blocks: #blocks, pixels: #pixels, chunks: #chunks });
    let mut args = Args::default();
    let (item, x) = source(w, iter, x, &mut args);
    let to = args.pointer(Arg::Partials);
    let body = quote!(#item moments_partials(s, &D, #x, cx.batch, task, #to););
    let first = w.launch_with("moments_partials", args, descriptor.clone(), quote!(moments_tasks(&D)), body);
    vec![first, merged(w, iter, descriptor, quote!(moments_results))]
}

/// The launch that merges partial moments by this template, and computes what follows.
fn merged(w: &Writer, iter: Iter, descriptor: TokenStream, merge: TokenStream) -> Launch {
    let mut args = Args::default();
    let from = args.pointer(Arg::Partials);
    let reduced = Reduced { batch: true, channels: false, pixels: true };
    let result = column_result(iter, reduced);
    let block = if iter.blocks() > 1 { quote!(b) } else { quote!(0usize) };
    let moments = [quote!(sum), quote!(squares)];
    let ops = [ReduceOp::Sum; 2];
    let results = results(w, reduced, result, &reductions(w.s, w.kernel), &moments, &ops, &mut args);
    let split = Split::of(result);
    let inner = quote!(let (sum, squares) = #merge(s, &D, cx.batch, #block, #from); #results);
    let body = split.nest(w, result, inner, &mut args);
    w.launch_with("moments_results", args, descriptor, split.tasks(false), body)
}
