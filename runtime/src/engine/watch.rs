//! Looking at a program launch by launch: what each launch has left in memory, before the next one starts.
//!
//! For those who search for a number that is wrong or not finite. Programs run otherwise without it, and pay nothing for it.

use super::{Backend, Engine, Feeding, Role, Scores};
use crate::data::PortValues;
use crate::device::cpu::BLOCK;
use crate::error::Result;
use crate::optim::Rows;
use crate::params;
use crate::plan::{Kept, Port, Tensor};

/// A value that a launch has finished.
pub(crate) struct Seen<'a> {
    pub row: &'static Kept,
    /// `k3_conv`
    pub kernel: &'static str,
    /// All that the kernel holds.
    pub layers: &'static str,
    pub ops: &'static str,
    /// In canonical order, all samples where there is a batch. Integers are the bits of these floats.
    pub values: &'a [f32],
}

/// Called with every value; `false` ends the run.
pub(super) type Watch<'a> = &'a mut dyn FnMut(&Seen<'_>) -> bool;

/// A number that takes the place of what a kernel has stored, before anybody reads it.
#[derive(Clone, Debug)]
pub(crate) struct Planted {
    pub layer: String,
    pub op: String,
    /// In canonical order, over all samples.
    pub element: usize,
    pub value: f32,
}

/// A parameter or running statistic with a number in it that is not finite.
pub(crate) struct BadWeight {
    pub name: &'static str,
    pub dims: &'static [usize],
    /// The first such element, in canonical order.
    pub element: usize,
    pub value: f32,
}

pub(super) fn samples(row: &Kept, batch: usize) -> usize {
    if row.batch { batch } else { 1 }
}

/// Physical offset of an element from the value's first float.
pub(super) fn place(row: &Kept, element: usize, batch: usize) -> usize {
    let numel = params::numel(&row.stored.layout);
    let (sample, element) = (element / numel % samples(row, batch), element % numel);
    if row.lanes {
        let lane = sample % BLOCK;
        return (sample - lane) * row.stored.sample + element * BLOCK + lane;
    }
    sample * row.stored.sample + params::place(&row.stored.layout, element)
}

/// What is planted into this value.
pub(super) fn faults<'a>(planted: &'a [Planted], row: &'a Kept) -> impl Iterator<Item = (usize, f32)> + 'a {
    planted.iter().filter(|p| p.layer == row.layer && p.op == row.op).map(|p| (p.element, p.value))
}

/// Whether all are numbers below infinity.
pub(crate) fn all_finite(values: &[f32]) -> bool {
    const EXPONENT: u32 = 0x7f80_0000;
    // No early end: so it is a loop that vectors can take.
    values.chunks(4096).all(|some| !some.iter().fold(false, |bad, x| bad | (x.to_bits() & EXPONENT == EXPONENT)))
}

impl Engine {
    /// Runs a program over a batch without changing anything, and shows `each` what every launch leaves. What it returns means
    /// nothing where `each` ended the run.
    pub fn watch(
        &mut self,
        role: Role,
        batch: usize,
        feed: Feeding<'_, '_>,
        each: &mut dyn FnMut(&Seen<'_>) -> bool,
    ) -> Result<Scores> {
        self.check(role, batch)?;
        let (counter, planted) = ((self.seed, self.step), &self.planted[..]);
        match &mut self.backend {
            Backend::Cpu(cpu) => cpu.watch(role, counter, batch, feed, (planted, each)),
            Backend::Accelerated(accelerated) => accelerated.watch(role, counter, batch, feed, (planted, each)),
        }
    }

    /// The values that [`Engine::watch`] shows, and which of how many variants of the program has them.
    #[cfg(feature = "verify")]
    pub fn kept(&self, role: Role, batch: usize) -> Option<(&'static [Kept], usize, usize)> {
        match &self.backend {
            Backend::Cpu(cpu) => cpu.variant(role, batch).map(|(i, all)| (Kept::rows(all[i].kept), i, all.len())),
            Backend::Accelerated(accelerated) => {
                accelerated.variant(role, batch).map(|(i, all)| (Kept::rows(all[i].kept), i, all.len()))
            }
        }
    }

    /// From now on watched runs find these.
    pub fn plant(&mut self, planted: Vec<Planted>) {
        self.planted = planted;
    }

    /// All ports of a batch as numbers, inputs before targets, in canonical order.
    pub fn ports(&self, feed: Feeding<'_, '_>) -> Vec<(&'static Port, Vec<f64>)> {
        let mut kinds = self.plan.inputs.iter().chain(self.plan.targets);
        let mut all = Vec::new();
        feed(&mut |values| {
            let Some(port) = kinds.next() else { return };
            let numbers = match values {
                PortValues::Floats(floats) => floats.iter().map(|x| f64::from(*x)).collect(),
                PortValues::Integers(integers) => integers.iter().map(|x| f64::from(*x)).collect(),
            };
            all.push((port, numbers));
        });
        all
    }

    /// Whether all parameters and running statistics are finite. Copies them to `params` and `states` where they lie on another
    /// device.
    pub fn is_finite(&self, params: &mut Vec<f32>, states: &mut Vec<f32>) -> Result<bool> {
        match &self.backend {
            Backend::Cpu(cpu) => Ok(cpu.arenas().into_iter().all(all_finite)),
            Backend::Accelerated(accelerated) => {
                accelerated.snapshot(params, states)?;
                Ok(all_finite(params) && all_finite(states))
            }
        }
    }

    /// The first parameter or running statistic that is not finite.
    pub fn bad_weight(&self) -> Result<Option<BadWeight>> {
        let weights = self.weights();
        let all = [(weights.params, false), (weights.states, true)];
        for (tensor, state) in all.iter().flat_map(|(list, state)| list.iter().map(move |tensor| (tensor, *state))) {
            let tensor: &Tensor = tensor;
            let values = self.read(tensor, state)?;
            if let Some(element) = values.iter().position(|x| !x.is_finite()) {
                let (name, dims, value) = (tensor.name, tensor.dims, values[element]);
                return Ok(Some(BadWeight { name, dims, element, value }));
            }
        }
        Ok(None)
    }

    /// Running statistics as they lie in their arena.
    pub fn states(&self, into: &mut Vec<f32>) -> Result<()> {
        match &self.backend {
            Backend::Cpu(cpu) => {
                into.clear();
                into.extend_from_slice(cpu.arenas()[1]);
                Ok(())
            }
            Backend::Accelerated(accelerated) => accelerated.states(into),
        }
    }

    /// Brings back what `states` copied, and drops what `accumulate` has gathered.
    pub fn forget_accumulated(&mut self, states: &[f32]) -> Result<()> {
        self.changes += 1;
        self.forget_gathered();
        match &mut self.backend {
            Backend::Cpu(cpu) => {
                cpu.restore_states(states);
                Ok(())
            }
            Backend::Accelerated(accelerated) => accelerated.restore_states(states),
        }
    }

    /// Whether what `accumulate` has gathered is finite for all parameters that an optimizer does not leave alone.
    pub fn gathered_is_finite(&self, rows: &Rows) -> Result<bool> {
        let finite = |mean: &[f32]| {
            let moving = rows.spans().iter().filter(|span| !rows.frozen(span.row));
            moving.into_iter().all(|span| all_finite(&mean[span.offset..span.offset + span.floats]))
        };
        match &self.backend {
            Backend::Cpu(cpu) => Ok(cpu.means().all(finite)),
            Backend::Accelerated(accelerated) => {
                let means = accelerated.mean()?;
                Ok(means.chunks_exact(self.plan.cuda.weights.trainable_floats.max(1)).all(finite))
            }
        }
    }
}
