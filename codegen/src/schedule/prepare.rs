//! The graph as the kernels want it: nothing unreachable, nothing twice, no identity maps, broadcasts folded into the maps
//! that read them, inputs copied into a padded layout where vectors will be loaded from them, and weights copied into the
//! order of a convolution's input gradient, or as Winograd's algorithm reads them. A copy is a reshape to the same extents:
//! the one case in which a reshape is not free.

use super::form::{dense, weight_layout};
use super::hoist::{hoistable, without};
use super::layout::{Order, is_blocked};
use super::params::{ParamPlan, behind_reshapes};
use super::program::{Program, ProgramKind};
use super::target::Target;
use super::winograd;
use crate::graph::builder::infer;
use crate::graph::op::{ConvRole, Leaf, MoveOp, Op};
use crate::graph::{DType, Graph, Node, Shape, Value, is_identity};
use std::collections::HashMap;

pub fn prepare(program: &Program, params: &ParamPlan, target: &Target) -> Program {
    let old = &program.graph;
    let needed = old.reachable(&program.roots.all());
    let mut build = Rebuild {
        graph: Graph::default(),
        seen: HashMap::new(),
        transformed: HashMap::new(),
        params,
        target,
        kind: program.kind,
    };
    let mut new: Vec<Value> = Vec::with_capacity(old.nodes.len());
    for value in old.values() {
        if !needed[value.index()] {
            new.push(Value(u32::MAX));
            continue;
        }
        let mut node = old.node(value).clone();
        for input in &mut node.inputs {
            *input = new[input.index()];
        }
        node.detached = false;
        let made = build.add(node, old, value);
        new.push(made);
    }
    let roots = program.roots.map(|v| new[v.index()]);
    // Folding may have left nodes behind.
    let needed = build.graph.reachable(&roots.all());
    let (graph, place) = build.graph.compacted(&needed);
    Program { kind: program.kind, graph, roots: roots.map(|v| place[v.index()]) }
}

struct Rebuild<'p> {
    params: &'p ParamPlan,
    target: &'p Target,
    kind: ProgramKind,
    graph: Graph,
    seen: HashMap<(Op, Vec<Value>, Shape), Value>,
    /// Winograd's copies of weights, for the forward pass or for the input gradient.
    transformed: HashMap<(Value, ConvRole), Value>,
}

impl Rebuild<'_> {
    fn add(&mut self, mut node: Node, old: &Graph, from: Value) -> Value {
        if let Op::Map(expr) = &node.op {
            if is_identity(expr) && self.graph.ty(node.inputs[0]) == &node.ty {
                return node.inputs[0];
            }
            self.fold_broadcasts(&mut node);
            if self.target.hoists {
                node = self.hoist(node, old, from);
            }
        }
        if self.params.order == Order::Blocked {
            for i in (0..node.inputs.len()).filter(|i| !reads_port(&node, *i, &self.graph)).collect::<Vec<_>>() {
                node.inputs[i] = self.packed(node.inputs[i], old, from);
            }
        }
        let by_winograd =
            winograd::choice(self.target, self.kind, old, from).filter(|c| c.winograd).and(reading_role(&node));
        if self.params.order == Order::Blocked
            && ((reads_transposed(&node) && dense(old, from).is_none()) || by_winograd.is_some())
            && let Some(param) = behind_reshapes(&self.graph, node.inputs[1])
            && weight_layout(self.params.order, old, from)
                .is_some_and(|w| self.params.params[param].layout.same_map(&w))
        {
            node.inputs[1] = match by_winograd {
                Some(role) => self.transformed(node.inputs[1], role, old, from),
                None => self.copy(node.inputs[1], old, from),
            };
        }
        self.push(node, old, from)
    }

    /// The node without what it computes from per-channel values alone.
    fn hoist(&mut self, node: Node, old: &Graph, from: Value) -> Node {
        let hoisted = hoistable(&self.graph, &node);
        if hoisted.is_empty() {
            return node;
        }
        let values: Vec<Value> = hoisted.iter().map(|h| self.push(h.node.clone(), old, from)).collect();
        without(&node, &hoisted, &values)
    }

    fn push(&mut self, node: Node, old: &Graph, from: Value) -> Value {
        let key = (node.op.clone(), node.inputs.clone(), node.ty.shape.clone());
        if !matches!(node.op, Op::Assign { .. })
            && let Some(&value) = self.seen.get(&key)
        {
            return value;
        }
        let value = self.new_node(node, old, from);
        self.seen.insert(key, value);
        value
    }

    fn new_node(&mut self, node: Node, old: &Graph, from: Value) -> Value {
        let value = Value(self.graph.nodes.len() as u32);
        self.graph.nodes.push(node);
        self.graph.sources.push(old.sources[from.index()]);
        self.graph.layers.push(old.layers[from.index()].clone());
        value
    }

    /// A map repeats its operands anyway: read what a broadcast read, where the result keeps its shape.
    fn fold_broadcasts(&self, node: &mut Node) {
        for i in 0..node.inputs.len() {
            while let Op::Move(MoveOp::Broadcast { .. }) = self.graph.node(node.inputs[i]).op {
                let small = self.graph.node(node.inputs[i]).inputs[0];
                let whole = std::mem::replace(&mut node.inputs[i], small);
                let types: Vec<_> = node.inputs.iter().map(|v| self.graph.ty(*v)).collect();
                if infer(&node.op, &types).as_ref() != Ok(&node.ty) {
                    node.inputs[i] = whole;
                    break;
                }
            }
        }
    }

    /// Callers' buffers are dense; kernels that load vectors want the standard layout. The layout pass makes this
    /// reshape free where the two are the same.
    fn packed(&mut self, value: Value, old: &Graph, from: Value) -> Value {
        let node = self.graph.node(value);
        if !matches!(node.op, Op::Leaf(Leaf::Input(_) | Leaf::Target(_))) || node.ty.dtype != DType::F32 {
            return value;
        }
        self.copy(value, old, from)
    }

    fn copy(&mut self, value: Value, old: &Graph, from: Value) -> Value {
        let node = self.copied(value);
        self.push(node, old, from)
    }

    /// A copy of a weight that shares nothing with copies in another form.
    fn transformed(&mut self, weight: Value, role: ConvRole, old: &Graph, from: Value) -> Value {
        if let Some(&copy) = self.transformed.get(&(weight, role)) {
            return copy;
        }
        let node = self.copied(weight);
        let copy = self.new_node(node, old, from);
        self.transformed.insert((weight, role), copy);
        copy
    }

    fn copied(&self, value: Value) -> Node {
        let ty = self.graph.ty(value).clone();
        let op = Op::Move(MoveOp::Reshape(ty.shape.dims.clone()));
        Node { op, inputs: vec![value], ty, detached: false }
    }
}

/// The role of a convolution that reads a weight.
fn reading_role(node: &Node) -> Option<ConvRole> {
    match node.op {
        Op::Conv { role: role @ (ConvRole::Forward | ConvRole::Input), .. } => Some(role),
        _ => None,
    }
}

/// Input gradients contract the weight over its first axis. Those of matrix products turn it as they read it.
fn reads_transposed(node: &Node) -> bool {
    match &node.op {
        Op::Conv { role: ConvRole::Input, geometry } => geometry.groups == 1,
        Op::Contract { lhs, rhs, out } => match (lhs.as_slice(), rhs.as_slice(), out.as_slice()) {
            ([0, o], [p, i], [0, r]) => o == p && i == r && i != o,
            _ => false,
        },
        _ => false,
    }
}

/// Whether this node reads a dense buffer as it is, where operand `i` is one: contractions broadcast single elements of what
/// they contract over, which may lie in any distance from sample to sample. An operand in blocks of channels, or one that is read
/// in vectors, such as the other operand of a weight's gradient, must lie as the template expects it.
fn reads_port(node: &Node, i: usize, graph: &Graph) -> bool {
    match &node.op {
        Op::Conv { role: ConvRole::Forward | ConvRole::Weight, .. } => {
            i == 0 && !is_blocked(&graph.shape(node.inputs[0]).dims)
        }
        // Of a weight's gradient, `dense::weight_operands` says which operand is read in vectors.
        Op::Contract { lhs, out, .. } if !out.contains(&0) => lhs.len() == 2 && i != usize::from(lhs[1] != out[0]),
        Op::Contract { lhs, .. } => lhs.len() == 2,
        Op::Move(_) => true,
        _ => false,
    }
}
