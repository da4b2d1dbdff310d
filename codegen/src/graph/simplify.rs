//! Rewrites of a lowered graph before anything else sees it: a flatten before a linear layer costs nothing.
//!
//! 1. An element-wise map of flattened values is the flattened map: the flatten sinks to where it matters.
//! 2. A linear layer on a flattened image [C, H, W] is a convolution whose kernel is the whole image: its weight keeps
//!    name, shape and order, and is read as [O, C, H, W].
//!
//! Gradients are taken of the rewritten graph. Deliberately absent: everything that fusion can do later.

use super::op::{ConvGeometry, ConvRole, MoveOp, Op};
use super::{Graph, Mean, Mode, Node, Value};
use crate::graph::expr::Scalar;

/// Images of fewer channels lie in memory as they are written, so their flatten is free already.
const FEW_CHANNELS: usize = 5;

pub fn simplify(mode: &mut Mode) {
    let old = std::mem::take(&mut mode.graph);
    let mut pass = Pass { graph: Graph::default(), map: Vec::with_capacity(old.nodes.len()) };
    for i in 0..old.nodes.len() {
        let value = pass.rewrite(&old, i);
        pass.map.push(value);
    }
    mode.graph = pass.graph;
    let map = |v: &mut Value| *v = pass.map[v.index()];
    mode.outputs.iter_mut().for_each(map);
    mode.loss.iter_mut().for_each(map);
    mode.means.iter_mut().for_each(|mean| *mean = mean.map(|v| pass.map[v.index()]));
    mode.correct.iter_mut().for_each(map);
    mode.counted.iter_mut().for_each(|counted| map(&mut counted.scores));
    mode.assigns.iter_mut().for_each(map);
    mode.probes.iter_mut().for_each(map);
    mode.single.iter_mut().for_each(|(v, _)| *v = pass.map[v.index()]);
    prune(mode);
}

struct Pass {
    graph: Graph,
    /// New value of each old node.
    map: Vec<Value>,
}

impl Pass {
    fn rewrite(&mut self, old: &Graph, i: usize) -> Value {
        let mut node = old.nodes[i].clone();
        node.inputs.iter_mut().for_each(|v| *v = self.map[v.index()]);
        let place = (old.sources[i], old.layers[i].as_str());
        if let Some(value) = self.sink(&node, place).or_else(|| self.linear_as_conv(&node, place)) {
            return value;
        }
        // Reshape of a reshape.
        if let (Op::Move(MoveOp::Reshape(dims)), [x]) = (&node.op, node.inputs.as_slice())
            && let Some(source) = self.flattened(*x)
        {
            if self.graph.shape(source).dims == *dims {
                return source;
            }
            node.inputs = vec![source];
        }
        self.graph.nodes.push(node);
        self.graph.sources.push(place.0);
        self.graph.layers.push(place.1.to_string());
        Value(self.graph.nodes.len() as u32 - 1)
    }

    /// The operand of a reshape.
    fn flattened(&self, value: Value) -> Option<Value> {
        let node = self.graph.node(value);
        matches!(node.op, Op::Move(MoveOp::Reshape(_))).then(|| node.inputs[0])
    }

    fn push(&mut self, op: Op, inputs: Vec<Value>, (source, layer): (crate::diagnostics::Source, &str)) -> Value {
        self.graph.push(op, inputs, source, layer)
    }

    /// map(reshape(x), …) → reshape(map(x, …)), where every other operand is a scalar, random, or of the same reshape.
    fn sink(&mut self, node: &Node, place: (crate::diagnostics::Source, &str)) -> Option<Value> {
        let Op::Map(expr) = &node.op else { return None };
        if expr.nodes().iter().any(|n| matches!(n, Scalar::Index(_))) {
            return None;
        }
        let shape = &node.ty.shape;
        let below: Vec<Option<Value>> = node.inputs.iter().map(|v| self.flattened(*v)).collect();
        let source = below.iter().flatten().find(|v| self.graph.shape(**v).batch)?;
        let inner = self.graph.shape(*source).clone();
        let fits = node.inputs.iter().zip(&below).all(|(v, below)| {
            let own = self.graph.shape(*v);
            own.rank() == 0
                || own == shape
                    && match below {
                        Some(below) => *self.graph.shape(*below) == inner,
                        None => matches!(self.graph.node(*v).op, Op::Random { .. }),
                    }
        });
        if !fits || inner.rank() == 0 {
            return None;
        }
        let inputs = node.inputs.iter().zip(below).map(|(v, below)| match (below, &self.graph.node(*v).op) {
            (Some(below), _) if self.graph.shape(*v).rank() > 0 => below,
            // The element's row-major index is the same, so the numbers are.
            (_, Op::Random { stream }) => {
                let stream = *stream;
                self.graph.push_random(stream, inner.clone(), place.0, place.1)
            }
            _ => *v,
        });
        let inputs: Vec<Value> = inputs.collect();
        let value = self.push(node.op.clone(), inputs, place);
        self.graph.nodes[value.index()].detached = node.detached;
        Some(self.push(Op::Move(MoveOp::Reshape(shape.dims.clone())), vec![value], place))
    }

    /// contract(reshape([C, H, W] → [N]), W [O, N]) → reshape(conv(x, reshape(W)))
    fn linear_as_conv(&mut self, node: &Node, place: (crate::diagnostics::Source, &str)) -> Option<Value> {
        let Op::Contract { lhs, rhs, out } = &node.op else { return None };
        if lhs[..] != [0, 1] || rhs[..] != [2, 1] || out[..] != [0, 2] {
            return None;
        }
        let x = self.flattened(node.inputs[0])?;
        let [channels, height, width] = self.graph.shape(x).dims[..] else { return None };
        if channels < FEW_CHANNELS || height * width == 1 {
            return None;
        }
        let outputs = self.graph.shape(node.inputs[1]).dims[0];
        let kernel = [height, width];
        let dims = vec![outputs, channels, height, width];
        let weight = self.push(Op::Move(MoveOp::Reshape(dims)), vec![node.inputs[1]], place);
        let geometry = ConvGeometry {
            channels,
            outputs,
            input: kernel,
            output: [1, 1],
            kernel,
            stride: [1, 1],
            padding: [0, 0],
            dilation: [1, 1],
            groups: 1,
        };
        let y = self.push(Op::Conv { role: ConvRole::Forward, geometry }, vec![x, weight], place);
        Some(self.push(Op::Move(MoveOp::Reshape(vec![outputs])), vec![y], place))
    }
}

/// Drop nodes that no root needs; leaves stay, so that ports and parameters keep theirs.
fn prune(mode: &mut Mode) {
    let mut roots = mode.outputs.clone();
    roots.extend(mode.loss.iter().chain(&mode.correct).chain(&mode.assigns).chain(&mode.probes));
    roots.extend(mode.means.iter().flat_map(Mean::values));
    let mut needed = mode.graph.reachable(&roots);
    for (keep, node) in needed.iter_mut().zip(&mode.graph.nodes) {
        *keep |= matches!(node.op, Op::Leaf(_));
    }
    mode.single.retain(|(v, _)| needed[v.index()]);
    let (graph, map) = mode.graph.compacted(&needed);
    mode.graph = graph;
    let moved = |v: &mut Value| *v = map[v.index()];
    mode.outputs.iter_mut().for_each(moved);
    mode.loss.iter_mut().for_each(moved);
    mode.means.iter_mut().for_each(|mean| *mean = mean.map(|v| map[v.index()]));
    mode.correct.iter_mut().for_each(moved);
    mode.counted.iter_mut().for_each(|counted| moved(&mut counted.scores));
    mode.assigns.iter_mut().for_each(moved);
    mode.probes.iter_mut().for_each(moved);
    mode.single.iter_mut().for_each(|(v, _)| *v = map[v.index()]);
}
