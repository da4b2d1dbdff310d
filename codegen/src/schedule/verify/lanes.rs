//! Whether a chain over groups of samples computes what its nodes ask for: at every step each value that is read lies whole
//! where the step looks for it, no result is written where an operand of the same step lies, and channel and pixel of every
//! operand are those of the element.

use super::elements::{broadcast, ends, reduced_to};
use crate::graph::op::{ConvRole, Op};
use crate::graph::{Shape, Value};
use crate::schedule::blocks::Stage;
use crate::schedule::form::{Access, Form, access, weight_layout};
use crate::schedule::lanes::{Chain, Slot, Step, anchor, is_sum_of_each_channel};
use crate::schedule::layout::{LANES, Layout};
use crate::schedule::{Order, Schedule};
use std::collections::{BTreeMap, HashMap, HashSet};

pub fn verify(s: &Schedule, chain: &Chain) -> Result<(), String> {
    scratch(s, chain)?;
    for (i, step) in chain.steps.iter().enumerate() {
        for stage in step.stages() {
            elements(s, step, stage).map_err(|why| format!("step {i}, {}: {why}", stage.form.name()))?;
        }
    }
    Ok(())
}

/// Runs the steps over a picture of the scratch memory: which value lies where.
fn scratch(s: &Schedule, chain: &Chain) -> Result<(), String> {
    let slots: HashMap<Value, Slot> = chain.slots.iter().rev().map(|slot| (slot.value, *slot)).collect();
    let set = |values: &[Value]| values.iter().copied().collect::<HashSet<Value>>();
    let (imports, from_chains) = (set(&chain.imports), set(&chain.shared));
    let own: HashSet<Value> = chain.stages().flat_map(|stage| stage.stores.iter().copied()).collect();
    let slot = |value: Value| match slots.get(&value) {
        Some(slot) if slot.floats >= s.graph().shape(value).numel() * LANES => Ok(*slot),
        Some(slot) => Err(format!("{value} does not fit into {} floats", slot.floats)),
        None => Err(format!("{value} has no place in the scratch")),
    };
    let overlap = |a: &Slot, b: &Slot| a.offset < b.offset + b.floats && b.offset < a.offset + a.floats;
    let mut held = Held::default();
    let mut imported: HashSet<Value> = HashSet::new();
    let mut shared: HashSet<Value> = HashSet::new();
    for (i, step) in chain.steps.iter().enumerate() {
        let reads = step.reads(s);
        for &value in reads.iter().filter(|v| imports.contains(v)) {
            if imported.insert(value) {
                held.put(slot(value)?);
            }
        }
        for &value in &reads {
            // What another chain stored is there; what this one stores is, once it has.
            let there = if from_chains.contains(&value) {
                !own.contains(&value) || shared.contains(&value)
            } else {
                held.holds(&slot(value)?)
            };
            if !there {
                return Err(format!("step {i} reads {value}, which does not lie in its place"));
            }
        }
        let mut new: Vec<Slot> = Vec::new();
        for value in step.stores().filter(|v| s.graph().shape(*v).batch) {
            if from_chains.contains(&value) {
                shared.insert(value);
                continue;
            }
            let slot = slot(value)?;
            let operand = held.under(&slot).find(|old| reads.contains(&old.value));
            if let Some(other) = operand.or_else(|| new.iter().find(|other| overlap(other, &slot))) {
                return Err(format!("step {i} writes {value} over {}, which it is still busy with", other.value));
            }
            new.push(slot);
        }
        new.into_iter().for_each(|slot| held.put(slot));
    }
    for value in &chain.exports {
        if !held.holds(&slot(*value)?) {
            return Err(format!("{value} is exported, but no longer in its place"));
        }
        // Whole vectors, but for samples of one number: as much as the standard layout has.
        let written = Layout::standard(s.order, &s.graph().shape(*value).dims).size;
        let memory = s.layout(*value).size;
        if written > memory {
            return Err(format!("{value} is exported to {written}, and a sample ends at {memory}"));
        }
    }
    Ok(())
}

/// What lies in the scratch, by offset; nothing overlaps.
#[derive(Default)]
struct Held(BTreeMap<usize, Slot>);

impl Held {
    /// What lies where this slot does, from behind.
    fn under(&self, slot: &Slot) -> impl Iterator<Item = &Slot> {
        let start = slot.offset;
        let before = self.0.range(..slot.offset + slot.floats).rev().map(|(_, old)| old);
        before.take_while(move |old| old.offset + old.floats > start)
    }

    /// Whatever lay there is gone.
    fn put(&mut self, slot: Slot) {
        let gone: Vec<usize> = self.under(&slot).map(|old| old.offset).collect();
        for offset in gone {
            self.0.remove(&offset);
        }
        self.0.insert(slot.offset, slot);
    }

    fn holds(&self, slot: &Slot) -> bool {
        self.0.get(&slot.offset) == Some(slot)
    }
}

/// Channels and pixels.
fn extents(shape: &Shape) -> [usize; 2] {
    let channels = shape.dims.first().copied().unwrap_or(1);
    [channels, shape.numel() / channels.max(1)]
}

/// The element of a group's value at a channel and a pixel, as far as it has them.
fn at([channels, pixels]: [usize; 2], channel: usize, pixel: usize) -> usize {
    let channel = if channels == 1 { 0 } else { channel };
    if pixels == 1 { channel } else { channel * pixels + pixel }
}

fn elements(s: &Schedule, step: &Step, stage: &Stage) -> Result<(), String> {
    let graph = s.graph();
    match &stage.form {
        Form::Column { .. } => {
            for &value in &stage.nodes {
                let Op::Reduce { axes, .. } = &graph.node(value).op else {
                    return Err(format!("{value} is no sum"));
                };
                let shape = graph.shape(graph.node(value).inputs[0]);
                let [channels, pixels] = extents(shape);
                let belongs = |e: usize| reduced_to(e, &shape.dims, axes) == e / pixels;
                if !is_sum_of_each_channel(s, value) || !(0..channels * pixels).all(belongs) {
                    return Err(format!("{value} is no sum over the pixels of each channel"));
                }
            }
            return Ok(());
        }
        Form::ConvWeight { .. } => {
            let value = stage.nodes[0];
            if weight_layout(Order::Blocked, graph, value).as_ref() != Some(s.layout(value)) {
                return Err(format!("{value} does not lie as the template writes it"));
            }
            return Ok(());
        }
        _ => {}
    }
    // What the template hands over, and the walk of the sink behind it.
    let (given, first) = match &stage.form {
        Form::Map(_) => (Vec::new(), stage.nodes[0]),
        Form::Conv { role: ConvRole::Forward | ConvRole::Input, .. } => {
            let value = anchor(s, &stage.nodes);
            (vec![value], value)
        }
        Form::Window { .. } => {
            let windows = stage.nodes.iter().filter(|v| matches!(graph.node(**v).op, Op::Window { .. }));
            (windows.copied().collect(), anchor(s, &stage.nodes))
        }
        other => return Err(format!("{} has no place in a chain", other.name())),
    };
    let [channels, pixels] = extents(graph.shape(first));
    for value in &given {
        if extents(graph.shape(*value)) != [channels, pixels] {
            return Err(format!("{value} has other extents than {first}"));
        }
    }
    // A convolution's tile goes through what is pooled, whether that is stored or not.
    let pooled = step.pool.as_ref().filter(|pool| *pool != stage);
    let pooled = pooled.map(|pool| s.base(graph.node(anchor(s, &pool.nodes)).inputs[0]));
    for value in stage.stores.iter().copied().chain(pooled) {
        let dims = &graph.shape(value).dims;
        if extents(graph.shape(value)) != [channels, pixels] {
            return Err(format!("{value} has other extents than the walk"));
        }
        for channel in ends(channels) {
            for pixel in ends(pixels) {
                let sink = Sink { s, stage, given: &given, channel, pixel };
                sink.follow(value, channel * pixels + pixel, dims, &mut HashMap::new())?;
            }
        }
    }
    Ok(())
}

/// A stage at one channel and pixel of a group; `given` are what its template hands over.
struct Sink<'a> {
    s: &'a Schedule,
    stage: &'a Stage,
    given: &'a [Value],
    channel: usize,
    pixel: usize,
}

impl Sink<'_> {
    /// Whether what is computed of `value` here is this element, under a node of extents `under`; `seen` are values met before.
    fn follow(
        &self,
        value: Value,
        wanted: usize,
        under: &[usize],
        seen: &mut HashMap<Value, usize>,
    ) -> Result<(), String> {
        let (s, graph) = (self.s, self.s.graph());
        let base = s.base(value);
        let shape = graph.shape(base);
        if seen.insert(base, wanted) == Some(wanted) {
            return Ok(());
        }
        let found = if self.given.contains(&base) || (shape.batch && !self.stage.nodes.contains(&base)) {
            at(extents(shape), self.channel, self.pixel)
        } else if self.stage.nodes.contains(&base) {
            let node = graph.node(base);
            let Op::Map(_) = node.op else { return Err(format!("{base} is wanted element by element")) };
            let dims = &node.ty.shape.dims;
            for &input in &node.inputs {
                let operand = broadcast(wanted, dims, &graph.shape(input).dims);
                let operand = operand.ok_or_else(|| format!("{input} does not broadcast to {base}"))?;
                self.follow(input, operand, dims, seen)?;
            }
            // One expression a value: it must be the same element for all who read it.
            at(extents(shape), self.channel, self.pixel)
        } else {
            let loaded = match access(&graph.shape(value).dims, under, false) {
                Some(Access::Channel) => self.channel,
                Some(Access::One) => 0,
                _ => return Err(format!("{value}, which belongs to no sample, is not one number a channel")),
            };
            if s.layout(base).offset(wanted) == loaded {
                return Ok(());
            }
            loaded
        };
        if found == wanted {
            Ok(())
        } else {
            Err(format!("element {wanted} of {base} is wanted where {found} is read"))
        }
    }
}
