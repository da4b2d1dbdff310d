//! Host data: statically shaped sample sets, data sets of inputs and targets, the readers that make them.
//!
//! | port of a network | host type |
//! |---|---|
//! | `[n]` | [`Rows<n>`](Rows) |
//! | `[c, l]` | [`Sequences<c, l>`](Sequences) |
//! | `[c, h, w]` | [`Images<c, h, w>`](Images) |
//! | `ids<[l], v>` | [`Ids<l, v>`](Ids) |
//! | `class<n>` | [`Classes<n>`](Classes) |
//!
//! All of them are batch first, contiguous and in canonical (row-major) order: packing for a device is the engine's
//! business. Files are read whole; there is no streaming.

mod classes;
mod confusion;
mod dataset;
mod dense;
mod feed;
mod ids;
pub mod idx;
#[cfg(feature = "mnist")]
pub mod mnist;
mod shuffle;
mod standardize;

pub use classes::Classes;
pub use confusion::Confusion;
pub use dataset::Dataset;
pub(crate) use dense::argmax;
pub use dense::{Dense, Images, Rows, Sequences};
pub use feed::{Feed, PortValues, Receive};
pub use ids::Ids;
pub(crate) use shuffle::{permutation, shuffle};
pub use standardize::Standardizer;
pub(crate) use standardize::fit_moments;
