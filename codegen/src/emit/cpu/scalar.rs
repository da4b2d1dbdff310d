//! The fallback: any primitive over any layout, one element at a time, in loops over the result's canonical index.
//!
//! Every primitive is here, so that whatever a network declares runs; what deserves speed has a template or a vector loop
//! and comes here only in rare layouts (grouped convolutions, channel counts below a block in odd company, tables).

use super::body::{Arg, Args, name};
use super::rows::table_rows;
use super::{Launch, Writer, expr};
use crate::graph::expr::{Expr, Id, Pool, Scalar};
use crate::graph::op::{ConvGeometry, ConvRole, MoveOp, Op, ReduceOp, TableRow, WindowAxis, WindowOp};
use crate::graph::{DType, Value};
use crate::schedule::Layout;
use crate::schedule::parts::{Run, runs};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use std::collections::HashMap;

pub fn scalar(w: &Writer) -> Vec<Launch> {
    let graph = w.s.graph();
    let own = |v: &&Value| w.kernel.stores.contains(v);
    let Some(&value) = w.kernel.nodes.iter().find(own) else { return Vec::new() };
    if let Some(runs) = runs(w.s, value) {
        return vec![copies(w, value, &runs)];
    }
    let mut e = Elements { w, args: Args::default(), loops: 0 };
    let shape = graph.shape(value).clone();
    let index: Vec<Ident> = (0..shape.rank()).map(|i| format_ident!("i{i}")).collect();
    let at: Vec<TokenStream> = index.iter().map(|i| quote!(#i)).collect();
    let result = e.element(value, &at);
    let store = e.store(value, &at, result);
    // One task per sample, or per first index of a big fixed result.
    let by_first = !shape.batch && shape.rank() > 0 && shape.dims[0] > 1 && shape.numel() >= 64;
    let mut body = store;
    for (axis, i) in index.iter().enumerate().rev() {
        let extent = shape.dims[axis];
        body = match axis {
            0 if by_first => quote!(let #i = task; #body),
            _ => quote!(for #i in 0..#extent { #body }),
        };
    }
    let n = name("n");
    let (tasks, bind) = if shape.batch {
        (quote!(batch), quote!(let #n = task;))
    } else if by_first {
        let extent = shape.dims[0];
        (quote!(#extent), TokenStream::new())
    } else {
        (quote!(1usize), TokenStream::new())
    };
    let body = quote!(let s = One::new(); #bind #body);
    let label = graph.node(value).op.name().replace('.', "_");
    vec![w.launch(&label, e.args, tasks, body)]
}

/// A concatenation or slice of whole blocks, sample by sample.
fn copies(w: &Writer, value: Value, runs: &[Run]) -> Launch {
    let mut args = Args::default();
    let n = name("n");
    let (to, to_sample) = (args.pointer(Arg::Value(value)), w.s.sample_stride(value));
    let copies: TokenStream = runs
        .iter()
        .map(|run| {
            let Run { from, from_at, to_at, floats } = *run;
            let (from, from_sample) = (args.pointer(Arg::Value(w.s.base(from))), w.s.sample_stride(from));
            quote! {
                ::core::ptr::copy_nonoverlapping(
                    #from.add(#n * #from_sample + #from_at), #to.add(#n * #to_sample + #to_at), #floats,
                );
            }
        })
        .collect();
    let label = w.s.graph().node(value).op.name().replace('.', "_");
    w.launch(&label, args, quote!(batch), quote!(let #n = task; #copies))
}

struct Elements<'a, 'w> {
    w: &'a Writer<'w>,
    args: Args,
    /// Loop variables made so far, for fresh names.
    loops: usize,
}

/// An element-wise expression under construction.
#[derive(Default)]
struct Lazy {
    pool: Pool,
    leaves: Vec<TokenStream>,
    known: HashMap<Value, Id>,
}

impl Lazy {
    fn leaf(&mut self, tokens: TokenStream) -> Id {
        let id = self.pool.input(self.leaves.len());
        self.leaves.push(tokens);
        id
    }
}

type Index<'i> = &'i [TokenStream];

/// Additions that single precision may be trusted with.
const SHORT: usize = 16;

/// A sum in the variable `acc`: in double precision where it may be long, which costs an element at a time next to nothing.
#[derive(Clone, Copy)]
struct Sum {
    double: bool,
}

impl Sum {
    /// Of at most so many values; `None` where the batch decides.
    fn of(values: Option<usize>) -> Self {
        Sum { double: values.is_none_or(|values| values > SHORT) }
    }

    fn start(self) -> TokenStream {
        if self.double { quote!(let mut acc = 0.0f64;) } else { quote!(let mut acc = 0.0f32;) }
    }

    fn add(self, x: &TokenStream) -> TokenStream {
        if self.double { quote!(acc += f64::from(#x);) } else { quote!(acc += #x;) }
    }

    fn add_product(self, a: &TokenStream, b: &TokenStream) -> TokenStream {
        if self.double { quote!(acc += f64::from(#a) * f64::from(#b);) } else { quote!(acc += #a * #b;) }
    }

    /// An `f32` expression.
    fn end(self) -> TokenStream {
        if self.double { quote!(acc as f32) } else { quote!(acc) }
    }
}

impl Elements<'_, '_> {
    fn dims(&self, value: Value) -> Vec<usize> {
        self.w.s.graph().shape(value).dims.clone()
    }

    fn fresh(&mut self) -> Ident {
        self.loops += 1;
        format_ident!("j{}", self.loops)
    }

    /// An `f32` expression: element `at` of a value that this kernel computes.
    fn element(&mut self, value: Value, at: Index) -> TokenStream {
        let node = self.w.s.graph().node(value).clone();
        match &node.op {
            Op::Map(_) | Op::Random { .. } => {
                let mut lazy = Lazy::default();
                let root = self.lazy(value, at, &mut lazy);
                let leaves = lazy.leaves;
                let (statements, results) = expr::print(&lazy.pool, &[root], &mut |leaf| match leaf {
                    Scalar::Input(i) => leaves[i as usize].clone(),
                    Scalar::Uniform(u) => expr::uniform(u),
                    other => unreachable!("{other:?} is no leaf"),
                });
                let result = &results[0];
                quote!({ #statements #result })
            }
            Op::Assign { .. } => self.read(node.inputs[0], at),
            Op::Reduce { op, axes, batch } => self.reduce(node.inputs[0], *op, axes, *batch, at),
            Op::Contract { lhs, rhs, out } => self.contract(&node.inputs, lhs, rhs, out, at),
            Op::Conv { role, geometry } => self.conv(&node.inputs, *role, geometry, at),
            Op::Window { op, axes } => self.window(&node.inputs, *op, axes, at),
            Op::Table { axis, rows } => self.table(node.inputs[0], *axis, rows, at),
            Op::Move(op) => self.movement(value, &node.inputs, op, at),
            Op::Gather => self.gather(&node.inputs, at),
            Op::ScatterAdd { batch, .. } => self.scatter_add(value, &node.inputs, *batch, at),
            Op::Leaf(_) => self.read(value, at),
        }
    }

    /// An `f32` expression: element `at` of an operand, loaded or recomputed.
    fn read(&mut self, value: Value, at: Index) -> TokenStream {
        let base = self.w.s.base(value);
        if !self.w.kernel.nodes.contains(&base) {
            return self.load(value, at);
        }
        if base == value {
            return self.element(value, at);
        }
        let at = unflatten(&linear(&self.dims(value), at), &self.dims(base));
        self.element(base, &at)
    }

    fn lazy(&mut self, value: Value, at: Index, lazy: &mut Lazy) -> Id {
        let base = self.w.s.base(value);
        if let Some(id) = lazy.known.get(&base) {
            return *id;
        }
        let node = self.w.s.graph().node(base).clone();
        let inside = self.w.kernel.nodes.contains(&base);
        let id = match &node.op {
            Op::Map(e) if inside => {
                let inputs: Vec<Id> = node
                    .inputs
                    .iter()
                    .map(|i| {
                        let at = under(&self.dims(*i), at);
                        self.lazy(*i, &at, lazy)
                    })
                    .collect();
                import(e, &inputs, at, &node.ty.shape.dims, lazy)
            }
            Op::Random { stream } if inside => {
                let sample = if node.ty.shape.batch { quote!(n as u32) } else { quote!(0u32) };
                let element = linear(&node.ty.shape.dims, at);
                lazy.leaf(quote!(s.random(cx.seed, cx.step, #stream, #sample, (#element) as u32, 0u32)))
            }
            _ => {
                let tokens = self.read(value, at);
                lazy.leaf(quote!((#tokens)))
            }
        };
        lazy.known.insert(base, id);
        id
    }

    fn address(&mut self, value: Value, at: Index) -> TokenStream {
        let pointer = self.args.pointer(Arg::Value(self.w.s.base(value)));
        let offset = physical(self.w.s.layout(value), &self.dims(value), at);
        let stride = self.w.s.sample_stride(value);
        let n = name("n");
        if stride == 0 { quote!(#pointer.add(#offset)) } else { quote!(#pointer.add(#n * #stride + #offset)) }
    }

    fn load(&mut self, value: Value, at: Index) -> TokenStream {
        let address = self.address(value, at);
        match self.w.s.graph().ty(value).dtype {
            DType::F32 => quote!(*#address),
            DType::I32 | DType::U8 | DType::Bool => quote!((*#address.cast::<i32>() as f32)),
        }
    }

    fn store(&mut self, value: Value, at: Index, result: TokenStream) -> TokenStream {
        let address = self.address(value, at);
        match self.w.s.graph().ty(value).dtype {
            DType::F32 => quote!(let result: f32 = #result; *#address = result;),
            DType::I32 | DType::U8 | DType::Bool => {
                quote!(let result: f32 = #result; *#address.cast::<i32>() = result as i32;)
            }
        }
    }

    fn reduce(&mut self, x: Value, op: ReduceOp, axes: &[usize], batch: bool, at: Index) -> TokenStream {
        let dims = self.dims(x);
        let variables: Vec<(usize, Ident)> = axes.iter().map(|a| (*a, self.fresh())).collect();
        let mut inner_at = at.to_vec();
        for (axis, variable) in &variables {
            inner_at[*axis] = quote!(#variable);
        }
        let element = self.read(x, &inner_at);
        let sum = Sum::of((!batch).then(|| axes.iter().map(|a| dims[*a]).product()));
        let highest = quote!(let mut acc = f32::NEG_INFINITY;);
        let (start, step, end) = match op {
            ReduceOp::Sum => (sum.start(), sum.add(&quote!(x)), sum.end()),
            ReduceOp::Max => (
                highest,
                quote!(if x > acc || x.is_nan() {
                    acc = x;
                }),
                quote!(acc),
            ),
            ReduceOp::ArgMax => {
                let variable = &variables[0].1;
                let start = quote!(#highest let mut arg = 0.0f32;);
                let step = quote!(if x > acc || (x.is_nan() && !acc.is_nan()) { acc = x; arg = #variable as f32; });
                (start, step, quote!(arg))
            }
        };
        let mut body = quote!(let x: f32 = #element; #step);
        for (axis, variable) in variables.iter().rev() {
            let extent = dims[*axis];
            body = quote!(for #variable in 0..#extent { #body });
        }
        if batch {
            let n = name("n");
            body = quote!(for #n in 0..cx.batch { #body });
        }
        quote!({ #start #body #end })
    }

    fn contract(&mut self, inputs: &[Value], lhs: &[u8], rhs: &[u8], out: &[u8], at: Index) -> TokenStream {
        let mut named: HashMap<u8, TokenStream> = HashMap::new();
        let own = &out[usize::from(out.first() == Some(&0))..];
        for (axis, tokens) in own.iter().zip(at) {
            named.insert(*axis, tokens.clone());
        }
        let mut loops: Vec<(Ident, usize)> = Vec::new();
        let mut operand = |e: &mut Self, value: Value, names: &[u8]| {
            let dims = e.dims(value);
            let names = &names[usize::from(names.first() == Some(&0))..];
            let at: Vec<TokenStream> = names
                .iter()
                .zip(&dims)
                .map(|(axis, extent)| {
                    named
                        .entry(*axis)
                        .or_insert_with(|| {
                            let variable = e.fresh();
                            loops.push((variable.clone(), *extent));
                            quote!(#variable)
                        })
                        .clone()
                })
                .collect();
            e.read(value, &at)
        };
        let a = operand(self, inputs[0], lhs);
        let b = operand(self, inputs[1], rhs);
        let batch = out.first() != Some(&0) && (lhs.first() == Some(&0) || rhs.first() == Some(&0));
        let sum = Sum::of((!batch).then(|| loops.iter().map(|l| l.1).product()));
        let mut body = sum.add_product(&a, &b);
        for (variable, extent) in loops.iter().rev() {
            body = quote!(for #variable in 0..#extent { #body });
        }
        if batch {
            let n = name("n");
            body = quote!(for #n in 0..cx.batch { #body });
        }
        let (start, end) = (sum.start(), sum.end());
        quote!({ #start #body #end })
    }

    fn conv(&mut self, inputs: &[Value], role: ConvRole, g: &ConvGeometry, at: Index) -> TokenStream {
        let per_group = (g.channels / g.groups, g.outputs / g.groups);
        let [kh, kw] = g.kernel;
        let sum = Sum::of(match role {
            ConvRole::Forward => Some(per_group.0 * kh * kw),
            ConvRole::Input => Some(per_group.1 * kh * kw),
            ConvRole::Weight => None,
        });
        let (start, end) = (sum.start(), sum.end());
        match role {
            ConvRole::Forward => {
                let [o, oy, ox] = three(at);
                let (c, ky, kx) = (self.fresh(), self.fresh(), self.fresh());
                let (group_in, group_out) = per_group;
                let x = self.read(inputs[0], &[quote!((#o / #group_out * #group_in + #c)), quote!(y), quote!(x)]);
                let weight = self.read(inputs[1], &[quote!(#o), quote!(#c), quote!(#ky), quote!(#kx)]);
                let guard = input_position(g, oy, ox, &quote!(#ky), &quote!(#kx), sum.add_product(&x, &weight));
                quote!({
                    #start
                    for #c in 0..#group_in { for #ky in 0..#kh { for #kx in 0..#kw { #guard } } }
                    #end
                })
            }
            ConvRole::Input => {
                let [c, y, x] = three(at);
                let (o, ky, kx) = (self.fresh(), self.fresh(), self.fresh());
                let (group_in, group_out) = per_group;
                let output = quote!((#c / #group_in * #group_out + #o));
                let dy = self.read(inputs[0], &[output.clone(), quote!(oy), quote!(ox)]);
                let weight = self.read(inputs[1], &[output, quote!((#c % #group_in)), quote!(#ky), quote!(#kx)]);
                let guard = output_position(g, y, x, &quote!(#ky), &quote!(#kx), sum.add_product(&dy, &weight));
                quote!({
                    #start
                    for #o in 0..#group_out { for #ky in 0..#kh { for #kx in 0..#kw { #guard } } }
                    #end
                })
            }
            ConvRole::Weight => {
                let [o, c, ky, kx] = [&at[0], &at[1], &at[2], &at[3]];
                let (oy, ox, n) = (self.fresh(), self.fresh(), name("n"));
                let (group_in, group_out) = per_group;
                let [oh, ow] = g.output;
                let x = self.read(inputs[0], &[quote!((#o / #group_out * #group_in + #c)), quote!(y), quote!(x)]);
                let dy = self.read(inputs[1], &[o.clone(), quote!(#oy), quote!(#ox)]);
                let guard = input_position(g, &quote!(#oy), &quote!(#ox), ky, kx, sum.add_product(&x, &dy));
                quote!({
                    #start
                    for #n in 0..cx.batch { for #oy in 0..#oh { for #ox in 0..#ow { #guard } } }
                    #end
                })
            }
        }
    }

    fn window(&mut self, inputs: &[Value], op: WindowOp, axes: &[WindowAxis], at: Index) -> TokenStream {
        let taps: Vec<Ident> = axes.iter().map(|_| self.fresh()).collect();
        let there: Vec<Ident> = axes.iter().map(|_| self.fresh()).collect();
        let other: Vec<TokenStream> = there.iter().map(|t| quote!(#t)).collect();
        // Position of a tap within its window, row-major over the kernel.
        let kernel: Vec<usize> = axes.iter().map(|a| a.kernel).collect();
        let tap_tokens: Vec<TokenStream> = taps.iter().map(|t| quote!(#t)).collect();
        let tap = linear(&kernel, &tap_tokens);
        let sum = Sum::of(Some(kernel.iter().product()));
        let (start, step, end) = match op {
            WindowOp::Sum | WindowOp::Spread => {
                let x = self.read(inputs[0], &other);
                (sum.start(), sum.add(&x), sum.end())
            }
            WindowOp::Max | WindowOp::ArgMax => {
                let x = self.read(inputs[0], &other);
                let end = if op == WindowOp::Max { quote!(acc) } else { quote!(arg) };
                let start = quote!(let mut acc = f32::NEG_INFINITY; let mut arg = -1.0f32;);
                let step = quote! {
                    let v: f32 = #x;
                    if arg < 0.0 || v > acc || (v.is_nan() && !acc.is_nan()) { acc = v; arg = (#tap) as f32; }
                };
                (start, step, quote!({ let _ = (acc, arg); #end }))
            }
            WindowOp::Route => {
                let (dy, arg) = (self.read(inputs[0], &other), self.read(inputs[1], &other));
                let step = sum.add(&dy);
                (sum.start(), quote!(if #arg == (#tap) as f32 { #step }), sum.end())
            }
            WindowOp::Pick => {
                let (x, arg) = (self.read(inputs[0], &other), self.read(inputs[1], at));
                (quote!(let mut acc = 0.0f32;), quote!(if #arg == (#tap) as f32 { acc = #x; }), quote!(acc))
            }
        };
        let adjoint = matches!(op, WindowOp::Spread | WindowOp::Route);
        let mut body = step;
        for (axis, a) in axes.iter().enumerate().rev() {
            let (i, tap, there) = (&at[axis], &taps[axis], &there[axis]);
            let WindowAxis { input, output, kernel, stride, dilation, padding } = *a;
            body = if adjoint {
                quote! {
                    for #tap in 0..#kernel {
                        let from = #i + #padding;
                        if from >= #tap * #dilation && (from - #tap * #dilation) % #stride == 0 {
                            let #there = (from - #tap * #dilation) / #stride;
                            if #there < #output { #body }
                        }
                    }
                }
            } else {
                quote! {
                    for #tap in 0..#kernel {
                        let from = #i * #stride + #tap * #dilation;
                        if from >= #padding && from - #padding < #input { let #there = from - #padding; #body }
                    }
                }
            };
        }
        quote!({ #start #body #end })
    }

    fn table(&mut self, x: Value, axis: usize, rows: &[TableRow], at: Index) -> TokenStream {
        let mut inner = at.to_vec();
        inner[axis] = quote!(source);
        let element = self.read(x, &inner);
        let sum = Sum::of(rows.iter().map(|row| row.len()).max().or(Some(0)));
        let (start, step, end) = (sum.start(), sum.add_product(&quote!(weight), &element), sum.end());
        let rows = table_rows(rows);
        let i = &at[axis];
        quote!({
            static ROWS: &[TableRow] = &[#(#rows),*];
            #start
            for &(source, weight) in ROWS[#i] { #step }
            #end
        })
    }

    fn movement(&mut self, value: Value, inputs: &[Value], op: &MoveOp, at: Index) -> TokenStream {
        let x = inputs[0];
        let from = self.dims(x);
        match op {
            MoveOp::Reshape(dims) if *dims == from => self.read(x, at),
            MoveOp::Reshape(dims) => self.read(x, &unflatten(&linear(dims, at), &from)),
            MoveOp::Transpose(perm) => {
                let mut source = at.to_vec();
                for (result, operand) in perm.iter().enumerate() {
                    source[*operand] = at[result].clone();
                }
                self.read(x, &source)
            }
            MoveOp::Slice { axis, start, .. } => {
                let mut source = at.to_vec();
                let i = &at[*axis];
                source[*axis] = quote!((#i + #start));
                self.read(x, &source)
            }
            MoveOp::Concat { axis } => {
                let mut start = 0;
                let i = &at[*axis];
                let mut arms = TokenStream::new();
                for operand in inputs {
                    let mut source = at.to_vec();
                    source[*axis] = quote!((#i - #start));
                    let element = self.read(*operand, &source);
                    start += self.dims(*operand)[*axis];
                    arms.extend(quote!(if #i < #start { #element } else));
                }
                quote!({ #arms { 0.0f32 } })
            }
            MoveOp::Pad { axis, before, .. } => {
                let mut source = at.to_vec();
                let (i, extent) = (&at[*axis], from[*axis]);
                source[*axis] = quote!((#i - #before));
                let element = self.read(x, &source);
                quote!(if #i >= #before && #i - #before < #extent { #element } else { 0.0f32 })
            }
            MoveOp::Broadcast { .. } => {
                debug_assert_eq!(self.dims(value).len(), at.len());
                let source = under(&from, at);
                self.read(x, &source)
            }
        }
    }

    fn gather(&mut self, inputs: &[Value], at: Index) -> TokenStream {
        let rank = self.dims(inputs[1]).len();
        let index = self.read(inputs[1], &at[..rank]);
        let mut source = vec![quote!(chosen)];
        source.extend_from_slice(&at[rank..]);
        let element = self.read(inputs[0], &source);
        // As in the template: no index reaches beyond the last row.
        let last = self.dims(inputs[0])[0] - 1;
        quote!({ let chosen = ((#index) as usize).min(#last); #element })
    }

    fn scatter_add(&mut self, value: Value, inputs: &[Value], batch: bool, at: Index) -> TokenStream {
        let dims = self.dims(inputs[1]);
        let variables: Vec<Ident> = dims.iter().map(|_| self.fresh()).collect();
        let place: Vec<TokenStream> = variables.iter().map(|v| quote!(#v)).collect();
        let index = self.read(inputs[1], &place);
        let mut source = place.clone();
        source.extend_from_slice(&at[1..]);
        let element = self.read(inputs[0], &source);
        let chosen = &at[0];
        let last = self.dims(value)[0] - 1;
        let over_batch = !batch && self.w.s.graph().shape(inputs[0]).batch;
        let sum = Sum::of((!over_batch).then(|| dims.iter().product()));
        let step = sum.add(&element);
        let mut body = quote!(if ((#index) as usize).min(#last) == #chosen { #step });
        for (variable, extent) in variables.iter().zip(&dims).rev() {
            body = quote!(for #variable in 0..#extent { #body });
        }
        if over_batch {
            let n = name("n");
            body = quote!(for #n in 0..cx.batch { #body });
        }
        let (start, end) = (sum.start(), sum.end());
        quote!({ #start #body #end })
    }
}

fn import(e: &Expr, inputs: &[Id], at: Index, dims: &[usize], lazy: &mut Lazy) -> Id {
    let Lazy { pool, leaves, .. } = lazy;
    pool.import_with(e, inputs, &mut |pool, axis| {
        if dims[axis] == 1 {
            return pool.constant(0.0);
        }
        let i = &at[axis];
        let id = pool.input(leaves.len());
        leaves.push(quote!((#i as f32)));
        id
    })
}

fn three(at: Index<'_>) -> [&TokenStream; 3] {
    [&at[0], &at[1], &at[2]]
}

/// `inner` where tap (ky, kx) of output (oy, ox) meets the input, with its position in `y` and `x`.
fn input_position(
    g: &ConvGeometry,
    oy: &TokenStream,
    ox: &TokenStream,
    ky: &TokenStream,
    kx: &TokenStream,
    inner: TokenStream,
) -> TokenStream {
    let ([sy, sx], [dy, dx], [py, px], [h, w]) = (g.stride, g.dilation, g.padding, g.input);
    quote! {
        let (y, x) = (#oy * #sy + #ky * #dy, #ox * #sx + #kx * #dx);
        if y >= #py && x >= #px && y - #py < #h && x - #px < #w {
            let (y, x) = (y - #py, x - #px);
            #inner
        }
    }
}

/// `inner` where input (y, x) is met by tap (ky, kx) of an output, with that output's position in `oy` and `ox`.
fn output_position(
    g: &ConvGeometry,
    y: &TokenStream,
    x: &TokenStream,
    ky: &TokenStream,
    kx: &TokenStream,
    inner: TokenStream,
) -> TokenStream {
    let ([sy, sx], [dy, dx], [py, px], [oh, ow]) = (g.stride, g.dilation, g.padding, g.output);
    quote! {
        let (fy, fx) = (#y + #py, #x + #px);
        if fy >= #ky * #dy && fx >= #kx * #dx && (fy - #ky * #dy) % #sy == 0 && (fx - #kx * #dx) % #sx == 0 {
            let (oy, ox) = ((fy - #ky * #dy) / #sy, (fx - #kx * #dx) / #sx);
            if oy < #oh && ox < #ow { #inner }
        }
    }
}

/// The row-major number of an index.
fn linear(dims: &[usize], at: Index) -> TokenStream {
    let mut tokens = quote!(0usize);
    for (axis, (i, extent)) in at.iter().zip(dims).enumerate() {
        tokens = if axis == 0 { quote!(#i) } else { quote!((#tokens * #extent + #i)) };
    }
    tokens
}

/// The index of a row-major number.
fn unflatten(number: &TokenStream, dims: &[usize]) -> Vec<TokenStream> {
    let mut stride: usize = dims.iter().product();
    dims.iter()
        .map(|extent| {
            stride /= (*extent).max(1);
            if *extent == 1 { quote!(0usize) } else { quote!((#number / #stride % #extent)) }
        })
        .collect()
}

/// The index of a broadcast operand under an element of the result.
fn under(dims: &[usize], at: Index) -> Vec<TokenStream> {
    dims.iter().zip(at).map(|(extent, i)| if *extent == 1 { quote!(0usize) } else { i.clone() }).collect()
}

/// Where a canonical index lies.
fn physical(layout: &Layout, dims: &[usize], at: Index) -> TokenStream {
    let extents: Vec<usize> = layout.axes.iter().map(|a| a.extent).collect();
    let at = if extents == dims { at.to_vec() } else { unflatten(&linear(dims, at), &extents) };
    let mut terms = Vec::new();
    for (axis, i) in layout.axes.iter().zip(&at) {
        let (block, outer, inner) = (axis.block, axis.outer, axis.inner);
        match axis.extent {
            1 => {}
            _ if block == 1 => terms.push(quote!(#i * #outer)),
            _ => terms.push(quote!(#i / #block * #outer + #i % #block * #inner)),
        }
    }
    if terms.is_empty() { quote!(0usize) } else { quote!((#(#terms)+*)) }
}
