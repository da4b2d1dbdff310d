//! What runs when: kernels become launches, and independent small ones share a launch.
//!
//! A kernel whose sum is cut into parts has two phases, the second of which adds the parts up in order. Every phase gets
//! the earliest level at which all it depends on is done; phases of one level are independent. A gradient kernel that
//! updates its parameter in place depends on everybody who reads the old value, so that an update never comes before the
//! last reader. On the CPU a kernel is a launch and a level of its own.

use super::form::Form;
use super::{Kernel, Schedule, Storage, Target, moments};
use crate::graph::Value;
use crate::graph::op::ConvRole;

/// A phase of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub kernel: usize,
    pub phase: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    pub parts: Vec<Part>,
    pub level: usize,
}

/// Order of launches, and what they do to parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launches {
    pub list: Vec<Launch>,
    /// First and last level of each kernel.
    pub levels: Vec<(usize, usize)>,
    /// Parameters whose gradient's kernel updates them.
    pub updated: Vec<usize>,
}

/// Kernels below this many floating-point operations per sample share launches: they are bound by starting.
const SMALL: usize = 4 << 20;

/// What a phase may depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Value(Value),
    Stored(Storage),
    Partials(usize),
}

struct Unit {
    part: Part,
    reads: Vec<Place>,
    writes: Vec<Place>,
    level: usize,
}

pub fn launches(s: &Schedule, target: &Target) -> Launches {
    if !target.gathers {
        let list = (0..s.kernels.len()).map(|kernel| Launch { parts: vec![Part { kernel, phase: 0 }], level: kernel });
        let levels = (0..s.kernels.len()).map(|k| (k, k)).collect();
        return Launches { list: list.collect(), levels, updated: Vec::new() };
    }
    let updated = updated(s);
    let mut units = units(s, &updated);
    for i in 0..units.len() {
        let (before, rest) = units.split_at_mut(i);
        let unit = &mut rest[0];
        let overlap = |a: &[Place], b: &[Place]| a.iter().any(|place| b.contains(place));
        let depends = |v: &&Unit| {
            overlap(&v.writes, &unit.reads) || overlap(&v.reads, &unit.writes) || overlap(&v.writes, &unit.writes)
        };
        unit.level = before.iter().filter(depends).map(|v| v.level + 1).max().unwrap_or(0);
    }
    let mut levels = vec![(usize::MAX, 0); s.kernels.len()];
    for unit in &units {
        let (first, last) = &mut levels[unit.part.kernel];
        (*first, *last) = ((*first).min(unit.level), (*last).max(unit.level));
    }
    units.sort_by_key(|u| u.level);
    let mut list: Vec<Launch> = Vec::new();
    for Unit { part, level, .. } in units {
        let small = |p: &Part| work(&s.kernels[p.kernel]) <= SMALL;
        let shares = |l: &&mut Launch| l.level == level && target.fusion && small(&part) && l.parts.iter().all(small);
        match list.iter_mut().find(shares) {
            Some(launch) => launch.parts.push(part),
            None => list.push(Launch { parts: vec![part], level }),
        }
    }
    Launches { list, levels, updated }
}

/// Parameters that nobody reads once their gradient is there.
fn updated(s: &Schedule) -> Vec<usize> {
    let eligible = |(param, gradient): &(usize, Value)| {
        let made = s.kernels.iter().position(|k| k.stores.contains(gradient))?;
        let reads = |k: &Kernel| k.reads.iter().any(|v| s.storage(*v) == Some(Storage::Param(*param)));
        (!s.kernels[made..].iter().any(reads)).then_some(*param)
    };
    s.program.roots.gradients.iter().filter_map(eligible).collect()
}

fn units(s: &Schedule, updated: &[usize]) -> Vec<Unit> {
    let place = |value: Value| match s.storage(value) {
        Some(storage @ (Storage::Param(_) | Storage::State(_) | Storage::Grad(_) | Storage::Port(_))) => {
            Place::Stored(storage)
        }
        Some(Storage::Batch | Storage::Fixed) | None => Place::Value(s.base(value)),
    };
    let mut units = Vec::new();
    for (kernel, k) in s.kernels.iter().enumerate() {
        let phases = phases(k);
        for phase in 0..phases {
            let mut reads: Vec<Place> = k.reads.iter().map(|v| place(*v)).collect();
            let mut writes: Vec<Place> = Vec::new();
            if phase > 0 || moments::producer(s, k).is_some() {
                reads.push(Place::Partials(kernel));
            }
            if let Some((served, _)) = moments::served(s, k) {
                writes.push(Place::Partials(served));
            }
            if phase + 1 < phases {
                writes.push(Place::Partials(kernel));
            } else {
                for value in &k.stores {
                    writes.push(place(*value));
                    if let Some(Storage::Grad(p)) = s.storage(*value)
                        && updated.contains(&p)
                    {
                        writes.push(Place::Stored(Storage::Param(p)));
                    }
                }
            }
            units.push(Unit { part: Part { kernel, phase }, reads, writes, level: 0 });
        }
    }
    units
}

/// How many launches a CUDA kernel takes.
pub fn phases(kernel: &Kernel) -> usize {
    match &kernel.form {
        Form::Column { iter, reduced } if reduced.batch && chunked(iter, reduced) => 2,
        Form::ConvWeight { chunks, .. } if *chunks > 1 => 2,
        Form::Moments { iter, tiled: false, .. } if iter.pixels >= 64 => 2,
        _ => 1,
    }
}

/// Whether a sum over the batch has so many terms per sample that parts of it are added by different blocks.
fn chunked(iter: &super::Iter, reduced: &super::Reduced) -> bool {
    let pixels = if reduced.pixels { iter.pixels } else { 1 };
    let channels = if reduced.channels { iter.channels } else { 1 };
    pixels * channels >= 64
}

/// Floating-point operations per sample, about.
pub fn work(kernel: &Kernel) -> usize {
    match &kernel.form {
        Form::Dense(d) => 2 * d.outputs * d.channels * d.pixels,
        Form::Conv { geometry: g, .. } | Form::ConvWeight { geometry: g, .. } => {
            let taps = g.kernel[0] * g.kernel[1];
            match &kernel.form {
                Form::Conv { role: ConvRole::Input, .. } => 2 * g.channels * g.input[0] * g.input[1] * taps * g.outputs,
                _ => 2 * g.outputs * g.output[0] * g.output[1] * taps * g.channels,
            }
        }
        Form::Map(i) | Form::Row { iter: i, .. } | Form::Column { iter: i, .. } | Form::Moments { iter: i, .. } => {
            i.channels * i.pixels * kernel.nodes.len()
        }
        // As long as its convolutions, and started once.
        Form::Block(_) => 0,
        Form::DenseTransposed(_) | Form::ConvFlipped { .. } | Form::Window { .. } | Form::Scalar => usize::MAX,
    }
}
