//! Where a worker keeps what only a chain reads: each value from the step that makes it, or first reads it, to the last that
//! reads it, two values in the same place only if no step touches both.
//!
//! A step reads and stores its values in any order, so whatever it reads is alive throughout it, and so is what it stores: a
//! result never lies where an operand of its own step lies.

use super::{Chain, Slot};
use crate::graph::Value;
use crate::schedule::Schedule;
use crate::schedule::layout::LANES;

/// A slot for each value of the chain that lies in scratch; by value.
pub fn slots(s: &Schedule, chain: &Chain) -> Vec<Slot> {
    let mut wanted: Vec<Slot> = values(s, chain)
        .into_iter()
        .map(|value| {
            let floats = s.graph().shape(value).numel() * LANES;
            Slot { value, offset: 0, floats, alive: alive(s, chain, value) }
        })
        .collect();
    wanted.sort_by_key(|slot| (std::cmp::Reverse(slot.floats), slot.alive.0, slot.value));
    let mut placed: Vec<Slot> = Vec::new();
    for mut slot in wanted {
        let together = |other: &&Slot| other.alive.0 <= slot.alive.1 && slot.alive.0 <= other.alive.1;
        let taken = placed.iter().filter(together).map(|other| (other.offset, other.offset + other.floats)).collect();
        slot.offset = lowest_gap(taken, slot.floats);
        placed.push(slot);
    }
    placed.sort_unstable_by_key(|slot| slot.value);
    placed
}

/// Imports, and what the steps store that has a batch and is not shared with other chains.
pub fn values(s: &Schedule, chain: &Chain) -> Vec<Value> {
    let own = chain.steps.iter().flat_map(|step| step.stores());
    let own = own.filter(|v| s.graph().shape(*v).batch && !chain.shared.contains(v));
    chain.imports.iter().copied().chain(own).collect()
}

/// The first and last step that touch a value; exports are read behind the last step.
pub fn alive(s: &Schedule, chain: &Chain, value: Value) -> (usize, usize) {
    let end = chain.steps.len();
    let touches = |i: &usize| {
        let step = &chain.steps[*i];
        step.stores().any(|v| v == value) || step.reads(s).contains(&value)
    };
    let first = (0..end).find(touches).unwrap_or(0);
    let last = if chain.exports.contains(&value) { end } else { (0..end).rev().find(touches).unwrap_or(end) };
    (first, last)
}

/// The lowest offset at which so many floats lie between these ranges, which may overlap each other.
pub fn lowest_gap(mut taken: Vec<(usize, usize)>, floats: usize) -> usize {
    taken.sort_unstable();
    let mut offset = 0;
    for (start, end) in taken {
        if offset + floats <= start {
            break;
        }
        offset = offset.max(end);
    }
    offset
}
