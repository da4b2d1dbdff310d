//! A network with its weights on a device.
//!
//! [`Model`] adds types to [`Engine`]: which host values go in and come out. `forward`, `evaluate` and `gradients` change
//! nothing and take `&self`; they share the scratch memory, so that calls from several threads take turns.

mod files;
mod parameters;

pub use parameters::{Gradients, ParameterInfo};

use crate::data::{Confusion, Dataset, Feed, Receive};
use crate::device::Device;
use crate::engine::{Engine, Finished, Work};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::optim::{Bound, Optimizer};
use crate::plan::{PortKind, Program};
use crate::train::Evaluation;
use std::marker::PhantomData;

/// A network with its weights on a device.
pub struct Model<N: Network> {
    pub(crate) engine: Engine,
    /// Gradients of `accumulate`, until `apply`.
    accumulated: Accumulated,
    network: PhantomData<fn() -> N>,
}

/// The mean gradient over the samples seen since the last `apply`.
#[derive(Default)]
struct Accumulated {
    mean: Vec<f32>,
    samples: usize,
}

/// What one training step saw, before its update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// As the network's `loss:` says, over the batch.
    pub loss: f32,
    /// Samples classified right; 0 in a network without a class target.
    pub correct: usize,
}

impl<N: Network> Model<N> {
    /// A model with initial weights. Same seed, same bits.
    pub fn new(device: &Device, seed: u64) -> Result<Self> {
        let engine = Engine::new(N::plan(), device, seed)?;
        Ok(Model { engine, accumulated: Accumulated::default(), network: PhantomData })
    }

    /// The seed of the initial weights, of dropout and, unless told otherwise, of shuffling.
    pub fn seed(&self) -> u64 {
        self.engine.seed
    }

    /// Outputs in evaluation mode. Large inputs are taken in chunks.
    pub fn forward(&self, inputs: &N::Inputs) -> Result<N::Outputs> {
        inputs.check()?;
        let program = &N::plan().infer;
        let mut buffers: Vec<Vec<f32>> = N::plan().outputs.iter().map(|_| Vec::new()).collect();
        self.in_chunks(program, inputs, &<() as Feed>::empty(), |finished, _, _| {
            for (index, buffer) in buffers.iter_mut().enumerate() {
                finished.output(index, buffer);
            }
        })?;
        Ok(N::Outputs::from_buffers(inputs.len(), buffers))
    }

    /// Loss, accuracy and confusion over a data set, in evaluation mode.
    pub fn evaluate(&self, data: &Dataset<N::Inputs, N::Targets>) -> Result<Evaluation> {
        let plan = N::plan();
        let program = plan.evaluate.as_ref().ok_or(Error::NoLoss { network: plan.name, action: "evaluated" })?;
        let (inputs, targets) = (data.inputs(), data.targets());
        self.check_batch(inputs, targets)?;
        if inputs.len() == 0 {
            return Err(Error::empty("the data set to evaluate"));
        }
        let truth = plan.targets.iter().enumerate().find_map(|(index, port)| match port.kind {
            PortKind::Class { classes } => Some((index, classes)),
            PortKind::Dense { .. } | PortKind::Ids { .. } => None,
        });
        let scores = truth.and_then(|(_, classes)| {
            plan.outputs.iter().position(|port| matches!(port.kind, PortKind::Dense { dims } if dims == [classes]))
        });
        let (mut loss, mut correct) = (0.0, None);
        let mut confusion = Confusion::new(truth.and(scores).and(truth).map_or(0, |(_, classes)| classes));
        let mut values = Vec::new();
        self.in_chunks(program, inputs, targets, |finished, samples, targets| {
            loss += f64::from(finished.loss().unwrap_or(f32::NAN)) * samples as f64;
            if let Some(right) = finished.correct() {
                *correct.get_or_insert(0) += right;
            }
            if let (Some((target, classes)), Some(output)) = (truth, scores) {
                values.clear();
                finished.output(output, &mut values);
                let mut at = 0;
                targets.each_port(&mut |port| {
                    if at == target {
                        for (sample, row) in values.chunks_exact(classes).enumerate() {
                            // SAFETY: a class port holds one i32 a sample; `check` has seen them in range.
                            let label = unsafe { *port.cast::<i32>().add(sample) };
                            confusion.add(label as usize, argmax(row));
                        }
                    }
                    at += 1;
                });
            }
        })?;
        let samples = inputs.len();
        let accuracy = correct.map_or(f64::NAN, |right| right as f64 / samples as f64);
        Ok(Evaluation::new(loss / samples as f64, accuracy, samples, confusion))
    }

    /// One step: forward and backward in training mode, then the optimizer's update.
    pub fn train_step<O: Optimizer>(
        &mut self,
        batch: &Dataset<N::Inputs, N::Targets>,
        optimizer: &mut Bound<O>,
    ) -> Result<StepReport> {
        self.train_on(batch.inputs(), batch.targets(), optimizer)
    }

    /// Forward and backward in training mode, without an update. [`Model::apply`] then uses the mean gradient of all
    /// samples seen since the last one, so that four batches of 16 do what one of 64 does.
    pub fn accumulate(&mut self, batch: &Dataset<N::Inputs, N::Targets>) -> Result<StepReport> {
        let (inputs, targets) = (batch.inputs(), batch.targets());
        let report = self.step(inputs, targets)?;
        let samples = inputs.len();
        let grads = &self.engine.parts().0.grads[..N::plan().trainable_floats];
        let sum = &mut self.accumulated;
        sum.samples += samples;
        if sum.samples == samples {
            sum.mean.clear();
            sum.mean.extend_from_slice(grads);
        } else {
            let share = samples as f32 / sum.samples as f32;
            for (mean, grad) in sum.mean.iter_mut().zip(grads) {
                *mean += (grad - *mean) * share;
            }
        }
        Ok(report)
    }

    /// The optimizer's update with what [`Model::accumulate`] has gathered.
    pub fn apply<O: Optimizer>(&mut self, optimizer: &mut Bound<O>) -> Result<()> {
        if self.accumulated.samples == 0 {
            return Err(Error::NothingAccumulated);
        }
        optimizer.check::<N>(&self.engine)?;
        let (work, params, pool, level) = self.engine.parts();
        work.grads[..self.accumulated.mean.len()].copy_from_slice(&self.accumulated.mean);
        self.accumulated.samples = 0;
        optimizer.update(params, &work.grads, pool, level)
    }

    /// Gradients of the loss in training mode, by parameter name. Changes nothing.
    pub fn gradients(&self, batch: &Dataset<N::Inputs, N::Targets>) -> Result<Gradients> {
        let plan = N::plan();
        let program = plan.gradients.as_ref().ok_or(Error::NoLoss { network: plan.name, action: "differentiated" })?;
        let (inputs, targets) = (batch.inputs(), batch.targets());
        self.check_batch(inputs, targets)?;
        let mut work = self.engine.work();
        fill_ports(&mut work, inputs, targets);
        // SAFETY: `Feed` gives each port's samples, and `check_batch` has compared their numbers; `gradients` changes no
        // states.
        let finished = unsafe { self.engine.run(program, inputs.len(), &mut work)? };
        let (loss, correct) = (finished.loss().unwrap_or(f32::NAN), finished.correct().unwrap_or(0));
        Ok(Gradients::collect(plan, StepReport { loss, correct }, &work.grads))
    }

    /// A step on host values that are not bound to a data set.
    pub(crate) fn train_on<O: Optimizer>(
        &mut self,
        inputs: &N::Inputs,
        targets: &N::Targets,
        optimizer: &mut Bound<O>,
    ) -> Result<StepReport> {
        optimizer.check::<N>(&self.engine)?;
        let report = self.step(inputs, targets)?;
        let (work, params, pool, level) = self.engine.parts();
        optimizer.update(params, &work.grads, pool, level)?;
        Ok(report)
    }

    /// Forward and backward in training mode: gradients and states are new afterwards.
    fn step(&mut self, inputs: &N::Inputs, targets: &N::Targets) -> Result<StepReport> {
        let plan = N::plan();
        let program = plan.step.as_ref().ok_or(Error::NoLoss { network: plan.name, action: "trained" })?;
        self.check_batch(inputs, targets)?;
        // SAFETY: as in `gradients`.
        let (loss, correct) = unsafe {
            self.engine.train(program, inputs.len(), |ports| {
                inputs.each_port(&mut |port| ports.push(port));
                targets.each_port(&mut |port| ports.push(port));
            })?
        };
        Ok(StepReport { loss: loss.unwrap_or(f32::NAN), correct: correct.unwrap_or(0) })
    }

    /// Runs an evaluation program over all samples; `each` sees every chunk's results, size and targets.
    fn in_chunks<T: Feed>(
        &self,
        program: &Program,
        inputs: &N::Inputs,
        targets: &T,
        mut each: impl FnMut(&Finished<'_>, usize, &T),
    ) -> Result<()> {
        let (samples, chunk) = (inputs.len(), self.engine.chunk(program));
        let mut work = self.engine.work();
        if samples <= chunk {
            if samples > 0 {
                fill_ports(&mut work, inputs, targets);
                // SAFETY: `Feed` gives each port's samples, the caller has compared their numbers; evaluation changes no
                // states.
                each(&unsafe { self.engine.run(program, samples, &mut work)? }, samples, targets);
            }
            return Ok(());
        }
        let (mut some_inputs, mut some_targets) = (N::Inputs::empty(), T::empty());
        let mut rows = Vec::with_capacity(chunk);
        for start in (0..samples).step_by(chunk) {
            rows.clear();
            rows.extend(start..samples.min(start + chunk));
            inputs.gather_into(&rows, &mut some_inputs);
            targets.gather_into(&rows, &mut some_targets);
            fill_ports(&mut work, &some_inputs, &some_targets);
            // SAFETY: as above.
            each(&unsafe { self.engine.run(program, rows.len(), &mut work)? }, rows.len(), &some_targets);
        }
        Ok(())
    }

    fn check_batch(&self, inputs: &N::Inputs, targets: &N::Targets) -> Result<()> {
        inputs.check()?;
        targets.check()?;
        if !N::plan().targets.is_empty() && inputs.len() != targets.len() {
            let expected = format!("{} samples, as many as inputs", inputs.len());
            return Err(Error::data(format!("the targets of {}", N::NAME), expected, targets.len()));
        }
        Ok(())
    }

    /// Whether `correct` means something: the network has a class target.
    pub(crate) fn counts_correct(&self) -> bool {
        let variants = N::plan().step.as_ref().map_or(&[][..], |p| p.variants);
        variants.first().is_some_and(|v| v.correct.is_some())
    }

    /// Test switch: scratch memory is NaN before each run.
    #[doc(hidden)]
    pub fn poison_scratch(&mut self, on: bool) {
        self.engine.parts().0.poison = on;
    }
}

fn fill_ports(work: &mut Work, inputs: &impl Feed, targets: &impl Feed) {
    let ports = &mut work.ports;
    ports.clear();
    inputs.each_port(&mut |port| ports.push(port));
    targets.each_port(&mut |port| ports.push(port));
}

/// Position of the first maximum.
fn argmax(row: &[f32]) -> usize {
    let mut best = 0;
    for (i, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = i;
        }
    }
    best
}
