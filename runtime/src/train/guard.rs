//! What becomes of numbers that are not finite while a model is trained.
//!
//! A step costs a look at its loss, which is read anyway. Every so often, and at each epoch's end, the weights are looked at too:
//! a gradient that is not finite makes them so. Where something is found, the steps since the last good copy of weights and
//! optimizer are done once more, which gives the same bits, until the first bad one is known; that one runs kernel by
//! kernel. Copies are made when so much time has passed that they take less than a two-hundredth of it.
//!
//! [`NonFinite::Skip`] needs no copy: gradients are gathered as [`Model::accumulate`] does it, looked at, and only then used.

use crate::data::{Dataset, Feed};
use crate::engine::{BadWeight, Role, Seen, all_finite};
use crate::error::{Error, Result};
use crate::model::{Model, StepReport};
use crate::network::Network;
use crate::optim::{Bound, Kept, Optimizer, Update};
use crate::plan::{PortKind, Space};
use std::fmt;
use std::time::{Duration, Instant};

/// What [`Trainer::fit`](super::Trainer::fit) does about a loss, gradient or weight that is NaN or infinite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NonFinite {
    /// It ends with [`Error::NotFinite`], which names the step, the layer and kernel in which the first such number
    /// appeared, and the row of the batch. The model has the weights of the best epoch then, or where there is none, those from
    /// before that step.
    ///
    /// A copy of weights, running statistics and the optimizer's states is kept in the computer's memory for it.
    #[default]
    Stop,
    /// A step with a loss or a gradient that is not finite leaves weights, running statistics and what the optimizer remembers
    /// as they are, to the bit, as `torch.amp.GradScaler` does; schedules and random numbers go on.
    /// [`Report::skipped`](super::Report::skipped) counts such steps. The training loss leaves out what was not finite, and with
    /// [`Trainer::accumulate`](super::Trainer::accumulate), where all batches of a step are skipped together, what came behind it
    /// in its step. An epoch of nothing but skipped steps, and weights that overflow by a finite gradient, end training as
    /// `Stop` does, but without a place.
    ///
    /// Gradients are stored before they are used, so a step takes longer: about as long as one with clipping by norm. On
    /// other devices than the CPU gradients are copied to the host each step.
    Skip,
}

/// The first number that was not finite.
#[derive(Clone, Debug)]
pub struct NotFinite {
    pub network: &'static str,
    /// Whether it was met when the model was evaluated after the epoch, and not in a step.
    pub validation: bool,
    /// From 1; 0 where it is not known.
    pub epoch: usize,
    /// Of the epoch, from 1; 0 where it is not known.
    pub step: usize,
    /// Of this step, or batch; finite where a gradient or weight was not.
    pub loss: f32,
    /// What was found; NaN or infinite.
    pub value: f32,
    pub place: Place,
    /// Of the batch, from 0. `None` where it belongs to no single sample.
    pub row: Option<usize>,
    /// The same, of the training (or validation) data.
    pub sample: Option<usize>,
    /// Within the sample, or the whole value where it has no samples, in PyTorch's order.
    pub position: Vec<usize>,
}

/// Where a number appeared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An input or target.
    Data { port: &'static str },
    /// What a kernel stored.
    Kernel {
        /// `features.0`
        layer: &'static str,
        /// The operation whose result it is, or which gradient: `conv.forward`, `gradient of features.0.weight`.
        what: String,
        /// `k3_conv`
        kernel: &'static str,
        /// All layers and operations that the kernel holds: the number may have appeared in any up to this one.
        layers: &'static str,
        ops: &'static str,
    },
    /// All gradients were finite, and the optimizer's update of this weight was not.
    Update { weight: &'static str },
    /// The weight was not finite before the first step.
    Start { weight: &'static str },
    /// What the optimizer remembers, and no weight.
    Remembered,
    /// It did not appear again when the steps were repeated: memory or the device fails, or something else has changed the
    /// model.
    Gone,
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NotFinite { network, validation, epoch, step, loss, value, place, row, sample, position } = self;
        let at = if position.is_empty() { String::new() } else { format!(" at {position:?}") };
        let found = format!("{value}{at}");
        if let Place::Start { weight } = place {
            return write!(f, "`{weight}` of {network} is {found} before the first step; help: `load` or a new model");
        }
        write!(f, "{network}, ")?;
        match (validation, epoch) {
            (_, 0) => {}
            (true, _) => write!(f, "validation after epoch {epoch} (loss {loss}): ")?,
            (false, _) => write!(f, "epoch {epoch}, step {step} (loss {loss}): ")?,
        }
        match place {
            Place::Data { port } => write!(f, "the data holds {found} of `{port}`")?,
            Place::Kernel { layer, what, kernel, layers, ops } => {
                write!(f, "the first number that is not finite is {found} of {what} in `{layer}`, ")?;
                write!(f, "stored by kernel {kernel} ({layers}: {ops})")?;
            }
            Place::Update { weight } => write!(f, "the optimizer made {found} of `{weight}` from finite gradients")?,
            Place::Remembered => write!(f, "what the optimizer remembers is not finite")?,
            Place::Gone => write!(f, "{found} did not appear again when the steps were repeated")?,
            Place::Start { .. } => {}
        }
        if let Some(row) = row {
            write!(f, ", row {row} of the batch")?;
        }
        if let Some(sample) = sample {
            write!(f, ", sample {sample} of the {} data", if *validation { "validation" } else { "training" })?;
        }
        f.write_str(match place {
            Place::Data { .. } => "; help: drop or mend this sample",
            Place::Kernel { .. } => "; help: a smaller learning rate, `clip_norm`, or a formula that stays in range",
            Place::Update { .. } | Place::Remembered => "; help: a smaller learning rate",
            Place::Gone => "; help: a test of the memory, and what changes the model beside `fit`",
            Place::Start { .. } => "",
        })
    }
}

impl std::error::Error for NotFinite {}

/// A step that can be done again.
struct Logged<O> {
    epoch: usize,
    /// From 0.
    batch: usize,
    /// The optimizer's update follows.
    updates: bool,
    config: O,
}

/// All that a step changes.
#[derive(Default)]
struct Copied {
    step: u64,
    params: Vec<f32>,
    states: Vec<f32>,
    optimizer: Kept,
}

impl Copied {
    fn keep<N: Network, O: Optimizer>(&mut self, model: &Model<N>, optimizer: &Bound<O>) -> Result<()> {
        self.step = model.engine.step();
        model.engine.snapshot(&mut self.params, &mut self.states)?;
        optimizer.keep(&mut self.optimizer)
    }

    fn restore<N: Network, O: Optimizer>(&self, model: &mut Model<N>, optimizer: &mut Bound<O>) -> Result<()> {
        model.engine.restore(&self.params, &self.states)?;
        model.engine.set_step(self.step);
        optimizer.bring_back(&self.optimizer)
    }
}

/// Batches of the training data by epoch and number.
pub(super) struct Batches<'a, N: Network> {
    pub train: &'a Dataset<N::Inputs, N::Targets>,
    pub batch_size: usize,
    /// The order of an epoch.
    pub order: &'a dyn Fn(usize) -> Vec<usize>,
}

impl<N: Network> Batches<'_, N> {
    fn rows(&self, epoch: usize, batch: usize) -> Vec<usize> {
        let order = (self.order)(epoch);
        order.chunks(self.batch_size).nth(batch).map_or_else(Vec::new, <[usize]>::to_vec)
    }

    fn gather(&self, rows: &[usize]) -> (N::Inputs, N::Targets) {
        let (mut inputs, mut targets) = (N::Inputs::empty(), N::Targets::empty());
        self.train.inputs().gather_into(rows, &mut inputs);
        self.train.targets().gather_into(rows, &mut targets);
        (inputs, targets)
    }
}

/// Steps that are remembered at most.
const MOST: usize = 1024;
/// So many times as long as a copy takes must have passed before the next one.
const SHARE: u32 = 200;

/// Watches over a training.
pub(super) struct Guard<O> {
    policy: NonFinite,
    copied: Copied,
    /// The steps since.
    log: Vec<Logged<O>>,
    /// Learning rates of groups, of all these steps.
    rates: Vec<f64>,
    at: Instant,
    cost: Duration,
    /// Of the optimizer's step under way: states before it, whether something was not finite.
    states: Vec<f32>,
    bad: bool,
    /// Steps of the optimizer that were skipped.
    pub skipped: usize,
}

/// What to do with a step's loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Counts,
    Skipped,
}

impl<O: Optimizer> Guard<O> {
    /// # Errors
    /// Where a weight is not finite already.
    pub fn new<N: Network>(policy: NonFinite, model: &Model<N>) -> Result<Self> {
        if !model.engine.is_finite(&mut Vec::new(), &mut Vec::new())?
            && let Some(BadWeight { name, dims, element, value }) = model.engine.bad_weight()?
        {
            let place = Place::Start { weight: name };
            let position = unravel(element, dims);
            return Err(NotFinite { position, value, ..bare::<N>(0, 0, f32::NAN, place) }.into());
        }
        Ok(Guard {
            policy,
            copied: Copied::default(),
            log: Vec::new(),
            rates: Vec::new(),
            at: Instant::now(),
            cost: Duration::ZERO,
            states: Vec::new(),
            bad: false,
            skipped: 0,
        })
    }

    /// Whether a batch's gradient is gathered before it is used.
    pub fn gathers(&self) -> bool {
        self.policy == NonFinite::Skip
    }

    /// Before each batch. `begins`: nothing has been gathered for the optimizer's step, so that it can be repeated from here on;
    /// `updates`: it ends with this batch.
    pub fn before<N: Network>(
        &mut self,
        (model, optimizer): (&mut Model<N>, &mut Bound<O>),
        (epoch, batch): (usize, usize),
        (begins, updates): (bool, bool),
        batches: &Batches<'_, N>,
    ) -> Result<()> {
        if self.policy == NonFinite::Skip {
            if begins {
                self.bad = false;
                model.engine.states(&mut self.states)?;
            }
            return Ok(());
        }
        let due = self.log.is_empty() || self.log.len() >= MOST || self.at.elapsed() > SHARE * self.cost;
        if begins && due {
            let start = Instant::now();
            // The copy that is there stays until what replaces it is known to be good.
            self.look((model, optimizer), batches)?;
            self.log.reserve(MOST);
            self.copied.keep(model, optimizer)?;
            (self.cost, self.at) = (start.elapsed(), Instant::now());
            self.log.clear();
            self.rates.clear();
        }
        self.log.push(Logged { epoch, batch, updates, config: optimizer.config.clone() });
        self.rates.extend(optimizer.group_rates());
        Ok(())
    }

    /// After each batch; sees to the optimizer's update where its gradient was `gathered`.
    pub fn after<N: Network>(
        &mut self,
        (model, optimizer): (&mut Model<N>, &mut Bound<O>),
        (report, sound): (StepReport, bool),
        (gathered, updates): (bool, bool),
        batches: &Batches<'_, N>,
    ) -> Result<Verdict> {
        if self.policy == NonFinite::Stop {
            if !sound {
                return Err(self.search((model, optimizer), batches, report.loss));
            }
            if gathered && updates {
                model.apply(optimizer)?;
            }
            return Ok(Verdict::Counts);
        }
        self.bad |= !sound;
        if updates {
            self.bad = self.bad || !model.engine.gathered_is_finite(optimizer.rows())?;
            if self.bad {
                model.engine.forget_accumulated(&self.states)?;
                self.skipped += 1;
                return Ok(Verdict::Skipped);
            }
            model.apply(optimizer)?;
        }
        Ok(if self.bad { Verdict::Skipped } else { Verdict::Counts })
    }

    /// Looks at all weights, and at what the optimizer remembers.
    pub fn look<N: Network>(
        &mut self,
        (model, optimizer): (&mut Model<N>, &mut Bound<O>),
        batches: &Batches<'_, N>,
    ) -> Result<()> {
        if model.engine.is_finite(&mut Vec::new(), &mut Vec::new())? && optimizer.is_finite()? {
            return Ok(());
        }
        Err(self.search((model, optimizer), batches, f32::NAN))
    }

    /// What to tell about a number that is not finite, which appeared since the last copy.
    fn search<N: Network>(
        &mut self,
        (model, optimizer): (&mut Model<N>, &mut Bound<O>),
        batches: &Batches<'_, N>,
        loss: f32,
    ) -> Error {
        // Steps that are skipped where they have to be are not remembered.
        if self.log.is_empty() {
            return match model.engine.bad_weight() {
                Ok(Some(bad)) => of_weight::<N>(loss, bad).into(),
                Ok(None) => bare::<N>(0, 0, loss, Place::Remembered).into(),
                Err(error) => error,
            };
        }
        match self.repeat((model, optimizer), batches, loss) {
            Ok(found) => found.into(),
            Err(error) => error,
        }
    }

    /// Repeats the steps until one of them gives a number that is not finite. The model is as before that step then.
    fn repeat<N: Network>(
        &mut self,
        (model, optimizer): (&mut Model<N>, &mut Bound<O>),
        batches: &Batches<'_, N>,
        loss: f32,
    ) -> Result<NotFinite> {
        self.copied.restore(model, optimizer)?;
        let groups = self.rates.len() / self.log.len();
        let mut before = Copied::default();
        let mut begins = true;
        for (number, logged) in self.log.iter().enumerate() {
            let Logged { epoch, batch, updates, ref config } = *logged;
            optimizer.set_rates(config.clone(), &self.rates[number * groups..(number + 1) * groups]);
            if begins {
                before.keep(model, optimizer)?;
            }
            let alone = begins && updates;
            begins = updates;
            let rows = batches.rows(epoch, batch);
            let (inputs, targets) = batches.gather(&rows);
            let step = model.engine.step();
            let report = if alone {
                model.train_on(&inputs, &targets, optimizer)?
            } else {
                let report = model.accumulate_on(&inputs, &targets)?;
                if updates && report.loss.is_finite() {
                    model.apply(optimizer)?;
                }
                report
            };
            let weight = if updates { model.engine.bad_weight()? } else { None };
            let remembers = !updates || optimizer.is_finite()?;
            if report.loss.is_finite() && weight.is_none() && remembers {
                continue;
            }
            before.restore(model, optimizer)?;
            // The random numbers of this batch.
            model.engine.set_step(step);
            let found = locate(model, batches, &rows)?;
            model.engine.set_step(before.step);
            let mut found = found.unwrap_or_else(|| match weight {
                Some(weight) => of_weight::<N>(report.loss, weight),
                None if remembers => bare::<N>(0, 0, report.loss, Place::Gone),
                None => bare::<N>(0, 0, report.loss, Place::Remembered),
            });
            (found.epoch, found.step, found.loss) = (epoch, batch + 1, report.loss);
            found.sample = found.row.map(|row| rows[row]);
            return Ok(found);
        }
        let Logged { epoch, batch, .. } = self.log[self.log.len() - 1];
        Ok(bare::<N>(epoch, batch + 1, loss, Place::Gone))
    }
}

fn bare<N: Network>(epoch: usize, step: usize, loss: f32, place: Place) -> NotFinite {
    let (network, value, position) = (N::NAME, loss, Vec::new());
    NotFinite { network, validation: false, epoch, step, loss, value, place, row: None, sample: None, position }
}

fn of_weight<N: Network>(loss: f32, bad: BadWeight) -> NotFinite {
    let BadWeight { name, dims, element, value } = bad;
    let place = Place::Update { weight: name };
    NotFinite { value, position: unravel(element, dims), ..bare::<N>(0, 0, loss, place) }
}

/// The first number that is not finite when a step over these rows runs with the weights as they are.
fn locate<N: Network>(model: &mut Model<N>, batches: &Batches<'_, N>, rows: &[usize]) -> Result<Option<NotFinite>> {
    let (inputs, targets) = batches.gather(rows);
    if let Some(found) = model.not_finite_data(&inputs, &targets) {
        return Ok(Some(found));
    }
    let Some(mut found) = model.first_not_finite(Role::Step, &inputs, &targets)? else { return Ok(None) };
    if found.row.is_none() {
        found.row = single_row(model, batches, rows)?;
    }
    Ok(Some(found))
}

/// The first number that is not finite when these samples are evaluated in batches of this size.
pub(super) fn in_validation<N: Network>(
    model: &mut Model<N>,
    data: &Dataset<N::Inputs, N::Targets>,
    batch_size: usize,
    epoch: usize,
) -> Result<Option<NotFinite>> {
    let order: Vec<usize> = (0..data.len()).collect();
    for rows in order.chunks(batch_size) {
        let part = data.gather(rows);
        let (inputs, targets) = (part.inputs(), part.targets());
        let found = match model.not_finite_data(inputs, targets) {
            Some(found) => Some(found),
            None => model.first_not_finite(Role::Evaluate, inputs, targets)?,
        };
        if let Some(found) = found {
            let sample = found.row.map(|row| rows[row]);
            return Ok(Some(NotFinite { validation: true, epoch, sample, ..found }));
        }
    }
    Ok(None)
}

/// The row without which the step is sound: each half of the rows is tried with one sound row in all other places, and the half
/// that fails is halved again. Rows stay in their places, for random numbers depend on these.
fn single_row<N: Network>(model: &mut Model<N>, batches: &Batches<'_, N>, rows: &[usize]) -> Result<Option<usize>> {
    let mut fails = |some: &[usize]| -> Result<bool> {
        let (inputs, targets) = batches.gather(some);
        Ok(model.first_not_finite(Role::Step, &inputs, &targets)?.is_some())
    };
    let mut sound = None;
    for row in rows {
        if !fails(&vec![*row; rows.len()])? {
            sound = Some(*row);
            break;
        }
    }
    let Some(sound) = sound else { return Ok(None) };
    let (mut low, mut high) = (0, rows.len());
    while high - low > 1 {
        let middle = low.midpoint(high);
        let only = |from: usize, to: usize| -> Vec<usize> {
            (0..rows.len()).map(|place| if (from..to).contains(&place) { rows[place] } else { sound }).collect()
        };
        if fails(&only(low, middle))? {
            high = middle;
        } else if fails(&only(middle, high))? {
            low = middle;
        } else {
            // Several rows together.
            return Ok(None);
        }
    }
    Ok(Some(low))
}

/// Row-major index of an element.
pub(crate) fn unravel(mut element: usize, dims: &[usize]) -> Vec<usize> {
    let mut index = vec![0; dims.len()];
    for (i, extent) in index.iter_mut().zip(dims).rev() {
        (*i, element) = (element % extent, element / extent);
    }
    index
}

impl<N: Network> Model<N> {
    /// The first number of dense inputs and targets that is not finite.
    fn not_finite_data(&self, inputs: &N::Inputs, targets: &N::Targets) -> Option<NotFinite> {
        self.each_port_of(inputs, targets).into_iter().find_map(|(port, values)| {
            let PortKind::Dense { dims } = port.kind else { return None };
            let at = values.iter().position(|x| !x.is_finite())?;
            let numel = dims.iter().product::<usize>().max(1);
            let place = Place::Data { port: port.name };
            let found = bare::<N>(0, 0, values[at] as f32, place);
            Some(NotFinite { row: Some(at / numel), position: unravel(at % numel, dims), ..found })
        })
    }

    /// The first number that is not finite among all that the kernels of a program store.
    pub(super) fn first_not_finite(
        &mut self,
        role: Role,
        inputs: &N::Inputs,
        targets: &N::Targets,
    ) -> Result<Option<NotFinite>> {
        let params = self.engine.weights().params;
        let mut found = None;
        self.watch_on(role, inputs, targets, &mut |seen: &Seen<'_>| {
            let row = seen.row;
            if row.integer || all_finite(seen.values) {
                return true;
            }
            let Some(at) = seen.values.iter().position(|x| !x.is_finite()) else { return true };
            let numel = row.dims.iter().product::<usize>().max(1);
            let gradient = params.iter().find(|p| row.stored.space == Space::Grads && p.offset == row.stored.offset);
            let what = gradient.map_or_else(|| row.op.to_owned(), |p| format!("the gradient of {}", p.name));
            let (layer, kernel, layers, ops) = (row.layer, seen.kernel, seen.layers, seen.ops);
            let place = Place::Kernel { layer, what, kernel, layers, ops };
            found = Some(NotFinite {
                row: row.batch.then_some(at / numel),
                position: unravel(at % numel, row.dims),
                ..bare::<N>(0, 0, seen.values[at], place)
            });
            false
        })?;
        Ok(found)
    }
}
