//! Networks of the literature, as blocks: a network is declared from one with constants of its own.
//!
//! ```
//! use kiln::prelude::*;
//!
//! network! {
//!     /// Ten Kannada digits instead of ten Arabic ones.
//!     pub Kannada = kiln::zoo::LeNet5<CLASSES = 10>;
//! }
//!
//! const _: () = assert!(Kannada::PARAMETERS == 61_706);
//! ```
//!
//! No network type lies here: each would be compiled by everyone who uses this crate.

mod lenet;

pub use lenet::LeNet5;
