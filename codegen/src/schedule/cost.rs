//! What a kernel costs at least: operations and memory traffic, counted from extents whatever the template does.
//!
//! It is the roofline that a profile compares a kernel with. The counts go into the plan.

use super::{Form, Kernel, Schedule, Storage, Uses, moments};
use crate::graph::Value;
use crate::graph::expr::Scalar;
use crate::graph::op::{Op, WindowOp};
use std::collections::BTreeMap;

/// Operations and floats moved, of each sample and once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// A multiply-add counts as two.
    pub flops_per_sample: u64,
    pub flops: u64,
    /// Read and written, each once.
    pub floats_per_sample: u64,
    pub floats: u64,
}

impl Cost {
    /// What the kernel computes, and what it reads and stores.
    pub fn of(s: &Schedule, uses: &Uses, kernel: &Kernel) -> Cost {
        let mut cost = Cost::default();
        if let (Form::Moments { iter, .. }, Some(_)) = (&kernel.form, moments::producer(uses, kernel)) {
            // Operand and sums are the producer's; there is nothing left but to merge.
            let partials = moments::tile_partials(s, uses, kernel, iter) as u64;
            return Cost { flops_per_sample: partials, floats_per_sample: partials, ..cost };
        }
        for &value in &kernel.nodes {
            let (batch, flops) = operations(s, value);
            *(if batch { &mut cost.flops_per_sample } else { &mut cost.flops }) += flops;
        }
        for &value in kernel.reads.iter().chain(&kernel.stores) {
            cost.moves(s, value);
        }
        cost
    }

    fn moves(&mut self, s: &Schedule, value: Value) {
        let base = s.base(value);
        let floats = s.layout(base).size as u64;
        let port = matches!(s.storage(base), Some(Storage::Port(_)));
        let batch = s.graph().shape(base).batch || port;
        *(if batch { &mut self.floats_per_sample } else { &mut self.floats }) += floats;
    }
}

/// Whether the operations of a node are per sample, and how many they are.
fn operations(s: &Schedule, value: Value) -> (bool, u64) {
    let graph = s.graph();
    let node = graph.node(value);
    let shape = &node.ty.shape;
    let operand = |i: usize| graph.shape(node.inputs[i]);
    let flops = match &node.op {
        Op::Map(expr) => shape.numel() * expr.nodes().iter().filter(|n| is_operation(n)).count(),
        Op::Random { .. } => shape.numel(),
        Op::Reduce { .. } => return (operand(0).batch, operand(0).numel() as u64),
        Op::Contract { lhs, rhs, .. } => {
            let mut extents: BTreeMap<u8, usize> = BTreeMap::new();
            for (i, names) in [lhs, rhs].into_iter().enumerate() {
                extents.extend(names.iter().copied().filter(|n| *n != 0).zip(operand(i).dims.iter().copied()));
            }
            let products: usize = extents.values().product();
            return (operand(0).batch || operand(1).batch, 2 * products as u64);
        }
        Op::Conv { geometry: g, .. } => {
            let taps = g.kernel[0] * g.kernel[1];
            return (true, (2 * g.outputs * g.output[0] * g.output[1] * taps * g.channels / g.groups) as u64);
        }
        Op::Window { op: WindowOp::Sum | WindowOp::Max | WindowOp::ArgMax, axes } => {
            shape.numel() * axes.iter().map(|a| a.kernel).product::<usize>()
        }
        Op::Window { op: WindowOp::Spread | WindowOp::Route | WindowOp::Pick, .. } => shape.numel(),
        Op::Leaf(_) | Op::Assign { .. } | Op::Move(_) | Op::Table { .. } | Op::Gather | Op::ScatterAdd { .. } => 0,
    };
    (shape.batch, flops as u64)
}

fn is_operation(node: &Scalar) -> bool {
    matches!(node, Scalar::Unary(..) | Scalar::Binary(..) | Scalar::Select(..))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declaration::Fusion;
    use crate::schedule::{ParamPlan, ProgramKind, Target, program, schedule};

    #[test]
    fn products_and_traffic_are_counted_from_extents() {
        let text = "pub Net { input x: [16, 8, 8]; target c: class<5>;
            Conv2d<32, 3>; Relu; Flatten; Linear<5>; loss: CrossEntropy(_, c); }";
        let (declarations, _, errors) = crate::lower::frontend(text.parse().unwrap());
        assert!(errors.is_empty());
        let module = &declarations[0].members[0].module;
        let target = Target::cpu(Fusion::On);
        let program = program::program(module, ProgramKind::Infer).unwrap();
        let s = schedule(module, &ParamPlan::new(module, target.order), &program, &target);
        let uses = Uses::of(&s);
        let costs: Vec<Cost> =
            s.kernels.iter().map(|k| Cost::of(&s, &uses, k)).filter(|c| c.flops_per_sample > 0).collect();
        // 3 × 3 taps of 16 channels for 32 × 6 × 6 outputs, which get a bias and a maximum each.
        let outputs = 32 * 6 * 6;
        assert_eq!(costs[0].flops_per_sample, 2 * 9 * 16 * outputs + 2 * outputs);
        assert_eq!(costs[0].floats_per_sample, 16 * 8 * 8 + outputs);
        assert_eq!(costs[0].floats, 9 * 16 * 32 + 32);
        let scores = costs.last().unwrap();
        assert_eq!(scores.flops_per_sample, 2 * 5 * outputs + 5);
        // Five outputs lie in a block of 16.
        assert_eq!((scores.floats_per_sample, scores.floats), (outputs + 16, 16 * outputs + 16));
    }
}
