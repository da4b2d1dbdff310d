//! A declaration for the interpreter: lowered, and given numbers that single precision holds.

use crate::dice::Dice;
use kiln_codegen::declaration::{Declaration, Fusion};
use kiln_codegen::graph::op::{Leaf, Op};
use kiln_codegen::graph::{Init, Module, PortKind, Shape};
use kiln_codegen::interpret::{Tensor, uniform};
use kiln_codegen::lower::frontend;
use kiln_codegen::probe;
use std::collections::HashMap;

/// Values of all leaves.
pub type Leaves = HashMap<Leaf, Tensor>;

/// One network of a declaration, or what a probe of it is.
pub struct Network {
    /// `Net`, `Net<3>`, `NetUnfused`, `Net, gradient of probe L1`.
    pub name: String,
    /// An expression for its `&'static Plan` where the declaration stands.
    pub plan: String,
    pub module: Module,
}

/// All networks that these tokens of a `network!` declare, twins included.
pub fn networks(text: &str) -> Result<Vec<Network>, String> {
    let tokens = text.parse().map_err(|why| format!("no tokens: {why}"))?;
    let (declarations, _, errors) = frontend(tokens);
    let texts: Vec<String> = errors.iter().map(|d| d.text()).collect();
    if !texts.is_empty() {
        return Err(texts.join("\n"));
    }
    Ok(declarations.iter().flat_map(networks_of).collect())
}

fn networks_of(declaration: &Declaration) -> Vec<Network> {
    let endings: &[&str] = if declaration.fusion == Fusion::Both { &["", "Unfused"] } else { &[""] };
    let mut list = Vec::new();
    for ending in endings {
        for member in &declaration.members {
            let values: Vec<String> = member.values.iter().map(i64::to_string).collect();
            let arguments = if values.is_empty() { String::new() } else { format!("<{}>", values.join(", ")) };
            let name = format!("{}{ending}{arguments}", declaration.ident);
            let module = &member.module;
            for (index, probe) in module.probes.iter().enumerate() {
                let handle = probe.name.replace('.', "_").to_uppercase();
                let programs = probe::programs(module, index);
                let plan = format!("<{name}>::{handle}.plans()");
                let activations = (format!("{name}, probe {handle}"), format!("{plan}.0"), programs.activations);
                let excite = programs.excite.map(|module| {
                    (format!("{name}, gradient of probe {handle}"), format!("{plan}.1.expect(\"a gradient\")"), module)
                });
                list.extend([activations].into_iter().chain(excite).map(|(name, plan, module)| Network {
                    name,
                    plan,
                    module,
                }));
            }
            list.push(Network { plan: format!("<{name} as kiln::Network>::plan()"), name, module: module.clone() });
        }
    }
    list
}

/// A declaration that the front end takes as a module of Rust: its text, its networks, and their plans.
pub fn module(text: &str) -> String {
    let networks = networks(text).unwrap_or_else(|why| panic!("{why}\n{text}"));
    let plans: String = networks.iter().map(|network| format!("        {},\n", network.plan)).collect();
    format!(
        "pub const TEXT: &str = r##\"{text}\"##;\n\nkiln::network! {{\n{text}}}\n\n\
         pub fn plans() -> Vec<&'static kiln::__private::plan::Plan> {{\n    vec![\n{plans}    ]\n}}\n"
    )
}

/// Whether samples of a batch are independent of each other in evaluation mode.
pub fn samples_are_apart(module: &Module) -> bool {
    let graph = &module.evaluation.graph;
    let needed = graph.reachable(&module.evaluation.outputs);
    let mixes = |op: &Op| matches!(op, Op::Reduce { batch: true, .. });
    !graph.nodes.iter().zip(needed).any(|(node, needed)| needed && mixes(&node.op))
}

/// Numbers for every leaf of a network, none of them equal: parameters of a size that keeps values near 1, variances above
/// 0, targets between 0 and 1. Single precision holds each of them.
pub fn leaves(module: &Module, batch: usize, salt: u32) -> Leaves {
    let mut leaves = HashMap::new();
    let mut put = |leaf: Leaf, shape: Shape, name: usize, f: &dyn Fn(f64) -> f64| {
        let n = shape.numel().max(1);
        let number = |s: usize, i: usize| f64::from(uniform(7, 1, salt * 4096 + name as u32, s as u32, (i % n) as u32));
        let tensor = Tensor::from_fn(shape, batch, |s, i| f64::from(f(number(s, i) * 2.0 - 1.0) as f32));
        leaves.insert(leaf, tensor);
    };
    for (i, input) in module.inputs.iter().enumerate() {
        put(Leaf::Input(i), Shape::sample(dims(&input.kind)), i, &|x| port(&input.kind, x));
    }
    for (i, target) in module.targets.iter().enumerate() {
        put(Leaf::Target(i), Shape::sample(dims(&target.kind)), 100 + i, &|x| match target.kind {
            PortKind::Dense(_) => 0.5 + 0.49 * x,
            PortKind::Class(_) | PortKind::Ids(..) => port(&target.kind, x),
        });
    }
    for (i, param) in module.params.iter().enumerate() {
        let scale = if param.dims.len() > 1 { 1.5 / (param.fan_in.max(1) as f64).sqrt() } else { 1.0 };
        put(Leaf::Param(i), Shape::fixed(param.dims.clone()), 200 + i, &|x| scale * x);
    }
    for (i, state) in module.states.iter().enumerate() {
        let counts = state.name.ends_with("num_batches_tracked");
        let positive = state.init == Init::Ones;
        put(Leaf::State(i), Shape::fixed(state.dims.clone()), 1000 + i, &|x| match (counts, positive) {
            (true, _) => 3.0,
            (_, true) => 1.0 + 0.4 * x,
            _ => 0.3 * x,
        });
    }
    leaves
}

/// Extents of a sample.
pub fn dims(kind: &PortKind) -> Vec<usize> {
    match kind {
        PortKind::Dense(dims) | PortKind::Ids(dims, _) => dims.clone(),
        PortKind::Class(_) => Vec::new(),
    }
}

fn port(kind: &PortKind, x: f64) -> f64 {
    match kind {
        PortKind::Dense(_) => x,
        PortKind::Class(n) | PortKind::Ids(_, n) => ((x + 1.0) / 2.0 * *n as f64).floor().min((*n - 1) as f64),
    }
}

/// The samples `from..` of every leaf that has samples.
pub fn samples(leaves: &Leaves, from: usize, count: usize) -> Leaves {
    let cut = |tensor: &Tensor| {
        if !tensor.shape.batch {
            return tensor.clone();
        }
        let data = (from..from + count).flat_map(|s| tensor.sample(s).iter().copied()).collect();
        Tensor::new(tensor.shape.clone(), count, data)
    };
    leaves.iter().map(|(leaf, tensor)| (*leaf, cut(tensor))).collect()
}

/// Of a tensor of single precision.
pub fn floats(tensor: &Tensor) -> Vec<f32> {
    tensor.data.iter().map(|x| *x as f32).collect()
}

/// A generator for what belongs to a network, whatever its index.
pub fn dice_of(text: &str) -> Dice {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    Dice::new(hash, 0)
}
