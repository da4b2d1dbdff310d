//! A network with its weights on a device.
//!
//! [`Model`] adds types to [`Engine`]: which host values go in and come out. `forward`, `evaluate` and `gradients` change
//! nothing and take `&self`; they share the scratch memory, so that calls from several threads take turns.

#[cfg(feature = "verify")]
mod debug;
mod files;
mod parameters;
mod predictor;
mod probes;
mod profile;
mod standardize;

#[cfg(feature = "verify")]
pub use debug::{Difference, StepCheck};
pub use files::{Load, Loaded};
pub use parameters::{Gradients, ParameterInfo};
pub use predictor::Predictor;
pub use probes::{Excitation, Probe, Unit, probe};
pub use profile::LaunchTime;

use crate::data::{Confusion, Dataset, Feed, PortValues, Receive, argmax};
use crate::device::Device;
use crate::engine::{Engine, Finished, Part, Planted, Role, Scores, Seen, Tally};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::optim::{Bound, Optimizer};
use crate::plan::{Counted, Port};
use crate::train::Evaluation;
use std::marker::PhantomData;
use std::sync::Mutex;

/// A network with its weights on a device.
pub struct Model<N: Network> {
    pub(crate) engine: Engine,
    /// What looks into the network, as far as it was asked for.
    probes: Mutex<Vec<Engine>>,
    network: PhantomData<fn() -> N>,
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
        Ok(Model { engine, probes: Mutex::default(), network: PhantomData })
    }

    /// The seed of the initial weights, of dropout and, unless told otherwise, of shuffling.
    pub fn seed(&self) -> u64 {
        self.engine.seed
    }

    /// Outputs in evaluation mode. Large inputs are taken in chunks.
    pub fn forward(&self, inputs: &N::Inputs) -> Result<N::Outputs> {
        inputs.check()?;
        let mut buffers: Vec<Vec<f32>> = N::plan().outputs.iter().map(|_| Vec::new()).collect();
        Self::in_chunks(&self.engine, Role::Infer, inputs, &<() as Feed>::empty(), |finished, _| {
            buffers.iter_mut().enumerate().try_for_each(|(index, buffer)| finished.output(index, buffer))
        })?;
        Ok(N::Outputs::from_buffers(inputs.len(), buffers))
    }

    /// As [`Model::forward`], into outputs of an earlier call, whose memory is used again: once it is large enough, nothing is
    /// allocated for inputs that are not taken in chunks (the plan decides; at least 16 samples, and 1024 unless they are
    /// large).
    pub fn forward_into(&self, inputs: &N::Inputs, outputs: &mut N::Outputs) -> Result<()> {
        inputs.check()?;
        outputs.buffers(&mut |buffer| buffer.clear());
        Self::in_chunks(&self.engine, Role::Infer, inputs, &<() as Feed>::empty(), |finished, _| {
            let (mut index, mut result) = (0, Ok(()));
            outputs.buffers(&mut |buffer| {
                if result.is_ok() {
                    result = finished.output(index, buffer);
                }
                index += 1;
            });
            result
        })
    }

    /// For many threads: only what serving needs, shared by all that clone it.
    pub fn into_predictor(self) -> Predictor<N> {
        Predictor::new(self)
    }

    /// Loss, accuracy and confusion over a data set, in evaluation mode. Accuracy and confusion are those of the first term of
    /// the loss that compares with a class (`CrossEntropy`, `Nll`): of the scores that this term reads, whether they are an
    /// output or not, and of its target. A NaN among the scores counts as the largest, as in PyTorch.
    pub fn evaluate(&self, data: &Dataset<N::Inputs, N::Targets>) -> Result<Evaluation> {
        let plan = N::plan();
        let (inputs, targets) = (data.inputs(), data.targets());
        self.check_batch(inputs, targets)?;
        if inputs.len() == 0 && plan.evaluate.is_some() {
            return Err(Error::empty("the data set to evaluate"));
        }
        let (mut tally, mut parts, mut correct) = (Tally::default(), Vec::new(), None);
        let mut confusion = Confusion::new(plan.counted.map_or(0, |counted| counted.classes));
        let mut values = Vec::new();
        Self::in_chunks(&self.engine, Role::Evaluate, inputs, targets, |finished, targets| {
            let found = finished.scores(&mut parts)?;
            tally.add(&parts);
            if let Some(right) = found.correct {
                *correct.get_or_insert(0) += right;
            }
            if let Some(Counted { target, output, classes }) = plan.counted {
                values.clear();
                finished.output(output, &mut values)?;
                let mut at = 0;
                targets.each_port(&mut |port| {
                    if let (true, PortValues::Integers(labels)) = (at == target, port) {
                        for (row, &label) in values.chunks_exact(classes).zip(labels) {
                            confusion.add(label as usize, argmax(row));
                        }
                    }
                    at += 1;
                });
            }
            Ok(())
        })?;
        let samples = inputs.len();
        let accuracy = correct.map_or(f64::NAN, |right| right as f64 / samples as f64);
        Ok(Evaluation::new(tally.loss(), accuracy, samples, confusion))
    }

    /// One step: forward and backward in training mode, then the optimizer's update.
    pub fn train_step<O: Optimizer>(
        &mut self,
        batch: &Dataset<N::Inputs, N::Targets>,
        optimizer: &mut Bound<O>,
    ) -> Result<StepReport> {
        self.train_on(batch.inputs(), batch.targets(), optimizer)
    }

    /// As [`Model::train_step`], but returns as soon as the step is under way where the device works on its own: for
    /// benches, which end with [`Model::wait`].
    #[doc(hidden)]
    pub fn train_step_without_report<O: Optimizer>(
        &mut self,
        batch: &Dataset<N::Inputs, N::Targets>,
        optimizer: &mut Bound<O>,
    ) -> Result<()> {
        self.step(batch.inputs(), batch.targets(), optimizer, false).map(drop)
    }

    /// Milliseconds by the device's clock that the graph of a training step takes, its batch being on the device already:
    /// the mean of so many in a row, each a real step. `None` where there is no such clock, as on the CPU.
    #[doc(hidden)]
    pub fn time_train_step<O: Optimizer>(
        &mut self,
        batch: &Dataset<N::Inputs, N::Targets>,
        optimizer: &mut Bound<O>,
        launches: usize,
    ) -> Result<Option<f64>> {
        self.train_step_without_report(batch, optimizer)?;
        // SAFETY: what ran last was this step, whose optimizer is borrowed.
        let time = unsafe { self.engine.time_last(launches)? };
        Ok(time.map(|time| time / launches as f64))
    }

    /// As [`Model::time_train_step`], of the forward pass.
    #[doc(hidden)]
    pub fn time_forward(&mut self, inputs: &N::Inputs, launches: usize) -> Result<Option<f64>> {
        if inputs.is_empty() {
            // Nothing would run, and what ran last may have been a step of an optimizer that is gone.
            return Ok(None);
        }
        self.forward(inputs)?;
        // SAFETY: what ran last was this forward pass, which takes no optimizer.
        let time = unsafe { self.engine.time_last(launches)? };
        Ok(time.map(|time| time / launches as f64))
    }

    /// Bytes of all memory that the model holds between runs, on the CPU.
    #[doc(hidden)]
    pub fn arena_bytes(&mut self) -> usize {
        self.engine.arena_bytes()
    }

    /// Returns when all steps are done.
    #[doc(hidden)]
    pub fn wait(&self) -> Result<()> {
        self.engine.wait()
    }

    /// Forward and backward in training mode, without an update. [`Model::apply`] then uses the mean gradient of all
    /// samples seen since the last one, so that four batches of 16 do what one of 64 does: also where a loss is divided
    /// by the weights of labels. A loss of several terms that are divided by different numbers takes a run for each.
    pub fn accumulate(&mut self, batch: &Dataset<N::Inputs, N::Targets>) -> Result<StepReport> {
        self.accumulate_on(batch.inputs(), batch.targets())
    }

    /// The optimizer's update with what [`Model::accumulate`] has gathered.
    ///
    /// # Errors
    /// Where nothing was gathered, or only samples of no weight in the loss.
    pub fn apply<O: Optimizer>(&mut self, optimizer: &mut Bound<O>) -> Result<()> {
        optimizer.check::<N>(&self.engine)?;
        // SAFETY: `check` has compared the networks and the devices.
        unsafe { self.engine.apply(optimizer) }
    }

    /// Gradients of the loss in training mode, by parameter name. Changes nothing.
    pub fn gradients(&self, batch: &Dataset<N::Inputs, N::Targets>) -> Result<Gradients> {
        let (inputs, targets) = (batch.inputs(), batch.targets());
        self.check_batch(inputs, targets)?;
        let feed = feeding(inputs, targets);
        let finished = self.engine.run(Role::Gradients, inputs.len(), &feed)?;
        let step = finished.scores(&mut Vec::new())?.into();
        Ok(Gradients::collect(N::plan(), &self.engine.weights(), step, &finished.grads()?))
    }

    /// As [`Model::accumulate`], on host values that are not bound to a data set.
    pub(crate) fn accumulate_on(&mut self, inputs: &N::Inputs, targets: &N::Targets) -> Result<StepReport> {
        self.check_batch(inputs, targets)?;
        let scores = self.engine.accumulate(inputs.len(), &feeding(inputs, targets))?;
        Ok(scores.into())
    }

    /// A step on host values that are not bound to a data set.
    pub(crate) fn train_on<O: Optimizer>(
        &mut self,
        inputs: &N::Inputs,
        targets: &N::Targets,
        optimizer: &mut Bound<O>,
    ) -> Result<StepReport> {
        self.step(inputs, targets, optimizer, true).map(StepReport::from)
    }

    fn step<O: Optimizer>(
        &mut self,
        inputs: &N::Inputs,
        targets: &N::Targets,
        optimizer: &mut Bound<O>,
        report: bool,
    ) -> Result<Scores> {
        optimizer.check::<N>(&self.engine)?;
        self.check_batch(inputs, targets)?;
        // SAFETY: `check` has compared the networks and the devices.
        unsafe { self.engine.train(inputs.len(), &feeding(inputs, targets), optimizer, report) }
    }

    /// The means of the loss in the batch that was trained on last.
    pub(crate) fn parts(&self) -> &[Part] {
        self.engine.parts()
    }

    /// Runs an evaluation program over all samples; `each` sees every chunk's results and targets.
    fn in_chunks<T: Feed>(
        engine: &Engine,
        role: Role,
        inputs: &N::Inputs,
        targets: &T,
        mut each: impl FnMut(&Finished<'_>, &T) -> Result<()>,
    ) -> Result<()> {
        let (samples, chunk) = (inputs.len(), engine.chunk(role));
        if samples <= chunk {
            if samples == 0 && role == Role::Infer {
                return Ok(());
            }
            let feed = feeding(inputs, targets);
            let finished = engine.run(role, samples, &feed)?;
            return each(&finished, targets);
        }
        let (mut some_inputs, mut some_targets) = (N::Inputs::empty(), T::empty());
        let mut rows = Vec::with_capacity(chunk);
        for start in (0..samples).step_by(chunk) {
            rows.clear();
            rows.extend(start..samples.min(start + chunk));
            inputs.gather_into(&rows, &mut some_inputs);
            targets.gather_into(&rows, &mut some_targets);
            let feed = feeding(&some_inputs, &some_targets);
            let finished = engine.run(role, rows.len(), &feed)?;
            each(&finished, &some_targets)?;
        }
        Ok(())
    }

    /// All ports of a batch as numbers, inputs before targets.
    pub(crate) fn each_port_of(&self, inputs: &N::Inputs, targets: &N::Targets) -> Vec<(&'static Port, Vec<f64>)> {
        let feed = feeding(inputs, targets);
        self.engine.ports(&feed)
    }

    /// Runs a program over a batch without changing anything, and shows `each` what every launch leaves.
    pub(crate) fn watch_on(
        &mut self,
        role: Role,
        inputs: &N::Inputs,
        targets: &N::Targets,
        each: &mut dyn FnMut(&Seen<'_>) -> bool,
    ) -> Result<Scores> {
        self.check_batch(inputs, targets)?;
        let feed = feeding(inputs, targets);
        self.engine.watch(role, inputs.len(), &feed, each)
    }

    /// Test switch: what this operation of this layer stores has another number at an element, counted over all samples, in runs
    /// that look for wrong or not finite numbers.
    #[doc(hidden)]
    pub fn plant_fault(&mut self, layer: &str, op: &str, element: usize, value: f32) {
        self.engine.plant(vec![Planted { layer: layer.into(), op: op.into(), element, value }]);
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
        self.engine.poison(on);
    }
}

impl From<Scores> for StepReport {
    fn from(scores: Scores) -> Self {
        StepReport { loss: scores.loss.unwrap_or(f32::NAN), correct: scores.correct.unwrap_or(0) }
    }
}

/// The values of all ports, inputs before targets.
fn feeding<'a>(inputs: &'a impl Feed, targets: &'a impl Feed) -> impl Fn(&mut dyn FnMut(PortValues<'a>)) + 'a {
    |push| {
        inputs.each_port(push);
        targets.each_port(push);
    }
}
