//! What a plan is made for, as data. The rules of fusion are written once and read this.

use crate::declaration::Fusion;

/// A device family and its knobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub name: &'static str,
    /// Whether nodes may share kernels; off gives one kernel per primitive.
    pub fusion: bool,
    /// A batch reduction is cut into this many partial sums, a function of nothing but the batch.
    pub chunks: usize,
    /// A weight gradient above this many floats is not given partial sums, but tasks over its blocks.
    pub chunked_weight_floats: usize,
    /// Guards on the batch, ascending; the last has none. One variant of each program is emitted per guard.
    pub guards: Vec<usize>,
}

impl Target {
    pub fn cpu(fusion: Fusion) -> Self {
        Target {
            name: "cpu",
            fusion: fusion != Fusion::Off,
            chunks: 16,
            chunked_weight_floats: 1 << 17,
            guards: vec![usize::MAX],
        }
    }
}
