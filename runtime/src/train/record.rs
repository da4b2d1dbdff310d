//! What training and evaluation saw.

use crate::data::Confusion;
use std::fmt;

/// Loss and accuracy of a model over a data set, in evaluation mode.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// As the network's `loss:` says, over all samples as one batch: in any order, in any chunks.
    pub loss: f64,
    /// Share of samples classified right; NaN in a network without a class target.
    pub accuracy: f64,
    pub samples: usize,
    confusion: Confusion,
}

impl Evaluation {
    pub(crate) fn new(loss: f64, accuracy: f64, samples: usize, confusion: Confusion) -> Self {
        Evaluation { loss, accuracy, samples, confusion }
    }

    /// Which class was taken for which; without classes in a network without a class target.
    pub fn confusion(&self) -> &Confusion {
        &self.confusion
    }
}

impl fmt::Display for Evaluation {
    /// `loss 0.0712, accuracy 97.90 %`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss {:.4}", self.loss)?;
        if self.accuracy.is_nan() {
            return Ok(());
        }
        write!(f, ", accuracy {:.2} %", 100.0 * self.accuracy)
    }
}

/// One epoch of training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochRecord {
    /// From 1.
    pub epoch: usize,
    /// As the network's `loss:` says, over the epoch's samples, each seen in training mode with the weights of its step.
    pub train_loss: f64,
    /// As `train_loss`; NaN in a network without a class target, like `valid_accuracy`.
    pub train_accuracy: f64,
    /// After the epoch, in evaluation mode.
    pub valid_loss: f64,
    pub valid_accuracy: f64,
    /// Training and validation.
    pub seconds: f64,
    /// Of the epoch's last step.
    pub lr: f64,
    /// Whether the validation loss is the lowest so far.
    pub best: bool,
}

/// The history of one training.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// At least one.
    pub epochs: Vec<EpochRecord>,
    /// Whether the validation loss stopped falling before the last epoch.
    pub stopped_early: bool,
    /// Steps that [`NonFinite::Skip`](super::NonFinite::Skip) left out, since this `fit` began.
    pub skipped: usize,
    pub seconds: f64,
    /// What went wrong and was got over, a line each: a damaged checkpoint, in whose place the one before was used.
    pub notes: Vec<String>,
}

impl Report {
    /// The epoch with the lowest validation loss, whose weights `fit` left in the model.
    pub fn best(&self) -> &EpochRecord {
        self.epochs.iter().rev().find(|e| e.best).unwrap_or(&self.epochs[0])
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let best = self.best();
        write!(f, "{} epochs in {:.1} s", self.epochs.len(), self.seconds)?;
        if self.stopped_early {
            f.write_str(" (stopped early)")?;
        }
        write!(f, "; best: epoch {}, validation loss {:.4}", best.epoch, best.valid_loss)?;
        if !best.valid_accuracy.is_nan() {
            write!(f, ", accuracy {:.2} %", 100.0 * best.valid_accuracy)?;
        }
        Ok(())
    }
}
