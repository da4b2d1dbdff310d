//! Programs on the CPU.
//!
//! A program is a list of launches; a launch is a number of independent tasks and a barrier. The backend chooses the
//! variant for the batch, sees to memory, and hands each launch to the pool. Activations and scratch grow with the largest
//! batch seen and are then used again, so that a warm step allocates nothing.

use super::watch::{self, Planted, Watch};
use super::{Feeding, Part, Role, Scores, guard, ports, too_large};
use crate::device::cpu::{Arena, BLOCK, Ctx, Pool};
use crate::error::Result;
use crate::model::LaunchTime;
use crate::optim::{Prepared, Update};
use crate::params;
use crate::plan::{Arg, Cost, Kept as Row, Launch, Level, Plan, Program, Space, Stored, Tensor, Variant};
use std::convert::Infallible;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub(super) struct Cpu {
    plan: &'static Plan,
    pool: Arc<Pool>,
    level: Level,
    params: Arena,
    states: Arena,
    /// Counts changes of parameters and states.
    changes: u64,
    scratch: Mutex<Scratch>,
    /// More of it, where runs that change nothing need not take turns.
    spare: Option<Mutex<Vec<Scratch>>>,
    /// The mean gradients since the last `apply`, by mean of the loss; made on first use.
    mean: Vec<Arena>,
}

/// Called after each launch, before the next one; `false` ends the run.
type Look<'a> = &'a mut dyn FnMut(usize, &Ctx, &'static Variant) -> bool;

/// Memory between the start and the end of a program.
struct Scratch {
    grads: Arena,
    batch: Arena,
    fixed: Arena,
    /// By [`Role`].
    derived: [Kept; 4],
    worker: Arena,
    /// First elements of the caller's buffers: inputs, then targets.
    ports: Ports,
    /// Where the arguments of all launches of a run lie.
    args: Args,
    poison: bool,
    /// Seconds of each launch of the last run, the optimizer's pass last, while somebody wants to know.
    clock: Option<Vec<f64>>,
}

/// Values that a program derives from parameters and states alone.
struct Kept {
    arena: Arena,
    /// [`Cpu::changes`] when they were made, and the guard of the variant that made them.
    of: Option<(u64, usize)>,
}

/// The caller's buffers of the current run.
#[derive(Default)]
struct Ports(Vec<*const u8>);

/// Addresses of arguments, launch by launch.
#[derive(Default)]
struct Args(Vec<*mut f32>);

// SAFETY: the pointers are written and read within one call that holds the lock on `Scratch`; between calls they are never
// followed.
unsafe impl Send for Ports {}
// SAFETY: the same of `Args`.
unsafe impl Send for Args {}

/// What a run leaves behind, while its scratch memory is still held.
pub(crate) struct Finished<'a> {
    scratch: Held<'a>,
    done: Done,
}

/// The scratch memory of one run.
// One a run: the size does not matter.
#[allow(clippy::large_enum_variant)]
enum Held<'a> {
    Only(MutexGuard<'a, Scratch>),
    /// From a pool that takes it back. It is there until it is dropped.
    Spare(&'a Mutex<Vec<Scratch>>, Option<Scratch>),
}

impl Deref for Held<'_> {
    type Target = Scratch;

    fn deref(&self) -> &Scratch {
        match self {
            Held::Only(guard) => guard,
            Held::Spare(_, scratch) => scratch.as_ref().expect("it is taken when it is dropped"),
        }
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Scratch {
        match self {
            Held::Only(guard) => guard,
            Held::Spare(_, scratch) => scratch.as_mut().expect("it is taken when it is dropped"),
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Held::Spare(pool, scratch) = self {
            pool.lock().unwrap_or_else(PoisonError::into_inner).extend(scratch.take());
        }
    }
}

impl Scratch {
    fn new(plan: &Plan) -> Self {
        // Of the longest table of any program: batches of other sizes run other launches, and none shall find it too short.
        let programs = [Some(&plan.infer), plan.evaluate.as_ref(), plan.gradients.as_ref(), plan.step.as_ref()];
        let variants = programs.into_iter().flatten().flat_map(|program| program.variants);
        let most = variants.map(|v| v.launches.iter().map(|launch| launch.args.len()).sum()).max().unwrap_or(0);
        Scratch {
            grads: Arena::new(0),
            batch: Arena::new(0),
            fixed: Arena::new(0),
            derived: [(); 4].map(|()| Kept { arena: Arena::new(0), of: None }),
            worker: Arena::new(0),
            ports: Ports(Vec::with_capacity(plan.inputs.len() + plan.targets.len())),
            args: Args(Vec::with_capacity(most)),
            poison: false,
            clock: None,
        }
    }
}

/// Where a run's results lie.
struct Done {
    cx: Ctx,
    variant: &'static Variant,
}

impl Cpu {
    /// All zero: parameters and states are written by the caller.
    pub fn new(plan: &'static Plan, pool: Arc<Pool>, level: Level) -> Self {
        Cpu {
            plan,
            pool,
            level,
            params: Arena::new(plan.param_floats),
            states: Arena::new(plan.state_floats),
            changes: 0,
            scratch: Mutex::new(Scratch::new(plan)),
            spare: None,
            mean: Vec::new(),
        }
    }

    /// For another plan, with the same threads and instruction set.
    pub fn companion(&self, plan: &'static Plan) -> Self {
        let companion = Cpu::new(plan, self.pool.clone(), self.level);
        companion.scratch().poison = self.scratch().poison;
        companion
    }

    /// Whoever holds it is the only one who runs programs of this model.
    fn scratch(&self) -> MutexGuard<'_, Scratch> {
        // A panic while it was held leaves only scratch behind.
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn program(&self, role: Role) -> Option<&'static Program> {
        match role {
            Role::Infer => Some(&self.plan.infer),
            Role::Evaluate => self.plan.evaluate.as_ref(),
            Role::Gradients => self.plan.gradients.as_ref(),
            Role::Step => self.plan.step.as_ref(),
        }
    }

    pub fn has(&self, role: Role) -> bool {
        self.program(role).is_some()
    }

    /// Activations of one sample.
    pub fn sample_floats(&self, role: Role) -> usize {
        self.program(role).and_then(|p| p.variants.last()).map_or(0, |v| v.batch_floats)
    }

    /// `role` is none that changes states.
    pub fn run<'a>(
        &'a self,
        role: Role,
        counter: (u64, u64),
        batch: usize,
        feed: Feeding<'_, 'a>,
    ) -> Result<Finished<'a>> {
        let mut scratch = match &self.spare {
            None => Held::Only(self.scratch()),
            Some(pool) => {
                let spare = pool.lock().unwrap_or_else(PoisonError::into_inner).pop();
                Held::Spare(pool, Some(spare.unwrap_or_else(|| Scratch::new(self.plan))))
            }
        };
        // SAFETY: of all programs only `step` writes states, and without an update nothing writes parameters.
        let done = unsafe { self.launch((role, None), counter, batch, feed, &mut scratch, (None, None))? };
        Ok(Finished { scratch, done })
    }

    /// From now on runs that change nothing have scratch memory of their own each, and need not take turns.
    pub fn serve(&mut self) {
        // What training needed is of no use any more.
        let scratch = self.scratch.get_mut().unwrap_or_else(PoisonError::into_inner);
        *scratch = Scratch::new(self.plan);
        (self.mean, self.spare) = (Vec::new(), Some(Mutex::default()));
    }

    /// # Safety
    /// As `Engine::train`.
    pub unsafe fn train(
        &mut self,
        counter: (u64, u64),
        batch: usize,
        feed: Feeding<'_, '_>,
        update: &mut dyn Update,
        parts: &mut Vec<Part>,
    ) -> Result<Scores> {
        let mut prepared = update.prepare(&mut self.params, self.level)?;
        // The norm of all gradients is known when the last one is there.
        let max_norm = update.max_norm();
        // SAFETY: the caller's, and the step was prepared above from these parameters.
        let scores = unsafe { self.step(counter, batch, feed, max_norm.is_none().then_some(&prepared), parts)? };
        let scratch = self.scratch.get_mut().unwrap_or_else(PoisonError::into_inner);
        let start = Instant::now();
        if let Some(max_norm) = max_norm {
            prepared.scale = update.clip(max_norm, &scratch.grads, &self.pool);
        }
        update.sweep(&prepared, max_norm.is_some(), &scratch.grads, &self.pool);
        update.taken();
        if let Some(clock) = &mut scratch.clock {
            clock.push(start.elapsed().as_secs_f64());
        }
        Ok(scores)
    }

    pub fn accumulate(
        &mut self,
        counter: (u64, u64),
        batch: usize,
        feed: Feeding<'_, '_>,
        share: &mut dyn FnMut(f64) -> f32,
        parts: &mut Vec<Part>,
    ) -> Result<Scores> {
        // SAFETY: there is no update.
        let scores = unsafe { self.step(counter, batch, feed, None, parts)? };
        self.gather(0, share(parts[0].weight));
        Ok(scores)
    }

    /// Gradients of one mean of the loss, or of all of it, into the gradient arena.
    pub fn differentiate(
        &mut self,
        (role, only): (Role, Option<usize>),
        counter: (u64, u64),
        batch: usize,
        feed: Feeding<'_, '_>,
        parts: &mut Vec<Part>,
    ) -> Result<Scores> {
        self.changes += u64::from(role == Role::Step);
        let mut scratch = self.scratch();
        // SAFETY: there is no update, and while `self` is borrowed mutably nobody else sees states.
        let done = unsafe { self.launch((role, only), counter, batch, feed, &mut scratch, (None, None))? };
        Ok(done.scores(parts))
    }

    /// Takes the gradients that lie in their arena into the gathered one of this mean.
    pub fn gather(&mut self, mean: usize, share: f32) {
        let (scratch, floats) =
            (self.scratch.get_mut().unwrap_or_else(PoisonError::into_inner), self.plan.trainable_floats);
        self.mean.resize_with(self.mean.len().max(mean + 1), || Arena::new(floats));
        let gathered = &mut self.mean[mean];
        if share == 1.0 {
            gathered.copy_from_slice(&scratch.grads);
        } else if share != 0.0 {
            for (mean, grad) in gathered.iter_mut().zip(&*scratch.grads) {
                *mean += (grad - *mean) * share;
            }
        }
    }

    /// # Safety
    /// As `Engine::train`.
    pub unsafe fn apply(&mut self, update: &mut dyn Update) -> Result<()> {
        self.changes += 1;
        let (sum, others) = self.mean.split_first_mut().expect("something was gathered");
        for other in others {
            sum.iter_mut().zip(&**other).for_each(|(sum, gradient)| *sum += gradient);
        }
        let mut prepared = update.prepare(&mut self.params, self.level)?;
        if let Some(max_norm) = update.max_norm() {
            prepared.scale = update.clip(max_norm, &self.mean[0], &self.pool);
        }
        update.sweep(&prepared, true, &self.mean[0], &self.pool);
        update.taken();
        Ok(())
    }

    /// Runs `step`: states are new afterwards, and gradients, or, with an update, the parameters that kernels update.
    ///
    /// # Safety
    /// As `launch` about the update.
    unsafe fn step(
        &mut self,
        counter: (u64, u64),
        batch: usize,
        feed: Feeding<'_, '_>,
        update: Option<&Prepared>,
        parts: &mut Vec<Part>,
    ) -> Result<Scores> {
        // Its states, and with the update or soon after it its parameters.
        self.changes += 1;
        let mut scratch = self.scratch();
        // SAFETY: the update is our caller's. `self` is borrowed mutably, so nobody else sees states and parameters.
        let done = unsafe { self.launch((Role::Step, None), counter, batch, feed, &mut scratch, (update, None))? };
        Ok(done.scores(parts))
    }

    /// Runs a program without any update and shows `each` what its launches leave. States are as before afterwards.
    pub fn watch(
        &mut self,
        role: Role,
        counter: (u64, u64),
        batch: usize,
        feed: Feeding<'_, '_>,
        (planted, each): (&[Planted], Watch<'_>),
    ) -> Result<Scores> {
        let states = self.states.to_vec();
        // What was derived from weights is watched too.
        self.changes += 1;
        let mut scratch = self.scratch();
        let mut values = Vec::new();
        let mut look = |number: usize, cx: &Ctx, variant: &'static Variant| {
            for row in Row::rows(variant.kept).iter().filter(|row| row.launch == number) {
                // SAFETY: the plan's offsets lie within the arenas, and no kernel runs now.
                let first = unsafe { address(cx, row.stored.space, row.stored.offset).add(row.at) };
                for (element, value) in watch::faults(planted, row) {
                    // SAFETY: the element is one of the value, which lies within its arena.
                    unsafe { *first.add(watch::place(row, element, batch)) = value };
                }
                values.clear();
                let elements = watch::samples(row, batch) * params::numel(&row.stored.layout);
                // SAFETY: samples of the batch lie within the arena, and no kernel runs now.
                values.extend((0..elements).map(|i| unsafe { *first.add(watch::place(row, i, batch)) }));
                let Launch { name, layers, ops, .. } = variant.launches[number];
                if !each(&watch::Seen { row, kernel: name, layers, ops, values: &values }) {
                    return false;
                }
            }
            true
        };
        // SAFETY: there is no update, and while `self` is borrowed mutably nobody else sees states.
        let done = unsafe { self.launch((role, None), counter, batch, feed, &mut scratch, (None, Some(&mut look))) };
        let scores = done.map(|done| done.scores(&mut Vec::new()));
        drop(scratch);
        self.restore_states(&states);
        scores
    }

    /// Which variant of a program takes such a batch, and how many there are.
    #[cfg(feature = "verify")]
    pub fn variant(&self, role: Role, batch: usize) -> Option<(usize, &'static [Variant])> {
        let variants = self.program(role)?.variants;
        variants.iter().position(|v| batch <= v.max_batch).map(|index| (index, variants))
    }

    pub fn arenas(&self) -> [&[f32]; 2] {
        [&self.params, &self.states]
    }

    pub fn restore_states(&mut self, states: &[f32]) {
        self.changes += 1;
        self.states.copy_from_slice(states);
    }

    /// The mean gradients since the last `apply`, by mean of the loss.
    pub fn means(&self) -> impl Iterator<Item = &[f32]> {
        self.mean.iter().map(|mean| &mean[..])
    }

    pub fn tensor(&self, tensor: &Tensor, state: bool) -> &[f32] {
        let arena = if state { &self.states } else { &self.params };
        &arena[tensor.offset..tensor.offset + tensor.layout.size]
    }

    pub fn tensor_mut(&mut self, tensor: &Tensor, state: bool) -> &mut [f32] {
        self.changes += 1;
        let arena = if state { &mut self.states } else { &mut self.params };
        &mut arena[tensor.offset..tensor.offset + tensor.layout.size]
    }

    pub fn snapshot(&self, params: &mut Vec<f32>, states: &mut Vec<f32>) {
        for (copy, arena) in [(params, &self.params), (states, &self.states)] {
            copy.clear();
            copy.extend_from_slice(arena);
        }
    }

    pub fn restore(&mut self, params: &[f32], states: &[f32]) {
        self.changes += 1;
        self.params.copy_from_slice(params);
        self.states.copy_from_slice(states);
    }

    pub fn arena_bytes(&mut self) -> usize {
        let Scratch { grads, batch, fixed, derived, worker, .. } =
            self.scratch.get_mut().unwrap_or_else(PoisonError::into_inner);
        let scratch = [&*grads, batch, fixed, worker].into_iter().chain(derived.iter().map(|kept| &kept.arena));
        let all = scratch.chain([&self.params, &self.states]).chain(&self.mean);
        all.map(|arena| size_of_val::<[f32]>(arena)).sum()
    }

    /// Starts or stops to take the time of launches.
    pub fn set_clock(&mut self, on: bool) {
        self.scratch.get_mut().unwrap_or_else(PoisonError::into_inner).clock = on.then(Vec::new);
    }

    /// The launches of the program that ran last, with the time that each took.
    pub fn clocked(&mut self, role: Role, batch: usize) -> Vec<LaunchTime> {
        let variants = self.program(role).map_or(&[][..], |program| program.variants);
        let launches = variants.iter().find(|v| batch <= v.max_batch).map_or(&[][..], |v| v.launches);
        let scratch = self.scratch.get_mut().unwrap_or_else(PoisonError::into_inner);
        let times = scratch.clock.as_deref().unwrap_or_default();
        let mut list = Vec::with_capacity(times.len());
        for (launch, &seconds) in launches.iter().zip(times) {
            let Launch { name, layers, ops, cost, .. } = *launch;
            list.push(LaunchTime { name, layers, ops, seconds, flops: cost.flops(batch), bytes: cost.bytes(batch) });
        }
        if let Some(&seconds) = times.get(launches.len()) {
            // Of what kernels have not updated, parameters are read and written, gradients read; what the optimizer remembers
            // comes on top.
            let bytes = 12 * self.plan.rest.iter().map(|range| range.floats as u64).sum::<u64>();
            list.push(LaunchTime { name: "update", layers: "", ops: "", seconds, flops: 0, bytes });
        }
        list
    }

    pub fn poison(&mut self, on: bool) {
        self.scratch.get_mut().unwrap_or_else(PoisonError::into_inner).poison = on;
    }

    /// What is left behind points into what `feed` gave: it must not be followed when that is gone.
    ///
    /// # Safety
    /// The update was prepared from the parameters of this backend for its network. For a program that changes states, or with an update,
    /// nobody else sees states and parameters.
    unsafe fn launch(
        &self,
        (role, only): (Role, Option<usize>),
        (seed, step): (u64, u64),
        batch: usize,
        feed: Feeding<'_, '_>,
        scratch: &mut Scratch,
        (update, mut look): (Option<&Prepared>, Option<Look<'_>>),
    ) -> Result<Done> {
        let plan = self.plan;
        scratch.clock.iter_mut().for_each(Vec::clear);
        let pointers = &mut scratch.ports.0;
        pointers.clear();
        ports::each(plan, role, batch, feed, |_, bytes| {
            pointers.push(bytes.as_ptr());
            Ok(())
        })?;
        let variants = self.program(role).map_or(&[][..], |program| program.variants);
        let Some(variant) = variants.iter().find(|v| batch <= v.max_batch) else { return Err(too_large(plan, batch)) };
        let padded = Ctx::pad(batch);
        // Tests have marks behind what kernels may write.
        let guarded = if scratch.poison { guard::FLOATS } else { 0 };
        let worker_stride = (variant.worker_floats + guarded).next_multiple_of(BLOCK);
        let batch_floats = variant.batch_floats * padded;
        // Without gradients that are stored, none have to have memory.
        let stored = |arg: &Arg| arg.space == Space::Grads || (arg.space == Space::Updates && update.is_none());
        let differentiates = variant.launches.iter().flat_map(|l| l.args).any(stored);
        if differentiates {
            scratch.grads.reserve(plan.trainable_floats);
        }
        scratch.batch.reserve(batch_floats + guarded);
        scratch.fixed.reserve(variant.fixed_floats + guarded);
        scratch.worker.reserve(worker_stride * self.pool.threads());
        let kept = &mut scratch.derived[role as usize];
        kept.arena.reserve(variant.derived_floats + guarded);
        let made_now = Some((self.changes, variant.max_batch));
        if scratch.poison {
            kept.of = None;
        }
        let fresh = kept.of == made_now;
        // Until they are all there.
        kept.of = None;
        let sizes = [
            ("the batch arena", batch_floats, None),
            ("the fixed arena", variant.fixed_floats, None),
            ("the arena of derived values", variant.derived_floats, None),
            ("a worker's scratch", variant.worker_floats, Some(worker_stride)),
        ];
        if scratch.poison {
            let arenas = [&mut scratch.batch, &mut scratch.fixed, &mut kept.arena, &mut scratch.worker];
            for (arena, (_, used, stride)) in arenas.into_iter().zip(sizes) {
                arena.fill_nan();
                let stride = stride.unwrap_or(arena.len());
                guard::place(arena, used, stride);
            }
        }
        let cx = Ctx {
            params: self.params.first(),
            grads: scratch.grads.as_mut_ptr(),
            states: self.states.first(),
            batch_arena: scratch.batch.as_mut_ptr(),
            fixed: scratch.fixed.as_mut_ptr(),
            derived: kept.arena.as_mut_ptr(),
            worker: scratch.worker.as_mut_ptr(),
            worker_stride,
            ports: scratch.ports.0.as_ptr(),
            args: std::ptr::null(),
            numbers: std::ptr::null(),
            batch,
            padded,
            seed,
            step,
            only,
            update: update.map(Prepared::update),
        };
        scratch.args.0.clear();
        for arg in variant.launches.iter().flat_map(|launch| launch.args) {
            // SAFETY: the arenas above were sized from this variant, within which its offsets lie; a launch of it names no other port
            // than those that `ports::each` has found (*the plan*, *arenas*, *ports* of `device::cpu`).
            scratch.args.0.push(unsafe { address(&cx, arg.space, arg.offset).add(arg.at) });
        }
        let mut args = scratch.args.0.as_ptr();
        for (number, launch) in variant.launches.iter().enumerate() {
            let cx = Ctx { args, numbers: launch.numbers.as_ptr(), ..cx };
            // SAFETY: the table has the arguments of all launches, one after the other.
            args = unsafe { args.add(launch.args.len()) };
            if launch.derived && fresh {
                if let Some(clock) = &mut scratch.clock {
                    clock.push(0.0);
                }
                continue;
            }
            let entry = launch.entry[self.level as usize];
            let start = scratch.clock.is_some().then(Instant::now);
            let tasks = (launch.tasks)(batch, launch.numbers);
            // SAFETY: the entry is that of a level which `Device::open` found this processor to have, and `cx` that of its launch. The
            // pool gives each task below `tasks` to one worker below `threads`, once (*tasks* of `device::cpu`). Parameters and states are
            // nobody else's where they are written: our caller's word.
            let run = |worker, task| unsafe { entry(&cx, worker, task) };
            if is_short(&launch.cost, batch) {
                (0..tasks).for_each(|task| run(0, task));
            } else if self.spare.is_some() {
                self.pool.run_at_once(tasks, &run);
            } else {
                self.pool.run(tasks, &run);
            }
            if let (Some(clock), Some(start)) = (&mut scratch.clock, start) {
                clock.push(start.elapsed().as_secs_f64());
            }
            if scratch.poison {
                let derived = &scratch.derived[role as usize].arena;
                let arenas = [&scratch.batch, &scratch.fixed, derived, &scratch.worker];
                for (arena, (what, used, stride)) in arenas.into_iter().zip(sizes) {
                    guard::check(arena, used, stride.unwrap_or(arena.len()), what, plan.name, launch);
                }
            }
            if let Some(look) = &mut look
                && !look(number, &cx, variant)
            {
                return Ok(Done { cx, variant });
            }
        }
        scratch.derived[role as usize].of = made_now;
        Ok(Done { cx, variant })
    }
}

impl Finished<'_> {
    pub fn scores(&self, parts: &mut Vec<Part>) -> Scores {
        self.done.scores(parts)
    }

    /// The gradient arena.
    pub fn grads(&self) -> &[f32] {
        &self.scratch.grads
    }

    /// Appends output `index` of all samples, in canonical order.
    pub fn output(&self, index: usize, out: &mut Vec<f32>) {
        let Done { cx, variant } = &self.done;
        let stored = &variant.outputs[index];
        out.reserve(cx.batch * params::numel(&stored.layout));
        for sample in 0..cx.batch {
            // SAFETY: the plan keeps outputs alive until the program's end, within their arena, which is still held.
            unsafe {
                let first = address(cx, stored.space, stored.offset).add(sample * stored.sample);
                params::unpack_raw(&stored.layout, first, out);
            }
        }
    }
}

impl Done {
    /// While the scratch memory of the run is held.
    fn scores(&self, parts: &mut Vec<Part>) -> Scores {
        // SAFETY: as in `Finished::output`.
        let scalar = |stored: &Stored| unsafe { *address(&self.cx, stored.space, stored.offset) };
        let loss = self.variant.loss.as_ref().map(scalar);
        let scalars = |stored: &Stored| Ok::<_, Infallible>(scalar(stored));
        let Ok(()) = Part::read(self.variant.means, (loss, self.cx.batch), parts, scalars);
        Scores { loss, correct: self.variant.correct.as_ref().map(|stored| scalar(stored) as usize) }
    }
}

/// Whether sharing a launch out takes longer than doing it. By the plan's count of its work, not by the clock: which thread
/// does what must not change from run to run.
fn is_short(cost: &Cost, batch: usize) -> bool {
    /// What a core does in a nanosecond, and the nanoseconds that a launch on several takes before it gains.
    const FLOPS: u64 = 64;
    const BYTES: u64 = 32;
    const SHORT: u64 = 2000;
    cost.flops(batch) / FLOPS + cost.bytes(batch) / BYTES < SHORT
}

/// # Safety
/// The offset lies within its arena, or is the number of a port of this run.
unsafe fn address(cx: &Ctx, space: Space, offset: usize) -> *mut f32 {
    // SAFETY: our caller vouches for the offset within this arena; of a port, for its number.
    unsafe {
        match space {
            Space::Batch => cx.batch(offset),
            Space::Fixed => cx.fixed(offset),
            Space::Derived => cx.derived(offset),
            Space::Port => cx.port(offset).cast_mut(),
            Space::Params => cx.params(offset),
            Space::Grads => cx.grads(offset),
            Space::Updates if cx.update.is_some() => cx.params(offset),
            Space::Updates => cx.grads(offset),
            Space::State => cx.states(offset),
            Space::Optimizer(_) | Space::Hyper => std::ptr::null_mut(),
        }
    }
}
