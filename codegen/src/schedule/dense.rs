//! Kernels of a dense layer's gradients that share what they read.
//!
//! 1. The sum of the outputs' gradient over the batch, the gradient of a bias, is taken by the kernel of the weight's gradient:
//!    it has them in the cache, and a launch less is to be started.
//! 2. Where no cache holds the weight, both of its gradients are one kernel, which reads each piece of the weight once: it turns
//!    the piece for the input gradient, and then makes, and may apply, its gradient. Otherwise a step would bring the weight from
//!    memory twice.

use super::form::{Dense, Form, Reduced};
use super::layout::{LANES, blocks};
use super::params::behind_reshapes;
use super::{Kernel, Schedule, Storage, Target, Uses};
use crate::graph::op::{ConvRole, Op, ReduceOp};
use crate::graph::{Graph, Value};
use std::collections::HashMap;

pub fn dense(s: &mut Schedule, target: &Target) {
    if !target.fusion {
        return;
    }
    let mut uses = Uses::of(s);
    for k in (0..s.kernels.len()).filter(|_| target.dense_biases) {
        if let Some(sum) = bias_of(s, &uses, k) {
            let joined = uses.remove(s, sum);
            let mut kernel = s.kernels[k].clone();
            kernel.nodes.extend(joined.nodes);
            kernel.stores.extend(joined.stores);
            uses.replace(s, k, kernel);
        }
    }
    let gradients: HashMap<Value, usize> =
        s.program.roots.gradients.iter().rev().map(|(param, value)| (s.base(*value), *param)).collect();
    for k in 0..s.kernels.len() {
        if let Some((input, d)) = input_of(s, &uses, k, target, &gradients) {
            let weight = uses.remove(s, k);
            let mut kernel = s.kernels[input].clone();
            kernel.form = Form::DenseBackward(d);
            kernel.nodes.extend(weight.nodes);
            kernel.stores.extend(weight.stores);
            kernel.reads.extend(weight.reads);
            kernel.reads.sort_unstable();
            kernel.reads.dedup();
            uses.replace(s, input, kernel);
        }
    }
    uses.finish(s);
}

/// What the gradient of a dense weight is the product of: a convolution's operands are (x, dy), a contraction's are told
/// apart by the order of extents.
pub fn weight_operands(graph: &Graph, gradient: Value) -> (Value, Value) {
    let node = graph.node(gradient);
    match &node.op {
        Op::Contract { lhs, out, .. } if lhs[1] == out[0] => (node.inputs[1], node.inputs[0]),
        _ => (node.inputs[0], node.inputs[1]),
    }
}

/// The contraction of this role among a kernel's nodes, if the kernel is a dense layer's.
pub fn product(s: &Schedule, kernel: &Kernel, role: ConvRole) -> Option<Value> {
    let own = match &kernel.form {
        Form::Dense(d) => d.role == role,
        Form::DenseBackward(_) => role != ConvRole::Forward,
        _ => false,
    };
    let is = |v: &&Value| super::form::dense(s.graph(), **v).is_some_and(|d| d.role == role);
    kernel.nodes.iter().find(is).copied().filter(|_| own)
}

/// The kernel that sums what kernel `k`, of a dense weight's gradient, multiplies, and nothing else. It suffices that the sum is over the
/// whole batch of the very value that the product reads (`dy`), one number an output, and the kernel's only node: both then wait for
/// the same value, and who reads the bias's gradient is the optimizer alone.
fn bias_of(s: &Schedule, uses: &Uses, k: usize) -> Option<usize> {
    let kernel = &s.kernels[k];
    let gradient = product(s, kernel, ConvRole::Weight).filter(|_| kernel.nodes.len() == 1)?;
    let d = super::form::dense(s.graph(), gradient)?;
    let (_, dy) = weight_operands(s.graph(), gradient);
    let sums = |other: &Kernel| {
        let ([sum], Form::Column { iter, reduced }) = (&other.nodes[..], &other.form) else { return false };
        let node = s.graph().node(*sum);
        let over_batch = Reduced { batch: true, channels: false, pixels: true };
        matches!(node.op, Op::Reduce { op: ReduceOp::Sum, .. })
            && s.base(node.inputs[0]) == s.base(dy)
            && (reduced == &over_batch || (iter.pixels == 1 && reduced.batch && !reduced.channels))
            && iter.channels == d.outputs
            && iter.pixels == 1
            && s.layout(*sum).size == blocks(d.outputs) * LANES
            && other.stores == [*sum]
            && matches!(s.storage(*sum), Some(Storage::Grad(_)))
    };
    uses.readers(s.base(dy)).find(|other| sums(&s.kernels[*other]))
}

/// The kernel of the input gradient that can also make the weight's, which kernel `k` makes. It suffices that both are of the same
/// parameter and the same `dy`, and that all that the weight's gradient is made of is there when the input gradient's kernel runs.
/// Each piece of the weight is turned before its update: `launches` sees to it that nobody else reads the old weight later.
fn input_of(
    s: &Schedule,
    uses: &Uses,
    k: usize,
    target: &Target,
    gradients: &HashMap<Value, usize>,
) -> Option<(usize, Dense)> {
    let kernel = &s.kernels[k];
    let gradient = product(s, kernel, ConvRole::Weight).filter(|_| matches!(kernel.form, Form::Dense(_)))?;
    let param = *gradients.get(&gradient)?;
    let (_, dy) = weight_operands(s.graph(), gradient);
    if s.layout(gradient).size < target.streamed_weight_floats {
        return None;
    }
    let streams = |other: &Kernel| {
        let input = product(s, other, ConvRole::Input).filter(|_| matches!(other.form, Form::Dense(_)))?;
        let node = s.graph().node(input);
        let same = behind_reshapes(s.graph(), node.inputs[1]) == Some(param) && s.base(node.inputs[0]) == s.base(dy);
        let d = super::form::dense(s.graph(), input)?;
        // A task's rows of the weight are its blocks of inputs.
        (same && (d.pixels == 1 || !d.planar)).then_some(d)
    };
    let (input, d) = uses.readers(s.base(dy)).find_map(|i| Some((i, streams(&s.kernels[i])?)))?;
    // All that the gradient is made of must be there by then.
    let late = |v: &Value| uses.maker(*v).is_some_and(|maker| maker >= input);
    (!kernel.reads.iter().any(late)).then_some((input, d))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declaration::Fusion;
    use crate::schedule::{Launches, ParamPlan, ProgramKind, launches::launches, program, schedule};

    fn step(target: &Target) -> (Schedule, Launches) {
        let text = "pub Net { input x: [40]; target c: class<3>;
            Linear<20>; Relu; Linear<33>; Relu; Linear<3>; loss: CrossEntropy(_, c); }";
        let (declarations, _, errors) = crate::lower::frontend(text.parse().unwrap());
        assert!(errors.is_empty());
        let module = &declarations[0].members[0].module;
        let program = program::program(module, ProgramKind::Step).unwrap();
        let s = schedule(module, &ParamPlan::new(module, target.order), &program, target);
        let l = launches(&s, target);
        (s, l)
    }

    fn count(s: &Schedule, is: impl Fn(&Form) -> bool) -> usize {
        s.kernels.iter().filter(|k| is(&k.form)).count()
    }

    #[test]
    fn biases_are_summed_with_their_weights() {
        let (s, l) = step(&Target::cpu(Fusion::On));
        let sums = |s: &Schedule| count(s, |f| matches!(f, Form::Column { .. }));
        let (apart, _) = step(&Target { dense_biases: false, ..Target::cpu(Fusion::On) });
        // One is left: of the loss.
        assert_eq!((sums(&s), sums(&apart)), (1, 4));
        assert!(l.updated.iter().eq(&[0, 1, 2, 3, 4, 5]));
        assert_eq!(l.verify(&s), Ok(()));
    }

    #[test]
    fn a_weight_beyond_the_threshold_is_read_once() {
        let pair = |target: &Target| {
            let (s, l) = step(target);
            assert_eq!(l.verify(&s), Ok(()));
            assert!(l.updated.iter().eq(&[0, 1, 2, 3, 4, 5]));
            count(&s, |f| matches!(f, Form::DenseBackward(_)))
        };
        let cpu = Target::cpu(Fusion::On);
        assert_eq!(pair(&cpu), 0);
        // The first layer has no input gradient.
        assert_eq!(pair(&Target { streamed_weight_floats: 0, ..cpu.clone() }), 2);
        // 48 × 20 and 16 × 33 with its padding.
        assert_eq!(pair(&Target { streamed_weight_floats: 48 * 20, ..cpu.clone() }), 1);
        let (s, _) = step(&Target { streamed_weight_floats: 0, ..cpu.clone() });
        assert!(s.text().contains("dense.backward 20 → 33"), "{}", s.text());
        assert_eq!(
            count(&step(&Target { streamed_weight_floats: 0, ..Target::cpu(Fusion::Off) }).0, |f| {
                matches!(f, Form::DenseBackward(_))
            }),
            0
        );
    }

    #[test]
    fn an_update_before_the_last_reader_is_refused() {
        let target = Target { streamed_weight_floats: 0, ..Target::cpu(Fusion::On) };
        let (mut s, mut l) = step(&target);
        // A reader of a weight behind the pass that updates it.
        let streamed = s.kernels.iter().position(|k| matches!(k.form, Form::DenseBackward(_))).unwrap();
        let weight = |v: &&Value| matches!(s.storage(**v), Some(Storage::Param(_)));
        let read = *s.kernels[streamed].reads.iter().find(weight).unwrap();
        let Some(Storage::Param(param)) = s.storage(read) else { unreachable!("found as a parameter") };
        s.kernels.push(Kernel { form: Form::Scalar, nodes: Vec::new(), reads: vec![read], stores: Vec::new() });
        l.levels.push((s.kernels.len(), s.kernels.len()));
        let expected = format!("kernel {streamed} updates parameter {param} before kernel {}", s.kernels.len() - 1);
        let found = l.verify(&s).unwrap_err();
        assert!(found.contains(&expected), "{found}");
        // So such a plan leaves the parameter to the optimizer's pass.
        assert!(!launches(&s, &target).updated.contains(&param));
    }
}
