//! What a program that infers makes of parameters and running statistics alone: transformed weights, folded
//! normalisations. Such values are kept from run to run; only a change of what they are made of makes them anew.

use super::{Kernel, ProgramKind, Schedule, Storage, Target, Uses};
use crate::graph::Value;
use crate::graph::expr::Scalar;
use crate::graph::op::{Leaf, Op};

/// Which values depend on nothing but parameters and states, where that is worth knowing.
pub fn candidates(s: &Schedule, target: &Target) -> Vec<bool> {
    let mut list = vec![false; s.graph().nodes.len()];
    if !keeps(s, target) {
        return list;
    }
    for value in s.graph().values() {
        let node = s.graph().node(value);
        list[value.index()] = match &node.op {
            Op::Leaf(leaf) => matches!(leaf, Leaf::Param(_) | Leaf::State(_)),
            Op::Random { .. } | Op::Assign { .. } => false,
            _ => !node.ty.shape.batch && !node.inputs.is_empty() && node.inputs.iter().all(|i| list[i.index()]),
        };
    }
    list
}

/// Programs that train see new parameters every time.
pub fn keeps(s: &Schedule, target: &Target) -> bool {
    target.keeps_derived && matches!(s.program.kind, ProgramKind::Infer | ProgramKind::Evaluate)
}

/// Gives the results of such kernels their storage class.
pub fn keep(s: &mut Schedule, target: &Target) {
    if !keeps(s, target) {
        return;
    }
    let uses = Uses::of(s);
    for k in 0..s.kernels.len() {
        if is_constant(s, &uses, &s.kernels[k]) {
            for value in s.kernels[k].stores.clone() {
                s.storage[value.index()] = Some(Storage::Derived);
            }
        }
    }
}

/// Whether the kernel computes the same as long as parameters and states are the same. It suffices that all it reads is one of those or
/// was derived from them, that nothing in it is random or asks for the batch or the step, and that its results are nobody's but
/// later kernels': these find them where they were left, until the engine says that a parameter or state has changed.
fn is_constant(s: &Schedule, uses: &Uses, kernel: &Kernel) -> bool {
    let graph = s.graph();
    let kept = |v: &Value| matches!(s.storage(*v), Some(Storage::Param(_) | Storage::State(_) | Storage::Derived));
    let pure = |v: &Value| match &graph.node(*v).op {
        Op::Map(expr) => !expr.nodes().iter().any(|n| matches!(n, Scalar::Uniform(_))),
        Op::Random { .. } | Op::Assign { .. } => false,
        _ => true,
    };
    // A result of the program is read after the run, wherever it lies; it is too small to be worth keeping.
    let inner = |v: &Value| !graph.shape(*v).batch && s.storage(*v).is_none() && !uses.is_root(*v);
    kernel.reads.iter().all(kept) && kernel.nodes.iter().all(pure) && kernel.stores.iter().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declaration::Fusion;
    use crate::schedule::{ParamPlan, Target, program, schedule};

    #[test]
    fn what_only_parameters_make_is_kept_where_they_do_not_change() {
        // A product of two parameters is a map without a batch.
        let text = "pub Net { input x: [8]; target c: class<4>;
            param a: [8] = Ones; param b: [8] = Ones;
            Mul(a, b) as scale; Mul(x, scale); Linear<4>; loss: CrossEntropy(_, c); }";
        let (declarations, _, errors) = crate::lower::frontend(text.parse().unwrap());
        assert!(errors.is_empty(), "{errors:?}");
        let module = &declarations[0].members[0].module;
        for (kind, expected) in [(ProgramKind::Infer, 1), (ProgramKind::Evaluate, 1), (ProgramKind::Step, 0)] {
            // Unfused: fusion would compute the product where it is used.
            let target = Target::cpu(Fusion::Off);
            let program = program::program(module, kind).unwrap();
            let s = schedule(module, &ParamPlan::new(module, target.order), &program, &target);
            let derived = s.kernels.iter().filter(|k| s.is_derived(k)).count();
            assert_eq!(derived, expected, "{kind:?}");
        }
    }
}
