//! The one loop behind all optimizers: an element-wise rule over the flat trainable arena.
//!
//! The arena is cut into segments with and without weight decay, and these into tasks of fixed size, so the result does
//! not depend on the number of threads. Instruction sets differ in width only: every operation is rounded by itself
//! (no fused multiply-add), so their bits are the same.

use super::State;
use crate::device::cpu::{Arena, Pool};
use crate::plan::{Level, Plan};

/// Floats per task: 32 KiB of parameters.
const TASK: usize = 8192;

/// The largest number of buffers that a rule may have.
const MOST: usize = 2;

/// A part of the trainable arena within one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    start: usize,
    len: usize,
    decay: bool,
}

/// Cuts the trainable arena into tasks. Gaps between tensors are padding and left out.
pub(crate) fn segments(plan: &Plan) -> Vec<Segment> {
    let mut tensors: Vec<_> = plan.params.iter().filter(|t| t.trainable).collect();
    tensors.sort_by_key(|t| t.offset);
    let mut ranges: Vec<Segment> = Vec::new();
    for tensor in tensors {
        let (start, len, decay) = (tensor.offset, tensor.layout.size, tensor.decay);
        match ranges.last_mut() {
            Some(last) if last.start + last.len == start && last.decay == decay => last.len += len,
            _ => ranges.push(Segment { start, len, decay }),
        }
    }
    let cut = |range: Segment| {
        (0..range.len).step_by(TASK).map(move |at| Segment {
            start: range.start + at,
            len: TASK.min(range.len - at),
            ..range
        })
    };
    ranges.into_iter().flat_map(cut).collect()
}

/// An optimizer's arithmetic on one element: new parameter and buffers from the old ones and the gradient.
pub trait UpdateRule: Copy + Send + Sync {
    /// State values an element, at most two.
    const BUFFERS: usize;

    /// The same rule without weight decay.
    fn without_decay(self) -> Self;

    fn at(&self, param: f32, grad: f32, buffers: &mut [f32; MOST]) -> f32;
}

/// One optimizer step under way.
pub struct Pass<'a> {
    params: &'a mut Arena,
    grads: &'a Arena,
    state: &'a mut State,
    segments: &'a [Segment],
    floats: usize,
    pool: &'a Pool,
    level: Level,
}

/// Pointers into the arenas, for the workers.
#[derive(Clone, Copy)]
struct Arenas {
    params: *mut f32,
    grads: *const f32,
    buffers: [*mut f32; MOST],
}

// SAFETY: tasks work on disjoint segments.
unsafe impl Sync for Arenas {}

impl<'a> Pass<'a> {
    pub(crate) fn new(
        params: &'a mut Arena,
        grads: &'a Arena,
        state: &'a mut State,
        segments: &'a [Segment],
        floats: usize,
        pool: &'a Pool,
        level: Level,
    ) -> Self {
        Pass { params, grads, state, segments, floats, pool, level }
    }

    /// The number of this step, from 1.
    pub fn step(&self) -> u64 {
        self.state.step
    }

    /// Whether no rule with so many buffers has run yet; they are zero then.
    pub fn is_new(&self, buffers: usize) -> bool {
        self.state.buffers.len() < buffers
    }

    /// Forgets the buffers.
    pub fn reset(&mut self) {
        self.state.buffers.clear();
    }

    /// Applies the rule to every trainable element.
    pub fn run<R: UpdateRule>(&mut self, rule: R) {
        debug_assert!(R::BUFFERS <= MOST, "{} buffers", R::BUFFERS);
        while self.state.buffers.len() < R::BUFFERS {
            self.state.buffers.push(Arena::new(self.floats));
        }
        assert!(self.params.len() >= self.floats && self.grads.len() >= self.floats, "arenas of the bound network");
        let mut buffers = [std::ptr::null_mut(); MOST];
        for (pointer, arena) in buffers.iter_mut().zip(&mut self.state.buffers) {
            *pointer = arena.as_mut_ptr();
        }
        let arenas = Arenas { params: self.params.as_mut_ptr(), grads: self.grads.as_ptr(), buffers };
        let (level, segments) = (self.level, self.segments);
        self.pool.run(segments.len(), &|_, task| {
            let segment = segments[task];
            let rule = if segment.decay { rule } else { rule.without_decay() };
            let arenas = &arenas;
            // SAFETY: segments lie within the trainable part (asserted above for the arenas, by construction for the
            // buffers) and are disjoint; the level was detected.
            unsafe {
                match level {
                    Level::Portable => sweep(rule, arenas, segment),
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx2 => sweep_avx2(rule, arenas, segment),
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512 => sweep_avx512(rule, arenas, segment),
                    #[cfg(not(target_arch = "x86_64"))]
                    Level::Avx2 | Level::Avx512 => sweep(rule, arenas, segment),
                }
            }
        });
    }
}

/// # Safety
/// The machine has AVX2; otherwise as `sweep`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn sweep_avx2<R: UpdateRule>(rule: R, arenas: &Arenas, segment: Segment) {
    // SAFETY: the caller's.
    unsafe { sweep(rule, arenas, segment) }
}

/// # Safety
/// The machine has AVX-512F; otherwise as `sweep`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn sweep_avx512<R: UpdateRule>(rule: R, arenas: &Arenas, segment: Segment) {
    // SAFETY: the caller's.
    unsafe { sweep(rule, arenas, segment) }
}

/// # Safety
/// The segment lies within all arenas, and nobody else uses it.
#[inline(always)]
unsafe fn sweep<R: UpdateRule>(rule: R, arenas: &Arenas, Segment { start, len, .. }: Segment) {
    // SAFETY: the caller's; the arenas are different allocations.
    let (params, grads) = unsafe {
        (
            std::slice::from_raw_parts_mut(arenas.params.add(start), len),
            std::slice::from_raw_parts(arenas.grads.add(start), len),
        )
    };
    let buffer = |index: usize| {
        // SAFETY: as above; only called for buffers that the rule has.
        unsafe { std::slice::from_raw_parts_mut(arenas.buffers[index].add(start), len) }
    };
    match R::BUFFERS {
        0 => {
            for (p, g) in params.iter_mut().zip(grads) {
                *p = rule.at(*p, *g, &mut [0.0; MOST]);
            }
        }
        1 => {
            for ((p, g), b) in params.iter_mut().zip(grads).zip(buffer(0)) {
                let mut state = [*b, 0.0];
                *p = rule.at(*p, *g, &mut state);
                *b = state[0];
            }
        }
        _ => {
            for (((p, g), b), c) in params.iter_mut().zip(grads).zip(buffer(0)).zip(buffer(1)) {
                let mut state = [*b, *c];
                *p = rule.at(*p, *g, &mut state);
                [*b, *c] = state;
            }
        }
    }
}
