//! What a training shows while it runs: a bar a epoch on a terminal, a line an epoch anywhere.
//!
//! Everything goes to the standard error stream: the standard output belongs to the program. Where that stream is no
//! terminal there is no bar, and the lines are the same.

use std::fmt::Write;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::record::EpochRecord;

/// Time between two looks of the bar; in between, a step costs a look at the clock and allocates nothing.
const REFRESH: Duration = Duration::from_millis(100);

/// Shows the epochs of one training.
pub(crate) struct Progress {
    /// `None` where nothing shall be shown.
    shown: Option<Shown>,
}

struct Shown {
    epochs: usize,
    steps: usize,
    /// Steps of this epoch that are done.
    done: usize,
    /// Only on a terminal, and only while an epoch runs.
    bar: Option<ProgressBar>,
    terminal: bool,
    last: Instant,
}

impl Progress {
    /// For `epochs` epochs of `steps` steps.
    pub(crate) fn new(epochs: usize, steps: usize) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { shown: Some(Shown { epochs, steps, done: 0, bar: None, terminal, last: Instant::now() }) }
    }

    /// Shows nothing.
    pub(crate) fn quiet() -> Self {
        Self { shown: None }
    }

    /// Epoch `epoch`, counted from 1, begins, or goes on after so many steps.
    pub(crate) fn begin_epoch(&mut self, epoch: usize, done: usize) {
        let Some(shown) = &mut self.shown else { return };
        shown.done = done;
        if shown.terminal {
            let target = ProgressDrawTarget::stderr();
            let bar = ProgressBar::with_draw_target(Some(shown.steps as u64), target).with_style(style());
            bar.set_prefix(format!("epoch {}", of(epoch, shown.epochs)));
            shown.bar = Some(bar);
        }
    }

    /// One more step is done. `loss` is the running loss; it is asked only when the bar is drawn.
    pub(crate) fn step(&mut self, loss: impl FnOnce() -> f64) {
        let Some(shown) = &mut self.shown else { return };
        shown.done += 1;
        let Some(bar) = &shown.bar else { return };
        if shown.last.elapsed() >= REFRESH {
            shown.last = Instant::now();
            bar.set_message(format!("loss {:.4}", loss()));
            bar.set_position(shown.done as u64);
        }
    }

    /// The epoch is over and measured: its line takes the bar's place.
    pub(crate) fn end_epoch(&mut self, record: &EpochRecord) {
        let Some(shown) = &mut self.shown else { return };
        let line = line(record, shown.epochs);
        shown.clear();
        eprintln!("{line}");
    }

    /// What must be told, also where no progress is shown.
    pub(crate) fn warn(&mut self, message: &str) {
        if let Some(shown) = &mut self.shown {
            shown.clear();
        }
        eprintln!("warning: {message}");
    }

    /// A message between epochs: a resumed run, an early stop.
    pub(crate) fn say(&mut self, message: &str) {
        let Some(shown) = &mut self.shown else { return };
        shown.clear();
        eprintln!("{message}");
    }
}

impl Shown {
    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Shown {
    /// An error in the middle of an epoch leaves no half-drawn bar.
    fn drop(&mut self) {
        self.clear();
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix}  {bar:32} {pos}/{len} steps  {msg}  {eta} left")
        .expect("the template is well formed: a test draws it")
        .progress_chars("━━╌")
}

/// ` 3/12`
fn of(epoch: usize, epochs: usize) -> String {
    let width = epochs.to_string().len();
    format!("{epoch:>width$}/{epochs}")
}

/// `epoch  3/12  train loss 0.0712 acc 97.90 %  valid loss 0.0651 acc 98.10 %  lr 1.0e-3  1.2 s  best`
pub(crate) fn line(record: &EpochRecord, epochs: usize) -> String {
    let mut line = format!("epoch {}", of(record.epoch, epochs));
    let parts =
        [("train", record.train_loss, record.train_accuracy), ("valid", record.valid_loss, record.valid_accuracy)];
    for (part, loss, accuracy) in parts {
        if !loss.is_nan() {
            let _ = write!(line, "  {part} loss {loss:.4}");
        }
        if !accuracy.is_nan() {
            let _ = write!(line, " acc {:.2} %", 100.0 * accuracy);
        }
    }
    let _ = write!(line, "  lr {:.1e}  {:.1} s", record.lr, record.seconds);
    if record.best {
        line.push_str("  best");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> EpochRecord {
        EpochRecord {
            epoch: 3,
            train_loss: 0.07123,
            train_accuracy: 0.979,
            valid_loss: 0.0651,
            valid_accuracy: 0.981,
            seconds: 1.23,
            lr: 1e-3,
            best: true,
        }
    }

    #[test]
    fn lines() {
        assert_eq!(
            line(&record(), 12),
            "epoch  3/12  train loss 0.0712 acc 97.90 %  valid loss 0.0651 acc 98.10 %  lr 1.0e-3  1.2 s  best"
        );
        let autoencoder = EpochRecord { train_accuracy: f64::NAN, valid_accuracy: f64::NAN, best: false, ..record() };
        assert_eq!(line(&autoencoder, 3), "epoch 3/3  train loss 0.0712  valid loss 0.0651  lr 1.0e-3  1.2 s");
    }

    #[test]
    fn the_bar_template_is_well_formed() {
        let bar = ProgressBar::with_draw_target(Some(10), ProgressDrawTarget::hidden()).with_style(style());
        bar.set_position(3);
        bar.finish_and_clear();
        let mut quiet = Progress::quiet();
        quiet.begin_epoch(1, 0);
        quiet.step(|| unreachable!("nobody looks"));
        quiet.end_epoch(&record());
    }
}
