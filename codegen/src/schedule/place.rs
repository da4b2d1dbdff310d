//! Gives every value a layout and, where it cannot live in registers, a storage class; finds the reshapes that are free.

use super::form::{dense, derived_layout, transformed_layout, weight_layout};
use super::layout::Layout;
use super::params::ParamPlan;
use super::program::Program;
use super::rows::row_layout;
use super::target::Target;
use super::winograd;
use super::{Schedule, Storage};
use crate::graph::op::{ConvRole, Leaf, MoveOp, Op};
use crate::graph::{Graph, Module, Node, Value};
use std::collections::BTreeMap;

/// The schedule of a prepared program, without kernels.
pub fn place(program: Program, module: &Module, params: &ParamPlan, target: &Target) -> Schedule {
    let order = params.order;
    let graph = &program.graph;
    let choices = graph.values().filter_map(|v| Some((v, winograd::choice(target, program.kind, graph, v)?))).collect();
    let mut s = Schedule {
        program,
        order,
        layouts: Vec::new(),
        base: Vec::new(),
        storage: Vec::new(),
        kernels: Vec::new(),
        choices,
        within: BTreeMap::new(),
    };
    let readers = readers(&s.program.graph);
    for value in s.program.graph.values() {
        let (layout, base, storage) = decide(&s, value, &readers, module, params);
        s.layouts.push(layout);
        s.base.push(base);
        s.storage.push(storage);
    }
    deliver_gradients(&mut s, params);
    s
}

/// `readers` are the first reader of each value.
fn decide(
    s: &Schedule,
    value: Value,
    readers: &[Option<Value>],
    module: &Module,
    params: &ParamPlan,
) -> (Layout, Value, Option<Storage>) {
    let graph = s.graph();
    let node = graph.node(value);
    let dims = &node.ty.shape.dims;
    match &node.op {
        Op::Leaf(Leaf::Input(i)) => (Layout::dense(dims), value, Some(Storage::Port(*i))),
        Op::Leaf(Leaf::Target(i)) => (Layout::dense(dims), value, Some(Storage::Port(module.inputs.len() + i))),
        Op::Leaf(Leaf::Param(p)) => (params.params[*p].layout.clone(), value, Some(Storage::Param(*p))),
        Op::Leaf(Leaf::State(i)) => (params.states[*i].layout.clone(), value, Some(Storage::State(*i))),
        Op::Move(MoveOp::Reshape(_)) => {
            let from = node.inputs[0];
            let base = s.base(from);
            let storage = s.storage(from);
            let persistent = matches!(storage, Some(Storage::Param(_) | Storage::State(_)));
            if persistent && graph.shape(from) == &node.ty.shape {
                let reader = readers[value.index()].expect("a copied weight is read");
                let layout = if s.is_by_winograd(reader) {
                    transformed_layout(graph, reader)
                } else {
                    derived_layout(graph, reader)
                };
                return (layout, value, None);
            }
            let standard = Layout::standard(params.order, dims);
            let whole = s.layout(base);
            if whole.same_map(&standard) && (whole.size == standard.size || !node.ty.shape.batch) {
                (standard, base, storage)
            } else if persistent || writes_weight(graph, base) {
                // A weight or its gradient: the order of elements is a template's, whatever the extents are called.
                (whole.clone(), base, storage)
            } else {
                (standard, value, None)
            }
        }
        Op::Assign { state } => (params.states[*state].layout.clone(), value, Some(Storage::State(*state))),
        Op::Conv { .. } | Op::Contract { .. } if writes_weight(graph, value) => {
            (weight_layout(params.order, graph, value).expect("a weight template"), value, None)
        }
        // The gradient of what rows are gathered from.
        Op::ScatterAdd { batch: false, .. } => (row_layout(params.order, dims), value, None),
        Op::Map(_)
        | Op::Reduce { .. }
        | Op::Contract { .. }
        | Op::Conv { .. }
        | Op::Window { .. }
        | Op::Table { .. }
        | Op::Move(_)
        | Op::Gather
        | Op::ScatterAdd { batch: true, .. }
        | Op::Random { .. } => (Layout::standard(params.order, dims), value, None),
    }
}

fn writes_weight(graph: &Graph, value: Value) -> bool {
    match &graph.node(value).op {
        Op::Conv { role, geometry } => *role == ConvRole::Weight && geometry.groups == 1,
        Op::Contract { .. } => dense(graph, value).is_some_and(|d| d.role == ConvRole::Weight),
        _ => false,
    }
}

/// The first node that reads each value: of a copied weight, the one that it was copied for.
fn readers(graph: &Graph) -> Vec<Option<Value>> {
    let mut readers = vec![None; graph.nodes.len()];
    for value in graph.values() {
        for input in &graph.node(value).inputs {
            readers[input.index()].get_or_insert(value);
        }
    }
    readers
}

/// Gradients are written in place where their kernel can write the parameter's order; else a copy is added.
fn deliver_gradients(s: &mut Schedule, params: &ParamPlan) {
    let roots = s.program.roots.clone();
    let mut gradients = Vec::new();
    for (param, value) in roots.gradients.iter().copied() {
        let base = s.base(value);
        let layout = &params.params[param].layout;
        let taken = s.storage[base.index()].is_some() || roots.results().any(|root| s.base(root) == base);
        if !taken && s.layout(base).same_map(layout) && s.layout(base).size == layout.size {
            s.storage[base.index()] = Some(Storage::Grad(param));
            gradients.push((param, value));
            continue;
        }
        let ty = s.graph().ty(value).clone();
        let (source, layer) = (s.graph().sources[value.index()], s.graph().layers[value.index()].clone());
        let copy = Value(s.graph().nodes.len() as u32);
        let op = Op::Move(MoveOp::Reshape(ty.shape.dims.clone()));
        s.program.graph.nodes.push(Node { op, inputs: vec![value], ty, detached: false });
        s.program.graph.sources.push(source);
        s.program.graph.layers.push(layer);
        s.layouts.push(layout.clone());
        s.base.push(copy);
        s.storage.push(Some(Storage::Grad(param)));
        gradients.push((param, copy));
    }
    s.program.roots.gradients = gradients;
}
