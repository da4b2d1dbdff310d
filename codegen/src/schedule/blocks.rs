//! Chains of small convolutions and maps that stay within a sample: one block of threads takes a sample through all of
//! them, and what only they read never leaves shared memory.
//!
//! For networks of few channels (LeNet), whose layers are bound by starting them and by their traffic rather than by
//! arithmetic. Nothing that looks across samples, and nothing big, belongs here.

use super::form::Form;
use super::launches::work;
use super::{Kernel, Schedule, Target, Uses};
use crate::graph::Value;
use crate::graph::op::ConvRole;
use std::collections::{BTreeSet, HashSet};

/// Kernels that one block of threads runs one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stage {
    pub form: Form,
    pub nodes: Vec<Value>,
    /// What later stages read, or other kernels.
    pub stores: Vec<Value>,
}

/// Floats that a chain may keep in shared memory.
const SHARED: usize = 11 << 10;
/// Floating-point operations of a stage, per sample.
const STAGE_WORK: usize = 1 << 20;

/// Joins chains. Runs before values are given storage: a value that only its own chain reads needs none.
pub fn blocks(s: &mut Schedule, target: &Target) {
    if !target.fusion || !target.sample_blocks {
        return;
    }
    let mut uses = Uses::of(s);
    for k in 0..s.kernels.len() {
        let chain = chain(s, &uses, k);
        let conv = |k: &usize| matches!(s.kernels[*k].form, Form::Conv { .. });
        if chain.len() > 1 && chain.iter().any(conv) {
            join(s, &mut uses, &chain.into_iter().collect::<Vec<_>>());
        }
    }
    uses.finish(s);
}

/// Kernels from `first` on that can run behind it within a sample.
fn chain(s: &Schedule, uses: &Uses, first: usize) -> BTreeSet<usize> {
    // Tiles that serve a moments kernel are the template's own.
    let serves = |kernel: &Kernel| kernel.stores.iter().any(|v| uses.moments(*v).is_some());
    let may = |k: usize| Some(&s.kernels[k]).filter(|kernel| fits(s, kernel) && !serves(kernel));
    let Some(kernel) = may(first) else { return BTreeSet::new() };
    let mut floats = stored_floats(s, kernel);
    let mut chain = BTreeSet::from([first]);
    // In order: who reads of the chain comes behind whom it reads.
    let mut readers = uses.readers_behind(&kernel.stores, first);
    while let Some(k) = readers.pop_first() {
        let Some(kernel) = may(k) else { continue };
        let early = |v: &Value| uses.maker(*v).is_none_or(|source| chain.contains(&source) || source < first);
        let more = stored_floats(s, kernel);
        if kernel.reads.iter().all(early) && floats + more <= SHARED {
            floats += more;
            chain.insert(k);
            readers.extend(uses.readers_behind(&kernel.stores, k));
        }
    }
    chain
}

/// Whether a kernel may be in a chain, unless its tiles serve a moments kernel.
fn fits(s: &Schedule, kernel: &Kernel) -> bool {
    let right = match &kernel.form {
        Form::Map(iter) => iter.batch,
        Form::Conv { role, geometry, .. } => {
            let outputs = if *role == ConvRole::Forward { geometry.outputs } else { geometry.channels };
            outputs <= 32
        }
        _ => false,
    };
    // A gradient or a state is no sample's.
    let own = kernel.stores.iter().all(|v| s.graph().shape(*v).batch && s.storage(*v).is_none());
    right && own && work(kernel) <= STAGE_WORK
}

fn stored_floats(s: &Schedule, kernel: &Kernel) -> usize {
    kernel.stores.iter().map(|v| s.layout(*v).size.div_ceil(4) * 4).sum()
}

fn join(s: &mut Schedule, uses: &mut Uses, chain: &[usize]) {
    let stages: Vec<Stage> = chain
        .iter()
        .map(|k| {
            let Kernel { form, nodes, stores, .. } = s.kernels[*k].clone();
            Stage { form, nodes, stores }
        })
        .collect();
    let all: Vec<Value> = stages.iter().flat_map(|stage| stage.stores.iter().copied()).collect();
    let mut reads: Vec<Value> = chain.iter().flat_map(|k| s.kernels[*k].reads.iter().copied()).collect();
    let own: HashSet<Value> = all.iter().copied().collect();
    reads.retain(|v| !own.contains(v));
    reads.sort_unstable();
    reads.dedup();
    let mut seen = HashSet::new();
    let nodes = stages.iter().flat_map(|stage| stage.nodes.iter().copied()).filter(|v| seen.insert(*v)).collect();
    let stores = all.iter().copied().filter(|v| uses.is_needed_outside(*v, chain)).collect();
    for k in &chain[1..] {
        uses.remove(s, *k);
    }
    uses.replace(s, chain[0], Kernel { form: Form::Block(stages), nodes, reads, stores });
}

/// Values of a block that live in shared memory, and where: all that later stages read.
pub fn resident(s: &Schedule, kernel: &Kernel) -> Vec<(Value, usize)> {
    let Form::Block(stages) = &kernel.form else { return Vec::new() };
    let mut list = Vec::new();
    // What the stages behind read.
    let mut read: HashSet<Value> = HashSet::new();
    for stage in stages.iter().rev() {
        let resident = stage.stores.iter().rev().filter(|v| read.contains(v));
        list.extend(resident.map(|v| (*v, s.layout(*v).size)));
        read.extend(stage.nodes.iter().flat_map(|n| &s.graph().node(*n).inputs).map(|input| s.base(*input)));
    }
    list.reverse();
    list
}
