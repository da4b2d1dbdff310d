//! Which earlier launches a launch waits for: those that touch the same memory, one of them writing, but not those that others
//! among them wait for anyway.
//!
//! Of the launches that touch a float it suffices to wait for the latest that writes it and for those that read it since: they
//! wait for all that came before.

use super::{Access, Region, Space};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// So far back it is looked whether a launch waits for all that came before another one.
const NEAR: usize = 64;

/// Launches in order, as far as others may have to wait for them.
#[derive(Default)]
pub struct Order {
    /// By their number: whom they wait for.
    after: Vec<Vec<usize>>,
    /// By their number: they wait for all before this one, and perhaps for more.
    closed: Vec<usize>,
    /// Of each space the ranges that are touched, by their start.
    touched: HashMap<Space, BTreeMap<usize, Touched>>,
}

/// Floats that the same launches have touched last.
#[derive(Clone)]
struct Touched {
    end: usize,
    writer: Option<usize>,
    /// Since then.
    readers: Vec<usize>,
}

impl Order {
    /// The launches that the next one waits for, which touches these regions.
    pub fn after(&mut self, regions: &[Region]) -> Vec<usize> {
        let number = self.after.len();
        // What it reads and writes itself, it does in an order of its own; so it asks first.
        let mut candidates = BTreeSet::new();
        for region in regions {
            let touched = self.split(region);
            for part in touched.range(floats(region)).map(|(_, part)| part) {
                candidates.extend(part.writer);
                if region.access != Access::Read {
                    candidates.extend(&part.readers);
                }
            }
        }
        for region in regions {
            self.touch(region, number);
        }
        let after = self.latest(&candidates);
        let closed = self.closed_by(number, &after);
        self.after.push(after.clone());
        self.closed.push(closed);
        after
    }

    /// The ranges of a region's space, none of which reaches over an end of the region.
    fn split(&mut self, region: &Region) -> &mut BTreeMap<usize, Touched> {
        let touched = self.touched.entry(region.space).or_default();
        let floats = floats(region);
        for at in [floats.start, floats.end] {
            if let Some((_, part)) = touched.range_mut(..at).next_back()
                && part.end > at
            {
                let rest = part.clone();
                part.end = at;
                touched.insert(at, rest);
            }
        }
        touched
    }

    fn touch(&mut self, region: &Region, number: usize) {
        let touched = self.split(region);
        let floats = floats(region);
        if region.access != Access::Read {
            let inside: Vec<usize> = touched.range(floats.clone()).map(|(start, _)| *start).collect();
            inside.iter().for_each(|start| drop(touched.remove(start)));
            touched.insert(floats.start, Touched { end: floats.end, writer: Some(number), readers: Vec::new() });
            return;
        }
        let mut gaps = Vec::new();
        let mut at = floats.start;
        for (start, part) in touched.range_mut(floats.clone()) {
            if at < *start {
                gaps.push((at, *start));
            }
            at = part.end;
            // What this launch writes, it need not wait for.
            if part.writer != Some(number) && part.readers.last() != Some(&number) {
                part.readers.push(number);
            }
        }
        if at < floats.end {
            gaps.push((at, floats.end));
        }
        for (start, end) in gaps {
            touched.insert(start, Touched { end, writer: None, readers: vec![number] });
        }
    }

    /// Of these launches, those that no other of them waits for.
    fn latest(&self, candidates: &BTreeSet<usize>) -> Vec<usize> {
        let mut after = Vec::new();
        let mut rest = candidates.clone();
        // Whom launches wait for that were found.
        let mut implied: BTreeSet<usize> = BTreeSet::new();
        let mut closed = 0;
        while let Some(candidate) = rest.last().copied().filter(|candidate| *candidate >= closed) {
            let next = implied.last().copied().map_or(candidate, |i| i.max(candidate));
            rest.remove(&next);
            if !implied.remove(&next) {
                after.push(next);
            }
            closed = closed.max(self.closed[next]);
            implied.extend(&self.after[next]);
        }
        after.reverse();
        after
    }

    /// Before which launch a new one, number `number`, surely waits for all.
    fn closed_by(&self, number: usize, after: &[usize]) -> usize {
        let mut closed = after.iter().map(|other| self.closed[*other]).max().unwrap_or(0);
        if number - closed > NEAR {
            return closed;
        }
        let mut reached: BTreeSet<usize> = BTreeSet::new();
        let mut left: Vec<usize> = after.to_vec();
        while let Some(other) = left.pop() {
            if other >= closed && reached.insert(other) {
                left.extend(&self.after[other]);
            }
        }
        while closed < number && reached.contains(&closed) {
            closed += 1;
        }
        closed
    }
}

/// Where a region lies in its space: ports are numbered, everything else has offsets in one space.
fn floats(region: &Region) -> std::ops::Range<usize> {
    let length = if region.space == Space::Port { 1 } else { region.floats };
    region.offset..region.offset + length
}
