//! What a plan is made for, as data. The rules of fusion are written once and read this.

use super::layout::Order;
use super::winograd::Rates;
use crate::declaration::{Convolution, Declaration, DenseBackward, Fusion, Precision};

/// A device family and its knobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub name: &'static str,
    /// Whether nodes may share kernels; off gives one kernel per primitive.
    pub fusion: bool,
    pub order: Order,
    /// A batch reduction is cut into this many partial sums, a function of nothing but the batch.
    pub chunks: usize,
    /// A weight gradient above this many floats is not given partial sums, but tasks over its blocks.
    pub chunked_weight_floats: usize,
    /// Whether every primitive can be computed element by element inside a map kernel, from any layout: then nothing needs
    /// a scalar fallback, windows are maps, and weights and inputs are read as they lie.
    pub gathers: bool,
    /// Widest sample that a contraction's tile holds whole, so that a row loss fits behind it; 0 if it cannot.
    pub row_width: usize,
    /// Whether chains of small convolutions are run sample by sample, from shared memory.
    pub sample_blocks: bool,
    /// Whether chains of layers of few channels have samples in their lanes.
    pub lanes: bool,
    /// Whether mean and variance are one pass.
    pub moments: bool,
    /// And no pass at all where a convolution (on the CPU, Winograd's) makes the values: its tiles leave the partial moments.
    pub tiled_moments: bool,
    /// Whether what an expression computes from per-channel values alone is a map of its own.
    pub hoists: bool,
    /// Whether programs that infer keep what they derive from parameters alone.
    pub keeps_derived: bool,
    /// Whether the slope of an activation before a max-pool is taken of what was pooled.
    pub pooled_slopes: bool,
    /// Whether maps are computed by their readers where memory sees less that way, and sums where their operand is made.
    pub computing_readers: bool,
    /// Whether what is joined or taken along the channels lies where the whole lies.
    pub parts: bool,
    /// Whether the gradient of a dense layer's bias is made with its weight's.
    pub dense_biases: bool,
    /// From this many floats on, a dense layer's weight is read once in the backward pass, for both of its gradients.
    pub streamed_weight_floats: usize,
    /// Whether kernels that finish a parameter's gradient apply the optimizer's rule to it at once.
    pub updates: bool,
    /// How contractions multiply.
    pub precision: Precision,
    /// How 3 × 3 convolutions are computed …
    pub convolution: Convolution,
    /// … and the speeds that decide it; `None` where there is but one way.
    pub winograd: Option<Rates>,
    /// Guards on the batch, ascending; the last has none. One variant of each program is emitted per guard.
    pub guards: Vec<usize>,
}

impl Target {
    pub fn cpu(fusion: Fusion) -> Self {
        let fused = Target {
            name: "cpu",
            fusion: true,
            order: Order::Blocked,
            chunks: 16,
            chunked_weight_floats: 1 << 17,
            gathers: false,
            row_width: 0,
            sample_blocks: false,
            lanes: true,
            moments: true,
            tiled_moments: true,
            hoists: true,
            keeps_derived: true,
            pooled_slopes: true,
            computing_readers: true,
            parts: true,
            dense_biases: true,
            // With what an optimizer remembers of it, more than a last-level cache holds.
            streamed_weight_floats: 4 << 20,
            updates: true,
            precision: Precision::F32,
            convolution: Convolution::Cheapest,
            winograd: Some(Rates::CPU),
            guards: vec![usize::MAX],
        };
        if fusion == Fusion::Off { fused.unfused() } else { fused }
    }

    /// A target on the CPU with one kernel for each primitive; the optimizer's pass is one too.
    pub fn unfused(&self) -> Self {
        Target { fusion: false, hoists: false, updates: false, ..self.clone() }
    }

    /// The CPU with the choices that a declaration makes.
    pub fn cpu_for(declaration: &Declaration, fusion: Fusion) -> Self {
        let target = Target { convolution: declaration.convolution, ..Self::cpu(fusion) };
        match declaration.dense_backward {
            DenseBackward::BySize => target,
            DenseBackward::Streamed => Target { streamed_weight_floats: 0, ..target },
            DenseBackward::Apart => Target { streamed_weight_floats: usize::MAX, ..target },
        }
    }

    pub fn cuda(fusion: Fusion, precision: Precision) -> Self {
        Target {
            name: "cuda",
            fusion: fusion != Fusion::Off,
            order: Order::ChannelsLast,
            chunks: 128,
            chunked_weight_floats: usize::MAX,
            gathers: true,
            row_width: 64,
            sample_blocks: true,
            lanes: false,
            moments: true,
            tiled_moments: true,
            hoists: false,
            keeps_derived: false,
            pooled_slopes: false,
            computing_readers: false,
            parts: false,
            dense_biases: false,
            streamed_weight_floats: usize::MAX,
            updates: true,
            precision,
            convolution: Convolution::Cheapest,
            winograd: None,
            guards: vec![usize::MAX],
        }
    }
}
