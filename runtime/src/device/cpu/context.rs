//! What a running kernel sees.

use core::ops::Deref;

use super::{BLOCK, Update};

/// The arenas and the batch of one run. Offsets count floats.
#[derive(Clone, Copy, Debug)]
pub struct Ctx {
    pub params: *mut f32,
    pub grads: *mut f32,
    pub states: *mut f32,
    /// Offsets into it are per sample, times `padded`.
    pub batch_arena: *mut f32,
    pub fixed: *mut f32,
    pub derived: *mut f32,
    /// Scratch of worker 0; the next one's is `worker_stride` floats on.
    pub worker: *mut f32,
    pub worker_stride: usize,
    /// The caller's buffers: inputs, then targets.
    pub ports: *const *const u8,
    /// Where the running launch's arguments lie, in the order of its table.
    pub args: *const *mut f32,
    /// Numbers of the running launch, in the order of its table.
    pub numbers: *const usize,
    pub batch: usize,
    /// The batch as [`Ctx::pad`] rounds it up.
    pub padded: usize,
    pub seed: u64,
    pub step: u64,
    /// The one mean of the loss that counts, where not all of them do.
    pub only: Option<usize>,
    /// What a training step does with finished gradients; `None` where they are wanted themselves.
    pub update: Option<Update>,
}

// SAFETY: the pointers are only followed by kernels, whose tasks write disjoint parts; whoever makes a `Ctx` keeps the arenas alive and unshared while a launch runs.
unsafe impl Send for Ctx {}
// SAFETY: as for `Send`: a kernel reads the pointers of a shared `Ctx`, and *tasks* keeps its writes apart.
unsafe impl Sync for Ctx {}

impl Ctx {
    /// Samples for which there is room: whole blocks, which kernels fill that have samples in their lanes. Smaller batches
    /// run without such kernels, and take no more memory than they need.
    pub const fn pad(batch: usize) -> usize {
        if batch < BLOCK { batch } else { batch.next_multiple_of(BLOCK) }
    }

    /// 1 where this mean of the loss counts, else 0.
    #[inline(always)]
    pub fn counts(&self, mean: usize) -> f32 {
        if self.only.is_none_or(|only| only == mean) { 1.0 } else { 0.0 }
    }

    /// # Safety
    /// The running launch has that many arguments.
    #[inline(always)]
    pub unsafe fn arg(&self, index: usize) -> *mut f32 {
        // SAFETY: `Cpu::launch` points `args` at this launch's part of its table, in which our caller vouches for this
        // place.
        unsafe { *self.args.add(index) }
    }

    /// # Safety
    /// `offset` lies in the parameter arena.
    #[inline(always)]
    pub unsafe fn params(&self, offset: usize) -> *mut f32 {
        // SAFETY: our caller vouches that the offset lies within the parameters, of which this is the first float
        // (*arenas*).
        unsafe { self.params.add(offset) }
    }

    /// # Safety
    /// `offset` lies in the gradient arena.
    #[inline(always)]
    pub unsafe fn grads(&self, offset: usize) -> *mut f32 {
        // SAFETY: our caller vouches that the offset lies within the gradients, of which this is the first float
        // (*arenas*).
        unsafe { self.grads.add(offset) }
    }

    /// # Safety
    /// `offset` lies in the state arena.
    #[inline(always)]
    pub unsafe fn states(&self, offset: usize) -> *mut f32 {
        // SAFETY: our caller vouches that the offset lies within the states, of which this is the first float
        // (*arenas*).
        unsafe { self.states.add(offset) }
    }

    /// # Safety
    /// `offset` (per sample) lies in the batch arena.
    #[inline(always)]
    pub unsafe fn batch(&self, offset: usize) -> *mut f32 {
        // SAFETY: our caller vouches that the offset lies within the arena for one sample; it has room for `padded` of
        // them (*arenas*).
        unsafe { self.batch_arena.add(offset * self.padded) }
    }

    /// # Safety
    /// `offset` lies in the fixed arena.
    #[inline(always)]
    pub unsafe fn fixed(&self, offset: usize) -> *mut f32 {
        // SAFETY: our caller vouches that the offset lies within what is kept once a run, of which this is the first
        // float (*arenas*).
        unsafe { self.fixed.add(offset) }
    }

    /// # Safety
    /// `offset` lies in the arena of derived values.
    #[inline(always)]
    pub unsafe fn derived(&self, offset: usize) -> *mut f32 {
        // SAFETY: our caller vouches that the offset lies within the derived values, of which this is the first float
        // (*arenas*).
        unsafe { self.derived.add(offset) }
    }

    /// # Safety
    /// `worker` is one of the run's workers.
    #[inline(always)]
    pub unsafe fn scratch(&self, worker: usize) -> *mut f32 {
        // SAFETY: `Cpu::launch` made room for `worker_stride` floats for each thread of the pool, and our caller is one
        // of them.
        unsafe { self.worker.add(worker * self.worker_stride) }
    }

    /// # Safety
    /// The run has a port `index`, of floats.
    #[inline(always)]
    pub unsafe fn port(&self, index: usize) -> *const f32 {
        // SAFETY: `engine::ports` left a pointer for each port of the run, and our caller vouches for the number
        // (*ports*).
        unsafe { (*self.ports.add(index)).cast() }
    }

    /// # Safety
    /// The run has a port `index`, of integers.
    #[inline(always)]
    pub unsafe fn port_i32(&self, index: usize) -> *const i32 {
        // SAFETY: as in `port`.
        unsafe { (*self.ports.add(index)).cast() }
    }
}

/// What a kernel whose numbers are all literals hands to its sinks and operands.
pub type Cx<'a> = &'a Ctx;

/// The same for a kernel that has `N` numbers from its launch: they are copied once, lest every store make the compiler doubt them.
#[derive(Clone, Copy)]
pub struct Numbered<'a, const N: usize> {
    cx: &'a Ctx,
    pub numbers: [usize; N],
}

impl<'a, const N: usize> Numbered<'a, N> {
    /// # Safety
    /// The running launch has `N` numbers.
    #[inline(always)]
    pub unsafe fn new(cx: &'a Ctx) -> Self {
        // SAFETY: `Cpu::launch` points `numbers` at the launch's own table, and our caller vouches that it has `N`.
        Numbered { cx, numbers: unsafe { *cx.numbers.cast() } }
    }
}

impl<const N: usize> Deref for Numbered<'_, N> {
    type Target = Ctx;

    #[inline(always)]
    fn deref(&self) -> &Ctx {
        self.cx
    }
}
