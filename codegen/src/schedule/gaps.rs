//! Where in an arena so many floats are free for so long.
//!
//! A tree over time: a tenant is entered at the few nodes whose spans make up its life, and the ranges of a node are joined where
//! they touch. So a question visits a few sets of ranges for each level of the tree, and jumps over whole runs of tenants.

use std::collections::BTreeMap;

/// Disjoint ranges that do not touch each other, by their start.
#[derive(Clone, Debug, Default)]
struct Ranges(BTreeMap<usize, usize>);

impl Ranges {
    fn insert(&mut self, mut start: usize, mut end: usize) {
        while let Some((s, e)) = self.0.range(..=end).next_back().map(|(s, e)| (*s, *e)).filter(|(_, e)| *e >= start) {
            (start, end) = (start.min(s), end.max(e));
            self.0.remove(&s);
        }
        self.0.insert(start, end);
    }

    /// The end of the last range that meets this one.
    fn behind(&self, start: usize, end: usize) -> Option<usize> {
        self.0.range(..end).next_back().map(|(_, e)| *e).filter(|e| *e > start)
    }
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// Of tenants that live throughout the node's span, but not throughout its parent's.
    here: Ranges,
    /// Of tenants that are entered at nodes below.
    below: Ranges,
}

/// The ranges that are taken, and when.
#[derive(Clone, Debug)]
pub struct Gaps {
    /// The children of node i are 2·i and 2·i + 1; the root is node 1.
    nodes: Vec<Node>,
}

impl Gaps {
    /// For lives within so many moments.
    pub fn new(moments: usize) -> Gaps {
        Gaps { nodes: vec![Node::default(); 2 * moments.max(1).next_power_of_two()] }
    }

    /// The nodes whose spans make up this life, both ends inclusive.
    fn spans(&self, (first, last): (usize, usize)) -> Vec<usize> {
        let leaves = self.nodes.len() / 2;
        let (mut from, mut to) = (first + leaves, last + leaves + 1);
        let mut spans = Vec::new();
        while from < to {
            if from % 2 == 1 {
                spans.push(from);
                from += 1;
            }
            if to % 2 == 1 {
                to -= 1;
                spans.push(to);
            }
            (from, to) = (from / 2, to / 2);
        }
        spans
    }

    /// The lowest offset at which so many floats are free throughout a life.
    pub fn lowest(&self, alive: (usize, usize), floats: usize) -> usize {
        let mut taken: Vec<&Ranges> = Vec::new();
        let mut above: Vec<usize> = Vec::new();
        for span in self.spans(alive) {
            taken.extend([&self.nodes[span].here, &self.nodes[span].below]);
            above.extend(std::iter::successors(Some(span / 2), |node| Some(node / 2)).take_while(|node| *node > 0));
        }
        above.sort_unstable();
        above.dedup();
        taken.extend(above.iter().map(|node| &self.nodes[*node].here));
        taken.retain(|ranges| !ranges.0.is_empty());
        let mut offset = 0;
        while let Some(end) = taken.iter().find_map(|ranges| ranges.behind(offset, offset + floats)) {
            offset = end;
        }
        offset
    }

    pub fn take(&mut self, alive: (usize, usize), offset: usize, floats: usize) {
        for span in self.spans(alive) {
            self.nodes[span].here.insert(offset, offset + floats);
            let mut node = span / 2;
            while node > 0 {
                self.nodes[node].below.insert(offset, offset + floats);
                node /= 2;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the definition says it.
    fn lowest(placed: &[((usize, usize), usize, usize)], alive: (usize, usize), floats: usize) -> usize {
        let meets = |a: (usize, usize)| a.0 <= alive.1 && alive.0 <= a.1;
        let free = |offset: &usize| {
            placed.iter().all(|(a, at, size)| !meets(*a) || offset + floats <= *at || at + size <= *offset)
        };
        (0..).find(free).expect("behind all there is room")
    }

    #[test]
    fn the_lowest_gap_is_found_as_by_looking_everywhere() {
        let mut state = 1u64;
        let mut draw = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % below) as usize
        };
        for moments in [1, 2, 7, 40] {
            let (mut gaps, mut placed) = (Gaps::new(moments), Vec::new());
            for _ in 0..120 {
                let (a, b, floats) = (draw(moments as u64), draw(moments as u64), 1 + draw(9));
                let alive = (a.min(b), a.max(b));
                let offset = gaps.lowest(alive, floats);
                assert_eq!(offset, lowest(&placed, alive, floats));
                gaps.take(alive, offset, floats);
                placed.push((alive, offset, floats));
            }
        }
    }
}
