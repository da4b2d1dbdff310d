//! What must hold of a finished schedule, whatever fused it: kernels run in order and communicate through stored values
//! only, so whoever reads comes after whoever stores, and each place is written once.

use super::{Schedule, Storage};
use crate::graph::Value;
use crate::graph::op::{Leaf, Op};

/// The first violation, naming kernel and value.
pub fn verify(s: &Schedule) -> Result<(), String> {
    let mut stored: Vec<Option<usize>> = vec![None; s.graph().nodes.len()];
    // States, gradients: a place of which there is one.
    let mut written: Vec<(Storage, usize)> = Vec::new();
    for (k, kernel) in s.kernels.iter().enumerate() {
        for &read in &kernel.reads {
            check_read(s, k, read, &stored, &written)?;
        }
        for &value in &kernel.stores {
            if !kernel.nodes.contains(&value) {
                return Err(format!("kernel {k} stores {value}, which it does not compute"));
            }
            if let Some(before) = stored[value.index()].replace(k) {
                return Err(format!("kernels {before} and {k} both store {value}"));
            }
            let Some(place) = s.storage(value) else {
                return Err(format!("kernel {k} stores {value}, which has no place"));
            };
            match place {
                Storage::Batch | Storage::Fixed | Storage::Derived => {}
                Storage::Port(_) | Storage::Param(_) => {
                    return Err(format!("kernel {k} stores {value} into {place:?}, which programs only read"));
                }
                Storage::State(_) | Storage::Grad(_) => {
                    if let Some((_, before)) = written.iter().find(|(p, _)| *p == place) {
                        return Err(format!("kernels {before} and {k} both write {place:?}"));
                    }
                    written.push((place, k));
                }
            }
        }
    }
    check_roots(s, &stored)
}

fn check_read(
    s: &Schedule,
    k: usize,
    read: Value,
    stored: &[Option<usize>],
    written: &[(Storage, usize)],
) -> Result<(), String> {
    match &s.graph().node(read).op {
        Op::Leaf(Leaf::State(i)) => match written.iter().find(|(p, _)| *p == Storage::State(*i)) {
            Some((_, before)) => Err(format!("kernel {k} reads state {i}, which kernel {before} has assigned")),
            None => Ok(()),
        },
        Op::Leaf(_) => Ok(()),
        _ if stored[read.index()].is_some() => Ok(()),
        _ => Err(format!("kernel {k} reads {read}, which no earlier kernel stores")),
    }
}

fn check_roots(s: &Schedule, stored: &[Option<usize>]) -> Result<(), String> {
    let roots = &s.program.roots;
    for root in roots.all() {
        let base = s.base(root);
        if stored[base.index()].is_none() && !matches!(s.graph().node(base).op, Op::Leaf(_)) {
            return Err(format!("root {root} is not stored"));
        }
    }
    for (param, gradient) in &roots.gradients {
        if s.storage(*gradient) != Some(Storage::Grad(*param)) {
            return Err(format!("the gradient of parameter {param} lies in {:?}", s.storage(*gradient)));
        }
    }
    for assign in &roots.assigns {
        if !matches!(s.storage(*assign), Some(Storage::State(_))) {
            return Err(format!("{assign} assigns {:?}, no state", s.storage(*assign)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declaration::Fusion;
    use crate::schedule::{Form, Kernel, ParamPlan, ProgramKind, Target, program, schedule};

    /// The Step program of a network with states, parameters and several kernels.
    fn step(fusion: Fusion) -> Schedule {
        let text = "pub Net { input x: [1, 6, 6]; target c: class<3>;
            Conv2d<5, 3>; BatchNorm; Relu; MaxPool2d<2>; Flatten; Linear<3>; loss: CrossEntropy(_, c); }";
        let (declarations, _, errors) = crate::lower::frontend(text.parse().unwrap());
        assert!(errors.is_empty());
        let module = &declarations[0].members[0].module;
        let program = program::program(module, ProgramKind::Step).unwrap();
        let target = Target::cpu(fusion);
        schedule(module, &ParamPlan::new(module, target.order), &program, &target)
    }

    fn refused(name: &str, expected: &str, plant: impl Fn(&mut Schedule)) {
        for fusion in [Fusion::On, Fusion::Off] {
            let mut s = step(fusion);
            assert_eq!(verify(&s), Ok(()));
            plant(&mut s);
            let found = verify(&s).expect_err(name);
            assert!(found.contains(expected), "{name} ({fusion:?}): {found}");
        }
    }

    #[test]
    fn planted_violations_are_refused() {
        refused("a kernel too early", "which no earlier kernel stores", |s| {
            let last = s.kernels.pop().unwrap();
            let reader = s.kernels.iter().rposition(|k| k.reads.iter().any(|r| s.storage(*r) == Some(Storage::Batch)));
            let reader = s.kernels.remove(reader.unwrap());
            s.kernels.insert(0, reader);
            s.kernels.push(last);
        });
        refused("a root forgotten", "is not stored", |s| {
            let root = s.program.roots.assigns[0];
            s.kernels.iter_mut().for_each(|k| k.stores.retain(|v| *v != root));
        });
        refused("a value stored twice", "both store", |s| {
            let first = s.kernels.iter().find(|k| !k.stores.is_empty()).unwrap().clone();
            s.kernels.push(Kernel { reads: Vec::new(), ..first });
        });
        refused("a store of what is not computed", "does not compute", |s| {
            let stored = s.kernels[0].stores[0];
            s.kernels[0].nodes.retain(|v| *v != stored);
        });
        refused("an old state read too late", "has assigned", |s| {
            let state = s.graph().leaf(Leaf::State(0)).unwrap();
            s.kernels.push(Kernel { form: Form::Scalar, nodes: Vec::new(), reads: vec![state], stores: Vec::new() });
        });
        refused("one slot, two gradients", "both write Grad", |s| {
            let [(first, _), (_, second), ..] = s.program.roots.gradients[..] else { panic!("two gradients") };
            let base = s.base(second);
            s.storage[base.index()] = Some(Storage::Grad(first));
        });
        refused("a gradient elsewhere", "the gradient of parameter", |s| {
            let (_, gradient) = s.program.roots.gradients[0];
            let base = s.base(gradient);
            s.storage[base.index()] = Some(Storage::Fixed);
        });
        refused("a parameter written", "which programs only read", |s| {
            let (param, gradient) = s.program.roots.gradients[0];
            let base = s.base(gradient);
            s.storage[base.index()] = Some(Storage::Param(param));
        });
        refused("a value without a place", "has no place", |s| {
            let stored = s.kernels[0].stores[0];
            s.storage[stored.index()] = None;
        });
    }
}
