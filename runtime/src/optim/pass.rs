//! The one loop behind all optimizers: an element-wise rule over the flat trainable arena.
//!
//! On the CPU the arena is cut into segments with and without weight decay, and these into tasks of fixed size, so the
//! result does not depend on the number of threads. For other devices the loop is in their kernels, and a pass only writes
//! down which rule they shall apply.

use crate::device::cpu::{Arena, Pool, Portable, Simd};
#[cfg(target_arch = "x86_64")]
use crate::device::cpu::{Avx2, Avx512};
use crate::plan::{Level, Range, Weights};

/// Floats per task: 32 KiB of parameters.
const TASK: usize = 8192;

/// Room for the uniforms of a rule.
const UNIFORMS: usize = 16;

/// The largest number of state values that a rule may have.
pub(crate) const MOST_STATES: usize = 2;

/// A part of the trainable arena within one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    start: usize,
    len: usize,
    decay: bool,
}

/// The trainable arena as ranges with and without weight decay. Gaps between tensors are padding and left out.
pub(crate) fn ranges(weights: &Weights) -> Vec<Range> {
    let mut tensors: Vec<_> = weights.params.iter().filter(|t| t.trainable).collect();
    tensors.sort_by_key(|t| t.offset);
    let mut ranges: Vec<Range> = Vec::new();
    for tensor in tensors {
        let (offset, floats, decay) = (tensor.offset, tensor.layout.size, tensor.decay);
        match ranges.last_mut() {
            Some(last) if last.offset + last.floats == offset && last.decay == decay => last.floats += floats,
            _ => ranges.push(Range { offset, floats, decay }),
        }
    }
    ranges
}

/// Cuts the trainable arena into tasks.
pub(crate) fn segments(weights: &Weights) -> Vec<Segment> {
    let cut = |range: Range| {
        (0..range.floats).step_by(TASK).map(move |at| Segment {
            start: range.offset + at,
            len: TASK.min(range.floats - at),
            decay: range.decay,
        })
    };
    ranges(weights).into_iter().flat_map(cut).collect()
}

/// An optimizer's arithmetic on one element; written through `kiln_macros::update!`.
pub trait UpdateRule: Copy + Send + Sync {
    /// Names of what is remembered between steps, at most two.
    const STATES: &'static [&'static str];
    /// What is the same for all elements of a step, at most 16 numbers.
    type Uniforms: Copy + Send + Sync + AsRef<[f32]>;
    /// The same arithmetic as C++, the body of `float apply(const float* u, float p, float g, float& s0, float& s1)`.
    const CUDA: &'static str;

    /// The same rule without weight decay.
    fn without_decay(self) -> Self;

    /// Computed once a step, in double precision.
    fn uniforms(&self, step: u64) -> Self::Uniforms;

    /// The new parameter; the states are changed in place.
    fn at<S: Simd>(s: S, u: &Self::Uniforms, p: S::V, g: S::V, states: &mut [S::V]) -> S::V;
}

/// One optimizer step under way.
pub struct Pass<'a> {
    /// The number of this step, from 1.
    step: u64,
    /// How many state values rules have had so far.
    used: &'a mut usize,
    mode: Mode<'a>,
}

enum Mode<'a> {
    Sweep(Sweep<'a>),
    Record(&'a mut Option<Recorded>),
}

/// What a pass on the CPU works on.
pub(crate) struct Sweep<'a> {
    pub params: &'a mut Arena,
    pub grads: &'a Arena,
    /// Parallel to the trainable arena; made on first use.
    pub states: &'a mut Vec<Arena>,
    pub segments: &'a [Segment],
    pub floats: usize,
    pub pool: &'a Pool,
    pub level: Level,
}

/// A step as kernels of another device see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Recorded {
    /// [`UpdateRule::CUDA`].
    pub rule: &'static str,
    /// How many state values it has.
    pub states: usize,
    /// Its uniforms, with weight decay and without.
    pub hyper: [[f32; UNIFORMS]; 2],
}

/// Pointers into the arenas, for the workers.
#[derive(Clone, Copy)]
struct Arenas {
    params: *mut f32,
    grads: *const f32,
    buffers: [*mut f32; MOST_STATES],
}

// SAFETY: tasks work on disjoint segments.
unsafe impl Sync for Arenas {}

impl<'a> Pass<'a> {
    /// A step that is done at once.
    pub(crate) fn sweep(step: u64, used: &'a mut usize, sweep: Sweep<'a>) -> Self {
        Pass { step, used, mode: Mode::Sweep(sweep) }
    }

    /// A step that is only written down.
    pub(crate) fn record(step: u64, used: &'a mut usize, recorded: &'a mut Option<Recorded>) -> Self {
        Pass { step, used, mode: Mode::Record(recorded) }
    }

    /// The number of this step, from 1.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Whether no rule with so many states has run yet; they are zero then.
    pub fn first_use(&self, states: usize) -> bool {
        *self.used < states
    }

    /// Applies the rule, as of its `step`, to every trainable element. Once a step: a kernel that applies it has seen the
    /// gradient then.
    pub fn run<R: UpdateRule>(&mut self, rule: R, step: u64) {
        let states = R::STATES.len();
        assert!(states <= MOST_STATES, "{states} states");
        *self.used = states.max(*self.used);
        let (with, without) = (rule.uniforms(step), rule.without_decay().uniforms(step));
        match &mut self.mode {
            Mode::Sweep(sweep) => sweep.run::<R>(&with, &without),
            Mode::Record(recorded) => {
                assert!(recorded.is_none(), "an optimizer applies one rule a step");
                let mut hyper = [[0.0; UNIFORMS]; 2];
                for (to, from) in hyper.iter_mut().zip([with.as_ref(), without.as_ref()]) {
                    to[..from.len()].copy_from_slice(from);
                }
                **recorded = Some(Recorded { rule: R::CUDA, states, hyper });
            }
        }
    }
}

impl Sweep<'_> {
    fn run<R: UpdateRule>(&mut self, with: &R::Uniforms, without: &R::Uniforms) {
        while self.states.len() < R::STATES.len() {
            self.states.push(Arena::new(self.floats));
        }
        assert!(self.params.len() >= self.floats && self.grads.len() >= self.floats, "arenas of the bound network");
        let mut buffers = [std::ptr::null_mut(); MOST_STATES];
        for (pointer, arena) in buffers.iter_mut().zip(&mut *self.states) {
            *pointer = arena.as_mut_ptr();
        }
        let arenas = Arenas { params: self.params.as_mut_ptr(), grads: self.grads.as_ptr(), buffers };
        let (level, segments) = (self.level, self.segments);
        self.pool.run(segments.len(), &|_, task| {
            let segment = segments[task];
            let uniforms = if segment.decay { with } else { without };
            let arenas = &arenas;
            // SAFETY: segments lie within the trainable part (asserted above for the arenas, by construction for the
            // buffers) and are disjoint; the level was detected.
            unsafe {
                match level {
                    Level::Portable => sweep::<_, R>(Portable::new(), uniforms, arenas, segment),
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx2 => sweep_avx2::<R>(uniforms, arenas, segment),
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512 => sweep_avx512::<R>(uniforms, arenas, segment),
                    #[cfg(not(target_arch = "x86_64"))]
                    Level::Avx2 | Level::Avx512 => sweep::<_, R>(Portable::new(), uniforms, arenas, segment),
                }
            }
        });
    }
}

/// # Safety
/// The machine has AVX2 and FMA; otherwise as `sweep`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn sweep_avx2<R: UpdateRule>(uniforms: &R::Uniforms, arenas: &Arenas, segment: Segment) {
    // SAFETY: the caller's.
    unsafe { sweep::<_, R>(Avx2::new(), uniforms, arenas, segment) }
}

/// # Safety
/// The machine has AVX-512F; otherwise as `sweep`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn sweep_avx512<R: UpdateRule>(uniforms: &R::Uniforms, arenas: &Arenas, segment: Segment) {
    // SAFETY: the caller's.
    unsafe { sweep::<_, R>(Avx512::new(), uniforms, arenas, segment) }
}

/// # Safety
/// The segment lies within all arenas, and nobody else uses it.
#[inline(always)]
unsafe fn sweep<S: Simd, R: UpdateRule>(s: S, uniforms: &R::Uniforms, arenas: &Arenas, segment: Segment) {
    let end = segment.start + segment.len;
    let mut at = segment.start;
    while at < end {
        let lanes = end - at;
        // SAFETY: `at..min(at + LANES, end)` lies in the segment.
        unsafe {
            let mut states = [s.splat(0.0); MOST_STATES];
            for (state, buffer) in states.iter_mut().zip(&arenas.buffers[..R::STATES.len()]) {
                *state = load(s, buffer.add(at), lanes);
            }
            let (p, g) = (load(s, arenas.params.add(at), lanes), load(s, arenas.grads.add(at), lanes));
            let p = R::at(s, uniforms, p, g, &mut states[..R::STATES.len()]);
            store(s, arenas.params.add(at), p, lanes);
            for (state, buffer) in states.iter().zip(&arenas.buffers[..R::STATES.len()]) {
                store(s, buffer.add(at), *state, lanes);
            }
        }
        at += S::LANES;
    }
}

// Functions, not closures: those would not get the caller's instruction set.

/// # Safety
/// `min(lanes, LANES)` floats lie at `from`.
#[inline(always)]
unsafe fn load<S: Simd>(s: S, from: *const f32, lanes: usize) -> S::V {
    // SAFETY: the caller's.
    unsafe { if lanes >= S::LANES { s.load(from) } else { s.load_first(from, lanes) } }
}

/// # Safety
/// `min(lanes, LANES)` floats lie at `to`.
#[inline(always)]
unsafe fn store<S: Simd>(s: S, to: *mut f32, v: S::V, lanes: usize) {
    // SAFETY: the caller's.
    unsafe { if lanes >= S::LANES { s.store(to, v) } else { s.store_first(to, v, lanes) } }
}
