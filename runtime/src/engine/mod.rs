//! The part of a model that does not depend on its network's type: memory, and running programs.
//!
//! What all devices share is here: the plan, the seed, the step, the order of a training step. A backend holds parameters,
//! running statistics and scratch memory, and runs programs over them: `cpu` with threads, `accelerated` on whatever runs
//! CUDA kernels. Nothing above this module knows which of them it uses.
//!
//! Deliberately absent: decisions. What runs where in which order is in the [`Plan`].

mod accelerated;
mod cpu;
mod guard;
mod parts;
mod ports;
mod watch;

use crate::data::PortValues;
use crate::device::cpu::BLOCK;
use crate::device::cuda::Accelerator;
use crate::device::{Device, Opened};
use crate::error::{Error, Result};
use crate::model::LaunchTime;
use crate::optim::Update;
use crate::plan::{Plan, Tensor, Weights};
use crate::{init, params};
use accelerated::Accelerated;
use cpu::Cpu;
pub(crate) use parts::{Part, Tally};
use std::borrow::Cow;
pub(crate) use watch::{BadWeight, Planted, Seen, all_finite};

/// Evaluation cuts large inputs into batches whose activations stay below this (256 MiB).
const CHUNK_FLOATS: usize = 64 << 20;

/// Gives the caller's values port by port: inputs, then targets. What they are is checked in [`ports`].
pub(crate) type Feeding<'f, 'a> = &'f dyn Fn(&mut dyn FnMut(PortValues<'a>));

/// The programs of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Infer,
    Evaluate,
    Gradients,
    Step,
}

/// What a batch gave.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Scores {
    pub loss: Option<f32>,
    /// Samples classified right.
    pub correct: Option<usize>,
}

pub(crate) struct Engine {
    pub plan: &'static Plan,
    pub seed: u64,
    /// Training steps done: part of the counter of random numbers.
    step: u64,
    /// Counts what may have changed parameters and states.
    changes: u64,
    /// Of another engine whose parameters and states these are: its `changes` when they were copied.
    copied: Option<u64>,
    /// Samples in the mean gradient that `accumulate` gathers.
    accumulated: usize,
    /// By mean of the loss: the weights of these samples.
    gathered: Vec<f64>,
    /// The means of the last training batch, and those of one run where each mean has its own.
    parts: Vec<Part>,
    one_run: Vec<Part>,
    /// Test switch: what a watched run finds in place of what its kernels stored.
    planted: Vec<Planted>,
    backend: Backend,
}

// One a model: the size does not matter.
#[allow(clippy::large_enum_variant)]
enum Backend {
    Cpu(Cpu),
    Accelerated(Accelerated),
}

/// What a run leaves behind; until it is dropped, nobody else runs programs of this model.
// One a run, on the stack: a box would be an allocation a step.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Finished<'a> {
    Cpu(cpu::Finished<'a>),
    Accelerated(accelerated::Finished<'a>),
}

impl Role {
    /// For messages: a network without it cannot be …
    fn action(self) -> &'static str {
        match self {
            Role::Infer => "run",
            Role::Evaluate => "evaluated",
            Role::Gradients => "differentiated",
            Role::Step => "trained",
        }
    }
}

impl Engine {
    pub fn new(plan: &'static Plan, device: &Device, seed: u64) -> Result<Self> {
        let backend = match device.open()? {
            Opened::Cpu(pool, level) => Backend::Cpu(Cpu::new(plan, pool, level)),
            Opened::Accelerator(device) => Backend::Accelerated(Accelerated::new(plan, device)?),
        };
        let mut engine = Engine::over(plan, seed, backend);
        let weights = engine.weights();
        for (tensors, state) in [(weights.params, false), (weights.states, true)] {
            for tensor in tensors {
                engine.write(tensor, state, &mut init::values(tensor, seed))?;
            }
        }
        Ok(engine)
    }

    /// An engine on the same device for another program over the same parameters; its own are all zero.
    pub fn companion(&self, plan: &'static Plan) -> Result<Self> {
        let backend = match &self.backend {
            Backend::Cpu(cpu) => Backend::Cpu(cpu.companion(plan)),
            Backend::Accelerated(accelerated) => Backend::Accelerated(Accelerated::new(plan, accelerated.device())?),
        };
        Ok(Engine::over(plan, self.seed, backend))
    }

    fn over(plan: &'static Plan, seed: u64, backend: Backend) -> Self {
        let variants = plan.step.map_or(&[][..], |program| program.variants);
        let means = variants.first().map_or(0, |variant| variant.means.len()).max(1);
        let empty = || Vec::with_capacity(means);
        let (gathered, parts, one_run) = (vec![0.0; means], empty(), empty());
        Engine {
            plan,
            seed,
            step: 0,
            changes: 0,
            copied: None,
            accumulated: 0,
            gathered,
            parts,
            one_run,
            planted: Vec::new(),
            backend,
        }
    }

    /// Takes over all parameters and states of an engine that this is the companion of, unless it has them already: they may
    /// lie in another order.
    pub fn copy_weights(&mut self, from: &Engine) -> Result<()> {
        if self.copied == Some(from.changes) {
            return Ok(());
        }
        // Until they are all there.
        self.copied = None;
        let (own, theirs) = (self.weights(), from.weights());
        for (own, theirs, state) in [(own.params, theirs.params, false), (own.states, theirs.states, true)] {
            for (own, theirs) in own.iter().zip(theirs) {
                match (&mut self.backend, &from.backend) {
                    (Backend::Cpu(cpu), Backend::Cpu(other)) if own.layout == theirs.layout => {
                        cpu.tensor_mut(own, state).copy_from_slice(other.tensor(theirs, state));
                    }
                    _ => self.write(own, state, &mut from.read(theirs, state)?.into_iter())?,
                }
            }
        }
        self.copied = Some(from.changes);
        Ok(())
    }

    /// From now on only programs that change nothing run, and where the device can, several at once.
    pub fn serve(&mut self) {
        match &mut self.backend {
            Backend::Cpu(cpu) => cpu.serve(),
            Backend::Accelerated(_) => {}
        }
    }

    /// Training steps done: with the seed it decides what is random.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Goes on after another number of steps. What `accumulate` has gathered is dropped.
    pub fn set_step(&mut self, step: u64) {
        self.step = step;
        self.forget_gathered();
    }

    /// Drops what `accumulate` has gathered.
    pub fn forget_gathered(&mut self) {
        self.accumulated = 0;
        self.gathered.fill(0.0);
    }

    /// Parameters and running statistics in this device's order.
    pub fn weights(&self) -> Weights {
        match &self.backend {
            Backend::Cpu(_) => self.plan.weights(),
            Backend::Accelerated(_) => self.plan.cuda.weights,
        }
    }

    /// What runs the kernels, unless it is the CPU.
    pub fn accelerator(&self) -> Option<&'static dyn Accelerator> {
        match &self.backend {
            Backend::Cpu(_) => None,
            Backend::Accelerated(accelerated) => Some(accelerated.device()),
        }
    }

    /// Runs a program that changes no states over what `feed` gives.
    ///
    /// # Errors
    /// Where `feed` does not give `batch` samples of each input, and of each target where the program has a loss.
    pub fn run<'a>(&'a self, role: Role, batch: usize, feed: Feeding<'_, 'a>) -> Result<Finished<'a>> {
        assert!(role != Role::Step, "a step changes states");
        self.check(role, batch)?;
        match &self.backend {
            Backend::Cpu(cpu) => cpu.run(role, (self.seed, self.step), batch, feed).map(Finished::Cpu),
            Backend::Accelerated(accelerated) => {
                accelerated.run(role, (self.seed, self.step), batch, feed).map(Finished::Accelerated)
            }
        }
    }

    /// Forward and backward in training mode, then the optimizer's update. Without `report` it does not wait for results
    /// where they take waiting for.
    ///
    /// # Safety
    /// `update` was bound to a model of the same network on the same device: [`Bound::check`](crate::optim::Bound::check).
    ///
    /// # Errors
    /// As `run`.
    pub unsafe fn train(
        &mut self,
        batch: usize,
        feed: Feeding<'_, '_>,
        update: &mut dyn Update,
        report: bool,
    ) -> Result<Scores> {
        self.check(Role::Step, batch)?;
        self.changes += 1;
        let counter = (self.seed, self.step);
        // SAFETY: our caller vouches for the update.
        let scores = unsafe {
            match &mut self.backend {
                Backend::Cpu(cpu) => cpu.train(counter, batch, feed, update, &mut self.parts)?,
                Backend::Accelerated(accelerated) => {
                    let parts = report.then_some(&mut self.parts);
                    accelerated.train(counter, batch, feed, update, parts)?
                }
            }
        };
        self.step += 1;
        Ok(scores)
    }

    /// How many means the loss is the sum of.
    pub fn means(&self) -> usize {
        self.gathered.len()
    }

    /// The means of the loss in the last batch that was trained on with a report, or accumulated.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// As `train`, but the gradient goes into the mean over all samples since the last `apply`.
    ///
    /// # Errors
    /// As `run`.
    pub fn accumulate(&mut self, batch: usize, feed: Feeding<'_, '_>) -> Result<Scores> {
        self.check(Role::Step, batch)?;
        // States change.
        self.changes += 1;
        let counter = (self.seed, self.step);
        let Engine { backend, gathered, parts, one_run, .. } = self;
        let scores = if let [gathered] = gathered.as_mut_slice() {
            let mut share = |weight| parts::share(gathered, weight);
            match backend {
                Backend::Cpu(cpu) => cpu.accumulate(counter, batch, feed, &mut share, parts)?,
                Backend::Accelerated(accelerated) => accelerated.accumulate(counter, batch, feed, &mut share, parts)?,
            }
        } else {
            accumulate_each(backend, counter, batch, feed, gathered, (parts, one_run))?
        };
        self.step += 1;
        self.accumulated += batch;
        Ok(scores)
    }

    /// The optimizer's update with the mean gradient that `accumulate` gathered.
    ///
    /// # Safety
    /// As `train`.
    pub unsafe fn apply(&mut self, update: &mut dyn Update) -> Result<()> {
        if self.accumulated == 0 {
            return Err(Error::NothingAccumulated);
        }
        if self.gathered.contains(&0.0) {
            return Err(Error::NoWeight { network: self.plan.name });
        }
        self.changes += 1;
        // SAFETY: our caller vouches for the update.
        unsafe {
            match &mut self.backend {
                Backend::Cpu(cpu) => cpu.apply(update)?,
                Backend::Accelerated(accelerated) => accelerated.apply((self.seed, self.step), update)?,
            }
        }
        self.forget_gathered();
        Ok(())
    }

    /// A parameter or state in canonical order.
    pub fn read(&self, tensor: &Tensor, state: bool) -> Result<Vec<f32>> {
        let mut values = Vec::with_capacity(params::numel(&tensor.layout));
        match &self.backend {
            Backend::Cpu(cpu) => params::unpack(&tensor.layout, cpu.tensor(tensor, state), &mut values),
            Backend::Accelerated(accelerated) => {
                params::unpack(&tensor.layout, &accelerated.tensor(tensor, state)?, &mut values);
            }
        }
        Ok(values)
    }

    /// Canonical values into their places.
    pub fn write(&mut self, tensor: &Tensor, state: bool, values: &mut dyn Iterator<Item = f32>) -> Result<()> {
        self.changes += 1;
        match &mut self.backend {
            Backend::Cpu(cpu) => params::pack(&tensor.layout, values, cpu.tensor_mut(tensor, state)),
            Backend::Accelerated(accelerated) => {
                let mut physical = vec![0.0; tensor.layout.size];
                params::pack(&tensor.layout, values, &mut physical);
                accelerated.set_tensor(tensor, state, &physical)?;
            }
        }
        Ok(())
    }

    /// Copies parameters and states as they lie in their arenas.
    pub fn snapshot(&self, params: &mut Vec<f32>, states: &mut Vec<f32>) -> Result<()> {
        match &self.backend {
            Backend::Cpu(cpu) => {
                cpu.snapshot(params, states);
                Ok(())
            }
            Backend::Accelerated(accelerated) => accelerated.snapshot(params, states),
        }
    }

    /// Brings back what `snapshot` of this engine copied.
    pub fn restore(&mut self, params: &[f32], states: &[f32]) -> Result<()> {
        self.changes += 1;
        match &mut self.backend {
            Backend::Cpu(cpu) => {
                cpu.restore(params, states);
                Ok(())
            }
            Backend::Accelerated(accelerated) => accelerated.restore(params, states),
        }
    }

    /// A layer because of which the program takes no batch of one sample.
    pub fn single(&self, role: Role) -> Option<&'static str> {
        let program = match role {
            Role::Infer => Some(&self.plan.infer),
            Role::Evaluate => self.plan.evaluate.as_ref(),
            Role::Gradients => self.plan.gradients.as_ref(),
            Role::Step => self.plan.step.as_ref(),
        };
        program.and_then(|program| program.single)
    }

    /// How many samples evaluation takes at once.
    pub fn chunk(&self, role: Role) -> usize {
        let floats = match &self.backend {
            Backend::Cpu(cpu) => cpu.sample_floats(role),
            Backend::Accelerated(accelerated) => accelerated.sample_floats(role),
        };
        (CHUNK_FLOATS / floats.max(1) / BLOCK * BLOCK).clamp(BLOCK, 1024)
    }

    /// Trainable values, without padding.
    pub fn trainable(&self) -> usize {
        self.plan.params.iter().filter(|p| p.trainable).map(|p| params::numel(&p.layout)).sum()
    }

    /// Returns when all that was asked for is done.
    pub fn wait(&self) -> Result<()> {
        match &self.backend {
            Backend::Cpu(_) => Ok(()),
            Backend::Accelerated(accelerated) => accelerated.wait(),
        }
    }

    /// Milliseconds by the device's clock for so many launches of the graph that ran last, one behind the other. `None`
    /// where there is no graph or no clock.
    ///
    /// # Safety
    /// If it was a training step, its optimizer still lives.
    pub unsafe fn time_last(&mut self, launches: usize) -> Result<Option<f64>> {
        match &mut self.backend {
            Backend::Cpu(_) => Ok(None),
            // SAFETY: our caller vouches for the optimizer of the last step.
            Backend::Accelerated(accelerated) => unsafe { accelerated.time_last(launches) },
        }
    }

    /// Bytes of all memory that is held between runs: weights, running statistics, activations and scratch as far as they
    /// have been needed. The CPU's only.
    pub fn arena_bytes(&mut self) -> usize {
        match &mut self.backend {
            Backend::Cpu(cpu) => cpu.arena_bytes(),
            Backend::Accelerated(_) => 0,
        }
    }

    /// Starts or stops to take the time of launches, where this program starts them itself.
    pub fn set_clock(&mut self, on: bool) {
        match &mut self.backend {
            Backend::Cpu(cpu) => cpu.set_clock(on),
            Backend::Accelerated(_) => {}
        }
    }

    /// The launches of the program that ran last, with the time that each took.
    pub fn clocked(&mut self, role: Role, batch: usize) -> Vec<LaunchTime> {
        match &mut self.backend {
            Backend::Cpu(cpu) => cpu.clocked(role, batch),
            Backend::Accelerated(_) => Vec::new(),
        }
    }

    /// Test switch: scratch is NaN before each run, so that reading what was never written shows.
    pub fn poison(&mut self, on: bool) {
        match &mut self.backend {
            Backend::Cpu(cpu) => cpu.poison(on),
            Backend::Accelerated(accelerated) => accelerated.poison(on),
        }
    }

    /// Whether there is such a program, and something for it to work on.
    fn check(&self, role: Role, batch: usize) -> Result<()> {
        let network = self.plan.name;
        let has = match &self.backend {
            Backend::Cpu(cpu) => cpu.has(role),
            Backend::Accelerated(accelerated) => accelerated.has(role),
        };
        if !has {
            return Err(Error::NoLoss { network, action: role.action() });
        }
        if batch == 0 {
            return Err(Error::empty(format!("the batch for {network}")));
        }
        if let (1, Some(layer)) = (batch, self.single(role)) {
            return Err(Error::SingleValue { network, layer });
        }
        Ok(())
    }
}

impl Finished<'_> {
    /// What the batch gave, and the means that its loss is the sum of.
    pub fn scores(&self, parts: &mut Vec<Part>) -> Result<Scores> {
        match self {
            Finished::Cpu(finished) => Ok(finished.scores(parts)),
            Finished::Accelerated(finished) => finished.scores(parts),
        }
    }

    /// Appends output `index` of all samples, in canonical order.
    pub fn output(&self, index: usize, out: &mut Vec<f32>) -> Result<()> {
        match self {
            Finished::Cpu(finished) => {
                finished.output(index, out);
                Ok(())
            }
            Finished::Accelerated(finished) => finished.output(index, out),
        }
    }

    /// The gradient arena, in this device's order.
    pub fn grads(&self) -> Result<Cow<'_, [f32]>> {
        match self {
            Finished::Cpu(finished) => Ok(Cow::Borrowed(finished.grads())),
            Finished::Accelerated(finished) => finished.grads().map(Cow::Owned),
        }
    }
}

/// Gradients of several means with weights of their own: one run for each, and a gathered gradient of its own. The last run
/// changes the states too.
fn accumulate_each(
    backend: &mut Backend,
    counter: (u64, u64),
    batch: usize,
    feed: Feeding<'_, '_>,
    gathered: &mut [f64],
    (parts, one_run): (&mut Vec<Part>, &mut Vec<Part>),
) -> Result<Scores> {
    let last = gathered.len() - 1;
    let mut scores = Scores::default();
    parts.clear();
    for (mean, gathered) in gathered.iter_mut().enumerate() {
        let role = if mean == last { Role::Step } else { Role::Gradients };
        let only = Some(mean);
        scores = match backend {
            Backend::Cpu(cpu) => cpu.differentiate((role, only), counter, batch, feed, one_run)?,
            Backend::Accelerated(device) => device.differentiate((role, only), counter, batch, feed, one_run)?,
        };
        let part = one_run[mean];
        let share = parts::share(gathered, part.weight);
        match backend {
            Backend::Cpu(cpu) => cpu.gather(mean, share),
            Backend::Accelerated(device) => device.gather(mean, share, counter)?,
        }
        parts.push(part);
    }
    scores.loss = Some(parts.iter().map(|part| part.mean as f32).sum());
    Ok(scores)
}

/// No variant of a program takes such a batch.
#[cold]
fn too_large(plan: &Plan, batch: usize) -> Error {
    Error::option(format!("the batch size of {}", plan.name), "smaller", batch)
}
