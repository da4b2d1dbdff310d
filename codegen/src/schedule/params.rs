//! Where each parameter and running statistic lies in its arena, and in which order of elements: one decision for all
//! programs of a network, made from its forward graph.

use super::form::weight_layout;
use super::layout::{LANES, Layout, Order};
use super::rows::row_layout;
use crate::graph::op::{ConvRole, Leaf, MoveOp, Op};
use crate::graph::{Graph, Module, Value};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    pub layout: Layout,
    pub offset: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParamPlan {
    pub order: Order,
    /// Parallel to `Module::params`.
    pub params: Vec<Slot>,
    /// Trainable parameters lie first; this is where the frozen ones begin.
    pub trainable_floats: usize,
    pub param_floats: usize,
    /// Parallel to `Module::params`: whether weight decay applies.
    pub decays: Vec<bool>,
    /// Parallel to `Module::states`.
    pub states: Vec<Slot>,
    pub state_floats: usize,
}

impl ParamPlan {
    pub fn new(module: &Module, order: Order) -> Self {
        let graph =
            if module.training.graph.nodes.is_empty() { &module.evaluation.graph } else { &module.training.graph };
        let mut layouts: Vec<Option<Layout>> = vec![None; module.params.len()];
        for value in graph.values() {
            if let Some((param, layout)) = wanted(graph, value, order)
                && layouts[param].is_none()
            {
                layouts[param] = Some(layout);
            }
        }
        let mut plan = ParamPlan { order, ..ParamPlan::default() };
        let mut slots: Vec<Slot> = module
            .params
            .iter()
            .zip(layouts)
            .map(|(p, layout)| Slot { layout: layout.unwrap_or_else(|| Layout::standard(order, &p.dims)), offset: 0 })
            .collect();
        let mut end = 0;
        for frozen in [false, true] {
            for (slot, param) in slots.iter_mut().zip(&module.params) {
                if param.frozen == frozen {
                    slot.offset = end;
                    end = aligned(end + slot.layout.size);
                }
            }
            if !frozen {
                plan.trainable_floats = end;
            }
        }
        plan.params = slots;
        plan.decays = module.params.iter().map(|p| !p.no_decay).collect();
        plan.param_floats = end;
        for state in &module.states {
            let layout = Layout::standard(order, &state.dims);
            let next = aligned(plan.state_floats + layout.size);
            plan.states.push(Slot { layout, offset: plan.state_floats });
            plan.state_floats = next;
        }
        plan
    }
}

fn aligned(floats: usize) -> usize {
    floats.div_ceil(LANES) * LANES
}

/// The parameter that this node contracts, and the order of elements in which the forward template reads it.
fn wanted(graph: &Graph, value: Value, order: Order) -> Option<(usize, Layout)> {
    let node = graph.node(value);
    match &node.op {
        // A transposed convolution's weight lies as that of the convolution it is the adjoint of.
        Op::Conv { role: ConvRole::Forward | ConvRole::Input, .. } => {
            Some((behind_reshapes(graph, node.inputs[1])?, weight_layout(order, graph, value)?))
        }
        Op::Gather => {
            Some((behind_reshapes(graph, node.inputs[0])?, row_layout(order, &graph.shape(node.inputs[0]).dims)))
        }
        Op::Contract { lhs, rhs, out } => {
            let ([0, a], [o, k], [0, r]) = (lhs.as_slice(), rhs.as_slice(), out.as_slice()) else { return None };
            if a != k || o != r {
                return None;
            }
            let param = behind_reshapes(graph, node.inputs[1])?;
            Some((param, Layout::linear_weight(order, &graph.shape(node.inputs[1]).dims)))
        }
        _ => None,
    }
}

/// The parameter that this value is, seen through reshapes.
pub fn behind_reshapes(graph: &Graph, value: Value) -> Option<usize> {
    match &graph.node(value).op {
        Op::Leaf(Leaf::Param(p)) => Some(*p),
        Op::Move(MoveOp::Reshape(_)) => behind_reshapes(graph, graph.node(value).inputs[0]),
        _ => None,
    }
}
