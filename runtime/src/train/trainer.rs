//! The loop over epochs and batches.

use super::progress::Progress;
use super::{EpochRecord, Report};
use crate::data::{Dataset, Feed, shuffle};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::network::Network;
use crate::optim::{Bound, Optimizer};
use crate::rng;
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
/// Defaults: 10 epochs, batches of 32, shuffled by the model's seed, no early stopping.
pub struct Trainer<'m, N: Network, O: Optimizer> {
    model: &'m mut Model<N>,
    optimizer: O,
    epochs: usize,
    batch_size: usize,
    shuffle: bool,
    seed: u64,
    patience: Option<usize>,
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
            shuffle: true,
            seed,
            patience: None,
            on_epoch: None,
            quiet: false,
        }
    }

    /// How often every training sample is seen.
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// Samples per step. The last batch of an epoch has what is left.
    pub fn batch_size(mut self, samples: usize) -> Self {
        self.batch_size = samples;
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
        for (what, value) in [("epochs", self.epochs), ("batch_size", self.batch_size)] {
            if value == 0 {
                return Err(Error::option(format!("Trainer::{what}"), "at least 1", 0));
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
        Ok(())
    }

    fn run(
        &mut self,
        train: &Dataset<N::Inputs, N::Targets>,
        valid: &Dataset<N::Inputs, N::Targets>,
        best: &mut Best,
    ) -> Result<Report> {
        let start = Instant::now();
        let mut optimizer = self.optimizer.clone().bind(self.model)?;
        let mut order: Vec<usize> = (0..train.inputs().len()).collect();
        let mut batch = (N::Inputs::empty(), N::Targets::empty());
        let steps = order.len().div_ceil(self.batch_size);
        let mut progress = if self.quiet { Progress::quiet() } else { Progress::new(self.epochs, steps) };
        let mut report = Report { epochs: Vec::new(), stopped_early: false, seconds: 0.0 };
        for epoch in 1..=self.epochs {
            let epoch_start = Instant::now();
            if self.shuffle {
                // A function of seed and epoch alone, so that a later epoch can be reached without the ones before.
                order.iter_mut().enumerate().for_each(|(place, row)| *row = place);
                shuffle(&mut order, rng::epoch_seed(self.seed, epoch));
            }
            progress.begin_epoch(epoch);
            let (train_loss, train_accuracy) =
                self.epoch(epoch, train, &order, &mut batch, &mut optimizer, &mut progress)?;
            let evaluation = self.model.evaluate(valid)?;
            if !evaluation.loss.is_finite() {
                let loss = evaluation.loss as f32;
                return Err(Error::LossNotFinite { which: "validation", loss, epoch, step: steps });
            }
            let record = EpochRecord {
                epoch,
                train_loss,
                train_accuracy,
                valid_loss: evaluation.loss,
                valid_accuracy: evaluation.accuracy,
                seconds: epoch_start.elapsed().as_secs_f64(),
                lr: optimizer.config.lr(),
                best: best.offer(evaluation.loss, epoch, self.model)?,
            };
            report.epochs.push(record);
            progress.end_epoch(&record);
            let flow = self.on_epoch.as_mut().map_or(Flow::Continue, |f| f(&record, self.model));
            report.stopped_early = self.patience.is_some_and(|patience| epoch - best.epoch >= patience);
            if report.stopped_early {
                progress.say(&format!("stopped: the validation loss was lowest in epoch {}", best.epoch));
            }
            if flow == Flow::Stop || report.stopped_early {
                break;
            }
        }
        report.seconds = start.elapsed().as_secs_f64();
        Ok(report)
    }

    /// One pass over the training data: mean loss, and accuracy where there are classes.
    fn epoch(
        &mut self,
        epoch: usize,
        train: &Dataset<N::Inputs, N::Targets>,
        order: &[usize],
        (inputs, targets): &mut (N::Inputs, N::Targets),
        optimizer: &mut Bound<O>,
        progress: &mut Progress,
    ) -> Result<(f64, f64)> {
        let (mut loss, mut correct, mut seen) = (0.0, 0, 0);
        for (step, rows) in order.chunks(self.batch_size).enumerate() {
            train.inputs().gather_into(rows, inputs);
            train.targets().gather_into(rows, targets);
            let report = self.model.train_on(inputs, targets, optimizer)?;
            if !report.loss.is_finite() {
                return Err(Error::LossNotFinite { which: "training", loss: report.loss, epoch, step: step + 1 });
            }
            loss += f64::from(report.loss) * rows.len() as f64;
            correct += report.correct;
            seen += rows.len();
            progress.step(|| loss / seen as f64);
        }
        let samples = order.len() as f64;
        let accuracy = if self.model.counts_correct() { correct as f64 / samples } else { f64::NAN };
        Ok((loss / samples, accuracy))
    }
}

/// The weights of the best epoch so far.
struct Best {
    loss: f64,
    epoch: usize,
    params: Vec<f32>,
    states: Vec<f32>,
}

impl Default for Best {
    fn default() -> Self {
        Best { loss: f64::INFINITY, epoch: 0, params: Vec::new(), states: Vec::new() }
    }
}

impl Best {
    fn offer<N: Network>(&mut self, loss: f64, epoch: usize, model: &Model<N>) -> Result<bool> {
        let better = loss < self.loss;
        if better {
            // Half a copy must not be restored.
            self.epoch = 0;
            model.engine.snapshot(&mut self.params, &mut self.states)?;
            (self.loss, self.epoch) = (loss, epoch);
        }
        Ok(better)
    }

    fn restore<N: Network>(&self, model: &mut Model<N>) -> Result<()> {
        if self.epoch == 0 {
            return Ok(());
        }
        model.engine.restore(&self.params, &self.states)
    }
}
