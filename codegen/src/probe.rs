//! `#[probe]`: programs that look at a value inside a network, written as networks of their own over the same parameters.
//!
//! One returns the value. The other takes the network's inputs and, as one more, a weight for each element of the value; it
//! returns the weighted sum of each sample, which is its score, and the gradient of that with respect to the inputs. The
//! weights choose a unit, a channel or a class while the program runs, so one program serves all of them. Both run in
//! evaluation mode, and both are scheduled and emitted like any other: what no probe asks for is not there.

use crate::autodiff;
use crate::diagnostics::Source;
use crate::graph::builder::Builder;
use crate::graph::op::Leaf;
use crate::graph::{DType, Mode, Module, Port, PortKind, Shape, Type, Value};

/// The two networks of a probe.
pub struct Programs {
    pub activations: Module,
    /// `None` where no input has a gradient.
    pub excite: Option<Module>,
}

/// Those of probe `index` of a network.
pub fn programs(module: &Module, index: usize) -> Programs {
    Programs { activations: activations(module, index), excite: excite(module, index) }
}

fn activations(module: &Module, index: usize) -> Module {
    let value = module.evaluation.probes[index];
    let dims = module.evaluation.graph.shape(value).dims.clone();
    let output = port(&module.probes[index].name, dims);
    companion(module, Vec::new(), vec![output], Mode { outputs: vec![value], ..forward(module) })
}

fn excite(module: &Module, index: usize) -> Option<Module> {
    let value = module.evaluation.probes[index];
    let dense = |(i, port): (usize, &Port)| match &port.kind {
        PortKind::Dense(dims) => Some((i, port.name.clone(), dims.clone())),
        PortKind::Class(_) | PortKind::Ids(..) => None,
    };
    let inputs: Vec<_> = module.inputs.iter().enumerate().filter_map(dense).collect();
    if inputs.is_empty() {
        return None;
    }
    let name = &module.probes[index].name;
    let mut mode = forward(module);
    let graph = &mut mode.graph;
    let dims = graph.shape(value).dims.clone();
    let ty = Type { dtype: DType::F32, shape: Shape::sample(dims.clone()) };
    let source = Source::default();
    let weights = graph.push_leaf(Leaf::Input(module.inputs.len()), ty, source, name);
    let mut b = Builder { graph, source, layer: name.clone() };
    let weighted = b.mul(value, weights);
    let axes: Vec<usize> = (0..dims.len()).collect();
    let sum = b.sum(weighted, &axes, false);
    let score = b.reshape(sum, &[1]);
    let total = b.sum(score, &[], true);
    let total = b.reshape(total, &[]);
    let leaves: Vec<Value> = inputs.iter().filter_map(|(i, ..)| mode.graph.leaf(Leaf::Input(*i))).collect();
    let gradients = autodiff::gradients(&mut mode.graph, total, &leaves);
    let mut outputs = vec![port("score", vec![1])];
    mode.outputs = vec![score];
    for ((_, name, dims), (leaf, gradient)) in inputs.iter().zip(leaves.iter().zip(gradients)) {
        let mut b = Builder { graph: &mut mode.graph, source, layer: name.clone() };
        mode.outputs.push(gradient.unwrap_or_else(|| b.map1(*leaf, |p, _| p.constant(0.0))));
        outputs.push(port(name, dims.clone()));
    }
    Some(companion(module, vec![port("weights", dims)], outputs, mode))
}

/// The forward pass in evaluation mode, without roots: a program takes only what its own roots need.
fn forward(module: &Module) -> Mode {
    let Mode { graph, single, .. } = &module.evaluation;
    Mode { graph: graph.clone(), single: single.clone(), ..Mode::default() }
}

fn companion(module: &Module, more: Vec<Port>, outputs: Vec<Port>, evaluation: Mode) -> Module {
    Module {
        name: module.name.clone(),
        inputs: module.inputs.iter().cloned().chain(more).collect(),
        outputs,
        params: module.params.clone(),
        states: module.states.clone(),
        evaluation,
        ..Module::default()
    }
}

fn port(name: &str, dims: Vec<usize>) -> Port {
    Port { name: name.to_string(), kind: PortKind::Dense(dims), source: Source::default() }
}
