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
mod ports;

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
use std::borrow::Cow;

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
    /// Samples in the mean gradient that `accumulate` gathers.
    accumulated: usize,
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
        let mut engine = Engine { plan, seed, step: 0, accumulated: 0, backend };
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
        Ok(Engine { plan, seed: self.seed, step: 0, accumulated: 0, backend })
    }

    /// Takes over all parameters and states of an engine that this is the companion of: they may lie in another order.
    pub fn copy_weights(&mut self, from: &Engine) -> Result<()> {
        let (own, theirs) = (self.weights(), from.weights());
        for (own, theirs, state) in [(own.params, theirs.params, false), (own.states, theirs.states, true)] {
            for (own, theirs) in own.iter().zip(theirs) {
                self.write(own, state, &mut from.read(theirs, state)?.into_iter())?;
            }
        }
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
        (self.step, self.accumulated) = (step, 0);
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
        let counter = (self.seed, self.step);
        // SAFETY: our caller vouches for the update.
        let scores = unsafe {
            match &mut self.backend {
                Backend::Cpu(cpu) => cpu.train(counter, batch, feed, update)?,
                Backend::Accelerated(accelerated) => accelerated.train(counter, batch, feed, update, report)?,
            }
        };
        self.step += 1;
        Ok(scores)
    }

    /// As `train`, but the gradient goes into the mean over all samples since the last `apply`.
    ///
    /// # Errors
    /// As `run`.
    pub fn accumulate(&mut self, batch: usize, feed: Feeding<'_, '_>) -> Result<Scores> {
        self.check(Role::Step, batch)?;
        let counter = (self.seed, self.step);
        let samples = self.accumulated + batch;
        // Exactly 1 for the first batch: it replaces what was there.
        let share = batch as f32 / samples as f32;
        let scores = match &mut self.backend {
            Backend::Cpu(cpu) => cpu.accumulate(counter, batch, feed, share)?,
            Backend::Accelerated(accelerated) => accelerated.accumulate(counter, batch, feed, share)?,
        };
        self.step += 1;
        self.accumulated = samples;
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
        // SAFETY: our caller vouches for the update.
        unsafe {
            match &mut self.backend {
                Backend::Cpu(cpu) => cpu.apply(update)?,
                Backend::Accelerated(accelerated) => accelerated.apply((self.seed, self.step), update)?,
            }
        }
        self.accumulated = 0;
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
        match &mut self.backend {
            Backend::Cpu(cpu) => {
                cpu.restore(params, states);
                Ok(())
            }
            Backend::Accelerated(accelerated) => accelerated.restore(params, states),
        }
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
        Ok(())
    }
}

impl Finished<'_> {
    pub fn scores(&self) -> Result<Scores> {
        match self {
            Finished::Cpu(finished) => Ok(finished.scores()),
            Finished::Accelerated(finished) => finished.scores(),
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

/// No variant of a program takes such a batch.
#[cold]
fn too_large(plan: &Plan, batch: usize) -> Error {
    Error::option(format!("the batch size of {}", plan.name), "smaller", batch)
}
