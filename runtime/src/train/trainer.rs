//! The loop over epochs and batches.

use super::checkpoint::{Checkpoint, Parts, SetUp, Setting, Within};
use super::folder::{Folder, Found};
use super::guard::{Batches, Guard, NonFinite, Verdict, in_validation};
use super::progress::Progress;
use super::{EpochRecord, Report, signals};
use crate::data::{Dataset, Feed, shuffle};
use crate::engine::{Part, Role};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::network::Network;
use crate::optim::schedule::{Every, Schedule, Scheduled};
use crate::optim::{Bound, Clip, Groups, Optimizer};
use crate::rng;
use std::path::PathBuf;
use std::time::Instant;

/// What `on_epoch` wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Continue,
    /// Ends training after this epoch.
    Stop,
}

type OnEpoch<'m, N> = Box<dyn FnMut(&EpochRecord, &Model<N>) -> Flow + 'm>;

/// Trains a model over epochs of shuffled batches.
///
/// Defaults: 10 epochs, batches of 32 and a last one of what is left, shuffled by the model's seed; no early stopping, a constant learning rate, gradients as
/// they are, no checkpoints; a number that is not finite ends training with an error that says where it appeared.
pub struct Trainer<'m, N: Network, O: Optimizer> {
    model: &'m mut Model<N>,
    optimizer: O,
    epochs: usize,
    batch_size: usize,
    drop_last: bool,
    shuffle: bool,
    seed: u64,
    patience: Option<usize>,
    schedule: Option<Box<dyn Schedule>>,
    groups: Groups,
    clip: Clip,
    accumulate: usize,
    non_finite: NonFinite,
    #[cfg(feature = "verify")]
    verify_every: Option<usize>,
    checkpoints: Option<PathBuf>,
    keep: Option<usize>,
    every: Option<usize>,
    fresh: bool,
    on_epoch: Option<OnEpoch<'m, N>>,
    quiet: bool,
}

impl<'m, N: Network, O: Optimizer> Trainer<'m, N, O> {
    pub fn new(model: &'m mut Model<N>, optimizer: O) -> Self {
        let seed = model.seed();
        Trainer {
            model,
            optimizer,
            epochs: 10,
            batch_size: 32,
            drop_last: false,
            shuffle: true,
            seed,
            patience: None,
            schedule: None,
            groups: Groups::new(),
            clip: Clip::None,
            accumulate: 1,
            non_finite: NonFinite::Stop,
            #[cfg(feature = "verify")]
            verify_every: None,
            checkpoints: None,
            keep: None,
            every: None,
            fresh: false,
            on_epoch: None,
            quiet: false,
        }
    }

    /// How often every training sample is seen.
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// Samples per step. The last batch of an epoch has what is left, unless [`Trainer::drop_last`] leaves it out.
    pub fn batch_size(mut self, samples: usize) -> Self {
        self.batch_size = samples;
        self
    }

    /// Whether an epoch ends before a last batch that is smaller than the others, as PyTorch's `DataLoader` has it. With
    /// shuffling these are other samples in each epoch.
    pub fn drop_last(mut self, drop_last: bool) -> Self {
        self.drop_last = drop_last;
        self
    }

    /// Whether every epoch has an order of its own.
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.shuffle = shuffle;
        self
    }

    /// Decides the order of samples; the model's seed if not given.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Ends training when the validation loss was not lower than the best for so many epochs.
    pub fn early_stopping(mut self, patience: usize) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Changes the learning rate, after each epoch or each step of the optimizer, as the schedule wants it.
    pub fn schedule(mut self, schedule: impl Schedule) -> Self {
        self.schedule = Some(Box::new(schedule));
        self
    }

    /// Gives parameters settings of their own, by name.
    pub fn groups(mut self, groups: Groups) -> Self {
        self.groups = groups;
        self
    }

    /// Scales the gradients of each step so that the norm of all of them is at most `max_norm`:
    /// [`Bound::clip_norm`]. Takes the place of `clip_value`.
    pub fn clip_norm(mut self, max_norm: f64) -> Self {
        self.clip = Clip::Norm(max_norm);
        self
    }

    /// Clamps each gradient to ± `limit`: [`Bound::clip_value`]. Takes the place of `clip_norm`.
    pub fn clip_value(mut self, limit: f64) -> Self {
        self.clip = Clip::Value(limit);
        self
    }

    /// One step of the optimizer for so many batches, with the mean gradient of all their samples; at the end of an epoch for
    /// what is left.
    pub fn accumulate(mut self, batches: usize) -> Self {
        self.accumulate = batches;
        self
    }

    /// What becomes of a loss, gradient or weight that is NaN or infinite: the end of training, unless told otherwise.
    pub fn on_non_finite(mut self, policy: NonFinite) -> Self {
        self.non_finite = policy;
        self
    }

    /// Compares every so many batches, the first one included, with the interpreter before they are trained on, as
    /// [`Model::debug_step`] does it, and ends training with [`Error::Differs`] where the device computes anything else. The
    /// interpreter takes its time: see there. Nothing that is trained changes by it.
    #[cfg(feature = "verify")]
    pub fn verify_every(mut self, batches: usize) -> Self {
        self.verify_every = Some(batches);
        self
    }

    /// Keeps checkpoints in this folder, `checkpoint-000001.safetensors` and so on, one written after every epoch and the last two
    /// kept. Where there are some already, training goes on from the newest, bit for bit as if it had never stopped, and says so.
    /// One that is damaged is reported, and the one before it used. One of another set-up is an error that names what
    /// differs; more epochs are no other set-up, unless the schedule depends on their number.
    ///
    /// The folder is made where there is none, and locked: a second training in it is an error.
    ///
    /// On Unix, SIGINT and SIGTERM now finish the step of the optimizer, write a checkpoint and end `fit` with
    /// [`Error::Interrupted`], which says how to go on; a second one does what it did before. When `fit` returns, the
    /// program's own handlers are back.
    pub fn checkpoints(mut self, folder: impl Into<PathBuf>) -> Self {
        self.checkpoints = Some(folder.into());
        self
    }

    /// How many of the last checkpoints are kept; 2 if not given.
    pub fn keep_checkpoints(mut self, count: usize) -> Self {
        self.keep = Some(count);
        self
    }

    /// Writes a checkpoint also after so many steps of the optimizer, in the middle of an epoch: training goes on with the next
    /// batch of that epoch.
    pub fn checkpoint_every(mut self, steps: usize) -> Self {
        self.every = Some(steps);
        self
    }

    /// Begins anew. Checkpoints that are there are removed once there is a new one.
    pub fn fresh(mut self) -> Self {
        self.fresh = true;
        self
    }

    /// Called after every epoch and its validation.
    pub fn on_epoch(mut self, f: impl FnMut(&EpochRecord, &Model<N>) -> Flow + 'm) -> Self {
        self.on_epoch = Some(Box::new(f));
        self
    }

    /// Shows no progress.
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Trains, and leaves the weights of the epoch with the lowest validation loss in the model, also when it ends with an
    /// error after that epoch.
    ///
    /// # Errors
    /// [`Error::NotFinite`] says where a number that is NaN or infinite first appeared: step, kernel and layers, row of the
    /// batch ([`Trainer::on_non_finite`] has another way). Options out of range, empty data, and what devices and files
    /// report are errors too.
    pub fn fit(
        mut self,
        train: &Dataset<N::Inputs, N::Targets>,
        valid: &Dataset<N::Inputs, N::Targets>,
    ) -> Result<Report> {
        self.check(train, valid)?;
        let mut best = Best::default();
        let report = self.run(train, valid, &mut best);
        let restored = best.restore(self.model);
        // The first error is the one to tell.
        let report = report?;
        restored.map(|()| report)
    }

    fn check(&self, train: &Dataset<N::Inputs, N::Targets>, valid: &Dataset<N::Inputs, N::Targets>) -> Result<()> {
        for (what, value) in [("epochs", self.epochs), ("batch_size", self.batch_size), ("accumulate", self.accumulate)]
        {
            if value == 0 {
                return Err(Error::option(format!("Trainer::{what}"), "at least 1", 0));
            }
        }
        #[cfg(feature = "verify")]
        if self.verify_every == Some(0) {
            return Err(Error::option("Trainer::verify_every", "at least 1", 0));
        }
        for (what, value) in [("keep_checkpoints", self.keep), ("checkpoint_every", self.every)] {
            if value == Some(0) {
                return Err(Error::option(format!("Trainer::{what}"), "at least 1", 0));
            }
            if value.is_some() && self.checkpoints.is_none() {
                return Err(Error::option(format!("Trainer::{what}"), "used with `checkpoints`", "not"));
            }
        }
        if self.patience == Some(0) {
            return Err(Error::option("Trainer::early_stopping", "at least 1 epoch", 0));
        }
        for (what, data) in [("training", train), ("validation", valid)] {
            if data.inputs().len() == 0 {
                return Err(Error::empty(format!("the {what} data set")));
            }
        }
        let (samples, batch) = (train.len(), self.batch_size);
        if self.steps(samples) == 0 {
            let expected = format!("at most {samples}, the training samples, where the last batch is dropped");
            return Err(Error::option("Trainer::batch_size", expected, batch));
        }
        // Better now than at the end of an epoch.
        let engine = &self.model.engine;
        let single = |role| engine.single(role).map(|layer| Error::SingleValue { network: N::NAME, layer });
        let trains_on_one = batch == 1 || (samples % batch == 1 && !self.drop_last);
        let evaluates_one = valid.len() % engine.chunk(Role::Evaluate) == 1;
        let one = [(trains_on_one, Role::Step), (evaluates_one, Role::Evaluate)];
        match one.into_iter().filter(|(one, _)| *one).find_map(|(_, role)| single(role)) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Batches of an epoch.
    fn steps(&self, samples: usize) -> usize {
        if self.drop_last { samples / self.batch_size } else { samples.div_ceil(self.batch_size) }
    }

    fn run(
        &mut self,
        train: &Dataset<N::Inputs, N::Targets>,
        valid: &Dataset<N::Inputs, N::Targets>,
        best: &mut Best,
    ) -> Result<Report> {
        let start = Instant::now();
        let mut order: Vec<usize> = (0..train.inputs().len()).collect();
        let mut batch = (N::Inputs::empty(), N::Targets::empty());
        let steps = self.steps(order.len());
        let mut progress = if self.quiet { Progress::quiet() } else { Progress::new(self.epochs, steps) };
        let mut report =
            Report { epochs: Vec::new(), stopped_early: false, skipped: 0, seconds: 0.0, notes: Vec::new() };

        // Here the schedule has not been taken yet.
        let set_up = self.set_up(train, valid);
        let optimizer = self.optimizer.clone().bind(self.model)?;
        let mut optimizer = optimizer.groups(self.groups.clone())?.clipped(self.clip)?;
        let mut schedule = match self.schedule.take() {
            None => None,
            Some(schedule) => {
                let periods = match schedule.every() {
                    Every::Step => self.epochs * steps.div_ceil(self.accumulate),
                    Every::Epoch => self.epochs,
                };
                Some(Scheduled::new(schedule, &mut optimizer, Some(periods))?)
            }
        };
        let mut folder = match &self.checkpoints {
            None => None,
            Some(path) => {
                let checkpoint = Checkpoint::new(set_up, steps, self.accumulate);
                Some(Folder::open(path, checkpoint, self.keep.unwrap_or(2), self.fresh)?)
            }
        };
        let _watch = folder.as_ref().map(|_| signals::Watch::begin());
        let mut within = Within::default();
        let mut before = 0.0;
        if let Some(folder) = folder.as_mut() {
            let model = &mut *self.model;
            let mut parts = Parts { model, optimizer: &mut optimizer, schedule: schedule.as_mut(), best: &mut *best };
            if let Some(Found { resumed, path, damaged }) = folder.read(&mut parts)? {
                for problem in damaged {
                    let note = format!("{problem}; {} is used instead", path.display());
                    progress.warn(&note);
                    report.notes.push(note);
                }
                let (after, done) = (resumed.epochs.len(), resumed.within.batches);
                progress.say(&match done {
                    0 => format!("resumed from {} after epoch {after}", path.display()),
                    _ => format!("resumed from {} in epoch {} after step {done} of {steps}", path.display(), after + 1),
                });
                (report.epochs, within, before) = (resumed.epochs, resumed.within, resumed.seconds);
                report.skipped = resumed.skipped;
                report.stopped_early = within.batches == 0 && self.is_over(report.epochs.len(), best);
            }
        }
        // Of an earlier training that ended between the batches of a step.
        self.model.engine.forget_gathered();
        let first = report.epochs.len() + 1;
        report.seconds = before;
        let mut guard = Guard::new(self.non_finite, self.model)?;
        guard.skipped = report.skipped;
        for epoch in first..=self.epochs {
            if report.stopped_early {
                break;
            }
            let epoch_start = Instant::now();
            if self.shuffle {
                // A function of seed and epoch alone, so that a later epoch can be reached without the ones before.
                order.iter_mut().enumerate().for_each(|(place, row)| *row = place);
                shuffle(&mut order, rng::epoch_seed(self.seed, epoch));
            }
            progress.begin_epoch(epoch, within.batches);
            let earlier = within.seconds;
            let mut keeping = Keeping {
                folder: folder.as_mut(),
                best: &mut *best,
                epochs: &report.epochs,
                epoch_start,
                start,
                before,
                earlier,
                skipped: guard.skipped,
            };
            let bound = (&mut optimizer, schedule.as_mut(), &mut guard);
            let (train_loss, train_accuracy, lr) =
                self.epoch(epoch, train, &order, &mut batch, bound, (&mut within, &mut keeping), &mut progress)?;
            within = Within::default();
            report.skipped = guard.skipped;
            let evaluation = self.model.evaluate(valid)?;
            if !evaluation.loss.is_finite() {
                if let Some(found) = in_validation(self.model, valid, self.batch_size, epoch)? {
                    return Err(found.into());
                }
                let loss = evaluation.loss as f32;
                return Err(Error::LossNotFinite { which: "validation", loss, epoch, step: steps });
            }
            let record = EpochRecord {
                epoch,
                train_loss,
                train_accuracy,
                valid_loss: evaluation.loss,
                valid_accuracy: evaluation.accuracy,
                seconds: earlier + epoch_start.elapsed().as_secs_f64(),
                lr,
                best: best.offer(evaluation.loss, epoch, self.model)?,
            };
            report.epochs.push(record);
            progress.end_epoch(&record);
            if let Some(schedule) = schedule.as_mut().filter(|schedule| schedule.every() == Every::Epoch) {
                schedule.step_with(evaluation.loss, &mut optimizer)?;
            }
            report.seconds = before + start.elapsed().as_secs_f64();
            let mut written = None;
            if let Some(folder) = folder.as_mut() {
                let model = &mut *self.model;
                let mut parts =
                    Parts { model, optimizer: &mut optimizer, schedule: schedule.as_mut(), best: &mut *best };
                let (within, skipped) = (&within, report.skipped);
                let setting = Setting { epochs: &report.epochs, within, skipped, seconds: report.seconds };
                written = Some(folder.write(&mut parts, &setting)?);
            }
            let flow = self.on_epoch.as_mut().map_or(Flow::Continue, |f| f(&record, self.model));
            report.stopped_early = self.is_over(epoch, best);
            if report.stopped_early {
                progress.say(&format!("stopped: the validation loss was lowest in epoch {}", best.epoch));
            }
            if let Some((path, signal)) = written.zip(signals::caught()) {
                return Err(Error::Interrupted { signal, epoch, step: steps, steps, path });
            }
            if flow == Flow::Stop || report.stopped_early {
                break;
            }
        }
        report.seconds = before + start.elapsed().as_secs_f64();
        Ok(report)
    }

    /// Whether patience is at its end after this epoch.
    fn is_over(&self, epoch: usize, best: &Best) -> bool {
        self.patience.is_some_and(|patience| epoch - best.epoch >= patience)
    }

    /// What a training may not differ in from the one that wrote a checkpoint.
    fn set_up(&self, train: &Dataset<N::Inputs, N::Targets>, valid: &Dataset<N::Inputs, N::Targets>) -> SetUp {
        let shapes: Vec<String> = self.model.parameters().map(|p| format!("{} {:?}", p.name, p.dims)).collect();
        let lasts = self.schedule.as_ref().is_some_and(|schedule| schedule.needs_periods());
        vec![
            ("network", N::NAME.to_owned()),
            ("parameters", shapes.join(", ")),
            ("seed of the model", self.model.seed().to_string()),
            ("seed", self.seed.to_string()),
            ("shuffle", self.shuffle.to_string()),
            (
                "batch size",
                format!("{}{}", self.batch_size, if self.drop_last { ", a smaller last one dropped" } else { "" }),
            ),
            ("accumulate", self.accumulate.to_string()),
            ("training samples", train.len().to_string()),
            ("validation samples", valid.len().to_string()),
            ("optimizer", format!("{:?}", self.optimizer)),
            ("groups", format!("{:?}", self.groups)),
            ("clipping", format!("{:?}", self.clip)),
            ("schedule", self.schedule.as_ref().map_or("none".to_owned(), |schedule| format!("{schedule:?}"))),
            ("early stopping", self.patience.map_or("none".to_owned(), |patience| patience.to_string())),
            ("epochs", if lasts { self.epochs.to_string() } else { "any".to_owned() }),
        ]
    }

    /// One pass over the training data, or what is left of it: mean loss, accuracy where there are classes, and the last step's
    /// learning rate.
    #[allow(clippy::too_many_arguments, reason = "what a training holds, lent to one epoch")]
    fn epoch(
        &mut self,
        epoch: usize,
        train: &Dataset<N::Inputs, N::Targets>,
        order: &[usize],
        (inputs, targets): &mut (N::Inputs, N::Targets),
        (optimizer, mut schedule, guard): (&mut Bound<O>, Option<&mut Scheduled>, &mut Guard<O>),
        (within, keeping): (&mut Within, &mut Keeping<'_>),
        progress: &mut Progress,
    ) -> Result<(f64, f64, f64)> {
        let (shuffles, seed, samples) = (self.shuffle, self.seed, order.len());
        let batches =
            Batches { train, batch_size: self.batch_size, order: &|epoch| order_of(samples, shuffles, seed, epoch) };
        let gathers = self.accumulate > 1 || guard.gathers();
        let mut begins = true;
        let steps = self.steps(order.len());
        if within.batches == 0 {
            within.lr = optimizer.config.lr();
        }
        for (step, rows) in order.chunks(self.batch_size).take(steps).enumerate().skip(within.batches) {
            train.inputs().gather_into(rows, inputs);
            train.targets().gather_into(rows, targets);
            let updates = (step + 1).is_multiple_of(self.accumulate) || step + 1 == steps;
            guard.before((self.model, optimizer), (epoch, step), (begins, updates), &batches)?;
            begins = updates;
            #[cfg(feature = "verify")]
            if self.verify_every.is_some_and(|every| self.model.engine.step().is_multiple_of(every as u64)) {
                self.model.verify_on(inputs, targets)?;
            }
            let report = if gathers {
                self.model.accumulate_on(inputs, targets)?
            } else {
                self.model.train_on(inputs, targets, optimizer)?
            };
            // What has no weight in the loss adds nothing to the gradient of several batches.
            let is_sound = |part: &Part| part.mean.is_finite() || (part.weight == 0.0 && self.accumulate > 1);
            let sound = self.model.parts().iter().all(is_sound);
            let verdict = guard.after((self.model, optimizer), (report, sound), (gathers, updates), &batches)?;
            within.lr = optimizer.config.lr();
            if let Some(schedule) = schedule.as_deref_mut().filter(|s| updates && s.every() == Every::Step) {
                schedule.step(optimizer)?;
            }
            if verdict == Verdict::Counts {
                within.loss.add(self.model.parts());
                within.correct += report.correct;
                within.seen += rows.len();
            }
            within.batches = step + 1;
            progress.step(|| within.loss.loss());
            if updates {
                keeping.skipped = guard.skipped;
                self.keep(epoch, steps, optimizer, schedule.as_deref_mut(), within, keeping)?;
            }
        }
        guard.look((self.model, optimizer), &batches)?;
        if within.seen == 0 {
            return Err(Error::AllSkipped { epoch, steps });
        }
        let accuracy = if self.model.counts_correct() { within.correct as f64 / within.seen as f64 } else { f64::NAN };
        Ok((within.loss.loss(), accuracy, within.lr))
    }

    /// Writes a checkpoint in the middle of an epoch, where it is time or a signal has come; then training ends.
    fn keep(
        &mut self,
        epoch: usize,
        steps: usize,
        optimizer: &mut Bound<O>,
        schedule: Option<&mut Scheduled>,
        within: &mut Within,
        keeping: &mut Keeping<'_>,
    ) -> Result<()> {
        let Some(folder) = keeping.folder.as_deref_mut() else { return Ok(()) };
        let signal = signals::caught();
        // After the last step comes the epoch's own.
        let due = self.every.is_some_and(|every| optimizer.steps().is_multiple_of(every as u64));
        if signal.is_none() && !(due && within.batches < steps) {
            return Ok(());
        }
        within.seconds = keeping.earlier + keeping.epoch_start.elapsed().as_secs_f64();
        let seconds = keeping.before + keeping.start.elapsed().as_secs_f64();
        let mut parts = Parts { model: &mut *self.model, optimizer, schedule, best: &mut *keeping.best };
        let setting = Setting { epochs: keeping.epochs, within, skipped: keeping.skipped, seconds };
        let path = folder.write(&mut parts, &setting)?;
        match signal {
            None => Ok(()),
            Some(signal) => Err(Error::Interrupted { signal, epoch, step: within.batches, steps, path }),
        }
    }
}

/// What a checkpoint in the middle of an epoch takes beside what the step itself uses.
struct Keeping<'a> {
    folder: Option<&'a mut Folder>,
    best: &'a mut Best,
    epochs: &'a [EpochRecord],
    epoch_start: Instant,
    start: Instant,
    /// Seconds of this training, and of this epoch, before it was resumed.
    before: f64,
    earlier: f64,
    /// Batches that were skipped so far.
    skipped: usize,
}

/// The order of an epoch's samples: a function of seed and epoch alone.
fn order_of(samples: usize, shuffles: bool, seed: u64, epoch: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..samples).collect();
    if shuffles {
        shuffle(&mut order, rng::epoch_seed(seed, epoch));
    }
    order
}

/// The weights of the best epoch so far.
pub(super) struct Best {
    pub loss: f64,
    /// 0 where there is none yet.
    pub epoch: usize,
    pub params: Vec<f32>,
    pub states: Vec<f32>,
}

impl Default for Best {
    fn default() -> Self {
        Best { loss: f64::INFINITY, epoch: 0, params: Vec::new(), states: Vec::new() }
    }
}

impl Best {
    pub fn offer<N: Network>(&mut self, loss: f64, epoch: usize, model: &Model<N>) -> Result<bool> {
        let better = loss < self.loss;
        if better {
            // Half a copy must not be restored.
            self.epoch = 0;
            model.engine.snapshot(&mut self.params, &mut self.states)?;
            (self.loss, self.epoch) = (loss, epoch);
        }
        Ok(better)
    }

    pub fn restore<N: Network>(&self, model: &mut Model<N>) -> Result<()> {
        if self.epoch == 0 {
            return Ok(());
        }
        model.engine.restore(&self.params, &self.states)
    }
}
