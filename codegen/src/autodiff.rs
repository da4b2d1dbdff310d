//! Gradients, written as graph: one rule per primitive. No layer and no backend knows what a backward pass is.
//!
//! Nodes are visited from the loss back. Every node passes its gradient on to the operands that lead to a wanted value and
//! are not detached; contributions add up. The gradient of an operand that was broadcast is summed back.
//!
//! Deliberately absent: gradients of integers (labels, argmax, indices), and second derivatives as such (the set of
//! primitives is closed, so calling [`gradients`] on its own result gives them).

mod lazy;

use crate::graph::derivative::{differentiate, is_smooth, product, sum};
use crate::graph::expr::{Binary, Expr, Id, Pool};
use crate::graph::op::{AxisName, ConvRole, MoveOp, Op, ReduceOp, TableRow, WindowOp};
use crate::graph::{Graph, Shape, Value};
use lazy::{Lazy, Tape, operand};
use std::collections::HashMap;

/// More operands than this are not read by one expression.
const MAX_OPERANDS: usize = 12;

/// Append the gradient of `loss`, a single number, with respect to each of `wrt`. `None` where it is zero.
pub fn gradients(graph: &mut Graph, loss: Value, wrt: &[Value]) -> Vec<Option<Value>> {
    let count = loss.index() + 1;
    let mut wanted: HashMap<Value, Vec<usize>> = HashMap::new();
    for (i, value) in wrt.iter().enumerate() {
        wanted.entry(*value).or_default().push(i);
    }
    let needs = leads_to(graph, count, |value| wanted.contains_key(&value));
    let rank = graph.shape(loss).rank();
    let mut backward =
        Backward { tape: Tape::new(graph, loss), needs, parts: vec![Vec::new(); count], reader: vec![loss; count] };
    let mut results = vec![None; wrt.len()];
    backward.parts[loss.index()].push(Lazy::constant(1.0, rank));
    for value in (0..count as u32).rev().map(Value) {
        let parts = std::mem::take(&mut backward.parts[value.index()]);
        if !backward.needs[value.index()] || parts.is_empty() {
            continue;
        }
        let is_leaf = matches!(backward.tape.graph.node(value).op, Op::Leaf(_));
        backward.tape.at = if is_leaf { backward.reader[value.index()] } else { value };
        let mut total = backward.total(parts, value);
        if total.is_zero() {
            continue;
        }
        if let Some(places) = wanted.get(&value) {
            let shape = backward.tape.shape(value);
            let full = backward.tape.full(&total, &shape);
            total = Lazy::value(backward.tape.graph, full);
            places.iter().for_each(|i| results[*i] = Some(full));
        }
        if !backward.tape.graph.node(value).detached {
            backward.pass_on(value, total);
        }
    }
    results
}

/// Which nodes a gradient with respect to what is wanted passes through.
fn leads_to(graph: &Graph, count: usize, is_wanted: impl Fn(Value) -> bool) -> Vec<bool> {
    let mut needs = vec![false; count];
    for i in 0..count {
        let node = &graph.nodes[i];
        let inputs = node.inputs.iter().enumerate();
        needs[i] = is_wanted(Value(i as u32))
            || (!node.detached && inputs.into_iter().any(|(k, v)| is_smooth(&node.op, k) && needs[v.index()]));
    }
    needs
}

struct Backward<'g> {
    tape: Tape<'g>,
    needs: Vec<bool>,
    /// What consumers have contributed to the gradient of each forward value.
    parts: Vec<Vec<Lazy>>,
    /// The consumer that contributed last: a leaf's gradient belongs to its layer.
    reader: Vec<Value>,
}

impl Backward<'_> {
    fn total(&self, mut parts: Vec<Lazy>, value: Value) -> Lazy {
        if parts.len() == 1 {
            return parts.remove(0);
        }
        let mut pool = Pool::default();
        let mut operands = Vec::new();
        let mut root = None;
        for part in &parts {
            let part = part.write(&mut pool, &mut operands);
            root = sum(&mut pool, root, Some(part));
        }
        let root = root.unwrap_or_else(|| pool.constant(0.0));
        Lazy::finish(self.tape.graph, &pool, root, &operands, self.tape.graph.shape(value))
    }

    fn wants(&self, value: Value) -> bool {
        self.needs[value.index()]
    }

    fn give(&mut self, to: Value, part: Lazy) {
        if !part.is_zero() {
            self.parts[to.index()].push(part);
            self.reader[to.index()] = self.tape.at;
        }
    }

    fn give_value(&mut self, to: Value, value: Value) {
        let part = Lazy::value(self.tape.graph, value);
        self.give(to, part);
    }

    /// One rule per primitive: from the gradient of `value` to those of its operands.
    fn pass_on(&mut self, value: Value, total: Lazy) {
        let node = self.tape.graph.node(value).clone();
        let (inputs, shape) = (node.inputs, node.ty.shape);
        match node.op {
            Op::Leaf(_) | Op::Random { .. } => {}
            Op::Map(expr) => self.map(value, &expr, &inputs, total),
            Op::Reduce { op, axes, batch } => self.reduce(value, op, &axes, batch, inputs[0], total),
            Op::Contract { lhs, rhs, out } => {
                let g = self.tape.full(&total, &shape);
                let sides = [(inputs[0], &lhs, inputs[1], &rhs), (inputs[1], &rhs, inputs[0], &lhs)];
                for (to, names, other, other_names) in sides {
                    if self.wants(to) {
                        self.contract(to, names, (g, &out), (other, other_names));
                    }
                }
            }
            Op::Conv { role, geometry } => {
                use ConvRole::*;
                let g = self.tape.full(&total, &shape);
                let (a, b) = (inputs[0], inputs[1]);
                // (role, operands) of each operand's gradient: the third of x, w and y from the two others
                let rules = match role {
                    Forward => [(Input, [g, b]), (Weight, [a, g])],
                    Input => [(Forward, [g, b]), (Weight, [g, a])],
                    Weight => [(Input, [b, g]), (Forward, [a, g])],
                };
                for (to, (role, operands)) in [a, b].into_iter().zip(rules) {
                    if self.wants(to) {
                        let part = self.tape.push(Op::Conv { role, geometry }, &operands);
                        self.give_value(to, part);
                    }
                }
            }
            Op::Window { op, axes } => {
                let g = self.tape.full(&total, &shape);
                let window = |op: WindowOp| Op::Window { op, axes: axes.clone() };
                let part = match op {
                    WindowOp::Sum => self.tape.push(window(WindowOp::Spread), &[g]),
                    WindowOp::Spread => self.tape.push(window(WindowOp::Sum), &[g]),
                    WindowOp::Max => {
                        let first = self.tape.push(window(WindowOp::ArgMax), &[inputs[0]]);
                        self.tape.push(window(WindowOp::Route), &[g, first])
                    }
                    WindowOp::Route => self.tape.push(window(WindowOp::Pick), &[g, inputs[1]]),
                    WindowOp::Pick => self.tape.push(window(WindowOp::Route), &[g, inputs[1]]),
                    WindowOp::ArgMax => return,
                };
                self.give_value(inputs[0], part);
            }
            Op::Table { axis, rows } => {
                let extent = self.tape.shape(inputs[0]).dims[axis];
                let g = self.tape.full(&total, &shape);
                let part = self.tape.push(Op::Table { axis, rows: transposed(&rows, extent) }, &[g]);
                self.give_value(inputs[0], part);
            }
            Op::Move(op) => self.moved(&op, &inputs, &shape, total),
            Op::Gather => {
                let data = self.tape.shape(inputs[0]);
                let g = self.tape.full(&total, &shape);
                let scatter = Op::ScatterAdd { extent: data.dims[0], batch: data.batch };
                let part = self.tape.push(scatter, &[g, inputs[1]]);
                self.give_value(inputs[0], part);
            }
            Op::ScatterAdd { .. } => {
                let g = self.tape.full(&total, &shape);
                let part = self.tape.push(Op::Gather, &[g, inputs[1]]);
                self.give_value(inputs[0], part);
            }
            Op::Assign { .. } => self.give(inputs[0], total),
        }
    }

    /// What several readers would compute again becomes a node first.
    fn shared(&mut self, total: Lazy, full: &Shape, readers: usize) -> Lazy {
        let large = |v: &&Value| full.numel() > 1 && self.tape.graph.shape(**v) == full;
        let (work, large) = (total.work(), total.operands.iter().filter(large).count());
        // An index and a label are no memory worth saving.
        let cheap = (work <= 2 && large <= 1) || (work <= 4 && large == 0);
        if (readers > 1 && !cheap) || total.operands.len() > MAX_OPERANDS {
            self.tape.materialised(&total)
        } else {
            total
        }
    }

    fn map(&mut self, value: Value, expr: &Expr, inputs: &[Value], total: Lazy) {
        let full = self.tape.shape(value);
        // The same value as two operands has one gradient.
        let mut distinct: Vec<Value> = Vec::new();
        let mut own = Pool::default();
        let ids: Vec<Id> = inputs.iter().map(|v| operand(&mut own, &mut distinct, *v)).collect();
        let root = own.import(expr, &ids);
        let expr = own.finish(root);
        let wanted: Vec<usize> = (0..distinct.len()).filter(|i| self.wants(distinct[*i])).collect();
        let total = self.shared(total, &full, wanted.len());
        for wrt in wanted {
            let mut pool = Pool::default();
            let mut operands = distinct.clone();
            let ids: Vec<Id> = (0..distinct.len()).map(|i| pool.input(i)).collect();
            let output = operand(&mut pool, &mut operands, value);
            let Some(slope) = differentiate(&mut pool, &expr, &ids, Some(output), wrt) else { continue };
            let g = total.write(&mut pool, &mut operands);
            let root = product(&mut pool, g, slope);
            let part = Lazy::finish(self.tape.graph, &pool, root, &operands, &full);
            if !part.is_zero() {
                let to = self.tape.shape(distinct[wrt]);
                let part = self.tape.unbroadcast(part, &full, &to);
                self.give(distinct[wrt], part);
            }
        }
    }

    fn reduce(&mut self, value: Value, op: ReduceOp, axes: &[usize], batch: bool, x: Value, total: Lazy) {
        let full = self.tape.shape(x);
        match op {
            ReduceOp::Sum => {
                // Per-channel work is done per channel, not again for every element.
                let heavy = !total.shape.batch && full.batch && total.work() > 1;
                let indexed = total.uses_index().any(|axis| axes.contains(&axis));
                let part = if heavy || indexed { self.tape.materialised(&total) } else { total };
                self.give(x, part);
            }
            ReduceOp::Max => {
                let is_max = |p: &mut Pool, x: Id, max: Id| p.binary(Binary::Eq, x, max);
                let mask = Expr::build(2, |p, i| {
                    let (truth, one, zero) = (is_max(p, i[0], i[1]), p.constant(1.0), p.constant(0.0));
                    p.select(truth, one, zero)
                });
                let mask = self.tape.push(Op::Map(mask), &[x, value]);
                let ties = self.tape.push(Op::Reduce { op: ReduceOp::Sum, axes: axes.to_vec(), batch }, &[mask]);
                let mut pool = Pool::default();
                let mut operands = vec![x, value, ties];
                let g = total.write(&mut pool, &mut operands);
                let ids: Vec<Id> = (0..3).map(|i| pool.input(i)).collect();
                let truth = is_max(&mut pool, ids[0], ids[1]);
                let (share, zero) = (pool.div(g, ids[2]), pool.constant(0.0));
                let root = pool.select(truth, share, zero);
                let part = Lazy::finish(self.tape.graph, &pool, root, &operands, &full);
                self.give(x, part);
            }
            ReduceOp::ArgMax => {}
        }
    }

    /// The gradient of one side: the other contracted with `g`. An axis that only this side had, and lost, is repeated.
    fn contract(&mut self, to: Value, names: &[AxisName], g: (Value, &[AxisName]), other: (Value, &[AxisName])) {
        let known = |name: &AxisName| g.1.contains(name) || other.1.contains(name);
        let kept: Vec<AxisName> = names.iter().copied().filter(known).collect();
        let op = Op::Contract { lhs: g.1.to_vec(), rhs: other.1.to_vec(), out: kept.clone() };
        let mut part = self.tape.push(op, &[g.0, other.0]);
        let own = self.tape.shape(to);
        let axes = &names[usize::from(own.batch)..];
        let dims: Vec<usize> = axes.iter().zip(&own.dims).map(|(n, d)| if known(n) { *d } else { 1 }).collect();
        if self.tape.shape(part).dims != dims {
            part = self.tape.push(Op::Move(MoveOp::Reshape(dims)), &[part]);
        }
        self.give_value(to, part);
    }

    fn moved(&mut self, op: &MoveOp, inputs: &[Value], full: &Shape, total: Lazy) {
        let to = self.tape.shape(inputs[0]);
        // The same along the axis: what it was cut from or joined with does not matter.
        let flat = |axis: usize| total.shape.dims[axis] == 1 && full.dims[axis] > 1;
        match op {
            MoveOp::Reshape(_) if total.shape.numel() == 1 => {
                let part = self.tape.with_rank(total, to.rank());
                self.give(inputs[0], part);
            }
            MoveOp::Reshape(_) => {
                let dims = Shape { batch: total.shape.batch, dims: full.dims.clone() };
                let g = self.tape.full(&total, &dims);
                let part = self.tape.push(Op::Move(MoveOp::Reshape(to.dims)), &[g]);
                self.give_value(inputs[0], part);
            }
            MoveOp::Transpose(_) if total.shape.numel() == 1 => self.give(inputs[0], total),
            MoveOp::Transpose(perm) => {
                let g = self.tape.materialise(&total);
                let mut inverse = vec![0; perm.len()];
                for (i, p) in perm.iter().enumerate() {
                    inverse[*p] = i;
                }
                let part = self.tape.push(Op::Move(MoveOp::Transpose(inverse)), &[g]);
                self.give_value(inputs[0], part);
            }
            MoveOp::Slice { axis, start, len } => {
                let mut own = total.shape.clone();
                own.dims[*axis] = *len;
                let g = self.tape.full(&total, &own);
                let pad = MoveOp::Pad { axis: *axis, before: *start, behind: to.dims[*axis] - start - len };
                let part = self.tape.push(Op::Move(pad), &[g]);
                self.give_value(inputs[0], part);
            }
            MoveOp::Pad { axis, .. } if flat(*axis) => self.give(inputs[0], total),
            MoveOp::Pad { axis, before, .. } => {
                let g = self.tape.materialise(&total);
                let slice = MoveOp::Slice { axis: *axis, start: *before, len: to.dims[*axis] };
                let part = self.tape.push(Op::Move(slice), &[g]);
                self.give_value(inputs[0], part);
            }
            MoveOp::Concat { axis } if flat(*axis) => {
                let readers = inputs.iter().filter(|v| self.wants(**v)).count();
                let total = self.shared(total, full, readers);
                for input in inputs.iter().filter(|v| self.needs[v.index()]).copied().collect::<Vec<_>>() {
                    self.give(input, total.clone());
                }
            }
            MoveOp::Concat { axis } => {
                let g = self.tape.materialise(&total);
                let mut start = 0;
                for input in inputs {
                    let len = self.tape.shape(*input).dims[*axis];
                    if self.wants(*input) {
                        let slice = MoveOp::Slice { axis: *axis, start, len };
                        let whole = len == full.dims[*axis];
                        let part = if whole { g } else { self.tape.push(Op::Move(slice), &[g]) };
                        self.give_value(*input, part);
                    }
                    start += len;
                }
            }
            MoveOp::Broadcast { .. } => {
                let part = self.tape.unbroadcast(total, full, &to);
                self.give(inputs[0], part);
            }
        }
    }
}

/// The adjoint table: for every source index the outputs that read it.
fn transposed(rows: &[TableRow], extent: usize) -> Vec<TableRow> {
    let mut columns = vec![TableRow::new(); extent];
    for (i, row) in rows.iter().enumerate() {
        for (source, weight) in row {
            columns[*source].push((i, *weight));
        }
    }
    columns
}
