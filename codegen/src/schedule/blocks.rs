//! Chains of small convolutions and maps that stay within a sample: one block of threads takes a sample through all of
//! them, and what only they read never leaves shared memory.
//!
//! For networks of few channels (LeNet), whose layers are bound by starting them and by their traffic rather than by
//! arithmetic. Nothing that looks across samples, and nothing big, belongs here.

use super::form::Form;
use super::launches::work;
use super::{Kernel, Schedule, Target};
use crate::graph::Value;
use crate::graph::op::ConvRole;
use std::collections::{HashMap, HashSet};

/// Kernels that one block of threads runs one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    let mut links = Links::of(s);
    let mut k = 0;
    while k < s.kernels.len() {
        let chain = links.chain(k);
        let conv = |k: &usize| matches!(s.kernels[*k].form, Form::Conv { .. });
        if chain.len() > 1 && chain.iter().any(conv) {
            join(s, &chain);
            links = Links::of(s);
        }
        k += 1;
    }
}

/// What chains are made by, of each kernel. It stays right until kernels are joined.
struct Links {
    /// The kernels that store what it reads.
    sources: Vec<Vec<usize>>,
    /// Floats that it stores, if it may be in a chain.
    floats: Vec<Option<usize>>,
}

impl Links {
    fn of(s: &Schedule) -> Links {
        let mut makers: HashMap<Value, usize> = HashMap::new();
        let mut merged: HashSet<Value> = HashSet::new();
        for (k, kernel) in s.kernels.iter().enumerate() {
            for value in &kernel.stores {
                makers.entry(*value).or_insert(k);
            }
            if let Form::Moments { x, tiled: true, .. } = kernel.form {
                merged.insert(x);
            }
        }
        let sources = |kernel: &Kernel| kernel.reads.iter().filter_map(|v| makers.get(v).copied()).collect();
        let floats = |kernel: &Kernel| {
            let serves = kernel.stores.iter().any(|v| merged.contains(v));
            (!serves && fits(s, kernel)).then(|| stored_floats(s, kernel))
        };
        Links { sources: s.kernels.iter().map(sources).collect(), floats: s.kernels.iter().map(floats).collect() }
    }

    /// Kernels from `first` on that can run behind it within a sample.
    fn chain(&self, first: usize) -> Vec<usize> {
        let Some(mut floats) = self.floats[first] else { return Vec::new() };
        let mut chain = vec![first];
        for k in first + 1..self.sources.len() {
            let Some(more) = self.floats[k] else { continue };
            let sources = &self.sources[k];
            let inside = sources.iter().any(|k| chain.contains(k));
            let early = sources.iter().all(|k| chain.contains(k) || *k < first);
            if inside && early && floats + more <= SHARED {
                floats += more;
                chain.push(k);
            }
        }
        chain
    }
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

fn join(s: &mut Schedule, chain: &[usize]) {
    let stages: Vec<Stage> = chain
        .iter()
        .map(|k| {
            let Kernel { form, nodes, stores, .. } = s.kernels[*k].clone();
            Stage { form, nodes, stores }
        })
        .collect();
    let all: Vec<Value> = stages.iter().flat_map(|stage| stage.stores.iter().copied()).collect();
    let mut reads: Vec<Value> = chain.iter().flat_map(|k| s.kernels[*k].reads.iter().copied()).collect();
    reads.retain(|v| !all.contains(v));
    reads.sort_unstable();
    reads.dedup();
    let mut nodes: Vec<Value> = Vec::new();
    for value in stages.iter().flat_map(|stage| &stage.nodes) {
        if !nodes.contains(value) {
            nodes.push(*value);
        }
    }
    let stores = all.iter().copied().filter(|v| s.is_needed_outside(*v, chain)).collect();
    s.kernels[chain[0]] = Kernel { form: Form::Block(stages), nodes, reads, stores };
    for k in chain[1..].iter().rev() {
        s.kernels.remove(*k);
    }
}

/// Values of a block that live in shared memory, and where: all that later stages read.
pub fn resident(s: &Schedule, kernel: &Kernel) -> Vec<(Value, usize)> {
    let Form::Block(stages) = &kernel.form else { return Vec::new() };
    let mut list = Vec::new();
    for (i, stage) in stages.iter().enumerate() {
        for value in &stage.stores {
            let read = stages[i + 1..].iter().any(|later| {
                later.nodes.iter().any(|n| s.graph().node(*n).inputs.iter().any(|input| s.base(*input) == *value))
            });
            if read {
                list.push((*value, s.layout(*value).size));
            }
        }
    }
    list
}
