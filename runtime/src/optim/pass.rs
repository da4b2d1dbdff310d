//! The one loop behind all optimizers: an element-wise rule over pieces of the flat trainable arena.
//!
//! On the CPU a step is first prepared: numbers that are the same for all elements, arenas of the states, and the loop compiled
//! for the rule and the SIMD level. Kernels that finish a gradient then apply it to the piece in hand. What is left, and
//! gradients that were gathered over several batches, take a pass over segments of fixed size, with and without weight decay;
//! the arithmetic per element is the same, so neither way nor the number of threads shows in the result. For other devices the
//! loop is in their kernels, and a pass only writes down which rule they shall apply.

use crate::device::cpu::{self, Arena, Pool, Portable, Simd};
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

/// Cuts parts of the trainable arena into tasks.
pub(crate) fn segments(ranges: &[Range]) -> Vec<Segment> {
    let cut = |range: &Range| {
        let range = *range;
        (0..range.floats).step_by(TASK).map(move |at| Segment {
            start: range.offset + at,
            len: TASK.min(range.floats - at),
            decay: range.decay,
        })
    };
    ranges.iter().flat_map(cut).collect()
}

/// An optimizer's arithmetic on one element; written through `kiln_macros::update!`.
pub trait UpdateRule: Copy + Send + Sync {
    /// Names of what is remembered between steps, at most two.
    const STATES: &'static [&'static str];
    /// What is the same for all elements of a step, at most 16 numbers.
    type Uniforms: Copy + Send + Sync + AsRef<[f32]> + for<'a> TryFrom<&'a [f32]>;
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
    Prepare(Prepare<'a>),
    Record(&'a mut Option<Recorded>),
}

/// What a step on the CPU is made ready from.
pub(crate) struct Prepare<'a> {
    pub params: &'a mut Arena,
    /// Parallel to the trainable arena; made on first use.
    pub states: &'a mut Vec<Arena>,
    pub floats: usize,
    pub level: Level,
    pub prepared: &'a mut Option<Prepared>,
}

/// A step on the CPU, ready to be applied to pieces of the trainable arena while the arenas that it was made from stay where
/// they are.
pub(crate) struct Prepared {
    apply: cpu::Apply,
    /// How many state values the rule has.
    states: usize,
    /// Its uniforms, with weight decay and without.
    hyper: [[f32; UNIFORMS]; 2],
    params: *mut f32,
    floats: usize,
    buffers: [*mut f32; MOST_STATES],
}

// SAFETY: whoever applies it works on a piece of the arenas that nobody else has.
unsafe impl Sync for Prepared {}

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

impl<'a> Pass<'a> {
    /// A step that is made ready for the CPU.
    pub(crate) fn prepare(step: u64, used: &'a mut usize, prepare: Prepare<'a>) -> Self {
        Pass { step, used, mode: Mode::Prepare(prepare) }
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
        let mut hyper = [[0.0; UNIFORMS]; 2];
        for (to, rule) in hyper.iter_mut().zip([rule, rule.without_decay()]) {
            let from = rule.uniforms(step);
            to[..from.as_ref().len()].copy_from_slice(from.as_ref());
        }
        match &mut self.mode {
            Mode::Prepare(prepare) => prepare.run::<R>(hyper),
            Mode::Record(recorded) => {
                assert!(recorded.is_none(), "{ONE_RULE}");
                **recorded = Some(Recorded { rule: R::CUDA, states, hyper });
            }
        }
    }
}

pub(crate) const ONE_RULE: &str = "an optimizer applies one rule a step";

impl Prepare<'_> {
    fn run<R: UpdateRule>(&mut self, hyper: [[f32; UNIFORMS]; 2]) {
        assert!(self.prepared.is_none(), "{ONE_RULE}");
        while self.states.len() < R::STATES.len() {
            self.states.push(Arena::new(self.floats));
        }
        assert!(self.params.len() >= self.floats, "the arena of the bound network");
        let mut buffers = [std::ptr::null_mut(); MOST_STATES];
        for (pointer, arena) in buffers.iter_mut().zip(&mut *self.states) {
            *pointer = arena.as_mut_ptr();
        }
        let apply: cpu::Apply = match self.level {
            Level::Portable => apply_portable::<R>,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => apply_avx2::<R>,
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => apply_avx512::<R>,
            #[cfg(not(target_arch = "x86_64"))]
            Level::Avx2 | Level::Avx512 => apply_portable::<R>,
        };
        let (params, floats) = (self.params.as_mut_ptr(), self.floats);
        *self.prepared = Some(Prepared { apply, states: R::STATES.len(), hyper, params, floats, buffers });
    }
}

impl Prepared {
    /// How many state values the rule has.
    pub fn states(&self) -> usize {
        self.states
    }

    /// What kernels apply to the pieces that they finish. It must not outlive `self` or the arenas that `self` was made from.
    pub fn update(&self) -> cpu::Update {
        // SAFETY: the functions below take a `Prepared`.
        unsafe { cpu::Update::new(self.apply, ahead, (&raw const *self).cast()) }
    }

    /// Applies the rule to these parts of the trainable arena.
    pub fn sweep(&self, segments: &[Segment], grads: &Arena, pool: &Pool) {
        assert!(segments.is_empty() || grads.len() >= self.floats, "gradients of the bound network");
        pool.run(segments.len(), &|_, task| {
            let Segment { start, len, decay } = segments[task];
            // SAFETY: segments lie within the trainable part (asserted above for the gradients, in `Prepare::run` for the
            // others) and are disjoint.
            unsafe {
                let gradient = grads.as_ptr().add(start);
                (self.apply)((&raw const *self).cast(), decay, self.params.add(start), gradient, len);
            }
        });
    }
}

/// # Safety
/// `data` is a [`Prepared`], and the piece lies within its trainable parameters.
unsafe fn ahead(data: *const (), to: *const f32, floats: usize) {
    // SAFETY: the caller's.
    let prepared = unsafe { &*data.cast::<Prepared>() };
    // SAFETY: both lie in the parameter arena.
    let offset = unsafe { to.offset_from(prepared.params) } as usize;
    for arena in [prepared.params].iter().chain(&prepared.buffers[..prepared.states]) {
        cpu::fetch_all(arena.wrapping_add(offset), floats);
    }
}

/// # Safety
/// As `apply`.
unsafe fn apply_portable<R: UpdateRule>(
    data: *const (),
    decay: bool,
    to: *mut f32,
    gradient: *const f32,
    floats: usize,
) {
    // SAFETY: the caller's.
    unsafe { apply::<_, R>(Portable::new(), data, decay, to, gradient, floats) }
}

/// # Safety
/// The machine has AVX2 and FMA; otherwise as `apply`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn apply_avx2<R: UpdateRule>(data: *const (), decay: bool, to: *mut f32, gradient: *const f32, floats: usize) {
    // SAFETY: the caller's.
    unsafe { apply::<_, R>(Avx2::new(), data, decay, to, gradient, floats) }
}

/// # Safety
/// The machine has AVX-512F; otherwise as `apply`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn apply_avx512<R: UpdateRule>(data: *const (), decay: bool, to: *mut f32, gradient: *const f32, floats: usize) {
    // SAFETY: the caller's.
    unsafe { apply::<_, R>(Avx512::new(), data, decay, to, gradient, floats) }
}

/// # Safety
/// `data` is the [`Prepared`] of this rule; the piece at `to` lies within its trainable parameters, and nobody else uses it or its
/// states; `gradient` holds as many floats.
#[inline(always)]
unsafe fn apply<S: Simd, R: UpdateRule>(
    s: S,
    data: *const (),
    decay: bool,
    to: *mut f32,
    gradient: *const f32,
    floats: usize,
) {
    // SAFETY: the caller's.
    let prepared = unsafe { &*data.cast::<Prepared>() };
    let numbers = &prepared.hyper[usize::from(!decay)][..size_of::<R::Uniforms>() / size_of::<f32>()];
    let Ok(uniforms) = R::Uniforms::try_from(numbers) else { unreachable!("an array of so many numbers") };
    // SAFETY: both lie in the parameter arena.
    let offset = unsafe { to.offset_from(prepared.params) } as usize;
    let mut at = 0;
    while at < floats {
        let lanes = floats - at;
        // SAFETY: `at..min(at + LANES, floats)` lies in the piece.
        unsafe {
            let mut states = [s.splat(0.0); MOST_STATES];
            for (state, buffer) in states.iter_mut().zip(&prepared.buffers[..R::STATES.len()]) {
                *state = load(s, buffer.add(offset + at), lanes);
            }
            let (p, g) = (load(s, to.add(at), lanes), load(s, gradient.add(at), lanes));
            let p = R::at(s, &uniforms, p, g, &mut states[..R::STATES.len()]);
            store(s, to.add(at), p, lanes);
            for (state, buffer) in states.iter().zip(&prepared.buffers[..R::STATES.len()]) {
                store(s, buffer.add(offset + at), *state, lanes);
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
