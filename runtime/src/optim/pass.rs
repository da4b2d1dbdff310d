//! The one loop behind all optimizers: an element-wise rule over pieces of the flat trainable arena.
//!
//! On the CPU a step is first prepared: the table of numbers that are the same for all elements of a group, arenas of the states,
//! and the loop compiled for the rule and the SIMD level. Kernels that finish a gradient then apply it to the piece in hand. What
//! is left, and gradients that were gathered over several batches or are clipped by their norm, take a pass over segments of fixed size;
//! the arithmetic per element is the same, so neither way nor the number of threads shows in the result. For other devices the
//! loop is in their kernels, and a pass only writes down which rule they shall apply.

use super::groups::Settings;
use super::table::{FROZEN, LIMIT, Row, SCALE, Span, row, row_of};
use crate::device::cpu::{self, Arena, Pool, Portable, Simd};
#[cfg(target_arch = "x86_64")]
use crate::device::cpu::{Avx2, Avx512};
use crate::plan::Level;

/// Floats per task: 32 KiB of parameters.
const TASK: usize = 8192;

/// The largest number of state values that a rule may have.
pub(crate) const MOST_STATES: usize = 3;

/// A part of the trainable arena within one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub start: usize,
    pub len: usize,
    /// As kernels know it, without groups: whether weight decay applies.
    decay: bool,
}

/// Cuts parts of the trainable arena into tasks.
pub(crate) fn segments(spans: impl Iterator<Item = Span>) -> Vec<Segment> {
    let cut = |span: Span| {
        (0..span.floats).step_by(TASK).map(move |at| Segment {
            start: span.offset + at,
            len: TASK.min(span.floats - at),
            decay: span.row.is_multiple_of(2),
        })
    };
    spans.flat_map(cut).collect()
}

/// An optimizer's arithmetic on one element; written through `kiln_macros::update!`.
///
/// # Safety
/// `CUDA` computes with its arguments and touches no other memory: a device runs the text as it stands.
pub unsafe trait UpdateRule: Copy + Send + Sync {
    /// Names of what is remembered between steps, at most three.
    const STATES: &'static [&'static str];
    /// What is the same for all elements of a step, at most 16 numbers.
    type Uniforms: Copy + Send + Sync + AsRef<[f32]> + for<'a> TryFrom<&'a [f32]>;
    /// The same arithmetic as C++, the body of `float apply(const float* u, float p, float g, float& s0, float& s1, float& s2)`.
    const CUDA: &'static str;

    /// The same rule with another learning rate and another weight decay, where it has them.
    fn with(self, lr: Option<f64>, weight_decay: Option<f64>) -> Self;

    /// Computed once a step, in double precision.
    fn uniforms(&self, step: u64) -> Self::Uniforms;

    /// The new parameter; the states are changed in place.
    fn at<S: Simd>(s: S, u: &Self::Uniforms, p: S::V, g: S::V, states: &mut [S::V]) -> S::V;
}

/// One optimizer step under way.
pub struct Pass<'a> {
    /// The number of this step, from 1.
    pub(super) step: u64,
    /// What states have been remembered so far.
    pub(super) memory: &'a mut Remembered,
    /// By group.
    pub(super) settings: &'a [Settings],
    /// What clips gradients.
    pub(super) limit: f32,
    /// Whether the optimizer climbs.
    pub(super) maximize: bool,
    /// Two rows a group.
    pub(super) table: &'a mut [Row],
    pub(super) mode: Mode<'a>,
}

/// What an optimizer has remembered so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Remembered {
    /// The names of its states as far as rules have had them; these are zero before.
    pub names: [&'static str; MOST_STATES],
    /// A number beside them, 1 at first.
    pub number: f64,
    /// Two rules that remember different things in one place.
    pub conflict: Option<(&'static str, &'static str)>,
}

impl Default for Remembered {
    fn default() -> Self {
        Remembered { names: [""; MOST_STATES], number: 1.0, conflict: None }
    }
}

pub(super) enum Mode<'a> {
    Prepare(Prepare<'a>),
    Record(&'a mut Option<Rule>),
}

/// What a step on the CPU is made ready from.
pub(crate) struct Prepare<'a> {
    pub params: &'a mut Arena,
    /// Parallel to the trainable arena; made on first use.
    pub states: &'a mut Vec<Arena>,
    /// What groups there are; empty where kernels know all.
    pub spans: &'a [Span],
    pub floats: usize,
    pub level: Level,
    pub prepared: &'a mut Option<Prepared>,
}

/// A step on the CPU, ready to be applied to pieces of the trainable arena while the arenas that it was made from stay where
/// they are.
pub(crate) struct Prepared {
    apply: cpu::Apply,
    /// Factor of all gradients.
    pub scale: f32,
    table: *const Row,
    spans: *const [Span],
    params: *mut f32,
    floats: usize,
    buffers: [*mut f32; MOST_STATES],
}

// SAFETY: whoever applies it works on a piece of the arenas that nobody else has; nobody changes table and spans meanwhile.
unsafe impl Sync for Prepared {}

/// A rule as kernels of another device see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rule {
    /// [`UpdateRule::CUDA`].
    pub text: &'static str,
    /// How many state values it has.
    pub states: usize,
}

impl Pass<'_> {
    /// The rule of an optimizer's first step.
    #[cfg(test)]
    pub(crate) fn rule(optimizer: &impl super::Optimizer) -> Rule {
        let mut rule = None;
        optimizer.update(&mut Pass {
            step: 1,
            memory: &mut Remembered::default(),
            settings: &[],
            limit: f32::INFINITY,
            maximize: false,
            table: &mut [],
            mode: Mode::Record(&mut rule),
        });
        rule.expect(ONE_RULE)
    }

    /// The number of this step, from 1.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Whether no rule with so many states has run yet; they are zero then.
    pub fn first_use(&self, states: usize) -> bool {
        self.memory.names[states - 1].is_empty()
    }

    /// A number that the optimizer remembers: what `remember` was given on the step before, 1 on the first.
    pub fn remembered(&self) -> f64 {
        self.memory.number
    }

    /// For [`Pass::remembered`] of the next step.
    pub fn remember(&mut self, number: f64) {
        self.memory.number = number;
    }

    /// Applies the rule, as of its `step`, to every trainable element. Once a step: a kernel that applies it has seen the
    /// gradient then.
    pub fn run<R: UpdateRule>(&mut self, rule: R, step: u64) {
        let states = R::STATES.len();
        assert!(states <= MOST_STATES, "{states} states");
        for (known, name) in self.memory.names.iter_mut().zip(R::STATES) {
            if !known.is_empty() && known != name {
                self.memory.conflict = Some((known, name));
                return;
            }
            *known = name;
        }
        for (rows, settings) in self.table.chunks_mut(2).zip(self.settings) {
            let rule = rule.with(settings.lr, settings.weight_decay);
            for (to, rule) in rows.iter_mut().zip([rule, rule.with(None, Some(0.0))]) {
                *to = row(rule.uniforms(step).as_ref(), settings, self.limit, self.maximize);
            }
        }
        match &mut self.mode {
            Mode::Prepare(prepare) => prepare.run::<R>(self.table.as_ptr()),
            Mode::Record(recorded) => {
                assert!(recorded.is_none(), "{ONE_RULE}");
                **recorded = Some(Rule { text: R::CUDA, states });
            }
        }
    }
}

pub(crate) const ONE_RULE: &str = "an optimizer applies one rule a step";

impl Prepare<'_> {
    fn run<R: UpdateRule>(&mut self, table: *const Row) {
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
        let (params, floats, spans) = (self.params.as_mut_ptr(), self.floats, &raw const *self.spans);
        *self.prepared = Some(Prepared { apply, scale: 1.0, table, spans, params, floats, buffers });
    }
}

impl Prepared {
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
    // SAFETY: `Update::new` was given this function together with a `Prepared`.
    let prepared = unsafe { &*data.cast::<Prepared>() };
    // SAFETY: both lie in the parameter arena.
    let offset = unsafe { to.offset_from(prepared.params) } as usize;
    for arena in [prepared.params].iter().chain(prepared.buffers.iter().filter(|buffer| !buffer.is_null())) {
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
    // SAFETY: the contract is `apply`'s; this level needs nothing.
    unsafe { apply::<_, R>(Portable::new(), data, decay, to, gradient, floats) }
}

/// # Safety
/// The machine has AVX2 and FMA; otherwise as `apply`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn apply_avx2<R: UpdateRule>(data: *const (), decay: bool, to: *mut f32, gradient: *const f32, floats: usize) {
    // SAFETY: the contract is `apply`'s, and the processor has AVX2 and FMA by our caller's word.
    unsafe { apply::<_, R>(Avx2::new(), data, decay, to, gradient, floats) }
}

/// # Safety
/// The machine has AVX-512F; otherwise as `apply`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn apply_avx512<R: UpdateRule>(data: *const (), decay: bool, to: *mut f32, gradient: *const f32, floats: usize) {
    // SAFETY: the contract is `apply`'s, and the processor has AVX-512F by our caller's word.
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
    // SAFETY: the address is that of a `Prepared`, by our caller's word.
    let prepared = unsafe { &*data.cast::<Prepared>() };
    // SAFETY: both lie in the parameter arena.
    let offset = unsafe { to.offset_from(prepared.params) } as usize;
    // SAFETY: table and spans stay while the step is prepared, and a row is within the table that was made for these spans.
    let row = unsafe {
        let spans = &*prepared.spans;
        &*prepared.table.add(if spans.is_empty() { usize::from(!decay) } else { row_of(spans, offset) })
    };
    if row[FROZEN] != 0.0 {
        return;
    }
    let numbers = &row[..size_of::<R::Uniforms>() / size_of::<f32>()];
    let Ok(uniforms) = R::Uniforms::try_from(numbers) else { unreachable!("an array of so many numbers") };
    let (scale, limit) = (prepared.scale * row[SCALE], row[LIMIT]);
    let place = Place {
        changes: scale != 1.0 || limit != f32::INFINITY,
        scale: s.splat(scale),
        limit: s.splat(limit),
        states: prepared.buffers.map(|buffer| buffer.wrapping_add(offset)),
        to,
        gradient,
    };
    let whole = floats / S::LANES * S::LANES;
    // SAFETY: the vectors lie in the piece.
    unsafe {
        for at in (0..whole).step_by(S::LANES) {
            place.vector::<S, R, true>(s, &uniforms, at, S::LANES);
        }
        if whole < floats {
            place.vector::<S, R, false>(s, &uniforms, whole, floats - whole);
        }
    }
}

/// Where a piece lies, and what becomes of its gradient first. A copy of what the loop needs: it stores floats, which might
/// be the numbers that it reads, as far as the compiler can know.
struct Place<V> {
    changes: bool,
    scale: V,
    limit: V,
    states: [*mut f32; MOST_STATES],
    to: *mut f32,
    gradient: *const f32,
}

impl<V: Copy> Place<V> {
    /// # Safety
    /// So many floats lie in the piece from `at` on; a whole vector of them where `WHOLE`.
    #[inline(always)]
    unsafe fn vector<S: Simd<V = V>, R: UpdateRule, const WHOLE: bool>(
        &self,
        s: S,
        uniforms: &R::Uniforms,
        at: usize,
        lanes: usize,
    ) {
        // SAFETY: `lanes` floats from `at` on are in the piece, and the states and the gradient are parallel to it:
        // `Prepare::run` made each state as long as the trainable arena.
        unsafe {
            let mut states = [s.splat(0.0); MOST_STATES];
            for (state, buffer) in states.iter_mut().zip(&self.states[..R::STATES.len()]) {
                *state = load::<S, WHOLE>(s, buffer.add(at), lanes);
            }
            let p = load::<S, WHOLE>(s, self.to.add(at), lanes);
            let mut g = load::<S, WHOLE>(s, self.gradient.add(at), lanes);
            if self.changes {
                g = s.max(s.neg(self.limit), s.min(self.limit, s.mul(g, self.scale)));
            }
            let p = R::at(s, uniforms, p, g, &mut states[..R::STATES.len()]);
            store::<S, WHOLE>(s, self.to.add(at), p, lanes);
            for (state, buffer) in states.iter().zip(&self.states[..R::STATES.len()]) {
                store::<S, WHOLE>(s, buffer.add(at), *state, lanes);
            }
        }
    }
}

// Functions, not closures: those would not get the caller's instruction set.

/// # Safety
/// `LANES` floats where `WHOLE`, else `lanes`, lie at `from`.
#[inline(always)]
unsafe fn load<S: Simd, const WHOLE: bool>(s: S, from: *const f32, lanes: usize) -> S::V {
    // SAFETY: so many floats are there, by our caller's word.
    unsafe { if WHOLE { s.load(from) } else { s.load_first(from, lanes) } }
}

/// # Safety
/// `LANES` floats where `WHOLE`, else `lanes`, lie at `to`.
#[inline(always)]
unsafe fn store<S: Simd, const WHOLE: bool>(s: S, to: *mut f32, v: S::V, lanes: usize) {
    // SAFETY: so many floats are there, by our caller's word.
    unsafe { if WHOLE { s.store(to, v) } else { s.store_first(to, v, lanes) } }
}
