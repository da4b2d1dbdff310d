//! What must hold of a finished schedule, whatever fused it: kernels run in order and communicate through stored values
//! only, so whoever reads comes after whoever stores, and each place is written once; and within a kernel everybody computes
//! with the elements that they ask for. Memory is verified by `memory`, which knows offsets.

mod alike;
pub mod elements;
mod lanes;
mod operands;

use super::layout::Order;
use super::{Kernel, ProgramKind, Schedule, Storage, Uses, parts};
use crate::graph::Value;
use crate::graph::op::{Leaf, Op};
use std::collections::{HashMap, HashSet};

/// Refuses a plan that a verifier has found wrong: no program is better than one that computes something else. Every plan is
/// verified, not only those of debug builds.
pub fn demand(program: ProgramKind, found: Result<(), String>) {
    if let Err(why) = found {
        panic!(
            "this is a fault of Kiln, not of your network: its plan for `{}` would compute something else ({why}). \
             Please report the network; `#[fusion(off)]` above it gives it a plan of single kernels until then",
            program.name()
        );
    }
}

/// The first violation, naming kernel and value.
pub fn verify(s: &Schedule) -> Result<(), String> {
    let mut stored: Vec<Option<usize>> = vec![None; s.graph().nodes.len()];
    // States, gradients: a place of which there is one.
    let mut written: HashMap<Storage, usize> = HashMap::new();
    for (k, kernel) in s.kernels.iter().enumerate() {
        for &read in &kernel.reads {
            check_read(s, k, read, &stored, &written)?;
        }
        let own: HashSet<Value> = kernel.nodes.iter().copied().collect();
        for &value in &kernel.stores {
            if !own.contains(&value) {
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
                    if let Some(before) = written.insert(place, k) {
                        return Err(format!("kernels {before} and {k} both write {place:?}"));
                    }
                }
            }
        }
    }
    check_roots(s, &stored)?;
    let uses = Uses::of(s);
    for (k, kernel) in s.kernels.iter().enumerate() {
        let own: HashSet<Value> = kernel.nodes.iter().copied().collect();
        let read: HashSet<Value> = kernel.reads.iter().copied().collect();
        for &value in &kernel.nodes {
            for operand in s.graph().node(value).inputs.iter().map(|v| s.base(*v)) {
                if !own.contains(&operand) && !waits_for(s, &uses, operand, |v| read.contains(v)) {
                    return Err(format!(
                        "kernel {k} computes {value} of {operand}, which it neither reads nor computes"
                    ));
                }
            }
        }
    }
    // CUDA's loops take every element's index apart, whatever shares a kernel.
    if s.order == Order::Blocked {
        let turned = operands::turned(s);
        let mut known: HashSet<alike::Key> = HashSet::new();
        for (k, kernel) in s.kernels.iter().enumerate() {
            if alike::key(s, kernel).is_some_and(|key| !known.insert(key)) {
                continue;
            }
            let found = elements::verify(s, kernel).and_then(|()| operands::verify(s, kernel, &turned));
            found.map_err(|why| format!("kernel {k} ({}): {why}", kernel.form.name()))?;
        }
    }
    Ok(())
}

/// Whether a kernel that reads these values waits for all that lies where this one does.
fn waits_for(s: &Schedule, uses: &Uses, value: Value, reads: impl Fn(&Value) -> bool) -> bool {
    parts::sources(s, uses, s.base(value)).iter().all(reads)
}

/// Refuses a printed launch that points to something else than what the plan says that its kernels read and store: nobody would
/// have kept that for it. `writes` says that it is not only read.
pub fn demand_pointer(
    program: ProgramKind,
    (s, uses): (&Schedule, &Uses),
    kernels: &[&Kernel],
    value: Value,
    writes: bool,
) {
    let stores = |kernel: &&Kernel| kernel.stores.contains(&s.base(value));
    let reads = |kernel: &&Kernel| waits_for(s, uses, value, |v| kernel.reads.contains(v));
    let is_their_own = kernels.iter().any(|kernel| stores(kernel) || !writes && reads(kernel));
    let names: Vec<&str> = kernels.iter().map(|kernel| kernel.form.name()).collect();
    let found = if is_their_own { Ok(()) } else { Err(format!("{} points to {value}", names.join(", "))) };
    demand(program, found);
}

fn check_read(
    s: &Schedule,
    k: usize,
    read: Value,
    stored: &[Option<usize>],
    written: &HashMap<Storage, usize>,
) -> Result<(), String> {
    match &s.graph().node(read).op {
        Op::Leaf(Leaf::State(i)) => match written.get(&Storage::State(*i)) {
            Some(before) => Err(format!("kernel {k} reads state {i}, which kernel {before} has assigned")),
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
mod tests;
