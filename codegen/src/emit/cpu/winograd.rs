//! Kernels that call Winograd's template, and those that transform its weights.

use super::body::{Arg, Args, At, name};
use super::templates::{Sink, adjoint_text, anchor, conv_text, pointer, sink, usual_place};
use super::{Launch, Writer};
use crate::graph::op::{ConvGeometry, ConvRole};
use crate::schedule::form::Iter;
use crate::schedule::winograd::master;
use proc_macro2::TokenStream;
use quote::quote;

/// The descriptor of a convolution and of its weights, which are the forward convolution's.
fn text(role: ConvRole, geometry: &ConvGeometry, own: usize) -> TokenStream {
    let turned = role == ConvRole::Input;
    let conv = if turned { adjoint_text(geometry, false) } else { conv_text(geometry, false) };
    quote!(Winograd { conv: #conv, turned: #turned, own: #own })
}

pub fn winograd(w: &Writer, role: ConvRole, geometry: &ConvGeometry, own: usize) -> Vec<Launch> {
    let value = anchor(w);
    let node = w.s.graph().node(value);
    let mut args = Args::default();
    let (x, x_sample) = pointer(w, node.inputs[0], &mut args);
    let (transformed, _) = pointer(w, node.inputs[1], &mut args);
    let master = if own > 0 {
        let master = args.pointer(Arg::Value(master(w.s, value).expect("Winograd's weights are made of a parameter")));
        quote!(#master)
    } else {
        quote!(::core::ptr::null())
    };
    let descriptor = text(role, geometry, own);
    let at = At::of(Iter::channelwise(&node.ty.shape));
    let place = usual_place(&at);
    let Sink { item, value } = sink(w, at, &[(value, name("acc"))], place, &mut args);
    let body = quote! {
        #item
        let weights = Weights { master: #master, transformed: #transformed };
        winograd(s, &D, #x, #x_sample, weights, cx.scratch(worker), cx.batch, task, #value);
    };
    let tasks = quote!(winograd_tasks(&D, batch));
    let mut launch = w.launch_with("winograd", args, quote!(Winograd = #descriptor), tasks, body);
    launch.scratch = Some(quote!(winograd_scratch(&#descriptor)));
    vec![launch]
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
