//! The CPU engine: memory, threads, and the templates that emitted kernels call.
//!
//! An emitted kernel is a function generic over [`Simd`]; [`levels!`](crate::levels) makes its entry points. Whatever has loops worth tuning (contractions,
//! convolutions, windows) is a template here, driven by a descriptor, and hands each result vector to a *sink* that the emitter printed.
//!
//! # What `unsafe` rests on
//!
//! Kernels and templates follow bare pointers, and nothing between a descriptor and a load compares anything. What they may rely on, by
//! the names that comments with `SAFETY` use:
//!
//! * *the plan*: offsets, extents, strides and numbers of a launch, its tasks and its entry points were printed by `network!` from one
//!   schedule and one memory plan, in which all that lives at a time lies apart. They come here through [`Network::plan`](crate::Network::plan)
//!   and `probe` alone, which are unsafe to implement and to call.
//! * *arenas*: `Cpu::launch` (`engine/cpu.rs`) makes each arena as large as the variant of the plan asks for, before it computes an
//!   address in it, and holds all of them until the last launch is done. An offset of the plan lies within its arena.
//! * *ports*: `engine::ports` has compared what the caller feeds with the plan: kind, length, and integers within their range. Those
//!   slices stay borrowed for the run.
//! * *tasks*: of one launch, each task runs once, tasks write disjoint places, and none reads what another writes. Templates cut their
//!   tasks so (`…_tasks` counts what the template cuts), emitted loops cut by samples, blocks or chunks of the batch. Scratch memory belongs
//!   to the worker that the pool names, and no two threads of a run have one name.
//! * *the level*: a value of a type that implements [`Simd`] exists only in functions compiled for it, on a processor that has it
//!   ([`simd`]).
//!
//! A function with a descriptor has a contract of its own, its `# Safety`: that its pointers lie as the descriptor says. An emitted kernel
//! keeps it by *the plan*; a template that calls another hands its own on, for a part of its extents.

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
mod total;
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
pub use total::Total;
pub use transpose::*;
pub use window::*;
pub use winograd::*;

#[cfg(test)]
mod tests;
