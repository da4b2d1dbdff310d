//! Kernels that call a template of `kiln`: contractions, convolutions, windows. What is fused into one becomes its sink.

use super::body::{Arg, Args, At, Eval, name};
use super::winograd::{operand, with_rows};
use super::{Launch, Writer};
use crate::graph::Value;
use crate::graph::op::{ConvGeometry, ConvRole, Op, WindowAxis, WindowOp};
use crate::schedule::Storage;
use crate::schedule::dense::{product, weight_operands};
use crate::schedule::form::{Dense, Iter};
use crate::schedule::layout::{LANES, blocks, is_blocked};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

/// A functor: its type, and the expression that makes one from the kernel's pointers.
pub(super) struct Functor {
    pub item: TokenStream,
    pub value: TokenStream,
}

/// Of this trait; its methods (signature and body each) know `cx` and the pointers that they asked for.
fn functor(name: &str, of: &str, methods: &[(TokenStream, TokenStream)], own: &Args, args: &mut Args) -> Functor {
    let (name, of) = (format_ident!("{name}"), format_ident!("{of}"));
    let fields: Vec<Ident> = (0..own.list.len()).map(|i| format_ident!("p{i}")).collect();
    let methods = methods.iter().map(|(signature, body)| {
        quote! {
            #[inline(always)]
            unsafe fn #signature {
                unsafe {
                    let #name { cx, #(#fields),* } = self;
                    #body
                }
            }
        }
    });
    let item = quote! {
        #[derive(Clone, Copy)]
        struct #name<'a> { cx: Cx<'a>, #(#fields: *mut f32,)* }
        impl #of for #name<'_> {
            #(#methods)*
        }
    };
    let outer: Vec<Ident> = own.list.iter().map(|a| args.pointer(*a)).collect();
    Functor { item, value: quote!(#name { cx, #(#fields: #outer),* }) }
}

/// The sink that stores what this kernel stores, `results` being the values that the template hands over in `variables`.
pub(super) fn sink(w: &Writer, at: At, results: &[(Value, Ident)], place: TokenStream, args: &mut Args) -> Functor {
    let mut own = Args::default();
    let body = stored(w, at, results, place, &mut own);
    let of = if results.len() == 2 { "Sink2" } else { "Sink" };
    functor("Fused", of, &[(put(results), body)], &own, args)
}

/// The sink that pools `pooled`, an image made of the `anchor` that the template hands over, and stores what the kernel makes of
/// the maxima and their positions.
pub(super) fn pooling_sink(w: &Writer, anchor: Value, pooled: Value, args: &mut Args) -> Functor {
    let graph = w.s.graph();
    let mut own = Args::default();
    let at = At::of(Iter::channelwise(graph.shape(pooled)));
    let place = usual_place(&at);
    let mut eval = Eval::new(w.s, w.kernel, at);
    eval.define(anchor, &name("acc"));
    let root = eval.value(pooled, &graph.shape(pooled).dims, &mut own);
    let (statements, values) = eval.finish(&[root]);
    let value = &values[0];
    let signature = quote!(at<S: Simd>(self, s: S, acc: S::V, row: usize, block: usize, pixel: usize) -> S::V);
    let pixel = (signature, quote!(#place #statements #value));
    let results = maxima(w);
    let window = results.iter().map(|(v, _)| *v).find(|v| *v != NOBODY).expect("a kernel that pools has windows");
    let at = At::of(Iter::channelwise(graph.shape(window)));
    let place = usual_place(&at);
    let window = (put(&results), stored(w, at, &results, place, &mut own));
    functor("Fused", "PoolingSink", &[pixel, window], &own, args)
}

/// A result of a template that belongs to no value.
const NOBODY: Value = Value(u32::MAX);

/// The maximum and its position, which a template hands over; one that this kernel does not compute belongs to nobody.
fn maxima(w: &Writer) -> Vec<(Value, Ident)> {
    let of = |wanted: WindowOp| {
        let is = |v: &Value| matches!(&w.s.graph().node(*v).op, Op::Window { op, .. } if *op == wanted);
        w.kernel.nodes.iter().copied().find(is).unwrap_or(NOBODY)
    };
    vec![(of(WindowOp::Max), name("max")), (of(WindowOp::ArgMax), name("arg"))]
}

/// The signature of a sink's method that takes these results.
fn put(results: &[(Value, Ident)]) -> TokenStream {
    let variables = results.iter().map(|(_, variable)| quote!(#variable: S::V));
    let results = if results.is_empty() { quote!(_: S::V,) } else { quote!(#(#variables,)*) };
    quote!(put<S: Simd>(self, s: S, #results row: usize, block: usize, pixel: usize))
}

/// What stores all that this kernel stores, in a sink at one place.
fn stored(w: &Writer, at: At, results: &[(Value, Ident)], place: TokenStream, own: &mut Args) -> TokenStream {
    let mut eval = Eval::new(w.s, w.kernel, at.clone());
    for (value, variable) in results {
        eval.define(*value, variable);
    }
    // Gradients of parameters have places of their own.
    let stores = w.kernel.stores.iter().filter(|v| !matches!(w.s.storage(**v), Some(Storage::Grad(_))));
    let stores: Vec<Value> = stores.copied().collect();
    let roots: Vec<_> = stores.iter().map(|v| eval.value(*v, &w.s.graph().shape(*v).dims, own)).collect();
    let plain = Eval::new(w.s, w.kernel, at);
    let (statements, values) = eval.finish(&roots);
    let stores: Vec<TokenStream> = stores.iter().zip(&values).map(|(v, r)| plain.store(*v, r, own)).collect();
    quote!(#place #statements #(#stores)*)
}

/// Where a template reads an operand: from memory, or computed by what this kernel has of its maps. The type, if it needs one,
/// and the expression that makes it.
pub(super) fn source(w: &Writer, iter: Iter, value: Value, args: &mut Args) -> (TokenStream, TokenStream) {
    let base = w.s.base(value);
    if !w.kernel.nodes.contains(&base) {
        let (from, sample) = pointer(w, value, args);
        let pixels = iter.pixels;
        return (TokenStream::new(), quote!(Load { from: #from, sample: #sample, pixels: #pixels }));
    }
    let at = At::of(iter);
    let place = usual_place(&at);
    let mut own = Args::default();
    let mut eval = Eval::new(w.s, w.kernel, at);
    let root = eval.value(base, &w.s.graph().shape(base).dims, &mut own);
    let (statements, results) = eval.finish(&[root]);
    let result = &results[0];
    let signature = quote!(at<S: Simd>(self, s: S, row: usize, block: usize, pixel: usize) -> S::V);
    let methods = [(signature, quote!(#place #statements #result))];
    let Functor { item, value } = functor("Operand", "Source", &methods, &own, args);
    (item, value)
}

/// `let n = row; let b = block; let p = pixel;` for the axes there are.
pub(super) fn usual_place(at: &At) -> TokenStream {
    let mut place = TokenStream::new();
    for (variable, from) in [(&at.sample, "row"), (&at.block, "block"), (&at.pixel, "pixel")] {
        let from = name(from);
        if let Some(variable) = variable {
            place.extend(quote!(let #variable = #from;));
        }
    }
    place
}

pub(super) fn pointer(w: &Writer, value: Value, args: &mut Args) -> (Ident, usize) {
    (args.pointer(Arg::Value(w.s.base(value))), w.s.sample_stride(value))
}

fn digit(count: TokenStream, a: usize, b: usize) -> TokenStream {
    quote!(Digit { count: #count, a: #a, b: #b })
}

fn fixed(count: usize) -> TokenStream {
    quote!(Count::Fixed(#count))
}

pub fn dense(w: &Writer, d: Dense) -> Vec<Launch> {
    vec![match d.role {
        ConvRole::Forward => dense_forward(w, d),
        ConvRole::Input => dense_input(w, d),
        ConvRole::Weight => dense_weight(w, d),
    }]
}

/// Bytes of a weight that third-level caches hold beside all else, so that every worker may read all of it.
const READ_BY_ALL: usize = 4 << 20;

struct GemmText {
    rows: TokenStream,
    blocks: usize,
    a_row: usize,
    b_block: usize,
    k: [TokenStream; 3],
    tail: usize,
}

fn gemm(w: &Writer, g: GemmText, a: &Ident, b: &Ident, sink: Functor, args: Args) -> Launch {
    let GemmText { rows, blocks, a_row, b_block, k: [k0, k1, k2], tail } = g;
    // Samples stay with a worker from layer to layer where that costs nothing: weights change nowhere, and each worker can read all of them.
    let by_rows = !w.s.program.kind.trains() && blocks * b_block * size_of::<f32>() <= READ_BY_ALL;
    // Tall enough that a block of the weight is read from the cache many times, and enough tasks for several threads.
    let row_task = match (by_rows, blocks <= 2) {
        (true, true) => 16usize,
        (true, false) => 32,
        (false, true) => 24,
        (false, false) => 96,
    };
    let block_task = if blocks <= 2 { 1usize } else { blocks.div_ceil(8).clamp(2, 6) };
    let Functor { item, value } = sink;
    let descriptor = quote! {
        Gemm {
            rows: #rows, blocks: #blocks, a_row: #a_row, b_block: #b_block, k: [#k0, #k1, #k2], tail: #tail,
            row_task: #row_task, block_task: #block_task, by_rows: #by_rows,
        }
    };
    let body = quote!(#item gemm(s, &D, #a, #b, cx.batch, task, #value););
    w.launch_with("gemm", args, quote!(Gemm = #descriptor), quote!(gemm_tasks(&D, batch)), body)
}

fn dense_forward(w: &Writer, d: Dense) -> Launch {
    let value = w.kernel.anchor(w.s);
    let node = w.s.graph().node(value);
    let mut args = Args::default();
    let (a, a_row) = pointer(w, node.inputs[0], &mut args);
    let (b, _) = pointer(w, node.inputs[1], &mut args);
    let one = || digit(fixed(1), 0, 0);
    let depth = d.depth();
    let full = d.planar || d.channels.is_multiple_of(LANES);
    let (k, tail) = if full {
        ([one(), one(), digit(fixed(depth), 1, LANES)], 0)
    } else {
        let (cb, p) = (blocks(d.channels), d.pixels);
        let outer = digit(fixed(cb), p * LANES, p * LANES * LANES);
        ([outer, digit(fixed(p), LANES, LANES * LANES), digit(fixed(LANES), 1, LANES)], d.channels % LANES)
    };
    let at = At::of(Iter::channelwise(&node.ty.shape));
    let place = usual_place(&at);
    let sink = sink(w, at, &[(value, name("acc"))], place, &mut args);
    let text = GemmText {
        rows: quote!(Count::Batch(1usize)),
        blocks: blocks(d.outputs),
        a_row,
        b_block: depth * LANES,
        k,
        tail,
    };
    gemm(w, text, &a, &b, sink, args)
}

fn dense_input(w: &Writer, d: Dense) -> Launch {
    let value = w.kernel.anchor(w.s);
    let mut args = Args::default();
    let (dy, dy_sample) = pointer(w, w.s.graph().node(value).inputs[0], &mut args);
    let (weight, _) = pointer(w, w.s.graph().node(value).inputs[1], &mut args);
    let Functor { item, value: sink } = dense_sink(w, d, value, &mut args);
    let body = quote! {
        #item
        dense_input(s, &D, #dy, #dy_sample, #weight, cx.scratch(worker), cx.batch, task, #sink);
    };
    let tasks = quote!(dense_input_tasks(&D, batch));
    let mut launch = w.launch_with("dense_input", args, dense_text(d), tasks, body);
    launch.scratch = Some(quote!(dense_scratch()));
    launch
}

/// Of an input gradient, whose blocks are (channel block, pixel).
fn dense_sink(w: &Writer, d: Dense, value: Value, args: &mut Args) -> Functor {
    let at = At::of(Iter::channelwise(w.s.graph().shape(value)));
    let pixels = d.pixels;
    let place = if pixels > 1 {
        let (n, b, p) = (name("n"), name("b"), name("p"));
        let block = at.block.as_ref().map(|_| quote!(let #b = block / #pixels;));
        quote!(let #n = row; #block let #p = block % #pixels;)
    } else {
        usual_place(&at)
    };
    sink(w, at, &[(value, name("acc"))], place, args)
}

/// The type and value of a weight's descriptor.
fn dense_text(d: Dense) -> TokenStream {
    let Dense { outputs, channels, pixels, planar, .. } = d;
    quote!(Dense = Dense { outputs: #outputs, channels: #channels, pixels: #pixels, planar: #planar })
}

/// An expression of type `DenseWeight`: what this kernel makes the gradients of weight and bias of, and where they go.
fn dense_operands(w: &Writer, args: &mut Args) -> TokenStream {
    let graph = w.s.graph();
    let gradient = product(w.s, w.kernel, ConvRole::Weight).expect("a kernel of a weight's gradient");
    let (x, dy) = weight_operands(graph, gradient);
    let (x, x_sample) = pointer(w, x, args);
    let (dy, dy_sample) = pointer(w, dy, args);
    let weight = w.gradient(gradient, args);
    // The sum of dy over the batch, where it was taken in.
    let bias = w.kernel.nodes.iter().find(|v| matches!(graph.node(**v).op, Op::Reduce { .. }));
    let bias = match bias.map(|v| w.gradient(*v, args)) {
        Some(bias) => quote!(::core::option::Option::Some(#bias)),
        None => quote!(::core::option::Option::None),
    };
    quote! {
        DenseWeight {
            x: #x, x_sample: #x_sample, dy: #dy, dy_sample: #dy_sample, weight: #weight, bias: #bias, batch: cx.batch,
        }
    }
}

fn dense_weight(w: &Writer, d: Dense) -> Launch {
    let mut args = Args::default();
    let operands = dense_operands(w, &mut args);
    let body = quote!(dense_weight(s, &D, #operands, task););
    w.launch_with("dense_weight", args, dense_text(d), quote!(dense_weight_tasks(&D)), body)
}

pub fn dense_backward(w: &Writer, d: Dense) -> Launch {
    let mut args = Args::default();
    let operands = dense_operands(w, &mut args);
    let value = product(w.s, w.kernel, ConvRole::Input).expect("a kernel of an input gradient");
    let (weight, _) = pointer(w, w.s.graph().node(value).inputs[1], &mut args);
    let Functor { item, value: sink } = dense_sink(w, d, value, &mut args);
    let body = quote! {
        #item
        dense_backward(s, &D, #operands, #weight, cx.scratch(worker), task, #sink);
    };
    let mut launch = w.launch_with("dense_backward", args, dense_text(d), quote!(dense_backward_tasks(&D)), body);
    launch.scratch = Some(quote!(dense_scratch()));
    launch
}

fn pair(x: [usize; 2]) -> TokenStream {
    let [a, b] = x;
    quote!([#a, #b])
}

/// Pixels of a row, at most, that a 1 × 1 convolution is given.
const LONG_ROW: usize = 256;

/// A 1 × 1 convolution sees no neighbours: its image is a list of pixels, which is cut into rows so long that the last tile of
/// a row, which is narrower than the others, costs little.
fn in_long_rows(g: &ConvGeometry) -> ConvGeometry {
    let plain = g.kernel == [1, 1] && g.stride == [1, 1] && g.padding == [0, 0];
    let pixels = g.input[0] * g.input[1];
    let row = (g.input[1]..=LONG_ROW.min(pixels)).rev().find(|row| pixels.is_multiple_of(*row));
    match row.filter(|_| plain) {
        Some(row) => ConvGeometry { input: [pixels / row, row], output: [pixels / row, row], ..*g },
        None => *g,
    }
}

/// The descriptor of a forward convolution.
pub(super) fn conv_text(g: &ConvGeometry, planar: bool) -> TokenStream {
    let g = in_long_rows(g);
    let (channels, outputs) = (g.channels, g.outputs);
    let (input, output, kernel) = (pair(g.input), pair(g.output), pair(g.kernel));
    let (stride, padding, dilation) = (pair(g.stride), pair(g.padding), pair(g.dilation));
    quote! {
        Conv {
            channels: #channels, outputs: #outputs, input: #input, output: #output, kernel: #kernel, stride: #stride,
            padding: #padding, dilation: #dilation, spread: [1, 1], planar: #planar,
        }
    }
}

/// The input gradient as a convolution of the output's gradient: channels exchanged, kernel flipped, stride as spread.
pub(super) fn adjoint_text(g: &ConvGeometry, planar: bool) -> TokenStream {
    let g = in_long_rows(g);
    let (channels, outputs) = (g.outputs, g.channels);
    let (input, output, kernel) = (pair(g.output), pair(g.input), pair(g.kernel));
    let (spread, dilation) = (pair(g.stride), pair(g.dilation));
    let reach = |i: usize| (g.dilation[i] * (g.kernel[i] - 1)) as isize - g.padding[i] as isize;
    let padding = [reach(0), reach(1)].map(|r| usize::try_from(r).expect("padding is at most the kernel's reach"));
    let padding = pair(padding);
    quote! {
        Conv {
            channels: #channels, outputs: #outputs, input: #input, output: #output, kernel: #kernel, stride: [1, 1],
            padding: #padding, dilation: #dilation, spread: #spread, planar: #planar,
        }
    }
}

pub fn conv(w: &Writer, role: ConvRole, geometry: &ConvGeometry, planar: bool) -> Vec<Launch> {
    let value = w.kernel.anchor(w.s);
    let node = w.s.graph().node(value);
    let mut args = Args::default();
    let (x, x_sample) = pointer(w, node.inputs[0], &mut args);
    let (weight, _) = pointer(w, node.inputs[1], &mut args);
    let descriptor =
        if role == ConvRole::Forward { conv_text(geometry, planar) } else { adjoint_text(geometry, planar) };
    let at = At::of(Iter::channelwise(&node.ty.shape));
    let place = usual_place(&at);
    let Functor { item, value } = sink(w, at, &[(value, name("acc"))], place, &mut args);
    let body = quote! {
        #item
        conv(s, &D, #x, #x_sample, #weight, cx.scratch(worker), cx.batch, task, #value);
    };
    let mut launch = w.launch_with("conv", args, quote!(Conv = #descriptor), quote!(conv_tasks(&D, batch)), body);
    launch.scratch = Some(quote!(conv_scratch(&#descriptor)));
    vec![launch]
}

pub fn conv_flipped(w: &Writer, geometry: &ConvGeometry, planar: bool, dy_planar: bool) -> Vec<Launch> {
    let value = w.kernel.nodes[0];
    let mut args = Args::default();
    let (from, _) = pointer(w, w.s.graph().node(value).inputs[0], &mut args);
    let to = args.pointer(Arg::Value(value));
    let descriptor = conv_text(geometry, planar);
    let body = quote!(flip_weights(&D, #dy_planar, #from, #to, task););
    vec![w.launch_with("flip", args, quote!(Conv = #descriptor), quote!(flip_tasks(&D)), body)]
}

pub fn conv_weight(w: &Writer, geometry: &ConvGeometry, planar: bool, chunks: usize) -> Vec<Launch> {
    let value = w.kernel.anchor(w.s);
    let node = w.s.graph().node(value);
    let conv = conv_text(geometry, planar);
    let dy_planar = !is_blocked(&w.s.graph().shape(node.inputs[1]).dims);
    let descriptor = quote!(ConvWeight { conv: #conv, dy_planar: #dy_planar, chunks: #chunks });
    let mut args = Args::default();
    let by_winograd = w.s.is_by_winograd(value);
    let operands = if by_winograd {
        let [x, dy] = [0, 1].map(|i| operand(w, node.inputs[i], &mut args));
        quote!(#x, #dy)
    } else {
        let [(x, x_sample), (dy, dy_sample)] = [0, 1].map(|i| pointer(w, node.inputs[i], &mut args));
        quote!(#x, #x_sample, #dy, #dy_sample)
    };
    let to = args.pointer(if chunks > 1 { Arg::Partials } else { Arg::Value(value) });
    let template = if by_winograd { "winograd_gradient" } else { "conv_weight" };
    let [call, tasks, scratch] = ["", "_tasks", "_scratch"].map(|end| format_ident!("{template}{end}"));
    let body = quote!(#call(s, &D, #operands, #to, cx.scratch(worker), cx.batch, task););
    let mut first = w.launch_with(template, args, quote!(ConvWeight = #descriptor), quote!(#tasks(&D)), body);
    first.scratch = Some(with_rows(w, &node.inputs, quote!(#scratch(&#descriptor)), conv));
    if chunks == 1 {
        return vec![first];
    }
    let mut args = Args::default();
    let (from, to) = (args.pointer(Arg::Partials), w.gradient(value, &mut args));
    let size = w.s.layout(value).size;
    let body = quote!(combine(s, #chunks, #size, #from, #to, task););
    vec![first, w.launch("combine", args, quote!(combine_tasks(#size)), body)]
}

fn axis_text(a: &WindowAxis) -> TokenStream {
    let WindowAxis { input, output, kernel, stride, dilation, padding } = *a;
    quote! {
        WindowAxis {
            input: #input, output: #output, kernel: #kernel, stride: #stride, dilation: #dilation, padding: #padding,
        }
    }
}

/// The descriptor of a window over so many blocks.
pub fn window_text(blocks: usize, axes: &[WindowAxis; 2]) -> TokenStream {
    let (a0, a1) = (axis_text(&axes[0]), axis_text(&axes[1]));
    quote!(Window { blocks: #blocks, axes: [#a0, #a1] })
}

pub fn window(w: &Writer, op: WindowOp, axes: &[WindowAxis; 2], iter: Iter) -> Vec<Launch> {
    let graph = w.s.graph();
    let value = w.kernel.anchor(w.s);
    let node = graph.node(value);
    let mut args = Args::default();
    let operand = Iter::channelwise(graph.shape(node.inputs[0]));
    let (operand_item, source) = source(w, operand, node.inputs[0], &mut args);
    let descriptor = window_text(iter.blocks(), axes);
    let at = At::of(iter);
    let place = usual_place(&at);
    let (results, operands) = match op {
        WindowOp::Max | WindowOp::ArgMax => (maxima(w), source),
        WindowOp::Sum | WindowOp::Spread => (vec![(value, name("acc"))], source),
        WindowOp::Route => {
            let (arg, arg_sample) = pointer(w, node.inputs[1], &mut args);
            (vec![(value, name("acc"))], quote!(#source, #arg.cast::<i32>(), #arg_sample))
        }
        WindowOp::Pick => unreachable!("has no window template"),
    };
    let template = match op {
        WindowOp::Max | WindowOp::ArgMax => name("window_max"),
        WindowOp::Sum => name("window_sum"),
        WindowOp::Spread => name("window_spread"),
        WindowOp::Route | WindowOp::Pick => name("window_route"),
    };
    let Functor { item, value } = sink(w, at, &results, place, &mut args);
    let tasks = quote!(window_tasks(&D, batch));
    vec![w.launch_with(
        "window",
        args,
        quote!(Window = #descriptor),
        tasks,
        quote!(#operand_item #item #template(s, &D, #operands, cx.batch, task, #value);),
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_one_by_one_convolution_are_long() {
        let plain = |image: [usize; 2]| ConvGeometry {
            channels: 16,
            outputs: 16,
            input: image,
            output: image,
            kernel: [1, 1],
            stride: [1, 1],
            padding: [0, 0],
            dilation: [1, 1],
            groups: 1,
        };
        for (image, expected) in [
            ([7, 7], [1, 49]),
            ([14, 14], [1, 196]),
            ([56, 56], [14, 224]),
            // No divisor in between.
            ([17, 19], [17, 19]),
            ([2, 300], [2, 300]),
            ([1, 1], [1, 1]),
        ] {
            let g = in_long_rows(&plain(image));
            assert_eq!((g.input, g.output), (expected, expected));
        }
        let strided = ConvGeometry { stride: [2, 2], output: [4, 4], ..plain([7, 7]) };
        assert_eq!(in_long_rows(&strided), strided);
        let wide = ConvGeometry { kernel: [3, 3], padding: [1, 1], ..plain([7, 7]) };
        assert_eq!(in_long_rows(&wide), wide);
    }
}
