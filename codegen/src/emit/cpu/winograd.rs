//! Kernels that call Winograd's template, and those that transform its weights.

use super::body::{Arg, Args, At, name};
use super::templates::{Sink, adjoint_text, anchor, conv_text, pointer, sink, usual_place};
use super::{Launch, Writer};
use crate::graph::op::{ConvGeometry, ConvRole};
use crate::schedule::form::Iter;
use quote::quote;

pub fn winograd(w: &Writer, role: ConvRole, geometry: &ConvGeometry) -> Vec<Launch> {
    let value = anchor(w);
    let node = w.s.graph().node(value);
    let mut args = Args::default();
    let (x, x_sample) = pointer(w, node.inputs[0], &mut args);
    let (weights, _) = pointer(w, node.inputs[1], &mut args);
    let descriptor = if role == ConvRole::Forward { conv_text(geometry, false) } else { adjoint_text(geometry, false) };
    let at = At::of(Iter::channelwise(&node.ty.shape));
    let place = usual_place(&at);
    let Sink { item, value } = sink(w, at, &[(value, name("acc"))], place, &mut args);
    let body = quote! {
        #item
        winograd(s, &D, #x, #x_sample, #weights, cx.scratch(worker), cx.batch, task, #value);
    };
    let tasks = quote!(winograd_tasks(&D, batch));
    let mut launch = w.launch_with("winograd", args, quote!(Conv = #descriptor), tasks, body);
    launch.scratch = Some(quote!(winograd_scratch(&#descriptor)));
    vec![launch]
}

pub fn weights(w: &Writer, role: ConvRole, geometry: &ConvGeometry) -> Vec<Launch> {
    let value = w.kernel.nodes[0];
    let mut args = Args::default();
    let (from, _) = pointer(w, w.s.graph().node(value).inputs[0], &mut args);
    let to = args.pointer(Arg::Value(value));
    let (descriptor, turned) = (conv_text(geometry, false), role == ConvRole::Input);
    let body = quote!(winograd_weights(s, &D, #turned, #from, #to, task););
    let tasks = quote!(winograd_weights_tasks(&D));
    vec![w.launch_with("winograd_weights", args, quote!(Conv = #descriptor), tasks, body)]
}
