//! Where a worker keeps what only a chain reads: each value from the step that makes it, or first reads it, to the last that
//! reads it, two values in the same place only if no step touches both.
//!
//! A step reads and stores its values in any order, so whatever it reads is alive throughout it, and so is what it stores: a
//! result never lies where an operand of its own step lies.

use super::{Chain, Slot};
use crate::graph::Value;
use crate::schedule::Schedule;
use crate::schedule::gaps::Gaps;
use crate::schedule::layout::LANES;
use std::collections::{HashMap, HashSet};

/// A slot for each value of the chain that lies in scratch; by value.
pub fn slots(s: &Schedule, chain: &Chain) -> Vec<Slot> {
    let touched = touched(s, chain);
    let end = chain.steps.len();
    let exports: HashSet<Value> = chain.exports.iter().copied().collect();
    let mut slots: Vec<Slot> = values(s, chain)
        .into_iter()
        .map(|value| {
            let floats = s.graph().shape(value).numel() * LANES;
            let (first, last) = touched.get(&value).copied().unwrap_or((0, end));
            // Exports are read behind the last step.
            let alive = (first, if exports.contains(&value) { end } else { last });
            Slot { value, offset: 0, floats, alive }
        })
        .collect();
    slots.sort_by_key(|slot| (std::cmp::Reverse(slot.floats), slot.alive.0, slot.value));
    let mut gaps = Gaps::new(end + 1);
    for slot in &mut slots {
        slot.offset = gaps.lowest(slot.alive, slot.floats);
        gaps.take(slot.alive, slot.offset, slot.floats);
    }
    slots.sort_unstable_by_key(|slot| slot.value);
    slots
}

/// Imports, and what the steps store that has a batch and is not shared with other chains.
fn values(s: &Schedule, chain: &Chain) -> Vec<Value> {
    let shared: HashSet<Value> = chain.shared.iter().copied().collect();
    let own = chain.steps.iter().flat_map(|step| step.stores());
    let own = own.filter(|v| s.graph().shape(*v).batch && !shared.contains(v));
    chain.imports.iter().copied().chain(own).collect()
}

/// The first and last step that touch each value.
fn touched(s: &Schedule, chain: &Chain) -> HashMap<Value, (usize, usize)> {
    let mut touched: HashMap<Value, (usize, usize)> = HashMap::new();
    for (i, step) in chain.steps.iter().enumerate() {
        for value in step.stores().chain(step.reads(s)) {
            touched.entry(value).or_insert((i, i)).1 = i;
        }
    }
    touched
}
