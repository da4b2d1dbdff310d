//! Kernels written as loops with literal extents: maps, rows and columns.

use super::body::{Arg, Args, At, Eval, name};
use super::pixels::pixel_loop;
use super::{Launch, Writer};
use crate::graph::Value;
use crate::graph::op::{Op, ReduceOp};
use crate::schedule::form::{Iter, Reduced};
use crate::schedule::fuse::column_result;
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

/// Vectors that a task should at least walk, so that handing it out costs little beside it.
const TASK_VECTORS: usize = 512;

/// How the samples (and, of big samples, their vectors) are cut into tasks.
pub(super) struct Split {
    samples: usize,
    /// Parts of one sample: blocks, or runs of vectors where there is one pixel.
    parts: usize,
    run: usize,
}

impl Split {
    pub(super) fn of(iter: Iter) -> Self {
        let vectors = iter.vectors();
        if vectors < TASK_VECTORS {
            return Split { samples: (TASK_VECTORS / vectors.max(1)).clamp(1, 64), parts: 1, run: iter.blocks() };
        }
        let run = if iter.pixels == 1 { TASK_VECTORS } else { (TASK_VECTORS / iter.pixels).max(1) };
        Split { samples: 1, parts: iter.blocks().div_ceil(run), run }
    }

    pub(super) fn tasks(&self, batch: bool) -> TokenStream {
        let (samples, parts) = (self.samples, self.parts);
        if batch { quote!(batch.div_ceil(#samples) * #parts) } else { quote!(#parts) }
    }

    /// The loops around `inner`, from the number of the task.
    pub(super) fn nest(&self, w: &Writer, iter: Iter, inner: TokenStream, args: &mut Args) -> TokenStream {
        let (samples, parts, run, blocks, pixels) = (self.samples, self.parts, self.run, iter.blocks(), iter.pixels);
        let (n, b) = (name("n"), name("b"));
        let mut body = inner;
        if pixels > 1 {
            body = pixel_loop(w, iter, body, args);
        }
        if blocks > 1 {
            body = if parts == 1 {
                quote!(for #b in 0..#blocks { #body })
            } else {
                quote! {
                    let part = task % #parts;
                    for #b in part * #run..(part * #run + #run).min(#blocks) { #body }
                }
            };
        }
        if iter.batch {
            body = if samples == 1 && parts == 1 {
                quote!(let #n = task; #body)
            } else if samples == 1 {
                quote!(let #n = task / #parts; #body)
            } else {
                quote!(for #n in task * #samples..(task * #samples + #samples).min(cx.batch) { #body })
            };
        }
        body
    }
}

pub fn map(w: &Writer, iter: Iter) -> Vec<Launch> {
    let mut args = Args::default();
    let at = At::of(iter);
    let inner = evaluate_and_store(w, &at, &w.kernel.stores, &[], &mut args);
    let split = Split::of(iter);
    let body = split.nest(w, iter, inner, &mut args);
    vec![w.launch("map", args, split.tasks(iter.batch), body)]
}

/// Compute `stores` at one vector and store them; `defined` are values in variables.
fn evaluate_and_store(
    w: &Writer,
    at: &At,
    stores: &[Value],
    defined: &[(Value, Ident)],
    args: &mut Args,
) -> TokenStream {
    let mut eval = Eval::new(w.s, w.kernel, at.clone());
    for (value, variable) in defined {
        eval.define(*value, variable);
    }
    let roots: Vec<_> = stores.iter().map(|v| eval.value(*v, &w.s.graph().shape(*v).dims, args)).collect();
    let plain = Eval::new(w.s, w.kernel, at.clone());
    let (statements, results) = eval.finish(&roots);
    let stores = stores.iter().zip(&results).map(|(v, r)| plain.store(*v, r, args));
    quote!(#statements #(#stores)*)
}

/// Additions that a plain sum may be made of; a longer one keeps an account of its rounding.
const SHORT: usize = 16;

/// How an accumulator takes values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A chain of additions.
    Plain,
    /// `Total` of the runtime.
    Long,
    Maximum,
}

impl Way {
    /// Of so many values; a sum over samples has any number of them.
    fn of(op: ReduceOp, batch: bool, values: usize) -> Self {
        match op {
            ReduceOp::Sum if batch || values > SHORT => Way::Long,
            ReduceOp::Sum => Way::Plain,
            ReduceOp::Max | ReduceOp::ArgMax => Way::Maximum,
        }
    }

    fn start(self) -> TokenStream {
        match self {
            Way::Plain => quote!(s.splat(0.0f32)),
            Way::Long => quote!(Total::new(s)),
            Way::Maximum => quote!(s.splat(f32::NEG_INFINITY)),
        }
    }

    fn step(self, acc: &Ident, value: &TokenStream) -> TokenStream {
        match self {
            Way::Plain => quote!(#acc = s.add(#acc, #value);),
            Way::Long => quote!(#acc.add(s, #value);),
            Way::Maximum => quote!(#acc = s.max(#acc, #value);),
        }
    }

    fn end(self, acc: &Ident) -> TokenStream {
        match self {
            Way::Plain | Way::Maximum => quote!(#acc),
            Way::Long => quote!(#acc.value(s)),
        }
    }
}

/// The accumulators of a column kernel.
struct Accumulators {
    names: Vec<Ident>,
    ops: Vec<ReduceOp>,
    ways: Vec<Way>,
}

impl Accumulators {
    fn of(w: &Writer, iter: Iter, reduced: Reduced) -> Self {
        let ops: Vec<ReduceOp> = w.kernel.reduces(w.s).iter().map(|r| reduce_op(w, *r)).collect();
        let blocks = if reduced.channels { iter.blocks() } else { 1 };
        let values = if reduced.pixels { blocks * iter.pixels } else { blocks };
        Accumulators {
            names: (0..ops.len()).map(|m| format_ident!("acc{m}")).collect(),
            ways: ops.iter().map(|op| Way::of(*op, reduced.batch, values)).collect(),
            ops,
        }
    }

    fn start(&self) -> TokenStream {
        let starts = self.ways.iter().map(|way| way.start());
        let names = &self.names;
        quote!(#(let mut #names = #starts;)*)
    }

    /// With these values, one for each.
    fn steps(&self, values: impl Iterator<Item = TokenStream>) -> TokenStream {
        self.names.iter().zip(&self.ways).zip(values).map(|((acc, way), value)| way.step(acc, &value)).collect()
    }

    fn ends(&self) -> Vec<TokenStream> {
        self.names.iter().zip(&self.ways).map(|(acc, way)| way.end(acc)).collect()
    }
}

/// `value` with lanes beyond the channels made harmless.
fn masked(op: ReduceOp, at: &At, value: &TokenStream) -> TokenStream {
    let tail = at.iter.tail();
    let fixed = match op {
        ReduceOp::Sum => quote!(s.keep_first(#value, #tail)),
        ReduceOp::Max | ReduceOp::ArgMax => quote!(s.fill_after(#value, #tail, s.splat(f32::NEG_INFINITY))),
    };
    at.on_last_block(value.clone(), fixed)
}

fn across_lanes(op: ReduceOp, acc: &TokenStream) -> TokenStream {
    match op {
        ReduceOp::Sum => quote!(s.splat(s.sum(#acc))),
        ReduceOp::Max | ReduceOp::ArgMax => quote!(s.splat(s.maximum(#acc))),
    }
}

fn reduce_op(w: &Writer, value: Value) -> ReduceOp {
    match w.s.graph().node(value).op {
        Op::Reduce { op, .. } => op,
        ref other => unreachable!("{} is no reduction", other.name()),
    }
}

/// Rows: reductions and single numbers in order, then one pass over the elements that are stored.
pub fn row(w: &Writer, iter: Iter, per_pixel: bool) -> Vec<Launch> {
    let graph = w.s.graph();
    let mut args = Args::default();
    let at = At::of(iter);
    let outer = Iter { channels: 1, pixels: if per_pixel { iter.pixels } else { 1 }, ..iter };
    let outer_at = At { iter: outer, block: None, ..At::of(outer) };
    let single = |v: Value| {
        let dims = &graph.shape(v).dims;
        if per_pixel { dims[0] == 1 } else { graph.shape(v).numel() == 1 }
    };
    let mut defined: Vec<(Value, Ident)> = Vec::new();
    let mut body = TokenStream::new();
    for &value in &w.kernel.nodes {
        let variable = format_ident!("r{}", defined.len());
        if matches!(graph.node(value).op, Op::Reduce { .. }) {
            body.extend(row_reduction(w, &at, per_pixel, value, &variable, &defined, &mut args));
        } else if single(value) {
            let mut eval = Eval::new(w.s, w.kernel, outer_at.clone());
            for (v, variable) in &defined {
                eval.define(*v, variable);
            }
            let root = eval.value(value, &graph.shape(value).dims, &mut args);
            let (statements, results) = eval.finish(&[root]);
            let result = &results[0];
            body.extend(quote!(let #variable = { #statements #result };));
        } else {
            continue;
        }
        if w.kernel.stores.contains(&value) {
            let eval = Eval::new(w.s, w.kernel, outer_at.clone());
            body.extend(eval.store(value, &quote!(#variable), &mut args));
        }
        defined.push((value, variable));
    }
    let elements: Vec<Value> = w.kernel.stores.iter().copied().filter(|v| !defined.iter().any(|d| d.0 == *v)).collect();
    if !elements.is_empty() {
        let inner = evaluate_and_store(w, &at, &elements, &defined, &mut args);
        body.extend(element_loops(iter, per_pixel, inner));
    }
    if per_pixel && iter.pixels > 1 {
        let (p, pixels) = (name("p"), iter.pixels);
        body = quote!(for #p in 0..#pixels { #body });
    }
    let samples = (TASK_VECTORS / 2 / iter.vectors().max(1)).clamp(1, 16);
    let n = name("n");
    let body = quote!(for #n in task * #samples..(task * #samples + #samples).min(cx.batch) { #body });
    vec![w.launch("row", args, quote!(batch.div_ceil(#samples)), body)]
}

/// Loops over the blocks (and, unless the row is one pixel, the pixels) of a sample.
fn element_loops(iter: Iter, per_pixel: bool, inner: TokenStream) -> TokenStream {
    let (blocks, pixels) = (iter.blocks(), iter.pixels);
    let (b, p) = (name("b"), name("p"));
    let mut body = inner;
    if !per_pixel && pixels > 1 {
        body = quote!(for #p in 0..#pixels { #body });
    }
    if blocks > 1 {
        body = quote!(for #b in 0..#blocks { #body });
    }
    quote!({ #body })
}

fn row_reduction(
    w: &Writer,
    at: &At,
    per_pixel: bool,
    value: Value,
    variable: &Ident,
    defined: &[(Value, Ident)],
    args: &mut Args,
) -> TokenStream {
    let op = reduce_op(w, value);
    let operand = w.s.graph().node(value).inputs[0];
    let mut eval = Eval::new(w.s, w.kernel, at.clone());
    for (v, variable) in defined {
        eval.define(*v, variable);
    }
    let root = eval.value(operand, &w.s.graph().shape(operand).dims, args);
    let (statements, results) = eval.finish(&[root]);
    let masked = masked(op, at, &results[0]);
    let (acc, x) = (name("acc"), name("x"));
    let values = if per_pixel { at.iter.blocks() } else { at.iter.vectors() };
    let way = Way::of(op, false, values);
    let first = way.start();
    if op == ReduceOp::ArgMax {
        // The first NaN of a lane wins over its numbers, and stays.
        let index = match &at.block {
            None => quote!(s.iota()),
            Some(b) => quote!(s.add(s.splat((#b * 16usize) as f32), s.iota())),
        };
        let inner = quote! {
            #statements
            let #x = #masked;
            let better = s.or(s.gt(#x, #acc), s.and(s.ne(#x, #x), s.eq(#acc, #acc)));
            arg = s.select(better, #index, arg);
            #acc = s.select(better, #x, #acc);
        };
        let loops = element_loops(at.iter, per_pixel, inner);
        return quote! {
            let #variable = {
                let mut #acc = #first;
                let mut arg = s.splat(0.0f32);
                #loops
                s.splat(first_maximum(s, #acc, arg))
            };
        };
    }
    let step = way.step(&acc, &quote!(#x));
    let loops = element_loops(at.iter, per_pixel, quote!(#statements let #x = #masked; #step));
    let end = across_lanes(op, &way.end(&acc));
    quote!(let #variable = { let mut #acc = #first; #loops #end };)
}

/// Columns. A batch reduction leaves one partial result per chunk of samples; a second launch adds them in order.
pub fn column(w: &Writer, iter: Iter, reduced: Reduced) -> Vec<Launch> {
    let result = column_result(iter, reduced);
    let reduces = w.kernel.reduces(w.s);
    let accs = Accumulators::of(w, iter, reduced);
    if reduced.batch {
        return vec![partials(w, iter, reduced, result, &accs), finalize(w, reduced, result, &accs)];
    }
    let mut args = Args::default();
    let start = accs.start();
    let loops = accumulate(w, iter, reduced, &accs, &mut args);
    let results = results(w, reduced, result, &reduces, &accs.ends(), &accs.ops, &mut args);
    let body = result_nest(result, quote!(#start #loops #results));
    let (tasks, body) = if iter.batch {
        let n = name("n");
        (quote!(batch), quote!(let #n = task; #body))
    } else {
        (quote!(1usize), body)
    };
    vec![w.launch("column", args, tasks, body)]
}

/// Loops over the vectors of the result.
fn result_nest(result: Iter, inner: TokenStream) -> TokenStream {
    let (blocks, pixels) = (result.blocks(), result.pixels);
    let (b, p) = (name("b"), name("p"));
    let mut body = inner;
    if pixels > 1 {
        body = quote!(for #p in 0..#pixels { #body });
    }
    if blocks > 1 {
        body = quote!(for #b in 0..#blocks { #body });
    }
    body
}

/// Loops over what is reduced of one sample, adding to the accumulators.
fn accumulate(w: &Writer, iter: Iter, reduced: Reduced, accs: &Accumulators, args: &mut Args) -> TokenStream {
    let at = At::of(iter);
    let reduces = w.kernel.reduces(w.s);
    let mut eval = Eval::new(w.s, w.kernel, at.clone());
    let roots: Vec<_> = reduces
        .iter()
        .map(|r| {
            let operand = w.s.graph().node(*r).inputs[0];
            eval.value(operand, &w.s.graph().shape(operand).dims, args)
        })
        .collect();
    // Elements that are stored on the way.
    let elements: Vec<Value> = w.kernel.stores.iter().copied().filter(|v| is_element(w, iter, reduced, *v)).collect();
    let stored = elements.iter().map(|v| eval.value(*v, &w.s.graph().shape(*v).dims, args));
    let roots: Vec<_> = roots.into_iter().chain(stored.collect::<Vec<_>>()).collect();
    let (statements, results) = eval.finish(&roots);
    let plain = Eval::new(w.s, w.kernel, at.clone());
    let stores = elements.iter().zip(&results[accs.names.len()..]).map(|(v, r)| plain.store(*v, r, args));
    let stores: Vec<TokenStream> = stores.collect();
    let steps = accs.names.iter().zip(&accs.ops).zip(&accs.ways).zip(&results).map(|(((acc, op), way), value)| {
        let value = if reduced.channels { masked(*op, &at, value) } else { value.clone() };
        let x = name("x");
        let step = way.step(acc, &quote!(#x));
        quote!({ let #x = #value; #step })
    });
    let mut body = quote!(#statements #(#steps)* #(#stores)*);
    if reduced.pixels && iter.pixels > 1 {
        body = pixel_loop(w, iter, body, args);
    }
    if reduced.channels && iter.blocks() > 1 {
        let (b, blocks) = (name("b"), iter.blocks());
        body = quote!(for #b in 0..#blocks { #body });
    }
    body
}

/// Whether a stored value is one of the elements that this kernel sums up, not a result.
fn is_element(w: &Writer, iter: Iter, reduced: Reduced, value: Value) -> bool {
    let shape = w.s.graph().shape(value);
    reduced.batch && shape.batch && Iter::of(w.s.order, shape) == iter
}

/// Reduced values into variables, maps on them, stores.
pub(super) fn results(
    w: &Writer,
    reduced: Reduced,
    result: Iter,
    reduces: &[Value],
    accs: &[TokenStream],
    ops: &[ReduceOp],
    args: &mut Args,
) -> TokenStream {
    let mut defined = Vec::new();
    let mut body = TokenStream::new();
    for ((value, acc), op) in reduces.iter().zip(accs).zip(ops) {
        let variable = format_ident!("r{}", defined.len());
        let end = if reduced.channels { across_lanes(*op, acc) } else { quote!(#acc) };
        body.extend(quote!(let #variable = #end;));
        defined.push((*value, variable));
    }
    let stores: Vec<Value> =
        w.kernel.stores.iter().copied().filter(|v| !w.s.graph().shape(*v).batch || !reduced.batch).collect();
    body.extend(evaluate_and_store(w, &At::of(result), &stores, &defined, args));
    body
}

fn partials(w: &Writer, iter: Iter, reduced: Reduced, result: Iter, accs: &Accumulators) -> Launch {
    let mut args = Args::default();
    let (chunks, blocks) = (w.chunks, result.blocks());
    let inner = accumulate(w, iter, reduced, accs, &mut args);
    let stores = partial_addresses(result, accs.names.len(), &mut args);
    let n = name("n");
    let (start, ends) = (accs.start(), accs.ends());
    let mut body = quote! {
        #start
        for #n in first..last { #inner }
        #(s.store(#stores, #ends);)*
    };
    if result.pixels > 1 {
        let (p, pixels) = (name("p"), result.pixels);
        body = quote!(for #p in 0..#pixels { #body });
    }
    let b = name("b");
    let block = (blocks > 1).then(|| quote!(let #b = task % #blocks;));
    let body = quote! {
        let chunk = task / #blocks;
        #block
        let first = chunk * cx.batch / #chunks;
        let last = (chunk + 1) * cx.batch / #chunks;
        #body
    };
    w.launch("column_partials", args, quote!(#chunks * #blocks), body)
}

/// Address of each accumulator's partial result, from `chunk` and the result's vector.
fn partial_addresses(result: Iter, count: usize, args: &mut Args) -> Vec<TokenStream> {
    let pointer = args.pointer(Arg::Partials);
    let vectors = result.vectors();
    let at = At::of(result);
    let (b, p, pixels) = (&at.block, &at.pixel, result.pixels);
    let vector = match (b, p) {
        (None, None) => quote!(0usize),
        (Some(b), None) => quote!(#b),
        (None, Some(p)) => quote!(#p),
        (Some(b), Some(p)) => quote!((#b * #pixels + #p)),
    };
    (0..count).map(|m| quote!(#pointer.add(((chunk * #count + #m) * #vectors + #vector) * 16usize))).collect()
}

fn finalize(w: &Writer, reduced: Reduced, result: Iter, accs: &Accumulators) -> Launch {
    let mut args = Args::default();
    let chunks = w.chunks;
    let addresses = partial_addresses(result, accs.names.len(), &mut args);
    let (start, steps) = (accs.start(), accs.steps(addresses.iter().map(|p| quote!(s.load(#p)))));
    let add = quote!(#start for chunk in 0..#chunks { #steps });
    let reduces = w.kernel.reduces(w.s);
    let results = results(w, reduced, result, &reduces, &accs.ends(), &accs.ops, &mut args);
    let split = Split::of(result);
    let body = split.nest(w, result, quote!(#add #results), &mut args);
    w.launch("column_results", args, split.tasks(false), body)
}
