//! Loops over the pixels of a block.
//!
//! Where a kernel computes the gradient of a max-pool element by element, they go window by window: what a window sends is
//! loaded once, and the position of a pixel in its window is known.

use super::Writer;
use super::body::{Arg, Args, At, name};
use crate::graph::Value;
use crate::graph::op::{Op, WindowAxis, WindowOp};
use crate::schedule::form::{Iter, spatial};
use crate::schedule::{Kernel, Schedule};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

/// The gradients of max-pools that this kernel computes element by element, with the pool's axes.
fn routes(s: &Schedule, kernel: &Kernel) -> Vec<(Value, [WindowAxis; 2])> {
    let route = |v: &Value| match &s.graph().node(*v).op {
        Op::Window { op: WindowOp::Route, axes } => spatial(axes).map(|axes| (*v, axes)),
        _ => None,
    };
    kernel.nodes.iter().filter_map(route).collect()
}

/// What a window sends, and where to: the variables of route number `i`.
fn sent(i: usize) -> [Ident; 2] {
    [format_ident!("dy{i}"), format_ident!("arg{i}")]
}

/// The element of this route, in a loop over pixels.
pub fn routed(s: &Schedule, kernel: &Kernel, route: Value) -> TokenStream {
    let i = routes(s, kernel).iter().position(|(v, _)| *v == route).expect("a route of this kernel");
    let [dy, arg] = sent(i);
    quote!(s.select(s.eq(#arg, s.splat(tap as f32)), #dy, s.splat(0.0f32)))
}

/// The loops around `inner`, which knows its pixel as `p`.
pub fn pixel_loop(w: &Writer, iter: Iter, inner: TokenStream, args: &mut Args) -> TokenStream {
    let (p, pixels) = (name("p"), iter.pixels);
    let routes = routes(w.s, w.kernel);
    let Some((_, [v, h])) = routes.first() else { return quote!(for #p in 0..#pixels { #inner }) };
    let at = At::of(iter);
    let windows = v.output * h.output;
    let mut loads = TokenStream::new();
    let mut nothing = TokenStream::new();
    for (i, (route, _)) in routes.iter().enumerate() {
        let inputs = &w.s.graph().node(*route).inputs;
        let [dy, arg] = sent(i);
        let mut address = |value: Value| {
            let pointer = args.pointer(Arg::Value(w.s.base(value)));
            let stride = w.s.sample_stride(value);
            let sample = at.sample.as_ref().map(|n| quote!(#n * #stride +));
            let block = at.block.as_ref().map(|b| quote!(#b * #windows +));
            quote!(#pointer.add(#sample (#block window) * 16usize))
        };
        let (from, place) = (address(inputs[0]), address(inputs[1]));
        loads.extend(quote!(let #dy = s.load(#from); let #arg = s.load_i32(#place.cast());));
        nothing.extend(quote!(let (#dy, #arg) = (s.splat(0.0f32), s.splat(-1.0f32));));
    }
    let (rows, columns, height, width) = (v.output, h.output, v.kernel, h.kernel);
    let row = h.input;
    let mut body = quote! {
        for wy in 0..#rows {
            for wx in 0..#columns {
                let window = wy * #columns + wx;
                #loads
                for ky in 0..#height {
                    for kx in 0..#width {
                        let (tap, #p) = (ky * #width + kx, (wy * #height + ky) * #row + wx * #width + kx);
                        #inner
                    }
                }
            }
        }
    };
    if rows * height < v.input || columns * width < row {
        // Pixels behind the last windows.
        let (lines, reached, whole) = (v.input, columns * width, rows * height);
        body.extend(quote! {
            #nothing
            let tap = 0usize;
            for y in 0..#lines {
                for x in (if y < #whole { #reached } else { 0usize })..#row {
                    let #p = y * #row + x;
                    #inner
                }
            }
        });
    }
    quote!({ #body })
}
