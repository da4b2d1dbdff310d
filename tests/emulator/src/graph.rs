//! Launch tables: whether one is sound, and an order in which its nodes may run.

use kiln::__private::cuda::{Node, Region, Run};
use kiln::__private::plan::Access;

/// What a node touches: its regions, and its `KilnRun`.
pub fn regions(node: &Node) -> Vec<Region> {
    let run = Region { name: "run".into(), at: node.run, bytes: size_of::<Run>(), access: Access::Read };
    node.regions.iter().cloned().chain([run]).filter(|region| region.bytes > 0).collect()
}

/// Finds two nodes that touch the same memory in no order, one of them writing.
pub fn check(nodes: &[Node]) -> Result<(), String> {
    for (i, node) in nodes.iter().enumerate() {
        if let Some(&after) = node.after.iter().find(|&&after| after >= i) {
            let other = nodes.get(after).map_or("which does not exist", |other| other.name.as_str());
            return Err(format!(
                "node {i} (`{}`) comes after node {after} ({other}): expected an earlier node",
                node.name
            ));
        }
    }
    let regions: Vec<_> = nodes.iter().map(regions).collect();
    let before = ancestors(nodes);
    for late in 0..nodes.len() {
        for early in 0..late {
            if before[late][early] {
                continue;
            }
            for a in &regions[early] {
                for b in &regions[late] {
                    conflict((early, &nodes[early], a), (late, &nodes[late], b))?;
                }
            }
        }
    }
    Ok(())
}

/// For each node, whether each other is reached over `after`.
fn ancestors(nodes: &[Node]) -> Vec<Vec<bool>> {
    let mut all: Vec<Vec<bool>> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let mut own = vec![false; nodes.len()];
        for &after in &node.after {
            own[after] = true;
            own.iter_mut().zip(&all[after]).for_each(|(own, other)| *own |= other);
        }
        all.push(own);
    }
    all
}

fn conflict(a: (usize, &Node, &Region), b: (usize, &Node, &Region)) -> Result<(), String> {
    let range = |region: &Region| (region.at, region.at + region.bytes as u64);
    let ((a_begin, a_end), (b_begin, b_end)) = (range(a.2), range(b.2));
    let reads = |region: &Region| region.access == Access::Read;
    let (begin, end) = (a_begin.max(b_begin), a_end.min(b_end));
    if begin >= end || (reads(a.2) && reads(b.2)) {
        return Ok(());
    }
    let side = |(i, node, region): (usize, &Node, &Region)| {
        let does = match region.access {
            Access::Read => "reads",
            Access::Write => "writes",
            Access::ReadWrite => "reads and writes",
        };
        let (begin, end) = range(region);
        format!("node {i} (`{}`) {does} `{}`, bytes {begin:#x}..{end:#x}", node.name, region.name)
    };
    Err(format!(
        "no path between two nodes that touch the same {} bytes, {begin:#x}..{end:#x}: {}; {}",
        end - begin,
        side(a),
        side(b)
    ))
}

/// An order of nodes that respects `after`. Schedule 0: as listed; 1: of those that can run the last; above: at random.
pub fn order(nodes: &[Node], schedule: u64) -> Vec<usize> {
    let mut waits: Vec<usize> = nodes.iter().map(|node| node.after.len()).collect();
    let mut ready: Vec<usize> = (0..nodes.len()).filter(|&i| waits[i] == 0).collect();
    let mut random = schedule.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut order = Vec::with_capacity(nodes.len());
    while !ready.is_empty() {
        ready.sort_unstable();
        let next = ready.remove(match schedule {
            0 => 0,
            1 => ready.len() - 1,
            _ => {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (random >> 33) as usize % ready.len()
            }
        });
        order.push(next);
        for (i, node) in nodes.iter().enumerate() {
            let edges = node.after.iter().filter(|&&after| after == next).count();
            waits[i] -= edges;
            if edges > 0 && waits[i] == 0 {
                ready.push(i);
            }
        }
    }
    order
}
