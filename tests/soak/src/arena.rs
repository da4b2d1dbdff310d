//! A finished plan on the interpreter: kernel by kernel, from simulated arenas.
//!
//! A kernel reads what the plan says that it reads, from the place and in the order that the plan says, and nothing else.
//! Arenas are NaN at first, and a place is NaN again when the plan thinks that nobody needs it any more. Padding of
//! activations is NaN throughout, and so is a parameter once the kernel of its gradient has updated it. So a plan computes
//! what the graph says only if its fusion, its order, its layouts and its memory are all right together.
//!
//! What this cannot see is how a kernel is printed: the compiled stage sees that.

use crate::declared::Leaves;
use kiln_codegen::emit::tables::{Space, place};
use kiln_codegen::graph::Value;
use kiln_codegen::graph::op::{Leaf, MoveOp, Op};
use kiln_codegen::interpret::{Env, Tensor, evaluate};
use kiln_codegen::memory::{Planned, Tenant};
use kiln_codegen::schedule::layout::Axis;
use kiln_codegen::schedule::{Kernel, Layout, ParamPlan, ProgramKind, Schedule, Storage};
use std::collections::HashMap;

/// Memory of one run.
struct Arenas<'p> {
    planned: &'p Planned,
    params: &'p ParamPlan,
    batch: usize,
    spaces: HashMap<&'static str, Vec<f64>>,
    ports: Vec<Vec<f64>>,
    /// Gradients that their kernels hand to the optimizer, which stores none.
    handed_over: Vec<Value>,
}

/// Where an element lies. What has no affine map, such as a flipped weight, has a size only: as it is written, so it is read.
fn offset(layout: &Layout, i: usize) -> usize {
    let maps = |a: &Axis| a.extent == 1 || a.outer > 0 || a.inner > 0;
    if layout.axes.iter().all(maps) { layout.offset(i) } else { i }
}

/// The roots of a planned program, in order, as its kernels leave them.
pub fn run(
    planned: &Planned,
    params: &ParamPlan,
    inputs: usize,
    leaves: &Leaves,
    env: &Env,
) -> Result<Vec<Tensor>, String> {
    let s = &planned.schedule;
    let mut arenas = Arenas::new(planned, params, inputs, leaves, env.batch);
    let levels = planned.launches.levels.iter().map(|l| l.1 + 1).max().unwrap_or(0);
    for level in 0..levels {
        for k in 0..s.kernels.len() {
            // Partial results lie there from a kernel's first phase on.
            if planned.launches.levels[k].0 == level {
                arenas.poison(|tenant| tenant == Tenant::Partials(k));
            }
        }
        for (k, kernel) in s.kernels.iter().enumerate().filter(|(k, _)| planned.launches.levels[*k].1 == level) {
            arenas.run_kernel(kernel, env).map_err(|why| format!("kernel {k} ({}): {why}", kernel.form.name()))?;
        }
        arenas.bury(level);
    }
    s.program.roots.all().iter().map(|root| arenas.load(*root)).collect()
}

impl<'p> Arenas<'p> {
    fn new(planned: &'p Planned, params: &'p ParamPlan, inputs: usize, leaves: &Leaves, batch: usize) -> Self {
        let memory = &planned.memory;
        let zeros = |floats: usize| vec![0.0; floats];
        let nan = |floats: usize| vec![f64::NAN; floats];
        let spaces = HashMap::from([
            ("batch", nan(memory.batch_floats * batch)),
            ("fixed", nan(memory.fixed_floats)),
            ("derived", nan(memory.derived_floats)),
            ("params", zeros(params.param_floats)),
            ("grads", nan(params.trainable_floats)),
            ("states", zeros(params.state_floats)),
        ]);
        let mut arenas = Arenas { planned, params, batch, spaces, ports: Vec::new(), handed_over: Vec::new() };
        for (leaf, tensor) in leaves {
            let (space, offset, layout) = match *leaf {
                Leaf::Param(p) => ("params", params.params[p].offset, &params.params[p].layout),
                Leaf::State(i) => ("states", params.states[i].offset, &params.states[i].layout),
                Leaf::Input(i) => {
                    arenas.port(i, tensor);
                    continue;
                }
                Leaf::Target(i) => {
                    arenas.port(inputs + i, tensor);
                    continue;
                }
            };
            let arena = arenas.spaces.get_mut(space).expect("an arena of that name");
            for (i, x) in tensor.data.iter().enumerate() {
                arena[offset + layout.offset(i)] = *x;
            }
        }
        arenas
    }

    fn port(&mut self, number: usize, tensor: &Tensor) {
        if self.ports.len() <= number {
            self.ports.resize(number + 1, Vec::new());
        }
        self.ports[number] = tensor.data.clone();
    }

    fn schedule(&self) -> &'p Schedule {
        &self.planned.schedule
    }

    /// The arena of a value, and its first float there.
    fn at(&self, value: Value) -> Result<(Result<&'static str, usize>, usize), String> {
        let s = self.schedule();
        if s.storage(value).is_none() {
            return Err(format!("{value} has no place"));
        }
        let (space, offset) = place(s, &self.planned.memory, self.params, value);
        Ok(match space {
            Space::Batch => (Ok("batch"), offset * self.batch + s.whole(value).at),
            Space::Fixed => (Ok("fixed"), offset),
            Space::Derived => (Ok("derived"), offset),
            Space::Params => (Ok("params"), offset),
            Space::Grads => (Ok("grads"), offset),
            Space::State => (Ok("states"), offset),
            Space::Port => (Err(offset), 0),
            Space::Updates | Space::Optimizer(_) | Space::Hyper => return Err(format!("{value} lies in {space:?}")),
        })
    }

    fn samples(&self, value: Value) -> usize {
        if self.schedule().graph().shape(value).batch { self.batch } else { 1 }
    }

    fn load(&self, value: Value) -> Result<Tensor, String> {
        let s = self.schedule();
        let (layout, shape) = (s.layout(value), s.graph().shape(value).clone());
        let (arena, start) = self.at(value)?;
        let (arena, stride) = match arena {
            Ok(name) => (&self.spaces[name], s.sample_stride(value)),
            Err(port) => (&self.ports[port], shape.numel()),
        };
        let n = shape.numel();
        let read = |sample: usize, i: usize| {
            let at = start + sample * stride + offset(layout, i);
            arena.get(at).copied().ok_or_else(|| format!("{value} reaches float {at} of {}", arena.len()))
        };
        let data = (0..self.samples(value) * n).map(|i| read(i / n.max(1), i % n.max(1)));
        Ok(Tensor { batch: self.samples(value), data: data.collect::<Result<_, String>>()?, shape })
    }

    fn store(&mut self, value: Value, tensor: &Tensor) -> Result<(), String> {
        let s = self.schedule();
        let (layout, stride, samples) = (s.layout(value), s.sample_stride(value), self.samples(value));
        let (arena, start) = self.at(value)?;
        let name = arena.map_err(|port| format!("{value} is stored into port {port}"))?;
        // Padding of parameters, gradients and states stays zero; that of anything else is anything.
        let padding = if matches!(name, "grads" | "states") { 0.0 } else { f64::NAN };
        let arena = self.spaces.get_mut(name).expect("an arena of that name");
        let n = tensor.shape.numel();
        for sample in 0..samples {
            let first = start + sample * stride;
            let length = arena.len();
            let own = arena.get_mut(first..first + layout.size);
            let own = own.ok_or_else(|| format!("{value} reaches float {} of {length}", first + layout.size))?;
            own.fill(padding);
            for i in 0..n {
                own[offset(layout, i)] = tensor.data[sample * n + i];
            }
        }
        Ok(())
    }

    /// Whether a value's memory holds it once these values are stored: a view, or what lies within a whole or is made of
    /// parts.
    fn lies_there(&self, value: Value, reads: &[Value]) -> bool {
        let s = self.schedule();
        if reads.contains(&s.base(value)) {
            return true;
        }
        let node = s.graph().node(value);
        let is_whole = s.within.values().any(|place| place.whole == value);
        match &node.op {
            Op::Move(MoveOp::Slice { .. }) if s.within.contains_key(&value) => self.lies_there(node.inputs[0], reads),
            Op::Move(MoveOp::Concat { .. }) if is_whole => {
                let within = |v: &Value| s.whole(*v).whole == s.whole(value).whole && self.lies_there(*v, reads);
                node.inputs.iter().all(within)
            }
            _ => false,
        }
    }

    fn run_kernel(&mut self, kernel: &Kernel, env: &Env) -> Result<(), String> {
        let s = self.schedule();
        let graph = s.graph();
        if let Some(value) = kernel.reads.iter().find(|v| self.handed_over.contains(v)) {
            return Err(format!("it reads {value}, which its kernel hands to the optimizer instead of storing it"));
        }
        let mut known: Vec<Option<Tensor>> = vec![None; graph.nodes.len()];
        for value in graph.values() {
            if self.lies_there(value, &kernel.reads) && !kernel.nodes.contains(&value) {
                known[value.index()] = Some(self.load(value)?);
            }
        }
        let given: Vec<bool> = known.iter().map(Option::is_some).collect();
        evaluate(graph, &mut known, &kernel.stores, env)?;
        for value in graph.values().filter(|v| known[v.index()].is_some() && !given[v.index()]) {
            if !kernel.nodes.contains(&value) && s.base(value) == value {
                return Err(format!("it computes {value}, which is not among its nodes"));
            }
        }
        for store in &kernel.stores {
            let tensor = known[store.index()].take().ok_or_else(|| format!("{store} was not computed"))?;
            self.store(*store, &tensor)?;
        }
        // Only steps have an optimizer under way.
        for store in kernel.stores.iter().filter(|_| self.planned.kind == ProgramKind::Step) {
            if let Some(Storage::Grad(param)) = s.storage(*store)
                && self.planned.launches.updated.contains(&param)
            {
                self.handed_over.push(*store);
                let slot = &self.params.params[param];
                self.spaces.get_mut("params").expect("parameters")[slot.offset..slot.offset + slot.layout.size]
                    .fill(f64::NAN);
            }
        }
        Ok(())
    }

    fn poison(&mut self, which: impl Fn(Tenant) -> bool) {
        for place in self.planned.memory.places.iter().filter(|p| which(p.tenant)) {
            let (name, factor) = match place.storage {
                Storage::Batch => ("batch", self.batch),
                Storage::Derived => ("derived", 1),
                _ => ("fixed", 1),
            };
            let arena = self.spaces.get_mut(name).expect("an arena of that name");
            arena[place.offset * factor..(place.offset + place.size) * factor].fill(f64::NAN);
        }
    }

    /// What the plan needs no longer behind this level.
    fn bury(&mut self, level: usize) {
        let ended: Vec<Tenant> =
            self.planned.memory.places.iter().filter(|p| p.alive.1 == level).map(|p| p.tenant).collect();
        self.poison(|tenant| ended.contains(&tenant));
    }
}
