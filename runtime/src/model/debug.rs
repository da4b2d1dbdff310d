//! A step beside the interpreter.
//!
//! The declaration's text is lowered and planned once more, which gives the same plan as when the program was compiled, with
//! everything that emitted code no longer knows: the graph, and which kernel computes which of its nodes. The device runs the
//! step launch by launch. For each kernel the interpreter computes in double precision what it should store from what the
//! *device* had stored for it, so that one wrong number shows where it was made and nowhere else, and rounding errors do not
//! add up over layers.

use super::Model;
use crate::data::{Dataset, Feed};
use crate::engine::{Role, Seen};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::plan::{Kept, Precision};
use crate::train::unravel;
use kiln_codegen::declaration::Source;
use kiln_codegen::emit;
use kiln_codegen::emit::tables::Kept as Planned;
use kiln_codegen::graph::op::{Leaf, Op};
use kiln_codegen::graph::{Graph, Value};
use kiln_codegen::interpret::bounds::{Arithmetic, Bounded, evaluate};
use kiln_codegen::interpret::{Env, Tensor};
use kiln_codegen::schedule::{ProgramKind, Schedule};
use std::fmt;

/// What [`Model::debug_step`] saw.
#[derive(Clone, Debug)]
pub struct StepCheck {
    /// As the device has it.
    pub loss: f32,
    /// Kernels whose results were compared, up to the first that differs.
    pub kernels: usize,
    /// Numbers that were compared.
    pub numbers: usize,
    /// Numbers that rounding leaves open, so that nothing can be said about them: what is read at an index that is itself
    /// rounded, or lies at a pole.
    pub undecided: usize,
    /// The largest part of its tolerance that a number was off, where all agree.
    pub closest: f64,
    /// `None` where all numbers agree.
    pub differs: Option<Box<Difference>>,
}

/// The first value of a step that is not what the interpreter computes.
#[derive(Clone, Debug)]
pub struct Difference {
    pub network: &'static str,
    /// `features.0`
    pub layer: &'static str,
    /// The operation whose result it is: `conv.forward`.
    pub op: &'static str,
    /// `k3_conv`
    pub kernel: &'static str,
    /// All that the kernel holds.
    pub layers: &'static str,
    pub ops: &'static str,
    /// How many of how many elements differ.
    pub wrong: usize,
    pub elements: usize,
    /// The worst element: its row of the batch, where there is one.
    pub row: Option<usize>,
    /// Its place in the sample, or in the value, in PyTorch's order.
    pub position: Vec<usize>,
    /// What the device has, and the interpreter, and by how much they may differ.
    pub device: f64,
    pub interpreter: f64,
    pub tolerance: f64,
}

impl fmt::Display for StepCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StepCheck { loss, kernels, numbers, undecided, closest, differs } = self;
        if let Some(difference) = differs {
            return difference.fmt(f);
        }
        write!(f, "loss {loss}: {numbers} numbers of {kernels} kernels agree with the interpreter, ")?;
        write!(f, "each within {closest:.2} of its tolerance")?;
        if *undecided > 0 {
            write!(f, "; {undecided} more are left open by rounding")?;
        }
        Ok(())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { network, layer, op, kernel, layers, ops, wrong, elements, row, position, .. } = self;
        write!(f, "{network}: {op} of `{layer}` differs from the interpreter in {wrong} of {elements} numbers, ")?;
        write!(f, "worst at {position:?}")?;
        if let Some(row) = row {
            write!(f, " of row {row}")?;
        }
        let Difference { device, interpreter, tolerance, .. } = self;
        write!(f, ": {device} on the device, {interpreter} by the interpreter, which may differ by {tolerance:.1e}; ")?;
        write!(f, "stored by kernel {kernel} ({layers}: {ops})")
    }
}

impl std::error::Error for Difference {}

/// A value that the device has stored.
struct Found {
    row: &'static Kept,
    kernel: &'static str,
    layers: &'static str,
    ops: &'static str,
    values: Vec<f64>,
}

impl<N: Network> Model<N> {
    /// Runs the forward and backward pass of a training step, as the next [`Model::train_step`] would, on the device and on the
    /// compiler's interpreter, and compares every value that a kernel stores: activations, gradients, running statistics. The
    /// model stays as it is.
    ///
    /// Single precision is allowed what rounding can make of a result: an error relative to the magnitudes that were added, for
    /// each operation within the kernel, and more where operands are rounded to TF32 or bfloat16; where two candidates of
    /// a maximum are nearer than that, either may be chosen. The optimizer's update is not compared.
    ///
    /// The interpreter works in double precision, one multiplication after another, on one thread: expect some
    /// 10⁷ to 10⁸ of them a second, and the activations of the batch in memory several times.
    ///
    /// # Errors
    /// For a network without a loss, an empty batch, or a plan that this version of Kiln cannot make again. A difference is
    /// no error, but in [`StepCheck::differs`].
    pub fn debug_step(&mut self, batch: &Dataset<N::Inputs, N::Targets>) -> Result<StepCheck> {
        self.debug_on(batch.inputs(), batch.targets())
    }

    /// A difference is an error.
    pub(crate) fn verify_on(&mut self, inputs: &N::Inputs, targets: &N::Targets) -> Result<()> {
        match self.debug_on(inputs, targets)?.differs {
            Some(difference) => Err(Error::Differs(difference)),
            None => Ok(()),
        }
    }

    fn debug_on(&mut self, inputs: &N::Inputs, targets: &N::Targets) -> Result<StepCheck> {
        let fails = |problem: String| Error::Verify { network: N::NAME, problem };
        let samples = inputs.len();
        let source = N::plan().source;
        if source.text.is_empty() {
            return Err(fails("its plan does not say what it was declared as".into()));
        }
        let cuda = self.engine.accelerator().is_some();
        let text = Source { text: source.text.into(), member: source.member, unfused: source.unfused };
        let (module, plans) = kiln_codegen::replan(&text, cuda).map_err(fails)?;

        let mut found: Vec<Found> = Vec::new();
        let scores = self.watch_on(Role::Step, inputs, targets, &mut |seen: &Seen<'_>| {
            let Seen { row, kernel, layers, ops, values } = *seen;
            let values = values.iter().map(|x| if row.integer { f64::from(x.to_bits() as i32) } else { f64::from(*x) });
            found.push(Found { row, kernel, layers, ops, values: values.collect() });
            true
        })?;

        let (kept, variant, variants) = self.engine.kept(Role::Step, samples).unwrap_or((&[], 0, 1));
        let small = !cuda && variants > 1 && variant == 0;
        let programs = if small { &plans.small } else { &plans.programs };
        let Some(planned) = programs.iter().find(|p| p.kind == ProgramKind::Step) else {
            return Err(fails("it has no training step".into()));
        };
        let s = &planned.schedule;
        let rows =
            if cuda { emit::cuda::kept(planned) } else { emit::cpu::kept(planned, &plans.params, &plans.target) };
        if !are_the_same(&rows, kept, s) || found.len() != rows.len() {
            return Err(fails("this version of Kiln plans it in another way; help: build the program anew".into()));
        }

        let mut stored: Vec<Option<Bounded>> = vec![None; s.graph().nodes.len()];
        self.leaves(s.graph(), (inputs, targets), &mut stored)?;
        debug_assert_eq!(module.params.len(), N::plan().params.len());
        let env = Env { seed: self.engine.seed, step: self.engine.step(), ..Env::batch(samples) };
        let arithmetic = match N::plan().cuda.precision {
            Precision::Tf32 if cuda => Arithmetic::F32.with_mantissa(11),
            Precision::Bf16 if cuda => Arithmetic::F32.with_mantissa(8),
            Precision::F32 | Precision::Tf32 | Precision::Bf16 => Arithmetic::F32,
        };
        let loss = scores.loss.unwrap_or(f32::NAN);
        let mut check = StepCheck { loss, kernels: 0, numbers: 0, undecided: 0, closest: 0.0, differs: None };
        let mut found = found.into_iter();
        for group in rows.chunk_by(|a, b| a.kernel == b.kernel) {
            let expected = interpret(s, group[0].kernel, &stored, &env, arithmetic).map_err(fails)?;
            check.kernels += 1;
            for (planned, found) in group.iter().zip(&mut found) {
                let Some(expected) = &expected[planned.value.index()] else {
                    return Err(fails(format!("the interpreter has no value {}", planned.value.0)));
                };
                check.compare::<N>(&found, expected);
                let tensor = Tensor { data: found.values, ..expected.value.clone() };
                stored[planned.value.index()] = Some(Bounded::exact(tensor));
            }
            if check.differs.is_some() {
                break;
            }
        }
        Ok(check)
    }

    /// What goes into the step, as it is now.
    fn leaves(
        &self,
        graph: &Graph,
        (inputs, targets): (&N::Inputs, &N::Targets),
        stored: &mut [Option<Bounded>],
    ) -> Result<()> {
        let ports = self.each_port_of(inputs, targets);
        let weights = self.engine.weights();
        let wide = |values: Vec<f32>| values.into_iter().map(f64::from).collect();
        for value in graph.values() {
            let Op::Leaf(leaf) = graph.node(value).op else { continue };
            let data = match leaf {
                Leaf::Input(i) => ports[i].1.clone(),
                Leaf::Target(i) => ports[N::plan().inputs.len() + i].1.clone(),
                Leaf::Param(i) => wide(self.engine.read(&weights.params[i], false)?),
                Leaf::State(i) => wide(self.engine.read(&weights.states[i], true)?),
            };
            stored[value.index()] = Some(Bounded::exact(Tensor::new(graph.shape(value).clone(), inputs.len(), data)));
        }
        Ok(())
    }
}

/// Whether the plan is the one that the program was compiled with.
fn are_the_same(rows: &[Planned], kept: &[Kept], s: &Schedule) -> bool {
    let same = |(planned, kept): (&Planned, &Kept)| {
        let node = s.graph().node(planned.value);
        (planned.launch, planned.value.0) == (kept.launch, kept.value)
            && s.graph().layers[planned.value.index()] == kept.layer
            && (node.op.name(), &node.ty.shape.dims[..]) == (kept.op, kept.dims)
    };
    rows.len() == kept.len() && rows.iter().zip(kept).all(same)
}

/// What a kernel should store, from what others have stored for it. Weights that a
/// kernel has turned for another one are computed here.
fn interpret(
    s: &Schedule,
    kernel: usize,
    stored: &[Option<Bounded>],
    env: &Env,
    arithmetic: Arithmetic,
) -> Result<Vec<Option<Bounded>>, String> {
    let kernel = &s.kernels[kernel];
    let mut known: Vec<Option<Bounded>> = vec![None; stored.len()];
    for read in &kernel.reads {
        known[read.index()] = match (&stored[read.index()], s.kernels.iter().position(|k| k.stores.contains(read))) {
            (Some(value), _) => Some(value.clone()),
            (None, Some(maker)) => interpret(s, maker, stored, env, arithmetic)?[read.index()].take(),
            (None, None) => None,
        };
    }
    let by_winograd = |value: Value| s.is_by_winograd(value);
    evaluate(s.graph(), &mut known, &kernel.stores, env, arithmetic, &by_winograd)?;
    Ok(known)
}

impl StepCheck {
    fn compare<N: Network>(&mut self, found: &Found, expected: &Bounded) {
        let (mut wrong, mut worst, mut at) = (0, 0.0, 0);
        for (i, ((device, value), error)) in
            found.values.iter().zip(&expected.value.data).zip(&expected.error).enumerate()
        {
            self.numbers += 1;
            let Some(off) = part_of_tolerance(*device, *value, *error) else {
                self.undecided += 1;
                continue;
            };
            if off <= 1.0 {
                self.closest = self.closest.max(off);
                continue;
            }
            if wrong == 0 || off > worst {
                (worst, at) = (off, i);
            }
            wrong += 1;
        }
        if wrong == 0 || self.differs.is_some() {
            return;
        }
        let Found { row, kernel, layers, ops, .. } = *found;
        let numel = row.dims.iter().product::<usize>().max(1);
        self.differs = Some(Box::new(Difference {
            network: N::NAME,
            layer: row.layer,
            op: row.op,
            kernel,
            layers,
            ops,
            wrong,
            elements: found.values.len(),
            row: row.batch.then_some(at / numel),
            position: unravel(at % numel, row.dims),
            device: found.values[at],
            interpreter: expected.value.data[at],
            tolerance: tolerance(expected.error[at]),
        }));
    }
}

/// What is below all normal numbers counts as nothing.
fn tolerance(error: f64) -> f64 {
    error + f64::from(f32::MIN_POSITIVE)
}

/// By which part of its tolerance a number is off; `None` where nothing can be said.
fn part_of_tolerance(device: f64, value: f64, error: f64) -> Option<f64> {
    if !error.is_finite() && !error.is_nan() {
        return None;
    }
    if value.is_nan() {
        return Some(if device.is_nan() { 0.0 } else { f64::INFINITY });
    }
    // What is beyond single precision is infinite there.
    let narrow = f64::from(value as f32);
    if narrow.is_infinite() || value.is_infinite() {
        let near = (device - value).abs() <= tolerance(error);
        return Some(if device == narrow || near { 0.0 } else { f64::INFINITY });
    }
    if error.is_nan() {
        return None;
    }
    if device.is_infinite() && value.abs() + error > f64::from(f32::MAX) {
        return Some(0.0);
    }
    let off = (device - value).abs() / tolerance(error);
    Some(if off.is_nan() { f64::INFINITY } else { off })
}

#[cfg(test)]
mod tests {
    use super::part_of_tolerance;

    #[test]
    fn numbers_agree_within_their_tolerance() {
        let far = f64::INFINITY;
        assert_eq!(part_of_tolerance(1.5, 1.0, 1.0).map(|off| off.round()), Some(1.0));
        assert!(part_of_tolerance(1.1, 1.0, 0.01).unwrap() > 1.0);
        assert_eq!(part_of_tolerance(5.0, 1.0, far), None);
        // Nothing below the smallest normal number.
        assert!(part_of_tolerance(0.0, 1e-39, 0.0).unwrap() <= 1.0);
        // What is not finite is so on both sides.
        assert_eq!(part_of_tolerance(f64::NAN, f64::NAN, 0.0), Some(0.0));
        assert_eq!(part_of_tolerance(1.0, f64::NAN, 0.0), Some(far));
        assert_eq!(part_of_tolerance(f64::NAN, 1.0, 1e-6), Some(far));
        assert_eq!(part_of_tolerance(far, 1e60, 1e54), Some(0.0));
        assert_eq!(part_of_tolerance(-far, 1e60, 1e54), Some(far));
        assert_eq!(part_of_tolerance(far, 1.0, 1e-6), Some(far));
    }
}
