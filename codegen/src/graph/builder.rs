//! Where graphs grow: each method checks by [`infer`], pushes one primitive and returns its value.
//!
//! Layers are lowered through it, and autodiff writes gradients with it. A wrong call is a bug of the caller (a layer
//! checks the user's arguments first), so it panics with the operation and the shapes; `verify` repeats the check.

use super::expr::{Binary, Expr, Id, Pool, Uniform};
use super::op::*;
use super::{DType, Graph, Node, Shape, Type, Value};
use crate::diagnostics::Source;

impl Graph {
    /// Push a node; equal nodes are one value.
    pub fn push(&mut self, op: Op, inputs: Vec<Value>, source: Source, layer: &str) -> Value {
        let types: Vec<&Type> = inputs.iter().map(|v| self.ty(*v)).collect();
        let ty = infer(&op, &types).unwrap_or_else(|why| panic!("{}: {why}", op.name()));
        self.push_typed(op, inputs, ty, source, layer)
    }

    /// A leaf's type comes from its declaration.
    pub fn push_leaf(&mut self, leaf: Leaf, ty: Type, source: Source, layer: &str) -> Value {
        self.push_typed(Op::Leaf(leaf), Vec::new(), ty, source, layer)
    }

    /// Uniform numbers of this shape.
    pub fn push_random(&mut self, stream: u32, shape: Shape, source: Source, layer: &str) -> Value {
        let ty = Type { dtype: DType::F32, shape };
        self.push_typed(Op::Random { stream }, Vec::new(), ty, source, layer)
    }

    fn push_typed(&mut self, op: Op, inputs: Vec<Value>, ty: Type, source: Source, layer: &str) -> Value {
        let node = Node { op, inputs, ty, detached: false };
        let value = Value(self.nodes.len() as u32);
        self.nodes.push(node);
        self.sources.push(source);
        self.layers.push(layer.to_string());
        value
    }
}

/// A graph under construction, with the source and layer that new nodes get.
pub struct Builder<'g> {
    pub graph: &'g mut Graph,
    pub source: Source,
    pub layer: String,
}

impl Builder<'_> {
    pub fn op(&mut self, op: Op, inputs: &[Value]) -> Value {
        self.graph.push(op, inputs.to_vec(), self.source, &self.layer)
    }

    pub fn dims(&self, value: Value) -> &[usize] {
        &self.graph.shape(value).dims
    }

    /// Element-wise function of broadcast operands.
    pub fn map(&mut self, inputs: &[Value], f: impl FnOnce(&mut Pool, &[Id]) -> Id) -> Value {
        let expr = Expr::build(inputs.len(), f);
        self.op(Op::Map(expr), inputs)
    }

    pub fn map1(&mut self, x: Value, f: impl FnOnce(&mut Pool, Id) -> Id) -> Value {
        self.map(&[x], |p, i| f(p, i[0]))
    }

    pub fn map2(&mut self, a: Value, b: Value, f: impl FnOnce(&mut Pool, Id, Id) -> Id) -> Value {
        self.map(&[a, b], |p, i| f(p, i[0], i[1]))
    }

    /// A vector of these numbers.
    pub fn constants(&mut self, numbers: &[f64]) -> Value {
        let one = self.map(&[], |p, _| p.constant(1.0));
        let one = self.reshape(one, &[1]);
        let rows = numbers.iter().map(|x| vec![(0, x.to_bits())]).collect();
        self.op(Op::Table { axis: 0, rows }, &[one])
    }

    pub fn add(&mut self, a: Value, b: Value) -> Value {
        self.map2(a, b, |p, a, b| p.binary(Binary::Add, a, b))
    }

    pub fn mul(&mut self, a: Value, b: Value) -> Value {
        self.map2(a, b, |p, a, b| p.binary(Binary::Mul, a, b))
    }

    /// Divide by the number of samples.
    pub fn over_batch(&mut self, x: Value) -> Value {
        self.map1(x, |p, x| {
            let n = p.uniform(Uniform::Batch);
            p.div(x, n)
        })
    }

    pub fn reduce(&mut self, op: ReduceOp, x: Value, axes: &[usize], batch: bool) -> Value {
        self.op(Op::Reduce { op, axes: axes.to_vec(), batch }, &[x])
    }

    pub fn sum(&mut self, x: Value, axes: &[usize], batch: bool) -> Value {
        self.reduce(ReduceOp::Sum, x, axes, batch)
    }

    pub fn max(&mut self, x: Value, axes: &[usize]) -> Value {
        self.reduce(ReduceOp::Max, x, axes, false)
    }

    /// See [`Op::Contract`]; names are small numbers, 0 the batch.
    pub fn contract(&mut self, a: Value, lhs: &[u8], b: Value, rhs: &[u8], out: &[u8]) -> Value {
        self.op(Op::Contract { lhs: lhs.to_vec(), rhs: rhs.to_vec(), out: out.to_vec() }, &[a, b])
    }

    pub fn conv(&mut self, role: ConvRole, geometry: ConvGeometry, a: Value, b: Value) -> Value {
        self.op(Op::Conv { role, geometry }, &[a, b])
    }

    pub fn window(&mut self, op: WindowOp, axes: &[WindowAxis], inputs: &[Value]) -> Value {
        self.op(Op::Window { op, axes: axes.to_vec() }, inputs)
    }

    /// The same value if the extents are already these.
    pub fn reshape(&mut self, x: Value, dims: &[usize]) -> Value {
        if self.dims(x) == dims {
            return x;
        }
        self.op(Op::Move(MoveOp::Reshape(dims.to_vec())), &[x])
    }

    pub fn random(&mut self, stream: u32, shape: Shape) -> Value {
        self.graph.push_random(stream, shape, self.source, &self.layer)
    }

    /// The same value as a constant: no gradient passes.
    pub fn detach(&mut self, x: Value) -> Value {
        let value = self.op(Op::Map(Expr::identity()), &[x]);
        self.graph.nodes[value.index()].detached = true;
        value
    }
}

/// The type of `op` over operands of these types: pure, called on every push and again by `verify`.
/// Leaves and `Random` bring their type along; asking for theirs is an error.
pub fn infer(op: &Op, inputs: &[&Type]) -> Result<Type, String> {
    let want = |n: usize| {
        if inputs.len() == n { Ok(()) } else { Err(format!("takes {n} operands, got {}", inputs.len())) }
    };
    let float = |shape: Shape| Ok(Type { dtype: DType::F32, shape });
    let axis_ok = |axis: usize, rank: usize| {
        if axis < rank { Ok(()) } else { Err(format!("axis {axis} of rank {rank}")) }
    };
    match op {
        Op::Leaf(_) | Op::Random { .. } => Err("has no inferable type".into()),
        Op::Map(expr) => {
            if expr.operands() > inputs.len() {
                return Err(format!("expression of {} operands, got {}", expr.operands(), inputs.len()));
            }
            float(broadcast(inputs)?)
        }
        Op::Reduce { op, axes, batch } => {
            want(1)?;
            let mut shape = inputs[0].shape.clone();
            for &axis in axes {
                axis_ok(axis, shape.rank())?;
                shape.dims[axis] = 1;
            }
            if *batch && !shape.batch {
                return Err("no batch to reduce".into());
            }
            if *op == ReduceOp::ArgMax && (axes.len() != 1 || *batch) {
                return Err("argmax takes one axis".into());
            }
            shape.batch &= !batch;
            let dtype = if *op == ReduceOp::ArgMax { DType::I32 } else { DType::F32 };
            Ok(Type { dtype, shape })
        }
        Op::Contract { lhs, rhs, out } => {
            want(2)?;
            let mut extents = [None; 256];
            for (names, ty) in [(lhs, inputs[0]), (rhs, inputs[1])] {
                let own: Vec<u8> = if ty.shape.batch { names.get(1..).unwrap_or(&[]).to_vec() } else { names.clone() };
                if ty.shape.batch != (names.first() == Some(&0)) || own.len() != ty.shape.rank() || own.contains(&0) {
                    return Err(format!("names {names:?} for {}", dims_or_batch(&ty.shape)));
                }
                for (&name, &extent) in own.iter().zip(&ty.shape.dims) {
                    match extents[name as usize] {
                        Some(e) if e != extent => {
                            return Err(format!("axis {name} is {e} and {extent}"));
                        }
                        _ => extents[name as usize] = Some(extent),
                    }
                }
            }
            let batch = out.first() == Some(&0);
            let dims = out[usize::from(batch)..]
                .iter()
                .map(|n| extents[*n as usize].ok_or_else(|| format!("axis {n} of the result is in no operand")))
                .collect::<Result<Vec<_>, _>>()?;
            float(Shape { batch, dims })
        }
        Op::Conv { role, geometry: g } => {
            want(2)?;
            let x = Shape::sample([g.channels, g.input[0], g.input[1]]);
            let y = Shape::sample([g.outputs, g.output[0], g.output[1]]);
            let w = Shape::fixed([g.outputs, g.channels / g.groups.max(1), g.kernel[0], g.kernel[1]]);
            let (a, b, result) = match role {
                ConvRole::Forward => (x, w, y),
                ConvRole::Input => (y, w, x),
                ConvRole::Weight => (x, y, w),
            };
            if inputs[0].shape != a || inputs[1].shape != b {
                return Err(format!("{} and {}", dims_or_batch(&inputs[0].shape), dims_or_batch(&inputs[1].shape)));
            }
            float(result)
        }
        Op::Window { op, axes } => {
            want(match op {
                WindowOp::Sum | WindowOp::Max | WindowOp::ArgMax | WindowOp::Spread => 1,
                WindowOp::Route | WindowOp::Pick => 2,
            })?;
            let x: Vec<usize> = axes.iter().map(|a| a.input).collect();
            let y: Vec<usize> = axes.iter().map(|a| a.output).collect();
            let (from, to) = match op {
                WindowOp::Sum | WindowOp::Max | WindowOp::ArgMax | WindowOp::Pick => (x, y),
                WindowOp::Spread | WindowOp::Route => (y, x),
            };
            if inputs[0].shape.dims != from {
                return Err(format!("expected {from:?}, got {}", dims_or_batch(&inputs[0].shape)));
            }
            let dtype = if *op == WindowOp::ArgMax { DType::I32 } else { DType::F32 };
            Ok(Type { dtype, shape: Shape { batch: inputs[0].shape.batch, dims: to } })
        }
        Op::Table { axis, rows } => {
            want(1)?;
            let mut shape = inputs[0].shape.clone();
            axis_ok(*axis, shape.rank())?;
            if rows.iter().flatten().any(|(source, _)| *source >= shape.dims[*axis]) {
                return Err("table index beyond the axis".into());
            }
            shape.dims[*axis] = rows.len();
            float(shape)
        }
        Op::Move(MoveOp::Concat { axis }) => {
            let first = inputs.first().ok_or("nothing to concatenate")?;
            axis_ok(*axis, first.shape.rank())?;
            let mut shape = first.shape.clone();
            shape.dims[*axis] = 0;
            for ty in inputs {
                let mut rest = ty.shape.clone();
                axis_ok(*axis, rest.rank())?;
                shape.dims[*axis] += rest.dims[*axis];
                rest.dims[*axis] = first.shape.dims[*axis];
                if rest != first.shape {
                    return Err(format!("{} beside {}", dims_or_batch(&ty.shape), dims_or_batch(&first.shape)));
                }
            }
            float(shape)
        }
        Op::Move(op) => {
            want(1)?;
            let mut shape = inputs[0].shape.clone();
            match op {
                MoveOp::Reshape(dims) => {
                    if dims.iter().product::<usize>() != shape.numel() {
                        return Err(format!("{} elements into {dims:?}", shape.numel()));
                    }
                    shape.dims = dims.clone();
                }
                MoveOp::Transpose(perm) => {
                    let mut sorted = perm.clone();
                    sorted.sort_unstable();
                    if sorted != (0..shape.rank()).collect::<Vec<_>>() {
                        return Err(format!("{perm:?} is no permutation of {} axes", shape.rank()));
                    }
                    shape.dims = perm.iter().map(|i| shape.dims[*i]).collect();
                }
                MoveOp::Slice { axis, start, len } => {
                    axis_ok(*axis, shape.rank())?;
                    if start + len > shape.dims[*axis] {
                        return Err(format!("{start}+{len} of {}", shape.dims[*axis]));
                    }
                    shape.dims[*axis] = *len;
                }
                MoveOp::Pad { axis, before, behind } => {
                    axis_ok(*axis, shape.rank())?;
                    shape.dims[*axis] += before + behind;
                }
                MoveOp::Broadcast { dims, batch } => {
                    let ok = dims.len() == shape.rank()
                        && shape.dims.iter().zip(dims).all(|(a, b)| a == b || *a == 1)
                        && (*batch || !shape.batch);
                    if !ok {
                        return Err(format!("{} to {dims:?}", dims_or_batch(&shape)));
                    }
                    shape = Shape { batch: *batch, dims: dims.clone() };
                }
                MoveOp::Concat { .. } => unreachable!("handled above"),
            }
            Ok(Type { dtype: inputs[0].dtype, shape })
        }
        Op::Gather => {
            want(2)?;
            let (data, index) = (&inputs[0].shape, &inputs[1].shape);
            axis_ok(0, data.rank())?;
            if !is_index(inputs[1]) || (data.batch && !index.batch) {
                return Err("needs indices, per sample where the data is".into());
            }
            let dims = index.dims.iter().chain(&data.dims[1..]).copied().collect();
            float(Shape { batch: index.batch, dims })
        }
        Op::ScatterAdd { extent, batch } => {
            want(2)?;
            let (values, index) = (&inputs[0].shape, &inputs[1].shape);
            if !is_index(inputs[1])
                || values.batch != index.batch
                || !values.dims.starts_with(&index.dims)
                || (*batch && !values.batch)
            {
                return Err(format!("{} at {}", dims_or_batch(values), dims_or_batch(index)));
            }
            let dims = std::iter::once(extent).chain(&values.dims[index.rank()..]).copied().collect();
            float(Shape { batch: *batch, dims })
        }
        Op::Assign { .. } => {
            want(1)?;
            Ok(inputs[0].clone())
        }
    }
}

/// Integers, or whole numbers that a map has computed.
fn is_index(ty: &Type) -> bool {
    matches!(ty.dtype, DType::I32 | DType::F32)
}

/// The common shape of element-wise operands.
fn broadcast(inputs: &[&Type]) -> Result<Shape, String> {
    let rank = inputs.iter().map(|t| t.shape.rank()).max().unwrap_or(0);
    let mut out = Shape { batch: false, dims: vec![1; rank] };
    for ty in inputs {
        out.batch |= ty.shape.batch;
        if ty.shape.rank() == 0 {
            continue;
        }
        if ty.shape.rank() != rank {
            return Err(format!("rank {} beside rank {rank}", ty.shape.rank()));
        }
        for (o, &d) in out.dims.iter_mut().zip(&ty.shape.dims) {
            match (*o, d) {
                (a, b) if a == b || b == 1 => {}
                (1, b) => *o = b,
                (a, b) => return Err(format!("extent {a} beside {b}")),
            }
        }
    }
    Ok(out)
}

/// `batch × [3, 4]` or `[3, 4]`.
pub fn dims_or_batch(shape: &Shape) -> String {
    let dims = super::dims_text(&shape.dims);
    if shape.batch { format!("batch × {dims}") } else { dims }
}
