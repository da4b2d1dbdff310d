//! Neural networks that the Rust compiler fires into kernels.
//!
//! A network is declared with [`network!`]; shapes, gradients, fusion and the memory plan are decided while the program
//! compiles. This crate is the other half: devices, models, data, optimizers and training. The language that [`network!`]
//! reads is described at the head of the crate `kiln-macros`.
//!
//! ```no_run
//! use kiln::prelude::*;
//!
//! network! {
//!     pub Mlp {
//!         input image: [1, 28, 28];
//!         target digit: class<10>;
//!         Flatten; Linear<64>; Relu; Linear<10>;
//!         loss: CrossEntropy(_, digit);
//!     }
//! }
//!
//! fn main() -> Result<(), Error> {
//!     let data = kiln::data::mnist::embedded();
//!     let mut model = Mlp::new(&Device::best(), 42)?;
//!     let report = Trainer::new(&mut model, Adam::default()).epochs(5).batch_size(64).fit(&data.train, &data.valid)?;
//!     println!("{report}");
//!     model.save("mlp.safetensors")
//! }
//! ```

pub mod data;
pub mod device;
mod diagram;
mod engine;
mod error;
mod files;
#[doc(hidden)]
pub mod fuzzing;
mod init;
mod model;
mod network;
pub mod optim;
mod params;
#[doc(hidden)]
pub mod plan;
pub mod plot;
mod rng;
mod summary;
#[cfg(test)]
mod tests;
pub mod train;
pub mod zoo;

// Blocks that use blocks of other modules here are fetched by the path that every program has.
extern crate self as kiln;

pub use device::Device;
pub use diagram::Diagram;
pub use error::{Error, Mismatch, Result};
pub use kiln_macros::network;
#[doc(hidden)]
pub use model::LaunchTime;
#[cfg(feature = "verify")]
pub use model::{Difference, StepCheck};
pub use model::{Excitation, Gradients, Load, Loaded, Model, ParameterInfo, Predictor, Probe, StepReport, Unit};
pub use network::Network;
pub use plan::{Kernels, Level};
pub use summary::Summary;

/// All that a program with a network usually needs.
pub mod prelude {
    pub use crate::data::{Classes, Dataset, Ids, Images, Rows, Sequences};
    pub use crate::optim::schedule::{self, CosineAnnealing, MultiStep, OneCycle, ReduceOnPlateau, Schedule};
    pub use crate::optim::{Adagrad, Adam, AdamW, Bound, Groups, NAdam, Optimizer, RmsProp, Sgd};
    pub use crate::train::{EpochRecord, Evaluation, Flow, NonFinite, Report, Trainer};
    pub use crate::{Device, Error, Load, Loaded, Model, Network, Predictor, StepReport};
    pub use kiln_macros::network;
}

/// For emitted code.
#[doc(hidden)]
pub mod __private {
    pub use crate::data::{Classes, Feed, Ids, Images, PortValues, Receive, Rows, Sequences};
    pub use crate::device::cpu::{self, Ctx, Entry, Portable, Simd};
    #[cfg(target_arch = "x86_64")]
    pub use crate::device::cpu::{Avx2, Avx512};
    pub use crate::device::cuda;
    pub use crate::model::probe;
    pub use crate::network::{NO_PLAN, receive_one, same_lengths, training_bytes};
    pub use crate::optim::UpdateRule;
    pub use crate::plan;
    pub use crate::{Device, Diagram, Error, Model, Network, Result, Summary};
}
