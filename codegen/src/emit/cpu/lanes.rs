//! Chains over groups of samples: the stages of each in order, with samples in the lanes.
//!
//! Values that only the chain reads lie in the worker's scratch, each from the stage that makes it to the last that reads
//! it. What is fused into a stage becomes its sink, as for other templates; here a vector is one channel and pixel of 16
//! samples, and what belongs to no sample is one number for all lanes.

use super::body::{Arg, Args, name};
use super::expr;
use super::templates::window_text;
use super::{Launch, Writer};
use crate::graph::expr::{Id, Pool, Scalar};
use crate::graph::op::{ConvGeometry, ConvRole, Op, WindowAxis, WindowOp};
use crate::graph::{DType, Value};
use crate::schedule::form::{Access, Form, access};
use crate::schedule::lanes::{Step, anchor, master, partials};
use crate::schedule::layout::{LANES, is_blocked};
use crate::schedule::{Chain, Stage};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use std::collections::HashMap;

pub fn lanes(w: &Writer, chain: &Chain) -> Vec<Launch> {
    let (sums, floats) = partials(w.s, chain);
    let mut text = Text { w, args: Args::default(), borders: Vec::new(), masked: chain.imports.clone() };
    let chunks = w.chunks;
    let tasks = if sums.is_empty() { quote!(lane_groups(batch)) } else { quote!(lane_chunks(batch, #chunks)) };
    let mut outside = TokenStream::new();
    for slot in &chain.slots {
        let (place, offset) = (place(slot.value), slot.offset);
        outside.extend(quote!(let #place = scratch.add(#offset);));
    }
    let mut inside = TokenStream::new();
    for value in &chain.shared {
        let (pointer, place, size) = (text.pointer(*value), place(*value), w.s.sample_stride(*value));
        inside.extend(quote!(let #place = #pointer.add(n * #size);));
    }
    let mut clear = TokenStream::new();
    if !sums.is_empty() {
        let pointer = text.args.pointer(Arg::Partials);
        // Behind the sums lies what their rounding has lost.
        let all = 2 * floats;
        clear = quote! {
            let sums = #pointer.add(task * #all);
            sums.write_bytes(0, #all);
            let lost = sums.add(#floats);
        };
    }
    let mut imported = Vec::new();
    for step in &chain.steps {
        for value in step.reads(w.s).into_iter().filter(|v| chain.imports.contains(v)) {
            if !imported.contains(&value) {
                imported.push(value);
                inside.extend(text.import(value));
            }
        }
        inside.extend(text.step(step, &sums));
    }
    for value in &chain.exports {
        inside.extend(text.export(*value));
    }
    let scratch_floats = chain.scratch_floats();
    let body = quote! {
        let scratch = cx.scratch(worker);
        let border = scratch.add(#scratch_floats);
        #outside
        #clear
        for group in lane_task(cx.batch, tasks(cx.batch, &[]), task) {
            let n = group * #LANES;
            let live = (cx.batch - n).min(#LANES);
            #inside
        }
    };
    let borders = text.borders;
    let mut first = w.launch("lanes", text.args, tasks, body);
    first.scratch = Some(quote!(#scratch_floats + largest(&[#(lane_border_floats(&#borders)),*])));
    if sums.is_empty() {
        return vec![first];
    }
    vec![first, combine(w, &sums, floats)]
}

/// Adds up what the chunks have left, a task for each sum.
fn combine(w: &Writer, sums: &[(Value, usize)], floats: usize) -> Launch {
    let mut args = Args::default();
    let from = args.pointer(Arg::Partials);
    let (chunks, stride) = (w.chunks, 2 * floats);
    let mut arms = TokenStream::new();
    for (task, (value, offset)) in sums.iter().enumerate() {
        let (to, size) = (args.pointer(Arg::Value(*value)), w.s.layout(*value).size.div_ceil(LANES) * LANES);
        let call = quote!(lane_combine(s, chunks, #stride, #size, #from.add(#offset), #to));
        arms.extend(if task + 1 < sums.len() { quote!(#task => #call,) } else { quote!(_ => #call,) });
    }
    let body = quote!(let chunks = lane_chunks(cx.batch, #chunks); match task { #arms });
    let count = sums.len();
    w.launch("lanes_combine", args, quote!(#count), body)
}

/// The variable that points to a value of the group.
fn place(value: Value) -> Ident {
    format_ident!("v{}", value.0)
}

struct Text<'a> {
    w: &'a Writer<'a>,
    args: Args,
    /// Descriptors of convolutions, for the size of their bordered copies.
    borders: Vec<TokenStream>,
    /// Values whose lanes beyond the batch are 0.
    masked: Vec<Value>,
}

impl Text<'_> {
    fn pointer(&mut self, value: Value) -> Ident {
        self.args.pointer(Arg::Value(self.w.s.base(value)))
    }

    fn dims(&self, value: Value) -> &[usize] {
        &self.w.s.graph().shape(value).dims
    }

    /// Channels and pixels.
    fn extents(&self, value: Value) -> (usize, usize) {
        let dims = self.dims(value);
        (dims[0], dims[1..].iter().product())
    }

    fn value_text(&self, value: Value) -> TokenStream {
        let ((channels, pixels), blocked) = (self.extents(value), is_blocked(self.dims(value)) && !self.is_port(value));
        quote!(LaneValue { channels: #channels, pixels: #pixels, blocked: #blocked })
    }

    /// Callers' buffers are row-major.
    fn is_port(&self, value: Value) -> bool {
        matches!(self.w.s.storage(value), Some(crate::schedule::Storage::Port(_)))
    }

    fn import(&mut self, value: Value) -> TokenStream {
        let (text, from, to) = (self.value_text(value), self.pointer(value), place(value));
        let sample = self.w.s.sample_stride(value);
        quote!({ static V: LaneValue = #text; lane_import(s, &V, #from.add(n * #sample), #sample, live, #to); })
    }

    fn export(&mut self, value: Value) -> TokenStream {
        let (text, from, to) = (self.value_text(value), place(value), self.pointer(value));
        let sample = self.w.s.sample_stride(value);
        quote!({ static V: LaneValue = #text; lane_export(s, &V, #from, #to.add(n * #sample), #sample, live); })
    }

    fn step(&mut self, step: &Step, sums: &[(Value, usize)]) -> TokenStream {
        let stage = &step.stage;
        let graph = self.w.s.graph();
        let operand = |v: Value, i: usize| place(self.w.s.base(graph.node(v).inputs[i]));
        let sum_at = |value: Value| {
            let at = sums.iter().find(|(v, _)| *v == value).map(|(_, at)| *at).expect("a sum of the chain");
            quote!(sums.add(#at), lost.add(#at))
        };
        match &stage.form {
            Form::Conv { role, geometry, .. } => {
                let value = anchor(self.w.s, &stage.nodes);
                let weight = master(self.w.s, self.w.s.base(graph.node(value).inputs[1])).expect("checked");
                let (x, weight) = (operand(value, 0), self.pointer(weight));
                let conv = self.conv_text(geometry, *role);
                let (template, item, sink) = match &step.pool {
                    Some(pool) => {
                        let (item, sink) = self.pool_sink(stage, pool, value);
                        (name("lane_conv_pool"), item, sink)
                    }
                    None => {
                        let (item, sink) = self.sink(&stage.nodes, &stage.stores, &[(value, name("acc"))]);
                        (name("lane_conv"), item, sink)
                    }
                };
                quote!({ static C: LaneConv = #conv; #item #template(s, &C, #x, #weight, border, #sink); })
            }
            Form::ConvWeight { geometry, .. } => {
                let value = stage.nodes[0];
                let (x, dy, to) = (operand(value, 0), operand(value, 1), sum_at(value));
                let (conv, masks) = (self.conv_text(geometry, ConvRole::Weight), self.masks(value));
                quote!({ static C: LaneConv = #conv; #masks lane_conv_weight(s, &C, #x, #dy, border, #to); })
            }
            Form::Column { .. } => {
                let mut text = TokenStream::new();
                for value in &stage.nodes {
                    let (channels, pixels) = self.extents(graph.node(*value).inputs[0]);
                    let (x, to) = (operand(*value, 0), sum_at(*value));
                    text.extend(self.masks(*value));
                    text.extend(quote!(lane_sum(s, #channels, #pixels, #x, #to);));
                }
                text
            }
            Form::Map(_) => {
                let (item, sink) = self.sink(&stage.nodes, &stage.stores, &[]);
                let (channels, pixels) = self.extents(stage.nodes[0]);
                quote!({
                    #item
                    let sink = #sink;
                    for c in 0..#channels { for p in 0..#pixels { sink.put(s, s.splat(0.0f32), c, 0, p); } }
                })
            }
            Form::Window { op, axes, .. } => self.window(stage, *op, axes),
            other => unreachable!("{} is in no chain", other.name()),
        }
    }

    /// Keeps what no sample owns out of a sum over samples.
    fn masks(&mut self, sum: Value) -> TokenStream {
        let mut text = TokenStream::new();
        for input in &self.w.s.graph().node(sum).inputs {
            let value = self.w.s.base(*input);
            if !self.masked.contains(&value) {
                self.masked.push(value);
                let (place, (channels, pixels)) = (place(value), self.extents(value));
                let vectors = channels * pixels;
                text.extend(quote!(lane_mask(s, #vectors, live, #place);));
            }
        }
        text
    }

    fn window(&mut self, stage: &Stage, op: WindowOp, axes: &[WindowAxis; 2]) -> TokenStream {
        let graph = self.w.s.graph();
        let value = anchor(self.w.s, &stage.nodes);
        let operand = |i: usize| place(self.w.s.base(graph.node(value).inputs[i]));
        let (x, (channels, pixels)) = (operand(0), self.extents(graph.node(value).inputs[0]));
        let window = window_text(1, axes);
        let results = match op {
            WindowOp::Max | WindowOp::ArgMax => self.pool_results(stage),
            WindowOp::Sum | WindowOp::Spread | WindowOp::Route | WindowOp::Pick => vec![(value, name("acc"))],
        };
        let (item, sink) = self.sink(&stage.nodes, &stage.stores, &results);
        let floats = pixels * LANES;
        // A channel of a group is to a window what a block of a sample is.
        let each = |template: &str| {
            let template = name(template);
            quote! {
                let operand = Load { from: #x, sample: #floats, pixels: #pixels };
                for c in 0..#channels { #template(s, &D, operand, c, 0usize, #sink); }
            }
        };
        let call = match op {
            WindowOp::Max | WindowOp::ArgMax => each("image_max"),
            WindowOp::Sum => each("image_sum"),
            WindowOp::Spread => each("image_spread"),
            WindowOp::Route => {
                let arg = operand(1);
                quote!(lane_route(s, &D, #channels, #x, #arg.cast::<i32>(), #sink);)
            }
            WindowOp::Pick => unreachable!("is in no chain"),
        };
        quote!({ static D: Window = #window; #item #call })
    }

    /// Maximum and position, whether the stage computes both or one; who is not there belongs to no value.
    fn pool_results(&self, stage: &Stage) -> Vec<(Value, Ident)> {
        let graph = self.w.s.graph();
        let of = |wanted: WindowOp| {
            let is = |v: &&Value| matches!(&graph.node(**v).op, Op::Window { op, .. } if *op == wanted);
            stage.nodes.iter().find(is).copied().unwrap_or(Value(u32::MAX))
        };
        vec![(of(WindowOp::Max), name("max")), (of(WindowOp::ArgMax), name("arg"))]
    }

    fn conv_text(&mut self, g: &ConvGeometry, role: ConvRole) -> TokenStream {
        let planar = !is_blocked(&[g.channels, g.input[0], g.input[1]]);
        let taps = g.kernel[0] * g.kernel[1];
        let (channel, tap) = if planar { (taps * LANES, LANES) } else { (LANES, LANES * LANES) };
        let pair = |[a, b]: [usize; 2]| quote!([#a, #b]);
        let (kernel, dilation) = (pair(g.kernel), pair(g.dilation));
        let text = if role == ConvRole::Input {
            let (channels, outputs, input, output) = (g.outputs, g.channels, pair(g.output), pair(g.input));
            let padding = pair([0, 1].map(|i| g.dilation[i] * (g.kernel[i] - 1) - g.padding[i]));
            quote! {
                LaneConv {
                    channels: #channels, outputs: #outputs, input: #input, output: #output, kernel: #kernel,
                    stride: [1, 1], padding: #padding, dilation: #dilation,
                    weight: LaneWeight { output: #channel, channel: 1, tap: #tap }, turned: true,
                }
            }
        } else {
            let (channels, outputs, input, output) = (g.channels, g.outputs, pair(g.input), pair(g.output));
            let (stride, padding) = (pair(g.stride), pair(g.padding));
            quote! {
                LaneConv {
                    channels: #channels, outputs: #outputs, input: #input, output: #output, kernel: #kernel,
                    stride: #stride, padding: #padding, dilation: #dilation,
                    weight: LaneWeight { output: 1, channel: #channel, tap: #tap }, turned: false,
                }
            }
        };
        self.borders.push(text.clone());
        text
    }

    /// A sink that stores `stores`, the template giving `results`; and the expression that makes one.
    fn sink(&mut self, nodes: &[Value], stores: &[Value], results: &[(Value, Ident)]) -> (TokenStream, TokenStream) {
        let mut eval = Eval::new(self, nodes, results);
        let body = eval.stores(stores);
        let (fields, values) = eval.finish();
        let (kind, given) = match results {
            [_, _] => (name("Sink2"), quote!(max: S::V, arg: S::V)),
            _ => (name("Sink"), quote!(acc: S::V)),
        };
        let item = quote! {
            #[derive(Clone, Copy)]
            struct Fused<'a> { cx: Cx<'a>, #(#fields: *mut f32,)* }
            impl #kind for Fused<'_> {
                #[inline(always)]
                unsafe fn put<S: Simd>(self, s: S, #given, c: usize, _: usize, p: usize) {
                    unsafe {
                        let Fused { cx, #(#fields),* } = self;
                        #body
                    }
                }
            }
        };
        (item, quote!(Fused { cx, #(#fields: #values),* }))
    }

    /// The sink of a convolution and the pool behind it.
    fn pool_sink(&mut self, conv: &Stage, pool: &Stage, acc: Value) -> (TokenStream, TokenStream) {
        let results = self.pool_results(pool);
        let pooled = self.w.s.base(self.w.s.graph().node(anchor(self.w.s, &pool.nodes)).inputs[0]);
        let mut eval = Eval::new(self, &conv.nodes, &[(acc, name("acc"))]);
        let each = eval.value_and_stores(pooled, &conv.stores);
        let (mut fields, mut values) = eval.finish();
        let mut eval = Eval::new(self, &pool.nodes, &results);
        let put = eval.stores(&pool.stores);
        let (more_fields, more_values) = eval.finish();
        for (field, value) in more_fields.into_iter().zip(more_values) {
            if !fields.contains(&field) {
                fields.push(field);
                values.push(value);
            }
        }
        let item = quote! {
            #[derive(Clone, Copy)]
            struct Fused<'a> { cx: Cx<'a>, #(#fields: *mut f32,)* }
            impl LanePool for Fused<'_> {
                #[inline(always)]
                unsafe fn each<S: Simd>(self, s: S, acc: S::V, c: usize, p: usize) -> S::V {
                    unsafe {
                        let Fused { cx, #(#fields),* } = self;
                        #each
                    }
                }
                #[inline(always)]
                unsafe fn put<S: Simd>(self, s: S, max: S::V, arg: S::V, c: usize, p: usize) {
                    unsafe {
                        let Fused { cx, #(#fields),* } = self;
                        #put
                    }
                }
            }
        };
        (item, quote!(Fused { cx, #(#fields: #values),* }))
    }
}

/// Evaluates values of a stage at channel `c` and pixel `p` of a group.
struct Eval<'t, 'a> {
    text: &'t mut Text<'a>,
    nodes: &'t [Value],
    pool: Pool,
    leaves: Vec<TokenStream>,
    known: HashMap<Value, Id>,
    /// Pointers that the sink carries.
    fields: Vec<Ident>,
}

impl<'t, 'a> Eval<'t, 'a> {
    fn new(text: &'t mut Text<'a>, nodes: &'t [Value], given: &[(Value, Ident)]) -> Self {
        let mut eval =
            Eval { text, nodes, pool: Pool::default(), leaves: Vec::new(), known: HashMap::new(), fields: Vec::new() };
        for (value, variable) in given {
            let id = eval.leaf(quote!(#variable));
            eval.known.insert(*value, id);
        }
        eval
    }

    /// The sink's fields, and what they are made from: variables of the same name.
    fn finish(self) -> (Vec<Ident>, Vec<Ident>) {
        (self.fields.clone(), self.fields)
    }

    fn leaf(&mut self, tokens: TokenStream) -> Id {
        let id = self.pool.input(self.leaves.len());
        self.leaves.push(tokens);
        id
    }

    fn field(&mut self, pointer: Ident) -> Ident {
        if !self.fields.contains(&pointer) {
            self.fields.push(pointer.clone());
        }
        pointer
    }

    fn value(&mut self, value: Value, under: &[usize]) -> Id {
        let s = self.text.w.s;
        let base = s.base(value);
        if let Some(id) = self.known.get(&base) {
            return *id;
        }
        let node = s.graph().node(base);
        let id = match &node.op {
            Op::Map(expr) if self.nodes.contains(&base) => {
                let inputs: Vec<Id> = node.inputs.iter().map(|i| self.value(*i, &node.ty.shape.dims)).collect();
                self.pool.import(expr, &inputs)
            }
            _ => {
                let tokens = self.load(value, under);
                self.leaf(tokens)
            }
        };
        self.known.insert(base, id);
        id
    }

    fn load(&mut self, value: Value, under: &[usize]) -> TokenStream {
        let s = self.text.w.s;
        let ty = s.graph().ty(value);
        if !ty.shape.batch {
            let pointer = self.text.pointer(value);
            let pointer = self.field(pointer);
            return match access(&ty.shape.dims, under, false) {
                Some(Access::Channel) => quote!(s.splat(*#pointer.add(c))),
                _ => quote!(s.splat(*#pointer)),
            };
        }
        let address = self.address(s.base(value));
        if ty.dtype == DType::I32 { quote!(s.load_i32(#address.cast())) } else { quote!(s.load(#address)) }
    }

    /// Of the group's vector at `c` and `p`, as far as the value has channels and pixels.
    fn address(&mut self, value: Value) -> TokenStream {
        let pointer = self.field(place(value));
        match self.text.extents(value) {
            (1, 1) => quote!(#pointer),
            (_, 1) => quote!(#pointer.add(c * #LANES)),
            (1, _) => quote!(#pointer.add(p * #LANES)),
            (_, pixels) => quote!(#pointer.add((c * #pixels + p) * #LANES)),
        }
    }

    fn print(&self, roots: &[Id]) -> (TokenStream, Vec<TokenStream>) {
        expr::print(&self.pool, roots, &mut |scalar| match scalar {
            Scalar::Input(i) => self.leaves[i as usize].clone(),
            Scalar::Uniform(u) => expr::uniform(u),
            Scalar::Index(_) => unreachable!("chains have no indices"),
            Scalar::Const(_) | Scalar::Unary(..) | Scalar::Binary(..) | Scalar::Select(..) => {
                unreachable!("not a leaf")
            }
        })
    }

    fn stores(&mut self, stores: &[Value]) -> TokenStream {
        let s = self.text.w.s;
        let roots: Vec<Id> = stores.iter().map(|v| self.value(*v, &s.graph().shape(*v).dims)).collect();
        let (mut text, results) = self.print(&roots);
        for (value, result) in stores.iter().zip(results) {
            let address = self.address(*value);
            text.extend(if s.graph().ty(*value).dtype == DType::I32 {
                quote!(s.store_i32(#address.cast(), #result);)
            } else {
                quote!(s.store(#address, #result);)
            });
        }
        text
    }

    /// Stores, and the value as the last expression.
    fn value_and_stores(&mut self, value: Value, stores: &[Value]) -> TokenStream {
        let s = self.text.w.s;
        let root = self.value(value, &s.graph().shape(value).dims);
        let text = self.stores(stores);
        let (statements, results) = self.print(&[root]);
        let result = &results[0];
        if stores.is_empty() { quote!(#statements #result) } else { quote!({ #text } #statements #result) }
    }
}
