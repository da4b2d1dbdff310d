//! The part of a model that does not depend on its network's type: memory, and running programs.
//!
//! A program is a list of launches; a launch is a number of independent tasks and a barrier. The engine chooses the
//! variant for the batch, sees to memory, and hands each launch to the pool. Parameters and states live as long as the
//! model; activations and scratch lie in [`Work`], which grows with the largest batch seen and is then used again, so that
//! a warm step allocates nothing.
//!
//! Deliberately absent: decisions. What runs where in which order is in the [`Plan`].

use crate::device::cpu::{Arena, BLOCK, Ctx, Pool};
use crate::device::{Device, Opened};
use crate::error::{Error, Result};
use crate::init;
use crate::params;
use crate::plan::{Level, Plan, Program, Space, Stored, Variant};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Evaluation cuts large inputs into batches whose activations stay below this (256 MiB).
const CHUNK_FLOATS: usize = 64 << 20;

pub(crate) struct Engine {
    pub plan: &'static Plan,
    pub pool: Arc<Pool>,
    pub level: Level,
    pub seed: u64,
    /// Training steps done: part of the counter of random numbers.
    pub step: u64,
    pub params: Arena,
    pub states: Arena,
    work: Mutex<Work>,
}

/// Memory between the start and the end of a program.
pub(crate) struct Work {
    pub grads: Arena,
    batch: Arena,
    fixed: Arena,
    worker: Arena,
    /// First elements of the caller's buffers: inputs, then targets.
    pub ports: Ports,
    /// Where the arguments of all launches of a run lie.
    args: Args,
    /// Test switch: scratch is NaN before each run, so that reading what was never written shows.
    pub poison: bool,
}

/// The caller's buffers of the current run.
#[derive(Default)]
pub(crate) struct Ports(Vec<*const u8>);

/// Addresses of arguments, launch by launch.
#[derive(Default)]
struct Args(Vec<*mut f32>);

// SAFETY: the pointers are written and read within one call that holds the lock on `Work`; between calls they are never
// followed.
unsafe impl Send for Ports {}
// SAFETY: as above.
unsafe impl Send for Args {}

impl Ports {
    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn push(&mut self, port: *const u8) {
        self.0.push(port);
    }
}

/// What a run leaves behind, to be read while `Work` is still held.
pub(crate) struct Finished<'a> {
    cx: Ctx,
    variant: &'static Variant,
    work: PhantomData<&'a Work>,
}

impl Engine {
    pub fn new(plan: &'static Plan, device: &Device, seed: u64) -> Result<Self> {
        let (pool, level) = match device.open()? {
            Opened::Cpu(pool, level) => (pool, level),
            Opened::Accelerator(accelerator) => {
                let problem = "networks do not run on CUDA yet".to_owned();
                return Err(Error::Device { device: accelerator.name(), problem });
            }
        };
        let mut engine = Engine {
            plan,
            pool,
            level,
            seed,
            step: 0,
            params: Arena::new(plan.param_floats),
            states: Arena::new(plan.state_floats),
            work: Mutex::new(Work {
                grads: Arena::new(0),
                batch: Arena::new(0),
                fixed: Arena::new(0),
                worker: Arena::new(0),
                ports: Ports(Vec::with_capacity(plan.inputs.len() + plan.targets.len())),
                args: Args::default(),
                poison: false,
            }),
        };
        let mut values = Vec::new();
        for (tensors, arena) in [(plan.params, &mut engine.params), (plan.states, &mut engine.states)] {
            for tensor in tensors {
                values.clear();
                values.resize(params::numel(&tensor.layout), 0.0);
                init::fill(tensor, seed, &mut values);
                let physical = &mut arena[tensor.offset..tensor.offset + tensor.layout.size];
                params::pack(&tensor.layout, values.iter().copied(), physical);
            }
        }
        Ok(engine)
    }

    /// The scratch memory; whoever holds it is the only one who runs programs of this model.
    pub fn work(&self) -> MutexGuard<'_, Work> {
        // A panic while it was held leaves only scratch behind.
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The scratch memory together with parameters, for the optimizer.
    pub fn parts(&mut self) -> (&mut Work, &mut Arena, &Pool, Level) {
        let work = self.work.get_mut().unwrap_or_else(PoisonError::into_inner);
        (work, &mut self.params, &self.pool, self.level)
    }

    /// Runs a program that changes no states over `work.ports`, which the caller has just filled.
    ///
    /// # Safety
    /// Each port must point to `batch` samples of the port's kind, in row-major order.
    pub unsafe fn run<'a>(&'a self, program: &Program, batch: usize, work: &'a mut Work) -> Result<Finished<'a>> {
        // SAFETY: the caller's; nothing is written through the pointer to the states.
        unsafe { self.launch(program, batch, work, self.states.as_ptr().cast_mut()) }
    }

    /// Runs `step`, which changes states, as `run` does; returns loss and number of correct predictions.
    ///
    /// # Safety
    /// As `run`, for the ports that `fill` pushes.
    pub unsafe fn train(
        &mut self,
        program: &Program,
        batch: usize,
        fill: impl FnOnce(&mut Ports),
    ) -> Result<(Option<f32>, Option<usize>)> {
        let states = self.states.as_mut_ptr();
        let mut work = self.work();
        work.ports.clear();
        fill(&mut work.ports);
        // SAFETY: the caller's; the pointer is the only way to the states while `self` is borrowed.
        let finished = unsafe { self.launch(program, batch, &mut work, states)? };
        let result = (finished.loss(), finished.correct());
        drop(work);
        self.step += 1;
        Ok(result)
    }

    /// # Safety
    /// As `run`; a program that changes states needs a pointer to them that may write.
    unsafe fn launch<'a>(
        &'a self,
        program: &Program,
        batch: usize,
        work: &'a mut Work,
        states: *mut f32,
    ) -> Result<Finished<'a>> {
        let plan = self.plan;
        let found = work.ports.0.len();
        let all = plan.inputs.len() + plan.targets.len();
        if batch == 0 {
            return Err(Error::empty(format!("the batch for {}", plan.name)));
        }
        debug_assert!(found == plan.inputs.len() || found == all, "{}: {found} ports of {all}", plan.name);
        let Some(variant) = program.variants.iter().find(|v| batch <= v.max_batch) else {
            return Err(Error::option(format!("the batch size of {}", plan.name), "smaller", batch));
        };
        let padded = Ctx::pad(batch);
        let worker_stride = variant.worker_floats.next_multiple_of(BLOCK);
        // A program that only infers needs no memory for gradients.
        let differentiates = variant.launches.iter().flat_map(|l| l.args).any(|arg| arg.space == Space::Grads);
        if differentiates {
            work.grads.reserve(plan.trainable_floats);
        }
        work.batch.reserve(variant.batch_floats * padded);
        work.fixed.reserve(variant.fixed_floats);
        work.worker.reserve(worker_stride * self.pool.threads());
        if work.poison {
            for arena in [&mut work.batch, &mut work.fixed, &mut work.worker] {
                arena.fill_nan();
            }
        }
        let cx = Ctx {
            params: self.params.as_ptr().cast_mut(),
            grads: work.grads.as_mut_ptr(),
            states,
            batch_arena: work.batch.as_mut_ptr(),
            fixed: work.fixed.as_mut_ptr(),
            worker: work.worker.as_mut_ptr(),
            worker_stride,
            ports: work.ports.0.as_ptr(),
            args: std::ptr::null(),
            batch,
            padded,
            seed: self.seed,
            step: self.step,
        };
        work.args.0.clear();
        for arg in variant.launches.iter().flat_map(|launch| launch.args) {
            // SAFETY: offsets lie within the arenas, which were sized from the same plan.
            work.args.0.push(unsafe { address(&cx, arg.space, arg.offset) });
        }
        let mut args = work.args.0.as_ptr();
        for launch in variant.launches {
            let cx = Ctx { args, ..cx };
            // SAFETY: the table has the arguments of all launches, one after the other.
            args = unsafe { args.add(launch.args.len()) };
            let entry = launch.entry[self.level as usize];
            // SAFETY: the plan is the network's own, so offsets stay within the arenas that were sized from it; the level
            // was detected; tasks of one launch write disjoint places; the caller vouches for the ports.
            self.pool.run((launch.tasks)(batch), &|worker, task| unsafe { entry(&cx, worker, task) });
        }
        Ok(Finished { cx, variant, work: PhantomData })
    }

    /// How many samples evaluation takes at once.
    pub fn chunk(&self, program: &Program) -> usize {
        let floats = program.variants.last().map_or(1, |v| v.batch_floats.max(1));
        (CHUNK_FLOATS / floats / BLOCK * BLOCK).clamp(BLOCK, 1024)
    }

    /// Trainable values, without padding.
    pub fn trainable(&self) -> usize {
        self.plan.params.iter().filter(|p| p.trainable).map(|p| params::numel(&p.layout)).sum()
    }
}

impl Finished<'_> {
    pub fn loss(&self) -> Option<f32> {
        self.variant.loss.as_ref().map(|stored| self.scalar(stored))
    }

    pub fn correct(&self) -> Option<usize> {
        self.variant.correct.as_ref().map(|stored| self.scalar(stored) as usize)
    }

    /// Appends output `index` of all samples, in canonical order.
    pub fn output(&self, index: usize, out: &mut Vec<f32>) {
        let stored = &self.variant.outputs[index];
        for sample in 0..self.cx.batch {
            // SAFETY: the plan keeps outputs alive until the program's end, within their arena.
            unsafe {
                let first = address(&self.cx, stored.space, stored.offset).add(sample * stored.sample);
                params::unpack_raw(&stored.layout, first, out);
            }
        }
    }

    fn scalar(&self, stored: &Stored) -> f32 {
        // SAFETY: as in `output`.
        unsafe { *address(&self.cx, stored.space, stored.offset) }
    }
}

/// # Safety
/// The offset lies within its arena, or is the number of a port of this run.
unsafe fn address(cx: &Ctx, space: Space, offset: usize) -> *mut f32 {
    // SAFETY: the caller's.
    unsafe {
        match space {
            Space::Batch => cx.batch(offset),
            Space::Fixed => cx.fixed(offset),
            Space::Port => cx.port(offset).cast_mut(),
            Space::Params => cx.params(offset),
            Space::Grads => cx.grads(offset),
            Space::State => cx.states(offset),
            Space::Optimizer(_) => std::ptr::null_mut(),
        }
    }
}
