//! Training: the loop over epochs and batches, and what it leaves behind.
//!
//! [`Trainer`] is the usual loop over [`Model::train_step`](crate::Model::train_step), which stays usable by itself.

mod checkpoint;
mod folder;
pub(crate) mod fuzzing;
mod guard;
mod progress;
mod record;
mod signals;
mod trainer;

#[cfg(feature = "verify")]
pub(crate) use guard::unravel;
pub use guard::{NonFinite, NotFinite, Place};
pub use record::{EpochRecord, Evaluation, Report};
pub use trainer::{Flow, Trainer};
