//! The element-wise part of a kernel: loads, expressions and stores at one vector of elements.

use super::expr;
use crate::graph::expr::{Expr, Id, Pool, Scalar};
use crate::graph::op::{MoveOp, Op, WindowOp};
use crate::graph::{DType, Value};
use crate::schedule::form::{Iter, Read, read};
use crate::schedule::{Kernel, Schedule, Storage};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use std::collections::{HashMap, HashSet};

/// What a kernel's pointers stand for, in the order of its argument table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arg {
    Value(Value),
    /// Partial results of this kernel …
    Partials,
    /// … or of another, which finds them where its operand was made.
    PartialsOf(usize),
}

/// The argument table of one kernel while it is written.
#[derive(Default)]
pub struct Args {
    pub list: Vec<Arg>,
    /// Where in the list each is.
    places: HashMap<Arg, usize>,
}

impl Args {
    /// The name of the pointer for `arg`.
    pub fn pointer(&mut self, arg: Arg) -> Ident {
        let at = *self.places.entry(arg).or_insert_with(|| {
            self.list.push(arg);
            self.list.len() - 1
        });
        format_ident!("p{at}")
    }

    /// `let p0 = cx.arg(0);` and so on.
    pub fn bindings(count: usize) -> TokenStream {
        let names = (0..count).map(|i| format_ident!("p{i}"));
        let numbers = 0..count;
        quote!(#(let #names = cx.arg(#numbers);)*)
    }
}

/// Names of the loop variables at a vector, and the walk they belong to. `None` where an axis is absent.
#[derive(Clone)]
pub struct At {
    pub iter: Iter,
    pub sample: Option<Ident>,
    pub block: Option<Ident>,
    pub pixel: Option<Ident>,
}

pub fn name(text: &str) -> Ident {
    Ident::new(text, Span::call_site())
}

impl At {
    /// The usual names; extents of 1 have no loop and no variable.
    pub fn of(iter: Iter) -> Self {
        At {
            iter,
            sample: iter.batch.then(|| name("n")),
            block: (iter.blocks() > 1).then(|| name("b")),
            pixel: (iter.pixels > 1).then(|| name("p")),
        }
    }

    /// `n * stride`, or nothing.
    fn sample_term(&self, stride: usize) -> Option<TokenStream> {
        let n = self.sample.as_ref()?;
        match stride {
            0 => None,
            1 => Some(quote!(#n)),
            _ => Some(quote!(#n * #stride)),
        }
    }

    fn block_or_zero(&self) -> TokenStream {
        self.block.as_ref().map_or(quote!(0usize), |b| quote!(#b))
    }

    fn pixel_or_zero(&self) -> TokenStream {
        self.pixel.as_ref().map_or(quote!(0usize), |p| quote!(#p))
    }

    /// `(b * pixels + p) * 16` with what there is.
    fn vector_term(&self) -> Option<TokenStream> {
        let pixels = self.iter.pixels;
        match (&self.block, &self.pixel) {
            (None, None) => None,
            (Some(b), None) => Some(quote!(#b * 16usize)),
            (None, Some(p)) => Some(quote!(#p * 16usize)),
            (Some(b), Some(p)) => Some(quote!((#b * #pixels + #p) * 16usize)),
        }
    }

    /// `value`, with `fixed` applied where the last block is not full.
    pub fn on_last_block(&self, value: TokenStream, fixed: TokenStream) -> TokenStream {
        if self.iter.tail() == 0 {
            return value;
        }
        match &self.block {
            None => fixed,
            Some(b) => {
                let last = self.iter.blocks() - 1;
                quote!(if #b == #last { #fixed } else { #value })
            }
        }
    }
}

fn offset(pointer: &Ident, terms: impl IntoIterator<Item = Option<TokenStream>>) -> TokenStream {
    let terms: Vec<TokenStream> = terms.into_iter().flatten().collect();
    if terms.is_empty() { quote!(#pointer) } else { quote!(#pointer.add(#(#terms)+*)) }
}

/// Evaluates values at one vector: in-kernel maps become expressions, everything else a leaf.
pub struct Eval<'a> {
    pub s: &'a Schedule,
    pub kernel: &'a Kernel,
    /// The kernel's nodes.
    own: HashSet<Value>,
    pub at: At,
    pool: Pool,
    leaves: Vec<TokenStream>,
    known: HashMap<Value, Id>,
    indices: HashMap<(usize, usize), Id>,
}

impl<'a> Eval<'a> {
    pub fn new(s: &'a Schedule, kernel: &'a Kernel, at: At) -> Self {
        let (pool, leaves) = (Pool::default(), Vec::new());
        let own = kernel.nodes.iter().copied().collect();
        Eval { s, kernel, own, at, pool, leaves, known: HashMap::new(), indices: HashMap::new() }
    }

    /// This value is in a variable already.
    pub fn define(&mut self, value: Value, variable: &Ident) {
        let id = self.leaf(quote!(#variable));
        self.known.insert(value, id);
    }

    fn leaf(&mut self, tokens: TokenStream) -> Id {
        let id = self.pool.input(self.leaves.len());
        self.leaves.push(tokens);
        id
    }

    /// The value at this vector, as an operand of a node of extents `under`.
    pub fn value(&mut self, value: Value, under: &[usize], args: &mut Args) -> Id {
        let base = self.s.base(value);
        if let Some(id) = self.known.get(&base) {
            return *id;
        }
        let node = self.s.graph().node(base);
        let id = if !self.own.contains(&base) {
            let tokens = self.load(value, under, args);
            self.leaf(tokens)
        } else {
            let dims = node.ty.shape.dims.clone();
            match &node.op {
                Op::Map(e) => {
                    let inputs: Vec<Id> = node.inputs.iter().map(|i| self.value(*i, &dims, args)).collect();
                    self.import(e, &inputs, &dims)
                }
                Op::Assign { .. } | Op::Move(MoveOp::Broadcast { .. }) => self.value(node.inputs[0], &dims, args),
                Op::Random { stream } => {
                    let tokens = self.random(*stream, base);
                    self.leaf(tokens)
                }
                Op::Window { op: WindowOp::Route, .. } => {
                    let tokens = super::pixels::routed(self.s, self.kernel, base);
                    self.leaf(tokens)
                }
                other => unreachable!("{} has no element-wise form", other.name()),
            }
        };
        self.known.insert(base, id);
        id
    }

    /// The expression with `index(axis)` resolved for a node of extents `dims`.
    fn import(&mut self, expr: &Expr, inputs: &[Id], dims: &[usize]) -> Id {
        let mut pool = std::mem::take(&mut self.pool);
        let id = pool.import_with(expr, inputs, &mut |pool, axis| self.index(pool, axis, dims));
        self.pool = pool;
        id
    }

    fn index(&mut self, pool: &mut Pool, axis: usize, dims: &[usize]) -> Id {
        if dims[axis] == 1 {
            return pool.constant(0.0);
        }
        let stride: usize = if axis == 0 { 0 } else { dims[axis + 1..].iter().product() };
        if let Some(id) = self.indices.get(&(axis, stride)) {
            return *id;
        }
        let tokens = if axis == 0 {
            match &self.at.block {
                None => quote!(s.iota()),
                Some(b) => quote!(s.add(s.splat((#b * 16usize) as f32), s.iota())),
            }
        } else {
            let (p, extent) = (self.at.pixel_or_zero(), dims[axis]);
            quote!(s.splat((#p / #stride % #extent) as f32))
        };
        let id = pool.input(self.leaves.len());
        self.leaves.push(tokens);
        self.indices.insert((axis, stride), id);
        id
    }

    fn random(&self, stream: u32, value: Value) -> TokenStream {
        let shape = self.s.graph().shape(value);
        let own = self.at.iter.counting(shape);
        let sample = match (&self.at.sample, shape.batch) {
            (Some(n), true) => quote!(#n as u32),
            _ => quote!(0u32),
        };
        let (b, pixels) = (self.at.block_or_zero(), own.pixels);
        let first = match (own.channels, own.pixels) {
            (1, 1) => quote!(0u32),
            (_, 1) => quote!((#b * 16usize) as u32),
            _ => {
                let p = self.at.pixel_or_zero();
                quote!((#b * 16usize * #pixels + #p) as u32)
            }
        };
        let stride = if own.channels == 1 { 0u32 } else { pixels as u32 };
        quote!(s.random(cx.seed, cx.step, #stream, #sample, #first, #stride))
    }

    /// Statements that compute these values, and the expressions that hold them.
    pub fn finish(self, roots: &[Id]) -> (TokenStream, Vec<TokenStream>) {
        let leaves = self.leaves;
        expr::print(&self.pool, roots, &mut |scalar| match scalar {
            Scalar::Input(i) => leaves[i as usize].clone(),
            Scalar::Uniform(u) => expr::uniform(u),
            Scalar::Index(_) => unreachable!("indices were resolved"),
            Scalar::Const(_) | Scalar::Unary(..) | Scalar::Binary(..) | Scalar::Select(..) => {
                unreachable!("not a leaf")
            }
        })
    }

    fn load(&self, value: Value, under: &[usize], args: &mut Args) -> TokenStream {
        let ty = self.s.graph().ty(value);
        let pointer = args.pointer(Arg::Value(self.s.base(value)));
        let sample = self.at.sample_term(self.s.sample_stride(value));
        let integer = ty.dtype == DType::I32;
        let dims = &ty.shape.dims;
        let single = |address: TokenStream| {
            if integer { quote!(s.splat(*#address.cast::<i32>() as f32)) } else { quote!(s.splat(*#address)) }
        };
        let vector = |address: TokenStream| {
            if integer { quote!(s.load_i32(#address.cast())) } else { quote!(s.load(#address)) }
        };
        match read(dims, under, self.at.iter).expect("checked by the schedule") {
            Read::Number { per_pixel: false } => single(offset(&pointer, [sample])),
            Read::Number { per_pixel: true } => {
                single(offset(&pointer, [sample, self.at.pixel.as_ref().map(|p| quote!(#p))]))
            }
            Read::Channels => {
                let block = self.at.block.as_ref().map(|b| quote!(#b * 16usize));
                vector(offset(&pointer, [sample, block]))
            }
            Read::Strided { stride, count } => {
                let address = self.strided_address(&pointer, sample);
                if integer {
                    quote!(s.gather_i32(#address.cast(), #stride, #count))
                } else {
                    quote!(s.gather(#address, #stride, #count))
                }
            }
            Read::Vector => vector(offset(&pointer, [sample, self.at.vector_term()])),
        }
    }

    /// Of the first lane, in a channel-wise walk over a row-major value.
    fn strided_address(&self, pointer: &Ident, sample: Option<TokenStream>) -> TokenStream {
        debug_assert!(self.at.block.is_none(), "row-major values have few channels");
        offset(pointer, [sample, self.at.pixel.as_ref().map(|p| quote!(#p))])
    }

    /// Store `result` as `value`.
    pub fn store(&self, value: Value, result: &TokenStream, args: &mut Args) -> TokenStream {
        let ty = self.s.graph().ty(value);
        let dims = &ty.shape.dims;
        let pointer = args.pointer(Arg::Value(value));
        let sample = self.at.sample_term(self.s.sample_stride(value));
        let integer = ty.dtype == DType::I32;
        match read(dims, dims, self.at.iter).expect("a value is read as it is stored") {
            // One number: the first lane has it.
            Read::Number { per_pixel } => {
                let pixel = self.at.pixel.as_ref().filter(|_| per_pixel).map(|p| quote!(#p));
                let address = offset(&pointer, [sample, pixel]);
                return if integer {
                    quote!(s.scatter_i32(#address.cast::<i32>(), 1usize, 1usize, #result);)
                } else {
                    quote!(s.store_first(#address, #result, 1usize);)
                };
            }
            Read::Strided { stride, count } => {
                let address = self.strided_address(&pointer, sample);
                let scatter = if integer { quote!(s.scatter_i32) } else { quote!(s.scatter) };
                let address = if integer { quote!(#address.cast::<i32>()) } else { address };
                return quote!(#scatter(#address, #stride, #count, #result););
            }
            Read::Channels => unreachable!("under itself a value is no broadcast"),
            Read::Vector => {}
        }
        let address = offset(&pointer, [sample, self.at.vector_term()]);
        if integer {
            return quote!(s.store_i32(#address.cast(), #result););
        }
        // Padding of the persistent arenas is zero and stays zero.
        let persistent = matches!(self.s.storage(value), Some(Storage::Grad(_) | Storage::State(_)));
        let tail = self.at.iter.tail();
        let result = if persistent {
            self.at.on_last_block(result.clone(), quote!(s.keep_first(#result, #tail)))
        } else {
            result.clone()
        };
        quote!(s.store(#address, #result);)
    }
}
