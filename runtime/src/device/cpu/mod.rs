//! The CPU engine: memory, threads, and the templates that emitted kernels call.
//!
//! An emitted kernel is a function generic over [`Simd`]; [`levels!`](crate::levels) makes its entry points. Whatever has loops worth tuning (contractions, convolutions, windows) is a template here, driven by a
//! descriptor, and hands each result vector to a *sink* that the emitter printed.

mod arena;
mod context;
mod conv;
mod conv_weight;
mod dense;
mod erased;
mod finished;
mod gemm;
mod gradient;
mod lane_tile;
mod lanes;
mod moments;
mod pool;
mod rows;
pub mod simd;
mod sinks;
mod source;
mod support;
mod tile;
mod transpose;
mod window;
mod winograd;

pub use crate::levels;
pub use crate::plan::{Entry, Level};
pub use arena::Arena;
pub use context::{Ctx, Cx, Numbered};
pub use conv::*;
pub use conv_weight::*;
pub use dense::*;
pub use gemm::*;
pub use gradient::*;
pub use lanes::*;
pub use moments::*;
pub use pool::Pool;
pub use rows::*;
pub use simd::*;
pub use sinks::*;
pub use source::{Load, Source};
pub use support::*;
pub use tile::{PoolingSink, Sink, Sink2};
pub use transpose::*;
pub use window::*;
pub use winograd::*;

#[cfg(test)]
mod tests;
