//! Training: the loop over epochs and batches, and what it leaves behind.
//!
//! [`Trainer`] is the usual loop over [`Model::train_step`](crate::Model::train_step), which stays usable by itself.

mod checkpoint;
mod progress;
mod record;
mod trainer;

pub use record::{EpochRecord, Evaluation, Report};
pub use trainer::{Flow, Trainer};
