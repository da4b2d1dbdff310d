//! Lifetimes to arena offsets: big values first, each at the lowest offset where nothing alive at the same time lies.
//!
//! A value lives from the kernel that stores it to the last one that reads it; results live to the end. Two arenas are
//! planned: `Batch` (per sample, multiplied by the padded batch at run time) and `Fixed`. Deliberately absent: sharing an
//! operand's memory with the result of the same kernel.

use crate::graph::Value;
use crate::schedule::form::Form;
use crate::schedule::gaps::Gaps;
use crate::schedule::launches::phases;
use crate::schedule::{Kernel, Launches, Order, ProgramKind, Schedule, Storage, Uses};
use crate::schedule::{lanes, moments};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Write;

/// What occupies an arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tenant {
    Value(Value),
    /// Partial results of a kernel.
    Partials(usize),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub tenant: Tenant,
    pub storage: Storage,
    pub offset: usize,
    pub size: usize,
    /// First and last kernel, inclusive.
    pub alive: (usize, usize),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    pub places: Vec<Place>,
    /// Per sample of the padded batch.
    pub batch_floats: usize,
    pub fixed_floats: usize,
    /// Kept from run to run: nothing shares its place.
    pub derived_floats: usize,
    /// Where in `places` a tenant is.
    numbers: HashMap<Tenant, usize>,
}

/// A program with its launches and its memory planned.
#[derive(Clone)]
pub struct Planned {
    pub kind: ProgramKind,
    pub schedule: Schedule,
    pub launches: Launches,
    pub memory: Memory,
}

impl Planned {
    /// The same under the name of another program.
    pub fn named(&self, kind: ProgramKind) -> Planned {
        let mut same = self.clone();
        same.kind = kind;
        same.schedule.program.kind = kind;
        same
    }
}

/// Kernels of one level run at the same time.
pub fn plan(schedule: &Schedule, launches: &Launches, chunks: usize) -> Memory {
    let mut wanted = tenants(schedule, launches, chunks);
    wanted.sort_by_key(|p| (std::cmp::Reverse(p.size), p.alive, p.tenant));
    let mut memory = Memory::default();
    let moments = wanted.iter().map(|p| p.alive.1 + 1).max().unwrap_or(0);
    let mut arenas: HashMap<Storage, Gaps> = HashMap::new();
    for mut place in wanted {
        let arena = arenas.entry(place.storage).or_insert_with(|| Gaps::new(moments));
        place.offset = arena.lowest(place.alive, place.size);
        arena.take(place.alive, place.offset, place.size);
        let total = match place.storage {
            Storage::Batch => &mut memory.batch_floats,
            Storage::Derived => &mut memory.derived_floats,
            _ => &mut memory.fixed_floats,
        };
        *total = (*total).max(place.offset + place.size);
        memory.places.push(place);
    }
    memory.places.sort_by_key(|p| (class(p.storage), p.alive, p.tenant));
    memory.numbers = memory.places.iter().enumerate().map(|(i, p)| (p.tenant, i)).collect();
    memory
}

fn tenants(s: &Schedule, launches: &Launches, chunks: usize) -> Vec<Place> {
    let mut out = Vec::new();
    let end = launches.levels.iter().map(|l| l.1 + 1).max().unwrap_or(0);
    let uses = Uses::of(s);
    // Of values that others lie within: their place in the list.
    let mut wholes: HashMap<Value, usize> = HashMap::new();
    for (k, kernel) in s.kernels.iter().enumerate() {
        for &value in &kernel.stores {
            let storage = s.storage(value).expect("stored values have a class");
            if !matches!(storage, Storage::Batch | Storage::Fixed | Storage::Derived) {
                continue;
            }
            let (first, done) = launches.levels[k];
            let last = uses.readers(value).map(|k| launches.levels[k].1).fold(done, usize::max);
            let kept = storage == Storage::Derived;
            let alive = (if kept { 0 } else { first }, if uses.is_root(value) || kept { end } else { last });
            // Parts live as long as the whole.
            let whole = s.whole(value).whole;
            let tenant = Tenant::Value(whole);
            if let Some(at) = wholes.get(&whole).filter(|_| whole != value) {
                let place: &mut Place = &mut out[*at];
                place.alive = (place.alive.0.min(alive.0), place.alive.1.max(alive.1));
                continue;
            }
            wholes.entry(whole).or_insert(out.len());
            // Whole cache lines, whatever batch an offset is multiplied by. CUDA's padded batches of at least 16 align it
            // already.
            let size = s.layout(whole).size;
            let aligned = storage == Storage::Batch && s.order == Order::ChannelsLast;
            let size = if aligned { size } else { size.div_ceil(16) * 16 };
            out.push(Place { tenant, storage, offset: 0, size, alive });
        }
        if let Some((storage, size)) = partials(s, &uses, kernel, chunks) {
            // Tiles leave theirs when the values are made.
            let first = moments::producer(&uses, kernel).map_or(launches.levels[k].0, |p| launches.levels[p].0);
            let alive = (first, launches.levels[k].1);
            out.push(Place { tenant: Tenant::Partials(k), storage, offset: 0, size, alive });
        }
    }
    out
}

/// Name of an arena; they sort in this order.
fn class(storage: Storage) -> &'static str {
    match storage {
        Storage::Batch => "batch",
        Storage::Derived => "derived",
        _ => "fixed",
    }
}

/// Arena and floats of partial results that a kernel leaves for its second launch, or finds where values were made.
pub fn partials(s: &Schedule, uses: &Uses, kernel: &Kernel, chunks: usize) -> Option<(Storage, usize)> {
    if let Form::Moments { iter, tiled: true, .. } = &kernel.form {
        return Some((Storage::Batch, moments::tile_partials(s, uses, kernel, iter)));
    }
    if s.order == Order::ChannelsLast && phases(kernel) == 1 {
        return None;
    }
    partial_floats(s, kernel, chunks).map(|floats| (Storage::Fixed, floats))
}

fn partial_floats(s: &Schedule, kernel: &Kernel, chunks: usize) -> Option<usize> {
    match &kernel.form {
        Form::Column { iter, reduced } if reduced.batch => {
            let result = crate::schedule::fuse::column_result(*iter, *reduced);
            Some(chunks * kernel.reduces(s).len() * result.vectors() * 16)
        }
        Form::Moments { iter, .. } if s.order == Order::Blocked => Some(chunks * 2 * iter.blocks() * 16),
        Form::Moments { iter, .. } => Some(chunks * 2 * iter.channels),
        Form::Lanes(chain) => match lanes::partials(s, chain).1 {
            0 => None,
            // Sums, and what they have lost.
            floats => Some(chunks * 2 * floats),
        },
        Form::ConvWeight { chunks: own, .. } if *own > 1 => Some(own * s.layout(kernel.anchor(s)).size),
        _ => None,
    }
}

impl Memory {
    pub fn place(&self, tenant: Tenant) -> &Place {
        &self.places[*self.numbers.get(&tenant).expect("a planned tenant")]
    }

    pub fn offset(&self, tenant: Tenant) -> usize {
        self.place(tenant).offset
    }

    /// Stable text: one line per tenant.
    pub fn text(&self) -> String {
        let mut text = format!("batch: {} floats per sample, fixed: {} floats", self.batch_floats, self.fixed_floats);
        text += &if self.derived_floats == 0 {
            "\n".into()
        } else {
            format!(", derived: {} floats\n", self.derived_floats)
        };
        for p in &self.places {
            let class = class(p.storage);
            let who = match p.tenant {
                Tenant::Value(v) => format!("%{}", v.0),
                Tenant::Partials(k) => format!("partials of k{k}"),
            };
            let (first, last) = p.alive;
            writeln!(text, "{class} {:>8}..{:<8} k{first}..k{last}  {who}", p.offset, p.offset + p.size)
                .expect("writing to a string");
        }
        text
    }

    /// Whether whatever a kernel reads lies in memory that holds it at that time, found from schedule and launches alone: a
    /// value is there from the first level of the kernel that stores it to the last level of the last kernel that reads it or
    /// what lies within it; partial results from where they are left to where they are added up; results to the end; what is
    /// kept from run to run always. In all that time no one else may write to a float of it.
    pub fn verify(&self, s: &Schedule, launches: &Launches, chunks: usize) -> Result<(), String> {
        let places: BTreeMap<Tenant, &Place> = self.places.iter().map(|p| (p.tenant, p)).collect();
        for (tenant, needed) in needs(s, launches, chunks) {
            let Some(place) = places.get(&tenant) else { return Err(format!("{tenant:?} has no place")) };
            if place.storage != needed.storage || place.size < needed.size {
                return Err(format!("{tenant:?} has a place for something else"));
            }
            let (first, last) = needed.alive;
            if place.alive.0 > first || place.alive.1 < last {
                return Err(format!("{tenant:?} lives from {first} to {last}, in {:?}", place.alive));
            }
            let arena = match place.storage {
                Storage::Batch => self.batch_floats,
                Storage::Derived => self.derived_floats,
                _ => self.fixed_floats,
            };
            if place.offset + place.size > arena {
                return Err(format!("{tenant:?} ends behind its arena"));
            }
        }
        self.verify_apart()
    }

    /// Whether no two tenants of an arena are in the same place at the same time: in order of time, none moves in where
    /// another one still is.
    fn verify_apart(&self) -> Result<(), String> {
        let mut arrivals: Vec<&Place> = self.places.iter().collect();
        arrivals.sort_by_key(|p| p.alive.0);
        // Of each arena.
        let mut present: HashMap<Storage, Present> = HashMap::new();
        for new in arrivals {
            let Present { by_offset, by_end } = present.entry(new.storage).or_default();
            while let Some((_, offset)) = by_end.first().copied().filter(|(end, _)| *end < new.alive.0) {
                by_end.pop_first();
                by_offset.remove(&offset);
            }
            let below = by_offset.range(..new.offset + new.size).next_back().map(|(_, other)| *other);
            if let Some(other) = below.filter(|other| other.offset + other.size > new.offset) {
                return Err(format!("{:?} and {:?} overlap", new.tenant, other.tenant));
            }
            by_offset.insert(new.offset, new);
            by_end.insert((new.alive.1, new.offset));
        }
        Ok(())
    }
}

/// Who is in an arena at a moment.
#[derive(Default)]
struct Present<'a> {
    by_offset: BTreeMap<usize, &'a Place>,
    /// Ends of their lives, with their offsets.
    by_end: BTreeSet<(usize, usize)>,
}

/// Memory that a tenant needs, whoever planned it: at which levels someone writes or reads it.
struct Need {
    storage: Storage,
    size: usize,
    alive: (usize, usize),
}

fn needs(s: &Schedule, launches: &Launches, chunks: usize) -> BTreeMap<Tenant, Need> {
    let end = launches.levels.iter().map(|l| l.1 + 1).max().unwrap_or(0);
    let uses = Uses::of(s);
    let mut needs: BTreeMap<Tenant, Need> = BTreeMap::new();
    let mut touch = |tenant: Tenant, storage: Storage, size: usize, (first, last): (usize, usize)| {
        let need = needs.entry(tenant).or_insert(Need { storage, size, alive: (first, last) });
        need.alive = (need.alive.0.min(first), need.alive.1.max(last));
    };
    let arena = |v: Value| match s.storage(v) {
        Some(storage @ (Storage::Batch | Storage::Fixed | Storage::Derived)) => Some(storage),
        _ => None,
    };
    for (k, kernel) in s.kernels.iter().enumerate() {
        // Who computes with a value that it does not make reads it, whatever `reads` says.
        let own: HashSet<Value> = kernel.nodes.iter().copied().collect();
        let operands = kernel.nodes.iter().flat_map(|v| &s.graph().node(*v).inputs).map(|v| s.base(*v));
        let operands = operands.filter(|v| !own.contains(v));
        for value in operands.chain(kernel.reads.iter().copied()).chain(kernel.stores.iter().copied()) {
            let Some(storage) = arena(value) else { continue };
            let whole = s.whole(value).whole;
            touch(Tenant::Value(whole), storage, s.layout(whole).size, launches.levels[k]);
            if storage == Storage::Derived {
                touch(Tenant::Value(whole), storage, 0, (0, end));
            }
        }
        if let Some((storage, size)) = partials(s, &uses, kernel, chunks) {
            touch(Tenant::Partials(k), storage, size, launches.levels[k]);
            if let Some(producer) = moments::producer(&uses, kernel) {
                touch(Tenant::Partials(k), storage, size, launches.levels[producer]);
            }
        }
    }
    for root in s.program.roots.all() {
        if let Some(storage) = arena(root) {
            touch(Tenant::Value(s.whole(root).whole), storage, 0, (end, end));
        }
    }
    needs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declaration::Fusion;
    use crate::schedule::{ParamPlan, Target, launches, program, schedule};

    #[test]
    fn a_joined_value_is_one_tenant_from_its_first_part_on() {
        let text = "pub Net { input x: [20, 6, 5]; target c: class<3>; Conv2d<16, 1>; Relu;
            Concat { a: { Conv2d<16, 3, padding = 1>; Relu; } b: { Conv2d<32, 1>; Relu; } }
            Conv2d<8, 3>; GlobalAvgPool; Linear<3>; loss: CrossEntropy(_, c); }";
        let (declarations, _, errors) = crate::lower::frontend(text.parse().unwrap());
        assert!(errors.is_empty());
        let module = &declarations[0].members[0].module;
        let program = program::program(module, ProgramKind::Step).unwrap();
        let target = Target { lanes: false, ..Target::cpu(Fusion::On) };
        let s = schedule(module, &ParamPlan::new(module, target.order), &program, &target);
        let launches = launches::launches(&s, &target);
        let memory = plan(&s, &launches, target.chunks);
        assert_eq!(memory.verify(&s, &launches, target.chunks), Ok(()));
        // The forward pass comes first.
        let whole = s.within.values().map(|place| place.whole).min().unwrap();
        let place = memory.places.iter().find(|p| p.tenant == Tenant::Value(whole)).unwrap();
        assert_eq!(place.size, 48 * 30);
        let makers = s.kernels.iter().enumerate().filter(|(_, k)| k.stores.iter().any(|v| s.whole(*v).whole == whole));
        let makers: Vec<usize> = makers.map(|(k, _)| k).collect();
        assert_eq!((makers.len(), place.alive.0), (2, makers[0]));
    }
}
