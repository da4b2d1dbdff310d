//! Programs on a device that runs CUDA kernels.
//!
//! Parameters, running statistics, activations and gradients lie in flat arenas there. A program for a batch is a graph of
//! launches, made when it is first needed and then started with one call: what changes from step to step (batches, seed,
//! step, hyper-parameters) is in the device's memory. The next batch goes into the other of two upload buffers, so that it
//! can arrive while a step runs. An arena that grows makes all graphs invalid; a warm step allocates nothing, here or there.

mod graphs;
mod table;
mod watch;

use super::{Feeding, Part, Role, Scores, ports, too_large};
use crate::device::cpu::BLOCK;
use crate::device::cuda::{Accelerator, Address, DeviceArena, GraphId, NORM_PIECE, Node, Run};
use crate::error::{Error, Result};
use crate::optim::{MOST_STATES, Rows, Span, Update};
use crate::params;
use crate::plan::{CudaArg, CudaProgram, CudaVariant, Plan, Space, Stored, Tensor};
use graphs::{Flavour, Graphs, Kernels, Key};
use std::mem::size_of;
use std::sync::{Mutex, MutexGuard, PoisonError};
use table::Places;

/// Scalars of the result that all lie within so many floats are fetched at once.
const SCORES_FLOATS: usize = 128;

pub(super) struct Accelerated {
    device: &'static dyn Accelerator,
    plan: &'static Plan,
    // Dropped before the arenas that its graphs name.
    scratch: Mutex<Scratch>,
    params: DeviceArena,
    states: DeviceArena,
}

struct Scratch {
    // Dropped first.
    graphs: Graphs,
    kernels: Kernels,
    batch: DeviceArena,
    fixed: DeviceArena,
    grads: DeviceArena,
    /// The mean gradients since the last `apply`, one for each mean of the loss.
    mean: DeviceArena,
    /// How many sums of squares there are, and the sums.
    norm: DeviceArena,
    /// The number of sums that `norm` has.
    counted: usize,
    /// One arena a port, in each of two slots.
    ports: [Vec<DeviceArena>; 2],
    /// Their addresses.
    port_addresses: [Vec<Address>; 2],
    /// The slot of the next step.
    slot: usize,
    run: DeviceArena,
    /// What `run` holds.
    uploaded: Option<Run>,
    poison: bool,
}

/// What a run leaves behind, while its scratch memory is still held.
pub(crate) struct Finished<'a> {
    backend: &'a Accelerated,
    scratch: MutexGuard<'a, Scratch>,
    done: Done,
}

/// Which run it was.
#[derive(Clone, Copy)]
struct Done {
    variant: &'static CudaVariant,
    batch: usize,
    slot: usize,
}

impl Accelerated {
    /// All zero: parameters and states are written by the caller.
    pub fn new(plan: &'static Plan, device: &'static dyn Accelerator) -> Result<Self> {
        if plan.cuda.infer.variants.is_empty() {
            let problem = format!("{} was compiled for the CPU only; help: Device::cpu()", plan.name);
            return Err(Error::Device { device: device.name(), problem });
        }
        let weights = plan.cuda.weights;
        let arena = |what: &str, floats| DeviceArena::zeroed(device, floats, &format!("{what} of {}", plan.name));
        let ports = || (plan.inputs.iter().chain(plan.targets)).map(|_| DeviceArena::empty(device)).collect();
        let empty_addresses = || vec![0; plan.inputs.len() + plan.targets.len()];
        Ok(Accelerated {
            device,
            plan,
            scratch: Mutex::new(Scratch {
                graphs: Graphs::new(device),
                kernels: Kernels::new(device),
                batch: DeviceArena::empty(device),
                fixed: DeviceArena::empty(device),
                grads: DeviceArena::empty(device),
                mean: DeviceArena::empty(device),
                norm: DeviceArena::empty(device),
                counted: 0,
                ports: [ports(), ports()],
                port_addresses: [empty_addresses(), empty_addresses()],
                slot: 0,
                run: arena("numbers of a step", size_of::<Run>() / size_of::<f32>())?,
                uploaded: None,
                poison: false,
            }),
            params: arena("parameters", weights.param_floats)?,
            states: arena("running statistics", weights.state_floats)?,
        })
    }

    pub fn device(&self) -> &'static dyn Accelerator {
        self.device
    }

    /// Whoever holds it is the only one who runs programs of this model.
    fn scratch(&self) -> MutexGuard<'_, Scratch> {
        // A panic while it was held leaves only scratch behind.
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn program(&self, role: Role) -> Option<&'static CudaProgram> {
        let cuda = &self.plan.cuda;
        match role {
            Role::Infer => Some(&cuda.infer),
            Role::Evaluate => cuda.evaluate.as_ref(),
            Role::Gradients => cuda.gradients.as_ref(),
            Role::Step => cuda.step.as_ref(),
        }
    }

    pub fn has(&self, role: Role) -> bool {
        self.program(role).is_some()
    }

    /// Activations of one sample.
    pub fn sample_floats(&self, role: Role) -> usize {
        self.program(role).and_then(|p| p.variants.last()).map_or(0, |v| v.batch_floats)
    }

    pub fn run(
        &self,
        role: Role,
        (seed, step): (u64, u64),
        batch: usize,
        feed: Feeding<'_, '_>,
    ) -> Result<Finished<'_>> {
        let mut scratch = self.scratch();
        let run = Run { seed, step, share: 0.0, max_norm: 0.0, mean: 0 };
        // SAFETY: no optimizer takes part.
        let done = unsafe { self.launch(&mut scratch, role, (Flavour::Store, None), run, batch, feed)? };
        Ok(Finished { backend: self, scratch, done })
    }

    /// # Safety
    /// As `Engine::train`.
    pub unsafe fn train(
        &mut self,
        (seed, step): (u64, u64),
        batch: usize,
        feed: Feeding<'_, '_>,
        update: &mut dyn Update,
        parts: Option<&mut Vec<Part>>,
    ) -> Result<Scores> {
        let flavour = updating(update)?;
        let run = Run { seed, step, share: 0.0, max_norm: update.max_norm().unwrap_or(0.0), mean: 0 };
        let mut scratch = self.scratch();
        // SAFETY: the optimizer was bound to this network on this device, by our caller's word, and is borrowed.
        let done = unsafe { self.launch(&mut scratch, Role::Step, (flavour, Some(update.rows())), run, batch, feed)? };
        update.taken();
        parts.map_or(Ok(Scores::default()), |parts| self.scores(&scratch, &done, parts))
    }

    pub fn accumulate(
        &mut self,
        (seed, step): (u64, u64),
        batch: usize,
        feed: Feeding<'_, '_>,
        share: &mut dyn FnMut(f64) -> f32,
        parts: &mut Vec<Part>,
    ) -> Result<Scores> {
        if self.means() > 0 {
            // The run finds the weight that decides on its share.
            let scores = self.differentiate((Role::Step, None), (seed, step), batch, feed, parts)?;
            self.gather(0, share(parts[0].weight), (seed, step))?;
            return Ok(scores);
        }
        let run = Run { seed, step, share: share(batch as f64), max_norm: 0.0, mean: 0 };
        let mut scratch = self.scratch();
        // SAFETY: no optimizer takes part.
        let done = unsafe { self.launch(&mut scratch, Role::Step, (Flavour::Accumulate, None), run, batch, feed)? };
        self.scores(&scratch, &done, parts)
    }

    /// Gradients of one mean of the loss, or of all of it, into the gradient arena.
    pub fn differentiate(
        &mut self,
        (role, only): (Role, Option<usize>),
        (seed, step): (u64, u64),
        batch: usize,
        feed: Feeding<'_, '_>,
        parts: &mut Vec<Part>,
    ) -> Result<Scores> {
        let run = Run { seed, step, share: 0.0, max_norm: 0.0, mean: only.map_or(0, |mean| 1 + mean as u64) };
        let mut scratch = self.scratch();
        // SAFETY: no optimizer takes part.
        let done = unsafe { self.launch(&mut scratch, role, (Flavour::Store, None), run, batch, feed)? };
        self.scores(&scratch, &done, parts)
    }

    /// Takes the gradients that lie in their arena into the gathered one of this mean.
    pub fn gather(&mut self, mean: usize, share: f32, (seed, step): (u64, u64)) -> Result<()> {
        if share == 0.0 {
            return Ok(());
        }
        let mut scratch = self.scratch();
        let floats = self.plan.cuda.weights.trainable_floats * self.means();
        if scratch.mean.len() < floats {
            scratch.graphs.clear();
            scratch.mean.replace(floats, &format!("mean gradients of {}", self.plan.name))?;
        }
        scratch.upload(Run { seed, step, share, max_norm: 0.0, mean: 0 })?;
        let key = Key { role: None, batch: mean, slot: 0, flavour: Flavour::Accumulate };
        let graph = match scratch.graphs.find(&key) {
            Some(graph) => graph,
            None => {
                scratch.kernels.load(&self.plan.cuda, None, &key.flavour)?;
                let places = self.places(&scratch, 0, 0, &key.flavour, None);
                let floats = self.plan.cuda.weights.trainable_floats;
                let node = places.accumulate(scratch.kernels.accumulate(), mean, floats, Vec::new());
                scratch.graphs.record(key, &[node])?
            }
        };
        // SAFETY: growing arenas drop graphs.
        unsafe { self.device.launch(graph) }
    }

    /// How many means the loss is listed as.
    fn means(&self) -> usize {
        let step = self.plan.cuda.step.as_ref();
        step.and_then(|program| program.variants.first()).map_or(0, |variant| variant.means.len())
    }

    /// Which variant of a program takes such a batch, and all there are.
    pub fn variant(&self, role: Role, batch: usize) -> Option<(usize, &'static [CudaVariant])> {
        let variants = self.program(role)?.variants;
        let fits = |v: &CudaVariant| batch <= v.max_batch && counts(v, batch);
        variants.iter().position(fits).map(|index| (index, variants))
    }

    pub fn restore_states(&mut self, states: &[f32]) -> Result<()> {
        self.states.write(0, states)
    }

    pub fn states(&self, into: &mut Vec<f32>) -> Result<()> {
        into.resize(self.states.len(), 0.0);
        self.states.read(0, into)
    }

    /// The mean gradient since the last `apply`.
    pub fn mean(&self) -> Result<Vec<f32>> {
        let scratch = self.scratch();
        let mut values = vec![0.0; scratch.mean.len()];
        scratch.mean.read(0, &mut values)?;
        Ok(values)
    }

    /// # Safety
    /// As `Engine::train`.
    pub unsafe fn apply(&mut self, (seed, step): (u64, u64), update: &mut dyn Update) -> Result<()> {
        let flavour = updating(update)?;
        let mut scratch = self.scratch();
        if matches!(flavour, Flavour::Clip(_)) {
            scratch.reserve_norm(self.plan, update.rows())?;
        }
        scratch.upload(Run { seed, step, share: 0.0, max_norm: update.max_norm().unwrap_or(0.0), mean: 0 })?;
        let key = Key { role: None, batch: 0, slot: 0, flavour };
        let graph = match scratch.graphs.find(&key) {
            Some(graph) => graph,
            None => {
                scratch.kernels.load(&self.plan.cuda, None, &flavour)?;
                let places = self.places(&scratch, 0, 0, &flavour, Some(update.rows()));
                let mut nodes = Vec::new();
                let floats = self.plan.cuda.weights.trainable_floats;
                for mean in 1..self.means() {
                    let after = table::last(&nodes);
                    nodes.push(places.join(scratch.kernels.join(), mean, floats, after));
                }
                self.update_all(&mut nodes, &scratch.kernels, &places, &flavour, places.mean);
                scratch.graphs.record(key, &nodes)?
            }
        };
        // SAFETY: growing arenas drop graphs, and the key names the optimizer's arenas, which live.
        unsafe { self.device.launch(graph)? };
        update.taken();
        Ok(())
    }

    /// The floats of a parameter or state.
    pub fn tensor(&self, tensor: &Tensor, state: bool) -> Result<Vec<f32>> {
        let mut values = vec![0.0; tensor.layout.size];
        self.arena(state).read(tensor.offset, &mut values)?;
        Ok(values)
    }

    pub fn set_tensor(&mut self, tensor: &Tensor, state: bool, values: &[f32]) -> Result<()> {
        self.arena(state).write(tensor.offset, values)
    }

    pub fn snapshot(&self, params: &mut Vec<f32>, states: &mut Vec<f32>) -> Result<()> {
        for (copy, arena) in [(params, &self.params), (states, &self.states)] {
            copy.resize(arena.len(), 0.0);
            arena.read(0, copy)?;
        }
        Ok(())
    }

    pub fn restore(&mut self, params: &[f32], states: &[f32]) -> Result<()> {
        self.params.write(0, params)?;
        self.states.write(0, states)
    }

    /// Returns when all that was asked for is done.
    pub fn wait(&self) -> Result<()> {
        self.scratch().run.read(0, &mut [0.0])
    }

    /// # Safety
    /// As `Engine::time_last`.
    pub unsafe fn time_last(&mut self, launches: usize) -> Result<Option<f64>> {
        let scratch = self.scratch.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(graph) = scratch.graphs.last() else { return Ok(None) };
        // SAFETY: growing arenas drop graphs; the caller's promise for the optimizer's.
        unsafe { self.device.time(graph, launches) }
    }

    pub fn poison(&mut self, on: bool) {
        self.scratch.get_mut().unwrap_or_else(PoisonError::into_inner).poison = on;
    }

    fn arena(&self, state: bool) -> &DeviceArena {
        if state { &self.states } else { &self.params }
    }

    /// Sees to memory, uploads the batch and starts the program's graph.
    ///
    /// # Safety
    /// The optimizer's arenas that `flavour` and `rows` name live, and have the size of the network's trainable arena.
    unsafe fn launch(
        &self,
        scratch: &mut Scratch,
        role: Role,
        (flavour, rows): (Flavour, Option<&Rows>),
        run: Run,
        batch: usize,
        feed: Feeding<'_, '_>,
    ) -> Result<Done> {
        let plan = self.plan;
        let Some((index, variants)) = self.variant(role, batch) else { return Err(too_large(plan, batch)) };
        let variant = &variants[index];
        // Only steps can follow each other without waiting for results.
        let slot = if role == Role::Step { scratch.slot } else { 0 };
        scratch.slot ^= usize::from(role == Role::Step);
        let done = Done { variant, batch, slot };
        scratch.reserve(plan, role, &done, &flavour)?;
        if let (Flavour::Clip(_), Some(rows)) = (&flavour, rows) {
            scratch.reserve_norm(plan, rows)?;
        }
        if scratch.poison {
            scratch.batch.fill(f32::NAN)?;
            scratch.fixed.fill(f32::NAN)?;
        }
        scratch.upload_batch(plan, role, &done, feed)?;
        scratch.upload(run)?;
        let key = Key { role: Some(role), batch, slot, flavour };
        let graph = match scratch.graphs.find(&key) {
            Some(graph) => graph,
            None => self.record(scratch, key, rows, &done)?,
        };
        // SAFETY: growing arenas drop graphs, and the key names the optimizer's arenas, which live.
        unsafe { self.device.launch(graph)? };
        Ok(done)
    }

    /// The graph of a program: its launches, and what follows them in this flavour.
    fn record(&self, scratch: &mut Scratch, key: Key, rows: Option<&Rows>, done: &Done) -> Result<GraphId> {
        let cuda = &self.plan.cuda;
        let Key { role, batch, slot, flavour } = key;
        scratch.kernels.load(cuda, role.and_then(|role| self.program(role)), &flavour)?;
        let places = self.places(scratch, batch, slot, &flavour, rows);
        let kernels = &scratch.kernels;
        let launches = done.variant.launches.iter();
        let mut nodes: Vec<_> =
            launches.map(|l| places.node(cuda, l, kernels.planned(cuda, l.kernel, &flavour))).collect();
        let last = table::last(&nodes);
        match flavour {
            Flavour::Store => {}
            Flavour::Accumulate => {
                nodes.push(places.accumulate(kernels.accumulate(), 0, cuda.weights.trainable_floats, last));
            }
            Flavour::Update(recorded) => {
                for range in cuda.rest {
                    let row = rows.map_or(0, |rows| rows.of(range.offset));
                    let span = Span { offset: range.offset, floats: range.floats, row };
                    nodes.push(places.pass(kernels.pass(recorded.rule), span, places.grads, last.clone()));
                }
            }
            Flavour::Clip(_) => self.update_all(&mut nodes, kernels, &places, &flavour, places.grads),
        }
        scratch.graphs.record(key, &nodes)
    }

    /// The optimizer's own pass over all parameters, with these gradients, which are clipped before where they have to be.
    fn update_all(
        &self,
        nodes: &mut Vec<Node>,
        kernels: &Kernels,
        places: &Places<'_>,
        flavour: &Flavour,
        grads: Address,
    ) {
        let (Some(rows), Some(recorded)) = (places.rows, flavour.recorded()) else { return };
        if matches!(flavour, Flavour::Clip(_)) {
            let after = table::last(nodes);
            let mut sums = 0;
            for span in counted(rows) {
                nodes.push(places.norm(kernels.norm(), *span, sums, grads, after.clone()));
                sums += span.floats.div_ceil(NORM_PIECE);
            }
            let floats = self.plan.cuda.weights.trainable_floats;
            let after = table::last(nodes);
            nodes.push(places.clip(kernels.clip(), floats, sums, grads, after));
        }
        let after = table::last(nodes);
        for span in rows.spans() {
            nodes.push(places.pass(kernels.pass(recorded.rule), *span, grads, after.clone()));
        }
    }

    fn places<'a>(
        &self,
        scratch: &'a Scratch,
        batch: usize,
        slot: usize,
        flavour: &Flavour,
        rows: Option<&'a Rows>,
    ) -> Places<'a> {
        let recorded = flavour.recorded();
        Places {
            params: self.params.address(),
            grads: scratch.grads.address(),
            states: self.states.address(),
            batch_arena: scratch.batch.address(),
            fixed: scratch.fixed.address(),
            mean: scratch.mean.address(),
            optimizer: recorded.map_or([0; MOST_STATES], |recorded| recorded.at),
            table: recorded.map_or(0, |recorded| recorded.table),
            rows,
            norm: scratch.norm.address(),
            ports: &scratch.port_addresses[slot],
            run: scratch.run.address(),
            batch,
            padded: batch.next_multiple_of(BLOCK),
        }
    }

    /// Waits for a run and fetches its loss, with the means that it is the sum of, and number of correct predictions.
    fn scores(&self, scratch: &Scratch, done: &Done, parts: &mut Vec<Part>) -> Result<Scores> {
        let Done { variant, batch, slot } = *done;
        let places = self.places(scratch, batch, slot, &Flavour::Store, None);
        let address = |stored: &Stored| places.address(stored.space, stored.offset);
        let means = variant.means.iter().flat_map(|mean| [Some(&mean.value), mean.weight.as_ref()]);
        let all = [variant.loss.as_ref(), variant.correct.as_ref()].into_iter().chain(means).flatten();
        let (mut first, mut end, mut space) = (Address::MAX, 0, None);
        let mut together = true;
        for stored in all {
            (first, end) = (first.min(address(stored)), end.max(address(stored) + size_of::<f32>() as u64));
            together &= *space.get_or_insert(stored.space) == stored.space;
        }
        let floats = (end.saturating_sub(first) / size_of::<f32>() as u64) as usize;
        let mut values = [0.0; SCORES_FLOATS];
        together &= floats <= SCORES_FLOATS;
        if together {
            self.download(first, &mut values[..floats])?;
        }
        let scalar = |stored: &Stored| {
            if together {
                return Ok(values[((address(stored) - first) / size_of::<f32>() as u64) as usize]);
            }
            let mut value = [0.0];
            self.download(address(stored), &mut value)?;
            Ok::<_, Error>(value[0])
        };
        let loss = variant.loss.as_ref().map(scalar).transpose()?;
        let correct = variant.correct.as_ref().map(scalar).transpose()?;
        Part::read(variant.means, (loss, batch), parts, scalar)?;
        Ok(Scores { loss, correct: correct.map(|correct| correct as usize) })
    }

    /// Copies floats from an arena of this model, found through [`Places`].
    fn download(&self, from: Address, values: &mut [f32]) -> Result<()> {
        // SAFETY: all bytes are floats; the plan's results lie in arenas that were sized from it.
        unsafe {
            let bytes = std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values));
            self.device.download(from, bytes)
        }
    }
}

impl Scratch {
    /// Makes all arenas large enough for a run, and drops all graphs where one has to move.
    fn reserve(&mut self, plan: &Plan, role: Role, done: &Done, flavour: &Flavour) -> Result<()> {
        let (cuda, Done { variant, batch, .. }) = (&plan.cuda, *done);
        let padded = batch.next_multiple_of(BLOCK);
        let stores = match flavour {
            Flavour::Store => matches!(role, Role::Gradients | Role::Step),
            Flavour::Accumulate | Flavour::Clip(_) => true,
            Flavour::Update(_) => {
                let stored = variant.launches.iter().filter(|launch| !cuda.kernels[launch.kernel].updates);
                !cuda.rest.is_empty() || stored.flat_map(|launch| launch.args).any(|arg| arg.space == Space::Grads)
            }
        };
        let trainable = cuda.weights.trainable_floats;
        let graphs = &mut self.graphs;
        let mut reserve = |arena: &mut DeviceArena, floats: usize, what: &dyn Fn() -> String| -> Result<bool> {
            let grows = floats > arena.len();
            if grows {
                graphs.clear();
                arena.replace(floats, &format!("{} of {}", what(), plan.name))?;
            }
            Ok(grows)
        };
        reserve(&mut self.batch, variant.batch_floats * padded, &|| format!("activations of a batch of {batch}"))?;
        reserve(&mut self.fixed, variant.fixed_floats, &|| "workspace".into())?;
        if stores && reserve(&mut self.grads, trainable, &|| "gradients".into())? {
            // Padding has no gradient, and no kernel writes it.
            self.grads.fill(0.0)?;
        }
        if *flavour == Flavour::Accumulate {
            reserve(&mut self.mean, trainable, &|| "mean gradient".into())?;
        }
        let targets = if role == Role::Infer { 0 } else { plan.targets.len() };
        // Both slots at once: the second one would drop the first one's graph otherwise.
        for slot in 0..if role == Role::Step { 2 } else { 1 } {
            let ports = plan.inputs.iter().chain(plan.targets).take(plan.inputs.len() + targets);
            for (index, port) in ports.enumerate() {
                let arena = &mut self.ports[slot][index];
                reserve(arena, ports::sample_size(&port.kind) * padded, &|| {
                    format!("`{}` of a batch of {batch}", port.name)
                })?;
                self.port_addresses[slot][index] = arena.address();
            }
        }
        Ok(())
    }

    /// Room for the sums of squares of all parameters that are not frozen, behind their number.
    fn reserve_norm(&mut self, plan: &Plan, rows: &Rows) -> Result<()> {
        let sums: usize = counted(rows).map(|span| span.floats.div_ceil(NORM_PIECE)).sum();
        if self.norm.len() < 1 + sums {
            self.graphs.clear();
            self.norm.replace(1 + sums, &format!("sums of squares of {}", plan.name))?;
            self.counted = 0;
        }
        if self.counted != sums {
            self.norm.write(0, &[sums as f32])?;
            self.counted = sums;
        }
        Ok(())
    }

    /// Copies what the caller has into the ports of this run's slot.
    fn upload_batch(&self, plan: &'static Plan, role: Role, done: &Done, feed: Feeding<'_, '_>) -> Result<()> {
        let arenas = &self.ports[done.slot];
        ports::each(plan, role, done.batch, feed, |index, bytes| arenas[index].write_bytes(bytes))
    }

    /// Brings seed, step and hyper-parameters up to date.
    fn upload(&mut self, run: Run) -> Result<()> {
        if self.uploaded == Some(run) {
            return Ok(());
        }
        self.uploaded = None;
        // SAFETY: plain numbers without padding, of which every byte is initialised.
        let bytes = unsafe { std::slice::from_raw_parts((&raw const run).cast(), size_of::<Run>()) };
        self.run.write_bytes(bytes)?;
        self.uploaded = Some(run);
        Ok(())
    }
}

impl Finished<'_> {
    pub fn scores(&self, parts: &mut Vec<Part>) -> Result<Scores> {
        self.backend.scores(&self.scratch, &self.done, parts)
    }

    /// The gradient arena.
    pub fn grads(&self) -> Result<Vec<f32>> {
        let mut values = vec![0.0; self.scratch.grads.len()];
        self.scratch.grads.read(0, &mut values)?;
        Ok(values)
    }

    /// Appends output `index` of all samples, in canonical order.
    pub fn output(&self, index: usize, out: &mut Vec<f32>) -> Result<()> {
        let Done { variant, batch, slot } = self.done;
        let stored = &variant.outputs[index];
        let places = self.backend.places(&self.scratch, batch, slot, &Flavour::Store, None);
        let mut physical = vec![0.0; places.extent(stored)];
        self.backend.download(places.address(stored.space, stored.offset), &mut physical)?;
        for sample in 0..batch {
            params::unpack(&stored.layout, &physical[sample * stored.sample..], out);
        }
        Ok(())
    }
}

/// How an optimizer's next step works on a device.
fn updating(update: &mut dyn Update) -> Result<Flavour> {
    let recorded = update.record()?;
    Ok(if update.max_norm().is_some() { Flavour::Clip(recorded) } else { Flavour::Update(recorded) })
}

fn bytes(floats: usize) -> Address {
    (floats * size_of::<f32>()) as Address
}

/// What counts in the norm of all gradients.
fn counted(rows: &Rows) -> impl Iterator<Item = &Span> {
    rows.spans().iter().filter(|span| !rows.frozen(span.row))
}

/// Whether kernels, which count elements in 32 bits, can count those of every value; a little room is left for the step of
/// their loops.
fn counts(variant: &CudaVariant, batch: usize) -> bool {
    let per_sample = |arg: &CudaArg| matches!(arg.space, Space::Batch | Space::Port).then_some(arg.floats);
    let largest = variant.launches.iter().flat_map(|l| l.args).filter_map(per_sample).max().unwrap_or(0);
    batch.saturating_mul(largest) <= u32::MAX as usize - (8 << 20)
}
