//! Kernels that call Winograd's template, and those that transform its weights.

use super::body::{Arg, Args, At, name};
use super::templates::{Functor, adjoint_text, conv_text, pointer, pooling_sink, sink, source, usual_place};
use super::{Launch, Writer};
use crate::graph::Value;
use crate::graph::op::{ConvGeometry, ConvRole};
use crate::schedule::form::Iter;
use crate::schedule::moments::served;
use crate::schedule::winograd::{master, pooled};
use proc_macro2::TokenStream;
use quote::quote;

/// The descriptor of a convolution and of its weights, which are the forward convolution's.
pub(super) fn text(role: ConvRole, geometry: &ConvGeometry, own: usize) -> TokenStream {
    let turned = role == ConvRole::Input;
    let conv = if turned { adjoint_text(geometry, false) } else { conv_text(geometry, false) };
    quote!(Winograd { conv: #conv, turned: #turned, own: #own })
}

/// Where a template reads an operand, as an expression.
pub(super) fn operand(w: &Writer, value: Value, args: &mut Args) -> TokenStream {
    let (item, source) = source(w, Iter::channelwise(w.s.graph().shape(value)), value, args);
    if item.is_empty() { source } else { quote!({ #item #source }) }
}

/// The scratch of a template, and more where it computes an operand.
pub(super) fn with_rows(w: &Writer, operands: &[Value], scratch: TokenStream, conv: TokenStream) -> TokenStream {
    let computed = operands.iter().any(|v| w.kernel.nodes.contains(&w.s.base(*v)));
    if computed { quote!(#scratch + winograd_rows(&#conv)) } else { scratch }
}

pub fn winograd(w: &Writer, role: ConvRole, geometry: &ConvGeometry, own: usize) -> Vec<Launch> {
    let value = w.kernel.anchor(w.s);
    let node = w.s.graph().node(value);
    let mut args = Args::default();
    let x = operand(w, node.inputs[0], &mut args);
    let (transformed, _) = pointer(w, node.inputs[1], &mut args);
    let master = if own > 0 {
        let master = args.pointer(Arg::Value(master(w.s, value).expect("Winograd's weights are made of a parameter")));
        quote!(#master)
    } else {
        quote!(::core::ptr::null())
    };
    let descriptor = text(role, geometry, own);
    let shared = quote!(s, &D, #x, weights, cx.scratch(worker), cx.batch, task);
    let call = match pooled(w.s, w.kernel) {
        Some(pooled) => {
            let Functor { item, value: sink } = pooling_sink(w, value, pooled, &mut args);
            quote!(#item winograd_pooled(#shared, #sink);)
        }
        None => {
            let at = At::of(Iter::channelwise(&node.ty.shape));
            let place = usual_place(&at);
            let Functor { item, value: sink } = sink(w, at, &[(value, name("acc"))], place, &mut args);
            let statistics = statistics(w, geometry, &mut args);
            quote!(#item winograd(#shared, #sink, #statistics);)
        }
    };
    let body = quote!(let weights = Weights { master: #master, transformed: #transformed }; #call);
    let tasks = quote!(winograd_tasks(&D, batch));
    let mut launch = w.launch_with("winograd", args, quote!(Winograd = #descriptor), tasks, body);
    let scratch = quote!(winograd_scratch(&#descriptor));
    launch.scratch = Some(with_rows(w, &node.inputs[..1], scratch, quote!((#descriptor).conv)));
    vec![launch]
}

/// An expression of type `Option<Statistics>`: the partial moments that tasks leave.
fn statistics(w: &Writer, geometry: &ConvGeometry, args: &mut Args) -> TokenStream {
    let Some((served, of)) = served(w.uses, w.kernel) else { return quote!(::core::option::Option::None) };
    let (from, sample) = pointer(w, of, args);
    let to = args.pointer(Arg::PartialsOf(served));
    let pixels = geometry.output[0] * geometry.output[1];
    let of = quote!(Load { from: #from, sample: #sample, pixels: #pixels });
    quote!(::core::option::Option::Some(Statistics { of: #of, to: #to }))
}

pub fn weights(w: &Writer, role: ConvRole, geometry: &ConvGeometry, own: usize) -> Vec<Launch> {
    let value = w.kernel.nodes[0];
    let mut args = Args::default();
    let (from, _) = pointer(w, w.s.graph().node(value).inputs[0], &mut args);
    let to = args.pointer(Arg::Value(value));
    let descriptor = text(role, geometry, own);
    let body = quote!(winograd_weights(s, &D, #from, #to, task););
    let tasks = quote!(winograd_weights_tasks(&D, batch));
    vec![w.launch_with("winograd_weights", args, quote!(Winograd = #descriptor), tasks, body)]
}
