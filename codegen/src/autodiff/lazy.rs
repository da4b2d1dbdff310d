//! Gradients that are not nodes yet: an expression over values.
//!
//! Element-wise steps of the backward pass only compose expressions; a `Map` is pushed where a primitive needs memory to
//! read, or where several readers would repeat the work. A gradient that is the same along an axis keeps extent 1 there.

use crate::graph::expr::{Binary, Expr, Id, Pool, Scalar, Unary, Uniform};
use crate::graph::op::{MoveOp, Op, ReduceOp};
use crate::graph::{DType, Graph, Shape, Value};
use std::collections::HashMap;

/// `expr` over `operands`, each of rank 0 or of the rank of `shape`. `shape` broadcasts to the shape of the forward value.
#[derive(Clone, Debug)]
pub(super) struct Lazy {
    pub operands: Vec<Value>,
    pub expr: Expr,
    pub shape: Shape,
}

impl Lazy {
    pub fn constant(x: f64, rank: usize) -> Lazy {
        let expr = Expr::build(0, |p, _| p.constant(x));
        Lazy { operands: Vec::new(), expr, shape: Shape::fixed(vec![1; rank]) }
    }

    pub fn value(graph: &Graph, value: Value) -> Lazy {
        Lazy { operands: vec![value], expr: Expr::identity(), shape: graph.shape(value).clone() }
    }

    /// The expression at `root`, over those of `operands` that it uses. `full` is the shape of the forward value.
    pub fn finish(graph: &Graph, pool: &Pool, root: Id, operands: &[Value], full: &Shape) -> Lazy {
        let (expr, operands) = compact(&pool.finish(root), operands);
        let shape = span(graph, &expr, &operands, full);
        Lazy { operands, expr, shape }
    }

    pub fn is_zero(&self) -> bool {
        self.expr.root_node() == Scalar::Const(0f64.to_bits())
    }

    pub fn uses_index(&self) -> impl Iterator<Item = usize> + '_ {
        self.expr.nodes().iter().filter_map(|n| if let Scalar::Index(a) = n { Some(*a as usize) } else { None })
    }

    /// Operations that need an element: what is repeated if the expression is written twice.
    pub fn work(&self) -> usize {
        let mut varies: Vec<bool> = Vec::new();
        for node in self.expr.nodes() {
            let at = |id: Id| varies[id.0 as usize];
            varies.push(match *node {
                Scalar::Input(_) | Scalar::Index(_) => true,
                Scalar::Const(_) | Scalar::Uniform(_) => false,
                Scalar::Unary(_, a) => at(a),
                Scalar::Binary(_, a, b) => at(a) || at(b),
                Scalar::Select(c, a, b) => at(c) || at(a) || at(b),
            });
        }
        let is_operation = |n: &Scalar| matches!(n, Scalar::Unary(..) | Scalar::Binary(..) | Scalar::Select(..));
        self.expr.nodes().iter().zip(varies).filter(|(n, varies)| *varies && is_operation(n)).count()
    }

    /// Write into `pool`, whose operand list is `operands`.
    pub fn write(&self, pool: &mut Pool, operands: &mut Vec<Value>) -> Id {
        let inputs: Vec<Id> = self.operands.iter().map(|v| operand(pool, operands, *v)).collect();
        pool.import(&self.expr, &inputs)
    }
}

/// Input of `value`, added to the list if it is new.
pub(super) fn operand(pool: &mut Pool, operands: &mut Vec<Value>, value: Value) -> Id {
    let place = operands.iter().position(|v| *v == value).unwrap_or_else(|| {
        operands.push(value);
        operands.len() - 1
    });
    pool.input(place)
}

/// Drop operands that the expression does not use, and number the rest by first use.
fn compact(expr: &Expr, operands: &[Value]) -> (Expr, Vec<Value>) {
    let mut order: Vec<usize> = Vec::new();
    for node in expr.nodes() {
        if let Scalar::Input(i) = node
            && !order.contains(&(*i as usize))
        {
            order.push(*i as usize);
        }
    }
    let mut pool = Pool::default();
    let unused = pool.constant(0.0);
    let mut inputs = vec![unused; operands.len()];
    for (new, old) in order.iter().enumerate() {
        inputs[*old] = pool.input(new);
    }
    let root = pool.import(expr, &inputs);
    (pool.finish(root), order.iter().map(|i| operands[*i]).collect())
}

/// The shape that an expression covers, with the rank of `full`.
fn span(graph: &Graph, expr: &Expr, operands: &[Value], full: &Shape) -> Shape {
    let mut shape = Shape::fixed(vec![1; full.rank()]);
    for value in operands {
        let own = graph.shape(*value);
        shape.batch |= own.batch;
        for (to, from) in shape.dims.iter_mut().zip(&own.dims) {
            *to = (*to).max(*from);
        }
    }
    for node in expr.nodes() {
        if let Scalar::Index(axis) = node {
            shape.dims[*axis as usize] = full.dims[*axis as usize];
        }
    }
    shape
}

/// The graph that gradients are written to.
pub(super) struct Tape<'g> {
    pub graph: &'g mut Graph,
    /// Equal nodes are one value.
    seen: HashMap<(Op, Vec<Value>), Value>,
    /// The forward node whose gradient is being written: new nodes get its source and layer.
    pub at: Value,
}

impl<'g> Tape<'g> {
    pub fn new(graph: &'g mut Graph, at: Value) -> Self {
        let seen = graph
            .values()
            .map(|v| (v, graph.node(v)))
            .filter(|(_, n)| !n.detached && !n.inputs.is_empty())
            .map(|(v, n)| ((n.op.clone(), n.inputs.clone()), v))
            .collect();
        Tape { graph, seen, at }
    }

    pub fn push(&mut self, op: Op, inputs: &[Value]) -> Value {
        let key = (op.clone(), inputs.to_vec());
        if let Some(value) = self.seen.get(&key) {
            return *value;
        }
        let (source, layer) = (self.graph.sources[self.at.index()], self.graph.layers[self.at.index()].clone());
        let value = self.graph.push(op, inputs.to_vec(), source, &layer);
        self.seen.insert(key, value);
        value
    }

    pub fn shape(&self, value: Value) -> Shape {
        self.graph.shape(value).clone()
    }

    fn reshape(&mut self, value: Value, dims: &[usize]) -> Value {
        if self.graph.shape(value).dims == dims {
            return value;
        }
        self.push(Op::Move(MoveOp::Reshape(dims.to_vec())), &[value])
    }

    fn broadcast(&mut self, value: Value, to: &Shape) -> Value {
        let value = if self.graph.shape(value).rank() == 0 { self.reshape(value, &vec![1; to.rank()]) } else { value };
        if self.graph.shape(value) == to {
            return value;
        }
        self.push(Op::Move(MoveOp::Broadcast { dims: to.dims.clone(), batch: to.batch }), &[value])
    }

    /// As a node of exactly `lazy.shape`.
    pub fn materialise(&mut self, lazy: &Lazy) -> Value {
        let mut operands = lazy.operands.clone();
        if lazy.expr != Expr::identity() || operands.is_empty() {
            let mut covered = span(self.graph, &Expr::identity(), &operands, &lazy.shape);
            covered.batch = lazy.shape.batch;
            if covered != lazy.shape {
                // Only `index` runs along some axis: an operand must carry its extent.
                let wide = match operands.first() {
                    Some(first) => *first,
                    None => self.push(Op::Map(lazy_zero()), &[]),
                };
                let batch = self.graph.shape(wide).batch;
                let wide = self.broadcast(wide, &Shape { batch, dims: lazy.shape.dims.clone() });
                match operands.first_mut() {
                    Some(first) => *first = wide,
                    None => operands.push(wide),
                }
            }
            let value = self.push(Op::Map(lazy.expr.clone()), &operands);
            operands = vec![value];
        }
        self.reshape(operands[0], &lazy.shape.dims)
    }

    /// As a node with every extent of `full`.
    pub fn full(&mut self, lazy: &Lazy, full: &Shape) -> Value {
        let value = self.materialise(lazy);
        self.broadcast(value, full)
    }

    pub fn materialised(&mut self, lazy: &Lazy) -> Lazy {
        let value = self.materialise(lazy);
        Lazy::value(self.graph, value)
    }

    /// One element (per sample): the same gradient for a value of another rank.
    pub fn with_rank(&mut self, lazy: Lazy, rank: usize) -> Lazy {
        let dims = vec![1; rank];
        if lazy.operands.iter().all(|v| self.graph.shape(*v).rank() == 0) {
            return Lazy { shape: Shape { batch: lazy.shape.batch, dims }, ..lazy };
        }
        let value = self.materialise(&lazy);
        let value = self.reshape(value, &dims);
        Lazy::value(self.graph, value)
    }

    /// The gradient of an operand of shape `to` that was repeated to `from`: the sum over what was repeated.
    pub fn unbroadcast(&mut self, lazy: Lazy, from: &Shape, to: &Shape) -> Lazy {
        let repeated = |axis: usize| from.dims[axis] > 1 && to.dims.get(axis).is_none_or(|d| *d == 1);
        let mut axes = Vec::new();
        let mut times = 1;
        for axis in (0..from.rank()).filter(|a| repeated(*a)) {
            if lazy.shape.dims[axis] > 1 {
                axes.push(axis);
            } else {
                times *= from.dims[axis];
            }
        }
        let batch = from.batch && !to.batch;
        let mut result = if axes.is_empty() && !(batch && lazy.shape.batch) {
            lazy.clone()
        } else {
            self.reduce(&lazy, axes, batch && lazy.shape.batch)
        };
        let samples = batch && !lazy.shape.batch;
        if times > 1 || samples {
            let mut pool = Pool::default();
            let mut operands = Vec::new();
            let mut root = result.write(&mut pool, &mut operands);
            root = pool.scale(times as f64, root);
            if samples {
                let n = pool.uniform(Uniform::Batch);
                root = match pool.node(root) {
                    // c / n for each of n samples
                    Scalar::Binary(Binary::Div, a, b) if b == n => a,
                    _ => pool.mul(n, root),
                };
            }
            let full = result.shape.clone();
            result = Lazy::finish(self.graph, &pool, root, &operands, &full);
        }
        if to.rank() == from.rank() { result } else { self.with_rank(result, to.rank()) }
    }

    /// `select(index(axis) == label, picked, 0)`, whose sum along the axis is `picked`: a label is a valid index.
    fn one_hot(&self, pool: &Pool, id: Id, operands: &[Value], full: &Shape) -> Option<(usize, Id)> {
        let Scalar::Select(truth, picked, other) = pool.node(id) else { return None };
        let Scalar::Binary(Binary::Eq, a, b) = pool.node(truth) else { return None };
        let (axis, label) = match (pool.node(a), pool.node(b)) {
            (Scalar::Index(axis), Scalar::Input(i)) | (Scalar::Input(i), Scalar::Index(axis)) => {
                (axis as usize, operands[i as usize])
            }
            _ => return None,
        };
        let constant = |id: Id| Lazy::finish(self.graph, pool, id, operands, full).shape.dims[axis] == 1;
        let is_label =
            self.graph.ty(label).dtype == DType::I32 && self.graph.shape(label).dims.get(axis).is_none_or(|d| *d == 1);
        (is_label && pool.value(other) == Some(0.0) && constant(picked)).then_some((axis, picked))
    }

    /// The sum over `axes` (and the batch). Factors that are the same along all of them are taken out, so that sums which
    /// differ in such factors only (a normalisation's scale and variance) become one.
    fn reduce(&mut self, lazy: &Lazy, axes: Vec<usize>, batch: bool) -> Lazy {
        let mut pool = Pool::default();
        let mut operands = Vec::new();
        let root = lazy.write(&mut pool, &mut operands);
        let mut factors = Factors::default();
        factors.collect(&pool, root, false);
        let varies = |id: Id| {
            let own = Lazy::finish(self.graph, &pool, id, &operands, &lazy.shape).shape;
            (batch && own.batch) || axes.iter().any(|a| own.dims[*a] > 1)
        };
        let (inside, outside): (Vec<_>, Vec<_>) = factors.list.into_iter().partition(|(id, _)| varies(*id));
        if let [(id, false)] = inside[..]
            && let Some((axis, picked)) = self.one_hot(&pool, id, &operands, &lazy.shape)
            && axes.contains(&axis)
        {
            let mut result = picked;
            for (id, below) in outside {
                result = if below { pool.div(result, id) } else { pool.mul(result, id) };
            }
            if factors.negative {
                result = pool.neg(result);
            }
            let result = Lazy::finish(self.graph, &pool, result, &operands, &lazy.shape);
            // What is left to sum, or is the same now along what is summed.
            let (mut from, mut to) = (lazy.shape.clone(), lazy.shape.clone());
            from.dims[axis] = 1;
            axes.iter().for_each(|a| to.dims[*a] = 1);
            to.batch &= !batch;
            return self.unbroadcast(result, &from, &to);
        }
        // One order, whatever the expression looked like.
        let mut inside: Vec<_> = inside
            .into_iter()
            .map(|(id, below)| {
                let (expr, values) = compact(&pool.finish(id), &operands);
                (format!("{below} {values:?} {expr:?}"), id, below)
            })
            .collect();
        inside.sort();
        let mut inner = Pool::default();
        let mut inner_operands = Vec::new();
        let mut term = inner.constant(1.0);
        for (_, id, below) in &inside {
            let factor = Lazy::finish(self.graph, &pool, *id, &operands, &lazy.shape);
            let factor = factor.write(&mut inner, &mut inner_operands);
            term = if *below { inner.div(term, factor) } else { inner.mul(term, factor) };
        }
        let term = Lazy::finish(self.graph, &inner, term, &inner_operands, &lazy.shape);
        let term = self.materialise(&term);
        let sum = self.push(Op::Reduce { op: ReduceOp::Sum, axes, batch }, &[term]);
        let mut result = operand(&mut pool, &mut operands, sum);
        for (id, below) in outside {
            result = if below { pool.div(result, id) } else { pool.mul(result, id) };
        }
        if factors.negative {
            result = pool.neg(result);
        }
        let full = Shape { batch: lazy.shape.batch && !batch, dims: lazy.shape.dims.clone() };
        Lazy::finish(self.graph, &pool, result, &operands, &full)
    }
}

fn lazy_zero() -> Expr {
    Expr::build(0, |p, _| p.constant(0.0))
}

/// A product taken apart: each factor, and whether it divides.
#[derive(Default)]
struct Factors {
    list: Vec<(Id, bool)>,
    negative: bool,
}

impl Factors {
    fn collect(&mut self, pool: &Pool, id: Id, below: bool) {
        match pool.node(id) {
            Scalar::Binary(Binary::Mul, a, b) => {
                self.collect(pool, a, below);
                self.collect(pool, b, below);
            }
            Scalar::Binary(Binary::Div, a, b) => {
                self.collect(pool, a, below);
                self.collect(pool, b, !below);
            }
            Scalar::Unary(Unary::Neg, a) => {
                self.negative = !self.negative;
                self.collect(pool, a, below);
            }
            _ => self.list.push((id, below)),
        }
    }
}
