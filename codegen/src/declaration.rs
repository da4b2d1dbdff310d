//! What one `pub Name { … }` is after lowering: the networks, and what the emitters must know beside them.

use crate::graph::Module;
use proc_macro2::{Ident, TokenStream};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Fusion {
    #[default]
    On,
    /// `#[fusion(off)]`: one kernel per primitive.
    Off,
    /// `#[fusion(both)]`: also emits `NameUnfused`.
    Both,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Precision {
    #[default]
    F32,
    Tf32,
    Bf16,
}

/// How convolutions that Winograd's algorithm can compute are computed on the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Convolution {
    /// As costs say, layer by layer.
    #[default]
    Cheapest,
    /// `#[cpu(conv = direct)]`, for tests and measurements like the next one.
    Direct,
    /// `#[cpu(conv = winograd)]`
    Winograd,
}

/// How the two gradients of a dense layer's weight are made on the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DenseBackward {
    /// In one pass over weights that no cache holds, else apart.
    #[default]
    BySize,
    /// `#[cpu(dense = streamed)]`, in one pass; for tests and measurements like the next one.
    Streamed,
    /// `#[cpu(dense = apart)]`
    Apart,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dump {
    Graph,
    Schedule,
    Memory,
    Cuda,
    Cpu,
}

/// A member of a family, or the only one.
#[derive(Clone, Debug)]
pub struct Member {
    /// Values of the family's constants, in order; empty if the network is no family.
    pub values: Vec<i64>,
    pub module: Module,
}

/// What a plan was made from, for those who make it again: `kiln::plan::Source`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The network as written, behind the blocks and `fn`s that it uses; empty for a plan that nobody declared.
    pub text: String,
    /// Which member of the family it is.
    pub member: usize,
    /// It is the twin with one kernel for each primitive.
    pub unfused: bool,
}

#[derive(Clone, Debug)]
pub struct Declaration {
    /// The network as written, behind all that it uses.
    pub text: String,
    pub ident: Ident,
    /// `pub`, `pub(crate)`, or nothing.
    pub vis: TokenStream,
    /// The `#[doc]` attributes as written.
    pub docs: TokenStream,
    /// `<H in [8, 32]>`: name and members of each family constant.
    pub family: Vec<(String, Vec<i64>)>,
    pub members: Vec<Member>,
    pub fusion: Fusion,
    pub precision: Precision,
    pub convolution: Convolution,
    pub dense_backward: DenseBackward,
    pub dumps: Vec<Dump>,
}
